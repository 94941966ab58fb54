"""The benchmark of variational methods: when a bound is near, and what other programs say."""

import numpy as np
import pytest

import nbinfer as nb
from bench import vi_methods
from bench.vi_methods import Book, Method, Run, at_once, best, iterations, of_peer, rows, run
from tests.variational.targets import FIVE, FIVE_ANSWER, SIGMA, conjugate, gaussian

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(vi_methods, "POSTERIORS", {"mean": lambda: conjugate(FIVE), "gaussian": gaussian})
    monkeypatch.setattr(vi_methods, "MANY", 2000)
    monkeypatch.setattr(vi_methods, "DRAWS", 500)


@pytest.mark.nojit
@pytest.mark.parametrize("family", ["mean_field", "full_rank"])
def test_the_best_of_a_family_is_the_best(family):
    found = best("mean", family, length=0.1)
    assert found.elbo == pytest.approx(FIVE_ANSWER[0], abs=1e-3)
    assert found.error < 1e-3


@pytest.mark.nojit
def test_a_method_runs_until_its_bound_is_near(monkeypatch):
    quick = Method("mean_field", iterations(nb.ADVI, obj_n_mc=2, obj_optimizer=nb.adam(learning_rate=0.05)))
    monkeypatch.setitem(vi_methods.METHODS, "quick", quick)
    found = run("mean", "quick", FIVE_ANSWER[0], 2000)
    assert 40 <= found.gradients == found.spent < 1000
    assert found.elbo >= FIVE_ANSWER[0] - vi_methods.NEAR
    short = run("mean", "quick", FIVE_ANSWER[0] + 5.0, 200)
    assert short.gradients is None
    assert 200 <= short.spent < 300
    assert (
        rows([found, short], {("mean", "mean_field"): vi_methods.Best("mean", "mean_field", -8.27, 0.01)})[1][3] == "-"
    )


def test_stages_end_where_a_method_does():
    made = iterations(nb.ADVI, convergence=nb.RAABBVI(accuracy=1e6, rhat=100.0, min_ess=1e-9))
    spent = [stage.gradients for stage in made(conjugate(FIVE), 100_000, 1)]
    assert spent[:3] == [20, 25, 31]
    assert 800 <= spent[-1] < 2000
    once = list(at_once(lambda **given: nb.MeanField(**given), lambda approx: 7)(conjugate(FIVE), 10, 1))
    assert [stage.gradients for stage in once] == [7]


def test_peers_are_measured_here():
    posterior = {"what": "peer", "model": "gaussian"}
    exact = {"gradients": 30, "mean": {"x": [0.0] * 3}, "cov": SIGMA.tolist()}
    wide = {"gradients": 10, "mean": {"x": [0.0] * 3}, "cov": (9.0 * SIGMA).tolist()}
    found = of_peer(posterior | {"family": "full_rank", "stages": [wide, exact]}, 0.0)
    assert (found.gradients, found.method) == (30, "peer")
    assert found.elbo == pytest.approx(0.0, abs=1e-9)
    narrow = {"gradients": 10, "mean": {"x": [0.0] * 3}, "std": {"x": [0.1] * 3}}
    found = of_peer(posterior | {"family": "mean_field", "stages": [narrow]}, 0.0)
    assert found.gradients is None
    assert found.elbo < -1.0


def test_a_book_keeps_results(tmp_path):
    path = tmp_path / "book.jsonl"
    result = Run("mean", "advi", "mean_field", 1, None, 200, -9.0, np.nan)
    Book(path).get(("mean", "advi", 1), lambda: result)
    again = Book(path).get(("mean", "advi", 1), lambda: pytest.fail("it stands there"))
    assert str(again) == str(result)

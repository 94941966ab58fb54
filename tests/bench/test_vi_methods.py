"""The benchmark of variational methods: when a bound is near, and what other programs say."""

import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

import nbinfer as nb
from bench import vi_methods
from bench.vi_methods import METHODS, Book, Method, Run, at_once, best, iterations, of_peer, rows, run
from bench.wrapped import Counted, Standardised
from tests.often import often
from tests.variational.targets import FIVE, FIVE_ANSWER, MEAN_FIELD_GAP, SIGMA, conjugate, gaussian

#: Of coordinates that correlate, and whose scales are further apart than a learning rate can serve.
STEEP = SIGMA * np.outer([1e-4, 1.0, 100.0], [1e-4, 1.0, 100.0])

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    steep = {"mean": lambda: conjugate(FIVE), "gaussian": gaussian, "steep": lambda: gaussian(STEEP)}
    monkeypatch.setattr(vi_methods, "POSTERIORS", steep)
    monkeypatch.setattr(vi_methods, "MANY", 2000)
    monkeypatch.setattr(vi_methods, "DRAWS", 500)


@pytest.mark.nojit
@pytest.mark.parametrize("family", often(["mean_field", "full_rank"], "full_rank"))
def test_the_best_of_a_family_is_the_best(family):
    found = best("mean", family, length=0.1)
    assert found.elbo == pytest.approx(FIVE_ANSWER[0], abs=1e-3)
    assert found.error < 1e-3


@pytest.mark.slow
@pytest.mark.nojit
def test_the_best_of_a_family_is_found_whatever_the_scales():
    assert best("steep", "full_rank", length=0.01).elbo == pytest.approx(0.0, abs=1e-3)
    assert best("steep", "mean_field", length=0.01).elbo == pytest.approx(MEAN_FIELD_GAP, abs=0.02)


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


def python_density(called):
    """Return a density, three coordinates of different widths, that writes down when its gradient is asked for."""

    def logp(x):
        return -0.5 * float(np.arange(1, 4) @ x**2)

    def grad(x, grad):
        called.append(x)
        grad[:] = -np.arange(1, 4) * x

    return nb.Model.flat(logp, 3, grad=grad, compile=False)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize(("name", "draws"), [("dadvi", 36), ("bam", 8)])
def test_every_gradient_counts(name, draws):
    """As a density counts that is called. But for those before the first iteration, they come in whole batches."""
    called = []
    both = [(s.gradients, len(called)) for s in METHODS[name].stages(python_density(called), 2000, 1)]
    spent, calls = np.transpose(both)
    assert len(spent) > 3
    assert set(calls - spent) == {1}  # by which a Python callable is tried when it is bound
    assert not any(np.diff(spent) % draws)
    assert spent[0] <= 5 * draws


def test_gradients_of_dadvi_are_evaluations_times_draws():
    counted = Counted(gaussian())
    inference = nb.DADVI(model=counted.model, random_seed=1)
    inference.begin()
    before = counted.gradients
    inference.run(20, False, judged=False)
    evaluations = 1 + int(inference._updates.fitting.rule.search.evaluations)
    assert counted.gradients - before == 36 * evaluations


def test_a_standardised_model_is_the_same_elsewhere():
    mean, factor = np.array([1.0, -2.0, 0.5]), np.array([[2.0, 0.0, 0.0], [0.5, 0.1, 0.0], [-1.0, 3.0, 4.0]])
    inner, found = gaussian().bind(1), Standardised(gaussian(), mean, factor)
    bound, z = found.model.bind(1), np.array([0.3, -0.7, 1.1])
    value, grad = bound.value_and_grad(z)
    q = mean + factor @ z
    assert value == pytest.approx(inner.value(q) + np.log(0.8), rel=1e-12)
    assert bound.value(z) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(grad, factor.T @ inner.value_and_grad(q)[1], rtol=1e-12)
    assert found.gradients == 1


@pytest.mark.either
@pytest.mark.parametrize("wrapped", [Counted, lambda model: Standardised(model, np.zeros(3), np.eye(3))])
def test_what_a_wrapped_model_calls_lives_as_long_as_its_densities(wrapped):
    bounds = [gaussian().bind(1)]
    inner = weakref.ref(bounds[0])
    outer = wrapped(SimpleNamespace(dim=3, bind=lambda chains: bounds[0])).model.bind(1)
    bounds.clear()
    gc.collect()
    assert inner() is not None
    assert outer.value(np.zeros(3)) == inner().value(np.zeros(3))
    del outer
    gc.collect()
    assert inner() is None


class Failing:
    """An inference that comes to one iteration."""

    def __init__(self, **given):
        self.hist = np.zeros(0)

    def begin(self):
        pass

    def run(self, n, progressbar, judged):
        if len(self.hist):
            raise nb.errors.FitError("not finite")
        self.hist = np.zeros(1)
        return SimpleNamespace(report=SimpleNamespace(converged=None))


def test_a_fit_that_fails_ends():
    assert [stage.gradients for stage in iterations(Failing, first=1)(gaussian(), 100, 1)] == [1]


@pytest.mark.slow
@pytest.mark.either
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

"""Stein thinning: the greedy choice against its definition, what it is for, what comes back."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.variational.stein import passes as passes_
from nbinfer.variational.stein import thinning as thinning_
from tests.variational.families.laws import faulty
from tests.variational.stein.targets import normal
from tests.variational.stein.test_discrepancy import by_definition
from tests.variational.targets import several


def check_choice(m=7, n=5):
    """Each draw is the one that makes the discrepancy of those chosen smallest."""
    points = np.random.default_rng(1).normal(size=(m, 2)) + 0.4
    pairs = by_definition(points, nb.IMQ(0.5), lambda x: -(x - 0.3) / 1.7)
    chosen = []
    for _ in range(n):
        chosen.append(int(np.argmin([0.5 * pairs[j, j] + pairs[j, chosen].sum() for j in range(m)])))
    thinned = nb.stein_thinning(points, n, normal(2, 0.3, 1.7), kernel=nb.IMQ(0.5), metric=None)
    assert thinned.sample_stats["source_draw"][0].tolist() == chosen
    np.testing.assert_array_equal(thinned["x"][0], points[chosen])
    ksd = [pairs[np.ix_(chosen[: k + 1], chosen[: k + 1])].mean() for k in range(n)]
    np.testing.assert_allclose(thinned.sample_stats["ksd"][0], ksd, rtol=1e-4)


def test_each_choice_is_the_best():
    check_choice()


MUTANTS = {
    "draws before are forgotten": ("sums[j] += added[j]", "sums[j] = added[j]"),
    "a draw's pair with itself": ("halves[j] + sums[j] < ", "sums[j] < "),
    "the worst": ("if halves[j] + sums[j] < ", "if halves[j] + sums[j] > "),
}


@pytest.mark.parametrize("fault", MUTANTS)
@pytest.mark.skipif(JIT, reason="plain Python says the same of a mutant, without compiling it")
def test_a_fault_is_seen(fault, monkeypatch):
    monkeypatch.setattr(thinning_, "Pass", faulty(passes_, MUTANTS[fault]).Pass)
    with pytest.raises(AssertionError):
        check_choice()


@pytest.mark.nojit
def test_it_mends_draws_of_another_distribution():
    """Of draws that are too far right and too wide, those that are chosen are neither."""
    draws = np.random.default_rng(1).normal(0.7, 1.5, size=(1000, 2))
    thinned = nb.stein_thinning(draws, 60, normal(2))
    assert np.abs(thinned["x"][0].mean(axis=0)).max() < 0.1
    np.testing.assert_allclose(thinned["x"][0].var(axis=0), 1.0, atol=0.25)
    assert thinned.sample_stats["ksd"][0, -1] < 0.2 * nb.ksd(draws[:60], normal(2), metric="diag")


@pytest.mark.nojit
def test_one_core_and_two_choose_the_same():
    draws = np.random.default_rng(1).normal(size=(700, 2))
    found = [nb.stein_thinning(draws, 20, normal(2), cores=cores) for cores in (1, 3)]
    for name in ("source_draw", "ksd"):
        np.testing.assert_array_equal(found[0].sample_stats[name], found[1].sample_stats[name])


@pytest.mark.nojit  # long as plain Python
def test_what_comes_back():
    model = several()
    rows = np.random.default_rng(1).normal(size=(2, 12, model.dim))
    points = [[model.constrain(row) for row in chain] for chain in rows]
    given = {name: np.array([[point[name] for point in chain] for chain in points]) for name in model.parameters}
    for metric in ("diag", "dense", np.eye(model.dim)):
        thinned = nb.stein_thinning(given, 3, model, metric=metric)
        chain, draw = (thinned.sample_stats[name][0] for name in ("source_chain", "source_draw"))
        for name, values in given.items():
            np.testing.assert_allclose(thinned[name][0], values[chain, draw], rtol=1e-12)
        np.testing.assert_allclose(thinned["twice"], 2.0 * thinned["m"])
    with model:
        again = nb.stein_thinning(given, 3, metric=np.eye(model.dim))
    np.testing.assert_array_equal(again["s"], thinned["s"])
    with pytest.raises(ValueError, match="n must be an int from 1"):
        nb.stein_thinning(given, 0, model)


class Stopped(dict):
    """Draws of a run that has not come to its end."""

    draws_done = np.array([5, 2])


def test_rows_that_a_chain_has_not_reached_are_no_draws():
    x = np.random.default_rng(1).normal(size=(2, 5, 1))
    x[1, 2:] = np.nan
    thinned = nb.stein_thinning(Stopped(x=x), 12, normal())
    chain, draw = (thinned.sample_stats[name][0] for name in ("source_chain", "source_draw"))
    np.testing.assert_array_equal(thinned["x"][0], x[chain, draw])


def fails_logp(p, d):
    if p.x[0] > 2.0:
        raise LookupError("mine")
    return -0.5 * np.sum(p.x**2)


@pytest.mark.skipif(JIT, reason="the way is that of any run; plain Python needs no compilation for it")
def test_what_the_model_raises_arrives():
    draws = np.array([[0.0], [1.0], [3.0]])
    with pytest.raises(LookupError, match="mine"):
        nb.stein_thinning(draws, 2, nb.Model({"x": nb.real(1)}, logp=fails_logp))

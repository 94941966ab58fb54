"""The test by the kernel Stein discrepancy: how often it rejects what it should, and what it should not."""

import numpy as np
import pytest
from scipy import stats

import nbinfer as nb
from nbinfer.errors import NbinferWarning
from nbinfer.variational.stein import goodness as goodness_
from tests.variational.stein.targets import normal


def autoregressive(rng, n, dim, rho):
    x = rng.normal(size=(n, dim))
    for t in range(1, n):
        x[t] = rho * x[t - 1] + np.sqrt(1.0 - rho**2) * x[t]
    return x


def rejected(draws, runs, **options):
    """Return how often a test at 5 % rejects."""
    model = normal(2)
    found = [nb.ksd_test(draws(), model, random_seed=k, replicates=99, cores=1, **options) for k in range(runs)]
    return np.sum([test.p_value <= 0.05 for test in found])


@pytest.mark.nojit
@pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")
@pytest.mark.parametrize(("rho", "n"), [(0.0, 80), pytest.param(0.8, 900, marks=pytest.mark.slow)])
def test_it_rejects_draws_of_the_posterior_as_often_as_it_says(rho, n):
    """Bounds that a binomial number of that probability is within, but for one time in a thousand."""
    rng, runs = np.random.default_rng(1), 60
    low, high = stats.binom(runs, 0.05).ppf([0.0005, 0.9995])
    assert low <= rejected(lambda: autoregressive(rng, n, 2, rho), runs) <= high


@pytest.mark.slow
@pytest.mark.nojit
def test_it_takes_a_chain_for_what_it_is():
    """Draws that depend on each other are too far apart by chance, if they are taken for independent ones."""
    rng = np.random.default_rng(1)
    assert rejected(lambda: autoregressive(rng, 300, 2, 0.8), 30, thin=1, flip=0.5) > 12


@pytest.mark.nojit
@pytest.mark.parametrize(("shift", "scale"), [(0.5, 1.0), (0.0, 1.6)])
def test_it_sees_draws_of_another_distribution(shift, scale):
    rng = np.random.default_rng(1)
    assert rejected(lambda: shift + scale * rng.normal(size=(150, 2)), 10) >= 9


def test_what_it_says():
    rng = np.random.default_rng(1)
    with pytest.warns(NbinferWarning, match="a test by 12 draws, one out of 2 of each chain, sees little"):
        found = nb.ksd_test({"x": rng.normal(size=(2, 12, 1)) + 3.0}, normal(), thin=2, replicates=99, random_seed=1)
    assert (found.n, found.thin, found.flip) == (12, 2, 0.1)
    assert 0.01 <= found.p_value <= 1.0
    again = nb.ksd_test(rng.normal(size=(60, 1)) + 3.0, normal(), thin=1, replicates=99, random_seed=1)
    assert (again.n, again.thin, again.flip, again.p_value) == (60, 1, 0.5, 0.01)
    assert again.statistic > 0.5


@pytest.mark.parametrize("seed", range(4))
def test_signs_that_are_all_equal_make_the_statistic_itself(seed):
    """One time in four of three draws, whatever rounding does."""
    draws = np.random.default_rng(seed).normal(np.arange(3.0), size=(3, 3))
    with pytest.warns(NbinferWarning, match="a test by 3 draws sees little; take more draws, 50 at least"):
        found = nb.ksd_test(draws, normal(3), thin=1, replicates=99, random_seed=seed)
    assert found.p_value > 0.1


def test_signs_stay_within_a_chain():
    signs = goodness_._signs(np.repeat([0, 1], 500), 0.1, 400, np.random.default_rng(1))
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert np.mean(signs[1:500] != signs[:499]) == pytest.approx(0.1, abs=0.005)
    assert np.mean(signs[500] != signs[499]) == pytest.approx(0.5, abs=0.1)


def test_options_that_are_none():
    draws, model = np.zeros((5, 2)), normal(2)
    for wrong in ({"replicates": 3}, {"thin": 0}, {"flip": 0.7}, {"flip": 0.0}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
            nb.ksd_test(draws, model, **wrong)
    with pytest.raises(ValueError, match="thin=9 leaves 1 draw; take fewer, or more draws"):
        nb.ksd_test(np.random.default_rng(1).normal(size=(5, 2)), model, thin=9)

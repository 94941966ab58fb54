"""What `bench.auto` knows of its posteriors, and what it counts."""

import numpy as np
import pytest
from scipy import integrate, stats

import nbinfer as nb
from bench import auto
from nbinfer.compile import JIT
from nbinfer.mcmc import length, running

Y = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
SIGMA = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def of_tau(function):
    """Integrate over tau what a function of it says, by the density of the data alone."""

    def density(tau):
        covariance = np.diag(SIGMA**2 + tau**2) + 25.0
        return stats.multivariate_normal.pdf(Y, np.zeros(8), covariance) / (1.0 + (tau / 5.0) ** 2) * 1e13

    ends, options = (0.0, np.inf), {"epsabs": 0.0, "epsrel": 1e-9, "limit": 500}
    whole = integrate.quad(density, *ends, **options)[0]
    return integrate.quad(lambda tau: function(tau) * density(tau), *ends, **options)[0] / whole


def test_eight_schools_are_known():
    known = auto.known_schools(Y, SIGMA)

    def mu(tau):
        precision = np.sum(1.0 / (SIGMA**2 + tau**2)) + 1.0 / 25.0
        return np.sum(Y / (SIGMA**2 + tau**2)) / precision

    def theta(tau):
        return (Y[0] * tau**2 + mu(tau) * SIGMA[0] ** 2) / (SIGMA[0] ** 2 + tau**2)

    expected = [of_tau(mu), of_tau(lambda tau: tau), of_tau(theta)]
    np.testing.assert_allclose(known.mean[:3], expected, rtol=2e-4)
    low, high = np.full(10, 1.0), np.full(10, 8.0)
    low[0] = -np.inf
    between = of_tau(lambda tau: float(1.0 < tau < 8.0))
    assert known.mass(low, high)[1] == pytest.approx(between, abs=2e-3)
    np.testing.assert_allclose(known.mass(low - np.inf, high + np.inf), 1.0)


def test_normal_marginals_are_known():
    known = auto.standard(3)
    np.testing.assert_array_equal(known.mean, 0.0)
    np.testing.assert_allclose(known.mass(np.full(3, -auto.WIDTH), np.full(3, auto.WIDTH)), 0.9)


@pytest.mark.either
def test_what_a_run_says():
    case = auto.Case(None, {}, None, auto.standard(2))
    draws = np.random.default_rng(1).normal(size=(4, 500, 2))
    draws[..., 1] += 1.0
    of_run = auto.found(case, draws)
    expected = draws.mean((0, 1)) / nb.diagnostics.mcse_mean(draws)
    np.testing.assert_allclose(of_run.scores, expected)
    assert of_run.mass[0] == pytest.approx(0.9, abs=0.02)
    assert of_run.mass[1] < 0.8
    np.testing.assert_array_equal(auto.coverage([of_run, of_run]), [1.0, 0.0])


def test_early_looks_are_over_afterwards():
    before = length._FIRST, length._NEXT, running.least
    with auto.early():
        assert length.first_look(length.Goal(400.0, 1000), 4, 1) == 10
        assert running.least({"x": np.arange(100.0).reshape(2, 50)}).agree
    assert (length._FIRST, length._NEXT, running.least) == before


@pytest.mark.slow
@pytest.mark.skipif(not JIT, reason="needs many runs")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", auto.CASES)
def test_runs_that_end_themselves_cover(name):
    runs = 200
    lengths, chosen, _ = auto.compared(auto.CASES[name](), range(1000, 1000 + runs), 400.0)
    assert len(set(lengths)) > 1
    held, mass = auto.coverage(chosen), np.mean([run.mass for run in chosen], axis=0)
    error = np.sqrt(0.09 / runs)
    assert np.abs(held - 0.9).max() < 3.5 * error
    assert np.abs(mass - 0.9).max() < 0.01

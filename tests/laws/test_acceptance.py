"""The acceptance rule passes what is right and fails what is wrong, on traces made to measure."""

import numpy as np
import pytest
from scipy import stats

from tests.laws import acceptance
from tests.laws.acceptance import CHAINS, Reference, Sample, energy_p_value, problems_of

# Effective sample sizes of hundreds of traces: minutes in plain Python, where tests/diagnostics has shorter ones.
pytestmark = pytest.mark.nojit

MEAN, SD = np.array([0.0, 5.0, -300.0]), np.array([1.0, 0.01, 40.0])


def log_density(x):
    return -0.5 * np.sum(((x - MEAN) / SD) ** 2, axis=-1)


@pytest.fixture(scope="module")
def reference():
    quantiles = {q: stats.norm.ppf(p, MEAN, SD) for q, p in acceptance.QUANTILES.items()}
    draws = MEAN + SD * np.random.default_rng(99).standard_normal((1000, 3))
    return Reference(["a", "b", "c"], MEAN, SD, quantiles, draws)


def autoregressive(rng, draws, rho):
    z = rng.standard_normal((CHAINS, draws, 3))
    for t in range(1, draws):
        z[:, t] = rho * z[:, t - 1] + np.sqrt(1 - rho**2) * z[:, t]
    return z


def problems(reference, change=lambda z: z, rho=0.0, seed=1, diverging=0):
    """Judge a sampler that draws what is right and then spoils it."""

    def run(draws, seed):
        x = MEAN + SD * change(autoregressive(np.random.default_rng(seed), draws, rho))
        return Sample(x, log_density(x), diverging)

    return problems_of(run, reference, log_density(reference.draws), seed)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.5])
def test_right_draws_pass(reference, rho, seed):
    assert problems(reference, rho=rho, seed=seed) == []


def test_a_bias_of_a_fifth_of_an_sd_fails(reference):
    found = problems(reference, lambda z: z + 0.2 * np.array([0, 1, 0]))
    assert any(p.startswith("mean of b: z = ") for p in found)
    assert any(p.startswith("mean of b is 0.") for p in found)
    assert not any(" of a" in p or " of c" in p for p in found)


def test_an_sd_a_tenth_too_large_fails(reference):
    assert any(p.startswith("sd of c: z = ") for p in problems(reference, lambda z: z * np.array([1, 1, 1.1])))


def test_wrong_tails_fail(reference):
    """Student's t with six degrees of freedom, scaled to the right sd."""

    def heavy(z):
        return stats.t.ppf(stats.norm.cdf(z), 6) * np.sqrt(4 / 6)

    assert any("q5 of" in p or "log density" in p for p in problems(reference, heavy))


def test_wrong_correlation_fails(reference):
    """Every margin is right; only the shape of the cloud is not."""

    def correlate(z):
        return np.stack([z[..., 0], 0.8 * z[..., 0] + 0.6 * z[..., 1], z[..., 2]], axis=-1)

    found = problems(reference, correlate)
    assert any("log density" in p or "energy" in p for p in found)
    assert not any("z = " in p for p in found)


def test_one_chain_that_stands_still_fails(reference):
    def freeze(z):
        z[2] = z[2, :1]
        return z

    found = problems(reference, freeze)
    assert "chain 2 is stuck: 0% of its draws are new" in found
    assert any(p.startswith("R-hat") for p in found)


def test_chains_that_all_stand_still_fail(reference):
    found = problems(reference, lambda z: np.zeros_like(z))
    assert sum("stuck" in p for p in found) == CHAINS


def test_draws_that_are_not_finite_fail(reference):
    def spoil(z):
        z[0, -1] = np.nan
        return z

    assert "some draws are not finite" in problems(reference, spoil)


def test_a_slow_chain_fails_whatever_its_moments(reference):
    assert any("ESS of" in p for p in problems(reference, rho=0.97))


def test_divergences_above_one_percent_fail(reference):
    assert problems(reference, diverging=80) == []
    assert problems(reference, diverging=81) == ["81 of 8000 draws diverged"]


def test_a_doubt_is_settled_by_a_longer_run(reference):
    """A real bias doubles its z with four times the draws; noise does not."""
    asked = []

    def run(draws, seed, later):
        z = np.random.default_rng(seed).standard_normal((CHAINS, draws, 3))
        z -= z.mean(axis=(0, 1))
        z[..., 0] += 4.5 / np.sqrt(8000) if draws == acceptance.DRAWS else later
        asked.append((draws, seed))
        x = MEAN + SD * z
        return Sample(x, log_density(x))

    def judged(later):
        return problems_of(lambda draws, seed: run(draws, seed, later), reference, log_density(reference.draws), 7)

    assert judged(0.0) == []
    assert asked == [(2000, 7), (8000, 8)]
    assert any(p.startswith("mean of a: z = 9") for p in judged(9 / np.sqrt(32000)))
    assert judged(4.5 / np.sqrt(32000)) == ["mean of a: still off in the second run"]


def test_p_values_of_the_energy_distance_are_uniform():
    rng = np.random.default_rng(3)
    p = [energy_p_value(rng.standard_normal((40, 2)), rng.standard_normal((60, 2)), rng) for _ in range(150)]
    assert stats.kstest(p, "uniform").pvalue > 1e-4


def test_energy_distance_sees_a_shift():
    rng = np.random.default_rng(4)
    assert energy_p_value(rng.standard_normal((200, 2)), 0.5 + rng.standard_normal((200, 2)), rng) == 0.001

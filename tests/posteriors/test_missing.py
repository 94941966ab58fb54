"""Imputed values against exact answers: a normal sample, and the disasters in coal mines."""

import math

import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import t as student_t

import nbinfer as nb
from nbinfer.diagnostics import ess_mean
from nbinfer.distributions import exponential, inverse_gamma, normal, poisson

pytestmark = pytest.mark.nojit

#: Disasters in British coal mines by year, 1851 to 1961 (R. G. Jarrett, Biometrika 66, 1979); two years are missing.
DISASTERS = np.array(
    [
        4, 5, 4, 0, 1, 4, 3, 4, 0, 6, 3, 3, 4, 0, 2, 6, 3, 3, 5, 4, 5, 3, 1, 4, 4, 1, 5, 5, 3, 4, 2, 5, 2, 2, 3, 4, 2,
        1, 3, np.nan, 2, 1, 1, 1, 1, 3, 0, 0, 1, 0, 1, 1, 0, 0, 3, 1, 0, 3, 2, 2, 0, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 2,
        1, 0, 0, 0, 1, 1, 0, 2, 3, 3, 1, np.nan, 2, 1, 1, 1, 1, 2, 4, 2, 0, 0, 1, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0,
        0, 1, 0, 1,
    ]
)  # fmt: skip


def rates_prior(p, d):
    return exponential.logpdf(p.early, 1.0) + exponential.logpdf(p.late, 1.0)


def of_disasters(p, d):
    rate = np.where(d.year < p.switch, p.early, p.late)
    return poisson.logpmf(d.disasters, rate)


def draw_switch(p, d, rng):
    """Draw the switchpoint from its full conditional, by running sums over whole data."""
    n = d.disasters.size
    logs = np.empty(n + 1)
    logs[0] = 0.0
    for k in range(n):
        logs[k + 1] = logs[k] + d.disasters[k] * np.log(p.early / p.late) - p.early + p.late
    weights = np.cumsum(np.exp(logs[:n] - logs.max()))
    return min(np.searchsorted(weights, rng.random() * weights[-1]), n - 1)


def disasters():
    n = DISASTERS.size
    return nb.Model(
        {"switch": nb.integer(0, n - 1), "early": nb.positive(), "late": nb.positive()},
        prior=rates_prior,
        likelihood={"disasters": of_disasters},
        data={"disasters": DISASTERS, "year": np.arange(n)},
        missing={"disasters": nb.integer(0, 40)},
    )


def exact_disasters():
    """Return means and variances of switchpoint and rates, and of the missing counts, by sums over switchpoints."""
    n = DISASTERS.size
    y, there = np.nan_to_num(DISASTERS), np.isfinite(DISASTERS)
    total, count = (np.concatenate([[0.0], np.cumsum(a)])[:n] for a in (y, there))
    shapes = np.array([1.0 + total, 1.0 + y.sum() - total])
    rates = np.array([1.0 + count, 1.0 + there.sum() - count])
    logs = (gammaln(shapes) - shapes * np.log(rates)).sum(0)
    share = np.exp(logs - logs.max())
    share /= share.sum()
    mean, square = shapes / rates, shapes * (shapes + 1.0) / rates**2

    def moments(first, second):
        return share @ first, share @ second - (share @ first) ** 2

    k = np.arange(n)
    found = {"switch": moments(k, k**2), "early": moments(mean[0], square[0]), "late": moments(mean[1], square[1])}
    for i, year in enumerate(np.flatnonzero(~there)):
        side = np.where(year < k, 0, 1), k
        found["disasters_missing", i] = moments(mean[side], mean[side] + square[side])
    return found


def within(x, wanted, limit=4.5):
    """Compare mean and variance of draws, (chain, draw), with exact ones, in Monte Carlo standard errors."""
    mean, variance = wanted
    deviations = (x - mean) ** 2
    for values, exact in ((x, mean), (deviations, variance)):
        error = values.std() / math.sqrt(ess_mean(values))
        assert abs(values.mean() - exact) < limit * error, (values.mean(), exact, error)


@pytest.mark.slow
def test_the_missing_years_of_the_coal_mines():
    steps = [nb.GibbsStep("switch", draw_switch)]
    trace = nb.sample(disasters(), 4000, 500, chains=2, step=steps, random_seed=3, progressbar=False)
    assert trace["disasters_missing"].dtype == np.int64
    assert trace["disasters_missing"].shape == (2, 4000, 2)
    for name, wanted in exact_disasters().items():
        within(trace[name] if isinstance(name, str) else trace[name[0]][..., name[1]], wanted)
    np.testing.assert_array_equal(np.isnan(trace.observed_data["disasters"]), np.isnan(DISASTERS))


SHAPE, SCALE, WIDTH = 3.0, 4.0, 2.0  # of the prior: variance ~ inverse gamma; mean ~ normal, WIDTH standard deviations


def conjugate_prior(p, d):
    return inverse_gamma.logpdf(p.variance, SHAPE, SCALE) + normal.logpdf(p.mu, 0.0, WIDTH * np.sqrt(p.variance))


def of_normal(p, d):
    return normal.logpdf(d.y, p.mu, np.sqrt(p.variance))


def sample_of_normal():
    y = np.random.default_rng(5).normal(1.5, 2.0, (10, 4))
    y.reshape(-1)[np.random.default_rng(6).permutation(40)[:8]] = np.nan
    return y


def normal_model(**more):
    supports = {"mu": nb.real(), "variance": nb.positive()}
    return nb.Model(supports, prior=conjugate_prior, likelihood={"y": of_normal}, data={"y": sample_of_normal()},
                    missing={"y": nb.real()}, **more)  # fmt: skip


def exact_normal():
    """Return moments of mean, variance, and a missing value, by the observed part alone."""
    y = sample_of_normal()
    y = y[np.isfinite(y)]
    weight = 1.0 / WIDTH**2 + y.size
    center = y.sum() / weight
    a = SHAPE + 0.5 * y.size
    b = SCALE + 0.5 * (np.sum(y**2) - weight * center**2)

    def student(of):
        return student_t.stats(2.0 * a, center, math.sqrt(b / a * of), moments="mv")

    variance = b / (a - 1.0), b**2 / ((a - 1.0) ** 2 * (a - 2.0))
    return {"mu": student(1.0 / weight), "variance": variance, "y_missing": student(1.0 + 1.0 / weight)}


def test_a_fifth_of_a_normal_sample_is_missing():
    trace = nb.sample(normal_model(), 3000, 500, chains=2, random_seed=2, progressbar=False)
    exact = exact_normal()
    within(trace["mu"], exact["mu"])
    within(trace["variance"], exact["variance"])
    assert trace["y_missing"].shape == (2, 3000, 8)
    for i in range(8):
        within(trace["y_missing"][..., i], exact["y_missing"])

"""Models of discrete and continuous variables, sampled by the steps that are assigned automatically and by others."""

import functools
import math

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.diagnostics import ess_mean
from tests.laws.mixed import mixture, posterior

quiet = {"progressbar": False, "random_seed": 1}

#: Disasters in British coal mines, 1851 to 1961 (R. G. Jarrett, Biometrika 66 (1979)); two years are missing.
COUNTS = np.array(
    [
        *(4, 5, 4, 0, 1, 4, 3, 4, 0, 6, 3, 3, 4, 0, 2, 6, 3, 3, 5, 4, 5, 3, 1, 4, 4, 1, 5, 5, 3, 4, 2, 5, -1, 2, 1),
        *(3, 2, 2, 1, 1, 1, 1, 3, 0, 0, 1, 0, 1, 1, 0, 0, 3, 1, 0, 3, 2, 2, 0, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 2, 1),
        *(0, 0, 0, 1, 1, 0, 2, 3, 3, 1, -1, 2, 1, 1, 1, 1, 2, 4, 2, 0, 0, 1, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0),
        *(0, 1, 0, 1),
    ]
)
YEARS = len(COUNTS)
MISSING = np.flatnonzero(COUNTS < 0)
MOST = 25  # disasters of a missing year at most


@pytest.mark.nojit
@pytest.mark.parametrize(
    "step",
    [
        None,
        [nb.CategoricalGibbsMetropolis("z", proposal="proportional"), nb.Slice("x")],
        nb.Metropolis(S=1.5),
    ],
    ids=["automatic", "gibbs and slice", "metropolis"],
)
def test_the_mixture(step):
    posterior(nb.sample(mixture(), 20_000, 1000, step=step, **quiet))


def coal_logp(p, d):
    lp = -p.early - p.late  # exponential priors of rate one
    for t in range(d.counts.size):
        count = d.counts[t]
        if t == d.missing[0]:
            count = p.missing[0]
        elif t == d.missing[1]:
            count = p.missing[1]
        rate = p.early if t < p.switch else p.late
        lp += count * math.log(rate) - rate - math.lgamma(count + 1.0)
    return lp


@functools.cache
def coal():
    parameters = {
        "switch": nb.integer(0, YEARS - 1),
        "early": nb.positive(),
        "late": nb.positive(),
        "missing": nb.integer(0, MOST, shape=2),
    }
    return nb.Model(parameters, logp=coal_logp, data={"counts": COUNTS, "missing": MISSING})


def enumerated():
    """Integrate the rates out, for each switch year; missing years drop out of the likelihood, and are drawn after."""
    observed = COUNTS >= 0
    logs, rates = np.empty(YEARS), np.empty((YEARS, 2))
    shapes = np.empty((YEARS, 2, 2))
    for s in range(YEARS):
        logs[s] = 0.0
        for side, where in enumerate((np.arange(YEARS) < s, np.arange(YEARS) >= s)):
            years, total = np.sum(where & observed), np.sum(COUNTS[where & observed])
            a, b = total + 1.0, years + 1.0
            logs[s] += math.lgamma(a) - a * math.log(b)
            rates[s, side], shapes[s, side] = a / b, (a, b)
    p = np.exp(logs - logs.max())
    p /= p.sum()
    missing = np.array([sum(p[s] * rates[s, 0 if m < s else 1] for s in range(YEARS)) for m in MISSING])
    second = p @ (shapes[:, :, 0] * (shapes[:, :, 0] + 1.0) / shapes[:, :, 1] ** 2)
    return p, p @ rates, np.sqrt(second - (p @ rates) ** 2), missing


@pytest.mark.slow
@pytest.mark.nojit
def test_coal_mining_disasters():
    p, rates, sds, missing = enumerated()
    trace = nb.sample(coal(), 20_000, 2000, step=nb.Metropolis(["switch", "missing"], S=2.0), **quiet)
    assert trace.attrs["steps"] == ["metropolis", "metropolis", "nuts"]
    years = np.arange(YEARS)
    checks = [(trace["switch"].astype(float), p @ years), (trace["early"], rates[0]), (trace["late"], rates[1])]
    checks += [((trace["early"] - rates[0]) ** 2, sds[0] ** 2), ((trace["late"] - rates[1]) ** 2, sds[1] ** 2)]
    checks += [(trace["missing"][..., k].astype(float), missing[k]) for k in (0, 1)]
    checks += [((trace["switch"] == s).astype(float), p[s]) for s in np.argsort(p)[-4:]]
    for values, exact in checks:
        error = values.std() / math.sqrt(ess_mean(values))
        assert abs(values.mean() - exact) < 4.5 * error, (values.mean(), exact, error)


def test_the_enumeration_is_that_of_the_density():
    """The same by sums of the density over a fine grid of rates and over the missing years, for two switch years."""
    p, *_ = enumerated()
    grid = np.arange(0.05, 9.0, 0.05)

    def marginal(s):
        total = 0.0
        where, observed = np.arange(YEARS) < s, COUNTS >= 0
        for side in (where, ~where):
            rows = COUNTS[side & observed]
            # Missing years sum to one for each rate.
            logs = [-r + np.sum(rows * math.log(r) - r) for r in grid]
            total += math.log(np.sum(np.exp(np.array(logs) - max(logs)))) + max(logs)
        return total

    assert math.isclose(math.log(p[41] / p[36]), marginal(41) - marginal(36), rel_tol=1e-3)
    point = {"switch": 41, "early": 3.0, "late": 0.9, "missing": [2, 1]}
    other = point | {"early": 3.5}
    counts = COUNTS.copy()
    counts[MISSING] = point["missing"]
    change = counts[:41].sum() * math.log(3.5 / 3.0) - 41 * 0.5 - 0.5
    assert math.isclose(coal().logp(other) - coal().logp(point), change, rel_tol=1e-10)

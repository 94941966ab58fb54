"""Discrete families."""

import numpy as np
from mpmath import mp, mpf
from scipy import stats

from nbinfer.distributions import (
    bernoulli,
    categorical,
    discrete_uniform,
    geometric,
    ordered_logistic,
    poisson,
)
from tests.distributions.case import FEW_DIGITS, Family, Function

INF, NAN = np.inf, np.nan
log, exp = mp.log, mp.exp


def log_factorial(k):
    return mp.loggamma(k + 1)


def xlogy(x, y):
    return x * log(y) if x else mpf(0)


def nowhere(*parameters):
    """List values that are not whole numbers from 0 on."""
    return [(k, *parameters) for k in (-1.0, 0.5, INF, -INF, NAN)]


NO_PROBABILITY = (-0.1, 1.1, INF, -INF, NAN)

P = (0.2, 0.5, 0.3)
CUTS = (-1.0, 0.5, 2.0)


def ordered(k, eta, cuts):
    ends = [-INF, *cuts, INF]
    return log(sigmoid(ends[int(k) + 1] - eta) - sigmoid(ends[int(k)] - eta))


def sigmoid(x):
    return 1 / (1 + exp(-x)) if mp.isfinite(x) else mpf(x > 0)


FAMILIES = {
    "bernoulli": Family(
        bernoulli,
        {
            "logpmf": Function(
                lambda k, p: log(p) if k else log(1 - p),
                [(1, 0.3), (0, 0.3), (0, 1e-300), (1, 1e-300), (0, 1e-18), (1, 1.0), (0, 0.0)],
                [*nowhere(0.3), (2, 0.3), (1, 0.0), (0, 1.0)],
                [(k, p) for p in NO_PROBABILITY for k in (0, 1)],
                whole=(0,),
            ),
            "logpmf_logit": Function(
                lambda k, eta: -log(1 + exp(-eta if k else eta)),
                [(1, 0.3), (0, 0.3), (0, 800.0), (1, 800.0), (0, -40.0), (1, -1e5)],
                [*nowhere(0.3), (2, 0.3)],
                [(1, NAN)],
                whole=(0,),
            ),
            "logcdf": Function(
                lambda k, p: log(1 - p) if k < 1 else mpf(0),
                [(0, 0.3), (0.5, 0.3), (1, 0.3), (7, 0.3), (0, 1e-300), (1, 1.0)],
                [(-1, 0.3), (-INF, 0.3), (NAN, 0.3), (0, 1.0)],
                whole=(0,),
            ),
            "logsf": Function(
                lambda k, p: log(p) if k >= 0 else mpf(0),
                [(0, 0.3), (0.5, 0.3), (-1, 0.3), (0, 1e-300), (-1, 0.0)],
                [(1, 0.3), (7, 0.3), (NAN, 0.3), (0, 0.0)],
                whole=(0,),
            ),
        },
        stats.bernoulli,
        (0.3,),
    ),
    "poisson": Family(
        poisson,
        {
            "logpmf": Function(
                lambda k, mu: xlogy(k, mu) - mu - log_factorial(k),
                [(3, 2.5), (0, 1e-300), (0, 0.0), (2, 1e-100), (10**6, 1e6), (0, 700.0), (40, 1e5)],
                [*nowhere(2.5), (1, 0.0)],
                [(1, mu) for mu in (-1.0, INF, NAN)],
                size=lambda k, mu: 1.0 + k * np.log(k + 1.0) + mu,
                whole=(0,),
                digits=FEW_DIGITS,
            ),
            "logpmf_log": Function(
                lambda k, eta: k * eta - exp(eta) - log_factorial(k),
                [(3, 0.9), (0, -700.0), (2, -300.0), (10**6, 13.8), (0, 6.0), (40, 11.0)],
                nowhere(0.9),
                [(1, 1e4), (1, NAN)],
                size=lambda k, eta: 1.0 + k * np.log(k + 1.0) + np.exp(eta),
                whole=(0,),
                digits=FEW_DIGITS,
            ),
            "logcdf": Function(
                lambda k, mu: log(mp.gammainc(mp.floor(k) + 1, mu, regularized=True)),
                [(3, 2.5), (3.5, 2.5), (0, 1e-20), (10, 200.0), (200, 180.0)],
                [(-1, 2.5), (NAN, 2.5)],
                whole=(0,),
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-12,
            ),
            "logsf": Function(
                lambda k, mu: log(mp.gammainc(mp.floor(k) + 1, 0, mu, regularized=True)) if k >= 0 else mpf(0),
                [(3, 2.5), (3.5, 2.5), (0, 1e-300), (30, 2.0), (200, 180.0), (-1, 2.5)],
                [(INF, 2.5), (NAN, 2.5)],
                whole=(0,),
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-12,
            ),
        },
        stats.poisson,
        (2.5,),
    ),
    "geometric": Family(
        geometric,
        {
            "logpmf": Function(
                lambda k, p: log(p) + (xlogy(k - 1, 1 - p)),
                [(3, 0.3), (1, 0.3), (1, 1.0), (1, 1e-300), (3 * 10**9, 1e-9), (10, 0.999999)],
                [(k, 0.3) for k in (0, -1, 1.5, INF, NAN)] + [(2, 1.0)],
                [(1, p) for p in (0.0, *NO_PROBABILITY)],
                whole=(0,),
            ),
            "logcdf": Function(
                lambda k, p: log(1 - (1 - p) ** mp.floor(k)),
                [(3, 0.3), (3.5, 0.3), (1, 1e-300), (10**9, 1e-9), (100, 0.3)],
                [(0, 0.3), (-1, 0.3), (NAN, 0.3)],
                whole=(0,),
            ),
            "logsf": Function(
                lambda k, p: mp.floor(k) * log(1 - p) if k >= 1 else mpf(0),
                [(3, 0.3), (3.5, 0.3), (1, 1e-300), (10**9, 1e-9), (0.5, 0.3), (-1, 0.3)],
                [(NAN, 0.3), (1, 1.0)],
                whole=(0,),
            ),
        },
        stats.geom,
        (0.3,),
    ),
    "discrete_uniform": Family(
        discrete_uniform,
        {
            "logpmf": Function(
                lambda k, a, b: -log(b - a + 1),
                [(3, 1, 6), (1, 1, 6), (6, 1, 6), (0, -(10**6), 10**6), (2, 2, 2)],
                [(k, 1, 6) for k in (0, 7, 1.5, INF, NAN)],
                [(1, 1, 0), (1, 0.5, 2), (1, 0, 2.5), (1, NAN, 2), (1, -INF, 2)],
                whole=(0, 1, 2),
            ),
            "logcdf": Function(
                lambda k, a, b: (
                    log((mp.floor(k) - mp.nint(a) + 1) / (mp.nint(b) - mp.nint(a) + 1)) if k < b else mpf(0)
                ),
                [(3, 1, 6), (3.5, 1, 6), (6, 1, 6), (9, 1, 6)],
                [(0, 1, 6), (0.5, 1, 6), (NAN, 1, 6)],
                whole=(0, 1, 2),
            ),
            "logsf": Function(
                lambda k, a, b: log((b - mp.floor(k)) / (b - a + 1)) if k >= a else mpf(0),
                [(3, 1, 6), (3.5, 1, 6), (0, 1, 6)],
                [(6, 1, 6), (9, 1, 6), (NAN, 1, 6)],
                whole=(0, 1, 2),
            ),
        },
        lambda lower, upper: stats.randint(lower, upper + 1),
        (-2, 6),
    ),
    "categorical": Family(
        categorical,
        {
            "logpmf": Function(
                lambda k, p: log(p[int(k)]),
                [(0, P), (2, P), (1, (1e-300, 1.0, 0.0)), (0, (1e-300, 1.0, 0.0))],
                [*nowhere(P), (3, P), (2, (0.5, 0.5, 0.0))],
                [(1, p) for p in ((0.5, 0.5, 0.5), (1.5, -0.5, 0.0), (NAN, 0.5, 0.5), (0.0, INF, 0.0))],
                whole=(0,),
            ),
            "logpmf_logit": Function(
                lambda k, eta: eta[int(k)] - log(sum(map(exp, eta))),
                [(0, (0.2, -1.0, 3.0)), (2, (0.2, -1.0, 3.0)), (1, (0.0, 800.0, -800.0)), (0, (0.0, 800.0, -800.0))],
                [*nowhere(P), (3, P), (0, (-INF, 0.0, 1.0))],
                [(1, (NAN, 0.0, 0.0)), (1, (INF, 0.0, 0.0))],
                whole=(0,),
            ),
        },
        None,
        (P,),
    ),
    "ordered_logistic": Family(
        ordered_logistic,
        {
            "logpmf": Function(
                ordered,
                [
                    (0, 0.3, CUTS),
                    (1, 0.3, CUTS),
                    (3, 0.3, CUTS),
                    (2, 700.0, CUTS),
                    (1, -700.0, CUTS),
                    (1, 0.0, (0.0, 1e-10, 1.0)),
                    (0, -40.0, CUTS),
                ],
                [*nowhere(0.3, CUTS), (4, 0.3, CUTS)],
                [(1, NAN, CUTS), (1, 0.0, (1.0, 0.0, 2.0)), (1, 0.0, (1.0, 1.0, 2.0)), (1, INF, CUTS)],
                whole=(0,),
                digits=1000,
            ),
            "logcdf": Function(
                lambda k, eta, cuts: log(sigmoid([*cuts, INF][min(int(mp.floor(k)), len(cuts))] - eta)),
                [(0, 0.3, CUTS), (1.5, 0.3, CUTS), (0, 700.0, CUTS), (3, 0.3, CUTS), (7, 0.3, CUTS)],
                [(k, 0.3, CUTS) for k in (-1, -INF, NAN)],
                [(1, NAN, CUTS), (5, NAN, CUTS)],
                whole=(0,),
                digits=1000,
            ),
            "logsf": Function(
                lambda k, eta, cuts: log(sigmoid(eta - cuts[int(mp.floor(k))])) if k >= 0 else mpf(0),
                [(0, 0.3, CUTS), (1.5, 0.3, CUTS), (0, -700.0, CUTS), (-1, 0.3, CUTS)],
                [(k, 0.3, CUTS) for k in (3, 4, INF, NAN)],
                [(1, NAN, CUTS), (-1, NAN, CUTS)],
                whole=(0,),
                digits=1000,
            ),
        },
        None,
        (0.3, CUTS),
    ),
}

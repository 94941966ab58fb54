"""Continuous families on the real line and on intervals."""

import numpy as np
from mpmath import mp, mpf
from scipy import stats

from nbinfer.distributions import (
    asymmetric_laplace,
    cauchy,
    flat,
    gumbel,
    laplace,
    logistic,
    normal,
    triangular,
    uniform,
)
from tests.distributions.case import FEW_DIGITS, Family, Function

INF, NAN = np.inf, np.nan
log, exp, pi = mp.log, mp.exp, mp.pi


def log_normal_density(z):
    return -z * z / 2 - log(2 * pi) / 2


def bad(x, *good, positive=(), real=()):
    """List arguments with one bad parameter each: by position in `good`, those that must be positive or real."""
    found = []
    for places, values in ((positive, (0.0, -1.0, INF, NAN)), (real, (NAN,))):
        for place in places:
            found += [(x, *good[:place], value, *good[place + 1 :]) for value in values]
    return found


def nowhere(*parameters, below=0.0):
    """List values below the support, and those that are no numbers."""
    return [(x, *parameters) for x in (np.nextafter(below, -1.0), below - 1e10, -INF, INF, NAN)]


FAMILIES = {
    "normal": Family(
        normal,
        {
            "logpdf": Function(
                lambda x, mu, sigma: log_normal_density((x - mu) / sigma) - log(sigma),
                [
                    (0.3, 1.0, 2.0),
                    (-4.0, 0.0, 1e-3),
                    (1e8, 1e8, 1.0),
                    (1e100, 0.0, 1e100),
                    (1e-300, 0.0, 1e-300),
                    (40.0, 0.0, 1.0),
                ],
                [(INF, 0.0, 1.0), (-INF, 0.0, 1.0), (NAN, 0.0, 1.0), (1e200, 0.0, 1.0)],
                bad(1.0, 0.0, 1.0, positive=[1], real=[0]),
            ),
            "logcdf": Function(
                lambda x, mu, sigma: log(mp.ncdf((x - mu) / sigma)),
                [(0.3, 1.0, 2.0), (-40.0, 0.0, 1.0), (7.0, 0.0, 1.0)],
                digits=FEW_DIGITS,
            ),
            "logsf": Function(
                lambda x, mu, sigma: log(mp.ncdf((mu - x) / sigma)),
                [(0.3, 1.0, 2.0), (40.0, 0.0, 1.0), (-7.0, 0.0, 1.0)],
                digits=FEW_DIGITS,
            ),
        },
        stats.norm,
        (1.0, 2.0),
    ),
    "cauchy": Family(
        cauchy,
        {
            "logpdf": Function(
                lambda x, a, b: -log(1 + ((x - a) / b) ** 2) - log(pi * b),
                [(0.3, 1.0, 2.0), (-4.0, 0.0, 1e-3), (1e150, 0.0, 1.0), (1e-300, 0.0, 1e-300), (1.0, 1.0, 1e-150)],
                [(INF, 0.0, 1.0), (NAN, 0.0, 1.0)],
                bad(1.0, 0.0, 1.0, positive=[1], real=[0]),
            ),
            "logcdf": Function(
                lambda x, a, b: log(mp.atan2(1, (a - x) / b) / pi),
                [(0.3, 1.0, 2.0), (-1e15, 0.0, 1.0), (1e9, 0.0, 1.0)],
            ),
            "logsf": Function(
                lambda x, a, b: log(mp.atan2(1, (x - a) / b) / pi),
                [(0.3, 1.0, 2.0), (-1e9, 0.0, 1.0), (1e15, 0.0, 1.0)],
            ),
        },
        stats.cauchy,
        (1.0, 2.0),
    ),
    "laplace": Family(
        laplace,
        {
            "logpdf": Function(
                lambda x, mu, b: -abs(x - mu) / b - log(2 * b),
                [(0.3, 1.0, 2.0), (4.0, 1.0, 2.0), (-4.0, 0.0, 1e-3), (1e300, 0.0, 1e298), (1e-300, 0.0, 1e-300)],
                [(INF, 0.0, 1.0), (NAN, 0.0, 1.0)],
                bad(1.0, 0.0, 1.0, positive=[1], real=[0]),
            ),
            "logcdf": Function(
                lambda x, mu, b: log(exp(-abs(x - mu) / b) / 2 if x < mu else 1 - exp(-abs(x - mu) / b) / 2),
                [(0.3, 1.0, 2.0), (4.0, 1.0, 2.0), (-1e5, 0.0, 1.0), (30.0, 0.0, 1.0)],
            ),
            "logsf": Function(
                lambda x, mu, b: log(exp(-abs(x - mu) / b) / 2 if x > mu else 1 - exp(-abs(x - mu) / b) / 2),
                [(0.3, 1.0, 2.0), (4.0, 1.0, 2.0), (1e5, 0.0, 1.0), (-30.0, 0.0, 1.0)],
            ),
        },
        stats.laplace,
        (1.0, 2.0),
    ),
    "asymmetric_laplace": Family(
        asymmetric_laplace,
        {
            "logpdf": Function(
                lambda x, mu, b, k: (-k if x > mu else 1 / k) * (x - mu) / b - log(b * (k + 1 / k)),
                [(0.3, 1.0, 2.0, 1.5), (4.0, 1.0, 2.0, 0.3), (-4.0, 0.0, 1e-3, 3.0), (1e3, 0.0, 1.0, 1e-3)],
                [(INF, 0.0, 1.0, 2.0), (NAN, 0.0, 1.0, 2.0)],
                bad(1.0, 0.0, 1.0, 2.0, positive=[1, 2], real=[0]),
            ),
            "logcdf": Function(
                lambda x, mu, b, k: log(
                    k**2 * exp((x - mu) / b / k) / (1 + k**2) if x < mu else 1 - exp(-k * (x - mu) / b) / (1 + k**2)
                ),
                [(0.3, 1.0, 2.0, 1.5), (4.0, 1.0, 2.0, 0.3), (-1e4, 0.0, 1.0, 3.0), (30.0, 0.0, 1.0, 1.0)],
            ),
            "logsf": Function(
                lambda x, mu, b, k: log(
                    1 - k**2 * exp((x - mu) / b / k) / (1 + k**2) if x < mu else exp(-k * (x - mu) / b) / (1 + k**2)
                ),
                [(0.3, 1.0, 2.0, 1.5), (4.0, 1.0, 2.0, 0.3), (1e4, 0.0, 1.0, 3.0), (-30.0, 0.0, 1.0, 1.0)],
            ),
        },
        lambda mu, b, kappa: stats.laplace_asymmetric(kappa, mu, b),
        (1.0, 2.0, 0.6),
    ),
    "logistic": Family(
        logistic,
        {
            "logpdf": Function(
                lambda x, mu, s: -(x - mu) / s - 2 * log(1 + exp(-(x - mu) / s)) - log(s),
                [(0.3, 1.0, 2.0), (1.0, 1.0, 2.0), (-4.0, 0.0, 1e-3), (1e300, 0.0, 1e298), (1e-300, 0.0, 1e-300)],
                [(INF, 0.0, 1.0), (-INF, 0.0, 1.0), (NAN, 0.0, 1.0)],
                bad(1.0, 0.0, 1.0, positive=[1], real=[0]),
            ),
            "logcdf": Function(
                lambda x, mu, s: -log(1 + exp(-(x - mu) / s)), [(0.3, 1.0, 2.0), (-1e4, 0.0, 1.0), (40.0, 0.0, 1.0)]
            ),
            "logsf": Function(
                lambda x, mu, s: -log(1 + exp((x - mu) / s)), [(0.3, 1.0, 2.0), (1e4, 0.0, 1.0), (-40.0, 0.0, 1.0)]
            ),
        },
        stats.logistic,
        (1.0, 2.0),
    ),
    "gumbel": Family(
        gumbel,
        {
            "logpdf": Function(
                lambda x, mu, b: -(x - mu) / b - exp(-(x - mu) / b) - log(b),
                [(0.3, 1.0, 2.0), (-6.0, 0.0, 1.0), (1e4, 0.0, 1.0), (1e-300, 0.0, 1e-300)],
                [(INF, 0.0, 1.0), (-INF, 0.0, 1.0), (NAN, 0.0, 1.0), (-1e4, 0.0, 1.0)],
                bad(1.0, 0.0, 1.0, positive=[1], real=[0]),
            ),
            "logcdf": Function(
                lambda x, mu, b: -exp((mu - x) / b), [(0.3, 1.0, 2.0), (-6.0, 0.0, 1.0), (40.0, 0.0, 1.0)]
            ),
            "logsf": Function(
                lambda x, mu, b: log(-mp.expm1(-exp((mu - x) / b))) if (x - mu) / b > -20 else mpf(0),
                [(0.3, 1.0, 2.0), (-3.0, 0.0, 1.0), (300.0, 0.0, 1.0), (-1e4, 0.0, 1.0)],
            ),
        },
        stats.gumbel_r,
        (1.0, 2.0),
    ),
    "uniform": Family(
        uniform,
        {
            "logpdf": Function(
                lambda x, a, b: -log(b - a) + 0 * x,
                [(0.3, 0.0, 2.0), (0.0, 0.0, 2.0), (2.0, 0.0, 2.0), (1e-300, 0.0, 1e-299)],
                [(-0.1, 0.0, 1.0), (1.1, 0.0, 1.0), (NAN, 0.0, 1.0), (INF, 0.0, 1.0)],
                [(1.0, 1.0, 1.0), (0.5, 1.0, 0.0), (0.5, NAN, 1.0), (0.5, 0.0, NAN), (0.5, 0.0, INF)],
            ),
            "logcdf": Function(
                lambda x, a, b: log((x - a) / (b - a)) if x < b else mpf(0),
                [(0.3, 0.0, 2.0), (3.0, 0.0, 2.0), (1e-300, 0.0, 1.0)],
                [(-0.1, 0.0, 1.0), (0.0, 0.0, 1.0), (NAN, 0.0, 1.0)],
            ),
            "logsf": Function(
                lambda x, a, b: log((b - x) / (b - a)) if x > a else mpf(0),
                [(0.3, 0.0, 2.0), (-3.0, 0.0, 2.0)],
                [(1.1, 0.0, 1.0), (1.0, 0.0, 1.0), (NAN, 0.0, 1.0)],
            ),
        },
        lambda lower, upper: stats.uniform(lower, upper - lower),
        (-1.0, 2.0),
    ),
    "triangular": Family(
        triangular,
        {
            "logpdf": Function(
                lambda x, a, b, c: log(2 / (b - a)) + (log((x - a) / (c - a)) if x < c else log((b - x) / (b - c))),
                [(0.3, 0.0, 2.0, 0.5), (1.3, 0.0, 2.0, 0.5), (1.3, 0.0, 2.0, 2.0), (1e-300, 0.0, 1.0, 0.5)],
                [(x, 0.0, 2.0, 0.5) for x in (0.0, 2.0, -0.1, 2.1, NAN, INF)] + [(2.0, 0.0, 2.0, 0.0)],
                [(0.5, 1.0, 1.0, 1.0), (0.5, 1.0, 0.0, 0.5), (0.5, 0.0, 1.0, 1.5), (0.5, 0.0, 1.0, NAN)],
            ),
            "logcdf": Function(
                lambda x, a, b, c: (
                    log((x - a) ** 2 / (b - a) / (c - a) if x < c else 1 - (b - x) ** 2 / (b - a) / (b - c))
                    if x < b
                    else mpf(0)
                ),
                [
                    (0.3, 0.0, 2.0, 0.5),
                    (1.3, 0.0, 2.0, 0.5),
                    (1.3, 0.0, 2.0, 2.0),
                    (1.3, 0.0, 2.0, 0.0),
                    (2.5, 0.0, 2.0, 1.0),
                ],
                [(x, 0.0, 2.0, 0.5) for x in (0.0, -1.0, NAN)],
            ),
            "logsf": Function(
                lambda x, a, b, c: (
                    log(1 - (x - a) ** 2 / (b - a) / (c - a) if x < c else (b - x) ** 2 / (b - a) / (b - c))
                    if x > a
                    else mpf(0)
                ),
                [
                    (0.3, 0.0, 2.0, 0.5),
                    (1.3, 0.0, 2.0, 0.5),
                    (1.3, 0.0, 2.0, 2.0),
                    (1.3, 0.0, 2.0, 0.0),
                    (-0.5, 0.0, 2.0, 1.0),
                ],
                [(x, 0.0, 2.0, 0.5) for x in (2.0, 3.0, NAN)],
            ),
        },
        lambda lower, upper, c: stats.triang((c - lower) / (upper - lower), lower, upper - lower),
        (-1.0, 2.0, 0.5),
    ),
    "flat": Family(flat, {"logpdf": Function(lambda x: mpf(0), [(0.3,), (-1e300,)], [(INF,), (NAN,)])}),
}

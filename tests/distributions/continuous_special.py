"""Continuous families whose densities need special functions, and distribution functions that do."""

import numpy as np
from mpmath import mp, mpf
from scipy import stats

from nbinfer.distributions import (
    beta,
    exgaussian,
    half_student_t,
    kumaraswamy,
    rice,
    skew_normal,
    student_t,
    truncated_normal,
    von_mises,
    wald,
)
from tests.distributions.case import FEW_DIGITS, Family, Function
from tests.distributions.continuous import INF, NAN, bad, log_normal_density, nowhere

log, exp, pi = mp.log, mp.exp, mp.pi


def t_density(x, nu, mu, s):
    constant = mp.loggamma((nu + 1) / 2) - mp.loggamma(nu / 2) - log(nu * pi) / 2 - log(s)
    return constant - (nu + 1) / 2 * log(1 + ((x - mu) / s) ** 2 / nu)


def t_tail(z, nu):
    """Return the probability of t beyond z, from formulas in terms of its square."""
    if abs(z) < 1:
        slope = mp.gamma((nu + 1) / 2) / (mp.gamma(nu / 2) * mp.sqrt(pi * nu))
        return mpf(1) / 2 - z * slope * mp.hyp2f1(mpf(1) / 2, (nu + 1) / 2, mpf(3) / 2, -z * z / nu)
    part = mp.betainc(nu / 2, mpf(1) / 2, 0, nu / (nu + z * z), regularized=True) / 2
    return part if z > 0 else 1 - part


def exgaussian_density(x, mu, s, nu):
    return -log(nu) + s**2 / (2 * nu**2) - (x - mu) / nu + log(mp.ncdf((x - mu) / s - s / nu))


def wald_probability(x, mu, lam, sign):
    root = mp.sqrt(lam / x)
    return mp.ncdf(sign * root * (x / mu - 1)) + sign * exp(2 * lam / mu) * mp.ncdf(-root * (x / mu + 1))


def mass(mu, s, lower, upper):
    low, high = (lower - mu) / s, (upper - mu) / s
    return mp.ncdf(-low) - mp.ncdf(-high) if low > 0 else mp.ncdf(high) - mp.ncdf(low)


class Folded:
    """SciPy's distribution of the absolute value of what is symmetric."""

    def __init__(self, whole):
        self.cdf = lambda x: 1.0 - 2.0 * whole.sf(x)
        self.logpdf = lambda x: whole.logpdf(x) + np.log(2.0)
        self.logcdf = lambda x: np.log(self.cdf(x))
        self.logsf = lambda x: whole.logsf(x) + np.log(2.0)


class Wrapped:
    """SciPy's distribution of angles, which goes round and round, on the interval from -pi to pi."""

    def __init__(self, whole):
        self.cdf = lambda x: whole.cdf(x) - whole.cdf(-np.pi)
        self.logpdf = whole.logpdf


def truncated_outside(*bounds):
    return [(x, 0.3, 1.5, *bounds) for x in (-1.1, 2.1, INF, NAN)]


FAMILIES = {
    "student_t": Family(
        student_t,
        {
            "logpdf": Function(
                t_density,
                [
                    (0.3, 3.0, 1.0, 2.0),
                    (-40.0, 0.5, 0.0, 1e-3),
                    (1e100, 1.0, 0.0, 1.0),
                    (3.0, 1e6, 0.0, 1.0),
                    (3.0, 1e12, 0.0, 1.0),
                    (1.0, 1e-6, 0.0, 1.0),
                ],
                [(INF, 3.0, 0.0, 1.0), (NAN, 3.0, 0.0, 1.0)],
                bad(1.0, 3.0, 0.0, 1.0, positive=[0, 2], real=[1]),
                digits=FEW_DIGITS,
                plain_rtol=1e-10,
            ),
            **{
                name: Function(
                    lambda x, nu, mu, s, sign=sign: log(t_tail(sign * (x - mu) / s, nu)),
                    [
                        (0.3, 3.0, 1.0, 2.0),
                        (1.7, 3.5, 1.0, 2.0),
                        (1.0, 3.0, 1.0, 2.0),
                        (-40.0, 0.5, 0.0, 1e-3),
                        (1e100, 1.0, 0.0, 1.0),
                        (-1e100, 1.0, 0.0, 1.0),
                        (-3.0, 1e4, 0.0, 1.0),
                        (-3.0, 1.5e8, 0.0, 1.0),
                        (0.0, 1e12, 0.0, 1.0),
                    ],
                    [(end, 3.0, 0.0, 1.0), (NAN, 3.0, 0.0, 1.0)],
                    bad(1.0, 3.0, 0.0, 1.0, positive=[0, 2], real=[1]),
                    digits=FEW_DIGITS,
                    rtol=1e-13,
                    grad_rtol=1e-11,
                )
                for name, sign, end in (("logcdf", -1, -INF), ("logsf", 1, INF))
            },
        },
        stats.t,
        (3.5, 1.0, 2.0),
    ),
    "half_student_t": Family(
        half_student_t,
        {
            "logpdf": Function(
                lambda x, nu, s: t_density(x, nu, mpf(0), s) + log(2),
                [(0.3, 3.0, 2.0), (0.0, 3.0, 2.0), (1e100, 1.0, 1.0), (3.0, 1e12, 1.0)],
                nowhere(3.0, 1.0),
                bad(1.0, 3.0, 1.0, positive=[0, 1]),
                digits=FEW_DIGITS,
            ),
            "logcdf": Function(
                lambda x, nu, s: log(1 - 2 * t_tail(x / s, nu)),
                [(0.3, 3.0, 2.0), (1e-20, 3.0, 2.0), (30.0, 3.0, 2.0), (2.0, 0.5, 1.0), (3.0, 1e4, 1.0)],
                [(0.0, 3.0, 1.0), (-1.0, 3.0, 1.0), (NAN, 3.0, 1.0)],
                bad(1.0, 3.0, 1.0, positive=[0, 1]),
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-11,
            ),
            "logsf": Function(
                lambda x, nu, s: log(2 * t_tail(x / s, nu)) if x > 0 else mpf(0),
                [
                    (0.3, 3.0, 2.0),
                    (1e-20, 3.0, 2.0),
                    (30.0, 3.0, 2.0),
                    (1e100, 0.5, 1.0),
                    (30.0, 1e4, 1.0),
                    (3.0, 1e4, 1.0),
                    (-1.0, 3.0, 2.0),
                ],
                [(INF, 3.0, 1.0), (NAN, 3.0, 1.0)],
                [*bad(1.0, 3.0, 1.0, positive=[0, 1]), *bad(-1.0, 3.0, 1.0, positive=[0, 1])],
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-11,
            ),
        },
        lambda nu, sigma: Folded(stats.t(nu, scale=sigma)),
        (3.5, 2.0),
    ),
    "beta": Family(
        beta,
        {
            "logpdf": Function(
                lambda x, a, b: (a - 1) * log(x) + (b - 1) * log(1 - x) - log(mp.beta(a, b)),
                [
                    (0.3, 2.0, 3.0),
                    (0.9, 0.5, 0.1),
                    (1e-300, 0.1, 2.0),
                    (1e-300, 3.0, 1.0),
                    (0.5, 1.0, 1.0),
                    (1.0 - 2.0**-53, 2.0, 0.3),
                    (0.5, 300.0, 310.0),
                ],
                [(x, 2.0, 3.0) for x in (0.0, 1.0, -0.1, 1.1, INF, NAN)] + [(1.0, 1.0, 2.0)],
                bad(0.5, 2.0, 1.0, positive=[0, 1]),
                [(0.0, 0.5, 1.0), (0.0, 0.5, 3.0), (1.0, 3.0, 0.5)],
                size=lambda x, a, b: 1.0 + a + b,
                digits=400,
                plain_rtol=1e-14,
            ),
            "logcdf": Function(
                lambda x, a, b: log(mp.betainc(a, b, 0, x, regularized=True)) if x < 1 else mpf(0),
                [(0.3, 2.0, 3.0), (0.9, 0.5, 0.1), (1e-100, 1.5, 2.0), (0.5, 30.0, 31.0), (1.5, 2.0, 3.0)],
                [(0.0, 2.0, 3.0), (-1.0, 2.0, 3.0), (NAN, 2.0, 3.0)],
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-11,
            ),
            "logsf": Function(
                lambda x, a, b: log(mp.betainc(a, b, x, 1, regularized=True)) if x > 0 else mpf(0),
                [(0.3, 2.0, 3.0), (0.9, 0.5, 0.1), (0.5, 30.0, 31.0), (-1.5, 2.0, 3.0)],
                [(1.0, 2.0, 3.0), (2.0, 2.0, 3.0), (NAN, 2.0, 3.0)],
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-11,
            ),
        },
        stats.beta,
        (2.5, 1.5),
    ),
    "kumaraswamy": Family(
        kumaraswamy,
        {
            "logpdf": Function(
                lambda x, a, b: log(a * b) + (a - 1) * log(x) + (b - 1) * log(1 - x**a),
                [(0.3, 2.0, 3.0), (0.9, 0.5, 0.1), (1e-300, 0.1, 2.0), (1e-3, 3.0, 1e8), (1.0 - 2.0**-53, 2.0, 0.3)],
                [(x, 2.0, 3.0) for x in (0.0, 1.0, -0.1, 1.1, INF, NAN)],
                bad(0.5, 2.0, 1.0, positive=[0, 1]),
                [(0.0, 0.5, 3.0), (1.0, 3.0, 0.5)],
                digits=FEW_DIGITS,
            ),
            "logcdf": Function(
                lambda x, a, b: log(1 - (1 - x**a) ** b) if x < 1 else mpf(0),
                [(0.3, 2.0, 3.0), (0.9, 0.5, 0.1), (1e-10, 2.0, 2.0), (2.0, 2.0, 2.0)],
                [(0.0, 2.0, 3.0), (-1.0, 2.0, 3.0), (NAN, 2.0, 3.0)],
            ),
            "logsf": Function(
                lambda x, a, b: b * log(1 - x**a) if x > 0 else mpf(0),
                [(0.3, 2.0, 3.0), (0.9, 0.5, 0.1), (1e-10, 2.0, 2.0), (-2.0, 2.0, 2.0)],
                [(1.0, 2.0, 3.0), (2.0, 2.0, 3.0), (NAN, 2.0, 3.0)],
            ),
        },
        None,
        (1.5, 2.5),
    ),
    "von_mises": Family(
        von_mises,
        {
            "logpdf": Function(
                lambda x, mu, k: k * mp.cos(x - mu) - log(2 * pi * mp.besseli(0, k)),
                [
                    (0.3, 1.0, 2.0),
                    (-3.0, 3.0, 0.1),
                    (0.3, 100.0, 1.0),
                    (1e-4, 0.0, 1e8),
                    (0.5, 0.0, 1e-8),
                    (np.pi, 0.0, 1.0),
                ],
                [(x, 1.0, 2.0) for x in (3.2, -3.2, INF, NAN)],
                [(0.3, 1.0, -1.0), (0.3, 1.0, INF), (0.3, 1.0, NAN), (0.3, NAN, 1.0)],
                digits=FEW_DIGITS,
            ),
        },
        lambda mu, kappa: Wrapped(stats.vonmises(kappa, mu)),
        (0.4, 2.0),
        [(0.4, 0.01), (0.4, 300.0), (0.4, 1e7)],
    ),
    "skew_normal": Family(
        skew_normal,
        {
            "logpdf": Function(
                lambda x, mu, s, a: log(2) + log_normal_density((x - mu) / s) - log(s) + log(mp.ncdf(a * (x - mu) / s)),
                [(0.3, 1.0, 2.0, 3.0), (3.0, 1.0, 2.0, -3.0), (-40.0, 0.0, 1.0, 5.0), (0.3, 1.0, 2.0, 0.0)],
                [(INF, 1.0, 2.0, 3.0), (NAN, 1.0, 2.0, 3.0)],
                [
                    *bad(1.5, 0.0, 1.0, 2.0, positive=[1], real=[0, 2]),
                    *((x, 0.0, 1.0, s * INF) for x in (1.5, -1.5) for s in (1, -1)),
                ],
                digits=FEW_DIGITS,
            ),
        },
        lambda mu, sigma, alpha: stats.skewnorm(alpha, mu, sigma),
        (1.0, 2.0, 3.0),
    ),
    "exgaussian": Family(
        exgaussian,
        {
            "logpdf": Function(
                exgaussian_density,
                [
                    (0.3, 1.0, 2.0, 3.0),
                    (20.0, 1.0, 2.0, 3.0),
                    (0.3, 1.0, 2.0, 0.1),
                    (0.3, 1.0, 2.0, 1e-4),
                    (-30.0, 0.0, 1.0, 1.0),
                    (1e4, 0.0, 1.0, 1e4),
                ],
                [(INF, 0.0, 1.0, 1.0), (-INF, 0.0, 1.0, 1.0), (NAN, 0.0, 1.0, 1.0)],
                bad(1.5, 0.0, 1.0, 2.0, positive=[1, 2], real=[0]),
                digits=FEW_DIGITS,
                grad_rtol=1e-11,
            ),
            "logcdf": Function(
                lambda x, mu, s, nu: log(mp.ncdf((x - mu) / s) - nu * exp(exgaussian_density(x, mu, s, nu))),
                [(0.3, 1.0, 2.0, 3.0), (20.0, 1.0, 2.0, 3.0), (-10.0, 0.0, 1.0, 1.0)],
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-10,
            ),
            "logsf": Function(
                lambda x, mu, s, nu: log(mp.ncdf((mu - x) / s) + nu * exp(exgaussian_density(x, mu, s, nu))),
                [(0.3, 1.0, 2.0, 3.0), (200.0, 1.0, 2.0, 3.0), (-10.0, 0.0, 1.0, 1.0)],
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-10,
            ),
        },
        lambda mu, sigma, nu: stats.exponnorm(nu / sigma, mu, sigma),
        (1.0, 2.0, 3.0),
    ),
    "wald": Family(
        wald,
        {
            "logpdf": Function(
                lambda x, mu, lam: log(lam / (2 * pi * x**3)) / 2 - lam * (x - mu) ** 2 / (2 * mu**2 * x),
                [(0.3, 1.0, 2.0), (1e-2, 3.0, 0.1), (1e100, 1e100, 3.0), (50.0, 1.0, 0.1)],
                [*nowhere(1.0, 2.0), (0.0, 1.0, 2.0)],
                bad(1.5, 1.0, 2.0, positive=[0, 1]),
            ),
            "logcdf": Function(
                lambda x, mu, lam: log(wald_probability(x, mu, lam, 1)),
                [(0.3, 1.0, 2.0), (1e-2, 3.0, 0.1), (50.0, 1.0, 0.1)],
                [(0.0, 1.0, 2.0), (-1.0, 1.0, 2.0), (NAN, 1.0, 2.0)],
                digits=FEW_DIGITS,
                rtol=1e-14,
                grad_rtol=1e-12,
            ),
            "logsf": Function(
                lambda x, mu, lam: log(wald_probability(x, mu, lam, -1)) if x > 0 else mpf(0),
                [(0.3, 1.0, 2.0), (1e-2, 3.0, 0.1), (50.0, 1.0, 0.1), (-1.0, 1.0, 2.0)],
                [(NAN, 1.0, 2.0)],
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-11,
            ),
        },
        lambda mu, lam: stats.invgauss(mu / lam, scale=lam),
        (1.5, 2.5),
        [(100.0, 0.1)],
    ),
    "rice": Family(
        rice,
        {
            "logpdf": Function(
                lambda x, nu, s: log(x / s**2) - (x**2 + nu**2) / (2 * s**2) + log(mp.besseli(0, x * nu / s**2)),
                [(0.3, 1.0, 2.0), (30.0, 31.0, 0.1), (1e-300, 1.0, 2.0), (3.0, 0.0, 2.0)],
                [*nowhere(1.0, 2.0), (0.0, 1.0, 2.0)],
                [*bad(1.5, 1.0, 2.0, positive=[1]), (1.5, -1.0, 1.0), (1.5, INF, 1.0), (1.5, NAN, 1.0)],
                digits=FEW_DIGITS,
            ),
        },
        lambda nu, sigma: stats.rice(nu / sigma, scale=sigma),
        (1.5, 2.0),
    ),
    "truncated_normal": Family(
        truncated_normal,
        {
            "logpdf": Function(
                lambda x, mu, s, a, b: log_normal_density((x - mu) / s) - log(s * mass(mu, s, a, b)),
                [
                    (0.3, 0.3, 1.5, -1.0, 2.0),
                    (-1.0, 0.3, 1.5, -1.0, 2.0),
                    (2.0, 0.3, 1.5, -1.0, 2.0),
                    (11.0, 0.0, 1.0, 10.0, 12.0),
                    (-11.0, 0.0, 1.0, -12.0, -10.0),
                    (0.3, 0.3, 1.5, -1e3, 1e3),
                    (101.0, 0.0, 1.0, 100.0, 1e10),
                    (0.4, 0.1, 1e20, 0.0, 1.0),
                    (1.0 + 1e-9, 0.0, 1.0, 1.0, 1.0 + 2e-9),
                    (-20.0, 0.0, 1.0, -20.00001, -20.0),
                ],
                truncated_outside(-1.0, 2.0),
                [(0.3, 0.3, 1.5, 2.0, -1.0), (0.3, 0.3, 1.5, 0.3, 0.3), (0.3, 0.3, 1.5, NAN, 1.0)]
                + [(0.3, 0.3, s, -1.0, 2.0) for s in (0.0, -1.0, NAN)],
                digits=FEW_DIGITS,
                rtol=1e-14,
                grad_rtol=1e-12,
            ),
            "logcdf": Function(
                lambda x, mu, s, a, b: log(mass(mu, s, a, x) / mass(mu, s, a, b)) if x < b else mpf(0),
                [(0.4, 0.3, 1.5, -1.0, 2.0), (3.0, 0.3, 1.5, -1.0, 2.0), (11.0, 0.0, 1.0, 10.0, 12.0)],
                [(-1.0, 0.3, 1.5, -1.0, 2.0), (-2.0, 0.3, 1.5, -1.0, 2.0), (NAN, 0.3, 1.5, -1.0, 2.0)],
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-12,
            ),
            "logsf": Function(
                lambda x, mu, s, a, b: log(mass(mu, s, x, b) / mass(mu, s, a, b)) if x > a else mpf(0),
                [(0.4, 0.3, 1.5, -1.0, 2.0), (-3.0, 0.3, 1.5, -1.0, 2.0), (11.0, 0.0, 1.0, 10.0, 12.0)],
                [(2.0, 0.3, 1.5, -1.0, 2.0), (3.0, 0.3, 1.5, -1.0, 2.0), (NAN, 0.3, 1.5, -1.0, 2.0)],
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-12,
            ),
        },
        lambda mu, sigma, lower, upper: stats.truncnorm((lower - mu) / sigma, (upper - mu) / sigma, mu, sigma),
        (0.3, 1.5, -1.0, 2.0),
        [
            (0.3, 1.5, -5.0, 6.0),
            (0.3, 1.5, -INF, 0.1),
            (0.0, 1.0, 2.0, INF),
            (0.0, 1.0, -INF, -2.0),
            (0.0, 1.0, 5.0, 5.1),
            (0.0, 1.0, 5.0, 6.0),
        ],
    ),
}

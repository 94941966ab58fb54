"""Families of positive numbers."""

import numpy as np
from mpmath import mp, mpf
from scipy import stats

from nbinfer.distributions import (
    chi_squared,
    exponential,
    gamma,
    half_cauchy,
    half_flat,
    half_normal,
    inverse_gamma,
    lognormal,
    pareto,
    weibull,
)
from tests.distributions.case import FEW_DIGITS, Family, Function
from tests.distributions.continuous import INF, NAN, bad, log_normal_density, nowhere

log, exp, pi = mp.log, mp.exp, mp.pi

FAMILIES = {
    "half_normal": Family(
        half_normal,
        {
            "logpdf": Function(
                lambda x, sigma: log_normal_density(x / sigma) - log(sigma) + log(2),
                [(0.3, 2.0), (0.0, 1.0), (1e-300, 1e-3), (1e100, 1e100), (30.0, 1.0)],
                nowhere(1.0),
                bad(1.0, 1.0, positive=[0]),
            ),
            "logcdf": Function(
                lambda x, sigma: log(mp.erf(x / sigma / mp.sqrt(2))),
                [(0.3, 2.0), (1e-300, 1.0), (5.0, 1.0)],
                [(-1.0, 1.0), (0.0, 1.0), (NAN, 1.0)],
                digits=FEW_DIGITS,
            ),
            "logsf": Function(
                lambda x, sigma: log(2 * mp.ncdf(-x / sigma)) if x > 0 else mpf(0),
                [(0.3, 2.0), (-3.0, 2.0), (40.0, 1.0)],
                [(NAN, 1.0)],
                digits=FEW_DIGITS,
            ),
        },
        lambda sigma: stats.halfnorm(scale=sigma),
        (2.0,),
    ),
    "lognormal": Family(
        lognormal,
        {
            "logpdf": Function(
                lambda x, mu, sigma: log_normal_density((log(x) - mu) / sigma) - log(sigma) - log(x),
                [(0.3, 1.0, 2.0), (1e-300, -5.0, 3.0), (1e300, 680.0, 10.0), (1.0, 0.0, 1e-3), (1.002, 0.0, 1e-3)],
                [*nowhere(0.0, 1.0), (0.0, 0.0, 1.0)],
                bad(1.5, 0.0, 1.0, positive=[1], real=[0]),
            ),
            "logcdf": Function(
                lambda x, mu, sigma: log(mp.ncdf((log(x) - mu) / sigma)),
                [(0.3, 1.0, 2.0), (1e-300, -5.0, 30.0), (1e3, 0.0, 1.0)],
                [(-1.0, 0.0, 1.0), (0.0, 0.0, 1.0), (NAN, 0.0, 1.0)],
                digits=FEW_DIGITS,
            ),
            "logsf": Function(
                lambda x, mu, sigma: log(mp.ncdf((mu - log(x)) / sigma)) if x > 0 else mpf(0),
                [(0.3, 1.0, 2.0), (1e300, -5.0, 30.0), (-1.0, 0.0, 1.0)],
                [(NAN, 0.0, 1.0)],
                digits=FEW_DIGITS,
            ),
        },
        lambda mu, sigma: stats.lognorm(sigma, scale=np.exp(mu)),
        (0.5, 0.7),
    ),
    "half_cauchy": Family(
        half_cauchy,
        {
            "logpdf": Function(
                lambda x, b: -log(1 + (x / b) ** 2) - log(pi * b / 2),
                [(0.3, 2.0), (0.0, 1.0), (1e-300, 1e-3), (1e100, 1e100), (1e150, 1.0), (1.0, 1e-150)],
                nowhere(1.0),
                bad(1.0, 1.0, positive=[0]),
            ),
            "logcdf": Function(
                lambda x, b: log(mp.atan(x / b) * 2 / pi),
                [(0.3, 2.0), (1e-300, 1.0), (1e15, 1.0)],
                [(-1.0, 1.0), (0.0, 1.0), (NAN, 1.0)],
            ),
            "logsf": Function(
                lambda x, b: log(mp.atan2(1, x / b) * 2 / pi) if x > 0 else mpf(0),
                [(0.3, 2.0), (1e-300, 1.0), (1e15, 1.0), (-1.0, 2.0)],
                [(NAN, 1.0)],
            ),
        },
        lambda beta: stats.halfcauchy(scale=beta),
        (2.0,),
    ),
    "exponential": Family(
        exponential,
        {
            "logpdf": Function(
                lambda x, rate: log(rate) - rate * x,
                [(0.3, 2.0), (0.0, 5.0), (1e-300, 1e300), (1e3, 1.0), (1e100, 3e-100)],
                nowhere(1.0),
                bad(1.0, 1.0, positive=[0]),
            ),
            "logcdf": Function(
                lambda x, rate: log(-mp.expm1(-rate * x)),
                [(0.3, 2.0), (1e-300, 1.0), (30.0, 1.0)],
                [(-1.0, 1.0), (0.0, 1.0), (NAN, 1.0)],
            ),
            "logsf": Function(
                lambda x, rate: -rate * x if x > 0 else mpf(0), [(0.3, 2.0), (-3.0, 2.0), (1e300, 1.0)], [(NAN, 1.0)]
            ),
        },
        lambda rate: stats.expon(scale=1.0 / rate),
        (2.0,),
    ),
    "gamma": Family(
        gamma,
        {
            "logpdf": Function(
                lambda x, a, b: a * log(b) - mp.loggamma(a) + (a - 1) * log(x) - b * x,
                [(0.3, 2.0, 3.0), (5.0, 0.5, 0.1), (1e-300, 0.1, 2.0), (1e100, 3.0, 1e-100), (30.0, 30.0, 1.0)],
                [*nowhere(2.0, 1.0), (0.0, 2.0, 1.0)],
                bad(1.0, 2.0, 1.0, positive=[0, 1]),
                [(0.0, 0.5, 1.0)],
                digits=FEW_DIGITS,
                rtol=1e-14,
            ),
            "logcdf": Function(
                lambda x, a, b: log(mp.gammainc(a, 0, b * x, regularized=True)),
                [(0.3, 2.0, 3.0), (5.0, 0.5, 0.1), (30.0, 31.0, 1.0), (1e-100, 0.5, 1.0)],
                [(-1.0, 2.0, 3.0), (0.0, 2.0, 3.0), (NAN, 2.0, 3.0)],
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-11,
            ),
            "logsf": Function(
                lambda x, a, b: log(mp.gammainc(a, b * x, regularized=True)) if x > 0 else mpf(0),
                [(0.3, 2.0, 3.0), (5.0, 0.5, 0.1), (30.0, 31.0, 1.0), (1e-100, 0.5, 1.0), (-1.0, 2.0, 3.0)],
                [(NAN, 2.0, 3.0)],
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-11,
            ),
        },
        lambda alpha, beta: stats.gamma(alpha, scale=1.0 / beta),
        (2.5, 3.0),
    ),
    "inverse_gamma": Family(
        inverse_gamma,
        {
            "logpdf": Function(
                lambda x, a, b: a * log(b) - mp.loggamma(a) - (a + 1) * log(x) - b / x,
                [(0.3, 2.0, 3.0), (5.0, 0.5, 0.1), (1e-2, 0.1, 2.0), (1e100, 3.0, 1e100), (0.03, 30.0, 1.0)],
                [*nowhere(2.0, 1.0), (0.0, 2.0, 1.0), (1e-300, 2.0, 1e200)],
                bad(1.0, 2.0, 1.0, positive=[0, 1]),
                digits=FEW_DIGITS,
                rtol=1e-14,
            ),
            "logcdf": Function(
                lambda x, a, b: log(mp.gammainc(a, b / x, regularized=True)),
                [(0.3, 2.0, 3.0), (5.0, 0.5, 0.1), (1.0, 31.0, 30.0)],
                [(-1.0, 2.0, 3.0), (0.0, 2.0, 3.0), (NAN, 2.0, 3.0)],
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-11,
            ),
            "logsf": Function(
                lambda x, a, b: log(mp.gammainc(a, 0, b / x, regularized=True)) if x > 0 else mpf(0),
                [(0.3, 2.0, 3.0), (5.0, 0.5, 0.1), (1.0, 31.0, 30.0), (-1.0, 2.0, 3.0)],
                [(NAN, 2.0, 3.0)],
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-11,
            ),
        },
        lambda alpha, beta: stats.invgamma(alpha, scale=beta),
        (2.5, 3.0),
    ),
    "chi_squared": Family(
        chi_squared,
        {
            "logpdf": Function(
                lambda x, nu: (nu / 2 - 1) * log(x) - x / 2 - nu / 2 * log(2) - mp.loggamma(nu / 2),
                [(0.3, 2.0), (5.0, 0.5), (1e-300, 3.0), (50.0, 60.0)],
                [*nowhere(3.0), (0.0, 3.0)],
                bad(1.0, 2.0, positive=[0]),
                [(0.0, 1.0)],
                digits=FEW_DIGITS,
                rtol=1e-14,
            ),
            "logcdf": Function(
                lambda x, nu: log(mp.gammainc(nu / 2, 0, x / 2, regularized=True)),
                [(0.3, 2.0), (5.0, 0.5), (50.0, 60.0)],
                [(-1.0, 2.0), (0.0, 2.0), (NAN, 2.0)],
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-11,
            ),
            "logsf": Function(
                lambda x, nu: log(mp.gammainc(nu / 2, x / 2, regularized=True)) if x > 0 else mpf(0),
                [(0.3, 2.0), (5.0, 0.5), (50.0, 60.0), (-1.0, 2.0)],
                [(NAN, 2.0)],
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-11,
            ),
        },
        stats.chi2,
        (3.0,),
    ),
    "weibull": Family(
        weibull,
        {
            "logpdf": Function(
                lambda x, a, b: log(a / b) + (a - 1) * log(x / b) - (x / b) ** a,
                [(0.3, 2.0, 3.0), (5.0, 0.5, 0.1), (1e-300, 0.1, 2.0), (1e100, 3.0, 1e100), (1.01, 100.0, 1.0)],
                [*nowhere(2.0, 1.0), (0.0, 2.0, 1.0)],
                bad(1.5, 2.0, 1.0, positive=[0, 1]),
                [(0.0, 0.5, 1.0)],
                rtol=1e-14,
            ),
            "logcdf": Function(
                lambda x, a, b: log(-mp.expm1(-((x / b) ** a))),
                [(0.3, 2.0, 3.0), (5.0, 0.5, 0.1), (1e-200, 1.0, 1.0), (6.0, 2.0, 1.0)],
                [(-1.0, 2.0, 1.0), (0.0, 2.0, 1.0), (NAN, 2.0, 1.0)],
            ),
            "logsf": Function(
                lambda x, a, b: -((x / b) ** a) if x > 0 else mpf(0),
                [(0.3, 2.0, 3.0), (5.0, 0.5, 0.1), (-1.0, 2.0, 1.0), (0.0, 2.0, 1.0), (1e50, 2.0, 1.0)],
                [(NAN, 2.0, 1.0)],
                rtol=1e-13,
            ),
        },
        lambda alpha, beta: stats.weibull_min(alpha, scale=beta),
        (1.7, 3.0),
    ),
    "pareto": Family(
        pareto,
        {
            "logpdf": Function(
                lambda x, a, m: log(a) + a * log(m) - (a + 1) * log(x),
                [(4.3, 2.0, 3.0), (3.0, 2.0, 3.0), (1e300, 0.5, 0.1), (1e-299, 0.1, 1e-300), (1.0001, 1e5, 1.0)],
                nowhere(2.0, 1.0, below=1.0),
                bad(1.5, 2.0, 1.0, positive=[0, 1]),
                rtol=1e-14,
            ),
            "logcdf": Function(
                lambda x, a, m: log(1 - (m / x) ** a),
                [(4.3, 2.0, 3.0), (1e300, 0.5, 0.1), (1.25, 1e-5, 1.0)],
                [(1.0, 2.0, 1.0), (0.0, 2.0, 1.0), (NAN, 2.0, 1.0)],
            ),
            "logsf": Function(
                lambda x, a, m: a * log(m / x) if x > m else mpf(0),
                [(4.3, 2.0, 3.0), (1e300, 0.5, 0.1), (0.5, 2.0, 1.0)],
                [(NAN, 2.0, 1.0)],
            ),
        },
        lambda alpha, m: stats.pareto(alpha, scale=m),
        (2.5, 3.0),
    ),
    "half_flat": Family(
        half_flat, {"logpdf": Function(lambda x: mpf(0), [(0.3,), (1e300,)], [(INF,), (NAN,), (0.0,), (-1.0,)])}
    ),
}

r"""The Wald or inverse Gaussian distribution.

.. math:: p(x \mid \mu, \lambda) = \sqrt{\frac{\lambda}{2\pi x^3}}
    \exp\Big(-\frac{\lambda (x-\mu)^2}{2\mu^2 x}\Big), \qquad x > 0

SciPy: ``invgauss(mu / lam, scale=lam)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, Check
from nbinfer.distributions._function import ABOVE_0, density, generator
from nbinfer.vectormath import log, log1mexp, log_ndtr, logaddexp, select, where_valid

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)

check = Check("wald", mu=POSITIVE, lam=POSITIVE)


@density
def logpdf(x: Any, mu: Any, lam: Any) -> Any:
    r"""Log density, :math:`\frac12\log\frac\lambda{2\pi} - \frac32\log x - \lambda(x-\mu)^2 / (2\mu^2x)`.

    Parameters
    ----------
    x : float or array
        Where; if not positive the result is ``-inf``.
    mu : float or array
        Mean; positive.
    lam : float or array
        Shape; positive. The variance is ``mu**3 / lam``.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > 0.0
    x = select(inside, x, mu)
    logp = (0.5 * log(lam) - _HALF_LOG_2PI) - 1.5 * log(x) - 0.5 * lam * ((x - mu) / mu) ** 2 / x
    return where_valid(inside & (mu > 0.0) & (lam > 0.0), logp)


@density
def logcdf(x: Any, mu: Any, lam: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    mu, lam : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > 0.0
    x = select(inside, x, mu)
    root = (lam / x) ** 0.5
    logp = logaddexp(log_ndtr(root * (x / mu - 1.0)), 2.0 * lam / mu + log_ndtr(-root * (x / mu + 1.0)))
    return where_valid(inside & (mu > 0.0) & (lam > 0.0), logp)


@density
def logsf(x: Any, mu: Any, lam: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    mu, lam : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > 0.0
    y = select(inside, x, mu)
    root = (lam / y) ** 0.5
    log_first = log_ndtr(root * (1.0 - y / mu))
    logp = log_first + log1mexp(2.0 * lam / mu + log_ndtr(-root * (y / mu + 1.0)) - log_first)
    return where_valid((x == x) & (mu > 0.0) & (lam > 0.0), select(inside, logp, 0.0))


@generator(check, within=ABOVE_0)
def random(rng: np.random.Generator, mu: Any, lam: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : float or array
        Mean; positive.
    lam : float or array
        Shape; positive. The variance is ``mu**3 / lam``.
    size : int or tuple of int, optional
        Shape of the result. Default: the parameters' common shape.

    Returns
    -------
    x : float or array
        The draws.

    Raises
    ------
    ValueError
        If `check` says that a parameter is invalid, or if shapes do not broadcast.
    """
    # Michael, Schucany and Haas (1976): the smaller root of a quadratic equation, without cancellation, or the other.
    z = rng.standard_normal()
    w = mu * z * z / (2.0 * lam)
    x = mu / (1.0 + w + math.sqrt(w * (2.0 + w)))
    return x if rng.random() * (mu + x) <= mu else mu * (mu / x)


def support(mu: Any, lam: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and infinity."""
    return 0.0, math.inf

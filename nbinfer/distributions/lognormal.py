r"""The log-normal distribution: the exponential of a normal.

.. math::

    p(x \mid \mu, \sigma) = \frac{1}{x\sigma\sqrt{2\pi}} \exp\Big(-\frac{(\log x-\mu)^2}{2\sigma^2}\Big), \qquad x > 0

SciPy: ``lognorm(s=sigma, scale=exp(mu))``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, REAL, Check
from nbinfer.distributions._function import ABOVE_0, density, generator
from nbinfer.vectormath import log, log_ndtr, select, where_valid

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)

check = Check("lognormal", mu=REAL, sigma=POSITIVE)


@density
def logpdf(x: Any, mu: Any, sigma: Any) -> Any:
    r"""Log density, :math:`-\frac12((\log x-\mu)/\sigma)^2 - \log x - \log\sigma - \frac12\log 2\pi`.

    Parameters
    ----------
    x : float or array
        Where.
    mu : float or array
        Mean of the logarithm; the median is its exponential.
    sigma : float or array
        Standard deviation of the logarithm; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > 0.0
    log_x = log(select(inside, x, 1.0))
    logp = -0.5 * ((log_x - mu) / sigma) ** 2 - log_x - (log(sigma) + _HALF_LOG_2PI)
    return where_valid(inside & (sigma > 0.0), logp)


@density
def logcdf(x: Any, mu: Any, sigma: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    mu, sigma : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > 0.0
    return where_valid(inside & (sigma > 0.0), log_ndtr((log(select(inside, x, 1.0)) - mu) / sigma))


@density
def logsf(x: Any, mu: Any, sigma: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    mu, sigma : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > 0.0
    logp = log_ndtr((mu - log(select(inside, x, 1.0))) / sigma)
    return where_valid((x == x) & (sigma > 0.0), select(inside, logp, 0.0))


@generator(check, arrays=True, within=ABOVE_0)
def random(rng: np.random.Generator, mu: Any, sigma: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : float or array
        Mean of the logarithm; the median is its exponential.
    sigma : float or array
        Standard deviation of the logarithm; positive.
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
    return rng.lognormal(mu, sigma, size)


def support(mu: Any, sigma: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and infinity."""
    return 0.0, math.inf

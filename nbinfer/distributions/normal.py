r"""The normal distribution.

.. math:: p(x \mid \mu, \sigma) = \frac{1}{\sigma\sqrt{2\pi}} \exp\Big(-\frac{(x-\mu)^2}{2\sigma^2}\Big)

SciPy: ``norm(mu, sigma)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, REAL, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import log, log_ndtr, where_valid

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)

check = Check("normal", mu=REAL, sigma=POSITIVE)


@density
def logpdf(x: Any, mu: Any, sigma: Any) -> Any:
    r"""Log density, :math:`-\frac12((x-\mu)/\sigma)^2 - \log\sigma - \frac12\log 2\pi`.

    Parameters
    ----------
    x : float or array
        Where.
    mu : float or array
        Mean.
    sigma : float or array
        Standard deviation; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid(sigma > 0.0, -0.5 * ((x - mu) / sigma) ** 2 - (log(sigma) + _HALF_LOG_2PI))


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
    return where_valid(sigma > 0.0, log_ndtr((x - mu) / sigma))


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
    return where_valid(sigma > 0.0, log_ndtr((mu - x) / sigma))


@generator(check, arrays=True)
def random(rng: np.random.Generator, mu: Any, sigma: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : float or array
        Mean.
    sigma : float or array
        Standard deviation; positive.
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
    return rng.normal(mu, sigma, size)


def support(mu: Any, sigma: Any) -> tuple[Any, Any]:
    """Return the ends of the support: all real numbers."""
    return -math.inf, math.inf

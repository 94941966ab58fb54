r"""The half-normal distribution: the absolute value of a normal with mean 0.

.. math::

    p(x \mid \sigma) = \frac{1}{\sigma}\sqrt{\frac{2}{\pi}} \exp\Big(-\frac{x^2}{2\sigma^2}\Big), \qquad x \ge 0

SciPy: ``halfnorm(scale=sigma)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import erf, log, log_ndtr, select, where_valid

_LOG_2 = math.log(2.0)
_HALF_LOG_HALF_PI = 0.5 * math.log(0.5 * math.pi)
_ROOT_HALF = math.sqrt(0.5)

check = Check("half_normal", sigma=POSITIVE)


@density
def logpdf(x: Any, sigma: Any) -> Any:
    r"""Log density, :math:`-\frac12(x/\sigma)^2 - \log\sigma - \frac12\log\frac\pi2` where :math:`x \ge 0`.

    Parameters
    ----------
    x : float or array
        Where; below 0 the result is ``-inf``.
    sigma : float or array
        Standard deviation of the normal; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    logp = -0.5 * (x / sigma) ** 2 - (log(sigma) + _HALF_LOG_HALF_PI)
    return where_valid((x >= 0.0) & (sigma > 0.0), logp)


@density
def logcdf(x: Any, sigma: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    sigma : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > 0.0
    return where_valid(inside & (sigma > 0.0), log(erf(_ROOT_HALF * select(inside, x, 1.0) / sigma)))


@density
def logsf(x: Any, sigma: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    sigma : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid(sigma > 0.0, select(x < 0.0, 0.0, log_ndtr(-select(x < 0.0, 0.0, x) / sigma) + _LOG_2))


@generator(check, arrays=True)
def random(rng: np.random.Generator, sigma: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    sigma : float or array
        Standard deviation of the normal; positive.
    size : int or tuple of int, optional
        Shape of the result. Default: that of the parameter.

    Returns
    -------
    x : float or array
        The draws.

    Raises
    ------
    ValueError
        If `check` says that a parameter is invalid, or if shapes do not broadcast.
    """
    return np.abs(rng.normal(0.0, sigma, size))


def support(sigma: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and infinity."""
    return 0.0, math.inf

r"""The skew-normal distribution.

.. math:: p(x \mid \mu, \sigma, \alpha) = \frac2\sigma\,\varphi(z)\,\Phi(\alpha z), \qquad z = \frac{x-\mu}{\sigma}

with the density and the distribution function of the standard normal. SciPy: ``skewnorm(alpha, mu, sigma)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, REAL, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import log, log_ndtr, where_valid

_HALF_LOG_HALF_PI = 0.5 * math.log(0.5 * math.pi)

check = Check("skew_normal", mu=REAL, sigma=POSITIVE, alpha=REAL)


@density
def logpdf(x: Any, mu: Any, sigma: Any, alpha: Any) -> Any:
    r"""Log density, :math:`-\frac12 z^2 + \log\Phi(\alpha z) - \log\sigma - \frac12\log\frac\pi2`.

    Parameters
    ----------
    x : float or array
        Where.
    mu : float or array
        Location.
    sigma : float or array
        Scale; positive.
    alpha : float or array
        Skewness: 0 gives the normal distribution, large values a half-normal one.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    z = (x - mu) / sigma
    logp = -0.5 * z**2 + log_ndtr(alpha * z) - (log(sigma) + _HALF_LOG_HALF_PI)
    return where_valid((sigma > 0.0) & (abs(alpha) < np.inf), logp)


@generator(check)
def random(rng: np.random.Generator, mu: Any, sigma: Any, alpha: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : float or array
        Location.
    sigma : float or array
        Scale; positive.
    alpha : float or array
        Skewness: 0 gives the normal distribution, large values a half-normal one.
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
    weight = alpha / math.sqrt(1.0 + alpha * alpha)
    half = abs(rng.standard_normal())
    return mu + sigma * (weight * half + math.sqrt(1.0 - weight * weight) * rng.standard_normal())


def support(mu: Any, sigma: Any, alpha: Any) -> tuple[Any, Any]:
    """Return the ends of the support: all real numbers."""
    return -math.inf, math.inf

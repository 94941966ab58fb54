r"""The logistic distribution.

.. math:: p(x \mid \mu, s) = \frac{e^{-z}}{s\,(1 + e^{-z})^2}, \qquad z = \frac{x-\mu}{s}

SciPy: ``logistic(mu, s)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, REAL, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import exp, log, log1p, log_expit, where_valid

check = Check("logistic", mu=REAL, s=POSITIVE)


@density
def logpdf(x: Any, mu: Any, s: Any) -> Any:
    r"""Log density, :math:`-|z| - 2\log(1 + e^{-|z|}) - \log s` with :math:`z = (x-\mu)/s`.

    Parameters
    ----------
    x : float or array
        Where.
    mu : float or array
        Mean and median.
    s : float or array
        Scale; positive. The standard deviation is s times pi over the root of 3.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    distance = abs(x - mu) / s
    return where_valid(s > 0.0, -distance - 2.0 * log1p(exp(-distance)) - log(s))


@density
def logcdf(x: Any, mu: Any, s: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    mu, s : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid(s > 0.0, log_expit((x - mu) / s))


@density
def logsf(x: Any, mu: Any, s: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    mu, s : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return logcdf(-x, -mu, s)


@generator(check, arrays=True)
def random(rng: np.random.Generator, mu: Any, s: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : float or array
        Mean and median.
    s : float or array
        Scale; positive. The standard deviation is s times pi over the root of 3.
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
    return rng.logistic(mu, s, size)


def support(mu: Any, s: Any) -> tuple[Any, Any]:
    """Return the ends of the support: all real numbers."""
    return -math.inf, math.inf

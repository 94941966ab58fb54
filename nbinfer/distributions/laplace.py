r"""The Laplace distribution.

.. math:: p(x \mid \mu, b) = \frac{1}{2b} \exp\Big(-\frac{|x-\mu|}{b}\Big)

SciPy: ``laplace(mu, b)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, REAL, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import exp, log, log1p, select, where_valid

_LOG_2 = math.log(2.0)

check = Check("laplace", mu=REAL, b=POSITIVE)


@density
def logpdf(x: Any, mu: Any, b: Any) -> Any:
    r"""Log density, :math:`-|x-\mu|/b - \log 2b`.

    Parameters
    ----------
    x : float or array
        Where.
    mu : float or array
        Mean and median.
    b : float or array
        Scale, the mean distance from mu; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid(b > 0.0, -abs(x - mu) / b - (log(b) + _LOG_2))


@density
def logcdf(x: Any, mu: Any, b: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    mu, b : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    z = (x - mu) / b
    return where_valid(b > 0.0, select(z < 0.0, z - _LOG_2, log1p(-0.5 * exp(-abs(z)))))


@density
def logsf(x: Any, mu: Any, b: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    mu, b : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return logcdf(-x, -mu, b)


@generator(check, arrays=True)
def random(rng: np.random.Generator, mu: Any, b: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : float or array
        Mean and median.
    b : float or array
        Scale, the mean distance from mu; positive.
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
    return rng.laplace(mu, b, size)


def support(mu: Any, b: Any) -> tuple[Any, Any]:
    """Return the ends of the support: all real numbers."""
    return -math.inf, math.inf

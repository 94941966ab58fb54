r"""The exponential distribution, by its rate.

.. math:: p(x \mid \lambda) = \lambda e^{-\lambda x}, \qquad x \ge 0

NumPy takes the mean where this module takes the rate. SciPy: ``expon(scale=1 / rate)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import log, log1mexp, select, where_valid

check = Check("exponential", rate=POSITIVE)


@density
def logpdf(x: Any, rate: Any) -> Any:
    r"""Log density, :math:`\log\lambda - \lambda x` where :math:`x \ge 0`.

    Parameters
    ----------
    x : float or array
        Where; below 0 the result is ``-inf``.
    rate : float or array
        The rate, one over the mean; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid((x >= 0.0) & (rate > 0.0), log(rate) - rate * x)


@density
def logcdf(x: Any, rate: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    rate : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > 0.0
    return where_valid(inside & (rate > 0.0), log1mexp(-rate * select(inside, x, 1.0)))


@density
def logsf(x: Any, rate: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    rate : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid(rate > 0.0, -rate * select(x < 0.0, 0.0, x))


@generator(check, arrays=True)
def random(rng: np.random.Generator, rate: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    rate : float or array
        The rate, one over the mean; positive.
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
    return rng.exponential(1.0 / rate, size)


def support(rate: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and infinity."""
    return 0.0, math.inf

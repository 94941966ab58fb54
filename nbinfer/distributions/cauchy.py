r"""The Cauchy distribution.

.. math:: p(x \mid \alpha, \beta) = \frac{1}{\pi\beta\,(1 + ((x-\alpha)/\beta)^2)}

SciPy: ``cauchy(alpha, beta)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, REAL, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import log, log1p, select, where_valid

_LOG_PI = math.log(math.pi)
#: Of 1 + z**2 from here on only z**2 is left, which may overflow.
_FAR = 1e17

check = Check("cauchy", alpha=REAL, beta=POSITIVE)


@density
def logpdf(x: Any, alpha: Any, beta: Any) -> Any:
    r"""Log density, :math:`-\log(1 + ((x-\alpha)/\beta)^2) - \log\beta - \log\pi`.

    Parameters
    ----------
    x : float or array
        Where; if ``(x - alpha) / beta`` overflows the result is ``-inf``.
    alpha : float or array
        Median and mode.
    beta : float or array
        Scale, half the distance of the quartiles; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    z = abs(x - alpha) / beta
    far = z > _FAR
    square = log1p(select(far, z, z * z))
    return where_valid(beta > 0.0, -select(far, 2.0 * square, square) - (log(beta) + _LOG_PI))


@density
def logcdf(x: Any, alpha: Any, beta: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    alpha, beta : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid(beta > 0.0, log(np.arctan2(1.0, (alpha - x) / beta)) - _LOG_PI)


@density
def logsf(x: Any, alpha: Any, beta: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    alpha, beta : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return logcdf(-x, -alpha, beta)


@generator(check, arrays=True)
def random(rng: np.random.Generator, alpha: Any, beta: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    alpha : float or array
        Median and mode.
    beta : float or array
        Scale, half the distance of the quartiles; positive.
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
    return alpha + beta * rng.standard_cauchy(size)


def support(alpha: Any, beta: Any) -> tuple[Any, Any]:
    """Return the ends of the support: all real numbers."""
    return -math.inf, math.inf

r"""The half-Cauchy distribution: the absolute value of a Cauchy centred at 0.

.. math:: p(x \mid \beta) = \frac{2}{\pi\beta\,(1 + (x/\beta)^2)}, \qquad x \ge 0

SciPy: ``halfcauchy(scale=beta)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import log, log1p, select, where_valid

_LOG_HALF_PI = math.log(0.5 * math.pi)
#: Of 1 + z**2 from here on only z**2 is left, which may overflow.
_FAR = 1e17

check = Check("half_cauchy", beta=POSITIVE)


@density
def logpdf(x: Any, beta: Any) -> Any:
    r"""Log density, :math:`-\log(1 + (x/\beta)^2) - \log\beta - \log\frac\pi2` where :math:`x \ge 0`.

    Parameters
    ----------
    x : float or array
        Where; below 0, and where ``x / beta`` overflows, the result is ``-inf``.
    beta : float or array
        Scale, the median; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    z = abs(x) / beta
    far = z > _FAR
    square = log1p(select(far, z, z * z))
    logp = -select(far, 2.0 * square, square) - (log(beta) + _LOG_HALF_PI)
    return where_valid((x >= 0.0) & (beta > 0.0), logp)


@density
def logcdf(x: Any, beta: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    beta : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > 0.0
    z = select(inside, x, 1.0) / beta
    return where_valid(inside & (beta > 0.0), log(np.arctan2(z, 1.0)) - _LOG_HALF_PI)


@density
def logsf(x: Any, beta: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    beta : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    z = select(x < 0.0, 0.0, x) / beta
    return where_valid(beta > 0.0, log(np.arctan2(1.0, z)) - _LOG_HALF_PI)


@generator(check, arrays=True)
def random(rng: np.random.Generator, beta: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    beta : float or array
        Scale, the median; positive.
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
    return beta * np.abs(rng.standard_cauchy(size))


def support(beta: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and infinity."""
    return 0.0, math.inf

r"""The continuous uniform distribution.

.. math:: p(x \mid a, b) = \frac{1}{b - a}, \qquad a \le x \le b

SciPy: ``uniform(lower, upper - lower)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import REAL, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import log, select, where_valid

_LOG_2 = math.log(2.0)

check = Check("uniform", lower=REAL, upper=REAL).also(
    "lower must be less than upper", lambda lower, upper: lower < upper
)


@density
def logpdf(x: Any, lower: Any, upper: Any) -> Any:
    r"""Log density, :math:`-\log(b - a)` where :math:`a \le x \le b`.

    Parameters
    ----------
    x : float or array
        Where; outside the bounds the result is ``-inf``.
    lower, upper : float or array
        The bounds a and b; ``lower < upper``. Draws lie in [lower, upper).

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    width = upper - lower
    fits = width < np.inf
    log_width = log(select(fits, width, 0.5 * upper - 0.5 * lower)) + select(fits, 0.0, _LOG_2)
    return where_valid((x >= lower) & (x <= upper) & (lower < upper), -log_width)


@density
def logcdf(x: Any, lower: Any, upper: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    lower, upper : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > lower
    y = select(inside & (x < upper), x, upper)
    # Halves: a distance of two numbers may overflow.
    height = (0.5 * y - 0.5 * lower) / (0.5 * upper - 0.5 * lower)
    return where_valid(inside & (lower < upper), log(height))


@density
def logsf(x: Any, lower: Any, upper: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    lower, upper : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x < upper
    y = select(inside & (x > lower), x, lower)
    height = (0.5 * upper - 0.5 * y) / (0.5 * upper - 0.5 * lower)
    return where_valid(inside & (lower < upper), log(height))


@generator(check, arrays=True)
def random(rng: np.random.Generator, lower: Any, upper: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    lower, upper : float or array
        The bounds a and b; ``lower < upper``. Draws lie in [lower, upper).
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
    # NumPy takes a distance, which may overflow.
    scale = select(np.maximum(abs(lower), abs(upper)) > 1e300, 0.25, 1.0)
    return rng.uniform(lower * scale, upper * scale, size) / scale


def support(lower: Any, upper: Any) -> tuple[Any, Any]:
    """Return the ends of the support: the bounds."""
    return lower, upper

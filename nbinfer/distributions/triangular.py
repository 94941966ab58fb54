r"""The triangular distribution.

.. math:: p(x \mid a, b, c) = \frac{2}{b - a}
    \begin{cases} (x - a)/(c - a) & a \le x < c \\ 1 & x = c \\ (b - x)/(b - c) & c < x \le b \end{cases}

SciPy: ``triang((c - lower) / (upper - lower), lower, upper - lower)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import REAL, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import log, log1p, select, where_valid

_LOG_2 = math.log(2.0)

check = (
    Check("triangular", lower=REAL, upper=REAL, c=REAL)
    .also("lower must be less than upper", lambda lower, upper: lower < upper)
    .also("c must lie between lower and upper", lambda lower, upper, c: (lower <= c) & (c <= upper))
)


@density
def logpdf(x: Any, lower: Any, upper: Any, c: Any) -> Any:
    """Log density, a logarithm of a piece of a line.

    Parameters
    ----------
    x : float or array
        Where; outside the ends the result is ``-inf``.
    lower, upper : float or array
        The ends a and b; ``lower < upper``.
    c : float or array
        The mode; neither below lower nor above upper.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    valid = (lower < upper) & (lower <= c) & (c <= upper)
    left = (x < c) | (c == upper)
    height = select(left, x - lower, upper - x) / select(left, c - lower, upper - c)
    inside = (height > 0.0) & (x <= upper)
    logp = log(select(inside, height, 1.0)) + (_LOG_2 - log(upper - lower))
    return where_valid(valid & inside, logp)


@density
def logcdf(x: Any, lower: Any, upper: Any, c: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    lower, upper, c : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    valid = (lower < upper) & (lower <= c) & (c <= upper)
    inside = (x > lower) & (x < upper)
    left = (x < c) | (c == upper)
    width, y = upper - lower, select(inside, x, c)
    start = ((y - lower) / width) * ((y - lower) / select(left, c - lower, 1.0))
    rest = select(left, 1.0, upper - c)
    end = ((upper - y) / width) * ((upper - y) / rest)
    # Beyond c the sum of what lies up to it and what follows, or where that is more than half what is left of 1.
    passed = (c - lower) / width + ((y - c) / width) * (((upper - y) + rest) / rest)
    low = log(select(left & inside, start, select(end > 0.5, passed, 1.0)))
    logp = select(left | (end > 0.5), low, log1p(-select(end > 0.5, 0.0, end)))
    return where_valid(valid & (x > lower), select(inside, logp, 0.0))


@density
def logsf(x: Any, lower: Any, upper: Any, c: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    lower, upper, c : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return logcdf(-x, -upper, -lower, -c)


@generator(check, arrays=True)
def random(rng: np.random.Generator, lower: Any, upper: Any, c: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    lower, upper : float or array
        The ends a and b; ``lower < upper``.
    c : float or array
        The mode; neither below lower nor above upper.
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
    # NumPy multiplies distances: of large or small numbers they are scaled, by a power of two, which changes no digit.
    largest = np.maximum(abs(lower), abs(upper))
    scale = select(largest > 1e100, 2.0**-600, select(largest < 1e-100, 2.0**600, 1.0))
    x = rng.triangular(lower * scale, c * scale, upper * scale, size) / scale
    return select((x > lower) & (x < upper), x, c)  # an end has no density, unless it is c


def support(lower: Any, upper: Any, c: Any) -> tuple[Any, Any]:
    """Return the ends of the support: lower and upper."""
    return lower, upper

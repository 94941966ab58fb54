r"""The discrete uniform distribution.

.. math:: p(k \mid a, b) = \frac{1}{b - a + 1}, \qquad k = a, \dots, b

SciPy: ``randint(lower, upper + 1)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.distributions._check import INTEGER, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import floor, is_whole, log, select, where_valid

check = Check("discrete_uniform", lower=INTEGER, upper=INTEGER).also(
    "lower must not be above upper", lambda lower, upper: lower <= upper
)


@density
def logpmf(k: Any, lower: Any, upper: Any) -> Any:
    r"""Log probability, :math:`-\log(b - a + 1)`.

    Parameters
    ----------
    k : int or array
        Where; what is not a whole number between the ends gives ``-inf``.
    lower, upper : int or array
        The ends a and b, which belong to it; ``lower <= upper``.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    valid = (k >= lower) & (k <= upper) & is_whole(k) & is_whole(lower) & is_whole(upper)
    return where_valid(valid, -log(upper - lower + 1.0))


@density
def logcdf(k: Any, lower: Any, upper: Any) -> Any:
    """Log of the probability of values up to k.

    Parameters
    ----------
    k : float or array
        Where.
    lower, upper : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = k >= lower
    height = select(inside & (k < upper), floor(k) - lower + 1.0, upper - lower + 1.0) / (upper - lower + 1.0)
    return where_valid(inside & (lower <= upper), log(height))


@density
def logsf(k: Any, lower: Any, upper: Any) -> Any:
    """Log of the probability of values beyond k.

    Parameters
    ----------
    k : float or array
        Where.
    lower, upper : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = k < upper
    height = select(inside & (k >= lower), upper - floor(k), upper - lower + 1.0) / (upper - lower + 1.0)
    return where_valid(inside & (lower <= upper), log(height))


@generator(check, discrete=True)
def random(rng: np.random.Generator, lower: Any, upper: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    lower, upper : int or array
        The ends a and b, which belong to it; ``lower <= upper``.
    size : int or tuple of int, optional
        Shape of the result. Default: the parameters' common shape.

    Returns
    -------
    k : int or array
        The draws.

    Raises
    ------
    ValueError
        If `check` says that a parameter is invalid, or if shapes do not broadcast.
    """
    return rng.integers(int(lower), int(upper) + 1)


def support(lower: Any, upper: Any) -> tuple[Any, Any]:
    """Return the ends of the support: lower and upper."""
    return lower, upper

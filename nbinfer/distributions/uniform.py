r"""The continuous uniform distribution.

.. math:: p(x \mid a, b) = \frac{1}{b - a}, \qquad a \le x \le b
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.distributions._function import density, generator


@density
def logpdf(x: Any, lower: Any, upper: Any) -> Any:
    r"""Log density, :math:`-\log(b - a)` where :math:`a \le x \le b`.

    Parameters
    ----------
    x : float or array
        Where; outside the bounds the result is ``-inf``.
    lower, upper : float or array
        The bounds a and b; where not ``lower < upper`` the result is ``-inf``.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = 1.0 - np.divide(1.0, (x >= lower) & (x <= upper) & (lower < upper))  # 0, or -inf
    return np.fmax(inside - np.log(upper - lower), -np.inf)


@generator
def random(rng: np.random.Generator, lower: Any, upper: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    lower, upper : float or array
        The bounds; draws lie in [lower, upper).
    size : int or tuple of int, optional
        Shape of the result. Default: the parameters' common shape.

    Returns
    -------
    x : float or array
        The draws.
    """
    return rng.uniform(lower, upper, size)


def support(lower: Any, upper: Any) -> tuple[Any, Any]:
    """Return the ends of the support: the bounds."""
    return lower, upper

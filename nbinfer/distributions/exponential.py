r"""The exponential distribution, by its rate.

.. math:: p(x \mid \lambda) = \lambda e^{-\lambda x}, \qquad x \ge 0

The mean is :math:`1/\lambda`: NumPy and SciPy take that mean, the scale, where this module takes the rate.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._function import density, generator


@density
def logpdf(x: Any, rate: Any) -> Any:
    r"""Log density, :math:`\log\lambda - \lambda x` where :math:`x \ge 0`.

    Parameters
    ----------
    x : float or array
        Where; below 0 the result is ``-inf``.
    rate : float or array
        The rate, one over the mean; where it is not positive the result is ``-inf``.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = 1.0 - np.divide(1.0, x >= 0.0)  # 0, or -inf
    return np.fmax(inside + np.log(rate) - rate * x, -np.inf)


@generator
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
    """
    return rng.exponential(1.0 / rate, size)


def support(rate: Any) -> tuple[Any, Any]:
    """Return the ends of the support, 0 and infinity."""
    return 0.0, math.inf

r"""The half-normal distribution: the absolute value of a normal with mean 0.

.. math:: p(x \mid \sigma) = \frac{1}{\sigma}\sqrt{\frac{2}{\pi}} \exp\Big(-\frac{x^2}{2\sigma^2}\Big), \qquad x \ge 0
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._function import density, generator

_HALF_LOG_HALF_PI = 0.5 * math.log(0.5 * math.pi)


@density
def logpdf(x: Any, sigma: Any) -> Any:
    r"""Log density, :math:`-\frac12(x/\sigma)^2 - \log\sigma - \frac12\log\frac\pi2` where :math:`x \ge 0`.

    Parameters
    ----------
    x : float or array
        Where; below 0 the result is ``-inf``.
    sigma : float or array
        Standard deviation of the normal; where it is not positive the result is ``-inf``.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = 1.0 - np.divide(1.0, x >= 0.0)  # 0, or -inf
    return np.fmax(inside - 0.5 * np.square(x / sigma) - (np.log(sigma) + _HALF_LOG_HALF_PI), -np.inf)


@generator
def random(rng: np.random.Generator, sigma: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    sigma : float or array
        Standard deviation of the normal, not negative.
    size : int or tuple of int, optional
        Shape of the result. Default: that of the parameter.

    Returns
    -------
    x : float or array
        The draws.
    """
    return np.abs(rng.normal(0.0, sigma, size))


def support(sigma: Any) -> tuple[Any, Any]:
    """Return the ends of the support, 0 and infinity."""
    return 0.0, math.inf

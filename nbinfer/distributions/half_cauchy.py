r"""The half-Cauchy distribution: the absolute value of a Cauchy centred at 0.

.. math:: p(x \mid \beta) = \frac{2}{\pi\beta\,(1 + (x/\beta)^2)}, \qquad x \ge 0
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._function import density, generator

_LOG_HALF_PI = math.log(0.5 * math.pi)


@density
def logpdf(x: Any, beta: Any) -> Any:
    r"""Log density, :math:`-\log(1 + (x/\beta)^2) - \log\beta - \log\frac\pi2` where :math:`x \ge 0`.

    Parameters
    ----------
    x : float or array
        Where; below 0, and where ``(x / beta)**2`` overflows, the result is ``-inf``.
    beta : float or array
        Scale, the median; where it is not positive the result is ``-inf``.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = 1.0 - np.divide(1.0, x >= 0.0)  # 0, or -inf
    return np.fmax(inside - np.log1p(np.square(x / beta)) - (np.log(beta) + _LOG_HALF_PI), -np.inf)


@generator
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
    """
    # The end of the range carries the shape of beta.
    return beta * np.tan(rng.uniform(0.0, 0.5 * math.pi + 0.0 * beta, size))


def support(beta: Any) -> tuple[Any, Any]:
    """Return the ends of the support, 0 and infinity."""
    return 0.0, math.inf

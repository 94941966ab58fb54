r"""The Weibull distribution.

.. math::

    p(x \mid \alpha, \beta) = \frac\alpha\beta \Big(\frac x\beta\Big)^{\alpha-1} e^{-(x/\beta)^\alpha}, \qquad x > 0

SciPy: ``weibull_min(alpha, scale=beta)``. At 0 the density is infinite for shapes below 1, finite for
shape 1 and 0 for larger ones. Draws are positive.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, Check
from nbinfer.distributions._function import ABOVE_0, density, generator
from nbinfer.distributions._scaled import log_ratio
from nbinfer.vectormath import exp, log, log1mexp, select, where_valid

check = Check("weibull", alpha=POSITIVE, beta=POSITIVE)


@density
def logpdf(x: Any, alpha: Any, beta: Any) -> Any:
    r"""Log density, :math:`\log\alpha - \log\beta + (\alpha-1)\log\frac x\beta - (x/\beta)^\alpha` where :math:`x > 0`.

    Parameters
    ----------
    x : float or array
        Where; below 0 the result is ``-inf``.
    alpha : float or array
        Shape; positive.
    beta : float or array
        Scale; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    positive = x > 0.0
    log_z = log_ratio(select(positive, x, select(alpha < 1.0, 0.0, beta)), beta)
    logp = (log(alpha) - log(beta)) + (alpha - 1.0) * log_z - select(positive, exp(alpha * log_z), 0.0)
    return where_valid((positive | ((x == 0.0) & (alpha <= 1.0))) & (alpha > 0.0) & (beta > 0.0), logp)


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
    inside = x > 0.0
    log_z = log_ratio(select(inside, x, beta), beta)
    return where_valid(inside & (alpha > 0.0) & (beta > 0.0), log1mexp(-exp(alpha * log_z)))


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
    inside = x > 0.0
    log_z = log_ratio(select(inside, x, beta), beta)
    logp = select(x <= 0.0, 0.0, -exp(alpha * log_z))
    return where_valid((x == x) & (alpha > 0.0) & (beta > 0.0), logp)


@generator(check, arrays=True, within=ABOVE_0)
def random(rng: np.random.Generator, alpha: Any, beta: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    alpha : float or array
        Shape; positive.
    beta : float or array
        Scale; positive.
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
    return beta * rng.weibull(alpha, size)


def support(alpha: Any, beta: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and infinity."""
    return 0.0, math.inf

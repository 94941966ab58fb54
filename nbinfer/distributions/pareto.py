r"""The Pareto distribution.

.. math:: p(x \mid \alpha, m) = \frac{\alpha m^\alpha}{x^{\alpha+1}}, \qquad x \ge m

SciPy: ``pareto(alpha, scale=m)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, Check
from nbinfer.distributions._function import density, generator
from nbinfer.distributions._scaled import log_ratio
from nbinfer.vectormath import log, log1mexp, select, where_valid

check = Check("pareto", alpha=POSITIVE, m=POSITIVE)


@density
def logpdf(x: Any, alpha: Any, m: Any) -> Any:
    r"""Log density, :math:`\log\alpha - \log m - (\alpha+1)\log\frac xm` where :math:`x \ge m`.

    Parameters
    ----------
    x : float or array
        Where; below m the result is ``-inf``.
    alpha : float or array
        Shape; positive.
    m : float or array
        Scale, the smallest value; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x >= m
    logp = (log(alpha) - log(m)) - (alpha + 1.0) * log_ratio(select(inside, x, m), m)
    return where_valid(inside & (alpha > 0.0) & (m > 0.0), logp)


@density
def logcdf(x: Any, alpha: Any, m: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    alpha, m : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > m
    logp = log1mexp(-alpha * log_ratio(select(inside, x, 2.0 * m), m))
    return where_valid(inside & (alpha > 0.0) & (m > 0.0), logp)


@density
def logsf(x: Any, alpha: Any, m: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    alpha, m : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    logp = -alpha * log_ratio(select(x < m, m, x), m)
    return where_valid((alpha > 0.0) & (m > 0.0), logp)


@generator(check, arrays=True)
def random(rng: np.random.Generator, alpha: Any, m: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    alpha : float or array
        Shape; positive.
    m : float or array
        Scale, the smallest value; positive.
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
    return m * (1.0 + rng.pareto(alpha, size))


def support(alpha: Any, m: Any) -> tuple[Any, Any]:
    """Return the ends of the support: m and infinity."""
    return m, math.inf

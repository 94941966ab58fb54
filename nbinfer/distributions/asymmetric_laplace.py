r"""The asymmetric Laplace distribution: exponentials of different means on both sides of a point.

.. math:: p(x \mid \mu, b, \kappa) = \frac{1}{b\,(\kappa + 1/\kappa)}
    \begin{cases} e^{-\kappa (x-\mu)/b} & x \ge \mu \\ e^{(x-\mu)/(\kappa b)} & x < \mu \end{cases}

SciPy: ``laplace_asymmetric(kappa, mu, b)``. The scale of PyMC's ``AsymmetricLaplace`` is one over this one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, REAL, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import exp, expm1, log, log1p, select, where_valid

check = Check("asymmetric_laplace", mu=REAL, b=POSITIVE, kappa=POSITIVE)


@density
def logpdf(x: Any, mu: Any, b: Any, kappa: Any) -> Any:
    r"""Log density, :math:`-s\,\kappa^s (x-\mu)/b - \log(b\,(\kappa + 1/\kappa))` with the sign s of :math:`x - \mu`.

    Parameters
    ----------
    x : float or array
        Where.
    mu : float or array
        Mode.
    b : float or array
        Scale; positive.
    kappa : float or array
        Asymmetry; positive. Above 1 the left side is the longer one.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    z = (x - mu) / b
    logp = select(z >= 0.0, -kappa * z, z / kappa) - (log(b) + log(kappa + 1.0 / kappa))
    return where_valid((b > 0.0) & (kappa > 0.0), logp)


@density
def logcdf(x: Any, mu: Any, b: Any, kappa: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    mu, b, kappa : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    z = (x - mu) / b
    below = z < 0.0
    # Below mu lies kappa**2 / (1 + kappa**2); where that is small it is added to what follows, else taken from 1.
    small = kappa < 1.0
    least, most = select(small, kappa, 1.0), select(small, 1.0, kappa)
    log_below = 2.0 * log(least) - log1p((least / most) ** 2)
    rest = exp(-kappa * select(below, 0.0, z))
    more = -expm1(-kappa * select(below, 0.0, z))
    above = select(small, log(least**2 + more) - log1p(least**2), log1p(-rest / (1.0 + most**2)))
    return where_valid((b > 0.0) & (kappa > 0.0) & (z == z), select(below, z / kappa + log_below, above))


@density
def logsf(x: Any, mu: Any, b: Any, kappa: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    mu, b, kappa : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return logcdf(-x, -mu, b, 1.0 / kappa)


@generator(check)
def random(rng: np.random.Generator, mu: Any, b: Any, kappa: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : float or array
        Mode.
    b : float or array
        Scale; positive.
    kappa : float or array
        Asymmetry; positive. Above 1 the left side is the longer one.
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
    return mu + b * (rng.standard_exponential() / kappa - rng.standard_exponential() * kappa)


def support(mu: Any, b: Any, kappa: Any) -> tuple[Any, Any]:
    """Return the ends of the support: all real numbers."""
    return -math.inf, math.inf

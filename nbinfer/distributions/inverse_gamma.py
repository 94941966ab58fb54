r"""The inverse gamma distribution: one over a gamma.

.. math:: p(x \mid \alpha, \beta) = \frac{\beta^\alpha}{\Gamma(\alpha)} x^{-\alpha-1} e^{-\beta/x}, \qquad x > 0

SciPy: ``invgamma(alpha, scale=beta)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, Check
from nbinfer.distributions._function import ABOVE_0, density, generator
from nbinfer.vectormath import log, log_gammainc, log_gammaincc, minus_deviance, select, stirling_rest, where_valid

_NOTHING = 1e-100

check = Check("inverse_gamma", alpha=POSITIVE, beta=POSITIVE)


@density
def logpdf(x: Any, alpha: Any, beta: Any) -> Any:
    r"""Log density, :math:`\alpha\log\beta - \log\Gamma(\alpha) - (\alpha+1)\log x - \beta/x` where :math:`x > 0`.

    Parameters
    ----------
    x : float or array
        Where; if not positive the result is ``-inf``.
    alpha : float or array
        Shape; positive.
    beta : float or array
        Scale; positive. The mean is ``beta / (alpha - 1)``.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > 0.0
    y = 1.0 / select(inside, x, 1.0)
    scale = np.maximum(alpha, _NOTHING)  # a quotient by less might overflow
    constant = log(alpha) + log(scale) - log(beta) - stirling_rest(alpha)
    logp = minus_deviance(alpha, beta, y) + log((beta / scale) * y) + constant
    return where_valid(inside & (alpha > 0.0) & (beta > 0.0), logp)


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
    logp = log_gammaincc(alpha, beta / select(inside, x, 1.0))
    return where_valid(inside & (alpha > 0.0) & (beta > 0.0), logp)


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
    logp = log_gammainc(alpha, beta / select(inside, x, 1.0))
    return where_valid((x == x) & (alpha > 0.0) & (beta > 0.0), select(inside, logp, 0.0))


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
        Scale; positive. The mean is ``beta / (alpha - 1)``.
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
    return np.divide(beta, rng.standard_gamma(alpha, size))


def support(alpha: Any, beta: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and infinity."""
    return 0.0, math.inf

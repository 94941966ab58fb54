r"""The chi-squared distribution.

.. math:: p(x \mid \nu) = \frac{x^{\nu/2-1} e^{-x/2}}{2^{\nu/2}\,\Gamma(\nu/2)}, \qquad x > 0

SciPy: ``chi2(nu)``. At 0 the density is infinite below 2 degrees of freedom, finite at 2 and 0 above. Draws are
positive.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, Check
from nbinfer.distributions._function import ABOVE_0, density, generator
from nbinfer.distributions.gamma import logpdf as gamma_logpdf
from nbinfer.vectormath import log_gammainc, log_gammaincc, select, where_valid

check = Check("chi_squared", nu=POSITIVE)


@density
def logpdf(x: Any, nu: Any) -> Any:
    r"""Log density, :math:`(\frac\nu2-1)\log x - \frac x2 - \frac\nu2\log 2 - \log\Gamma(\frac\nu2)`.

    Parameters
    ----------
    x : float or array
        Where; below 0 the result is ``-inf``.
    nu : float or array
        Degrees of freedom, the mean; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return gamma_logpdf(x, 0.5 * nu, 0.5)


@density
def logcdf(x: Any, nu: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    nu : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > 0.0
    return where_valid(inside & (nu > 0.0), log_gammainc(0.5 * nu, 0.5 * select(inside, x, 1.0)))


@density
def logsf(x: Any, nu: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    nu : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > 0.0
    logp = log_gammaincc(0.5 * nu, 0.5 * select(inside, x, 1.0))
    return where_valid((x == x) & (nu > 0.0), select(inside, logp, 0.0))


@generator(check, arrays=True, within=ABOVE_0)
def random(rng: np.random.Generator, nu: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    nu : float or array
        Degrees of freedom, the mean; positive.
    size : int or tuple of int, optional
        Shape of the result. Default: that of the parameter.

    Returns
    -------
    x : float or array
        The draws.

    Raises
    ------
    ValueError
        If `check` says that a parameter is invalid, or if shapes do not broadcast.
    """
    return rng.chisquare(nu, size)


def support(nu: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and infinity."""
    return 0.0, math.inf

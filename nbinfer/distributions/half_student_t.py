r"""The half-t distribution: the absolute value of Student's t centred at 0.

.. math:: p(x \mid \nu, \sigma) = \frac{2\,\Gamma(\frac{\nu+1}2)}{\Gamma(\frac\nu2)\sqrt{\nu\pi}\,\sigma}
    \Big(1 + \frac{x^2}{\nu\sigma^2}\Big)^{-\frac{\nu+1}{2}}, \qquad x \ge 0
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, Check
from nbinfer.distributions._function import density, generator
from nbinfer.distributions.student_t import log_lower
from nbinfer.distributions.student_t import logpdf as two_sided
from nbinfer.vectormath import log1mexp, log_betainc, select, where_valid

_LOG_2 = math.log(2.0)

check = Check("half_student_t", nu=POSITIVE, sigma=POSITIVE)


@density
def logpdf(x: Any, nu: Any, sigma: Any) -> Any:
    r"""Log density, that of `student_t` around 0, doubled, where :math:`x \ge 0`.

    Parameters
    ----------
    x : float or array
        Where; below 0, and where ``x / sigma`` overflows, the result is ``-inf``.
    nu : float or array
        Degrees of freedom; positive.
    sigma : float or array
        Scale; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid(x >= 0.0, two_sided(x, nu, 0.0, sigma) + _LOG_2)


@density
def _log_near(z: Any, nu: Any) -> Any:
    """Log of the probability of values up to z, exact where that is small."""
    w = z**2 / (z**2 + nu)
    return log_betainc(0.5, 0.5 * nu, select(w < 0.5, w, 0.5))


@density
def logcdf(x: Any, nu: Any, sigma: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    nu, sigma : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > 0.0
    z = select(inside, x, sigma) / sigma
    small = (z < 1.0) & (z**2 < nu)
    far = log_lower(-z, nu) + _LOG_2
    logp = select(small, _log_near(z, nu), log1mexp(select(small, -1.0, far)))
    return where_valid(inside & (nu > 0.0) & (nu < np.inf) & (sigma > 0.0) & (sigma < np.inf), logp)


@density
def logsf(x: Any, nu: Any, sigma: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    nu, sigma : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > 0.0
    z = select(inside, x, sigma) / sigma
    small = (z < 1.0) & (z**2 < nu)
    logp = select(small, log1mexp(select(small, _log_near(z, nu), -1.0)), log_lower(-z, nu) + _LOG_2)
    valid = (x == x) & (nu > 0.0) & (nu < np.inf) & (sigma > 0.0) & (sigma < np.inf)
    return where_valid(valid, select(inside, logp, 0.0))


@generator(check, arrays=True)
def random(rng: np.random.Generator, nu: Any, sigma: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    nu : float or array
        Degrees of freedom; positive.
    sigma : float or array
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
    return np.abs(sigma * rng.standard_t(nu, size))


def support(nu: Any, sigma: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and infinity."""
    return 0.0, math.inf

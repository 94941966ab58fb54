r"""Student's t distribution with location and scale.

.. math:: p(x \mid \nu, \mu, \sigma) = \frac{\Gamma(\frac{\nu+1}2)}{\Gamma(\frac\nu2)\sqrt{\nu\pi}\,\sigma}
    \Big(1 + \frac{z^2}{\nu}\Big)^{-\frac{\nu+1}{2}}, \qquad z = \frac{x-\mu}{\sigma}

SciPy: ``t(nu, mu, sigma)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, REAL, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import lbeta, log, log1p, log_betainc, log_betaincc, log_ndtr, select, where_valid

#: From these degrees of freedom on what is left out of the normal approximation is below rounding.
_LARGE = 1e8
_FAR = 1e150

check = Check("student_t", nu=POSITIVE, mu=REAL, sigma=POSITIVE)


@density
def logpdf(x: Any, nu: Any, mu: Any, sigma: Any) -> Any:
    r"""Log density, :math:`-\frac{\nu+1}2\log(1 + z^2/\nu) - \log(\mathrm{B}(\frac12, \frac\nu2)\sqrt\nu\sigma)`.

    Parameters
    ----------
    x : float or array
        Where; if ``(x - mu) / sigma`` overflows the result is ``-inf``.
    nu : float or array
        Degrees of freedom; positive.
    mu : float or array
        Median and mode.
    sigma : float or array
        Scale; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    constant = lbeta(0.5, 0.5 * nu) + 0.5 * log(nu) + log(sigma)
    z = abs(x - mu) / sigma
    far = z > _FAR  # where 1 is nothing beside z**2 / nu, and z**2 may overflow
    half = log1p(select(far, z, z * z) / select(far, nu**0.5, nu))
    logp = -0.5 * (nu + 1.0) * select(far, 2.0 * half, half) - constant
    return where_valid((nu > 0.0) & (nu < np.inf) & (sigma > 0.0), logp)


@density
def log_lower(z: Any, nu: Any) -> Any:
    r"""Log of the probability that Student's t, centred at 0 and not scaled, is up to z.

    With :math:`u = \frac12(1 + z / \sqrt{\nu + z^2})` it is :math:`I_u(\nu/2, \nu/2)`, which has its derivative by z at
    0, too. Where this would be slow and lose digits it is near to normal (Hill, CACM 13, 1970).

    Parameters
    ----------
    z : float or array
        Where.
    nu : float or array
        Degrees of freedom.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    above = z > 0.0
    below = select(above, -z, z)
    root = (below**2 + nu) ** 0.5
    u = 0.5 * nu / (root * (root - below))
    large = nu > _LARGE
    half = 0.5 * select(large, 1.0, nu)
    near = select(above, log_betaincc(half, half, u), log_betainc(half, half, u))
    q = z**2 / nu
    ratio = select(q > 1e-8, log1p(q) / select(q > 1e-8, q, 1.0), 1.0 - 0.5 * q)
    return select(large, log_ndtr(z * ratio**0.5 * (1.0 - 0.25 / nu)), near)


@density
def logcdf(x: Any, nu: Any, mu: Any, sigma: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    nu, mu, sigma : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid((nu > 0.0) & (nu < np.inf) & (sigma > 0.0) & (sigma < np.inf), log_lower((x - mu) / sigma, nu))


@density
def logsf(x: Any, nu: Any, mu: Any, sigma: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    nu, mu, sigma : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid((nu > 0.0) & (nu < np.inf) & (sigma > 0.0) & (sigma < np.inf), log_lower((mu - x) / sigma, nu))


@generator(check, arrays=True)
def random(rng: np.random.Generator, nu: Any, mu: Any, sigma: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    nu : float or array
        Degrees of freedom; positive.
    mu : float or array
        Median and mode.
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
    return mu + sigma * rng.standard_t(nu, size)


def support(nu: Any, mu: Any, sigma: Any) -> tuple[Any, Any]:
    """Return the ends of the support: all real numbers."""
    return -math.inf, math.inf

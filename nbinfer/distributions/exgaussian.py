r"""The exponentially modified Gaussian distribution: a normal plus an exponential.

.. math:: p(x \mid \mu, \sigma, \nu) = \frac1\nu \exp\Big(\frac{\sigma^2}{2\nu^2} - \frac{x-\mu}{\nu}\Big)
    \Phi\Big(z - \frac\sigma\nu\Big), \qquad z = \frac{x-\mu}{\sigma}

SciPy: ``exponnorm(nu / sigma, mu, sigma)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, REAL, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import log, log1mexp, log_erfcx, log_ndtr, logaddexp, select, where_valid

_LOG_2, _ROOT_HALF = math.log(2.0), math.sqrt(0.5)
_LEAST = 1e-100

check = Check("exgaussian", mu=REAL, sigma=POSITIVE, nu=POSITIVE)


@density
def logpdf(x: Any, mu: Any, sigma: Any, nu: Any) -> Any:
    r"""Log density, :math:`\frac12 s^2 - sz + \log\Phi(z - s) - \log\nu` with :math:`s = \sigma/\nu`.

    Parameters
    ----------
    x : float or array
        Where.
    mu : float or array
        Mean of the normal.
    sigma : float or array
        Standard deviation of the normal; positive.
    nu : float or array
        Mean of the exponential; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    least = _LEAST * sigma  # where nu is less it is a normal, and sigma / nu may overflow
    mean = select(nu < least, least, nu)
    z, s = (x - mu) / sigma, sigma / mean
    u = z - s
    # Far below, the exponential and the normal probability cancel but for a scaled error function.
    below = -0.5 * z**2 + log_erfcx(-_ROOT_HALF * u) - _LOG_2
    above = 0.5 * s**2 - s * z + log_ndtr(u)
    return where_valid((sigma > 0.0) & (nu > 0.0), select(u < 0.0, below, above) - log(mean))


@density
def logcdf(x: Any, mu: Any, sigma: Any, nu: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    mu, sigma, nu : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    log_normal = log_ndtr((x - mu) / sigma)
    return where_valid(nu > 0.0, log_normal + log1mexp(logpdf(x, mu, sigma, nu) + log(nu) - log_normal))


@density
def logsf(x: Any, mu: Any, sigma: Any, nu: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    mu, sigma, nu : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid(nu > 0.0, logaddexp(log_ndtr((mu - x) / sigma), logpdf(x, mu, sigma, nu) + log(nu)))


@generator(check)
def random(rng: np.random.Generator, mu: Any, sigma: Any, nu: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : float or array
        Mean of the normal.
    sigma : float or array
        Standard deviation of the normal; positive.
    nu : float or array
        Mean of the exponential; positive.
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
    return mu + sigma * rng.standard_normal() + nu * rng.standard_exponential()


def support(mu: Any, sigma: Any, nu: Any) -> tuple[Any, Any]:
    """Return the ends of the support: all real numbers."""
    return -math.inf, math.inf

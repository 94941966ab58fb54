r"""The negative binomial distribution: Poisson with a mean from a gamma distribution.

.. math:: p(k \mid \mu, \alpha) = \frac{\Gamma(k+\alpha)}{k!\,\Gamma(\alpha)}
    \Big(\frac{\alpha}{\mu+\alpha}\Big)^\alpha \Big(\frac{\mu}{\mu+\alpha}\Big)^k, \qquad k = 0, 1, \dots

SciPy: ``nbinom(alpha, alpha / (mu + alpha))``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import NONNEGATIVE, POSITIVE, Check
from nbinfer.distributions._counts import poisson_counts
from nbinfer.distributions._function import FINITE, density, generator
from nbinfer.vectormath import exp, floor, is_whole, log_betainc, log_betaincc, log_polya, select, where_valid

check = Check("negative_binomial", mu=NONNEGATIVE, alpha=POSITIVE)

#: The logarithm of a mean whose exponential neither overflows nor underflows.
_MOST = 700.0


@density
def logpmf(k: Any, mu: Any, alpha: Any) -> Any:
    """Log probability.

    Parameters
    ----------
    k : int or array
        Where; what is not a whole number from 0 on gives ``-inf``.
    mu : float or array
        Mean; not negative.
    alpha : float or array
        Shape of the gamma distribution; positive. The variance is ``mu + mu**2 / alpha``.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    valid = (k >= 0) & is_whole(k) & (mu >= 0.0) & (alpha > 0.0) & (alpha < np.inf)
    return where_valid(valid, log_polya(select(valid, k, 0), alpha, mu, alpha))


@density
def logpmf_log(k: Any, eta: Any, alpha: Any) -> Any:
    """Log probability from the logarithm of the mean.

    Parameters
    ----------
    k : int or array
        Where; what is not a whole number from 0 on gives ``-inf``.
    eta : float or array
        Logarithm of the mean.
    alpha : float or array
        Shape of the gamma distribution; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    least = select(eta < -_MOST, eta + _MOST, 0.0)
    most = select(eta > _MOST, eta - _MOST, 0.0)
    valid = (k >= 0) & is_whole(k) & (eta < np.inf) & (alpha > 0.0) & (alpha < np.inf)
    k = select(valid, k, 0)
    logp = log_polya(k, alpha, exp(eta - least - most), alpha)
    return where_valid(valid, logp + (k * least - alpha * most))


@density
def logcdf(k: Any, mu: Any, alpha: Any) -> Any:
    """Log of the probability of values up to k.

    Parameters
    ----------
    k : float or array
        Where.
    mu, alpha : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = (k >= 0) & (k < np.inf)
    logp = log_betainc(alpha, select(inside, floor(k) + 1.0, 1.0), alpha / (alpha + mu))
    return where_valid((k >= 0) & (mu >= 0.0) & (alpha > 0.0), select(inside, logp, 0.0))


@density
def logsf(k: Any, mu: Any, alpha: Any) -> Any:
    """Log of the probability of values beyond k.

    Parameters
    ----------
    k : float or array
        Where.
    mu, alpha : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = (k >= 0) & (k < np.inf)
    logp = log_betaincc(alpha, select(inside, floor(k) + 1.0, 1.0), alpha / (alpha + mu))
    return where_valid((k < np.inf) & (mu >= 0.0) & (alpha > 0.0), select(inside, logp, 0.0))


@generator(check, discrete=True)
def random(rng: np.random.Generator, mu: Any, alpha: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : float or array
        Mean; not negative.
    alpha : float or array
        Shape of the gamma distribution; positive. The variance is ``mu + mu**2 / alpha``.
    size : int or tuple of int, optional
        Shape of the result. Default: the parameters' common shape.

    Returns
    -------
    k : int or array
        The draws; one beyond int64 is the largest of these.

    Raises
    ------
    ValueError
        If `check` says that a parameter is invalid, or if shapes do not broadcast.
    """
    return poisson_counts(rng, rng.gamma(alpha, min(mu / alpha, FINITE[1])), None)


def support(mu: Any, alpha: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and infinity."""
    return 0, math.inf

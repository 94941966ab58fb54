r"""The binomial distribution: the number of successes in n trials.

.. math:: p(k \mid n, p) = \binom nk p^k (1-p)^{n-k}, \qquad k = 0, \dots, n

SciPy: ``binom(n, p)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.distributions._check import COUNT, PROBABILITY, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import (
    expit,
    floor,
    is_whole,
    log_betainc,
    log_betaincc,
    minus_deviance,
    select,
    stirling_rest_whole,
    where_valid,
)

#: A logarithm of odds whose exponential neither overflows nor underflows.
_MOST = 700.0

check = Check("binomial", n=COUNT, p=PROBABILITY)


@density
def logpmf(k: Any, n: Any, p: Any) -> Any:
    r"""Log probability, :math:`\log\binom nk + k\log p + (n-k)\log(1-p)`.

    Parameters
    ----------
    k : int or array
        Where; what is not a whole number from 0 to n gives ``-inf``.
    n : int or array
        Number of trials; a whole number that is not negative.
    p : float or array
        Probability of success in a trial.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    deviances = minus_deviance(k, p, n) + minus_deviance(n - k, 1.0 - p, n)
    ways = stirling_rest_whole(n) - stirling_rest_whole(k) - stirling_rest_whole(n - k)
    valid = (k >= 0) & (k <= n) & is_whole(k) & is_whole(n) & (p >= 0.0) & (p <= 1.0)
    return where_valid(valid, deviances + ways)


@density
def logpmf_logit(k: Any, n: Any, eta: Any) -> Any:
    r"""Log probability from log odds :math:`\eta = \log(p / (1-p))`, :math:`\log\binom nk + k\eta - n\log(1 + e^\eta)`.

    Parameters
    ----------
    k : int or array
        Where; what is not a whole number from 0 to n gives ``-inf``.
    n : int or array
        Number of trials; a whole number that is not negative.
    eta : float or array
        Log odds of success in a trial.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    # Beyond its bounds the logistic function underflows.
    least = select(eta < -_MOST, eta + _MOST, 0.0)
    most = select(eta > _MOST, eta - _MOST, 0.0)
    bounded = eta - least - most
    deviances = minus_deviance(k, expit(bounded), n) + minus_deviance(n - k, expit(-bounded), n)
    ways = stirling_rest_whole(n) - stirling_rest_whole(k) - stirling_rest_whole(n - k)
    valid = (k >= 0) & (k <= n) & is_whole(k) & is_whole(n)
    return where_valid(valid, deviances + ways + (k * least - (n - k) * most))


@density
def logcdf(k: Any, n: Any, p: Any) -> Any:
    """Log of the probability of values up to k.

    Parameters
    ----------
    k : float or array
        Where.
    n, p : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    whole = floor(k)
    inside = (whole >= 0) & (whole < n)
    logp = log_betaincc(select(inside, whole + 1.0, 1.0), select(inside, n - whole, 1.0), p)
    valid = (k >= 0) & is_whole(n) & (p >= 0.0) & (p <= 1.0)
    return where_valid(valid, select(inside, logp, 0.0))


@density
def logsf(k: Any, n: Any, p: Any) -> Any:
    """Log of the probability of values beyond k.

    Parameters
    ----------
    k : float or array
        Where.
    n, p : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    whole = floor(k)
    inside = (whole >= 0) & (whole < n)
    logp = log_betainc(select(inside, whole + 1.0, 1.0), select(inside, n - whole, 1.0), p)
    valid = (k < n) & is_whole(n) & (p >= 0.0) & (p <= 1.0)
    return where_valid(valid, select(inside, logp, 0.0))


@generator(check, arrays=True, discrete=True)
def random(rng: np.random.Generator, n: Any, p: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    n : int or array
        Number of trials; a whole number that is not negative.
    p : float or array
        Probability of success in a trial.
    size : int or tuple of int, optional
        Shape of the result. Default: the parameters' common shape.

    Returns
    -------
    k : int or array
        The draws.

    Raises
    ------
    ValueError
        If `check` says that a parameter is invalid, or if shapes do not broadcast.
    """
    return rng.binomial(np.int64(n), p, size)


def support(n: Any, p: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and n."""
    return 0, n

r"""The Poisson distribution.

.. math:: p(k \mid \mu) = \frac{\mu^k e^{-\mu}}{k!}, \qquad k = 0, 1, \dots

SciPy: ``poisson(mu)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import NONNEGATIVE, Check
from nbinfer.distributions._counts import poisson_counts
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import (
    floor,
    is_whole,
    log_gammainc,
    log_gammaincc,
    minus_deviance,
    minus_deviance_log,
    select,
    stirling_rest_whole,
    where_valid,
)

check = Check("poisson", mu=NONNEGATIVE)


@density
def logpmf(k: Any, mu: Any) -> Any:
    r"""Log probability, :math:`k\log\mu - \mu - \log k!`.

    Parameters
    ----------
    k : int or array
        Where; what is not a whole number from 0 on gives ``-inf``.
    mu : float or array
        Mean; not negative.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    valid = (k >= 0) & is_whole(k) & (mu >= 0.0)
    return where_valid(valid, minus_deviance(k, mu, 1.0) - stirling_rest_whole(k))


@density
def logpmf_log(k: Any, eta: Any) -> Any:
    r"""Log probability from the logarithm of the mean, :math:`k\eta - e^\eta - \log k!`.

    Parameters
    ----------
    k : int or array
        Where; what is not a whole number from 0 on gives ``-inf``.
    eta : float or array
        Logarithm of the mean.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid((k >= 0) & is_whole(k), minus_deviance_log(k, eta) - stirling_rest_whole(k))


@density
def logcdf(k: Any, mu: Any) -> Any:
    """Log of the probability of values up to k.

    Parameters
    ----------
    k : float or array
        Where.
    mu : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = (k >= 0) & (k < np.inf)
    logp = log_gammaincc(select(inside, floor(k) + 1.0, 1.0), mu)
    return where_valid((k >= 0) & (mu >= 0.0), select(inside, logp, 0.0))


@density
def logsf(k: Any, mu: Any) -> Any:
    """Log of the probability of values beyond k.

    Parameters
    ----------
    k : float or array
        Where.
    mu : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = (k >= 0) & (k < np.inf)
    logp = log_gammainc(select(inside, floor(k) + 1.0, 1.0), mu)
    return where_valid((k < np.inf) & (mu >= 0.0), select(inside, logp, 0.0))


@generator(check, arrays=True, discrete=True)
def random(rng: np.random.Generator, mu: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : float or array
        Mean; not negative.
    size : int or tuple of int, optional
        Shape of the result. Default: that of the parameter.

    Returns
    -------
    k : int or array
        The draws; one beyond int64 is the largest of these.

    Raises
    ------
    ValueError
        If `check` says that a parameter is invalid, or if shapes do not broadcast.
    """
    return poisson_counts(rng, mu, size)


def support(mu: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and infinity."""
    return 0, math.inf

r"""The ordered logistic distribution: a logistic variable, cut into numbered pieces.

.. math:: p(k \mid \eta, c) = \sigma(c_k - \eta) - \sigma(c_{k-1} - \eta), \qquad k = 0, \dots, K - 1

where :math:`\sigma` is the logistic function, :math:`c_{-1} = -\infty` and :math:`c_{K-1} = \infty`. The cut points are
the last axis; other axes broadcast.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.distributions._check import ORDERED, REAL, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import floor, is_whole, log1mexp, log_expit, pick, select, where_valid

check = Check("ordered_logistic", eta=REAL, cutpoints=ORDERED)


@density(cores=(0, 0, 1))
def logpmf(k: Any, eta: Any, cutpoints: Any) -> Any:
    """Log probability.

    Parameters
    ----------
    k : int or array
        Where; what is not a whole number up to the number of cut points gives ``-inf``.
    eta : float or array
        Location of the logistic variable.
    cutpoints : array
        The K - 1 points c between the pieces, increasing along the last axis. Only the two around k are compared.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    last = cutpoints.shape[-1]
    valid = (k >= 0) & (k <= last) & is_whole(k)
    upper = select(valid & (k < last), pick(cutpoints, k), np.inf)
    lower = select(valid & (k > 0), pick(cutpoints, k - 1), -np.inf)
    # sigma(u) - sigma(l) = sigma(u) sigma(-l) (1 - exp(l - u))
    logp = log_expit(upper - eta) + log_expit(eta - lower) + log1mexp(lower - upper)
    return where_valid(valid & (lower < upper), logp)


@density(cores=(0, 0, 1))
def logcdf(k: Any, eta: Any, cutpoints: Any) -> Any:
    """Log of the probability of values up to k.

    Parameters
    ----------
    k : float or array
        Where.
    eta, cutpoints : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    whole = floor(k)
    inside = (whole >= 0) & (whole < cutpoints.shape[-1])
    cut = pick(cutpoints, select(inside, whole, 0))
    return where_valid((k >= 0) & (cut == cut) & (eta == eta), select(inside, log_expit(cut - eta), 0.0))


@density(cores=(0, 0, 1))
def logsf(k: Any, eta: Any, cutpoints: Any) -> Any:
    """Log of the probability of values beyond k.

    Parameters
    ----------
    k : float or array
        Where.
    eta, cutpoints : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    whole = floor(k)
    inside = (whole >= 0) & (whole < cutpoints.shape[-1])
    cut = pick(cutpoints, select(inside, whole, 0))
    logp = select(inside, log_expit(eta - cut), 0.0)
    return where_valid((whole < cutpoints.shape[-1]) & (cut == cut) & (eta == eta), logp)


@generator(check, discrete=True)
def random(rng: np.random.Generator, eta: Any, cutpoints: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    eta : float or array
        Location of the logistic variable.
    cutpoints : array
        The K - 1 points c between the pieces, increasing along the last axis.
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
    x = rng.logistic(eta, 1.0)
    k = 0
    for cut in cutpoints:
        k += x > cut
    return int(k)


def support(eta: Any, cutpoints: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and the number of cut points."""
    return 0, np.shape(cutpoints)[-1]

r"""The Bernoulli distribution: 1 with a probability, else 0.

.. math:: p(k \mid p) = p^k (1-p)^{1-k}, \qquad k \in \{0, 1\}

SciPy: ``bernoulli(p)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.distributions._check import PROBABILITY, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import log, log1p, log_expit, select, where_valid

check = Check("bernoulli", p=PROBABILITY)


@density
def logpmf(k: Any, p: Any) -> Any:
    r"""Log probability, :math:`\log p` for 1 and :math:`\log(1-p)` for 0.

    Parameters
    ----------
    k : int or array
        Where; what is neither 0 nor 1 gives ``-inf``.
    p : float or array
        Probability of 1.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    one = k == 1
    log_p = log(select(p > 0.0, p, 1.0))
    log_q = log1p(-select(p < 1.0, p, 0.0))
    valid = (one & (p > 0.0) & (p <= 1.0)) | ((k == 0) & (p >= 0.0) & (p < 1.0))
    return where_valid(valid, select(one, log_p, log_q))


@density
def logpmf_logit(k: Any, eta: Any) -> Any:
    r"""Log probability from log odds :math:`\eta = \log(p / (1-p))`, :math:`-\log(1 + e^{\mp\eta})`.

    Parameters
    ----------
    k : int or array
        Where; what is neither 0 nor 1 gives ``-inf``.
    eta : float or array
        Log odds of 1.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    one = k == 1
    return where_valid(one | (k == 0), log_expit(select(one, eta, -eta)))


@density
def logcdf(k: Any, p: Any) -> Any:
    """Log of the probability of values up to k.

    Parameters
    ----------
    k : float or array
        Where.
    p : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    log_q = log1p(-select((k < 1) & (p < 1.0), p, 0.0))
    possible = (k >= 1) | ((k >= 0) & (p < 1.0))
    return where_valid(possible & (p >= 0.0) & (p <= 1.0), log_q)


@density
def logsf(k: Any, p: Any) -> Any:
    """Log of the probability of values beyond k.

    Parameters
    ----------
    k : float or array
        Where.
    p : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    log_p = log(select((k >= 0) & (p > 0.0), p, 1.0))
    possible = (k < 0) | ((k < 1) & (p > 0.0))
    return where_valid(possible & (p >= 0.0) & (p <= 1.0), log_p)


@generator(check, arrays=True, discrete=True)
def random(rng: np.random.Generator, p: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    p : float or array
        Probability of 1.
    size : int or tuple of int, optional
        Shape of the result. Default: that of the parameter.

    Returns
    -------
    k : int or array
        The draws.

    Raises
    ------
    ValueError
        If `check` says that a parameter is invalid, or if shapes do not broadcast.
    """
    return 1 * (rng.random(size) < p)


def support(p: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and 1."""
    return 0, 1

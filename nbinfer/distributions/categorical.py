r"""The categorical distribution: one of the numbers from 0 on, by their probabilities.

.. math:: p(k \mid p) = p_k, \qquad k = 0, \dots, K - 1

The categories are the last axis of p; its other axes broadcast with k.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.distributions._check import SIMPLEX, SUM_TOLERANCE, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import log, pick, row_logsumexp, row_sum, where_valid

check = Check("categorical", p=SIMPLEX)


@density(cores=(0, 1))
def logpmf(k: Any, p: Any) -> Any:
    r"""Log probability, :math:`\log p_k`.

    Parameters
    ----------
    k : int or array
        Where; what is not a whole number below the number of categories gives ``-inf``.
    p : array
        Probabilities of the categories, along the last axis; they sum to 1.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    chosen = pick(p, k)
    return where_valid((abs(row_sum(p) - 1.0) <= SUM_TOLERANCE) & (chosen >= 0.0), log(chosen))


@density(cores=(0, 1))
def logpmf_logit(k: Any, eta: Any) -> Any:
    r"""Log probability from logits, :math:`\eta_k - \log\sum_j e^{\eta_j}`.

    Parameters
    ----------
    k : int or array
        Where; what is not a whole number below the number of categories gives ``-inf``.
    eta : array
        Logits of the categories, along the last axis: log probabilities up to a constant.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid(k >= 0, pick(eta, k) - row_logsumexp(eta))


@generator(check, discrete=True)
def random(rng: np.random.Generator, p: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    p : array
        Probabilities of the categories, along the last axis; they sum to 1.
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
    u = rng.random()
    total, last = 0.0, 0
    for k in range(len(p)):
        if p[k] > 0.0:
            total += p[k]
            last = k
            if u < total:
                break
    return last


def support(p: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and the number of categories less one."""
    return 0, np.shape(p)[-1] - 1

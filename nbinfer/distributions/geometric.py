r"""The geometric distribution: the number of trials up to the first success.

.. math:: p(k \mid p) = p\,(1-p)^{k-1}, \qquad k = 1, 2, \dots

SciPy: ``geom(p)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import PROBABILITY, Check
from nbinfer.distributions._counts import geometric_counts
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import floor, is_whole, log, log1mexp, log1p, select, where_valid

check = Check("geometric", p=PROBABILITY).also("p must not be 0", lambda p: p > 0.0)


@density
def logpmf(k: Any, p: Any) -> Any:
    r"""Log probability, :math:`\log p + (k-1)\log(1-p)`.

    Parameters
    ----------
    k : int or array
        Where; what is not a whole number from 1 on gives ``-inf``.
    p : float or array
        Probability of success in a trial; not 0.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    log_q = log1p(-select(p < 1.0, p, 0.0))
    valid = (k >= 1) & is_whole(k) & (p > 0.0) & ((p < 1.0) | ((p == 1.0) & (k == 1)))
    return where_valid(valid, log(select(p > 0.0, p, 1.0)) + (k - 1) * log_q)


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
    trials = floor(k)
    log_q = log1p(-select((p > 0.0) & (p < 1.0), p, 0.5))
    inside = trials >= 1.0
    logp = select(p < 1.0, log1mexp(select(inside, trials, 1.0) * log_q), 0.0)
    return where_valid(inside & (p > 0.0) & (p <= 1.0), logp)


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
    log_q = log1p(-select(p < 1.0, p, 0.0))
    logp = select(k < 1.0, 0.0, floor(k)) * log_q
    return where_valid((p > 0.0) & ((p < 1.0) | ((p == 1.0) & (k < 1.0))), logp)


@generator(check, arrays=True, discrete=True)
def random(rng: np.random.Generator, p: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    p : float or array
        Probability of success in a trial; not 0.
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
    return geometric_counts(rng, p, size)


def support(p: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 1 and infinity."""
    return 1, math.inf

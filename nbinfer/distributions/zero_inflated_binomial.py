r"""The zero-inflated binomial distribution: a binomial number with a probability, else 0.

.. math:: p(k \mid \psi, \dots) = (1 - \psi)\,[k = 0] + \psi\,p(k \mid \dots)

with the probability of `binomial` on the right.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.distributions._check import COUNT, PROBABILITY, Check
from nbinfer.distributions._function import density, generator
from nbinfer.distributions._zero_inflated import cumulated, exceeded, inflated
from nbinfer.distributions.binomial import logcdf as base_logcdf
from nbinfer.distributions.binomial import logpmf as base
from nbinfer.distributions.binomial import logsf as base_logsf
from nbinfer.vectormath import is_whole

check = Check("zero_inflated_binomial", psi=PROBABILITY, n=COUNT, p=PROBABILITY)


@density
def logpmf(k: Any, psi: Any, n: Any, p: Any) -> Any:
    """Log probability.

    Parameters
    ----------
    k : int or array
        Where; what is not a whole number from 0 to n gives ``-inf``.
    psi : float or array
        Probability of a binomial number.
    n : int or array
        Number of trials; a whole number that is not negative.
    p : float or array
        Probability of success in a trial.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    valid = (n >= 0) & is_whole(n) & (p >= 0.0) & (p <= 1.0)
    return inflated(k, psi, base(k, n, p), valid)


@density
def logcdf(k: Any, psi: Any, n: Any, p: Any) -> Any:
    """Log of the probability of values up to k.

    Parameters
    ----------
    k : float or array
        Where.
    psi, n, p : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return cumulated(k, psi, base_logcdf(k, n, p), (n >= 0) & is_whole(n) & (p >= 0.0) & (p <= 1.0))


@density
def logsf(k: Any, psi: Any, n: Any, p: Any) -> Any:
    """Log of the probability of values beyond k.

    Parameters
    ----------
    k : float or array
        Where.
    psi, n, p : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return exceeded(k, psi, base_logsf(k, n, p), (n >= 0) & is_whole(n) & (p >= 0.0) & (p <= 1.0))


@generator(check, discrete=True)
def random(rng: np.random.Generator, psi: Any, n: Any, p: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    psi : float or array
        Probability of a binomial number.
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
    return rng.binomial(int(n), p) if rng.random() < psi else 0


def support(psi: Any, n: Any, p: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and n."""
    return 0, n

r"""The zero-inflated Poisson distribution: a Poisson number with a probability, else 0.

.. math:: p(k \mid \psi, \mu) = (1 - \psi)\,[k = 0] + \psi\,\frac{\mu^k e^{-\mu}}{k!}, \qquad k = 0, 1, \dots
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import NONNEGATIVE, PROBABILITY, Check
from nbinfer.distributions._counts import poisson_counts
from nbinfer.distributions._function import density, generator
from nbinfer.distributions._zero_inflated import cumulated, exceeded, inflated
from nbinfer.distributions.poisson import logcdf as base_logcdf
from nbinfer.distributions.poisson import logpmf as base
from nbinfer.distributions.poisson import logsf as base_logsf

check = Check("zero_inflated_poisson", psi=PROBABILITY, mu=NONNEGATIVE)


@density
def logpmf(k: Any, psi: Any, mu: Any) -> Any:
    """Log probability.

    Parameters
    ----------
    k : int or array
        Where; what is not a whole number from 0 on gives ``-inf``.
    psi : float or array
        Probability of a Poisson number.
    mu : float or array
        Mean of the Poisson numbers; not negative.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return inflated(k, psi, base(k, mu), (mu >= 0.0) & (mu < np.inf))


@density
def logcdf(k: Any, psi: Any, mu: Any) -> Any:
    """Log of the probability of values up to k.

    Parameters
    ----------
    k : float or array
        Where.
    psi, mu : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return cumulated(k, psi, base_logcdf(k, mu), (mu >= 0.0) & (mu < np.inf))


@density
def logsf(k: Any, psi: Any, mu: Any) -> Any:
    """Log of the probability of values beyond k.

    Parameters
    ----------
    k : float or array
        Where.
    psi, mu : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return exceeded(k, psi, base_logsf(k, mu), (mu >= 0.0) & (mu < np.inf))


@generator(check, discrete=True)
def random(rng: np.random.Generator, psi: Any, mu: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    psi : float or array
        Probability of a Poisson number.
    mu : float or array
        Mean of the Poisson numbers; not negative.
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
    return poisson_counts(rng, mu, None) if rng.random() < psi else 0


def support(psi: Any, mu: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and infinity."""
    return 0, math.inf

r"""The zero-inflated negative binomial distribution: a negative binomial number with a probability, else 0.

.. math:: p(k \mid \psi, \dots) = (1 - \psi)\,[k = 0] + \psi\,p(k \mid \dots)

with the probability of `negative_binomial` on the right.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import NONNEGATIVE, POSITIVE, PROBABILITY, Check
from nbinfer.distributions._counts import poisson_counts
from nbinfer.distributions._function import FINITE, density, generator
from nbinfer.distributions._zero_inflated import cumulated, exceeded, inflated
from nbinfer.distributions.negative_binomial import logcdf as base_logcdf
from nbinfer.distributions.negative_binomial import logpmf as base
from nbinfer.distributions.negative_binomial import logsf as base_logsf

check = Check("zero_inflated_negative_binomial", psi=PROBABILITY, mu=NONNEGATIVE, alpha=POSITIVE)


@density
def logpmf(k: Any, psi: Any, mu: Any, alpha: Any) -> Any:
    """Log probability.

    Parameters
    ----------
    k : int or array
        Where; what is not a whole number from 0 on gives ``-inf``.
    psi : float or array
        Probability of a negative binomial number.
    mu : float or array
        Mean of the negative binomial numbers; not negative.
    alpha : float or array
        Their shape; positive. Their variance is ``mu + mu**2 / alpha``.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    valid = (mu >= 0.0) & (mu < np.inf) & (alpha > 0.0) & (alpha < np.inf)
    return inflated(k, psi, base(k, mu, alpha), valid)


@density
def logcdf(k: Any, psi: Any, mu: Any, alpha: Any) -> Any:
    """Log of the probability of values up to k.

    Parameters
    ----------
    k : float or array
        Where.
    psi, mu, alpha : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return cumulated(k, psi, base_logcdf(k, mu, alpha), (mu >= 0.0) & (mu < np.inf) & (alpha > 0.0) & (alpha < np.inf))


@density
def logsf(k: Any, psi: Any, mu: Any, alpha: Any) -> Any:
    """Log of the probability of values beyond k.

    Parameters
    ----------
    k : float or array
        Where.
    psi, mu, alpha : float or array
        As for `logpmf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return exceeded(k, psi, base_logsf(k, mu, alpha), (mu >= 0.0) & (mu < np.inf) & (alpha > 0.0) & (alpha < np.inf))


@generator(check, discrete=True)
def random(rng: np.random.Generator, psi: Any, mu: Any, alpha: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    psi : float or array
        Probability of a negative binomial number.
    mu : float or array
        Mean of the negative binomial numbers; not negative.
    alpha : float or array
        Their shape; positive. Their variance is ``mu + mu**2 / alpha``.
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
    return poisson_counts(rng, rng.gamma(alpha, min(mu / alpha, FINITE[1])), None) if rng.random() < psi else 0


def support(psi: Any, mu: Any, alpha: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and infinity."""
    return 0, math.inf

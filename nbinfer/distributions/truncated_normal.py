r"""The normal distribution between two bounds.

.. math:: p(x \mid \mu, \sigma, a, b) = \frac{\varphi((x-\mu)/\sigma)}
    {\sigma\,\big(\Phi((b-\mu)/\sigma) - \Phi((a-\mu)/\sigma)\big)}, \qquad a \le x \le b

SciPy: ``truncnorm((lower - mu) / sigma, (upper - mu) / sigma, mu, sigma)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import BOUND, POSITIVE, REAL, Check
from nbinfer.distributions._function import density, generator
from nbinfer.distributions.normal import logpdf as untruncated
from nbinfer.vectormath import log1mexp, log_ndtr, select, where_valid

_FAR = 1e9  # standard deviations: nothing lies beyond

check = Check("truncated_normal", mu=REAL, sigma=POSITIVE, lower=BOUND, upper=BOUND).also(
    "lower must be less than upper", lambda lower, upper: lower < upper
)


@density
def _log_mass(a: Any, b: Any) -> Any:
    """Logarithm of the probability of a standard normal between a and b, in the tail where that is small."""
    above = a > 0.0
    low, high = select(above, -b, a), select(above, -a, b)
    log_high = log_ndtr(high)
    return log_high + log1mexp(log_ndtr(low) - log_high)


@density
def _standardised(bound: Any, mu: Any, sigma: Any) -> Any:
    """A bound on the scale of the standard normal; far out, without derivatives, where there is none."""
    finite = (bound > -np.inf) & (bound < np.inf)
    return select(finite, (select(finite, bound, 0.0) - mu) / sigma, select(bound > 0.0, _FAR, -_FAR))


@density
def logpdf(x: Any, mu: Any, sigma: Any, lower: Any, upper: Any) -> Any:
    """Log density, that of the normal less the logarithm of the probability between the bounds.

    Parameters
    ----------
    x : float or array
        Where; outside the bounds the result is ``-inf``.
    mu : float or array
        Mean of the normal that is cut.
    sigma : float or array
        Standard deviation of that normal; positive.
    lower, upper : float or array
        The bounds a and b, ``-inf`` and ``inf`` for none; ``lower < upper``.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = (x >= lower) & (x <= upper) & (lower < upper)
    log_mass = _log_mass(_standardised(lower, mu, sigma), _standardised(upper, mu, sigma))
    return where_valid(inside, untruncated(x, mu, sigma) - log_mass)


@density
def logcdf(x: Any, mu: Any, sigma: Any, lower: Any, upper: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    mu, sigma, lower, upper : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    low = _standardised(lower, mu, sigma)
    inside = (x > lower) & (x < upper)
    logp = _log_mass(low, _standardised(select(inside, x, upper), mu, sigma))
    logp = logp - _log_mass(low, _standardised(upper, mu, sigma))
    return where_valid((x > lower) & (lower < upper) & (sigma > 0.0), logp)


@density
def logsf(x: Any, mu: Any, sigma: Any, lower: Any, upper: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    mu, sigma, lower, upper : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return logcdf(-x, -mu, sigma, -upper, -lower)


@generator(check)
def random(rng: np.random.Generator, mu: Any, sigma: Any, lower: Any, upper: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : float or array
        Mean of the normal that is cut.
    sigma : float or array
        Standard deviation of that normal; positive.
    lower, upper : float or array
        The bounds a and b, ``-inf`` and ``inf`` for none; ``lower < upper``.
    size : int or tuple of int, optional
        Shape of the result. Default: the parameters' common shape.

    Returns
    -------
    x : float or array
        The draws.

    Raises
    ------
    ValueError
        If `check` says that a parameter is invalid, or if shapes do not broadcast.
    """
    # Robert (1995): rejection from a normal, from a uniform, or in a tail from an exponential distribution.
    a, b = (lower - mu) / sigma, (upper - mu) / sigma
    sign = 1.0
    if b < 0.0:
        a, b, sign = -b, -a, -1.0
    rate = 1.0 if a <= 0.0 else 0.5 * (a + math.sqrt(a * a + 4.0)) if a < 1e9 else a
    nearest = max(a, 0.0)
    while True:
        if b - a < (2.0 if a <= 0.0 else 1.0 / rate):
            z = a + (b - a) * rng.random()
            accepted = rng.random() < math.exp(0.5 * (nearest - z) * (nearest + z))
        elif a <= 0.0:
            z = rng.standard_normal()
            accepted = True
        else:
            step = rng.standard_exponential() / rate
            z = a + step
            accepted = rng.random() < math.exp(-0.5 * (step - (rate - a)) ** 2)
        if accepted and a <= z <= b:
            return min(max(mu + sigma * sign * z, lower), upper)


def support(mu: Any, sigma: Any, lower: Any, upper: Any) -> tuple[Any, Any]:
    """Return the ends of the support: the bounds."""
    return lower, upper

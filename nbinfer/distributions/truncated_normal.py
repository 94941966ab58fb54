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
from nbinfer.vectormath import log, log1mexp, log1p, log_ndtr, select, where_valid

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_NARROW = 1e-3
_TAIL = 1e6  # standard deviations: the tail is exponential
_FAR = 1e9  # standard deviations: nothing lies beyond

check = Check("truncated_normal", mu=REAL, sigma=POSITIVE, lower=BOUND, upper=BOUND).also(
    "lower must be less than upper", lambda lower, upper: lower < upper
)


@density
def _log_mass(a: Any, b: Any, width: Any) -> Any:
    """Logarithm of the probability of a standard normal between a and b, in the tail where that is small.

    `width` is b - a, which is known better than a and b are. Where it is small two tails would cancel: there it is the
    density at the middle times the width, with a term for the curvature.
    """
    above = a > 0.0
    low, high = select(above, -b, a), select(above, -a, b)
    log_high = log_ndtr(high)
    middle = 0.5 * (low + high)
    narrow = width * (1.0 + abs(middle)) < _NARROW
    # Far out, where a and b have no digits left for their difference, it is an exponential.
    step = select(middle < -_TAIL, -width * abs(middle), log_ndtr(low) - log_high)
    wide = log_high + log1mexp(select(narrow, -1.0, step))
    width = select(narrow, width, 1.0)
    middle = select(narrow, middle, 0.0)
    flat = log(width) - _HALF_LOG_2PI - 0.5 * middle**2 + log1p((middle**2 - 1.0) * width**2 / 24.0)
    return select(narrow, flat, wide)


@density
def _standardised(bound: Any, mu: Any, sigma: Any) -> Any:
    """A bound on the scale of the standard normal; far out, without derivatives, where there is none."""
    finite = (bound > -np.inf) & (bound < np.inf)
    return select(finite, (select(finite, bound, 0.0) - mu) / sigma, select(bound > 0.0, _FAR, -_FAR))


@density
def _width(lower: Any, upper: Any, sigma: Any) -> Any:
    """The distance of bounds on the scale of the standard normal, likewise."""
    finite = (lower > -np.inf) & (upper < np.inf)
    return select(finite, (select(finite, upper, 1.0) - select(finite, lower, 0.0)) / sigma, _FAR)


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
    low, high = _standardised(lower, mu, sigma), _standardised(upper, mu, sigma)
    log_mass = _log_mass(low, high, _width(lower, upper, sigma))
    return where_valid(inside & (log_mass > -np.inf), untruncated(x, mu, sigma) - log_mass)


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
    end = select(inside, x, upper)
    logp = _log_mass(low, _standardised(end, mu, sigma), _width(lower, end, sigma))
    log_mass = _log_mass(low, _standardised(upper, mu, sigma), _width(lower, upper, sigma))
    return where_valid((x > lower) & (lower < upper) & (sigma > 0.0) & (log_mass > -np.inf), logp - log_mass)


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
    if a > _FAR:  # an exponential distribution to within rounding, by distances from the bound
        near, width = (lower if sign > 0.0 else upper), upper - lower
        mean = sigma / a
        step = -math.log1p(rng.random() * math.expm1(-width / mean)) * mean if mean > 0.0 else 0.0
        return min(max(near + sign * step, lower), upper)
    rate = 1.0 if a <= 0.0 else 0.5 * (a + math.sqrt(a * a + 4.0))
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

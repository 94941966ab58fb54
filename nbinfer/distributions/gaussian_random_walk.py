r"""The Gaussian random walk: a first value and steps that are normal.

.. math:: x_0 \sim \mathrm{N}(\mu_0, \sigma_0), \qquad x_t \sim \mathrm{N}(x_{t-1} + \delta, \sigma)

A series lies along the last axis. The drift :math:`\delta` is what a step is on average.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import COUNT, POSITIVE, REAL, Check
from nbinfer.distributions._function import generator
from nbinfer.distributions._multivariate import multivariate
from nbinfer.vectormath import where_valid

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)

check = Check("gaussian_random_walk", drift=REAL, sigma=POSITIVE, mu_0=REAL, sigma_0=POSITIVE)


@multivariate("t", "", "", "", "", each=True)
def logpdf(x: Any, drift: Any, sigma: Any, mu_0: Any, sigma_0: Any) -> Any:
    r"""Log density of a series.

    Parameters
    ----------
    x : array, shape (…, t)
        Series of one or more values.
    drift : float or array, shape (…)
        Mean of a step.
    sigma : float or array, shape (…)
        Standard deviation of a step; where it is not positive the result is ``-inf``.
    mu_0 : float or array, shape (…)
        Mean of the first value.
    sigma_0 : float or array, shape (…)
        Standard deviation of the first value; where it is not positive the result is ``-inf``.

    Returns
    -------
    logp : float or array
        One value for each series.
    """
    first = (x[0] - mu_0) / sigma_0
    squares = first * first
    for t in range(1, x.shape[0]):
        step = (x[t] - x[t - 1] - drift) / sigma
        squares += step * step
    constant = (x.shape[0] - 1) * np.log(sigma) + np.log(sigma_0) + x.shape[0] * _HALF_LOG_2PI
    return where_valid((sigma > 0.0) & (sigma_0 > 0.0), -0.5 * squares - constant)


@generator(
    Check("gaussian_random_walk", drift=REAL, sigma=POSITIVE, mu_0=REAL, sigma_0=POSITIVE, length=COUNT),
    element="int(length),",
)
def random(
    rng: np.random.Generator, drift: Any, sigma: Any, mu_0: Any, sigma_0: Any, length: Any, size: Any = None
) -> Any:
    """Draw random series.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    drift : float or array, shape (…)
        Mean of a step.
    sigma : float or array, shape (…)
        Standard deviation of a step.
    mu_0 : float or array, shape (…)
        Mean of the first value.
    sigma_0 : float or array, shape (…)
        Standard deviation of the first value.
    length : int
        How many values a series has.
    size : int or tuple of int, optional
        How many, without the axis of a series. Default: the parameters' common shape.

    Returns
    -------
    x : array, shape (…, length)
        The draws.

    Raises
    ------
    ValueError
        If a parameter is invalid, or if shapes do not fit.
    """
    n = int(length)
    x = np.empty(n)
    if n > 0:
        x[0] = mu_0 + sigma_0 * rng.standard_normal()
    for t in range(1, n):
        x[t] = x[t - 1] + drift + sigma * rng.standard_normal()
    return x


def support(drift: Any, sigma: Any, mu_0: Any, sigma_0: Any) -> tuple[Any, Any]:
    """Return the ends of the support of each element: all real numbers."""
    return -math.inf, math.inf

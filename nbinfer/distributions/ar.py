r"""The autoregressive process of order p: each value is a combination of the p before it, and noise.

.. math:: x_t \sim \mathrm{N}(\mu_0, \sigma_0), \quad t < p; \qquad
          x_t \sim \mathrm{N}\Big(c + \sum_{j=1}^{p} \rho_j x_{t-j}, \sigma\Big), \quad t \ge p

A series lies along the last axis. The process need not be stationary.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import COUNT, POSITIVE, REAL, Check
from nbinfer.distributions._function import generator
from nbinfer.distributions._multivariate import VECTOR, multivariate
from nbinfer.vectormath import row_sum, where_valid

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)

check = Check("ar", constant=REAL, rho=VECTOR, sigma=POSITIVE, mu_0=REAL, sigma_0=POSITIVE)


@multivariate("t", "", "p", "", "", "", each=True)
def logpdf(x: Any, constant: Any, rho: Any, sigma: Any, mu_0: Any, sigma_0: Any) -> Any:
    r"""Log density of a series.

    Parameters
    ----------
    x : array, shape (…, t)
        Series.
    constant : float or array, shape (…)
        What is added to each value.
    rho : array, shape (…, p)
        Coefficients, that of the value before first.
    sigma : float or array, shape (…)
        Standard deviation of the noise; where it is not positive the result is ``-inf``.
    mu_0 : float or array, shape (…)
        Mean of the first p values.
    sigma_0 : float or array, shape (…)
        Standard deviation of the first p values; where it is not positive the result is ``-inf``.

    Returns
    -------
    logp : float or array
        One value for each series.
    """
    n, p = x.shape[0], min(rho.shape[0], x.shape[0])
    noise = x[p:] - constant
    for j in range(p):
        noise -= rho[j] * x[p - 1 - j : n - 1 - j]
    squares = row_sum(np.square(noise / sigma)) + row_sum(np.square((x[:p] - mu_0) / sigma_0))
    scale = (n - p) * np.log(sigma) + p * np.log(sigma_0) + n * _HALF_LOG_2PI
    return where_valid((sigma > 0.0) & (sigma_0 > 0.0), -0.5 * squares - scale)


@generator(
    Check("ar", constant=REAL, rho=VECTOR, sigma=POSITIVE, mu_0=REAL, sigma_0=POSITIVE, length=COUNT),
    element="int(length),",
)
def random(
    rng: np.random.Generator,
    constant: Any,
    rho: Any,
    sigma: Any,
    mu_0: Any,
    sigma_0: Any,
    length: Any,
    size: Any = None,
) -> Any:
    """Draw random series.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    constant : float or array, shape (…)
        What is added to each value.
    rho : array, shape (…, p)
        Coefficients, that of the value before first.
    sigma : float or array, shape (…)
        Standard deviation of the noise.
    mu_0 : float or array, shape (…)
        Mean of the first p values.
    sigma_0 : float or array, shape (…)
        Standard deviation of the first p values.
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
    n, p = int(length), rho.shape[0]
    x = np.empty(n)
    for t in range(n):
        if t < p:
            x[t] = mu_0 + sigma_0 * rng.standard_normal()
        else:
            x[t] = constant
            for j in range(p):
                x[t] += rho[j] * x[t - 1 - j]
            x[t] += sigma * rng.standard_normal()
    return x


def support(constant: Any, rho: Any, sigma: Any, mu_0: Any, sigma_0: Any) -> tuple[Any, Any]:
    """Return the ends of the support of each element: all real numbers."""
    return -math.inf, math.inf

r"""The Gumbel distribution of maxima.

.. math:: p(x \mid \mu, \beta) = \frac1\beta e^{-z - e^{-z}}, \qquad z = \frac{x-\mu}{\beta}

SciPy: ``gumbel_r(mu, beta)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, REAL, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import exp, log, log1mexp, select, where_valid

check = Check("gumbel", mu=REAL, beta=POSITIVE)


@density
def logpdf(x: Any, mu: Any, beta: Any) -> Any:
    r"""Log density, :math:`-z - e^{-z} - \log\beta` with :math:`z = (x-\mu)/\beta`.

    Parameters
    ----------
    x : float or array
        Where.
    mu : float or array
        Mode.
    beta : float or array
        Scale; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    z = (x - mu) / beta
    return where_valid(beta > 0.0, -z - exp(-z) - log(beta))


@density
def logcdf(x: Any, mu: Any, beta: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    mu, beta : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid(beta > 0.0, -exp((mu - x) / beta))


@density
def logsf(x: Any, mu: Any, beta: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    mu, beta : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    z = np.maximum((x - mu) / beta, -700.0)  # below, the result is 0, and the exponential would overflow
    far = z > 40.0  # the exponential would underflow
    return where_valid(beta > 0.0, select(far, -z, log1mexp(-exp(-select(far, 0.0, z)))))


@generator(check)
def random(rng: np.random.Generator, mu: Any, beta: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : float or array
        Mode.
    beta : float or array
        Scale; positive.
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
    return mu - beta * math.log(max(rng.standard_exponential(), 5e-324))


def support(mu: Any, beta: Any) -> tuple[Any, Any]:
    """Return the ends of the support: all real numbers."""
    return -math.inf, math.inf

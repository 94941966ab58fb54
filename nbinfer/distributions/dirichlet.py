r"""The Dirichlet distribution of probabilities.

.. math:: p(x \mid \alpha) = \frac{\Gamma(\sum_i \alpha_i)}{\prod_i \Gamma(\alpha_i)} \prod_i x_i^{\alpha_i - 1},
          \qquad x_i \ge 0, \quad \sum_i x_i = 1

with respect to all elements of x but one. SciPy: ``dirichlet(alpha)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import SUM_TOLERANCE, Check
from nbinfer.distributions._function import generator
from nbinfer.distributions._linalg import exact
from nbinfer.distributions._multivariate import POSITIVES, column, multivariate
from nbinfer.vectormath import minus_deviance, row_sum, select, stirling_rest, where_valid

check = Check("dirichlet", alpha=POSITIVES)


@multivariate("k", "k")
def logpdf(x: Any, alpha: Any) -> Any:
    r"""Log density, :math:`\sum_i (\alpha_i - 1)\log x_i - \log B(\alpha)`.

    Parameters
    ----------
    x : array, shape (…, k)
        Where; the result is ``-inf`` unless the elements are not negative and sum to 1. At an element 0 the density is
        infinite where its alpha is less than 1.
    alpha : array, shape (…, k)
        Concentrations; where one is not positive the result is ``-inf``.

    Returns
    -------
    logp : float or array
        One value for each vector.
    """
    inside = x > 0.0
    y, known = select(inside, x, 1.0), select((alpha > 0.0) & (alpha < np.inf), alpha, np.nan)
    whole, excess = row_sum(alpha), row_sum(x) - 1.0
    powers = minus_deviance(known, column(whole), y) - np.log(y)
    # Nothing to the power of 0 is 1.
    at_zero = select(alpha > 1.0, -np.inf, select(alpha < 1.0, np.inf, np.log(column(whole)) + 1.0))
    parts = select(inside, powers, at_zero) + np.log(known) - stirling_rest(known)
    total = row_sum(select(x >= 0.0, parts, np.nan)) + stirling_rest(whole) - np.log(whole)
    return where_valid(np.abs(excess) <= SUM_TOLERANCE, total + whole * excess)


@exact
def draw(rng: np.random.Generator, alpha: Any) -> Any:
    """Draw one vector, by gamma variates whose logarithms do not underflow.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    alpha : ndarray, shape (k,)
        Concentrations, positive.

    Returns
    -------
    x : ndarray, shape (k,)
        Probabilities.
    """
    k = alpha.shape[0]
    x = np.empty(k)
    largest = -math.inf
    for i in range(k):
        a = alpha[i]
        if a >= 1.0:
            x[i] = math.log(rng.standard_gamma(a))
        else:  # a power of a uniform makes a gamma variate of a + 1 one of a
            x[i] = math.log(rng.standard_gamma(a + 1.0)) + math.log(1.0 - rng.random()) / a
        largest = max(largest, x[i])
    total = 0.0
    for i in range(k):
        x[i] = math.exp(x[i] - largest)
        total += x[i]
    for i in range(k):
        x[i] /= total
    return x


@generator(check, element="alpha.shape[-1],")
def random(rng: np.random.Generator, alpha: Any, size: Any = None) -> Any:
    """Draw random vectors.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    alpha : array, shape (…, k)
        Concentrations.
    size : int or tuple of int, optional
        How many, without the axis of a vector. Default: as many as there are rows of alpha.

    Returns
    -------
    x : array, shape (…, k)
        The draws.

    Raises
    ------
    ValueError
        If `check` says that a parameter is invalid, or if shapes do not fit.
    """
    return draw(rng, alpha)


def support(alpha: Any) -> tuple[Any, Any]:
    """Return the ends of the support of each element: from 0 to 1."""
    return 0.0, 1.0

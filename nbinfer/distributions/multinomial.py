r"""The multinomial distribution: how often each category occurs in n independent trials.

.. math:: p(x \mid n, p) = \frac{n!}{\prod_i x_i!} \prod_i p_i^{x_i}, \qquad \sum_i x_i = n

SciPy: ``multinomial(n, p)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.distributions._check import COUNT, SIMPLEX, SUM_TOLERANCE, Check
from nbinfer.distributions._function import generator
from nbinfer.distributions._linalg import exact
from nbinfer.distributions._multivariate import column, multivariate
from nbinfer.vectormath import minus_deviance, row_sum, select, stirling_rest_whole, where_valid

check = Check("multinomial", n=COUNT, p=SIMPLEX)


@multivariate("k", "", "k")
def logpmf(x: Any, n: Any, p: Any) -> Any:
    r"""Log probability, :math:`\log n! + \sum_i (x_i\log p_i - \log x_i!)`.

    Parameters
    ----------
    x : array of int, shape (…, k)
        Counts; the result is ``-inf`` unless they sum to n.
    n : int or array, shape (…)
        Number of trials.
    p : array, shape (…, k)
        Probabilities of the categories; unless they sum to 1 the result is ``-inf``.

    Returns
    -------
    logp : float or array
        One value for each vector.
    """
    is_count = (x >= 0) & (x == np.floor(x)) & (p >= 0.0)
    x = select(is_count, x, 0)
    total = row_sum(select(is_count, minus_deviance(x, p, column(n)) - stirling_rest_whole(x), np.nan))
    excess = row_sum(p) - 1.0
    valid = (row_sum(x) == n) & (np.abs(excess) <= SUM_TOLERANCE)
    return where_valid(valid, stirling_rest_whole(n) + total + n * excess)


@exact
def draw(rng: np.random.Generator, n: Any, p: Any) -> Any:
    """Draw one vector: each count is binomial given those before it.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    n : int
        Number of trials.
    p : ndarray, shape (k,)
        Probabilities.

    Returns
    -------
    x : ndarray of int64, shape (k,)
        Counts.
    """
    k = p.shape[0]
    x = np.zeros(k, np.int64)
    left, rest, last = int(n), 1.0, 0
    for i in range(k):
        last = i if p[i] > 0.0 else last
    for i in range(last):
        if left > 0 and p[i] > 0.0:
            x[i] = rng.binomial(left, p[i] / rest) if p[i] < rest else left
            left -= x[i]
        rest -= p[i]
    if k > 0:  # what rounding leaves belongs to a category that is possible
        x[last] = left
    return x


@generator(check, discrete=True, element="p.shape[-1],")
def random(rng: np.random.Generator, n: Any, p: Any, size: Any = None) -> Any:
    """Draw random vectors.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    n : int or array, shape (…)
        Number of trials.
    p : array, shape (…, k)
        Probabilities of the categories.
    size : int or tuple of int, optional
        How many, without the axis of a vector. Default: the parameters' common shape.

    Returns
    -------
    x : array of int, shape (…, k)
        The draws.

    Raises
    ------
    ValueError
        If `check` says that a parameter is invalid, or if shapes do not fit.
    """
    return draw(rng, n, p)


def support(n: Any, p: Any) -> tuple[Any, Any]:
    """Return the ends of the support of each element: from 0 to n."""
    return 0, n

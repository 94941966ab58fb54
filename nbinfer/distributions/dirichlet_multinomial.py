r"""The Dirichlet-multinomial distribution: multinomial, its probabilities drawn from a Dirichlet distribution.

.. math:: p(x \mid n, \alpha) = \frac{n!\,\Gamma(A)}{\Gamma(n + A)}
          \prod_i \frac{\Gamma(x_i + \alpha_i)}{x_i!\,\Gamma(\alpha_i)}, \qquad A = \sum_i \alpha_i,
          \quad \sum_i x_i = n

SciPy: ``dirichlet_multinomial(alpha, n)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.distributions import dirichlet, multinomial
from nbinfer.distributions._check import COUNT, Check
from nbinfer.distributions._function import generator
from nbinfer.distributions._multivariate import POSITIVES, column, multivariate
from nbinfer.vectormath import log_polya, log_polya_rest, row_sum, select, where_valid

check = Check("dirichlet_multinomial", n=COUNT, alpha=POSITIVES)

_probabilities, _counts = dirichlet.draw, multinomial.draw


@multivariate("k", "", "k")
def logpmf(x: Any, n: Any, alpha: Any) -> Any:
    r"""Log probability.

    Parameters
    ----------
    x : array of int, shape (…, k)
        Counts; the result is ``-inf`` unless they sum to n.
    n : int or array, shape (…)
        Number of trials.
    alpha : array, shape (…, k)
        Concentrations; where one is not positive the result is ``-inf``.

    Returns
    -------
    logp : float or array
        One value for each vector.
    """
    is_count = (x >= 0) & (x == np.floor(x)) & (alpha > 0.0) & (alpha < np.inf)
    whole = row_sum(alpha)
    parts = select(is_count, log_polya(select(is_count, x, 0), alpha, column(n), column(whole)), np.nan)
    return where_valid(row_sum(x) == n, row_sum(parts) + log_polya_rest(n, whole))


@generator(check, discrete=True, element="alpha.shape[-1],")
def random(rng: np.random.Generator, n: Any, alpha: Any, size: Any = None) -> Any:
    """Draw random vectors.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    n : int or array, shape (…)
        Number of trials.
    alpha : array, shape (…, k)
        Concentrations.
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
    return _counts(rng, n, _probabilities(rng, alpha))


def support(n: Any, alpha: Any) -> tuple[Any, Any]:
    """Return the ends of the support of each element: from 0 to n."""
    return 0, n

r"""The Wishart distribution: sums of squares of normal vectors with mean 0.

.. math:: p(X \mid \nu, V) = \frac{(\det X)^{(\nu-k-1)/2} \exp(-\frac12 \mathrm{tr}\, V^{-1}X)}
                                  {2^{\nu k/2} (\det V)^{\nu/2}\, \Gamma_k(\frac\nu2)}, \qquad
          \Gamma_k(a) = \pi^{k(k-1)/4} \prod_{i=0}^{k-1} \Gamma(a - \tfrac i2)

with respect to the lower triangle of X. The mean is :math:`\nu V`. SciPy: ``wishart(nu, V)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, Check
from nbinfer.distributions._function import generator
from nbinfer.distributions._linalg import cholesky, factor, log_diagonal, transposed, whiten
from nbinfer.distributions._multivariate import COVARIANCE, FACTOR, composed, composed_generator
from nbinfer.vectormath import lgamma, row_sum, where_valid

_LOG_2 = math.log(2.0)
_QUARTER_LOG_PI = 0.25 * math.log(math.pi)
_ENOUGH = "nu must be greater than the number of rows less 1"

check = Check("wishart", nu=POSITIVE, V=COVARIANCE).also(_ENOUGH, lambda nu, V: nu > V.shape[-1] - 1)
check_chol = Check("wishart", nu=POSITIVE, chol=FACTOR).also(_ENOUGH, lambda nu, chol: nu > chol.shape[-1] - 1)


@composed("kk", "", "kk")
def logpdf(X: Any, nu: Any, V: Any) -> Any:
    r"""Log density of a symmetric matrix.

    Parameters
    ----------
    X : array, shape (k, k)
        Where; if it is not positive definite the result is ``-inf``. Only its lower triangle is read.
    nu : float
        Degrees of freedom; if they are not greater than k - 1 the result is ``-inf``.
    V : array, shape (k, k)
        Scale matrix; if it is not positive definite the result is ``-inf``. Only its lower triangle is read.

    Returns
    -------
    logp : float
        The value.
    """
    k = X.shape[0]
    root, scale = cholesky(X), cholesky(V)
    squares = row_sum(row_sum(np.square(whiten(scale, transposed(root)))))
    log_gamma = k * (k - 1) * _QUARTER_LOG_PI
    for i in range(k):
        log_gamma += lgamma(0.5 * (nu - i))
    value = (nu - k - 1.0) * log_diagonal(root) - nu * log_diagonal(scale) - 0.5 * (squares + nu * k * _LOG_2)
    return where_valid(nu > k - 1.0, value - log_gamma)


@composed_generator(check)
def random(rng: np.random.Generator, nu: Any, V: Any, size: Any = None) -> Any:
    """Draw random matrices.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    nu : float or array, shape (…)
        Degrees of freedom.
    V : array, shape (k, k)
        Scale matrix.
    size : int or tuple of int, optional
        How many, without the axes of a matrix. Default: that of nu.

    Returns
    -------
    X : array, shape (…, k, k)
        The draws.

    Raises
    ------
    ValueError
        If `check` says that a parameter is invalid, or if shapes do not fit.
    """
    return random_chol(rng, nu, factor(V), size)


@generator(check_chol, element="chol.shape[-1], chol.shape[-1],")
def random_chol(rng: np.random.Generator, nu: Any, chol: Any, size: Any = None) -> Any:
    """Draw random matrices by the Cholesky factor of the scale matrix.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    nu : float or array, shape (…)
        Degrees of freedom.
    chol : array, shape (k, k)
        Lower factor.
    size : int or tuple of int, optional
        How many, without the axes of a matrix. Default: that of nu.

    Returns
    -------
    X : array, shape (…, k, k)
        The draws.

    Raises
    ------
    ValueError
        If `check_chol` says that a parameter is invalid, or if shapes do not fit.
    """
    k = chol.shape[0]
    A = np.zeros((k, k))  # Bartlett: of the identity
    for i in range(k):
        for j in range(i):
            A[i, j] = rng.standard_normal()
        A[i, i] = math.sqrt(rng.chisquare(nu - i))
    root = np.zeros((k, k))
    for i in range(k):
        for j in range(i + 1):
            for m in range(j, i + 1):
                root[i, j] += chol[i, m] * A[m, j]
    X = np.zeros((k, k))
    for i in range(k):
        for j in range(i + 1):
            for m in range(j + 1):
                X[i, j] += root[i, m] * root[j, m]
            X[j, i] = X[i, j]
    return X


def support(nu: Any, V: Any) -> tuple[Any, Any]:
    """Return the ends of the support of each element: all real numbers, as far as the matrix is positive definite."""
    return -math.inf, math.inf

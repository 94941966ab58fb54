r"""The multivariate normal distribution.

.. math:: p(x \mid \mu, \Sigma) = \frac{1}{\sqrt{(2\pi)^k \det\Sigma}}
          \exp\Big(-\tfrac12 (x-\mu)^T \Sigma^{-1} (x-\mu)\Big)

There are three forms: by the covariance, by its lower Cholesky factor L with :math:`L L^T = \Sigma`, which saves the
factorisation, and by the precision :math:`\Sigma^{-1}`. Vectors lie along the last axis; x and mu may be batches of
them, in compiled code and in models matrices of rows, while there is one matrix.

SciPy: ``multivariate_normal(mu, cov)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import Check
from nbinfer.distributions._function import density, generator
from nbinfer.distributions._linalg import cholesky, factor, log_diagonal, times, whiten
from nbinfer.distributions._multivariate import COVARIANCE, FACTOR, FITS, VECTOR, composed, composed_generator
from nbinfer.vectormath import row_sum, where_valid

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)

check = Check("mvnormal", mu=VECTOR, cov=COVARIANCE).also(FITS, lambda mu, cov: mu.shape[-1] == cov.shape[-1])
check_chol = Check("mvnormal", mu=VECTOR, chol=FACTOR).also(FITS, lambda mu, chol: mu.shape[-1] == chol.shape[-1])
check_root = Check("mvnormal", mu=VECTOR, root=FACTOR).also(FITS, lambda mu, root: mu.shape[-1] == root.shape[-1])
check_prec = Check("mvnormal", mu=VECTOR, prec=COVARIANCE).also(FITS, lambda mu, prec: mu.shape[-1] == prec.shape[-1])


@density(cores=(1, 0))
def _standard(z: Any, log_scale: Any) -> Any:
    """Return the log density of white noise that was stretched by exp(log_scale) in all."""
    constant = log_scale + z.shape[-1] * _HALF_LOG_2PI
    return where_valid(log_scale < np.inf, -0.5 * row_sum(np.square(z)) - constant)


@composed("k", "k", "kk")
def logpdf(x: Any, mu: Any, cov: Any) -> Any:
    r"""Log density by the covariance.

    Parameters
    ----------
    x : array, shape (…, k)
        Where.
    mu : array, shape (…, k)
        Mean.
    cov : array, shape (k, k)
        Covariance; if it is not positive definite the result is ``-inf``. Only its lower triangle is read.

    Returns
    -------
    logp : float or array
        One value for each vector.
    """
    return logpdf_chol(x, mu, cholesky(cov))


@composed("k", "k", "kk")
def logpdf_chol(x: Any, mu: Any, chol: Any) -> Any:
    r"""Log density by the Cholesky factor of the covariance.

    Parameters
    ----------
    x : array, shape (…, k)
        Where.
    mu : array, shape (…, k)
        Mean.
    chol : array, shape (k, k)
        Lower factor; if its diagonal is not positive the result is ``-inf``.

    Returns
    -------
    logp : float or array
        One value for each vector.
    """
    return _standard(whiten(chol, x - mu), log_diagonal(chol))


@composed("k", "k", "kk")
def logpdf_prec(x: Any, mu: Any, prec: Any) -> Any:
    r"""Log density by the precision, the inverse of the covariance.

    Parameters
    ----------
    x : array, shape (…, k)
        Where.
    mu : array, shape (…, k)
        Mean.
    prec : array, shape (k, k)
        Precision; if it is not positive definite the result is ``-inf``. Only its lower triangle is read.

    Returns
    -------
    logp : float or array
        One value for each vector.
    """
    root = cholesky(prec)
    return _standard(times(x - mu, root), -log_diagonal(root))


@composed_generator(check)
def random(rng: np.random.Generator, mu: Any, cov: Any, size: Any = None) -> Any:
    """Draw random vectors by the covariance.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : array, shape (…, k)
        Mean.
    cov : array, shape (k, k)
        Covariance.
    size : int or tuple of int, optional
        How many, without the axis of a vector. Default: as many as there are means.

    Returns
    -------
    x : array, shape (…, k)
        The draws.

    Raises
    ------
    ValueError
        If `check` says that a parameter is invalid, or if shapes do not fit.
    """
    return random_chol(rng, mu, factor(cov), size)


@generator(check_chol, element="mu.shape[-1],")
def random_chol(rng: np.random.Generator, mu: Any, chol: Any, size: Any = None) -> Any:
    """Draw random vectors by the Cholesky factor of the covariance.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : array, shape (…, k)
        Mean.
    chol : array, shape (k, k)
        Lower factor.
    size : int or tuple of int, optional
        How many, without the axis of a vector. Default: as many as there are means.

    Returns
    -------
    x : array, shape (…, k)
        The draws.

    Raises
    ------
    ValueError
        If `check_chol` says that a parameter is invalid, or if shapes do not fit.
    """
    k = mu.shape[0]
    z = rng.standard_normal(k)
    x = np.empty(k)
    for i in range(k):
        total = mu[i]
        for j in range(i + 1):
            total += chol[i, j] * z[j]
        x[i] = total
    return x


@composed_generator(check_prec)
def random_prec(rng: np.random.Generator, mu: Any, prec: Any, size: Any = None) -> Any:
    """Draw random vectors by the precision.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : array, shape (…, k)
        Mean.
    prec : array, shape (k, k)
        Precision.
    size : int or tuple of int, optional
        How many, without the axis of a vector. Default: as many as there are means.

    Returns
    -------
    x : array, shape (…, k)
        The draws.

    Raises
    ------
    ValueError
        If `check_prec` says that a parameter is invalid, or if shapes do not fit.
    """
    return random_root(rng, mu, factor(prec), size)


@generator(check_root, element="mu.shape[-1],")
def random_root(rng: np.random.Generator, mu: Any, root: Any, size: Any = None) -> Any:
    """Draw random vectors by the lower Cholesky factor of the precision.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : array, shape (…, k)
        Mean.
    root : array, shape (k, k)
        Lower factor of the precision.
    size : int or tuple of int, optional
        How many, without the axis of a vector. Default: as many as there are means.

    Returns
    -------
    x : array, shape (…, k)
        The draws.

    Raises
    ------
    ValueError
        If `check_root` says that a parameter is invalid, or if shapes do not fit.
    """
    k = mu.shape[0]
    x = rng.standard_normal(k)
    for i in range(k - 1, -1, -1):  # root.T @ (x - mu) is white
        for j in range(i + 1, k):
            x[i] -= root[j, i] * x[j]
        x[i] /= root[i, i]
    for i in range(k):
        x[i] += mu[i]
    return x


def support(mu: Any, cov: Any) -> tuple[Any, Any]:
    """Return the ends of the support of each element: all real numbers."""
    return -math.inf, math.inf

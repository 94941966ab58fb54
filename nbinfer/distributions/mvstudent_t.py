r"""The multivariate Student t distribution.

.. math:: p(x \mid \nu, \mu, \Sigma) = \frac{\Gamma(\frac{\nu+k}2)}{\Gamma(\frac\nu2)\sqrt{(\nu\pi)^k \det\Sigma}}
          \Big(1 + \tfrac1\nu (x-\mu)^T \Sigma^{-1} (x-\mu)\Big)^{-\frac{\nu+k}2}

The scale matrix :math:`\Sigma` is the covariance times :math:`(\nu - 2)/\nu`, where that exists. There is a form by its
lower Cholesky factor, too. Vectors lie along the last axis; x and mu may be batches of them, in compiled code and in
models matrices of rows, while there is one matrix.

SciPy: ``multivariate_t(mu, scale, nu)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, Check
from nbinfer.distributions._function import density, generator
from nbinfer.distributions._linalg import cholesky, factor, log_diagonal, whiten
from nbinfer.distributions._multivariate import COVARIANCE, FACTOR, FITS, VECTOR, composed, composed_generator
from nbinfer.vectormath import lbeta, lgamma, log1p, row_sum, where_valid

check = Check("mvstudent_t", nu=POSITIVE, mu=VECTOR, scale=COVARIANCE).also(
    FITS, lambda mu, scale: mu.shape[-1] == scale.shape[-1]
)
check_chol = Check("mvstudent_t", nu=POSITIVE, mu=VECTOR, chol=FACTOR).also(
    FITS, lambda mu, chol: mu.shape[-1] == chol.shape[-1]
)


@density(cores=(1, 0, 0))
def _standard(z: Any, nu: Any, log_scale: Any) -> Any:
    """Return the log density of what was stretched by exp(log_scale) in all."""
    half = 0.5 * z.shape[-1]
    # The beta function stands for a quotient of gamma functions, which cancel for large nu.
    constant = lgamma(half) - lbeta(half, 0.5 * nu) - half * np.log(math.pi * nu) - log_scale
    return where_valid((log_scale < np.inf) & (nu > 0.0), constant - (0.5 * nu + half) * log1p(row_sum(z * z) / nu))


@composed("k", "", "k", "kk")
def logpdf(x: Any, nu: Any, mu: Any, scale: Any) -> Any:
    r"""Log density by the scale matrix.

    Parameters
    ----------
    x : array, shape (…, k)
        Where.
    nu : float or array, shape (…)
        Degrees of freedom; where they are not positive the result is ``-inf``.
    mu : array, shape (…, k)
        Location.
    scale : array, shape (k, k)
        Scale matrix; if it is not positive definite the result is ``-inf``. Only its lower triangle is read.

    Returns
    -------
    logp : float or array
        One value for each vector.
    """
    return logpdf_chol(x, nu, mu, cholesky(scale))


@composed("k", "", "k", "kk")
def logpdf_chol(x: Any, nu: Any, mu: Any, chol: Any) -> Any:
    r"""Log density by the Cholesky factor of the scale matrix.

    Parameters
    ----------
    x : array, shape (…, k)
        Where.
    nu : float or array, shape (…)
        Degrees of freedom; where they are not positive the result is ``-inf``.
    mu : array, shape (…, k)
        Location.
    chol : array, shape (k, k)
        Lower factor; if its diagonal is not positive the result is ``-inf``.

    Returns
    -------
    logp : float or array
        One value for each vector.
    """
    return _standard(whiten(chol, x - mu), nu, log_diagonal(chol))


@composed_generator(check)
def random(rng: np.random.Generator, nu: Any, mu: Any, scale: Any, size: Any = None) -> Any:
    """Draw random vectors by the scale matrix.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    nu : float or array, shape (…)
        Degrees of freedom.
    mu : array, shape (…, k)
        Location.
    scale : array, shape (k, k)
        Scale matrix.
    size : int or tuple of int, optional
        How many, without the axis of a vector. Default: the parameters' common shape.

    Returns
    -------
    x : array, shape (…, k)
        The draws.

    Raises
    ------
    ValueError
        If `check` says that a parameter is invalid, or if shapes do not fit.
    """
    return random_chol(rng, nu, mu, factor(scale), size)


@generator(check_chol, element="mu.shape[-1],")
def random_chol(rng: np.random.Generator, nu: Any, mu: Any, chol: Any, size: Any = None) -> Any:
    """Draw random vectors by the Cholesky factor of the scale matrix.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    nu : float or array, shape (…)
        Degrees of freedom.
    mu : array, shape (…, k)
        Location.
    chol : array, shape (k, k)
        Lower factor.
    size : int or tuple of int, optional
        How many, without the axis of a vector. Default: the parameters' common shape.

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
    stretch = math.sqrt(nu / rng.chisquare(nu))
    x = np.empty(k)
    for i in range(k):
        total = 0.0
        for j in range(i + 1):
            total += chol[i, j] * z[j]
        x[i] = mu[i] + stretch * total
    return x


def support(nu: Any, mu: Any, scale: Any) -> tuple[Any, Any]:
    """Return the ends of the support of each element: all real numbers."""
    return -math.inf, math.inf

r"""The conditional autoregressive distribution of what belongs to places, of which some are neighbours.

.. math:: x \sim \mathrm{N}\big(\mu, [\tau\,(D - \alpha W)]^{-1}\big), \qquad D = \mathrm{diag}(W 1)

W has the weights between places, 1 for neighbours and 0 for others, and is symmetric; each place needs a neighbour.
Given the others, a place is normal around :math:`\mu_i + \alpha \sum_j W_{ij} (x_j - \mu_j) / D_{ii}` with precision
:math:`\tau D_{ii}`. The matrix is positive definite for :math:`|\alpha| < 1`; 0 makes places independent.

`logpdf` factors a matrix each time. `logpdf_eigen` takes what ``eigenvalues(W)`` returns, once, as data, and costs a
product with W.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, Check, Condition
from nbinfer.distributions._function import density
from nbinfer.distributions._linalg import cholesky, exact, factor, log_diagonal, times
from nbinfer.distributions._multivariate import FITS, VECTOR, composed, composed_generator
from nbinfer.distributions.mvnormal import random_root
from nbinfer.vectormath import row_sum, where_valid

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def _are_weights(W: Any) -> Any:
    if W.shape[-1] != W.shape[-2]:
        return np.zeros(W.shape[:-2], bool)
    symmetric = np.all((W >= 0.0) & np.isfinite(W) & (np.swapaxes(W, -1, -2) == W), axis=(-2, -1))
    return symmetric & np.all(np.sum(W, -1) > 0.0, -1)


WEIGHTS = Condition("a symmetric matrix of weights that are not negative, some positive in each row", _are_weights, 2)
_WITHIN = Condition("between -1 and 1", lambda alpha: (alpha > -1.0) & (alpha < 1.0))

check = Check("car", mu=VECTOR, W=WEIGHTS, alpha=_WITHIN, tau=POSITIVE).also(
    FITS, lambda mu, W: mu.shape[-1] == W.shape[-1]
)


def eigenvalues(W: Any) -> Any:
    r"""Return the eigenvalues of :math:`D^{-1/2} W D^{-1/2}`, for `logpdf_eigen`.

    Parameters
    ----------
    W : array, shape (k, k)
        Weights between places.

    Returns
    -------
    eigenvalues : array, shape (k,)
        From the smallest to the largest, which is 1.

    Raises
    ------
    ValueError
        If W is not symmetric, has a negative weight or a row without a positive one.
    """
    W = np.asarray(W, float)
    Check("car", W=WEIGHTS)(W)
    root = np.sqrt(np.sum(W, -1))
    return np.linalg.eigvalsh(W / np.outer(root, root))


@exact
def _precision(W: Any, alpha: Any, tau: Any) -> Any:
    """Return the precision matrix."""
    k = W.shape[0]
    precision = np.empty((k, k))
    for i in range(k):
        total = 0.0
        for j in range(k):
            total += W[i, j]
            # What is no weight leaves no matrix to factor.
            weight = W[i, j] if W[i, j] >= 0.0 and W[i, j] == W[j, i] else np.nan
            precision[i, j] = -alpha * tau * weight
        precision[i, i] += tau * total
    return precision


@density(cores=(1, 1, 0, 0, 0))
def _standard(d: Any, pull: Any, alpha: Any, tau: Any, log_root: Any) -> Any:
    """Return the log density from deviations, the precision times deviations, and the logarithm of its factor."""
    k = d.shape[-1]
    valid = (alpha > -1.0) & (alpha < 1.0) & (tau > 0.0)
    return where_valid(valid, log_root + k * (0.5 * np.log(tau) - _HALF_LOG_2PI) - 0.5 * tau * row_sum(d * pull))


@composed("k", "k", "kk", "", "")
def logpdf(x: Any, mu: Any, W: Any, alpha: Any, tau: Any) -> Any:
    r"""Log density.

    Parameters
    ----------
    x : array, shape (…, k)
        Where.
    mu : array, shape (…, k)
        Mean.
    W : array, shape (k, k)
        Weights between places; if it is not symmetric or one is negative the result is ``-inf``.
    alpha : float
        How much neighbours pull, between -1 and 1; the result is ``-inf`` for others.
    tau : float
        Precision; if it is not positive the result is ``-inf``.

    Returns
    -------
    logp : float or array
        One value for each vector.
    """
    d = x - mu
    weights = row_sum(W)
    root = cholesky(_precision(W, alpha, 1.0))
    return _standard(d, weights * d - alpha * times(d, W), alpha, tau, log_diagonal(root))


@composed("k", "k", "kk", "k", "", "")
def logpdf_eigen(x: Any, mu: Any, W: Any, eigenvalues: Any, alpha: Any, tau: Any) -> Any:
    r"""Log density, given eigenvalues.

    Parameters
    ----------
    x : array, shape (…, k)
        Where.
    mu : array, shape (…, k)
        Mean.
    W : array, shape (k, k)
        Weights between places.
    eigenvalues : array, shape (k,)
        ``car.eigenvalues(W)``, which checks W; here it is not checked again.
    alpha : float
        How much neighbours pull, between -1 and 1; the result is ``-inf`` for others.
    tau : float
        Precision; if it is not positive the result is ``-inf``.

    Returns
    -------
    logp : float or array
        One value for each vector.
    """
    d = x - mu
    weights = row_sum(W)
    log_root = 0.5 * (row_sum(np.log(weights)) + row_sum(np.log1p(-alpha * eigenvalues)))
    return _standard(d, weights * d - alpha * times(d, W), alpha, tau, log_root)


@composed_generator(check)
def random(rng: np.random.Generator, mu: Any, W: Any, alpha: Any, tau: Any, size: Any = None) -> Any:
    """Draw random vectors.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : array, shape (…, k)
        Mean.
    W : array, shape (k, k)
        Weights between places.
    alpha : float
        How much neighbours pull.
    tau : float
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
        If `check` says that a parameter is invalid, or if shapes do not fit.
    """
    return random_root(rng, mu, factor(_precision(W, alpha, tau)), size)


def support(mu: Any, W: Any, alpha: Any, tau: Any) -> tuple[Any, Any]:
    """Return the ends of the support of each element: all real numbers."""
    return -math.inf, math.inf

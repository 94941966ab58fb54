"""Batch and match: what a batch of draws and gradients says about the normal distribution that they come from.

Where q is the posterior, the gradients of both log densities agree at every draw. A batch of draws z with gradients g
says where they do not, and the next q is the normal distribution that fits the batch, in the mean of ``||Cov(q)^(1/2)
(grad log q - grad log p)||^2``, and is close to the one before, in Kullback-Leibler divergence times 2 over the
learning rate lambda [1]_. With C and G the covariances of draws and gradients over the batch, it has ::

    U = lambda G + lambda / (1 + lambda) mean(g) mean(g)^T
    V = Sigma + lambda C + lambda / (1 + lambda) (mu - mean(z)) (mu - mean(z))^T
    Sigma' U Sigma' + Sigma' = V
    mu' = (mu + lambda (Sigma' mean(g) + mean(z))) / (1 + lambda)

With ``U = Q Q^T``, where Q has one column more than the batch draws, and r + 1/2 the eigenvalues of ``1/2 + (1/4 +
Q^T V Q)^(1/2)``, the covariance is V with a few directions made shorter, by a factor ``(r + 1/2)^(1/2)`` each. All of
it is done in coordinates in which q is standard normal, so that scales of the posterior do not matter.

If the family is a diagonal and a few directions, so is V with some more directions; what comes out is projected onto
the family by expectation maximisation for factor analysis, and no matrix of all coordinates is ever formed [2]_.

References
----------
.. [1] D. Cai, C. Modi, L. Pillaud-Vivien, C. C. Margossian, R. M. Gower, D. M. Blei and L. K. Saul, "Batch and match:
   black-box variational inference with a score-based divergence", ICML (2024).
.. [2] C. Modi, D. Cai and L. K. Saul, "Batch, match, and patch: low-rank approximations for score-based variational
   inference", AISTATS (2025).
.. [3] R. Varadhan and C. Roland, "Simple and globally convergent methods for accelerating the convergence of any EM
   algorithm", Scand. J. Stat. 35 (2008).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Cycles of three steps of expectation maximisation at most, the relative change that ends them, and how many steps one
#: may stand for.
_CYCLES, _CHANGE, _FURTHEST = 20, 1e-9, 100.0
#: Share of a variance that is left to a coordinate by itself, at least.
_LEAST = 1e-10


class Batch(NamedTuple):
    """Draws of a normal distribution, and gradients there.

    Attributes
    ----------
    positions, grads : ndarray, shape (draws, dim)
        With one row at least.
    """

    positions: Floats
    grads: Floats


def match(mu: Floats, factor: Floats, batch: Batch, rate: float) -> tuple[Floats, Floats]:
    """Return mean and lower triangular factor of the next normal distribution.

    Parameters
    ----------
    mu : ndarray, shape (dim,)
    factor : ndarray, shape (dim, dim)
        Lower triangular factor L of the covariance L L^T.
    batch : Batch
    rate : float
        Lambda: the larger, the more the batch counts.

    Returns
    -------
    mu : ndarray, shape (dim,)
    factor : ndarray, shape (dim, dim)

    Notes
    -----
    O(draws dim²), but for a product and a QR decomposition of matrices of all coordinates.
    """
    z = _standardised(mu, factor, batch)
    g = batch.grads @ factor
    wide, columns = _wider(z, rate), _pulls(g, rate)
    root = np.linalg.cholesky(np.eye(len(mu)) + wide @ wide.T)  # of V
    axes, shrink = _shrinking(root.T @ columns)
    rows = root.T + axes @ ((shrink - 1.0)[:, None] * (axes.T @ root.T))  # transposed factor, not triangular yet
    triangle = _upper(rows).T
    triangle = triangle * np.where(np.diag(triangle) < 0.0, -1.0, 1.0)
    shift = triangle @ (triangle.T @ g.mean(axis=0)) + z.mean(axis=0)
    return mu + rate / (1.0 + rate) * (factor @ shift), np.tril(factor @ triangle)


def match_patched(mu: Floats, scale: Floats, directions: Floats, batch: Batch, rate: float) -> tuple[Floats, ...]:
    """Return mean, scale and directions of the next normal distribution of covariance diag(scale²) + U U^T.

    Parameters
    ----------
    mu, scale : ndarray, shape (dim,)
        Mean, and standard deviations of what each coordinate has by itself.
    directions : ndarray, shape (dim, rank)
        U.
    batch : Batch
    rate : float
        Lambda.

    Returns
    -------
    mu, scale : ndarray, shape (dim,)
    directions : ndarray, shape (dim, rank)

    Notes
    -----
    O((draws + rank)² dim), and O((draws + rank) rank dim) for each step of expectation maximisation.
    """
    z, g = (batch.positions - mu) / scale, batch.grads * scale  # where the diagonal is 1
    own = directions / scale[:, None]
    wide, columns = np.hstack([own, _wider(z, rate)]), _pulls(g, rate)
    times = columns + wide @ (wide.T @ columns)  # V Q, with V = 1 + W W^T
    values, vectors = np.linalg.eigh(columns.T @ times)
    less = times @ (vectors / (0.5 + np.sqrt(np.maximum(values, 0.0) + 0.25)))  # Sigma' = V - less less^T
    signed = np.hstack([wide, less]), np.repeat([1.0, -1.0], [wide.shape[1], less.shape[1]])
    mean_g = g.mean(axis=0)
    shift = mean_g + _times(signed, mean_g) + z.mean(axis=0)
    variances, own = _projected(signed, own)
    scaled = mu + rate / (1.0 + rate) * (scale * shift)
    return scaled, scale * np.sqrt(variances), scale[:, None] * own


def mismatch(mu: Floats, factor: Floats, batch: Batch) -> float:
    """Return how far the gradients of log p are from those of log q, 0 where q is p.

    Parameters
    ----------
    mu, factor : ndarray, shape (dim,) and (dim, dim)
        As of `match`.
    batch : Batch

    Returns
    -------
    mismatch : float
        Mean square of the differences, for each coordinate, where q is standard normal.
    """
    return float(((_standardised(mu, factor, batch) + batch.grads @ factor) ** 2).mean())


def mismatch_patched(mu: Floats, scale: Floats, directions: Floats, batch: Batch) -> float:
    """Return `mismatch` of a normal distribution as of `match_patched`."""
    z, own = (batch.positions - mu) / scale, directions / scale[:, None]
    inner = _solved(np.eye(own.shape[1]) + own.T @ own, own.T @ z.T)
    rest = z - (own @ inner).T + batch.grads * scale
    return float(((rest**2).sum() + ((rest @ own) ** 2).sum()) / rest.size)


def _solved(matrix: Floats, right: Floats) -> Floats:
    """Return the solution of a linear equation."""
    return np.asarray(np.linalg.solve(matrix, right), np.float64)


def _standardised(mu: Floats, factor: Floats, batch: Batch) -> Floats:
    """Return the draws where q is standard normal."""
    return _solved(factor, (batch.positions - mu).T).T


def _wider(z: Floats, rate: float) -> Floats:
    """Return W, whose product with its transpose is what the draws add to the covariance of q."""
    mean = z.mean(axis=0)
    apart = np.sqrt(rate / len(z)) * (z - mean)
    return np.vstack([apart, np.sqrt(rate / (1.0 + rate)) * mean]).T


def _pulls(g: Floats, rate: float) -> Floats:
    """Return Q, whose product with its transpose is U, with no more columns than it has rows."""
    columns = _wider(g, rate)
    return columns if columns.shape[1] <= columns.shape[0] else _upper(columns.T).T


def _upper(x: Floats) -> Floats:
    """Return R of the QR decomposition."""
    return np.asarray(np.linalg.qr(x)[1], np.float64)


def _shrinking(columns: Floats) -> tuple[Floats, Floats]:
    """Return the directions in which V becomes shorter, and by what: of ``C^T Q``, where ``V = C C^T``."""
    axes, values, _ = np.linalg.svd(columns, full_matrices=False)
    return axes, 1.0 / np.sqrt(0.5 + np.sqrt(values**2 + 0.25))


# ---- covariances of the form 1 + W diag(signs) W^T


def _times(signed: tuple[Floats, Floats], x: Floats) -> Floats:
    """Return the product with what is added to the identity."""
    wide, signs = signed
    return wide @ (signs * (wide.T @ x).T).T


def _projected(signed: tuple[Floats, Floats], own: Floats) -> tuple[Floats, Floats]:
    """Return variances and directions of the factor model that is closest to a covariance: maximum likelihood.

    Expectation maximisation creeps where directions hardly differ: two steps and how the second differs from the first
    say how far it would come, and a third one mends what that overlooks [3]_.
    """
    variances = np.ones(len(own))
    for _ in range(_CYCLES):
        first = _step(signed, variances, own)
        second = _step(signed, *first)
        change = np.log(first[0] / variances), first[1] - own
        bend = np.log(second[0] / first[0]) - change[0], second[1] - first[1] - change[1]
        length, curve = (float(np.sqrt(sum((part**2).sum() for part in parts))) for parts in (change, bend))
        if length <= _CHANGE * len(own):
            return second
        far = min(max(1.0, length / curve), _FURTHEST) if curve > 0.0 else 1.0
        guess = (
            variances * np.exp(np.clip(2.0 * far * change[0] + far**2 * bend[0], -1.0, 1.0)),
            own + 2.0 * far * change[1] + far**2 * bend[1],
        )
        variances, own = _step(signed, *guess)
    return variances, own


def _step(signed: tuple[Floats, Floats], variances: Floats, own: Floats) -> tuple[Floats, Floats]:
    """Make a step: a draw of the covariance is observed, its factors are missing, and averages are over all draws."""
    wide, signs = signed
    weighted, one = own / variances[:, None], np.eye(own.shape[1])
    beta = _solved(one + own.T @ weighted, weighted.T)  # the factors' mean is beta times the draw
    across = beta.T + _times(signed, beta.T)  # covariance of draw and factors
    new = _solved(one - beta @ own + beta @ across, across.T).T
    diagonal = 1.0 + (wide * wide) @ signs
    return np.maximum(diagonal - (new * across).sum(axis=1), _LEAST * diagonal), new

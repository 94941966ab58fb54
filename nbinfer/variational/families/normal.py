"""How far two normal distributions are from each other: the symmetrised Kullback-Leibler divergence, in nats.

Of N(m, A) and N(k, B) in n dimensions, both directions added, it is
``0.5 * (tr(A^-1 B) + tr(B^-1 A) - 2 n + (m - k)^T (A^-1 + B^-1) (m - k))``. Determinants cancel.
"""

from __future__ import annotations

import numpy as np

from nbinfer.variational.families.family import Floats


def between_independent(mean: Floats, std: Floats, other_mean: Floats, other_std: Floats) -> float:
    """Return the divergence of independent normal numbers from others.

    Parameters
    ----------
    mean, std, other_mean, other_std : ndarray, shape (n,)
    """
    apart, ratio = (mean - other_mean) ** 2, (std / other_std) ** 2
    return float(0.5 * np.sum((1.0 - ratio) ** 2 / ratio + apart * (1.0 / std**2 + 1.0 / other_std**2)))


def between_normals(mean: Floats, cov: Floats, other_mean: Floats, other_cov: Floats) -> float:
    """Return the divergence of normal distributions; infinite where a covariance is singular.

    Parameters
    ----------
    mean : ndarray, shape (n,)
    cov : ndarray, shape (n, n)
    other_mean : ndarray, shape (n,)
    other_cov : ndarray, shape (n, n)
    """
    apart, n = mean - other_mean, len(mean)
    try:
        here = np.linalg.solve(cov, np.column_stack([other_cov, apart]))
        there = np.linalg.solve(other_cov, np.column_stack([cov, apart]))
    except np.linalg.LinAlgError:
        return float("inf")
    traces = np.trace(here[:, :n]) + np.trace(there[:, :n]) - 2.0 * n
    return float(max(0.5 * (traces + apart @ (here[:, n] + there[:, n])), 0.0))

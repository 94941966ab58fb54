"""What a metric must be: positive definite. The errors name the entries that are in the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer.arguments import numbers
from nbinfer.errors import PositiveDefiniteError

_MOST = 10  # indices in one message


def positive_diagonal(name: str, diagonal: ArrayLike) -> NDArray[np.float64]:
    """Return a diagonal as float64, shape (n,).

    Raises
    ------
    PositiveDefiniteError
        If an entry is NaN, zero, negative or infinite.
    """
    values = numbers(name, diagonal)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"{name} must be a vector of variances, got shape {values.shape}.")
    bad = np.flatnonzero(~((values > 0.0) & np.isfinite(values)))
    if bad.size:
        raise PositiveDefiniteError(
            f"{name} must be positive and finite, got {values[bad[0]]:g} at {coordinates(bad)}.", bad
        )
    return values


def symmetric_and_positive(name: str, matrix: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a matrix, shape (n, n), as float64, and its lower Cholesky factor.

    Raises
    ------
    ValueError
        If it is not square or not symmetric.
    PositiveDefiniteError
        If it has no Cholesky factor.
    """
    values = numbers(name, matrix)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not values.size:
        raise ValueError(f"{name} must be a square matrix, got shape {values.shape}.")
    bad = np.flatnonzero(~np.isfinite(values).all(1))
    if bad.size:
        raise PositiveDefiniteError(f"{name} must be finite; it is not in the rows of {coordinates(bad)}.", bad)
    scale = np.sqrt(np.abs(np.diag(values)))
    gap = np.abs(values - values.T) > 1e-8 * np.outer(scale, scale)
    if gap.any():
        i, j = np.argwhere(gap)[0]
        raise ValueError(f"{name} must be symmetric, got {values[i, j]:g} at ({i}, {j}) and {values[j, i]:g} opposite.")
    values = 0.5 * (values + values.T)
    try:
        return values, np.asarray(np.linalg.cholesky(values))
    except np.linalg.LinAlgError:
        raise not_definite(name, values) from None


def weakest(matrix: NDArray[np.float64]) -> tuple[str, NDArray[np.int64]]:
    """Tell why a symmetric matrix is not positive definite, or where it is nearest to that.

    Returns
    -------
    reason : str
    indices : ndarray of int64
        Entries of the diagonal that are not positive and finite; if all are, those that make up the direction of the
        least eigenvalue among correlations, from the largest down to half of it.
    """
    diagonal = np.diag(matrix)
    bad = np.flatnonzero(~((diagonal > 0.0) & np.isfinite(matrix).all(1)))
    if bad.size:
        return f"its diagonal has {diagonal[bad[0]]:g}", bad
    scale = 1.0 / np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(matrix * np.outer(scale, scale))
    weight = np.abs(vectors[:, 0])
    return f"scaled to a unit diagonal, its least eigenvalue is {values[0]:.3g}", np.flatnonzero(
        weight >= weight.max() / 2
    )


def not_definite(name: str, matrix: NDArray[np.float64], labels: Sequence[str] | None = None) -> PositiveDefiniteError:
    """Make the error for a symmetric matrix that is not positive definite; `labels` name its rows."""
    reason, indices = weakest(matrix)
    return PositiveDefiniteError(
        f"{name} is not positive definite: {reason}, at {coordinates(indices, labels)}.", indices
    )


def coordinates(indices: NDArray[np.int64], labels: Sequence[str] | None = None) -> str:
    """Name some coordinates: ``index 0, 3``, or ``mu (index 0), tau (index 3)``."""
    more = f" and {indices.size - _MOST} more" if indices.size > _MOST else ""
    if labels is None:
        return f"index {', '.join(str(i) for i in indices[:_MOST])}{more}"
    return ", ".join(f"{labels[i]} (index {i})" for i in indices[:_MOST]) + more

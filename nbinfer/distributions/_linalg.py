"""Linear algebra for densities: NumPy in Python, loops in compiled code and models. Failure is NaN everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.autodiff import linalg, products
from nbinfer.autodiff.registry import HANDLERS, handles
from nbinfer.compile import Kernel, elementwise

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend


class Function(Kernel[..., Any]):
    """A function of arrays that has a form of its own for Python."""

    def __init__(self, function: Callable[..., Any], reference: Callable[..., Any]) -> None:
        super().__init__(function, {})
        self._reference = reference

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._reference(*args, **named)


class Exact(Kernel[..., Any]):
    """A function that computes the same, bit by bit, in Python and in compiled code: its source runs in both."""

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self.py_func(*args, **named)


def exact(function: Callable[..., Any]) -> Exact:
    """Mark a function of exact arithmetic; see `Exact`."""
    return Exact(function, {})


def function(reference: Callable[..., Any]) -> Callable[[Callable[..., Any]], Function]:
    """Mark a function that compiled code runs; `reference` computes the same in Python."""
    return lambda compiled: Function(compiled, reference)


def _cholesky(A: Any) -> Any:
    try:
        return np.linalg.cholesky(A)
    except np.linalg.LinAlgError:
        return np.full(np.shape(A), np.nan)


#: The lower L with L @ L.T = A, from the lower triangle of A; NaN if A is not positive definite.
cholesky = Function(linalg.cholesky.py_func, _cholesky)


def _whiten(L: Any, x: Any) -> Any:
    from scipy.linalg import solve_triangular

    if not np.all(np.diagonal(L)):
        return np.full(np.shape(x), np.nan)
    columns = np.reshape(x, (-1, np.shape(x)[-1])).T
    return np.reshape(solve_triangular(L, columns, lower=True, check_finite=False).T, np.shape(x))


@function(_whiten)
def whiten(L: Any, x: Any) -> Any:
    """Return the inverse of a lower L times a vector, or times each row of a matrix."""
    if L.shape[0] != x.shape[-1] or L.shape[1] != x.shape[-1]:
        raise ValueError("shapes do not fit")
    if x.ndim == 1:
        return linalg.solve_lower(L, x)
    z = np.empty(x.shape)
    for i in range(x.shape[0]):
        z[i] = linalg.solve_lower(L, x[i])
    return z


@handles(whiten.py_func)
def _whiten_in_models(b: Frontend, L: Any, x: Any) -> Any:
    solve = HANDLERS[linalg.solve_lower.py_func]
    x = b.operand(x)
    return solve(b, L, x) if x.ndim == 1 else b.transpose(solve(b, L, b.transpose(x)))


@function(np.matmul)
def times(x: Any, A: Any) -> Any:
    """Return a vector, or each row of a matrix, times a matrix."""
    if A.shape[0] != x.shape[-1]:
        raise ValueError("shapes do not fit")
    if x.ndim == 1:
        return products.vecmat(x, A)
    z = np.zeros((x.shape[0], A.shape[1]))
    for i in range(x.shape[0]):
        products.add_vecmat(z[i], x[i], A)
    return z


@handles(times.py_func)
def _times_in_models(b: Frontend, x: Any, A: Any) -> Any:
    return b.dot(b.operand(x), b.operand(A))


def _log_diagonal(L: Any) -> Any:
    return np.sum(np.log(np.diagonal(L, axis1=-2, axis2=-1)), -1)


@elementwise(_log_diagonal, cores=(2,))
def log_diagonal(L: Any) -> Any:
    """Return the sum of the logarithms of a matrix's diagonal: of a factor, half the logarithm of the determinant."""
    total = 0.0
    for i in range(L.shape[0]):
        total += np.log(L[i, i])
    return total


@exact
def factor(A: Any) -> Any:
    """Return the lower L with L @ L.T = A, bit by bit the same in Python and in compiled code: for draws."""
    n = A.shape[0]
    L = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            total = A[i, j]
            for k in range(j):
                total -= L[i, k] * L[j, k]
            if j < i:
                L[i, j] = total / L[j, j]
            else:
                L[i, i] = math.sqrt(total) if total > 0.0 else math.nan
    return L


@function(np.transpose)
def transposed(A: Any) -> Any:
    """Return the transpose, rows one after the other in memory."""
    return A.T.copy()


@handles(transposed.py_func)
def _transposed_in_models(b: Frontend, A: Any) -> Any:
    return b.transpose(b.operand(A))

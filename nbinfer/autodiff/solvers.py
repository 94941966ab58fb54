"""Solving linear systems in plain loops: failure is NaN, never an exception.

Each function overwrites `x`, which it returns, and takes what else it needs from an arena. Transposed systems are those
of adjoints, where 0 counts as 0, whatever it is multiplied or divided by.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nbinfer.compile import Kernel, empty, kernel
from nbinfer.compile.arena import mark, release


def fast(function: Callable[..., Any]) -> Kernel[..., Any]:
    """Mark a kernel whose sums the compiler may reorder."""
    return kernel(function, reassociate=True)


@fast
def copy_into(x: Any, b: Any) -> None:
    """Copy a vector."""
    for i in range(b.shape[0]):
        x[i] = b[i]


@fast
def solve_lower_into(arena: int, x: Any, L: Any, b: Any) -> Any:
    """Find x with L @ x = b for a lower triangular L and a vector b."""
    n = b.shape[0]
    for i in range(n):
        total = b[i]
        for j in range(i):
            total -= L[i, j] * x[j]
        x[i] = total / L[i, i]
    return x


@fast
def solve_upper_into(arena: int, x: Any, U: Any, b: Any) -> Any:
    """Find x with U @ x = b for an upper triangular U and a vector b."""
    n = b.shape[0]
    for i in range(n - 1, -1, -1):
        total = b[i]
        for j in range(i + 1, n):
            total -= U[i, j] * x[j]
        x[i] = total / U[i, i]
    return x


@fast
def solve_lower_transposed_into(arena: int, x: Any, L: Any, b: Any) -> Any:
    """Find x with L.T @ x = b, reading L by rows."""
    n = b.shape[0]
    copy_into(x, b)
    for i in range(n - 1, -1, -1):
        if x[i] != 0.0:
            x[i] /= L[i, i]
            t = x[i]
            for j in range(i):
                x[j] -= L[i, j] * t
    return x


@fast
def solve_upper_transposed_into(arena: int, x: Any, U: Any, b: Any) -> Any:
    """Find x with U.T @ x = b, reading U by rows."""
    n = b.shape[0]
    copy_into(x, b)
    for i in range(n):
        if x[i] != 0.0:
            x[i] /= U[i, i]
            t = x[i]
            for j in range(i + 1, n):
                x[j] -= U[i, j] * t
    return x


@fast
def factor(A: Any, LU: Any, pivots: Any) -> float:
    """Overwrite LU with the triangular factors of A, rows exchanged by `pivots`; return the determinant's sign."""
    n = A.shape[0]
    for i in range(n):
        pivots[i] = i
        for j in range(n):
            LU[i, j] = A[i, j]
    sign = 1.0
    for k in range(n):
        best = k
        for i in range(k + 1, n):
            if abs(LU[i, k]) > abs(LU[best, k]):
                best = i
        pivots[k] = best
        if best != k:
            sign = -sign
            for j in range(n):
                t = LU[k, j]
                LU[k, j] = LU[best, j]
                LU[best, j] = t
        if not abs(LU[k, k]) > 0.0:
            for i in range(n):
                for j in range(n):
                    LU[i, j] = math.nan
            return math.nan
        if LU[k, k] < 0.0:
            sign = -sign
        for i in range(k + 1, n):
            f = LU[i, k] / LU[k, k]
            LU[i, k] = f
            for j in range(k + 1, n):
                LU[i, j] -= f * LU[k, j]
    return sign


@fast
def solve_into(arena: int, x: Any, A: Any, b: Any) -> Any:
    """Find x with A @ x = b for a vector b; NaN if A is singular."""
    n = A.shape[0]
    before = mark(arena)
    LU = empty(arena, (n, n), np.float64)
    pivots = empty(arena, n, np.int64)
    factor(A, LU, pivots)
    copy_into(x, b)
    for k in range(n):
        t = x[pivots[k]]
        x[pivots[k]] = x[k]
        x[k] = t
    for i in range(n):
        for j in range(i):
            x[i] -= LU[i, j] * x[j]
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            x[i] -= LU[i, j] * x[j]
        x[i] /= LU[i, i]
    release(arena, before)
    return x


@fast
def solve_transposed_into(arena: int, x: Any, A: Any, b: Any) -> Any:
    """Find x with A.T @ x = b for a vector b; 0 if that is 0, even if A is singular."""
    n = A.shape[0]
    copy_into(x, b)
    alive = False
    for i in range(n):
        alive = alive or b[i] != 0.0
    if not alive:
        return x
    before = mark(arena)
    LU = empty(arena, (n, n), np.float64)
    pivots = empty(arena, n, np.int64)
    factor(A, LU, pivots)
    for i in range(n):
        x[i] /= LU[i, i]
        for j in range(i + 1, n):
            x[j] -= LU[i, j] * x[i]
    for i in range(n - 1, -1, -1):
        for j in range(i):
            x[j] -= LU[i, j] * x[i]
    for k in range(n - 1, -1, -1):
        t = x[pivots[k]]
        x[pivots[k]] = x[k]
        x[k] = t
    release(arena, before)
    return x


@fast
def subtract_outer(A_bar: Any, x: Any, y: Any) -> None:
    """Subtract x y.T."""
    for i in range(x.shape[0]):
        if x[i] != 0.0:
            for j in range(y.shape[0]):
                A_bar[i, j] -= x[i] * y[j]


@fast
def subtract_outer_lower(A_bar: Any, x: Any, y: Any) -> None:
    """Subtract the lower triangle of x y.T."""
    for i in range(x.shape[0]):
        if x[i] != 0.0:
            for j in range(i + 1):
                A_bar[i, j] -= x[i] * y[j]


@fast
def subtract_outer_upper(A_bar: Any, x: Any, y: Any) -> None:
    """Subtract the upper triangle of x y.T."""
    for i in range(x.shape[0]):
        if x[i] != 0.0:
            for j in range(i, y.shape[0]):
                A_bar[i, j] -= x[i] * y[j]


@fast
def add_to(x_bar: Any, x: Any) -> None:
    """Add a vector."""
    for i in range(x.shape[0]):
        x_bar[i] += x[i]

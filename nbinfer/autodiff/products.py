"""Products of matrices and vectors in plain loops, and their reverse.

Products are added to what is there. The reverse functions add to the adjoints they are given; an adjoint of 0 counts as
0, whatever it is multiplied by.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.autodiff.solvers import fast
from nbinfer.compile import empty
from nbinfer.compile.arena import mark, release

#: Columns of a product that are too few to be the inner loop.
_FEW = 8


@fast
def add_matvec(y: Any, A: Any, x: Any) -> None:
    """Add A @ x, four rows at a time: x is loaded once for four, and four sums do not wait for each other."""
    n = A.shape[0]
    whole = n - n % 4
    for i in range(0, whole, 4):
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for j in range(A.shape[1]):
            t = x[j]
            a += A[i, j] * t
            b += A[i + 1, j] * t
            c += A[i + 2, j] * t
            d += A[i + 3, j] * t
        y[i] += a
        y[i + 1] += b
        y[i + 2] += c
        y[i + 3] += d
    for i in range(whole, n):
        total = 0.0
        for j in range(A.shape[1]):
            total += A[i, j] * x[j]
        y[i] += total


@fast
def add_vecmat(y: Any, x: Any, A: Any) -> None:
    """Add x @ A, four rows at a time: y is loaded and stored once for four."""
    n = A.shape[0]
    whole = n - n % 4
    for i in range(0, whole, 4):
        a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
        for j in range(A.shape[1]):
            y[j] += (A[i, j] * a + A[i + 1, j] * b) + (A[i + 2, j] * c + A[i + 3, j] * d)
    for i in range(whole, n):
        a = x[i]
        for j in range(A.shape[1]):
            y[j] += A[i, j] * a


@fast
def matvec(y: Any, A: Any, x: Any) -> Any:
    """Add A @ x; return the sum."""
    add_matvec(y, A, x)
    return y


@fast
def vecmat(y: Any, x: Any, A: Any) -> Any:
    """Add x @ A; return the sum."""
    add_vecmat(y, x, A)
    return y


@fast
def _count_zeros(x: Any) -> Any:
    count = 0
    for i in range(x.shape[0]):
        count += x[i] == 0.0
    return count


@fast
def matvec_reverse(x_bar: Any, y_bar: Any, A: Any) -> None:
    """Add y_bar @ A."""
    if _count_zeros(y_bar) == 0:
        add_vecmat(x_bar, y_bar, A)
        return
    for i in range(A.shape[0]):
        a = y_bar[i]
        if a != 0.0:
            for j in range(A.shape[1]):
                x_bar[j] += A[i, j] * a


@fast
def vecmat_reverse(x_bar: Any, A: Any, y_bar: Any) -> None:
    """Add A @ y_bar."""
    if _count_zeros(y_bar) == 0:
        add_matvec(x_bar, A, y_bar)
        return
    for i in range(A.shape[0]):
        total = 0.0
        for j in range(A.shape[1]):
            total += A[i, j] * y_bar[j] if y_bar[j] != 0.0 else 0.0
        x_bar[i] += total


@fast
def _add_scaled(y: Any, a: float, x: Any) -> None:
    """Add a * x, where either of them may be an adjoint."""
    if abs(a) < math.inf:
        if a != 0.0:
            for j in range(x.shape[0]):
                y[j] += a * x[j]
    else:
        for j in range(x.shape[0]):
            if x[j] != 0.0:
                y[j] += a * x[j]


@fast
def add_outer(A_bar: Any, x: Any, y: Any) -> None:
    """Add x y.T."""
    for i in range(x.shape[0]):
        _add_scaled(A_bar[i], x[i], y)


@fast
def _are_finite(A: Any) -> bool:
    count = 0
    for i in range(A.shape[0]):
        for j in range(A.shape[1]):
            count += abs(A[i, j]) < math.inf
    return count == A.size  # type: ignore[no-any-return]


@fast
def _absorbs(bar: Any, factor: Any) -> bool:
    """Tell whether some adjoint is 0 and some factor is not finite: then each product has to be looked at."""
    zeros = 0
    for i in range(bar.shape[0]):
        zeros += _count_zeros(bar[i])
    return zeros > 0 and not _are_finite(factor)


@fast
def _take_column(x: Any, A: Any, j: int) -> None:
    """Copy a column of A to x."""
    for i in range(x.shape[0]):
        x[i] = A[i, j]


@fast
def _add_to_column(A: Any, j: int, x: Any) -> None:
    """Add x to a column of A."""
    for i in range(x.shape[0]):
        A[i, j] += x[i]


@fast
def _clear(x: Any) -> None:
    for i in range(x.shape[0]):
        x[i] = 0.0


@fast
def _transposed(T: Any, A: Any) -> Any:
    """Overwrite T with A.T; return it."""
    for i in range(A.shape[0]):
        for j in range(A.shape[1]):
            T[j, i] = A[i, j]
    return T


@fast
def add_matmul(arena: int, C: Any, A: Any, B: Any) -> None:
    """Add A @ B: row by row, or column by column if there are few, so that inner loops are long."""
    if B.shape[1] >= _FEW:
        for i in range(A.shape[0]):
            add_vecmat(C[i], A[i], B)
        return
    before = mark(arena)
    column, total = empty(arena, B.shape[0], np.float64), empty(arena, A.shape[0], np.float64)
    for j in range(B.shape[1]):
        _take_column(column, B, j)
        _clear(total)
        add_matvec(total, A, column)
        _add_to_column(C, j, total)
    release(arena, before)


@fast
def add_transposed_matmul(arena: int, C: Any, A: Any, B: Any) -> None:
    """Add A.T @ B: row by row, or column by column if there are few and both factors have more rows."""
    before = mark(arena)
    column = empty(arena, A.shape[0], np.float64)
    if C.shape[1] >= min(A.shape):
        for i in range(C.shape[0]):
            _take_column(column, A, i)
            add_vecmat(C[i], column, B)
    else:
        total = empty(arena, C.shape[0], np.float64)
        for j in range(C.shape[1]):
            _take_column(column, B, j)
            _clear(total)
            add_vecmat(total, column, A)
            _add_to_column(C, j, total)
    release(arena, before)


@fast
def matmul(arena: int, C: Any, A: Any, B: Any) -> Any:
    """Add A @ B; return the sum."""
    add_matmul(arena, C, A, B)
    return C


@fast
def matmul_reverse_left(arena: int, A_bar: Any, C_bar: Any, B: Any) -> None:
    """Add C_bar @ B.T."""
    if not _absorbs(C_bar, B):
        if B.shape[1] < _FEW:
            before = mark(arena)
            add_matmul(arena, A_bar, C_bar, _transposed(empty(arena, (B.shape[1], B.shape[0]), np.float64), B))
            release(arena, before)
            return
        for i in range(A_bar.shape[0]):
            add_matvec(A_bar[i], B, C_bar[i])
        return
    for i in range(A_bar.shape[0]):
        for k in range(A_bar.shape[1]):
            for j in range(B.shape[1]):
                A_bar[i, k] += C_bar[i, j] * B[k, j] if C_bar[i, j] != 0.0 else 0.0


@fast
def matmul_reverse_right(arena: int, B_bar: Any, A: Any, C_bar: Any) -> None:
    """Add A.T @ C_bar."""
    if not _absorbs(C_bar, A):
        add_transposed_matmul(arena, B_bar, A, C_bar)
        return
    for i in range(A.shape[0]):
        for k in range(A.shape[1]):
            for j in range(C_bar.shape[1]):
                B_bar[k, j] += A[i, k] * C_bar[i, j] if C_bar[i, j] != 0.0 else 0.0

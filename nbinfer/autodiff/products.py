"""Products of matrices and vectors in plain loops, and their reverse.

The reverse functions add to the adjoints they are given; an adjoint of 0 counts as 0, whatever it is multiplied by.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.autodiff.solvers import fast


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
def matvec(A: Any, x: Any) -> Any:
    """Return A @ x."""
    y = np.zeros(A.shape[0])
    add_matvec(y, A, x)
    return y


@fast
def vecmat(x: Any, A: Any) -> Any:
    """Return x @ A."""
    y = np.zeros(A.shape[1])
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
def matmul(A: Any, B: Any) -> Any:
    """Return A @ B."""
    rows, inner, columns = A.shape[0], A.shape[1], B.shape[1]
    C = np.zeros((rows, columns))
    for i in range(rows):
        for k in range(inner):
            a = A[i, k]
            for j in range(columns):
                C[i, j] += a * B[k, j]
    return C


@fast
def matmul_reverse_left(A_bar: Any, C_bar: Any, B: Any) -> None:
    """Add C_bar @ B.T."""
    for i in range(A_bar.shape[0]):
        for k in range(A_bar.shape[1]):
            total = 0.0
            for j in range(B.shape[1]):
                total += C_bar[i, j] * B[k, j]
            if not abs(total) < math.inf:
                total = 0.0
                for j in range(B.shape[1]):
                    total += C_bar[i, j] * B[k, j] if C_bar[i, j] != 0.0 else 0.0
            A_bar[i, k] += total


@fast
def matmul_reverse_right(B_bar: Any, A: Any, C_bar: Any) -> None:
    """Add A.T @ C_bar."""
    for i in range(A.shape[0]):
        for k in range(A.shape[1]):
            _add_scaled(B_bar[k], A[i, k], C_bar[i])

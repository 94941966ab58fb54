"""Linear algebra in plain loops: it reports failure by NaN, never by an exception, and each function has its reverse.

Matrices are arrays (n, n) in C order. The reverse functions add to the adjoints they are given. The Cholesky reverse
is the row-oriented algorithm of Murray, "Differentiation of the Cholesky decomposition" (2016), section 3.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from nbinfer.compile import kernel

__all__ = ["cholesky", "solve_lower", "solve_upper"]


class WholeArray(NamedTuple):
    """A function of whole arrays, for generated code.

    Attributes
    ----------
    name : str
        What its result is called.
    value : str
        Template of the value; ``{0}``, ``{1}`` are the arguments.
    reverse : dict
        For each argument by position, a template of the statement that adds to its adjoint: ``{bar0}``, ``{bar1}`` are
        the adjoints of the arguments, ``{bar}`` that of the result, ``{o}`` the result.
    needs : dict
        For each argument by position, what its reverse reads: positions of arguments, and "out".
    """

    name: str
    value: str
    reverse: dict[int, str]
    needs: dict[int, tuple[Any, ...]]


@kernel(reassociate=True)
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


@kernel(reassociate=True)
def matmul_reverse_left(A_bar: Any, C_bar: Any, B: Any) -> None:
    """Add C_bar @ B.T."""
    for i in range(A_bar.shape[0]):
        for k in range(A_bar.shape[1]):
            total = 0.0
            for j in range(B.shape[1]):
                total += C_bar[i, j] * B[k, j]
            A_bar[i, k] += total


@kernel(reassociate=True)
def matmul_reverse_right(B_bar: Any, A: Any, C_bar: Any) -> None:
    """Add A.T @ C_bar."""
    for i in range(A.shape[0]):
        for k in range(A.shape[1]):
            a = A[i, k]
            for j in range(B_bar.shape[1]):
                B_bar[k, j] += a * C_bar[i, j]


@kernel(reassociate=True)
def cholesky(A: Any) -> Any:
    """Return the lower triangular L with L @ L.T = A; all NaN if A is not positive definite. Reads the lower triangle."""
    n = A.shape[0]
    L = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            total = A[i, j]
            for k in range(j):
                total -= L[i, k] * L[j, k]
            if j < i:
                L[i, j] = total / L[j, j]
            elif total > 0.0 and total < math.inf:
                L[i, i] = math.sqrt(total)
            else:
                for p in range(n):
                    for q in range(n):
                        L[p, q] = math.nan
                return L
    return L


@kernel(reassociate=True)
def cholesky_reverse(A_bar: Any, L: Any, L_bar: Any) -> None:
    """Add the pull-back of L_bar to the lower triangle of A_bar."""
    n = L.shape[0]
    W = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            W[i, j] = L_bar[i, j]
    for i in range(n - 1, -1, -1):
        for j in range(i, -1, -1):
            if j == i:
                s = 0.5 * W[i, i] / L[i, i]
                for m in range(i):
                    W[i, m] -= 2.0 * s * L[i, m]
            else:
                s = W[i, j] / L[j, j]
                W[j, j] -= s * L[i, j]
                for m in range(j):
                    W[i, m] -= s * L[j, m]
                    W[j, m] -= s * L[i, m]
            A_bar[i, j] += s


@kernel(reassociate=True)
def solve_lower(L: Any, b: Any) -> Any:
    """Return x with L @ x = b for a lower triangular L and a vector b."""
    n = b.shape[0]
    x = np.empty(n)
    for i in range(n):
        total = b[i]
        for j in range(i):
            total -= L[i, j] * x[j]
        x[i] = total / L[i, i]
    return x


@kernel(reassociate=True)
def solve_upper(U: Any, b: Any) -> Any:
    """Return x with U @ x = b for an upper triangular U and a vector b."""
    n = b.shape[0]
    x = np.empty(n)
    for i in range(n - 1, -1, -1):
        total = b[i]
        for j in range(i + 1, n):
            total -= U[i, j] * x[j]
        x[i] = total / U[i, i]
    return x


@kernel(reassociate=True)
def solve_lower_transposed(L: Any, b: Any) -> Any:
    """Return x with L.T @ x = b, reading L by rows."""
    n = b.shape[0]
    x = b.copy()
    for i in range(n - 1, -1, -1):
        x[i] /= L[i, i]
        t = x[i]
        for j in range(i):
            x[j] -= L[i, j] * t
    return x


@kernel(reassociate=True)
def solve_upper_transposed(U: Any, b: Any) -> Any:
    """Return x with U.T @ x = b, reading U by rows."""
    n = b.shape[0]
    x = b.copy()
    for i in range(n):
        x[i] /= U[i, i]
        t = x[i]
        for j in range(i + 1, n):
            x[j] -= U[i, j] * t
    return x


@kernel
def factor(A: Any, LU: Any, pivots: Any) -> float:
    """Overwrite LU with the triangular factors of A, rows exchanged by `pivots`; return the determinant's sign."""
    n = A.shape[0]
    for i in range(n):
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


@kernel
def solve(A: Any, b: Any) -> Any:
    """Return x with A @ x = b for a vector b; NaN if A is singular."""
    n = A.shape[0]
    LU = np.empty((n, n))
    pivots = np.empty(n, np.int64)
    factor(A, LU, pivots)
    x = b.copy()
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
    return x


@kernel
def solve_transposed(A: Any, b: Any) -> Any:
    """Return x with A.T @ x = b for a vector b."""
    n = A.shape[0]
    LU = np.empty((n, n))
    pivots = np.empty(n, np.int64)
    factor(A, LU, pivots)
    x = b.copy()
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
    return x


@kernel
def determinant_sign(A: Any) -> float:
    """Return the sign of the determinant: 1, -1, or 0 if A is singular."""
    n = A.shape[0]
    sign = factor(A, np.empty((n, n)), np.empty(n, np.int64))
    return sign if sign == sign else 0.0


@kernel
def log_determinant(A: Any) -> float:
    """Return log(abs(det(A))); -inf if A is singular."""
    n = A.shape[0]
    LU = np.empty((n, n))
    if math.isnan(factor(A, LU, np.empty(n, np.int64))):
        return -math.inf
    total = 0.0
    for i in range(n):
        total += math.log(abs(LU[i, i]))
    return total


@kernel
def log_determinant_reverse(A_bar: Any, A: Any, bar: float) -> None:
    """Add bar * inv(A).T."""
    n = A.shape[0]
    unit = np.zeros(n)
    for j in range(n):
        unit[j] = 1.0
        column = solve(A, unit)  # column j of the inverse
        unit[j] = 0.0
        for i in range(n):
            A_bar[j, i] += bar * column[i]


@kernel
def subtract_outer(A_bar: Any, x: Any, y: Any) -> None:
    """Subtract x y.T."""
    for i in range(x.shape[0]):
        for j in range(y.shape[0]):
            A_bar[i, j] -= x[i] * y[j]


@kernel
def subtract_outer_lower(A_bar: Any, x: Any, y: Any) -> None:
    """Subtract the lower triangle of x y.T."""
    for i in range(x.shape[0]):
        for j in range(i + 1):
            A_bar[i, j] -= x[i] * y[j]


@kernel
def subtract_outer_upper(A_bar: Any, x: Any, y: Any) -> None:
    """Subtract the upper triangle of x y.T."""
    for i in range(x.shape[0]):
        for j in range(i, y.shape[0]):
            A_bar[i, j] -= x[i] * y[j]


@kernel
def add_to(x_bar: Any, x: Any) -> None:
    """Add a vector."""
    for i in range(x.shape[0]):
        x_bar[i] += x[i]


def _by_columns(name: str, one: Any, one_transposed: Any, subtract: Any) -> tuple[Any, Any, Any]:
    """Make the solver of a matrix of right sides, and its reverse by each argument."""

    @kernel
    def columns(A: Any, B: Any) -> Any:
        X = np.empty(B.shape)
        for j in range(B.shape[1]):
            X[:, j] = one(A, B[:, j].copy())
        return X

    @kernel
    def reverse_matrix(A_bar: Any, A: Any, X: Any, X_bar: Any) -> None:
        for j in range(X.shape[1]):
            subtract(A_bar, one_transposed(A, X_bar[:, j].copy()), X[:, j])

    @kernel
    def reverse_right(B_bar: Any, A: Any, X_bar: Any) -> None:
        for j in range(X_bar.shape[1]):
            B_bar[:, j] += one_transposed(A, X_bar[:, j].copy())

    return columns, reverse_matrix, reverse_right


_TRIPLES = {
    "solve": (solve, solve_transposed, subtract_outer),
    "solve_lower": (solve_lower, solve_lower_transposed, subtract_outer_lower),
    "solve_upper": (solve_upper, solve_upper_transposed, subtract_outer_upper),
}

#: What generated code calls, under these names.
HELPERS: dict[str, Any] = {
    "_matmul": matmul,
    "_matmul_reverse_left": matmul_reverse_left,
    "_matmul_reverse_right": matmul_reverse_right,
    "_cholesky": cholesky,
    "_cholesky_reverse": cholesky_reverse,
    "_determinant_sign": determinant_sign,
    "_log_determinant": log_determinant,
    "_log_determinant_reverse": log_determinant_reverse,
    "_add_to": add_to,
}

MATMUL = WholeArray(
    "product",
    "_matmul({0}, {1})",
    {0: "_matmul_reverse_left({bar0}, {bar}, {1})", 1: "_matmul_reverse_right({bar1}, {0}, {bar})"},
    {0: (1,), 1: (0,)},
)
CHOLESKY = WholeArray("L", "_cholesky({0})", {0: "_cholesky_reverse({bar0}, {o}, {bar})"}, {0: ("out",)})
DETERMINANT_SIGN = WholeArray("sign", "_determinant_sign({0})", {}, {})
LOG_DETERMINANT = WholeArray(
    "logdet", "_log_determinant({0})", {0: "_log_determinant_reverse({bar0}, {0}, {bar})"}, {0: (0,)}
)
COLUMNS: dict[str, WholeArray] = {}


def _solver(name: str) -> WholeArray:
    one, transposed, subtract = _TRIPLES[name]
    columns, reverse_matrix, reverse_right = _by_columns(name, one, transposed, subtract)
    HELPERS[f"_{name}"] = one
    HELPERS[f"_{name}_transposed"] = transposed
    HELPERS[f"_{name}_subtract"] = subtract
    HELPERS[f"_{name}_columns"] = columns
    HELPERS[f"_{name}_columns_reverse_matrix"] = reverse_matrix
    HELPERS[f"_{name}_columns_reverse_right"] = reverse_right
    COLUMNS[name] = WholeArray(
        f"{name}_columns",
        f"_{name}_columns({{0}}, {{1}})",
        {
            0: f"_{name}_columns_reverse_matrix({{bar0}}, {{0}}, {{o}}, {{bar}})",
            1: f"_{name}_columns_reverse_right({{bar1}}, {{0}}, {{bar}})",
        },
        {0: (0, "out"), 1: (0,)},
    )
    return WholeArray(
        name,
        f"_{name}({{0}}, {{1}})",
        {
            0: f"_{name}_subtract({{bar0}}, _{name}_transposed({{0}}, {{bar}}), {{o}})",
            1: f"_add_to({{bar1}}, _{name}_transposed({{0}}, {{bar}}))",
        },
        {0: (0, "out"), 1: (0,)},
    )


SOLVE = _solver("solve")
SOLVE_LOWER = _solver("solve_lower")
SOLVE_UPPER = _solver("solve_upper")

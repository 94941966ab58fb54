"""Linear algebra in plain loops: it reports failure by NaN, never by an exception, and each function has its reverse.

Matrices are arrays (n, n) in C order. The reverse functions add to the adjoints they are given. The Cholesky reverse
is the row-oriented algorithm of Murray, "Differentiation of the Cholesky decomposition" (2016), section 3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from nbinfer.autodiff.flat import flat
from nbinfer.autodiff.products import (
    add_outer,
    matmul,
    matmul_reverse_left,
    matmul_reverse_right,
    matvec,
    matvec_reverse,
    vecmat,
    vecmat_reverse,
)
from nbinfer.autodiff.solvers import (
    add_to,
    copy_into,
    factor,
    fast,
    solve_into,
    solve_lower_into,
    solve_lower_transposed_into,
    solve_transposed_into,
    solve_upper_into,
    solve_upper_transposed_into,
    subtract_outer,
    subtract_outer_lower,
    subtract_outer_upper,
)
from nbinfer.compile import empty, kernel, part, zeros
from nbinfer.compile.arena import mark, release

__all__ = ["cholesky", "solve_lower", "solve_upper"]


class WholeArray(NamedTuple):
    """A function of whole arrays, for generated code.

    Where value and derivatives come of one pass, the value is a pair: the result, and a flat array that the reverse
    reads.

    Attributes
    ----------
    name : str
        What its result is called.
    value : str
        Template of the value; ``{0}``, ``{1}`` are the arguments.
    reverse : dict
        For each argument by position, a template of the statement that adds to its adjoint: ``{bar0}``, ``{bar1}`` are
        the adjoints of the arguments, ``{bar}`` that of the result, ``{o}`` the result, ``{kept}`` what was kept.
        Memory comes from ``arena``.
    needs : dict
        For each argument by position, what its reverse reads: positions of arguments, "out" and "kept".
    functions : dict
        What the templates call beside `HELPERS`, by name.
    keeps : bool
        Whether the value is a pair.
    """

    name: str
    value: str
    reverse: dict[int, str]
    needs: dict[int, tuple[Any, ...]]
    functions: Mapping[str, Any] = {}
    keeps: bool = False


@kernel
def ones(arena: int, shape: Any, dtype: Any) -> Any:
    """Take an array of ones from an arena."""
    array = empty(arena, shape, dtype)
    elements = part(array, 0, (array.size,))
    for i in range(array.size):
        elements[i] = 1
    return array


@kernel
def grown(arena: int, rows: Any) -> Any:
    """Take room for twice as many rows, with those that there are."""
    more = empty(arena, (2 * rows.shape[0], *rows.shape[1:]), rows.dtype)
    old, new = part(rows, 0, (rows.size,)), part(more, 0, (more.size,))
    for i in range(old.size):
        new[i] = old[i]
    return more


@kernel
def cholesky(A: Any) -> Any:
    """Return the lower L with L @ L.T = A, all NaN if A is not positive definite; reads the lower triangle."""
    return cholesky_into(np.zeros((A.shape[0], A.shape[0])), A)


@kernel
def solve_lower(L: Any, b: Any) -> Any:
    """Return x with L @ x = b for a lower triangular L and a vector b."""
    return solve_lower_into(0, np.empty(b.shape[0]), L, b)


@kernel
def solve_upper(U: Any, b: Any) -> Any:
    """Return x with U @ x = b for an upper triangular U and a vector b."""
    return solve_upper_into(0, np.empty(b.shape[0]), U, b)


@fast
def cholesky_into(L: Any, A: Any) -> Any:
    """Overwrite the lower triangle of L so that L @ L.T = A; return it, all NaN if A is not positive definite."""
    n = A.shape[0]
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


@fast
def cholesky_reverse(W: Any, A_bar: Any, L: Any, L_bar: Any) -> None:
    """Add the pull-back of L_bar to the lower triangle of A_bar; the lower triangle of W is room to work in."""
    n = L.shape[0]
    alive = 0.0
    for i in range(n):
        for j in range(i + 1):
            W[i, j] = L_bar[i, j]
            alive += 1.0 if L_bar[i, j] != 0.0 else 0.0
    if alive == 0.0:  # of a factor that failed, all is NaN
        return
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


@kernel
def determinant_sign(arena: int, A: Any) -> float:
    """Return the sign of the determinant: 1, -1, or 0 if A is singular."""
    n = A.shape[0]
    before = mark(arena)
    sign = factor(A, empty(arena, (n, n), np.float64), empty(arena, n, np.int64))
    release(arena, before)
    return sign if sign == sign else 0.0


@fast
def log_determinant(arena: int, A: Any) -> float:
    """Return log(abs(det(A))); -inf if A is singular."""
    n = A.shape[0]
    before = mark(arena)
    LU = empty(arena, (n, n), np.float64)
    sign = factor(A, LU, empty(arena, n, np.int64))
    release(arena, before)
    if math.isnan(sign):
        return -math.inf
    total = 0.0
    for i in range(n):
        total += math.log(abs(LU[i, i]))
    return total


@fast
def log_determinant_reverse(arena: int, A_bar: Any, A: Any, bar: float) -> None:
    """Add bar * inv(A).T."""
    n = A.shape[0]
    before = mark(arena)
    unit, column = zeros(arena, n, np.float64), empty(arena, n, np.float64)
    for j in range(n):
        unit[j] = 1.0
        solve_into(arena, column, A, unit)  # column j of the inverse
        unit[j] = 0.0
        for i in range(n):
            A_bar[j, i] += bar * column[i]
    release(arena, before)


def _by_columns(name: str, one: Any, one_transposed: Any, subtract: Any) -> tuple[Any, Any, Any]:
    """Make the solver of a matrix of right sides, and its reverse by each argument."""

    @fast
    def columns(arena: int, X: Any, A: Any, B: Any) -> Any:
        before = mark(arena)
        x, column = empty(arena, B.shape[0], np.float64), empty(arena, B.shape[0], np.float64)
        for j in range(B.shape[1]):
            copy_into(column, B[:, j])
            copy_into(X[:, j], one(arena, x, A, column))
        release(arena, before)
        return X

    @fast
    def reverse_matrix(arena: int, A_bar: Any, A: Any, X: Any, X_bar: Any) -> None:
        before = mark(arena)
        x, column = empty(arena, X.shape[0], np.float64), empty(arena, X.shape[0], np.float64)
        for j in range(X.shape[1]):
            copy_into(column, X_bar[:, j])
            subtract(A_bar, one_transposed(arena, x, A, column), X[:, j])
        release(arena, before)

    @fast
    def reverse_right(arena: int, B_bar: Any, A: Any, X_bar: Any) -> None:
        before = mark(arena)
        x, column = empty(arena, X_bar.shape[0], np.float64), empty(arena, X_bar.shape[0], np.float64)
        for j in range(X_bar.shape[1]):
            copy_into(column, X_bar[:, j])
            add_to(B_bar[:, j], one_transposed(arena, x, A, column))
        release(arena, before)

    return columns, reverse_matrix, reverse_right


_TRIPLES = {
    "solve": (solve_into, solve_transposed_into, subtract_outer),
    "solve_lower": (solve_lower_into, solve_lower_transposed_into, subtract_outer_lower),
    "solve_upper": (solve_upper_into, solve_upper_transposed_into, subtract_outer_upper),
}

#: What generated code calls, under these names.
HELPERS: dict[str, Any] = {
    "_empty": empty,
    "_zeros": zeros,
    "_ones": ones,
    "_mark": mark,
    "_release": release,
    "_grown": grown,
    "_flat": flat,
    "_matvec": matvec,
    "_vecmat": vecmat,
    "_matvec_reverse": matvec_reverse,
    "_vecmat_reverse": vecmat_reverse,
    "_add_outer": add_outer,
    "_matmul": matmul,
    "_matmul_reverse_left": matmul_reverse_left,
    "_matmul_reverse_right": matmul_reverse_right,
    "_cholesky": cholesky_into,
    "_cholesky_reverse": cholesky_reverse,
    "_determinant_sign": determinant_sign,
    "_log_determinant": log_determinant,
    "_log_determinant_reverse": log_determinant_reverse,
    "_add_to": add_to,
}

MATVEC = WholeArray(
    "product",
    "_matvec(_zeros(arena, {0}.shape[0], np.float64), {0}, {1})",
    {0: "_add_outer({bar0}, {bar}, {1})", 1: "_matvec_reverse({bar1}, {bar}, {0})"},
    {0: (1,), 1: (0,)},
)
VECMAT = WholeArray(
    "product",
    "_vecmat(_zeros(arena, {1}.shape[1], np.float64), {0}, {1})",
    {0: "_vecmat_reverse({bar0}, {1}, {bar})", 1: "_add_outer({bar1}, {0}, {bar})"},
    {0: (1,), 1: (0,)},
)
MATMUL = WholeArray(
    "product",
    "_matmul(arena, _zeros(arena, ({0}.shape[0], {1}.shape[1]), np.float64), {0}, {1})",
    {0: "_matmul_reverse_left(arena, {bar0}, {bar}, {1})", 1: "_matmul_reverse_right(arena, {bar1}, {0}, {bar})"},
    {0: (1,), 1: (0,)},
)
CHOLESKY = WholeArray(
    "L",
    "_cholesky(_zeros(arena, ({0}.shape[0], {0}.shape[0]), np.float64), {0})",
    {0: "_cholesky_reverse(_empty(arena, {o}.shape, np.float64), {bar0}, {o}, {bar})"},
    {0: ("out",)},
)
DETERMINANT_SIGN = WholeArray("sign", "_determinant_sign(arena, {0})", {}, {})
LOG_DETERMINANT = WholeArray(
    "logdet", "_log_determinant(arena, {0})", {0: "_log_determinant_reverse(arena, {bar0}, {0}, {bar})"}, {0: (0,)}
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
        f"_{name}_columns(arena, _empty(arena, {{1}}.shape, np.float64), {{0}}, {{1}})",
        {
            0: f"_{name}_columns_reverse_matrix(arena, {{bar0}}, {{0}}, {{o}}, {{bar}})",
            1: f"_{name}_columns_reverse_right(arena, {{bar1}}, {{0}}, {{bar}})",
        },
        {0: (0, "out"), 1: (0,)},
    )
    transposed_of = f"_{name}_transposed(arena, _empty(arena, {{bar}}.shape, np.float64), {{0}}, {{bar}})"
    return WholeArray(
        name,
        f"_{name}(arena, _empty(arena, {{1}}.shape, np.float64), {{0}}, {{1}})",
        {
            0: f"_{name}_subtract({{bar0}}, {transposed_of}, {{o}})",
            1: f"_add_to({{bar1}}, {transposed_of})",
        },
        {0: (0, "out"), 1: (0,)},
    )


SOLVE = _solver("solve")
SOLVE_LOWER = _solver("solve_lower")
SOLVE_UPPER = _solver("solve_upper")

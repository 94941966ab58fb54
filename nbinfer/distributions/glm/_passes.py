"""One pass over the rows of a regression: predictors, log likelihood, derivatives, and their products with the rows.

Rows are taken in blocks that stay in the processor's cache, so that the matrix comes from memory once. What works on
whole blocks counts from 0, which lets the compiler vectorise. There are few functions one inside the other, because the
compiler optimises each again wherever it is called.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.autodiff.products import add_matvec, add_vecmat
from nbinfer.autodiff.solvers import fast
from nbinfer.compile import Kernel, kernel, part
from nbinfer.compile.arena import mark, release, room

#: Numbers of a block of rows: 32 KiB.
_BLOCK = 4096


@kernel
def zeros_in(arena: int | None, count: int) -> Any:
    """Take zeros from an arena, or from the heap."""
    array = room(arena, count)
    for i in range(count):
        array[i] = 0.0
    return array


@kernel
def rows_at_once(p: int) -> int:
    """Return how many rows of p numbers make a block."""
    return max(32, _BLOCK // max(p, 1) // 8 * 8)


@kernel
def are_categories(y: Any, count: int) -> bool:
    """Tell whether all outcomes are whole numbers from 0 to count - 1."""
    wrong = 0
    for i in range(y.shape[0]):
        k = 1.0 * y[i]
        wrong += 0 if k >= 0.0 and k < count and k == math.floor(k) else 1
    return wrong == 0


def one_pass(name: str, block: Kernel[..., float], rest: Kernel[..., float]) -> Kernel[..., tuple[float, Any]]:
    """Make the pass of a family that has one predictor for each row.

    Parameters
    ----------
    name : str
        Of the result, which no other pass has: under it compiled code is kept between processes.
    block : kernel
        ``block(arena, y, predictor, numbers, numbers_grad)`` returns the log likelihood of some rows as far as
        predictors matter, overwrites these with its derivatives, and adds its derivatives by the family's numbers.
    rest : kernel
        ``rest(arena, y, numbers, numbers_grad)`` returns what else belongs to it, and adds its derivatives; ``-inf`` or
        NaN if an outcome or a number is impossible.

    Returns
    -------
    run : kernel
        ``run(arena, y, X, beta, numbers, shift)``, where `shift` is what is added to X @ beta, one number or one for
        each row, returns the log likelihood and its gradient in one array: by each row's predictor, by the numbers, by
        beta.
    """

    def run(arena: int | None, y: Any, X: Any, beta: Any, numbers: Any, shift: Any) -> tuple[float, Any]:
        n, p = X.shape
        m = numbers.shape[0]
        y, X = np.ascontiguousarray(y), np.ascontiguousarray(X)
        gradient = zeros_in(arena, n + m + p)
        numbers_grad = part(gradient, n, (m,))
        beta_grad = part(gradient, n + m, (p,))
        before = mark(arena)
        total = rest(arena, y, numbers, numbers_grad)
        release(arena, before)
        if not total > -math.inf:
            return -math.inf, gradient
        each = 1 if shift.shape[0] > 1 else 0
        for i in range(n):
            gradient[i] = shift[i * each]
        size = rows_at_once(p)
        for first in range(0, n, size):
            count = min(size, n - first)
            rows = part(X, first * p, (count, p))
            predictor = part(gradient, first, (count,))
            add_matvec(predictor, rows, beta)
            total += block(arena, part(y, first, (count,)), predictor, numbers, numbers_grad)
            release(arena, before)
            add_vecmat(beta_grad, predictor, rows)
        return total if total == total else -math.inf, gradient

    run.__name__ = run.__qualname__ = name
    return fast(run)


@kernel
def whole_shift(y: Any, X: Any, beta: Any, shift: Any) -> Any:
    """Return what is added to each row's product, a number or one for each row, as an array; refuse other shapes."""
    n, p = X.shape
    if y.shape[0] != n or beta.shape[0] != p:
        raise ValueError("glm: X must have a row for each element of y and a column for each element of beta")
    whole = np.empty(n)
    whole[:] = shift
    return whole


@kernel
def hand_over(gradient: Any, predictor: Any, beta_grad: Any) -> None:
    """Write the derivatives by predictors, and add those by beta, which come last."""
    for i in range(predictor.shape[0]):
        predictor[i] = gradient[i]
    first = gradient.shape[0] - beta_grad.shape[0]
    for j in range(beta_grad.shape[0]):
        beta_grad[j] += gradient[first + j]

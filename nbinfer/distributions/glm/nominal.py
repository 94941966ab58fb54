"""Softmax regression, also called multinomial logistic: several predictors for each row, one for each category.

Arrays with an axis of categories have it last where users see them. Inside it comes first, so that what happens to all
rows is done to neighbours in memory.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer import vectormath
from nbinfer.autodiff.products import add_matvec, add_vecmat
from nbinfer.autodiff.solvers import fast
from nbinfer.compile import kernel, part
from nbinfer.compile.arena import mark, release, room
from nbinfer.distributions import categorical
from nbinfer.distributions.glm._mark import categories, regression
from nbinfer.distributions.glm._passes import are_categories, rows_at_once, zeros_in

_exp, _log = vectormath.exp.numbers, vectormath.log.numbers


@fast
def _odds(arena: int | None, y: Any, predictor: Any, first: int, count: int) -> float:
    """Return the log likelihood of `count` rows from `first` on; overwrite their predictors with its derivatives."""
    n, K = y.shape[0], predictor.shape[0] // y.shape[0]
    largest, total = room(arena, count), zeros_in(arena, count)
    for i in range(count):
        largest[i] = -math.inf
    for k in range(K):
        here = part(predictor, k * n + first, (count,))
        for i in range(count):
            largest[i] = max(largest[i], here[i])
    logp = 0.0
    for i in range(count):
        logp += predictor[int(y[first + i]) * n + first + i] - largest[i]
    for k in range(K):
        here = part(predictor, k * n + first, (count,))
        for i in range(count):
            here[i] = _exp(here[i] - largest[i])
            total[i] += here[i]
    for i in range(count):
        logp -= _log(total[i])
        total[i] = 1.0 / total[i]
    outcomes = part(y, first, (count,))
    for k in range(K):
        here = part(predictor, k * n + first, (count,))
        for i in range(count):
            here[i] = (1.0 if outcomes[i] == k else 0.0) - here[i] * total[i]
    return logp


@kernel
def _spread(predictor: Any, shift: Any) -> None:
    """Overwrite predictors, by category and row, with what is added to them; refuse what does not fit."""
    K, n = predictor.shape
    for k in range(K):
        for i in range(n):
            if shift.ndim == 0:
                predictor[k, i] = shift[()]
            elif shift.ndim == 1:
                predictor[k, i] = shift[_fitting(k, shift.shape[0], K)]
            else:
                predictor[k, i] = shift[_fitting(i, shift.shape[0], n), _fitting(k, shift.shape[1], K)]


@kernel
def _fitting(i: int, length: int, wanted: int) -> int:
    """Return the index along an axis that has the length that is wanted, or one element."""
    if length != wanted and length != 1:
        raise ValueError("glm: intercept and offset do not fit to rows and categories")
    return i if length == wanted else 0


@kernel(reassociate=True)
def _softmax_pass(arena: int | None, y: Any, X: Any, beta: Any, numbers: Any, shift: Any) -> tuple[float, Any]:
    """Return the log likelihood, and its gradient in one array: by predictors and by beta, category by category."""
    n, p = X.shape
    K = beta.shape[1]
    y, X, coefficients = np.ascontiguousarray(y), np.ascontiguousarray(X), room(arena, K * p)
    gradient = zeros_in(arena, K * (n + p))
    if not are_categories(y, K):
        return -math.inf, gradient
    _spread(part(gradient, 0, (K, n)), shift)
    for j in range(p):
        for k in range(K):
            coefficients[k * p + j] = beta[j, k]
    predictor = part(gradient, 0, (K * n,))
    size, before = rows_at_once(p), mark(arena)
    total = 0.0
    for first in range(0, n, size):
        count = min(size, n - first)
        rows = part(X, first * p, (count, p))
        for k in range(K):
            add_matvec(part(gradient, k * n + first, (count,)), rows, part(coefficients, k * p, (p,)))
        total += _odds(arena, y, predictor, first, count)
        release(arena, before)
        for k in range(K):
            add_vecmat(part(gradient, K * n + k * p, (p,)), part(gradient, k * n + first, (count,)), rows)
    return total if total == total else -math.inf, gradient


@regression(categorical.logpmf_logit, lambda beta: categories(beta.shape[1]), _softmax_pass, ndim=2)
def softmax(y: Any, X: Any, beta: Any, intercept: Any = 0.0, offset: Any = 0.0) -> float:
    r"""Log likelihood of softmax regression: the sum of ``categorical.logpmf_logit(y, eta)``.

    Only differences of predictors between categories count: to know the coefficients, hold those of one category at 0
    or give them all a prior.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes, whole numbers from 0 to K - 1; with any other the result is ``-inf``.
    X : ndarray of float64, shape (n, p)
        Predictors, one row after the other in memory.
    beta : ndarray, shape (p, K)
        Coefficients.
    intercept, offset : float or ndarray, shape (K,) or (n, K)
        What is added: ``eta = X @ beta + intercept + offset``.

    Returns
    -------
    logp : float
        The sum over all rows.

    Raises
    ------
    ValueError
        In Python, if data have another shape, dtype or layout, or an outcome is no category.
        In compiled code, if shapes do not fit.
    """
    if y.shape[0] != X.shape[0] or beta.shape[0] != X.shape[1]:
        raise ValueError("glm: X must have a row for each element of y and a column for each row of beta")
    return _softmax_pass(None, y, X, beta, np.empty(0), np.asarray(intercept + offset))[0]


@kernel
def softmax_grad(y: Any, X: Any, beta: Any, predictor: Any, beta_grad: Any) -> float:
    """Compute `softmax` and its gradient in one pass, for gradients written by hand.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes, whole numbers from 0 to K - 1.
    X : ndarray of float64, shape (n, p)
        Predictors.
    beta : ndarray, shape (p, K)
        Coefficients.
    predictor : ndarray, shape (n, K)
        What is added to ``X @ beta``, zeros if nothing is. It is overwritten with the derivative by each predictor:
        that by an offset; its sum over rows is that by an intercept.
    beta_grad : ndarray, shape (p, K)
        The derivative by beta is added to it.

    Returns
    -------
    logp : float
        The log likelihood.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    n, p = X.shape
    K = beta.shape[1]
    if y.shape[0] != n or beta.shape[0] != p or predictor.shape != (n, K) or beta_grad.shape != (p, K):
        raise ValueError("glm: y, X, beta, predictor and beta_grad do not fit together")
    logp, gradient = _softmax_pass(None, y, X, beta, np.empty(0), predictor)
    predictor[:] = part(gradient, 0, (K, n)).T
    beta_grad += part(gradient, K * n, (K, p)).T
    return logp

"""Ordered logistic regression: one predictor for each row, and cutpoints between the categories."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer import vectormath
from nbinfer.autodiff.solvers import fast
from nbinfer.compile import kernel
from nbinfer.compile.arena import room
from nbinfer.distributions import ordered_logistic
from nbinfer.distributions.glm._mark import categories, regression
from nbinfer.distributions.glm._passes import are_categories, hand_over, one_pass, whole_shift
from nbinfer.vectormath import where_valid
from nbinfer.vectormath.logarithm import log1p_of_fraction

_exp, _expm1, _log1mexp = vectormath.exp.numbers, vectormath.expm1.numbers, vectormath.log1mexp.numbers


def _ordered_terms(y: Any, predictor: Any, cutpoints: Any) -> Any:
    return where_valid(np.all(np.diff(cutpoints) > 0.0), ordered_logistic.logpmf(y, predictor, cutpoints))


@fast
def _gaps(arena: int | None, y: Any, cutpoints: Any, cutpoints_grad: Any) -> float:
    """Return the sum of log(1 - exp(lower - upper)), what the distance of a category's cutpoints contributes.

    P(k) = F(u) - F(l) = F(u) F(-l) (1 - exp(l - u)), where F is the logistic function, and u and l are what is left of
    the cutpoints around k without the predictor.
    """
    last = cutpoints.shape[0]
    if not are_categories(y, last + 1):
        return -math.inf
    total = 0.0
    for k in range(1, last):
        gap = cutpoints[k] - cutpoints[k - 1]
        if not gap > 0.0:
            return -math.inf
        count = 0
        for i in range(y.shape[0]):
            count += 1 if y[i] == k else 0
        slope = count / _expm1(gap)
        total += count * _log1mexp(-gap)
        cutpoints_grad[k] += slope
        cutpoints_grad[k - 1] -= slope
    return total


@fast
def _between(arena: int | None, y: Any, predictor: Any, cutpoints: Any, cutpoints_grad: Any) -> float:
    """Return the sum of log F(u) + log F(-l): what predictors are over the upper cutpoint and under the lower one."""
    rows, last = predictor.shape[0], cutpoints.shape[0]
    over, under = room(arena, rows), room(arena, rows)
    for i in range(rows):
        over[i], under[i] = -math.inf, -math.inf  # nothing is beyond the ends
    for k in range(last):
        cutpoint = cutpoints[k]
        for i in range(rows):
            over[i] = predictor[i] - cutpoint if y[i] == k else over[i]
            under[i] = cutpoint - predictor[i] if y[i] == k + 1 else under[i]
    total = 0.0
    for i in range(rows):
        u, v = over[i], under[i]
        e, f = _exp(-abs(u)), _exp(-abs(v))
        total -= (max(u, 0.0) + log1p_of_fraction(e)) + (max(v, 0.0) + log1p_of_fraction(f))
        over[i] = (1.0 if u >= 0.0 else e) / (1.0 + e)
        under[i] = (1.0 if v >= 0.0 else f) / (1.0 + f)
        predictor[i] = under[i] - over[i]
    for k in range(last):
        slope = 0.0
        for i in range(rows):
            slope += over[i] if y[i] == k else 0.0
            slope -= under[i] if y[i] == k + 1 else 0.0
        cutpoints_grad[k] += slope
    return total


_ordered_pass = one_pass("ordered_pass", _between, _gaps)


@regression(_ordered_terms, lambda beta, cutpoints: categories(len(cutpoints) + 1), _ordered_pass, numbers_ndim=1)
def ordered(y: Any, X: Any, beta: Any, cutpoints: Any, offset: Any = 0.0) -> float:
    r"""Log likelihood of ordered logistic regression: the sum of ``ordered_logistic.logpmf(y, eta, cutpoints)``.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes, whole numbers from 0 to K - 1; with any other the result is ``-inf``.
    X : ndarray of float64, shape (n, p)
        Predictors, one row after the other in memory; no column of ones, since cutpoints move instead.
    beta : ndarray, shape (p,)
        Coefficients.
    cutpoints : ndarray, shape (K - 1,)
        Where one category ends and the next begins; if they do not increase the result is ``-inf``.
    offset : float or ndarray, shape (n,)
        What is added: ``eta = X @ beta + offset``.

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
    return _ordered_pass(None, y, X, beta, cutpoints, whole_shift(y, X, beta, offset))[0]


@kernel
def ordered_grad(
    y: Any, X: Any, beta: Any, cutpoints: Any, predictor: Any, beta_grad: Any, cutpoints_grad: Any
) -> float:
    """Compute `ordered` and its gradient in one pass, for gradients written by hand.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes, whole numbers from 0 to K - 1.
    X : ndarray of float64, shape (n, p)
        Predictors.
    beta : ndarray, shape (p,)
        Coefficients.
    cutpoints : ndarray, shape (K - 1,)
        Where one category ends and the next begins.
    predictor : ndarray, shape (n,)
        What is added to ``X @ beta``, zeros if nothing is. It is overwritten with the derivative by each row's
        predictor: that by an offset.
    beta_grad : ndarray, shape (p,)
        The derivative by beta is added to it.
    cutpoints_grad : ndarray, shape (K - 1,)
        The derivative by the cutpoints is added to it.

    Returns
    -------
    logp : float
        The log likelihood.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    logp, gradient = _ordered_pass(None, y, X, beta, cutpoints, whole_shift(y, X, beta, predictor))
    hand_over(gradient, predictor, beta_grad)
    for k in range(cutpoints.shape[0]):
        cutpoints_grad[k] += gradient[y.shape[0] + k]
    return logp

"""Logistic regression."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer import vectormath
from nbinfer.autodiff.solvers import fast
from nbinfer.compile import kernel
from nbinfer.distributions import bernoulli
from nbinfer.distributions._check import Condition
from nbinfer.distributions.glm._mark import regression
from nbinfer.distributions.glm._passes import hand_over, one_pass, whole_shift
from nbinfer.vectormath.logarithm import log1p_of_fraction

_exp = vectormath.exp.numbers

_BINARY = Condition("0 or 1", lambda y: (y == 0) | (y == 1))


@fast
def _all_binary(arena: int | None, y: Any, numbers: Any, numbers_grad: Any) -> float:
    total = 0.0
    for i in range(y.shape[0]):
        total -= 0.0 if y[i] == 0 or y[i] == 1 else math.inf
    return total


@fast
def _surprises(arena: int | None, y: Any, predictor: Any, numbers: Any, numbers_grad: Any) -> float:
    total = 0.0
    for i in range(predictor.shape[0]):
        sign = 1.0 - 2.0 * y[i]
        z = sign * predictor[i]
        e = _exp(-abs(z))
        total -= max(z, 0.0) + log1p_of_fraction(e)
        predictor[i] = -sign * (1.0 if z >= 0.0 else e) / (1.0 + e)
    return total


_logistic_pass = one_pass("logistic_pass", _surprises, _all_binary)


@regression(bernoulli.logpmf_logit, lambda *_: _BINARY, _logistic_pass)
def logistic(y: Any, X: Any, beta: Any, intercept: Any = 0.0, offset: Any = 0.0) -> float:
    r"""Log likelihood of logistic regression: the sum of ``bernoulli.logpmf_logit(y, eta)``.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes, 0 or 1; with any other the result is ``-inf``.
    X : ndarray of float64, shape (n, p)
        Predictors, one row after the other in memory.
    beta : ndarray, shape (p,)
        Coefficients.
    intercept, offset : float or ndarray, shape (n,)
        What is added: ``eta = X @ beta + intercept + offset``.

    Returns
    -------
    logp : float
        The sum over all rows.

    Raises
    ------
    ValueError
        In Python, if data have another shape, dtype or layout, or an outcome is impossible.
        In compiled code, if shapes do not fit.
    """
    return _logistic_pass(None, y, X, beta, np.empty(0), whole_shift(y, X, beta, intercept + offset))[0]


@kernel
def logistic_grad(y: Any, X: Any, beta: Any, predictor: Any, beta_grad: Any) -> float:
    """Compute `logistic` and its gradient in one pass, for gradients written by hand.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes, 0 or 1.
    X : ndarray of float64, shape (n, p)
        Predictors.
    beta : ndarray, shape (p,)
        Coefficients.
    predictor : ndarray, shape (n,)
        What is added to ``X @ beta``, zeros if nothing is. It is overwritten with the derivative by each row's
        predictor: that by an offset; its sum is that by an intercept.
    beta_grad : ndarray, shape (p,)
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
    logp, gradient = _logistic_pass(None, y, X, beta, np.empty(0), whole_shift(y, X, beta, predictor))
    hand_over(gradient, predictor, beta_grad)
    return logp

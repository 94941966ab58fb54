"""Regressions of counts: Poisson and negative binomial, both by the logarithm of the mean."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer import vectormath
from nbinfer.autodiff.solvers import fast
from nbinfer.compile import kernel
from nbinfer.distributions import negative_binomial as negative_binomial_family
from nbinfer.distributions import poisson as poisson_family
from nbinfer.distributions._check import COUNT
from nbinfer.distributions.glm._mark import regression
from nbinfer.distributions.glm._passes import hand_over, one_pass, whole_shift, zeros_in
from nbinfer.vectormath.logarithm import log1p_of_fraction

_exp, _log = vectormath.exp.numbers, vectormath.log.numbers
_lgamma, _lbeta = vectormath.lgamma_positive.numbers, vectormath.lbeta.numbers
_digamma = vectormath.digamma_positive.numbers

#: Counts that are all below it are looked up in sums of logarithms, which each pass makes anew.
_FEW = 256


@fast
def _largest(y: Any) -> int:
    """Return the largest count, -1 if one is no count."""
    largest, wrong = 0, 0
    for i in range(y.shape[0]):
        x = 1.0 * y[i]
        is_count = x >= 0.0 and x < 2.0**53 and x == math.floor(x)
        k = int(x if is_count else 0.0)
        largest = k if k > largest else largest
        wrong += 0 if is_count else 1
    return largest if wrong == 0 else -1


@fast
def _looked_up(table: Any, y: Any) -> float:
    total = 0.0
    for i in range(y.shape[0]):
        total += table[int(y[i])]
    return total


@fast
def _log_factorials(y: Any) -> float:
    total = 0.0
    for i in range(y.shape[0]):
        total += _lgamma(y[i] + 1.0)
    return total


@fast
def _factorials(arena: int | None, y: Any, numbers: Any, numbers_grad: Any) -> Any:
    """Return minus the sum of log(y!)."""
    largest = _largest(y)
    if largest < 0:
        return -math.inf
    if largest >= _FEW:
        return -_log_factorials(y)
    logs = zeros_in(arena, largest + 1)
    for k in range(1, largest + 1):
        logs[k] = logs[k - 1] + _log(float(k))
    return -_looked_up(logs, y)


@fast
def _log_coefficients(y: Any, alpha: float, numbers_grad: Any) -> float:
    total, slope = 0.0, 0.0
    for i in range(y.shape[0]):
        total -= _lbeta(alpha, y[i] + 1.0) + _log(y[i] + alpha)
        slope += _digamma(y[i] + alpha)
    numbers_grad[0] += slope - y.shape[0] * _digamma(alpha)
    return total


@fast
def _coefficients(arena: int | None, y: Any, numbers: Any, numbers_grad: Any) -> Any:
    """Return the sum of the logarithms of the binomial coefficients (y + alpha - 1 over y), products of y factors."""
    alpha = numbers[0]
    largest = _largest(y)
    if largest < 0 or not 0.0 < alpha < math.inf:
        return -math.inf
    if largest >= _FEW:
        return _log_coefficients(y, alpha, numbers_grad)
    logs, slopes = zeros_in(arena, largest + 1), zeros_in(arena, largest + 1)
    for k in range(1, largest + 1):
        logs[k] = logs[k - 1] + _log((alpha + (k - 1)) / k)
        slopes[k] = slopes[k - 1] + 1.0 / (alpha + (k - 1))
    numbers_grad[0] += _looked_up(slopes, y)
    return _looked_up(logs, y)


@fast
def _rates(arena: int | None, y: Any, predictor: Any, numbers: Any, numbers_grad: Any) -> float:
    total = 0.0
    for i in range(predictor.shape[0]):
        mean = _exp(predictor[i])
        total += y[i] * predictor[i] - mean
        predictor[i] = y[i] - mean
    return total


@fast
def _odds(arena: int | None, y: Any, predictor: Any, numbers: Any, numbers_grad: Any) -> float:
    alpha = numbers[0]
    shift = _log(alpha)
    total, logs, residuals = 0.0, 0.0, 0.0
    for i in range(predictor.shape[0]):
        t = predictor[i] - shift
        e = _exp(-abs(t))
        log = log1p_of_fraction(e)
        size = y[i] + alpha
        # y t - (y + alpha) log(1 + exp(t)), where what cancels for large t is left out
        total += (-alpha if t >= 0.0 else 1.0 * y[i]) * t - size * log
        logs += max(t, 0.0) + log
        # y - (y + alpha) / (1 + exp(-t)), likewise
        predictor[i] = (y[i] * (e if t >= 0.0 else 1.0) - alpha * (1.0 if t >= 0.0 else e)) / (1.0 + e)
        residuals += predictor[i]
    numbers_grad[0] -= logs + residuals / alpha
    return total


_poisson_pass = one_pass("poisson_pass", _rates, _factorials)
_negative_binomial_pass = one_pass("negative_binomial_pass", _odds, _coefficients)


@regression(poisson_family.logpmf_log, lambda *_: COUNT, _poisson_pass)
def poisson(y: Any, X: Any, beta: Any, intercept: Any = 0.0, offset: Any = 0.0) -> float:
    r"""Log likelihood of Poisson regression: the sum of ``poisson.logpmf_log(y, eta)``.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes, counts; with any other the result is ``-inf``.
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
        In Python, if data have another shape, dtype or layout, or an outcome is no count.
        In compiled code, if shapes do not fit.
    """
    return _poisson_pass(None, y, X, beta, np.empty(0), whole_shift(y, X, beta, intercept + offset))[0]


@kernel
def poisson_grad(y: Any, X: Any, beta: Any, predictor: Any, beta_grad: Any) -> float:
    """Compute `poisson` and its gradient in one pass, for gradients written by hand.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes, counts.
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
    logp, gradient = _poisson_pass(None, y, X, beta, np.empty(0), whole_shift(y, X, beta, predictor))
    hand_over(gradient, predictor, beta_grad)
    return logp


@regression(negative_binomial_family.logpmf_log, lambda *_: COUNT, _negative_binomial_pass)
def negative_binomial(y: Any, X: Any, beta: Any, alpha: Any, intercept: Any = 0.0, offset: Any = 0.0) -> float:
    r"""Log likelihood of negative binomial regression: the sum of ``negative_binomial.logpmf_log(y, eta, alpha)``.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes, counts; with any other the result is ``-inf``.
    X : ndarray of float64, shape (n, p)
        Predictors, one row after the other in memory.
    beta : ndarray, shape (p,)
        Coefficients.
    alpha : float
        Shape: the variance is ``mu + mu**2 / alpha``, ``mu = exp(eta)``; if it is not positive the result is ``-inf``.
    intercept, offset : float or ndarray, shape (n,)
        What is added: ``eta = X @ beta + intercept + offset``.

    Returns
    -------
    logp : float
        The sum over all rows.

    Raises
    ------
    ValueError
        In Python, if data have another shape, dtype or layout, or an outcome is no count.
        In compiled code, if shapes do not fit.
    """
    return _negative_binomial_pass(None, y, X, beta, np.full(1, alpha), whole_shift(y, X, beta, intercept + offset))[0]


@kernel
def negative_binomial_grad(
    y: Any, X: Any, beta: Any, alpha: Any, predictor: Any, beta_grad: Any, alpha_grad: Any
) -> float:
    """Compute `negative_binomial` and its gradient in one pass, for gradients written by hand.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes, counts.
    X : ndarray of float64, shape (n, p)
        Predictors.
    beta : ndarray, shape (p,)
        Coefficients.
    alpha : float
        Shape: the variance is ``mu + mu**2 / alpha``, ``mu = exp(eta)``; if it is not positive the result is ``-inf``.
    predictor : ndarray, shape (n,)
        What is added to ``X @ beta``, zeros if nothing is. It is overwritten with the derivative by each row's
        predictor: that by an offset; its sum is that by an intercept.
    beta_grad : ndarray, shape (p,)
        The derivative by beta is added to it.
    alpha_grad : ndarray, shape ()
        The derivative by alpha is added to it.

    Returns
    -------
    logp : float
        The log likelihood.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    logp, gradient = _negative_binomial_pass(None, y, X, beta, np.full(1, alpha), whole_shift(y, X, beta, predictor))
    hand_over(gradient, predictor, beta_grad)
    alpha_grad[()] += gradient[y.shape[0]]
    return logp

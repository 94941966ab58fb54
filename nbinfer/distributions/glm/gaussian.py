"""Linear regression with normal errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.autodiff.solvers import fast
from nbinfer.compile import kernel
from nbinfer.distributions import normal
from nbinfer.distributions._check import REAL
from nbinfer.distributions.glm._mark import regression
from nbinfer.distributions.glm._passes import hand_over, one_pass, whole_shift

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@fast
def _scale(arena: int | None, y: Any, numbers: Any, numbers_grad: Any) -> float:
    sigma = numbers[0]
    numbers_grad[0] -= y.shape[0] / sigma
    return -y.shape[0] * (math.log(sigma) + _HALF_LOG_2PI) if sigma > 0.0 else -math.inf


@fast
def _errors(arena: int | None, y: Any, predictor: Any, numbers: Any, numbers_grad: Any) -> float:
    inverse = 1.0 / numbers[0]
    squares = 0.0
    for i in range(predictor.shape[0]):
        e = (y[i] - predictor[i]) * inverse
        squares += e * e
        predictor[i] = e * inverse
    numbers_grad[0] += squares * inverse
    return -0.5 * squares


_linear_pass = one_pass("linear_pass", _errors, _scale)


@regression(normal.logpdf, lambda *_: REAL, _linear_pass)
def linear(y: Any, X: Any, beta: Any, sigma: Any, intercept: Any = 0.0, offset: Any = 0.0) -> float:
    r"""Log likelihood of linear regression with normal errors: the sum of ``normal.logpdf(y, eta, sigma)``.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes.
    X : ndarray of float64, shape (n, p)
        Predictors, one row after the other in memory.
    beta : ndarray, shape (p,)
        Coefficients.
    sigma : float
        Standard deviation of the errors; if it is not positive the result is ``-inf``.
    intercept, offset : float or ndarray, shape (n,)
        What is added: ``eta = X @ beta + intercept + offset``.

    Returns
    -------
    logp : float
        The sum over all rows.

    Raises
    ------
    ValueError
        In Python, if data have another shape, dtype or layout.
        In compiled code, if shapes do not fit.
    """
    return _linear_pass(None, y, X, beta, np.full(1, sigma), whole_shift(y, X, beta, intercept + offset))[0]


@kernel
def linear_grad(y: Any, X: Any, beta: Any, sigma: Any, predictor: Any, beta_grad: Any, sigma_grad: Any) -> float:
    """Compute `linear` and its gradient in one pass, for gradients written by hand.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes.
    X : ndarray of float64, shape (n, p)
        Predictors.
    beta : ndarray, shape (p,)
        Coefficients.
    sigma : float
        Standard deviation of the errors; if it is not positive the result is ``-inf``.
    predictor : ndarray, shape (n,)
        What is added to ``X @ beta``, zeros if nothing is. It is overwritten with the derivative by each row's
        predictor: that by an offset; its sum is that by an intercept.
    beta_grad : ndarray, shape (p,)
        The derivative by beta is added to it.
    sigma_grad : ndarray, shape ()
        The derivative by sigma is added to it.

    Returns
    -------
    logp : float
        The log likelihood.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    logp, gradient = _linear_pass(None, y, X, beta, np.full(1, sigma), whole_shift(y, X, beta, predictor))
    hand_over(gradient, predictor, beta_grad)
    sigma_grad[()] += gradient[y.shape[0]]
    return logp

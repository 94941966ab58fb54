r"""What densities with large shapes or counts are made of: their terms are large, and cancel but for these.

With :math:`m = \lambda x` is :math:`k\log\frac mk + k - m` half a deviance, negative: 0 where k is expected, and the
logarithm of a Poisson probability but for what Stirling's formula leaves of k!. The same of gamma, beta and binomial
densities, with two such terms or more (C. Loader, "Fast and accurate computation of binomial probabilities", 2000). The
quotient z = m / k is rounded once; of that, :math:`\log z - (z - 1)` feels next to nothing where z is near 1.

No step is a branch, so that LLVM turns loops into vector instructions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.compile import elementwise, fragment
from nbinfer.vectormath.exponential import exp
from nbinfer.vectormath.gamma import (
    ERROR_SHIFT,
    HALF_LOG_2PI,
    digamma_error,
    digamma_part,
    error_from_1,
    lgamma_slope,
    stirling_error,
)
from nbinfer.vectormath.logarithm import log

_exp = exp.numbers
_log = log.numbers

#: Of a k below it k * log(k) is nothing, and a quotient by it might overflow. The larger is taken, and no condition on
#: what may be the same for a whole loop is set: LLVM would make several loops of it and vectorise none.
_NOTHING = 1e-100
#: From here downwards the mean is nothing beside its logarithm.
_LEAST_ETA = -700.0


def _minus_deviance(k: Any, rate: Any, x: Any) -> Any:
    divisor = np.maximum(k, _NOTHING)
    z = (rate / divisor) * x
    value = k * np.log(z) - divisor * (z - 1.0) + (k - divisor)
    return np.where(value == value, value, -rate * x)[()]


@elementwise(_minus_deviance, contract=True)
def minus_deviance(k: float, rate: float, x: float) -> Any:
    """Return k * log(rate * x / k) + k - rate * x without cancellation, element by element; nothing is negative."""
    k, rate, x = np.float64(k), np.float64(rate), np.float64(x)
    divisor = max(k, _NOTHING)
    z = (rate / divisor) * x
    value = k * _log(z) - divisor * (z - 1.0) + (k - divisor)
    return value if value == value else -rate * x  # none of nothing is expected


@fragment
def minus_deviance_by_k(k: float, rate: float, x: float) -> Any:
    """Return the derivative of `minus_deviance` with respect to k, log(rate * x / k)."""
    k, rate, x = np.float64(k), np.float64(rate), np.float64(x)
    return _log((rate / max(k, _NOTHING)) * x)


def _minus_deviance_log(k: Any, eta: Any) -> Any:
    divisor = np.maximum(k, 1.0)
    z = np.exp(np.maximum(eta, _LEAST_ETA)) / divisor
    return k * (np.log(z) + np.minimum(eta - _LEAST_ETA, 0.0)) - divisor * (z - 1.0) + (k - divisor)


@elementwise(_minus_deviance_log, contract=True)
def minus_deviance_log(k: float, eta: float) -> Any:
    """Return `minus_deviance` of a whole number and of the rate exp(eta), element by element."""
    k, eta = np.float64(k), np.float64(eta)
    divisor = max(k, 1.0)
    z = _exp(max(eta, _LEAST_ETA)) / divisor
    return k * (_log(z) + min(eta - _LEAST_ETA, 0.0)) - divisor * (z - 1.0) + (k - divisor)


def _stirling_rest(x: Any) -> Any:
    x = np.asarray(x, float)
    z: Any = np.where(x > 0.0, np.minimum(x, 1.0), 1.0)
    y: Any = np.maximum(x, 1.0)
    small = z * (lgamma_slope.py_func(z) - np.log(z))
    value = np.where(x < 1.0, small, 0.5 * np.log(y) + (HALF_LOG_2PI + error_from_1.py_func(1.0 / (y + ERROR_SHIFT))))
    return np.where(x > 0.0, value, np.where(x == 0.0, 0.0, np.nan))[()]


@fragment
def _rest(x: float, logarithm: float) -> Any:
    z = x if x < 1.0 else 1.0
    small = z * (lgamma_slope(z) - logarithm)
    return small if x < 1.0 else 0.5 * logarithm + (HALF_LOG_2PI + error_from_1(1.0 / (x + ERROR_SHIFT)))


@elementwise(_stirling_rest, contract=True)
def stirling_rest(x: float) -> Any:
    """Return lgamma(x + 1) - x * log(x) + x without cancellation, element by element; NaN where x is negative."""
    x = np.float64(x)
    return _rest(x, _log(x if x != 0.0 else 1.0))


@fragment
def stirling_rest_slope(x: float) -> Any:
    """Return the derivative of `stirling_rest`, about 1 / (2 * x)."""
    x = np.float64(x)
    large = 0.5 / x - digamma_error(x)
    return large if x >= 8.0 else digamma_part(x) + (1.0 / x - _log(x))


@fragment
def _few(k: Any) -> Any:
    """Return `stirling_rest` of 0 to 7 by Newton's polynomial."""
    p = 8.174280421113088e-05 * (k - 6.0) - 0.0006050453776047844
    p = p * (k - 5.0) + 0.003888484075886173
    p = p * (k - 4.0) - 0.021237379599424684
    p = p * (k - 3.0) + 0.09589402415059364
    p = p * (k - 2.0) - 0.34657359027997264
    p = p * (k - 1.0) + 1.0
    return p * k


def _stirling_rest_whole(k: Any) -> Any:
    y: Any = np.where(k < 8.0, 8.0, k)
    large = 0.5 * np.log(y) + HALF_LOG_2PI + stirling_error.py_func(y)
    return np.where(k < 8.0, _few.py_func(k), large)[()]


@elementwise(_stirling_rest_whole, contract=True)
def stirling_rest_whole(k: float) -> Any:
    """Return `stirling_rest` of whole numbers, element by element: sooner, since few are small."""
    k = np.float64(k)
    return _few(k) if k < 8.0 else 0.5 * _log(k) + (HALF_LOG_2PI + stirling_error(k))


_md, _rest_of, _rest_whole = minus_deviance.numbers, stirling_rest.numbers, stirling_rest_whole.numbers


def _log_polya(k: Any, alpha: Any, n: Any, total: Any) -> Any:
    drawn = k + alpha
    deviances = _minus_deviance(k, n / (n + total), drawn) + _minus_deviance(alpha, total / (n + total), drawn)
    return deviances + _stirling_rest(drawn) - _stirling_rest_whole(k) - _stirling_rest(alpha) + np.log(alpha / drawn)


@elementwise(_log_polya, contract=True)
def log_polya(k: float, alpha: float, n: float, total: float) -> Any:
    r"""Return the part of one colour in the log probability of Polya's urn, element by element.

    Of n draws k are of a colour of which there were `alpha`, with all others `total`:
    :math:`\log\frac{\Gamma(k+\alpha)}{\Gamma(\alpha)k!} + k\log n + \alpha\log A - (k+\alpha)\log(n+A)` without
    cancellation. The rest is `log_polya_rest`.
    """
    k, alpha, n, total = np.float64(k), np.float64(alpha), np.float64(n), np.float64(total)
    drawn = k + alpha
    one, more, shape = max(k, 1.0), max(drawn, 1.0), max(alpha, 1.0)
    reciprocal = 1.0 / one
    share = n / (n + total)
    z = (share * reciprocal) * drawn
    value = k * _log(z) - one * (z - 1.0) + (k - one)  # `minus_deviance` of a whole number
    value = (value if value == value else -share * drawn) + _md(alpha, total / (n + total), drawn)
    # What `stirling_rest` leaves of drawn, less that of k and of alpha, and log(alpha / drawn), with one logarithm.
    both = 1.0 / ((one + ERROR_SHIFT) * (more + ERROR_SHIFT))
    errors = error_from_1((one + ERROR_SHIFT) * both) - error_from_1((more + ERROR_SHIFT) * both)
    logarithm = _log(alpha if alpha < 1.0 else 1.0)
    shapes = _rest(alpha, logarithm) if alpha < 1.0 else HALF_LOG_2PI + error_from_1(1.0 / (shape + ERROR_SHIFT))
    rest = 0.5 * (_log((alpha / drawn) * reciprocal) + logarithm) + (errors - shapes)
    return value if k == 0.0 else value + rest


def _log_polya_rest(n: Any, total: Any) -> Any:
    both = n + total
    return _stirling_rest_whole(n) - _stirling_rest(both) + _stirling_rest(total) - np.log(total / both)


@elementwise(_log_polya_rest, contract=True)
def log_polya_rest(n: float, total: float) -> Any:
    """Return what the log probability of Polya's urn has besides the parts of colours, element by element."""
    n, total = np.float64(n), np.float64(total)
    both = n + total
    return (_rest_whole(n) - _rest_of(both)) + _rest_of(total) - _log(total / both)

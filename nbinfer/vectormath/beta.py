"""The logarithms of the beta function and of binomial coefficients.

No step is a branch, so that LLVM turns loops into vector instructions.

Largest errors in units in the last place (ulp), of the result or of 1: lbeta 2; of the result or of log(n):
log_binomial 2.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import elementwise, fragment, multiply_add
from nbinfer.vectormath.exponential import LOG_2
from nbinfer.vectormath.gamma import ERROR_SHIFT, HALF_LOG_2PI, digamma_error, digamma_part, error_from_1
from nbinfer.vectormath.logarithm import log1p, log1p_parts, log_parts

_log1p = log1p.numbers

#: From here on Stirling's formula lacks nothing.
_ENOUGH = 1e90
#: Arguments below the first are scaled, lest a reciprocal overflow.
_TINY = 1e-150
_SCALE = 2.0**600
_LOG_SCALE = 600.0 * LOG_2


@fragment
def _errors(a: float, b: float) -> Any:
    """Return what Stirling's formula lacks of lgamma(a) + lgamma(b) - lgamma(a + b), from 1 on, with one quotient."""
    x = min(a, _ENOUGH) + ERROR_SHIFT
    y = min(b, _ENOUGH) + ERROR_SHIFT
    z = min(a + b, _ENOUGH) + ERROR_SHIFT
    all_three = 1.0 / (x * y * z)
    return error_from_1(y * z * all_three) + error_from_1(x * z * all_three) - error_from_1(x * y * all_three)


@fragment
def _product(a: float, parts: tuple[float, float]) -> tuple[Any, Any]:
    """Return the product with a number in two parts, in two parts."""
    product = a * parts[0]
    return product, multiply_add(a, parts[0], -product) + a * parts[1]


@fragment
def _plus(x: tuple[float, float], y: tuple[float, float]) -> tuple[Any, Any]:
    """Return the sum of two numbers in two parts each, in two parts."""
    total = x[0] + y[0]
    of_y = total - x[0]
    return total, ((x[0] - (total - of_y)) + (y[0] - of_y)) + (x[1] + y[1])


@fragment
def _sum(a: float, b: float, a_1: float, b_1: float, share: float, factor: float) -> Any:
    """Return a * log(share) + b * log(1 - share) + log(factor) and what it lacks of a logarithm of gamma functions.

    What rounding takes from the share, a_1 / (a_1 + b_1), matters little: at that place the sum is greatest. The terms
    may cancel, so that they are kept in two parts.
    """
    high, low = log_parts(factor)
    rest = _plus((high, low), (HALF_LOG_2PI, _errors(a_1, b_1)))
    main = _plus(_product(a, log_parts(share)), _product(b, log1p_parts(-share)))
    value, lost = _plus(main, rest)
    return value + lost if abs(high) < math.inf else high


def _lbeta(a: Any, b: Any) -> Any:
    from scipy.special import betaln

    return np.where(np.less(np.minimum(a, b), 0.0), math.nan, betaln(a, b))[()]


@fragment
def lbeta_part(a: float, b: float) -> Any:
    """Return `lbeta`.

    Large terms do not cancel: of lgamma(a) + lgamma(b) - lgamma(a + b) Stirling's formula leaves logarithms of
    a / (a + b) and b / (a + b). An argument below 1 is raised by 1 (DLMF 5.12.1); what the beta function is multiplied
    with by that is gathered in one logarithm, so that `_sum` multiplies with the arguments as they came.
    """
    a, b = (b, a) if b < a else (a, b)
    is_low, are_low, is_tiny = a < 1.0, b < 1.0, a < _TINY
    a_1, b_1 = a + 1.0 if is_low else a, b + 1.0 if are_low else b
    share = a_1 / (a_1 + b_1)
    scale = _SCALE if is_tiny else 1.0
    scaled_a, scaled_b = a * scale, b * scale
    lift = (a + b) * share if is_low else 1.0
    lift = (scaled_a + scaled_b) * (a + b + 1.0) * (share * (1.0 - share)) if are_low else lift
    low = scaled_a * scaled_b if are_low else (scaled_a if is_low else 1.0)
    value = _sum(a, b, a_1, b_1, share, lift / (low * np.sqrt(a_1 * (1.0 - share))))
    return value + _LOG_SCALE if is_tiny else value


@elementwise(_lbeta, contract=True)
def lbeta(a: float, b: float) -> Any:
    """Return the logarithm of the beta function, element by element; NaN where an argument is negative."""
    return lbeta_part(np.float64(a), np.float64(b))


@fragment
def digamma_difference(a: float, b: float) -> Any:
    """Return digamma(a) - digamma(a + b) for positive numbers: the derivative of lbeta(a, b) with respect to a."""
    a = np.float64(a)
    total = a + b
    large = -_log1p(b / a) - (0.5 * (b / a) / total + (digamma_error(a) - digamma_error(total)))
    return large if a >= 8.0 else digamma_part(a) - digamma_part(total)


def _log_binomial(n: Any, k: Any) -> Any:
    n, k = np.float64(n), np.float64(k)
    outside = np.less(k, 0.0) | np.greater(k, n)
    return np.where(outside, -math.inf, -np.log1p(n) - _lbeta(n - k + 1.0, k + 1.0))[()]


@elementwise(_log_binomial, contract=True)
def log_binomial(n: float, k: float) -> Any:
    """Return the logarithm of the binomial coefficient n over k, element by element; ``-inf`` unless 0 <= k <= n."""
    n, k = np.float64(n), np.float64(k)
    a, b = min(k, n - k), max(k, n - k)
    share = (a + 1.0) / (n + 2.0)
    factor = (n + 1.0) * share * ((1.0 - share) / np.sqrt((a + 1.0) * (1.0 - share)))
    value = -_sum(a, b, a + 1.0, b + 1.0, share, factor)
    return -math.inf if (k < 0.0) | (k > n) else value


@fragment
def log_binomial_by_n(n: float, k: float) -> Any:
    """Return the derivative of `log_binomial` with respect to n; 0 where that is ``-inf``."""
    n, k = np.float64(n), np.float64(k)
    slope = -1.0 / (1.0 + n) - digamma_difference(n - k + 1.0, k + 1.0)
    return 0.0 if (k < 0.0) | (k > n) else slope


@fragment
def log_binomial_by_k(n: float, k: float) -> Any:
    """Return the derivative of `log_binomial` with respect to k; 0 where that is ``-inf``."""
    n, k = np.float64(n), np.float64(k)
    slope = digamma_difference(n - k + 1.0, k + 1.0) - digamma_difference(k + 1.0, n - k + 1.0)
    return 0.0 if (k < 0.0) | (k > n) else slope

"""The logarithms of the beta function and of binomial coefficients.

No step is a branch, so that LLVM turns loops into vector instructions.

Largest errors in units in the last place (ulp): lbeta 10, of the result or of 1, and where the smaller argument is
below 8, of that times the logarithm of the other; log_binomial 6, of the result or of log(n).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import elementwise, fragment
from nbinfer.vectormath.gamma import HALF_LOG_2PI, digamma_error, digamma_part, lgamma_part, stirling_error
from nbinfer.vectormath.logarithm import log, log1p

_log = log.numbers
_log1p = log1p.numbers


@fragment
def _rising(x: float) -> float:
    """Return x * (x + 1) * … * (x + 7)."""
    y = x * (x + 7.0)
    return y * (y + 6.0) * (y + 10.0) * (y + 12.0)


def _lbeta(a: Any, b: Any) -> Any:
    from scipy.special import betaln

    return np.where(np.less(np.minimum(a, b), 0.0), math.nan, betaln(a, b))[()]


@fragment
def lbeta_part(a: float, b: float) -> Any:
    """Return `lbeta`.

    Large terms do not cancel: of lgamma(a) + lgamma(b) - lgamma(a + b) Stirling's formula leaves logarithms of
    a / (a + b) and b / (a + b). Where b, the larger argument, is below 8, eight steps of the recurrence lift it
    (DLMF 5.12.1).
    """
    a, b = (b, a) if b < a else (a, b)
    is_lifted, is_large = b < 8.0, a >= 8.0
    lift = _rising(a + b) / _rising(b) if is_lifted else 1.0
    b = b + 8.0 if is_lifted else b
    total = a + b
    both = stirling_error(b) - stirling_error(total) + (b - 0.5) * _log1p(-a / total)
    first = _log(a / total if is_large else total)
    second = _log(a if is_large else lift)
    large = a * first - 0.5 * second + (HALF_LOG_2PI + stirling_error(a))
    small = lgamma_part(a) + (second + (a - a * first))
    return both + (large if is_large else small)


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
    value = -_log1p(n) - lbeta_part(n - k + 1.0, k + 1.0)
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

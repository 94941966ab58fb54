"""The logistic function, and logarithms of sums and differences of exponentials.

Largest errors in units in the last place (ulp), of a million points over the whole range: expit 2.2, logit 2.1,
log_expit 1.9, log1pexp 1.7, log1mexp 1.2; logaddexp 2.1, where an ulp is that of the result or of the largest argument,
whichever is larger.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import elementwise, kernel
from nbinfer.vectormath.exponential import LOG_2, LOG_2_HIGH, LOG_2_LOW, exp, exp_parts, scaled
from nbinfer.vectormath.logarithm import at_the_ends, atanh_curve, log1p_of_fraction, log_corrected, parts_of_any

_exp = exp.numbers


@elementwise("expit", contract=True)
def expit(x: float) -> Any:
    """Return the logistic function 1 / (1 + exp(-x)), element by element."""
    x = np.float64(x)
    e = _exp(-abs(x))
    return (1.0 if x >= 0.0 else e) / (1.0 + e)


@elementwise("logit", contract=True)
def logit(p: float) -> Any:
    """Return log(p / (1 - p)), the inverse of `expit`, element by element."""
    p = np.float64(p)
    k, f = parts_of_any(p / (1.0 - p))
    # 2 atanh(2 p - 1), where the quotient is near 1: for p from 1/4 on the difference is exact.
    s = 2.0 * p - 1.0
    is_near = abs(s) < 1.0 / 3.0
    s, k = (s, 0.0) if is_near else (f / (2.0 + f), k)
    y = k * LOG_2_HIGH + (2.0 * s + (s * atanh_curve(s * s) + k * LOG_2_LOW))
    return at_the_ends(y, p) if p < 1.0 else (math.inf if p == 1.0 else math.nan)


@elementwise("log_expit", contract=True)
def log_expit(x: float) -> Any:
    """Return log(1 / (1 + exp(-x))) without overflow, element by element."""
    x = np.float64(x)
    return min(x, 0.0) - log1p_of_fraction(_exp(-abs(x)))


@elementwise(lambda x: np.logaddexp(0.0, x), contract=True)
def log1pexp(x: float) -> Any:
    """Return log(1 + exp(x)) without overflow, element by element."""
    x = np.float64(x)
    return max(x, 0.0) + log1p_of_fraction(_exp(-abs(x)))


def _log1mexp(x: Any) -> Any:
    return np.where(np.greater(x, -LOG_2), np.log(-np.expm1(x)), np.log1p(-np.exp(x)))[()]


@elementwise(_log1mexp, contract=True)
def log1mexp(x: float) -> Any:
    """Return log(1 - exp(x)) without cancellation, element by element; x is not positive."""
    x = np.float64(x)
    x = -746.0 if x < -746.0 else x
    x = 1.0 if x > 1.0 else x  # NaN, as any number above 0
    s, d, n = exp_parts(x, 0.0)
    e = s + d
    high, low = scaled(e, n), scaled(d - (e - s), n)
    difference = 1.0 - high
    low = ((1.0 - difference) - high) - low
    u = difference + low
    k, f = parts_of_any(u)
    return at_the_ends(log_corrected(k, f, (difference - u) + low), u)


@elementwise(np.logaddexp, contract=True)
def logaddexp(x: float, y: float) -> Any:
    """Return log(exp(x) + exp(y)) without overflow, element by element."""
    x, y = np.float64(x), np.float64(y)
    larger = x if x > y else y
    e = _exp(-abs(x - y))
    s = e / (2.0 + e)
    # log(1 + e) is e less a curve: e is added without error, as the sum may be near 0.
    total = larger + e
    added = total - larger
    lost = 0.0 if e == 0.0 else (larger - (total - added)) + (e - added)
    total += lost - s * (e - atanh_curve(s * s))
    return larger + LOG_2 if x == y else total


@kernel
def logsumexp(x: Any) -> Any:
    """Return log(sum(exp(x))) of an array without overflow."""
    largest = np.max(x)
    if not math.isfinite(largest):
        return largest
    return largest + np.log(np.sum(np.exp(x - largest)))

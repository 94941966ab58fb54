"""Special functions that densities use, for numbers and arrays, and the scalar kernels that generated code calls."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import kernel

__all__ = ["digamma", "expit", "log1pexp", "logsumexp", "trigamma"]


@kernel
def expit(x: Any) -> Any:
    """Return the logistic function 1 / (1 + exp(-x)), element by element."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


@kernel
def log1pexp(x: Any) -> Any:
    """Return log(1 + exp(x)) without overflow, element by element."""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


@kernel
def logsumexp(x: Any) -> Any:
    """Return log(sum(exp(x))) of an array without overflow."""
    largest = np.max(x)
    if not math.isfinite(largest):
        return largest
    return largest + np.log(np.sum(np.exp(x - largest)))


@kernel
def digamma(x: float) -> float:
    """Return the derivative of ``lgamma``: recurrence up to 10, then the asymptotic series (DLMF 5.11.2)."""
    shift = 0.0
    if x <= 0.0:
        if x == math.floor(x):
            return math.nan
        shift = -math.pi / math.tan(math.pi * x)
        x = 1.0 - x
    if not x < math.inf:
        return x
    while x < 10.0:
        shift -= 1.0 / x
        x += 1.0
    f = 1.0 / (x * x)
    series = 1.0 / 240.0 - f * (1.0 / 132.0 - f * (691.0 / 32760.0 - f / 12.0))
    return shift + math.log(x) - 0.5 / x - f * (1.0 / 12.0 - f * (1.0 / 120.0 - f * (1.0 / 252.0 - f * series)))


@kernel
def trigamma(x: float) -> float:
    """Return the derivative of `digamma` (DLMF 5.15.8)."""
    shift, sign = 0.0, 1.0
    if x <= 0.0:
        if x == math.floor(x):
            return math.inf
        sine = math.sin(math.pi * x)
        shift, sign = (math.pi / sine) ** 2, -1.0
        x = 1.0 - x
    total = 0.0
    while x < 10.0:
        total += 1.0 / (x * x)
        x += 1.0
    f = 1.0 / (x * x)
    series = 1.0 / 30.0 - f * (5.0 / 66.0 - f * (691.0 / 2730.0 - f * 7.0 / 6.0))
    total += 1.0 / x + 0.5 * f + f / x * (1.0 / 6.0 - f * (1.0 / 30.0 - f * (1.0 / 42.0 - f * series)))
    return shift + sign * total


@kernel
def _expit(x: float) -> float:
    """Return the logistic function of a number; shares ``exp(-abs(x))`` with `_log1pexp`."""
    e = math.exp(-abs(x))
    r = 1.0 / (1.0 + e)
    return r if x >= 0.0 else e * r


@kernel
def _log1pexp(x: float) -> float:
    """Return log(1 + exp(x)) of a number."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@kernel
def _logaddexp(x: float, y: float) -> float:
    """Return log(exp(x) + exp(y)) of numbers."""
    if x == y:
        return x + 0.6931471805599453
    return max(x, y) + math.log1p(math.exp(-abs(x - y)))


#: What generated code may call besides ``math`` and ``np``.
HELPERS: dict[str, Any] = {
    "_digamma": digamma,
    "_trigamma": trigamma,
    "_expit": _expit,
    "_log1pexp": _log1pexp,
    "_logaddexp": _logaddexp,
}

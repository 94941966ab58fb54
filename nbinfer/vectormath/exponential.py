"""Exponentials and logarithms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import elementwise, kernel

_LOG_2 = 0.6931471805599453


@elementwise(np.exp)
def exp(x: float) -> float:
    """Return e to the power x, element by element."""
    return math.exp(x)


@elementwise(np.log)
def log(x: float) -> float:
    """Return the natural logarithm, element by element."""
    return math.log(x)


@elementwise(np.log1p)
def log1p(x: float) -> float:
    """Return log(1 + x), element by element."""
    return math.log1p(x)


@elementwise(np.expm1)
def expm1(x: float) -> float:
    """Return exp(x) - 1, element by element."""
    return math.expm1(x)


@elementwise("expit")
def expit(x: float) -> float:
    """Return the logistic function 1 / (1 + exp(-x)), element by element."""
    e = math.exp(-abs(x))
    r = 1.0 / (1.0 + e)
    return r if x >= 0.0 else e * r


@elementwise("log_expit")
def log_expit(x: float) -> float:
    """Return log(1 / (1 + exp(-x))) without overflow, element by element."""
    return min(x, 0.0) - math.log1p(math.exp(-abs(x)))


@elementwise(lambda x: np.logaddexp(0.0, x))
def log1pexp(x: float) -> float:
    """Return log(1 + exp(x)) without overflow, element by element."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@elementwise(np.logaddexp)
def logaddexp(x: float, y: float) -> float:
    """Return log(exp(x) + exp(y)) without overflow, element by element."""
    if x == y:
        return x + _LOG_2
    return max(x, y) + math.log1p(math.exp(-abs(x - y)))


@kernel
def logsumexp(x: Any) -> Any:
    """Return log(sum(exp(x))) of an array without overflow."""
    largest = np.max(x)
    if not math.isfinite(largest):
        return largest
    return largest + np.log(np.sum(np.exp(x - largest)))

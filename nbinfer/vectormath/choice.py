"""Choices without a jump: both sides are computed, so that loops around them vectorise. And what is whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import elementwise


def _select(condition: Any, x: Any, y: Any) -> Any:
    return np.where(condition, x, y)[()]


def _where_valid(valid: Any, logp: Any) -> Any:
    return np.where(np.logical_and(valid, logp == logp), logp, -np.inf)[()]


@elementwise(_select)
def select(condition: bool, x: float, y: float) -> float:
    """Return x where the condition holds and y elsewhere; the other one has derivative 0, even if that is NaN."""
    return x if condition else y


@elementwise(_where_valid)
def where_valid(valid: bool, logp: float) -> float:
    """Return a log density where it is valid and not NaN, and ``-inf`` with derivative 0 elsewhere.

    Where a derived gradient adds it up as a term of its result, the result is ``-inf`` and the gradient means nothing.
    """
    return logp if valid and logp == logp else -np.inf


#: From here on, every number is a whole one.
_WHOLE = 2.0**52


@elementwise(lambda x: (x == np.floor(x)) & np.isfinite(x))
def is_whole(x: float) -> bool:
    """Tell whether x is a whole number; infinity is none. In compiled code, of arrays, 1.0 and 0.0."""
    a = abs(x)
    rounded = (a + _WHOLE) - _WHOLE
    return ((rounded == a) | (a >= _WHOLE)) & (a < math.inf)


@elementwise(np.floor)
def floor(x: float) -> float:
    """Return the largest whole number that is not above x."""
    return float(math.floor(x)) if abs(x) < _WHOLE else x

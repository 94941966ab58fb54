"""The ``math`` module as compiled code knows it: infinity and NaN instead of exceptions. For runs without the JIT."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np


def _quiet(function: Callable[..., float], array_function: Any) -> Callable[..., float]:
    def wrapped(*args: float) -> float:
        try:
            return function(*args)
        except (ValueError, OverflowError):
            with np.errstate(all="ignore"):
                return float(array_function(*args)) if array_function is not None else math.nan

    return wrapped


def _lgamma(x: float) -> float:
    return math.inf


def _integer(x: float) -> float:
    return x


_LIKE: dict[str, Any] = {"lgamma": _lgamma, "floor": _integer, "ceil": _integer, "trunc": _integer}
_RENAMED = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2"}

QUIET_MATH = types.SimpleNamespace(
    **{
        name: _quiet(function, _LIKE.get(name, getattr(np, _RENAMED.get(name, name), None)))
        if callable(function)
        else function
        for name, function in vars(math).items()
        if not name.startswith("_")
    }
)

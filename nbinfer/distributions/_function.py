"""How functions of distributions are marked: compiled where compiled code calls them, NumPy where Python does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nbinfer.compile import Kernel


class _Density(Kernel[..., Any]):
    """A log density. Its formula is elementwise and silent: numbers that make no sense come out as -inf."""

    def __call__(self, *args: Any, **named: Any) -> Any:
        # NumPy's numbers, unlike Python's, do not raise when divided by zero.
        numbers = [np.asarray(argument)[()] for argument in args]
        with np.errstate(all="ignore"):
            return self.py_func(*numbers, **{name: np.asarray(value)[()] for name, value in named.items()})


class _Random(Kernel[..., Any]):
    """A generator of random numbers. Compiled, it takes numbers and no size."""

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self.py_func(*args, **named)


def density(function: Callable[..., Any]) -> _Density:
    """Mark an elementwise log density of NumPy's universal functions."""
    return _Density(function, {})


def generator(function: Callable[..., Any]) -> _Random:
    """Mark a function that draws from its first argument, a NumPy Generator."""
    return _Random(function, {})

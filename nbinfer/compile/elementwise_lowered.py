"""The compiled form of elementwise functions: a number for numbers, a loop for arrays. Imported only to compile."""

# Numba's decorators have no types.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc,untyped-decorator"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.core.typing.templates import builtin_registry
from numba.extending import overload

from nbinfer.compile.kernels import OPTIONS


def typed(function: Any) -> Any:
    """Return Numba's type of an elementwise function of one, two or three arguments."""
    arity = function.py_func.__code__.co_argcount
    options: Any = OPTIONS | {"forceinline": True}
    stub, implement = _ARITIES[arity](function.numbers)
    overload(stub, jit_options=options, inline="never")(implement)
    return next(kind for value, kind in builtin_registry.globals if value is stub)


def _is_array(*args: Any) -> bool:
    return any(isinstance(arg, types.Array) for arg in args)


def _one(numbers: Any) -> Any:
    def stub(x):
        raise NotImplementedError

    def over_array(x):
        out = np.empty(x.shape, np.float64)
        source, target = x.ravel(), out.ravel()  # contiguous, or copies that are
        for i in range(target.size):
            target[i] = numbers(source[i])
        return out

    def implement(x):
        return over_array if _is_array(x) else lambda x: numbers(x)

    return stub, implement


def _two(numbers: Any) -> Any:
    def stub(x, y):
        raise NotImplementedError

    def over_arrays(x, y):
        a, b = np.broadcast_arrays(np.asarray(x), np.asarray(y))
        out = np.empty(a.shape, np.float64)
        first, second, target = a.ravel(), b.ravel(), out.ravel()
        for i in range(target.size):
            target[i] = numbers(first[i], second[i])
        return out

    def implement(x, y):
        return over_arrays if _is_array(x, y) else lambda x, y: numbers(x, y)

    return stub, implement


def _three(numbers: Any) -> Any:
    def stub(x, y, z):
        raise NotImplementedError

    def over_arrays(x, y, z):
        a, b, c = np.broadcast_arrays(np.asarray(x), np.asarray(y), np.asarray(z))
        out = np.empty(a.shape, np.float64)
        first, second, third, target = a.ravel(), b.ravel(), c.ravel(), out.ravel()
        for i in range(target.size):
            target[i] = numbers(first[i], second[i], third[i])
        return out

    def implement(x, y, z):
        return over_arrays if _is_array(x, y, z) else lambda x, y, z: numbers(x, y, z)

    return stub, implement


_ARITIES = {1: _one, 2: _two, 3: _three}

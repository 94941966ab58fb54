"""The Python functions that compiled ones are made of."""

from __future__ import annotations

from typing import Any

from nbinfer.compile.kernels import Kernel
from nbinfer.compile.numba_internals import function_of, is_a


def is_dispatcher(thing: Any) -> bool:
    """Tell whether something is one of Numba's compiled functions."""
    return is_a(thing, "Dispatcher")


def is_compiled(thing: Any) -> bool:
    """Tell whether something is a kernel or one of Numba's compiled functions."""
    return isinstance(thing, Kernel) or is_dispatcher(thing)


def python_function(function: Any) -> Any:
    """Return the Python function that a kernel or one of Numba's dispatchers is made of; anything else as it is.

    What has an attribute ``py_func`` need not be one of these: `functools.wraps` of a kernel copies it.
    """
    if isinstance(function, Kernel):
        return function.py_func
    if is_dispatcher(function):
        return function_of(function)
    return function

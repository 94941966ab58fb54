"""Make a user's function callable from compiled code, with all that it calls."""

from __future__ import annotations

from types import CellType, FunctionType
from typing import Any

from nbinfer.compile.fingerprint import global_chains
from nbinfer.compile.kernels import kernel


def compilable(function: Any, seen: dict[int, Any] | None = None) -> Any:
    """Return a user's function as something compiled code may call, with the plain functions it calls made so too.

    Numba calls no plain function, so that a function which does is compiled with a copy of its namespace in which the
    plain ones are kernels. The user's own function and module stay as they are.
    """
    if not isinstance(function, FunctionType):
        return function
    seen = {} if seen is None else seen
    if id(function) not in seen:
        names = {name for chain in global_chains(function.__code__) for name in chain[:1]}
        plain = {
            n: v for n in names if isinstance(v := function.__globals__.get(n), FunctionType) and v is not function
        }
        cells = function.__closure__ or ()
        enclosed = [c for c in cells if isinstance(_content(c), FunctionType)]
        if not plain and not enclosed:
            seen[id(function)] = kernel(function)
        else:
            seen[id(function)] = None  # a function on its way calls itself through its global name
            inner = {n: compilable(v, seen) for n, v in plain.items()}
            closure = tuple(CellType(compilable(_content(c), seen)) if c in enclosed else c for c in cells)
            copy = FunctionType(
                function.__code__,
                function.__globals__ | {n: v for n, v in inner.items() if v is not None},
                function.__name__,
                function.__defaults__,
                closure or None,
            )
            copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
            seen[id(function)] = kernel(copy)
    return seen[id(function)]


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not yet filled
        return None

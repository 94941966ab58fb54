"""Make a user's function callable from compiled code, with all that it calls."""

from __future__ import annotations

from collections.abc import Collection
from types import CellType, FunctionType, ModuleType
from typing import Any

from nbinfer.compile.fingerprint import global_chains
from nbinfer.compile.indices import UserFunction

#: Options of a user's dispatcher that say how to compile, not what to keep.
_NOT_KEPT = ("cache", "nopython")


def compilable(function: Any, data: Collection[int] = (), seen: dict[int, Any] | None = None) -> Any:
    """Return a user's function as something compiled code may call, made anew with everything that it calls.

    Numba calls no plain function, and a dispatcher that was compiled before, or is kept by Numba's own cache, knows the
    globals of that day. So each function, plain or dispatcher, is compiled from a copy whose namespace has kernels in
    their place. The user's functions and modules stay as they are.

    Parameters
    ----------
    function : object
        Anything but a function or a dispatcher comes back as it is.
    data : collection of int
        Positions of the arguments that hold data, if plain Python runs the function with these data before.
    seen : dict, optional
        What has been made already, by identity.
    """
    plain, options = _plain(function)
    if plain is None:
        return function
    seen = {} if seen is None else seen
    if id(plain) not in seen:
        seen[id(plain)] = None  # a function on its way calls itself through its global name
        names: dict[str, Any] = {}
        for name, *attributes in global_chains(plain.__code__):
            value = plain.__globals__.get(name)
            if isinstance(value, ModuleType) and attributes and _is_users(value):
                inner = compilable(getattr(value, attributes[0], None), seen=seen)
                names[name] = _with(names.get(name, value), attributes[0], inner)
            elif _plain(value)[0] is not None:
                names[name] = compilable(value, seen=seen)
        cells = tuple(
            CellType(compilable(_content(c), seen=seen)) if _plain(_content(c))[0] is not None else c
            for c in plain.__closure__ or ()
        )
        copy = FunctionType(
            plain.__code__,
            plain.__globals__ | {n: v for n, v in names.items() if v is not None},
            plain.__name__,
            plain.__defaults__,
            cells or None,
        )
        copy.__module__, copy.__qualname__ = plain.__module__, plain.__qualname__
        copy.__kwdefaults__ = plain.__kwdefaults__
        seen[id(plain)] = UserFunction(copy, options, data, plain is not function)
    return seen[id(plain)]


def _plain(function: Any) -> tuple[FunctionType | None, dict[str, Any]]:
    """Return the Python function of a user's function and how it wants to be compiled; None for anything else."""
    if isinstance(function, FunctionType):
        return function, {}
    options = getattr(function, "targetoptions", None)
    if isinstance(options, dict) and isinstance(getattr(function, "py_func", None), FunctionType):
        return function.py_func, {k: v for k, v in options.items() if k not in _NOT_KEPT and v is not None}
    return None, {}


def _is_users(module: ModuleType) -> bool:
    return module.__name__.partition(".")[0] not in ("numpy", "scipy", "numba", "math", "nbinfer")


def _with(module: ModuleType, name: str, value: Any) -> ModuleType:
    """Return a copy of a module with one name changed."""
    copy = ModuleType(module.__name__)
    copy.__dict__.update(module.__dict__)
    if value is not None:
        copy.__dict__[name] = value
    return copy


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not yet filled
        return None

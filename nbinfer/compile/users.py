"""Make a user's function callable from compiled code, with all that it calls."""

from __future__ import annotations

import collections
import enum
from collections.abc import Collection, Iterable
from types import CellType, FunctionType, ModuleType
from typing import Any

import numpy as np

from nbinfer.compile.fingerprint import global_chains, nested
from nbinfer.compile.indices import UserFunction
from nbinfer.compile.origin import home
from nbinfer.compile.python_functions import is_dispatcher, python_function

#: Options of a user's dispatcher that say how to compile, not what to keep.
_NOT_KEPT = ("cache", "nopython")

#: Bytes up to which Numba copies a global array into the code; beyond, the code refers to the array's memory.
_FROZEN = 10**6

#: Whose plain functions are compiled: the user's own, the standard library's, and those of our example models.
_USERS = ("", "python", "nbinfer")


def compilable(thing: Any, data: Collection[int] = (), seen: dict[int, Any] | None = None) -> Any:
    """Return a user's function as something compiled code may call, made anew with everything that it calls.

    Numba calls no plain function, and a dispatcher that was compiled before, or is kept by Numba's own cache, knows the
    globals of that day. So each function, plain or dispatcher, is compiled from a copy whose namespace has kernels in
    their place. The user's functions and modules stay as they are. Tuples are made anew if there are functions in them;
    and arrays that Numba would not copy into the code are copied here, so that all count as they are now.

    Parameters
    ----------
    thing : object
        What is neither of all that comes back as it is.
    data : collection of int
        Positions of the arguments that hold data, if plain Python runs the function with these data before.
    seen : dict, optional
        What has been made already, by identity.
    """
    seen = {} if seen is None else seen
    if isinstance(thing, np.ndarray) and thing.nbytes > _FROZEN and not thing.dtype.hasobject:
        return seen.setdefault(id(thing), thing.copy())
    plain, options = users_function(thing)
    if plain is None:
        return _tuple(thing, seen) if isinstance(thing, tuple) else thing
    if id(plain) not in seen:
        seen[id(plain)] = None  # a function on its way calls itself through its global name
        names = {}
        for name, uses in _uses(c for code in nested(plain.__code__) for c in global_chains(code)).items():
            value = plain.__globals__.get(name)
            renewed = _renewed(value, uses, seen)
            if renewed is not None and renewed is not value:
                names[name] = renewed
        cells = tuple(_cell(cell, seen) for cell in plain.__closure__ or ())
        copy = FunctionType(
            plain.__code__,
            plain.__globals__ | names,
            plain.__name__,
            _tuple(plain.__defaults__, seen) if plain.__defaults__ else None,
            cells or None,
        )
        copy.__module__, copy.__qualname__ = plain.__module__, plain.__qualname__
        named = plain.__kwdefaults__
        copy.__kwdefaults__ = named and {n: _or(compilable(v, seen=seen), v) for n, v in named.items()}
        seen[id(plain)] = UserFunction(copy, options, data, plain is not thing)
    return seen[id(plain)]


def users_function(function: Any) -> tuple[FunctionType | None, dict[str, Any]]:
    """Return the Python function of a user's function and how it wants to be compiled; None for anything else."""
    if isinstance(function, FunctionType) and home(function) in _USERS:
        return function, {}
    if is_dispatcher(function):
        options = {k: v for k, v in function.targetoptions.items() if k not in _NOT_KEPT and v is not None}
        return python_function(function), options
    return None, {}


def _tuple(items: tuple[Any, ...], seen: dict[int, Any]) -> Any:
    renewed = [_or(compilable(item, seen=seen), item) for item in items]
    if all(a is b for a, b in zip(items, renewed, strict=True)):
        return items
    return type(items)(*renewed) if hasattr(items, "_fields") else tuple(renewed)


def _or(thing: Any, other: Any) -> Any:
    return other if thing is None else thing


Uses = dict[str, list[tuple[str, ...]]]


def _uses(chains: Iterable[tuple[str, ...]]) -> Uses:
    """Return by name which attributes are taken from it, and from these."""
    found: Uses = {}
    for chain in sorted(set(chains)):
        if chain:
            found.setdefault(chain[0], []).append(chain[1:])
    return found


def _renewed(value: Any, uses: list[tuple[str, ...]], seen: dict[int, Any]) -> Any:
    """Return what stands for a global, None if it stays."""
    if isinstance(value, ModuleType):
        return _module(value, uses, seen) if home(value) in _USERS else None
    # Numba knows members of an IntEnum, and no arithmetic of theirs with floats.
    if isinstance(value, type) and issubclass(value, enum.IntEnum):
        members = {name: int(member) for name, member in value.__members__.items() if name.isidentifier()}
        plain = all(len(use) == 1 and use[0] in members for use in uses) and not any(n.startswith("_") for n in members)
        return collections.namedtuple(value.__name__, members)(**members) if plain else None
    if isinstance(value, enum.IntEnum):
        return None if any(uses) else int(value)
    return compilable(value, seen=seen)


def _module(module: ModuleType, uses: list[tuple[str, ...]], seen: dict[int, Any]) -> ModuleType | None:
    """Return a copy of a user's module with what is taken from it renewed; None if nothing need be."""
    changed = {}
    for name, inner in _uses(uses).items():
        value = getattr(module, name, None)
        renewed = None if value is None else _renewed(value, inner, seen)
        if renewed is not None and renewed is not value:
            changed[name] = renewed
    if not changed:
        return None
    copy = ModuleType(module.__name__)
    copy.__dict__.update(vars(module) | changed)
    return copy


def _cell(cell: CellType, seen: dict[int, Any]) -> CellType:
    value = cell_content(cell)
    renewed = compilable(value, seen=seen)
    return cell if renewed is None or renewed is value else CellType(renewed)


def cell_content(cell: CellType) -> Any:
    """Return what a closure's cell holds; None if it is empty."""
    try:
        return cell.cell_contents
    except ValueError:  # not yet filled
        return None

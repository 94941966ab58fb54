"""A user's function in plain Python, where compiled helpers of it are to behave as compiled code has them."""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from nbinfer.compile.fingerprint import global_chains
from nbinfer.compile.users import _content, _plain, compilable

#: Packages whose functions call none of the user's.
_FOREIGN = {"numpy", "scipy", "numba", "nbinfer"} | set(sys.stdlib_module_names) - {"__main__"}

#: Dispatchers of users', each made anew once: like Numba's they know the globals of that day.
_MADE: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def in_python(function: Any) -> Any:
    """Return a user's function for plain Python, with compiled helpers as compiled code has them: made anew.

    Then they check their indices, and take read-only arrays, whatever types they were compiled for.
    """
    plain, _ = _plain(function)
    if plain is None:
        return getattr(function, "py_func", function)
    reached: list[Any] = []
    _reach(plain, reached)
    dispatchers = [thing for thing in reached if hasattr(thing, "py_func")]
    if not dispatchers:
        return plain
    for dispatcher in dispatchers:
        if dispatcher not in _MADE:
            _MADE[dispatcher] = compilable(dispatcher)
    return compilable(plain, seen={id(d.py_func): _MADE[d] for d in dispatchers}).py_func


def _reach(plain: FunctionType, found: list[Any]) -> None:
    """List the users' functions and dispatchers that a function calls, at any depth."""
    for name, *attributes in global_chains(plain.__code__):
        value = plain.__globals__.get(name)
        if isinstance(value, ModuleType):
            value = getattr(value, attributes[0], None) if attributes else None
        _note(value, found)
    for cell in plain.__closure__ or ():
        _note(_content(cell), found)


def _note(value: Any, found: list[Any]) -> None:
    plain, _ = _plain(value)
    foreign = plain is not None and (plain.__module__ or "").partition(".")[0] in _FOREIGN
    if plain is not None and not foreign and not any(value is known for known in found):
        found.append(value)
        _reach(plain, found)

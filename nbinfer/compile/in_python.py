"""A user's function in plain Python, where compiled helpers of it are to behave as compiled code has them."""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from nbinfer.compile.fingerprint import global_chains, nested
from nbinfer.compile.origin import home, is_dispatcher, python_function
from nbinfer.compile.users import cell_content, compilable, users_function

#: Dispatchers of users', made anew, with the values of the globals that they were made with.
_MADE: WeakKeyDictionary[Any, tuple[Any, list[Any]]] = WeakKeyDictionary()


def in_python(function: Any) -> Any:
    """Return a user's function for plain Python, with compiled helpers as compiled code has them: made anew.

    Then they check their indices, and take read-only arrays, whatever types they were compiled for.
    """
    plain, _ = users_function(function)
    if plain is None:
        return python_function(function)
    reached: list[Any] = []
    _reach(plain, reached)
    dispatchers = [thing for thing in reached if is_dispatcher(thing)]
    if not dispatchers:
        return plain
    return compilable(plain, seen={id(python_function(d)): _made(d) for d in dispatchers}).py_func


def _made(dispatcher: Any) -> Any:
    """Return a dispatcher made anew, once for each set of globals: compiled code counts them as they are now."""
    reached: list[Any] = []
    _note(dispatcher, reached)
    now = [
        plain.__globals__.get(chain[0])
        for plain in map(python_function, reached)
        for code in nested(plain.__code__)
        for chain in global_chains(code)
    ]
    made, before = _MADE.get(dispatcher, (None, []))
    if made is None or len(now) != len(before) or any(a is not b for a, b in zip(now, before, strict=True)):
        made = compilable(dispatcher)
        _MADE[dispatcher] = made, now
    return made


def _reach(plain: FunctionType, found: list[Any]) -> None:
    """List the users' functions and dispatchers that a function calls, at any depth."""
    for name, *attributes in (chain for code in nested(plain.__code__) for chain in global_chains(code)):
        value = plain.__globals__.get(name)
        if isinstance(value, ModuleType):
            value = getattr(value, attributes[0], None) if attributes else None
        _note(value, found)
    for cell in plain.__closure__ or ():
        _note(cell_content(cell), found)


def _note(value: Any, found: list[Any]) -> None:
    plain, _ = users_function(value)
    if plain is not None and home(plain) == "" and not any(value is known for known in found):
        found.append(value)
        _reach(plain, found)

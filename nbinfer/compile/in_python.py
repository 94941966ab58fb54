"""A user's function in plain Python, where compiled helpers of it are to behave as compiled code has them."""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from nbinfer.compile.fingerprint import contents, global_chains, nested
from nbinfer.compile.origin import home
from nbinfer.compile.python_functions import is_dispatcher, python_function
from nbinfer.compile.users import cell_content, compilable, users_function

#: Users' dispatchers as they were made anew, and the content that they had then.
_MADE: WeakKeyDictionary[Any, tuple[str | None, Any]] = WeakKeyDictionary()


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
    return compilable(plain, seen={id(python_function(d)): _made_anew(d) for d in dispatchers}).py_func


def _made_anew(dispatcher: Any) -> Any:
    """Return what stands for a dispatcher as long as it and all that it uses stay as they are."""
    content, _ = contents(dispatcher)
    known = _MADE.get(dispatcher)
    if known is None or known[0] != content:
        known = _MADE[dispatcher] = content, compilable(dispatcher)
    return known[1]


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

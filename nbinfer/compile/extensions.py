"""What a user has taught Numba: `overload` and its kin change what code means, and no function refers to them."""

from __future__ import annotations

import operator
import sys
import threading
from collections.abc import Iterator
from typing import Any

from nbinfer.compile.forks import hold_at_forks
from nbinfer.compile.origin import home

_LOCK = hold_at_forks(threading.RLock())


class Extensions:
    """Users' implementations, as Numba's registries list them now.

    Attributes
    ----------
    objects : dict of int to list
        By the identity of what is overloaded: a function of NumPy, of `math`, of the user's own.
    names : dict of str to list
        By the name of a method or an attribute.
    always : list
        Operators, which code names by no object.
    """

    def __init__(self) -> None:
        self.objects: dict[int, list[Any]] = {}
        self.names: dict[str, list[Any]] = {}
        self.always: list[Any] = []
        self._read: dict[tuple[str, str], int] = {}

    def update(self) -> Extensions:
        """Look for what is new; Numba only ever appends."""
        with _LOCK:
            for key, implementation in self._new():
                if home(implementation):
                    continue
                if isinstance(key, str):
                    self.names.setdefault(key, []).append(implementation)
                elif key is getattr(operator, getattr(key, "__name__", ""), None):
                    self.always.append(implementation)
                else:
                    self.objects.setdefault(id(key), []).append(implementation)
        return self

    def _new(self) -> Iterator[tuple[Any, Any]]:
        typing: Any = sys.modules.get("numba.core.typing.templates")
        lowering: Any = sys.modules.get("numba.core.imputils")
        for module, names in ((typing, ("functions", "attributes", "globals")), (lowering, ("functions", "getattrs"))):
            registry = getattr(module, "builtin_registry", None)
            for name in names:
                items = getattr(registry, name, [])
                place = (getattr(module, "__name__", ""), name)
                for item in items[self._read.get(place, 0) :]:
                    yield from _written(item)
                self._read[place] = len(items)


def _written(item: Any) -> Iterator[tuple[Any, Any]]:
    """Take an item of a registry apart: what it is for, and the functions of which it is made."""
    if isinstance(item, type):  # how a function or an attribute is typed
        key = getattr(item, "_attr", None) or getattr(item, "key", None)
        yield from ((key, part) for part in _functions(item))
    elif isinstance(item, tuple) and len(item) == 2:
        yield from ((item[0], part) for template in getattr(item[1], "templates", ()) for part in _functions(template))
    elif isinstance(item, tuple) and item[1] is not None:  # how it is lowered
        yield item[1], getattr(item[0], "__wrapped__", item[0])


def _functions(template: type) -> Iterator[Any]:
    overload = getattr(template, "_overload_func", None)
    if overload is not None:
        yield overload
    else:
        yield from (member for member in vars(template).values() if hasattr(member, "__code__"))


EXTENSIONS = Extensions()

"""What a user has taught Numba: `overload` and its kin change what code means, and no function refers to them."""

from __future__ import annotations

import operator
import threading
from collections.abc import Iterator
from typing import Any

from nbinfer.compile.forks import hold_at_forks
from nbinfer.compile.numba_internals import Registered, registered, registries
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
        self._read: dict[str, int] = {}

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

    def _new(self) -> Iterator[Registered]:
        for place, items in registries().items():
            for item in items[self._read.get(place, 0) :]:
                yield from registered(item)
            self._read[place] = len(items)


EXTENSIONS = Extensions()

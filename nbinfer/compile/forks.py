"""One gate for all that prepares code, so that a process may be forked at any time.

A fork copies locks as they are and no thread but its own: a lock that another thread held is never released in the
child. So a fork waits until no thread is inside of our preparations, of Numba's compiler, of LLVM, or of the import of
one of their modules. Whoever waits for something other than the processor lets go of the gate meanwhile.
"""

from __future__ import annotations

import contextlib
import logging  # noqa: F401 - registers its hooks before ours, so that a fork takes its lock after having waited
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, overload

from nbinfer.compile import numba_internals

T = TypeVar("T")

#: Held by the thread that compiles or loads code.
GATE = threading.RLock()
#: What else is held during a fork: locks of ours that user functions run under.
_MORE: list[Any] = []
#: What the thread that forks holds meanwhile.
_HELD: list[contextlib.ExitStack] = []
#: Seconds after which a fork goes on as it would without us: what it waits for may itself wait for the forking thread.
_PATIENCE, _PATIENCE_IMPORTS = 300.0, 5.0
_PACKAGES = ("nbinfer", "numba", "llvmlite", "numpy", "scipy")


def hold_at_forks(lock: Any) -> Any:
    """Let forks wait for a lock; return it."""
    _MORE.append(lock)
    return lock


def _locks() -> Iterator[Any]:
    """List what a fork holds; Numba's and LLVM's locks if they are there."""
    yield from (GATE, *_MORE, *numba_internals.locks())


def _others_import() -> bool:
    """Tell whether another thread is importing a module that compiling needs."""
    bootstrap = sys.modules.get("_frozen_importlib")
    me = threading.get_ident()
    for name, reference in list(getattr(bootstrap, "_module_locks", {}).items()):
        owner = getattr(reference(), "owner", None)
        if owner not in (None, me) and name.partition(".")[0] in _PACKAGES:
            return True
    return False


def _hold() -> None:
    """Before a fork: wait until nobody prepares code, and see to it that nobody begins."""
    start = time.monotonic()
    while True:
        waited = time.monotonic() - start
        with contextlib.ExitStack() as stack:
            # Never wait with something in hand for long: whoever holds the next lock may want this one.
            for lock in _locks():
                if not lock.acquire(timeout=0.1):
                    break
                stack.callback(lock.release)
            else:
                if waited > _PATIENCE_IMPORTS or not _others_import():
                    _HELD.append(stack.pop_all())
                    return
        if waited > _PATIENCE:
            return
        time.sleep(0.001)


def _let_go() -> None:
    """After a fork, in both processes."""
    if _HELD:
        _HELD.pop().close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_let_go)


class cached_property(Generic[T]):  # noqa: N801
    """An attribute that is computed when first asked for.

    As `functools.cached_property`, which up to Python 3.11 holds a lock of its class meanwhile: a fork would copy that.
    Where two threads compute it, the first to finish wins. A subclass that overrides one must not ask `super()` for it:
    the base's would be the first.
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> cached_property[T]: ...

    @overload
    def __get__(self, instance: object, owner: type | None = None) -> T: ...

    def __get__(self, instance: object | None, owner: type | None = None) -> cached_property[T] | T:
        if instance is None:
            return self
        known = vars(instance)
        if self._name not in known:
            known.setdefault(self._name, self._function(instance))
        return known[self._name]  # type: ignore[no-any-return]

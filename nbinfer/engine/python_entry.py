"""Python functions that kernels call by address: slower than compiled ones, under the GIL, and free to do anything."""

from __future__ import annotations

import ctypes
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from nbinfer.compile import JIT
from nbinfer.compile.forks import cached_property
from nbinfer.compile.memory import register
from nbinfer.engine.job import Status


class PythonEntry:
    """A C function that calls a Python function, and keeps what that raises.

    Parameters
    ----------
    function : callable
        Of addresses and integers; what it returns does not matter.
    words : int
        How many of these: two for ``int64 f(intp, intp)``, three for a phase of a team.

    Attributes
    ----------
    error : BaseException or None
        What it raised last.
    """

    def __init__(self, function: Callable[..., Any], words: int = 2) -> None:
        self._function, self._words = function, words
        self.error: BaseException | None = None

    @cached_property
    def _callback(self) -> Any:
        return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_ssize_t] * self._words)(self._call)

    @cached_property
    def address(self) -> int:
        return ctypes.cast(self._callback, ctypes.c_void_p).value or 0 if JIT else register(self._call)

    def _call(self, *words: int) -> int:
        try:
            self._function(*words)
        except BaseException as error:  # ctypes would print it and go on
            self.error = error
            return int(Status.RAISED)
        return int(Status.OK)

    def __call__(self, *words: int) -> int:
        """Call the function from Python; what it raises comes out."""
        self._function(*words)
        return int(Status.OK)


def raised_by(entries: Iterable[Any]) -> BaseException | None:
    """Return what one of some C functions in plain Python has raised, and forget what all have; None if none has."""
    broken = [entry for entry in entries if getattr(entry, "error", None) is not None]
    errors: list[BaseException] = [entry.error for entry in broken]
    for entry in broken:
        entry.error = None
    return errors[0] if errors else None


def takes(function: Callable[..., Any], count: int) -> bool:
    """Tell whether a function can be called with so many arguments; one that cannot be looked into is believed to."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:
        return True
    return True

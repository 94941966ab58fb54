"""C functions: how compiled parts of the engine and of models know each other."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from nbinfer.compile import objects
from nbinfer.compile.files import file_digest
from nbinfer.compile.fingerprint import fingerprint
from nbinfer.compile.forks import GATE, cached_property
from nbinfer.compile.kernels import JIT, OPTIONS
from nbinfer.compile.keys import module_name, platform_tag, sources
from nbinfer.compile.memory import register
from nbinfer.compile.numba_internals import CFunction
from nbinfer.compile.origin import home
from nbinfer.compile.shortcuts import shortcuts
from nbinfer.compile.store import Place
from nbinfer.errors import CompileError, unseen

_C_TYPES: dict[str, Any] = {
    "float64": ctypes.c_double,
    "int64": ctypes.c_int64,
    "intp": ctypes.c_ssize_t,
    "uint64": ctypes.c_uint64,
    "uint32": ctypes.c_uint32,
}

#: What code of this process alone refers to.
_ALIVE: list[Any] = []

#: Seconds after which a process no longer waits for another one.
_PATIENCE = 300.0
#: Whether it was said that the engine is waited for.
_WAITED: list[str] = []

#: Calls inside calls while Numba compiles. They are calls of Python functions, which take no space on the C stack.
_DEEPEST = 20_000

#: After how many compilations garbage is collected.
_COLLECTED = 8

#: How code prints, and how it asks for Python objects that it refers to. Nobody gives it those here: it would print
#: nothing, and keep the GIL for ever.
_WRITES = "PySys_FormatStdout"
_ENVIRONMENT = re.compile(r"load ptr, ptr @_ZN08NumbaEnv")

_log = logging.getLogger(__name__)


class Entry:
    """A C function made from a Python one, compiled on first use and kept on disk.

    Attributes
    ----------
    address : int
        Where the machine code is; with the JIT off, a key into the registry of Python functions.
    """

    #: Entries compiled (not loaded) by this process; tests of the cache read it.
    compiled: list[str] = []

    def __init__(self, function: Callable[..., Any], signature: str, place: Place | None = None) -> None:
        functools.update_wrapper(self, function, updated=())
        self.py_func = function
        self.signature = signature
        self._place = place
        returns, arguments = signature.rstrip(")").split("(")
        self._returns = _C_TYPES[returns]
        self._arguments = [_C_TYPES[a.strip()] for a in arguments.split(",")]

    @cached_property
    def address(self) -> int:
        return self._address() if JIT else register(self.py_func)

    def _address(self, prepare: Callable[[], None] | None = None) -> int:
        """Load the machine code, compiling it if need be: here, or by waiting for another process that does."""
        start, waited = time.monotonic(), False
        while True:
            with GATE:
                known = vars(self).get("address") or self._loaded()
                if known is not None:
                    return int(known)
                # Who waited in vain, since the other could not write either, or for too long, works for itself.
                with contextlib.nullcontext(True) if waited else self.place.alone() as alone:
                    found = self._loaded() if alone else None  # just now by another process
                    if alone and found is None:
                        if prepare is not None:
                            prepare()
                        found = objects.load(*self._compile())
                if found is not None:
                    return found
            self._say_waiting()
            while not waited:
                time.sleep(0.05)
                with self.place.alone() as free:
                    waited = free or time.monotonic() - start > _PATIENCE

    def _loaded(self) -> int | None:
        """Return the address of the machine code on disk, None if there is none that this process can use."""
        stored = objects.read(self.place)
        try:
            return None if stored is None else objects.load(*stored)
        except Exception as reason:
            _log.warning("%s is compiled again: %s", self.place.path, reason)
            return None

    def _say_waiting(self) -> None:
        if home(self.py_func) == "nbinfer" and not _WAITED:
            _WAITED.append(str(self.place.path))
            _log.warning("another process compiles the engine; waiting for it, which takes some twenty seconds")
        _log.info("waiting for another process that compiles %s", self.place.path)

    @property
    def place(self) -> Place:
        """Where the machine code is kept."""
        if self._place is None:
            function = self.py_func
            if home(function) == "nbinfer":
                name = f"{function.__module__}.{function.__qualname__}"
                digest = file_digest(platform_tag(), sources(module_name(function)), self.signature)
            else:
                name, digest = function.__qualname__.rpartition(".")[2], fingerprint(function, self.signature)
            self._place = Place("engine", f"{name}-{digest}")
        return self._place

    @cached_property
    def _callable(self) -> Callable[..., Any]:
        if not JIT:
            return self.py_func
        return ctypes.CFUNCTYPE(self._returns, *self._arguments)(self.address)

    def __call__(self, *args: int) -> Any:
        """Call the function with integers; the GIL is free meanwhile."""
        return self._callable(*args)

    def load(self, prepare: Callable[[], None] | None = None) -> None:
        """Make the function ready, compiling it if need be: then call `prepare` before."""
        if JIT and "address" not in vars(self):
            vars(self)["address"] = self._address(prepare)
        self._callable  # noqa: B018

    def _compile(self) -> tuple[str, bytes, list[str]]:
        if self.py_func.__module__ == "nbinfer.mcmc.hamiltonian.nuts":
            with unseen():
                _log.warning("compiling the engine; this happens once per machine and takes some twenty seconds")
        with _no_garbage_collection(), _deep_recursion():
            stored, portable = self._compile_with_numba()
        if portable:
            objects.write(self.place, *stored)
        Entry.compiled.append(f"{self.py_func.__module__}.{self.py_func.__qualname__}")
        return stored

    def _compile_with_numba(self) -> tuple[tuple[str, bytes, list[str]], bool]:
        """Return machine code, and whether it means anything in another process."""
        options = {k: v for k, v in OPTIONS.items() if k != "nogil"}  # a C function never holds the GIL
        try:
            with shortcuts():
                function = CFunction(self.py_func, self.signature, options)
        except KeyboardInterrupt:  # where in Numba that was, fifty lines, tells nobody anything
            raise KeyboardInterrupt(f"while {self.py_func.__name__} was compiled") from None
        if _WRITES in function.externals and _ENVIRONMENT.search(function.text):
            raise CompileError(
                "Numba cannot compile a function of the model: it prints values, which code without an interpreter "
                "cannot. Remove print(); model.logp(point) runs as plain Python, and so does everything "
                "with NUMBA_DISABLE_JIT=1."
            )
        if not function.portable:
            _ALIVE.append(function)
            with unseen():
                _log.warning(
                    "%s refers to a large global array or a ctypes function and is compiled in each process; "
                    "pass the array as data",
                    self.py_func.__name__,
                )
        return (function.symbol, function.code, function.externals), function.portable


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Spare Numba's import and compilation, which make many objects that live, a tenth of their time.

    All that they made is young when they end, and would be gone through at once. It is taken for old instead, which
    costs nothing; every `_COLLECTED`th compilation collects.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if (len(Entry.compiled) + 1) % _COLLECTED == 0:
                gc.collect()
            elif gc.get_freeze_count() == 0:  # nobody has frozen objects, which these two would free
                gc.freeze()
                gc.unfreeze()
            gc.enable()


@contextlib.contextmanager
def _deep_recursion() -> Iterator[None]:
    """Let Numba follow a variable through long functions: it calls itself for each loop and branch on the way."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _DEEPEST))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def entry(signature: str, place: Place | None = None) -> Callable[[Callable[..., Any]], Entry]:
    """Mark a function as a C function.

    Parameters
    ----------
    signature : str
        Numba's notation, of ``float64``, ``int64`` and ``intp`` only: ``"int64(intp, intp)"``.
    place : Place, optional
        Where its machine code is kept. Default: under the function's name and a hash of what it depends on.
    """

    def mark(function: Callable[..., Any]) -> Entry:
        return Entry(function, signature, place)

    return mark

"""The one decorator of compiled functions."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, overload

from nbinfer.compile import numba_internals
from nbinfer.compile.forks import cached_property

P = ParamSpec("P")
R = TypeVar("R")

#: False under ``NUMBA_DISABLE_JIT=1``: kernels then run as plain Python.
JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")

#: What every compiled function shares: 1.0 / 0.0 is inf, as in array code, and the GIL is free. The others are Numba's
#: own defaults, spelled out: what a function does not set, Numba takes from whoever has it compiled first.
OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "nogil": True,
    "fastmath": False,
    "boundscheck": False,
    "forceinline": False,
    "_nrt": True,
}

#: What functions do without that only compiled code calls.
NO_WRAPPERS: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

#: Licence to reorder sums. Never "nnan" or "ninf": in a log density NaN and infinity mean something.
REASSOCIATE = {"reassoc", "contract", "nsz", "arcp"}


class Kernel(Generic[P, R]):
    """A function that compiled code may call; Numba is imported when something is compiled, not before.

    Numba meets a kernel as a global of another kernel and asks for its `_numba_type_`; from Python a kernel is called
    like the function it is made of.
    """

    def __init__(self, function: Callable[P, R], options: dict[str, Any]) -> None:
        # Without the function's attributes: those that `functools.wraps` took from another kernel are that one's.
        functools.update_wrapper(self, function, updated=())
        self.py_func = function
        self._options = options
        if "inline" in options:
            self.targetoptions = options  # where Numba looks whether to paste a global into its caller

    @cached_property
    def options(self) -> dict[str, Any]:
        """How Numba is to compile this function."""
        return OPTIONS | self._options

    @cached_property
    def dispatcher(self) -> Any:
        """Numba's dispatcher of this function, for callers from Python."""
        return numba_internals.ready().njit(**self.options)(self.py_func)

    @cached_property
    def _inner(self) -> Any:
        """The dispatcher for callers from compiled code, which need no wrapper for Python: half the compile time."""
        from nbinfer.compile.kept import Kept, can_be_kept

        options = self.options | NO_WRAPPERS
        dispatcher = numba_internals.ready().njit(**options)(self.py_func)
        if can_be_kept(self.py_func):
            numba_internals.keep_in(dispatcher, Kept(self.py_func, options))
        return dispatcher

    @property
    def _numba_type_(self) -> Any:
        return self._inner._numba_type_

    def __call__(self, *args: P.args, **named: P.kwargs) -> R:
        function: Callable[P, R] = self.dispatcher if JIT else self.py_func
        return function(*args, **named)

    def __reduce__(self) -> str:
        return self.py_func.__qualname__  # by reference, as functions are pickled

    def __repr__(self) -> str:
        return f"<kernel {self.py_func.__module__}.{self.py_func.__qualname__}>"


@overload
def kernel(
    function: Callable[P, R], *, reassociate: bool = False, boundscheck: bool = False, inline: bool = False
) -> Kernel[P, R]: ...


@overload
def kernel(
    *, reassociate: bool = False, boundscheck: bool = False, inline: bool = False
) -> Callable[[Callable[P, R]], Kernel[P, R]]: ...


def kernel(
    function: Callable[..., Any] | None = None,
    *,
    reassociate: bool = False,
    boundscheck: bool = False,
    inline: bool = False,
) -> Any:
    """Mark a function as compiled code.

    Parameters
    ----------
    function : callable
        Plain arrays, scalars and records in, scalars and tuples out. It calls kernels only.
    reassociate : bool
        Let the compiler reorder sums, so that reductions use vector instructions. Results then depend on the processor
        in the last digits, as everything compiled may; NaN and infinity keep their meaning.
    boundscheck : bool
        Raise IndexError for an index that leaves its array.
    inline : bool
        Paste the body into each caller before types are inferred; it is compiled with the caller's options then.

    Returns
    -------
    kernel : Kernel
        Callable from Python and from compiled code.
    """
    if function is None:
        return functools.partial(kernel, reassociate=reassociate, boundscheck=boundscheck, inline=inline)
    options: dict[str, Any] = {}
    if reassociate:
        options["fastmath"] = REASSOCIATE
    if boundscheck:
        options["boundscheck"] = True
    if inline:
        options["inline"] = "always"
    return Kernel(function, options)


class Twin(Kernel[P, R]):
    """A function that has two forms: plain Python, and an intrinsic of the same name in `nbinfer.compile.lowered`."""

    @cached_property
    def _numba_type_(self) -> Any:
        intrinsic = getattr(importlib.import_module("nbinfer.compile.lowered"), self.py_func.__name__)
        # Numba registers an intrinsic's type under the intrinsic; global names of kernels lead here instead.
        return numba_internals.type_of(intrinsic)

    def __call__(self, *args: P.args, **named: P.kwargs) -> R:
        return self.py_func(*args, **named)


def twin(function: Callable[P, R]) -> Twin[P, R]:
    """Mark the plain-Python form of a function whose compiled form stands in `lowered` under the same name."""
    return Twin(function, {})

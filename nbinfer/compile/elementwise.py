"""Functions of numbers that take arrays too: compiled for compiled code, NumPy or SciPy for Python."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

from nbinfer.compile.forks import cached_property
from nbinfer.compile.kernels import REASSOCIATE, Kernel

P = ParamSpec("P")
R = TypeVar("R")

#: Pasted into each caller by LLVM, after types are inferred: only then can a loop around the call be vectorised.
_OPTIONS: dict[str, Any] = {"forceinline": True}

#: The same, with leave to round a product and a sum together, once. Sums keep their order whatever the caller allows.
_CONTRACTED: dict[str, Any] = {"forceinline": True, "fastmath": {"contract"}}

#: The same, with leave to reorder sums too.
_REORDERED: dict[str, Any] = {"forceinline": True, "fastmath": REASSOCIATE}


class Numbers(Kernel[..., float]):
    """The form of a function that takes numbers only: what derived gradients call, since it compiles fastest."""

    def __init__(self, function: Callable[..., float], options: dict[str, Any], whole: Elementwise) -> None:
        super().__init__(function, options)
        self._whole = whole

    def __call__(self, *args: float) -> Any:
        return self._whole(*args)


class Elementwise(Kernel[..., Any]):
    """A function of numbers that also takes arrays, which broadcast.

    Attributes
    ----------
    py_func : callable
        The function of numbers that is compiled, as plain Python.
    numbers : Kernel
        The same as a kernel that takes numbers only.
    names : tuple of str
        Of the arguments.
    cores : tuple of int
        How many axes of each argument, the last ones, belong to an element; 0 where an element is a number.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        reference: Callable[..., Any] | str,
        options: dict[str, Any] = _OPTIONS,
        cores: Sequence[int] = (),
    ) -> None:
        super().__init__(function, options)
        self._named = reference
        self.numbers = Numbers(function, options, self)
        self.names = function.__code__.co_varnames[: function.__code__.co_argcount]
        self.cores = tuple(cores) or (0,) * len(self.names)

    @cached_property
    def reference(self) -> Callable[..., Any]:
        """What runs when Python calls the function: neither compiled code nor Numba's import is needed for it."""
        if isinstance(self._named, str):
            return getattr(importlib.import_module("scipy.special"), self._named)  # type: ignore[no-any-return]
        return self._named

    @cached_property
    def _numba_type_(self) -> Any:
        from nbinfer.compile.elementwise_lowered import elementwise

        return elementwise(self)

    def __call__(self, *args: Any) -> Any:
        if len(args) != len(self.names):  # a universal function would write its result to the next argument
            count = f"{len(self.names)} argument{'s' if len(self.names) > 1 else ''}"
            raise TypeError(f"{self.py_func.__name__}() takes {count}, got {len(args)}")
        with np.errstate(all="ignore"):
            return self.reference(*args)

    def __repr__(self) -> str:
        return f"<elementwise {self.py_func.__name__}>"


def elementwise(
    reference: Callable[..., Any] | str,
    *,
    contract: bool = False,
    reassociate: bool = False,
    cores: Sequence[int] = (),
) -> Callable[[Callable[..., Any]], Elementwise]:
    """Mark a function of numbers as one that also takes arrays.

    Parameters
    ----------
    reference : callable or str
        What computes the same in plain Python, for numbers and arrays; a name means that function of ``scipy.special``,
        which is not imported before it is called.
    contract : bool
        Let the compiler round a product and the sum it enters once instead of twice: faster, and polynomials gain.
    reassociate : bool
        Let it reorder sums as well, as `nbinfer.compile.kernel` does.
    cores : sequence of int, optional
        How many axes of each argument, the last ones, belong to an element. Default: none.
    """

    def mark(function: Callable[..., Any]) -> Elementwise:
        options = _REORDERED if reassociate else _CONTRACTED if contract else _OPTIONS
        return Elementwise(function, reference, options, cores)

    return mark


class Fragment(Kernel[P, R]):
    """A piece of compiled code that LLVM pastes into its callers; in plain Python it is the function itself."""

    def __call__(self, *args: P.args, **named: P.kwargs) -> R:
        return self.py_func(*args, **named)


def fragment(function: Callable[P, R]) -> Fragment[P, R]:
    """Mark a piece that kernels and contracted elementwise functions are made of."""
    return Fragment(function, _CONTRACTED)

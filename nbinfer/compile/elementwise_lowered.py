"""The compiled form of elementwise functions: a number for numbers, a loop for arrays. Imported only to compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbinfer.compile.broadcast_lowered import argument, compose, loop, loops, sizes_of, typed


def elementwise(function: Any) -> Any:
    """Return Numba's type of an elementwise function."""
    names = function.names
    head = ", ".join(names)

    def implement(*kinds: Any) -> Callable[..., Any]:
        arguments = [argument(*described) for described in zip(names, kinds, function.cores, strict=True)]
        ndim, lines = sizes_of(arguments)
        if sum(a.ndim > 0 for a in arguments) == 1 and not any(function.cores):
            lines = loop(arguments, "_numbers", "float64")
        elif ndim:
            lines += loops(arguments, ndim, "_numbers", "float64")
        else:
            lines.append(f"return _numbers({', '.join(a.whole for a in arguments)})")
        return compose(f"over({head})", lines, {"_numbers": function.numbers})

    return typed(head, implement, forceinline=True)

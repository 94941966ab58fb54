"""The compiled form of random generators: one draw, or a loop over parameters and size. Imported only to compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types

from nbinfer.compile.broadcast_lowered import argument, compose, loops, sizes_of, typed
from nbinfer.compile.kernels import Kernel


def generator(function: Any) -> Any:
    """Return Numba's type of a generator."""
    names, checked = function.check.names, _checked(function)
    head = ", ".join(["rng", *names, "size=None"])

    def implement(rng: Any, *kinds: Any) -> Callable[..., Any]:
        arguments = [argument(*described) for described in zip(names, kinds, function.check.cores, strict=False)]
        ndim, lines = _sizes(kinds[-1])
        if ndim is None:
            ndim, lines = sizes_of(arguments)
        if any(a.ndim > ndim for a in arguments):
            lines.append('raise ValueError("a parameter has more axes than size")')
        elif ndim or lines:
            lines += loops(arguments, ndim, "_draw", function.dtype, function.element)
        else:
            lines.append(f"return _draw({', '.join(a.whole for a in arguments)})")
        text = "\n".join(lines).replace("_draw(", "_draw(rng, ")
        return compose(f"over({head})", text.split("\n"), {"_draw": checked})

    return typed(head, implement)


def _sizes(kind: Any) -> tuple[int | None, list[str]]:
    """Return the number of axes that an argument `size` of this type gives, and the lines that find them."""
    kind = kind.value if isinstance(kind, types.Omitted) else kind
    if kind is None or isinstance(kind, types.NoneType):
        return None, []
    if isinstance(kind, types.Integer):
        return 1, ["_n0 = size"]
    return len(kind), [f"_n{k} = size[{k}]" for k in range(len(kind))] or ["pass"]


def _checked(function: Any) -> Kernel[..., Any]:
    """Return the draw of one element, with the check of its parameters before it: nothing loops forever on a NaN."""
    check = function.check
    names: dict[str, Any] = {"_one": Kernel(function.py_func, {"forceinline": True})}
    lines = []
    for i, (of, test, message) in enumerate(check.tests()):
        names[f"_ok{i}"] = test if isinstance(test, Kernel) else Kernel(test, {})
        lines += [f"if not _ok{i}({', '.join(of)}):", f"    raise ValueError({message!r})"]
    arguments = ", ".join(["rng", *check.names])
    if function.within is None:
        lines.append(f"return _one({arguments}, None)")
    else:
        names["_low"], names["_high"] = function.within
        lines.append(f"return min(max(_one({arguments}, None), _low), _high)")
    return Kernel(compose(f"checked({arguments})", lines, names), {"forceinline": True})

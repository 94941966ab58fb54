"""Compiled functions over broadcast arguments, written for the kinds of arguments at hand. Imported only to compile.

A number stays a number, so that what depends on numbers alone leaves the loop. A single array is read from end to end.
Of several, an axis of size 1 is read with step 0, so that nothing is copied and the loop is vectorised.
"""

# Numba's decorators have no types.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc,untyped-decorator"

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from nbinfer.compile.kernels import OPTIONS, kernel
from nbinfer.compile.numba_internals import type_of


class Argument(NamedTuple):
    """An argument of the text.

    Attributes
    ----------
    name : str
        Of the parameter.
    ndim : int
        How many axes are broadcast; those behind them belong to each element.
    whole : str
        How the text spells it where no axis is broadcast.
    widened : str
        How the text widens an element, for which {} stands: unsigned integers would wrap, float32 lose digits.
    """

    name: str
    ndim: int
    whole: str
    widened: str = "{}"

    def element(self, text: str) -> str:
        """Write an element that the text spells so, in the type that functions compute with."""
        return self.widened.format(text)


@kernel
def _common(a: int, b: int) -> int:
    """Return the size along an axis of two arrays together."""
    if a == b or b == 1:
        return a
    if a != 1:
        raise ValueError("shapes do not broadcast")
    return b


@kernel
def _fits(a: int, size: int) -> int:
    """Require an axis to fit into `size`; return the step to read it with."""
    if a != size and a != 1:
        raise ValueError("a parameter does not fit into size")
    return 0 if a == 1 else 1


def argument(name: str, kind: Any, core: int) -> Argument:
    """Describe an argument of a Numba type, the last `core` axes of which belong to each element."""
    if isinstance(kind, types.BaseTuple) and core:
        return Argument(name, 0, f"np.array({name})")
    if not isinstance(kind, types.Array):
        widened = _widened(kind, False)
        return Argument(name, 0, widened.format(name), widened)
    widened = _widened(kind.dtype, core > 0)
    ndim = max(kind.ndim - core, 0)
    return Argument(name, ndim, widened.format(name if kind.ndim else f"{name}[()]"), widened)


def _widened(kind: Any, array: bool) -> str:
    """Return how to widen a number, or an array of numbers, of a Numba type; {} stands for it."""
    if isinstance(kind, types.Float) and kind is not types.float64:
        return "{}.astype(np.float64)" if array else "float({})"
    if kind in types.unsigned_domain:
        return "{}.astype(np.int64)" if array else "np.int64({})"
    return "{}"


def sizes_of(arguments: Sequence[Argument]) -> tuple[int, list[str]]:
    """Return the number of axes of arguments together, and the lines that find the sizes ``_n0, _n1, …``."""
    ndim = max(a.ndim for a in arguments)
    lines = []
    for axis in range(ndim):
        found = ""
        for a in arguments:
            own = axis - ndim + a.ndim
            if own >= 0:
                found = f"_common({found}, {a.name}.shape[{own}])" if found else f"{a.name}.shape[{own}]"
        lines.append(f"_n{axis} = {found}")
    return ndim, lines


def loops(arguments: Sequence[Argument], ndim: int, call: str, dtype: str, element: str = "") -> list[str]:
    """Return the lines that fill ``_out``, of sizes ``_n0, _n1, …``, with ``call`` of the elements.

    `element` are the sizes, each followed by a comma, of an element that is no number.
    """
    lines, elements = [], []
    for a in arguments:
        first = ndim - a.ndim
        lines += [f"_{a.name}_step{k} = _fits({a.name}.shape[{k}], _n{first + k})" for k in range(a.ndim)]
        index = ", ".join(f"_i{first + k} * _{a.name}_step{k}" for k in range(a.ndim))
        elements.append(a.element(f"{a.name}[{index}]") if a.ndim else a.whole)
    axes = range(ndim)
    lines.append(f"_out = np.empty(({''.join(f'_n{k}, ' for k in axes)}{element}), np.{dtype})")
    lines += [f"{'    ' * k}for _i{k} in range(_n{k}):" for k in axes]
    place = ", ".join([*(f"_i{k}" for k in axes), *(["..."] if element else [])]) or "()"
    lines.append(f"{'    ' * ndim}_out[{place}] = {call}({', '.join(elements)})")
    return [*lines, "return _out"]


def loop(arguments: Sequence[Argument], call: str, dtype: str) -> list[str]:
    """Return the lines that call element by element over the only array among the arguments, which has no core."""
    name = next(a.name for a in arguments if a.ndim)
    elements = [a.element("_from[_i]") if a.ndim else a.whole for a in arguments]
    return [
        f"_out = np.empty({name}.shape, np.{dtype})",
        f"_from, _to = {name}.ravel(), _out.ravel()",  # contiguous, or a copy that is
        "for _i in range(_to.size):",
        f"    _to[_i] = {call}({', '.join(elements)})",
        "return _out",
    ]


def compose(head: str, lines: Sequence[str], names: Mapping[str, Any]) -> Callable[..., Any]:
    """Make a function of a head such as ``f(x, y=None)`` and the lines of its body."""
    text = f"def {head}:\n" + "\n".join("    " + line for line in lines)
    space = {"np": np, "_common": _common, "_fits": _fits, **names}
    exec(compile(text, f"<{head}>", "exec"), space)
    made: Callable[..., Any] = space[head.partition("(")[0]]
    return made


def typed(head: str, implement: Callable[..., Any], **options: Any) -> Any:
    """Return a Numba type for calls with this head; `implement` takes the types of the arguments."""
    names = [part.partition("=")[0] for part in head.split(", ")]
    stub = compose(f"stub({head})", ["raise NotImplementedError"], {})
    by_types = compose(f"by_types({head})", [f"return implement({', '.join(names)})"], {"implement": implement})
    jit_options: Any = OPTIONS | options
    overload(stub, jit_options=jit_options, inline="never")(by_types)
    # Numba registers a stub's type under the stub; what has a `_numba_type_` leads there.
    return type_of(stub)

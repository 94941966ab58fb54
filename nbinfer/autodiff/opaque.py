"""Calls of compiled functions whose arguments do not depend on parameters: they are left as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbinfer.autodiff.ir import Value, View
from nbinfer.autodiff.lazy import Lazy, is_live, varies

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend


def call_compiled(b: Frontend, function: Any, args: list[Any]) -> Any:
    """Call a dispatcher; Numba tells the types of its results."""
    from numba import types

    from nbinfer.compile.numba_internals import NumbaError

    operands = [b.stored(x) if isinstance(x, Lazy) else x for x in args]
    if not all(isinstance(x, Value) for x in operands):
        return b.inline(function, args, {})
    if any(is_live(x) for x in operands if x.ndim) and _touches(function, operands):
        return b.inline(function, args, {})  # what happens to the memory of the program must be known
    try:
        result: Any = _result(function, _signature(operands, False))
    except NumbaError:
        return b.inline(function, args, {})  # what Numba refuses may be read
    is_tuple = isinstance(result, types.BaseTuple)
    items = list(result) if is_tuple else [result]
    kinds = []
    for item in items:
        dtype = item.dtype if isinstance(item, types.Array) else item
        kind = "b" if dtype == types.boolean else "i" if isinstance(dtype, types.Integer) else "f"
        if not isinstance(dtype, (types.Integer, types.Float, types.Boolean)):
            raise b.error(f"{function.__name__}() returns {item}; it must return numbers or arrays")
        kinds.append((kind, item.ndim if isinstance(item, types.Array) else 0))
    name = next((n for n, known in b.names.items() if known is function), None)
    if name is None:
        name = b.global_name(function.__name__)
        b.names[name] = function
    # What gets data alone, at every point, plain Python has run with these data.
    steady = not (b.conditional or any(map(varies, operands)))
    b.steady[name] = range(len(operands)) if steady and b.steady.get(name, True) else range(0)
    outs = b.call(name, kinds, operands, is_tuple)
    return tuple(outs) if is_tuple else outs[0]


def _signature(operands: list[Any], readonly: bool) -> tuple[Any, ...]:
    from numba import types

    names = {"f": types.float64, "i": types.int64, "b": types.boolean}
    return tuple(
        types.Array(names[x.kind], x.ndim, "A" if isinstance(x.op, View) else "C", readonly=readonly)
        if x.ndim
        else names[x.kind]
        for x in operands
    )


def _touches(function: Any, operands: list[Any]) -> bool:
    """Tell whether a function writes to its arguments or hands one back: Numba tells where they are read-only."""
    from numba import types

    from nbinfer.compile.numba_internals import TypingError

    try:
        result: Any = _result(function, _signature(operands, True))
    except TypingError as reason:
        return "readonly" in str(reason)
    is_tuple = isinstance(result, types.BaseTuple)
    items = list(result) if is_tuple else [result]
    return any(isinstance(item, types.Array) and not item.mutable for item in items)


def _result(function: Any, signature: tuple[Any, ...]) -> Any:
    function.compile(signature)
    return function.overloads[signature].signature.return_type

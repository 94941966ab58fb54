"""Arrays that are made in the function: copies, numbers at equal distances, zeros and ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.autodiff.indexing import element
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.joining import array_of
from nbinfer.autodiff.lazy import Lazy, is_number
from nbinfer.autodiff.registry import HANDLERS, Handler, handles
from nbinfer.autodiff.shapes import flat, kind_of, rearranged, size_of, sizes_of

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend

# Copies ---------------------------------------------------------------------------------------------------------------


@handles(np.asarray, np.ascontiguousarray, np.asanyarray)
def _asarray(b: Frontend, x: Any, dtype: Any = None) -> Any:
    x = array_of(b, x)
    return x if dtype is None or kind_of(b, dtype) == x.kind else copied(b, x, dtype)


@handles("flatten")
def _flatten(b: Frontend, x: Any) -> Any:
    return copied(b, flat(b, x))


@handles(np.copy, np.array)
def copied(b: Frontend, x: Any, dtype: Any = None) -> Any:
    """Copy an array, or make one."""
    if isinstance(x, tuple):
        return array_of(b, x, dtype)
    x = b.operand(x)
    if is_number(x):
        return x
    copy = b.alloc(b.dims_of(x), x.kind if dtype is None else kind_of(b, dtype), "empty", x.hint or "copy")
    b.assign(copy, x)
    return copy


@handles("astype")
def _astype(b: Frontend, x: Any, dtype: Any) -> Any:
    return b.apply({"f": "float", "i": "int", "b": "bool"}[kind_of(b, dtype)], x)


@handles("item")
def _item(b: Frontend, x: Any) -> Any:
    return x if is_number(x) else element(b, x, [b.constant(0)] * x.ndim)


# Arrays made in the function ------------------------------------------------------------------------------------------


@handles(np.empty, np.zeros, np.ones)
def _make(b: Frontend, shape: Any, dtype: Any = float, how: str = "empty") -> Value:
    sizes, kind = sizes_of(b, shape), kind_of(b, dtype)
    if sizes:
        return b.alloc(sizes, kind, how)
    if how == "empty":
        raise b.error("np.empty without axes is a number that nobody has written; begin with np.zeros, or a number")
    return _without_axes(b, b.constant(float(how == "ones")), kind)


def _without_axes(b: Frontend, number: Value, kind: str) -> Value:
    """Make what NumPy has an array without axes for."""
    return b.apply({"f": "float", "i": "int", "b": "bool"}[kind], number)  # type: ignore[no-any-return]


HANDLERS[np.zeros] = lambda b, shape, dtype=float: _make(b, shape, dtype, "zeros")
HANDLERS[np.ones] = lambda b, shape, dtype=float: _make(b, shape, dtype, "ones")


def _like(how: str) -> Handler:
    def make(b: Frontend, x: Any, dtype: Any = None) -> Value:
        x = b.lazy(b.operand(x))
        return b.alloc(b.dims_of(x), x.kind if dtype is None else kind_of(b, dtype), how)

    return make


for _how in ("empty", "zeros", "ones"):
    HANDLERS[getattr(np, _how + "_like")] = _like(_how)


@handles(np.full)
def _full(b: Frontend, shape: Any, fill_value: Any, dtype: Any = None) -> Value:
    fill = b.operand(fill_value)
    sizes, kind = sizes_of(b, shape), fill.kind if dtype is None else kind_of(b, dtype)
    if not sizes:
        return _without_axes(b, b.number(fill, "the fill value"), kind)
    array = b.alloc(sizes, kind, "empty")
    b.assign(array, fill)
    return array


@handles(np.full_like)
def _full_like(b: Frontend, x: Any, fill_value: Any, dtype: Any = None) -> Value:
    x = b.lazy(b.operand(x))
    array = b.alloc(b.dims_of(x), x.kind if dtype is None else kind_of(b, dtype), "empty")
    b.assign(array, b.number(fill_value, "the fill value"))
    return array


@handles(np.eye, np.identity)
def eye(b: Frontend, N: Any, M: Any = None, k: Any = 0, dtype: Any = float) -> Any:
    """Make an identity matrix, or one with its ones on another diagonal."""
    rows = size_of(b, N)
    columns = rows if M is None else size_of(b, M)
    shift = b.constant(k) if isinstance(k, int) else b.number(k, "k")
    kind = kind_of(b, dtype)

    def at(index: list[Value]) -> Value:
        row = index[0] if shift.constant == 0 else b.scalar("add", index[0], shift)
        one = b.scalar("eq", row, index[1])
        return b.scalar("bool_to_float", one) if kind == "f" else one

    matrix = Lazy(b, [rows, columns], at, "f" if kind == "f" else "b", cost=1, positional=True)
    return b.apply("int", matrix) if kind == "i" else matrix


@handles(np.arange)
def _arange(b: Frontend, *bounds: Any, dtype: Any = None) -> Any:
    numbers = [b.number(x, "a bound of arange") for x in bounds]
    if not 1 <= len(numbers) <= 3:
        raise b.error("arange takes one to three numbers")
    start = numbers[0] if len(numbers) > 1 else b.constant(0)
    stop = numbers[min(1, len(numbers) - 1)]
    step = numbers[2] if len(numbers) == 3 else b.constant(1)
    known = [x.constant for x in (start, stop, step)]
    if "f" in (start.kind, stop.kind, step.kind) or dtype is not None:
        if None in known:
            raise b.error("arange of floats takes numbers known in advance; write start + step * np.arange(n)")
        return b.fresh(b.fixed(np.arange(*known, dtype=dtype)))
    size = stop if start.constant == 0 else b.scalar("sub", stop, start)
    if step.constant == 0:
        raise b.error("the step of arange must not be 0")
    if step.constant != 1:  # rounded up: so many steps begin before the end
        size = b.scalar("neg", b.scalar("floordiv", b.scalar("neg", size), step))
    size = size if len(numbers) == 1 else b.scalar("max", size, b.constant(0))
    return Lazy(
        b,
        [size],
        lambda index: b.scalar("add", start, b.scalar("mul", index[0], step)),
        "i",
        varies=start.varies or size.varies,
        cost=1,
        positional=True,
    )


@handles(np.linspace)
def _linspace(b: Frontend, start: Any, stop: Any, num: Any = 50, endpoint: Any = True) -> Any:
    first, last = b.number(start, "start"), b.number(stop, "stop")
    count = b.constant(num) if isinstance(num, int) else size_of(b, num)
    closed = endpoint if isinstance(endpoint, bool) else endpoint.constant
    if closed is None:
        raise b.error("endpoint must be True or False")
    if None not in [x.constant for x in (first, last, count)]:
        known = np.linspace(first.constant, last.constant, count.constant, endpoint=bool(closed))
        return b.fresh(b.fixed(known))
    steps = b.scalar("max", b.scalar("sub", count, b.constant(1)), b.constant(1)) if closed else count
    first, last = b.to_float(first), b.to_float(last)
    step = b.scalar("div", b.scalar("sub", last, first), b.scalar("float", steps))

    def at(index: list[Value]) -> Value:
        value = b.scalar("add", first, b.scalar("mul", b.scalar("float", index[0]), step))
        is_end = b.scalar("and", b.scalar("eq", index[0], steps), b.scalar("gt", count, b.constant(1)))
        return b.scalar("select", is_end, last, value) if closed else value

    active = first.active or last.active
    varying = first.varies or last.varies or count.varies
    return Lazy(b, [count], at, "f", active=active, varies=varying, cost=4, positional=True)


@handles(np.meshgrid)
def _meshgrid(b: Frontend, *xi: Any, indexing: Any = "xy") -> Any:
    """Repeat each array along the axes of the others."""
    arrays = [b.lazy(flat(b, array_of(b, x))) for x in xi]
    order = list(range(len(arrays)))
    if indexing == "xy" and len(arrays) > 1:
        order[:2] = [1, 0]
    dims = [arrays[k].dims[0] for k in order]

    def grid(k: int) -> Any:
        axis = order.index(k)
        return rearranged(b, arrays[k], dims, lambda index: [index[axis]], is_view=False, positional=False)

    return tuple(grid(k) for k in range(len(arrays)))

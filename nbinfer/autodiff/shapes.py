"""Shapes of arrays: axes in another order, added, taken away, joined to one or split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.autodiff.indexing import element, subscript
from nbinfer.autodiff.ir import Value, View
from nbinfer.autodiff.lazy import Index, Lazy, is_array, is_live, is_number
from nbinfer.autodiff.registry import HANDLERS, handles

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend

_FULL = slice(None, None, None)


def rearranged(
    b: Frontend, x: Lazy, dims: Sequence[Value], own: Callable[[Index], Index], *, is_view: bool, positional: bool
) -> Lazy:
    """Read an array at other indices: `own` turns an index into the result into one into the array."""
    result = Lazy(
        b,
        dims,
        lambda index: x.at(own(index)),
        x.kind,
        active=x.active,
        varies=x.varies or any(size.varies for size in dims),
        cost=x.cost,
        reads=x.reads,
        positional=positional or x.positional,
        base=x if is_view else None,
    )
    result.hint, result.decided_by_active = x.hint, x.decided_by_active
    return result


def kind_of(b: Frontend, dtype: Any) -> str:
    """Return the kind that a ``dtype=`` argument means."""
    try:
        kind = np.dtype(dtype).kind
    except TypeError:
        kind = ""
    if kind not in ("f", "i", "u", "b"):
        raise b.error("dtype must be float, int or bool")
    return "i" if kind == "u" else kind


def axis_of(b: Frontend, axis: Any, ndim: int) -> int:
    """Return the axis that an argument means."""
    number = axis.constant if is_number(axis) else axis
    if not isinstance(number, int) or not -ndim <= number < ndim:
        raise b.error("axis must be a number known in advance, less than the number of axes")
    return number % ndim


def size_of(b: Frontend, x: Any) -> Value:
    """Require a size."""
    size = b.number(x, "a size")
    if size.kind == "f":
        raise b.error("a size must be an integer, not a float")
    return size


def sizes_of(b: Frontend, shape: Any) -> list[Value]:
    """Require a shape."""
    return [size_of(b, s) for s in (shape if isinstance(shape, tuple) else (shape,))]


# Axes -----------------------------------------------------------------------------------------------------------------


def expanded(b: Frontend, x: Any, axis: int) -> Lazy:
    """Add an axis of one element."""
    if is_number(x):
        return Lazy(b, [b.constant(1)], lambda index: x, x.kind, active=x.active, varies=x.varies)
    source = b.lazy(x)
    dims = [*source.dims[:axis], b.constant(1), *source.dims[axis:]]

    def own(index: Index) -> Index:
        return [*index[:axis], *index[axis + 1 :]]

    return rearranged(b, source, dims, own, is_view=True, positional=False)


@handles(np.expand_dims)
def _expand_dims(b: Frontend, a: Any, axis: Any) -> Lazy:
    x = b.operand(a)
    return expanded(b, x, axis_of(b, axis, x.ndim + 1))


@handles(np.squeeze)
def _squeeze(b: Frontend, a: Any, axis: Any = None) -> Any:
    x = b.operand(a)
    if is_number(x):
        return x
    source = b.lazy(x)
    if axis is None:
        gone = [k for k, size in enumerate(source.dims) if size.constant == 1]
    else:
        gone = [axis_of(b, k, source.ndim) for k in (axis if isinstance(axis, tuple) else (axis,))]
    for k in gone:
        b.check_equal(source.dims[k], b.constant(1))
    kept = [k for k in range(source.ndim) if k not in gone]
    if not kept:
        return element(b, x, [b.constant(0)] * source.ndim)

    def own(index: Index) -> Index:
        left = iter(index)
        return [next(left) if k in kept else b.constant(0) for k in range(source.ndim)]

    return rearranged(b, source, [source.dims[k] for k in kept], own, is_view=True, positional=False)


@handles(np.transpose)
def _transpose(b: Frontend, x: Any, axes: Any = None, *more: Any) -> Any:
    x = b.operand(x)
    if axes is None:
        return b.transpose(x)
    order = [axis_of(b, axis, x.ndim) for axis in (axes if isinstance(axes, tuple) else (axes, *more))]
    if sorted(order) != list(range(x.ndim)):
        raise b.error(f"the axes of transpose must be those of the array, each once: {x.ndim} of them")
    return permuted(b, x, order)


def permuted(b: Frontend, x: Any, order: Sequence[int]) -> Any:
    """Put axes in another order."""
    if list(order) == list(range(x.ndim)):
        return x
    if list(order) == list(range(x.ndim))[::-1]:
        return b.transpose(x)
    source = b.lazy(x)
    places = [order.index(k) for k in range(x.ndim)]
    dims = [source.dims[k] for k in order]
    return rearranged(b, source, dims, lambda index: [index[p] for p in places], is_view=True, positional=False)


@handles(np.swapaxes)
def _swapaxes(b: Frontend, a: Any, axis1: Any, axis2: Any) -> Any:
    x = b.operand(a)
    order = list(range(x.ndim))
    first, second = (axis_of(b, axis, x.ndim) for axis in (axis1, axis2))
    order[first], order[second] = second, first
    return permuted(b, x, order)


@handles(np.moveaxis)
def _moveaxis(b: Frontend, a: Any, source: Any, destination: Any) -> Any:
    x = b.operand(a)
    first = axis_of(b, source, x.ndim)
    order = [k for k in range(x.ndim) if k != first]
    order.insert(axis_of(b, destination, x.ndim), first)
    return permuted(b, x, order)


@handles(np.flip)
def _flip(b: Frontend, m: Any, axis: Any = None) -> Any:
    x = b.operand(m)
    if is_number(x):
        return x
    turned = b.axes(x, axis)
    backward = slice(None, None, b.constant(-1))
    return subscript(b, x, [backward if k in turned else _FULL for k in range(x.ndim)])


HANDLERS[np.flipud] = lambda b, m: _flip(b, m, b.constant(0))
HANDLERS[np.fliplr] = lambda b, m: _flip(b, m, b.constant(1))


@handles(np.broadcast_to)
def _broadcast_to(b: Frontend, array: Any, shape: Any) -> Lazy:
    x = b.operand(array)
    return spread_to(b, expanded(b, x, 0) if is_number(x) else b.lazy(x), sizes_of(b, shape))


def spread_to(b: Frontend, x: Lazy, dims: Sequence[Value]) -> Lazy:
    """Repeat an array along axes of one element, and along new axes before it."""
    if x.ndim > len(dims):
        raise b.error(f"an array of {x.ndim} axes cannot be broadcast to {len(dims)}")
    for size, own in zip(dims[::-1], x.dims[::-1], strict=False):
        b.fit(size, own)
    return rearranged(b, x, dims, lambda index: b.spread(x, index, dims), is_view=True, positional=False)


# Shapes ---------------------------------------------------------------------------------------------------------------


@handles(np.reshape)
def _reshape(b: Frontend, a: Any, shape: Any, *more: Any) -> Any:
    x = b.operand(a)
    return reshaped(b, x, [size_of(b, s) for s in (shape if isinstance(shape, tuple) else (shape, *more))])


@handles(np.ravel)
def _ravel(b: Frontend, x: Any) -> Any:
    return flat(b, b.operand(x))


def flat(b: Frontend, x: Any) -> Any:
    """Make one axis of all."""
    if is_array(x) and x.ndim == 1:
        return x
    if is_number(x):
        return expanded(b, x, 0)
    source = b.lazy(x)
    return reshaped(b, x, [b.constant(-1)]) if is_live(x) else merged(b, source, [list(range(source.ndim))])


def merged(b: Frontend, x: Lazy, groups: Sequence[Sequence[int]]) -> Lazy:
    """Make one axis of each group of neighbouring axes."""
    dims = []
    for group in groups:
        sizes = [x.dims[k] for k in group]
        total = _product(b, sizes)
        if len([size for size in sizes if size.constant != 1]) > 1:
            total = total if total.constant is None else b.value("n", "i", b.top, constant=total.constant)
            b.factors[total.number] = tuple(sizes)
        dims.append(total)

    def own(index: Index) -> Index:
        found: list[Value] = []
        for place, group in zip(index, groups, strict=True):
            found += _apart(b, place, [x.dims[k] for k in group])
        return found

    result = rearranged(b, x, dims, own, is_view=False, positional=True)
    result.cost += 2
    return result


def _apart(b: Frontend, place: Value, sizes: Sequence[Value]) -> Index:
    """Return the index along each of the axes that one was made of."""
    known: Index | None = b.place_in("nested", sizes, place)
    if known is not None:
        return known
    long = [k for k, size in enumerate(sizes) if size.constant != 1]
    found = [b.constant(0)] * len(sizes)
    for k in long[:0:-1]:
        found[k] = b.scalar("mod", place, sizes[k])
        place = b.scalar("floordiv", place, sizes[k])
    if long:
        found[long[0]] = place
    return found


def reshaped(b: Frontend, x: Any, dims: Sequence[Value]) -> Any:
    """Give an array another shape; one size may be -1."""
    source = b.lazy(expanded(b, x, 0) if is_number(x) else x)
    dims = _known(b, source.dims, dims)
    if list(map(b.ident, dims)) == list(map(b.ident, source.dims)):
        return x
    long = [k for k, size in enumerate(source.dims) if size.constant != 1]
    live = is_live(source)
    if len(long) > 1 and not (live and _is_contiguous(x)):
        source, long, live = b.lazy(_in_a_row(b, source)), [0], False

    def own(index: Index) -> Index:
        return _apart(b, b.position(index, dims), source.dims)

    return rearranged(b, source, dims, own, is_view=True, positional=len(long) > 1 or len(dims) > 1)


def _known(b: Frontend, old: Sequence[Value], new: Sequence[Value]) -> list[Value]:
    """Return a new shape without a -1, checked against the old one."""
    unknown = [k for k, size in enumerate(new) if size.constant == -1]
    if len(unknown) > 1:
        raise b.error("only one size of a shape can be -1")
    given = [size for k, size in enumerate(new) if k not in unknown]
    left, right = Counter(map(b.ident, old)), Counter(map(b.ident, given))
    total = _product(b, _beyond(b, old, right))  # what both shapes have cancels
    rest = _product(b, _beyond(b, given, left))
    if not unknown:
        b.check_equal(total, rest)
        return list(new)
    if rest.constant != 1:
        quotient = b.scalar("floordiv", total, rest)
        b.check_equal(total, b.scalar("mul", quotient, rest))
        total = quotient
    return [total if k in unknown else size for k, size in enumerate(new)]


def _beyond(b: Frontend, sizes: Sequence[Value], others: Counter[Any]) -> list[Value]:
    others, found = others.copy(), []
    for size in sizes:
        if others[b.ident(size)] > 0:
            others[b.ident(size)] -= 1
        else:
            found.append(size)
    return found


def _product(b: Frontend, sizes: Sequence[Value]) -> Value:
    total = b.constant(1)
    for size in sizes:
        total = b.scalar("mul", total, size)
    return total


def _is_contiguous(x: Any) -> bool:
    """Tell whether memory that may be written to lies in a row, so that NumPy gives it another shape in place."""
    if not isinstance(x, Value):
        return False
    if not isinstance(x.op, View):
        return True
    first, *rest = x.op.pattern[1:-1].split(", ")
    return x.op.pattern != ".T" and all(part == ":" for part in rest) and first.count(":") == 1


def _in_a_row(b: Frontend, source: Lazy) -> Value:
    """Store an array as one of one axis."""
    row = b.alloc([_product(b, source.dims)], source.kind, "empty", source.hint or "row", mutable=False)

    def body(index: Index, carried: Index) -> Index:
        b.store(row, [b.position(index, source.dims)], source.at(index), first=True)
        return []

    b.nest(source.dims, [], body)
    return row

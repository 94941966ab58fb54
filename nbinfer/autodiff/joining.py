"""Arrays made of arrays: joined along an axis, stacked along a new one, written out number by number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.autodiff.indexing import subscript
from nbinfer.autodiff.ir import Value, promote
from nbinfer.autodiff.lazy import Index, Lazy, is_array, is_number, varies
from nbinfer.autodiff.registry import HANDLERS, handles
from nbinfer.autodiff.sequences import constants
from nbinfer.autodiff.shapes import axis_of, expanded, flat, kind_of

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend

#: Joins of more pieces are stored: code is written for each piece.
_MOST_PIECES = 5


def array_of(b: Frontend, x: Any, dtype: Any = None) -> Any:
    """Make an array of nested tuples of numbers and arrays, as ``np.array`` does."""
    kind = None if dtype is None else kind_of(b, dtype)
    if not isinstance(x, tuple):
        x = b.operand(x)
        return x if kind in (None, x.kind) else b.apply(_CONVERSIONS[kind], x)
    known = constants(x)
    if known is not None:
        try:
            fixed = np.array(known, None if kind is None else {"f": float, "i": np.int64, "b": bool}[kind])
        except ValueError:
            raise b.error("the rows of an array must have the same length") from None
        return b.fresh(b.fixed(fixed))
    if all(is_number(item) for item in x):
        array = b.pack(x)
    else:
        array = join(b, [expanded(b, array_of(b, item), 0) for item in x], 0)
    return array if kind in (None, array.kind) else b.apply(_CONVERSIONS[kind], array)


_CONVERSIONS = {"f": "float", "i": "int", "b": "bool"}


def join(b: Frontend, parts: Sequence[Lazy], axis: int) -> Any:
    """Join arrays of as many axes along one of them; many are stored, few are computed where they are used."""
    first = parts[0]
    for part in parts[1:]:
        if part.ndim != first.ndim:
            raise b.error(f"arrays of {first.ndim} and of {part.ndim} axes cannot be joined; give them as many axes")
        for k, (size, other) in enumerate(zip(first.dims, part.dims, strict=True)):
            if k != axis:
                b.check_equal(size, other)
    kind = promote(*(part.kind for part in parts))
    if len(parts) > _MOST_PIECES:
        return _filled(b, parts, axis, kind)
    sizes = tuple(part.dims[axis] for part in parts)
    dims = [*first.dims[:axis], _whole(b, sizes), *first.dims[axis + 1 :]]

    def at(index: Index) -> Value:
        return _piece(b, sizes, index[axis], lambda k, i: _as_kind(b, kind, parts[k].at(_with(index, axis, i))))

    joined = Lazy(
        b,
        dims,
        at,
        kind,
        active=kind == "f" and any(part.active for part in parts),
        varies=any(map(varies, parts)) or any(size.varies for size in sizes),
        cost=max(part.cost for part in parts) + 1,
        reads=frozenset().union(*(part.reads for part in parts)),
        positional=True,
    )
    joined.decided_by_active = any(part.decided_by_active for part in parts)
    return joined


def _with(index: Index, axis: int, i: Value) -> Index:
    return [*index[:axis], i, *index[axis + 1 :]]


def _as_kind(b: Frontend, kind: str, value: Value) -> Value:
    if value.kind == kind:
        return value
    return b.to_float(value) if kind == "f" else b.scalar(_CONVERSIONS[kind], value)


def _whole(b: Frontend, sizes: Sequence[Value]) -> Value:
    """Return the size of an axis that is joined of pieces."""
    total = b.constant(0)
    for size in sizes:
        total = b.scalar("add", total, size)
    if total.constant is not None:
        total = b.value("n", "i", b.top, constant=total.constant)
    if len(sizes) > 1:
        b.pieces[total.number] = tuple(sizes)
    return total


def _piece(b: Frontend, sizes: Sequence[Value], index: Value, at: Callable[[int, Value], Value]) -> Value:
    """Compute an element of the piece that an index into the whole belongs to."""
    found = b.place_in("joined", sizes, index)
    if found is not None:
        return at(*found)

    def search(k: int, offset: Value) -> Value:
        if k + 1 == len(sizes):
            return at(k, b.scalar("sub", index, offset))
        end = b.scalar("add", offset, sizes[k])
        here = b.scalar("lt", index, end)
        return b.select(here, lambda: at(k, b.scalar("sub", index, offset)), lambda: search(k + 1, end))

    return search(0, b.constant(0))


def _filled(b: Frontend, parts: Sequence[Lazy], axis: int, kind: str) -> Value:
    """Join arrays in memory."""
    total = b.constant(0)
    for part in parts:
        total = b.scalar("add", total, part.dims[axis])
    whole = b.alloc(_with(parts[0].dims, axis, total), kind, "empty", "joined", mutable=False)
    offset = b.constant(0)
    for part in parts:

        def body(index: Index, carried: Index, part: Lazy = part, offset: Value = offset) -> Index:
            place = _with(index, axis, b.scalar("add", index[axis], offset))
            b.store(whole, place, part.at(index), first=True)
            return []

        b.nest(part.dims, [], body)
        offset = b.scalar("add", offset, part.dims[axis])
    return whole


# NumPy's functions ----------------------------------------------------------------------------------------------------


def _parts(b: Frontend, parts: Any, name: str) -> list[Lazy]:
    """Return arrays that are given as a tuple or as the rows of an array; numbers are arrays of one element."""
    if is_array(parts):
        size = b.dims_of(parts)[0].constant
        if size is None:
            raise b.error(f"{name} takes a tuple of arrays, or an array whose length is known; write np.reshape")
        parts = tuple(subscript(b, parts, [b.constant(k)]) for k in range(size))
    if not isinstance(parts, tuple) or not parts:
        raise b.error(f"{name} takes a tuple of arrays")
    return [array_of(b, part) for part in parts]


@handles(np.concatenate)
def _concatenate(b: Frontend, arrays: Any, axis: Any = 0) -> Any:
    parts = _parts(b, arrays, "np.concatenate")
    if axis is None:
        return join(b, [b.lazy(flat(b, part)) for part in parts], 0)
    if any(map(is_number, parts)):
        raise b.error("np.concatenate takes arrays of one axis or more; write (x, [y]), or np.append")
    return join(b, [b.lazy(part) for part in parts], axis_of(b, axis, parts[0].ndim))


@handles(np.stack)
def _stack(b: Frontend, arrays: Any, axis: Any = 0) -> Any:
    parts = _parts(b, arrays, "np.stack")
    place = axis_of(b, axis, parts[0].ndim + 1)
    return join(b, [expanded(b, part, place) for part in parts], place)


@handles(np.hstack)
def _hstack(b: Frontend, tup: Any) -> Any:
    parts = [_at_least(b, part, 1) for part in _parts(b, tup, "np.hstack")]
    return join(b, parts, 0 if parts[0].ndim == 1 else 1)


@handles(np.vstack)
def _vstack(b: Frontend, tup: Any) -> Any:
    return join(b, [_at_least(b, part, 2) for part in _parts(b, tup, "np.vstack")], 0)


HANDLERS[getattr(np, "row_stack", np.vstack)] = _vstack


@handles(np.column_stack)
def _column_stack(b: Frontend, tup: Any) -> Any:
    parts = [_at_least(b, part, 1) for part in _parts(b, tup, "np.column_stack")]
    return join(b, [expanded(b, part, 1) if part.ndim == 1 else part for part in parts], 1)


@handles(np.append)
def _append(b: Frontend, arr: Any, values: Any, axis: Any = None) -> Any:
    parts = [array_of(b, arr), array_of(b, values)]
    if axis is None:
        return join(b, [b.lazy(flat(b, part)) for part in parts], 0)
    return join(b, [b.lazy(part) for part in parts], axis_of(b, axis, parts[0].ndim))


def _at_least(b: Frontend, x: Any, axes: int) -> Lazy:
    """Put axes of one element before those of an array."""
    if is_number(x):
        x = expanded(b, x, 0)
    result = b.lazy(x)
    while result.ndim < axes:
        result = expanded(b, result, 0)
    return result


@handles(np.atleast_1d)
def _atleast_1d(b: Frontend, x: Any) -> Any:
    x = array_of(b, x)
    return expanded(b, x, 0) if is_number(x) else x


@handles(np.atleast_2d)
def _atleast_2d(b: Frontend, x: Any) -> Any:
    x = array_of(b, x)
    return x if x.ndim >= 2 else _at_least(b, x, 2)

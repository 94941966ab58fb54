"""Elements that come several times, or in another turn: repeated, tiled, rolled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.autodiff.indexing import subscript
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.joining import join
from nbinfer.autodiff.lazy import Index, Lazy, is_array, is_number
from nbinfer.autodiff.registry import handles
from nbinfer.autodiff.shapes import axis_of, expanded, flat, merged, reshaped, size_of, sizes_of, spread_to

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend

_FULL = slice(None, None, None)


@handles(np.repeat)
def _repeat(b: Frontend, a: Any, repeats: Any, axis: Any = None) -> Any:
    x = b.operand(a)
    x = flat(b, x) if axis is None else x
    place = 0 if axis is None else axis_of(b, axis, x.ndim)
    source, repeats = b.lazy(x), b.operand(repeats)
    if is_array(repeats):
        return subscript(b, source, [*[_FULL] * place, _counted_out(b, b.lazy(repeats), source.dims[place])])
    size = size_of(b, repeats)
    longer = [*source.dims[: place + 1], size, *source.dims[place + 1 :]]
    each = spread_to(b, expanded(b, source, place + 1), longer)
    axes = list(range(each.ndim))
    return merged(b, each, [*([k] for k in axes[:place]), [place, place + 1], *([k] for k in axes[place + 2 :])])


def _counted_out(b: Frontend, repeats: Lazy, size: Value) -> Value:
    """Return each position as often as told."""
    if repeats.ndim != 1 or repeats.kind == "f":
        raise b.error("repeats must be an integer, or an array of integers of one axis")
    b.check_equal(repeats.dims[0], size)
    out = b.alloc([b.sum(repeats)], "i", "empty", "positions", mutable=False)

    def each(index: Index, carried: Index) -> Index:
        def again(_: Value, inner: Index) -> Index:
            b.store(out, [inner[0]], index[0], first=True)
            return [b.scalar("add", inner[0], b.constant(1))]

        return b.loop(b.constant(0), repeats.at(index), b.constant(1), carried, again)

    b.nest([size], [b.constant(0)], each)
    return out


@handles(np.tile)
def _tile(b: Frontend, A: Any, reps: Any) -> Any:
    x = b.operand(A)
    source, times = b.lazy(expanded(b, x, 0) if is_number(x) else x), sizes_of(b, reps)
    times = [b.constant(1)] * (source.ndim - len(times)) + times
    while source.ndim < len(times):
        source = expanded(b, source, 0)
    blocks: Any = source
    for k in range(source.ndim):
        blocks = expanded(b, blocks, 2 * k)
    both = [size for pair in zip(times, source.dims, strict=True) for size in pair]
    return merged(b, spread_to(b, blocks, both), [[k, k + 1] for k in range(0, len(both), 2)])


@handles(np.roll)
def _roll(b: Frontend, a: Any, shift: Any, axis: Any = None) -> Any:
    x = b.operand(a)
    if is_number(x) or b.number(shift, "shift").kind != "i":
        raise b.error("np.roll takes an array, and an integer by which it is shifted")
    if axis is None and x.ndim > 1:
        return reshaped(b, _roll(b, flat(b, x), shift), b.dims_of(x))
    place = 0 if axis is None else axis_of(b, axis, x.ndim)
    size = b.dims_of(x)[place]
    cut = b.scalar("sub", size, b.scalar("mod", shift, b.scalar("max", size, b.constant(1))))
    parts = [subscript(b, x, [*[_FULL] * place, part]) for part in (slice(cut, None, None), slice(None, cut, None))]
    return join(b, [b.lazy(part) for part in parts], place)

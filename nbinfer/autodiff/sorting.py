"""Order: sorted arrays, ranks, places among sorted numbers, counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.autodiff.choosing import rows_refused
from nbinfer.autodiff.indexing import subscript
from nbinfer.autodiff.ir import Call, Value
from nbinfer.autodiff.joining import array_of
from nbinfer.autodiff.lazy import Index, Lazy, is_number
from nbinfer.autodiff.registry import handles
from nbinfer.autodiff.shapes import axis_of
from nbinfer.compile import empty, kernel, read_at

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend

#: Elements that are sorted by insertion.
_RUN = 8


@kernel
def _comes_before(a: float, b: float) -> bool:
    """Tell whether a number stands before another in order; NaN comes last."""
    return a < b or (b != b and a == a)


@kernel
def _merge(merged: np.ndarray, x: np.ndarray, order: np.ndarray, first: int, middle: int, stop: int) -> None:
    """Merge two runs that follow each other."""
    i, j = first, middle
    for k in range(first, stop):
        if i < middle and (j >= stop or not _comes_before(x[read_at(order, j)], x[read_at(order, i)])):
            merged[k] = read_at(order, i)
            i += 1
        else:
            merged[k] = read_at(order, j)
            j += 1


@kernel
def ranked(arena: int, x: np.ndarray) -> np.ndarray:
    """Return the positions of the elements in their order; of equal ones, the first comes first.

    Runs are sorted by insertion, and then merged, two at a time.
    """
    n = x.shape[0]
    order, merged = empty(arena, n, np.int64), empty(arena, n, np.int64)
    for i in range(n):
        k = i
        while k % _RUN != 0 and _comes_before(x[i], x[order[k - 1]]):
            order[k] = order[k - 1]
            k -= 1
        order[k] = i
    size = _RUN
    while size < n:
        for first in range(0, n, 2 * size):
            middle, stop = min(first + size, n), min(first + 2 * size, n)
            _merge(merged, x, order, first, middle, stop)
        order, merged = merged, order
        size *= 2
    return order


@kernel
def place_among(edges: np.ndarray, x: float, after: bool) -> int:
    """Return how many sorted numbers lie below `x`, or below it or at it."""
    low, high = 0, edges.shape[0]
    while low < high:
        middle = (low + high) // 2
        if edges[middle] < x or (after and edges[middle] == x) or (x != x and edges[middle] == edges[middle]):
            low = middle + 1
        else:
            high = middle
    return low


def _called(b: Frontend, function: Any, kind: tuple[str, int], args: list[Value]) -> Value:
    name = next((n for n, known in b.names.items() if known is function), None)
    if name is None:
        name = b.global_name(function.__name__)
        b.names[name] = function
    return b.call(name, [kind], args, False)[0]


@handles(np.argsort)
def _argsort(b: Frontend, a: Any, axis: Any = -1, kind: Any = None) -> Any:
    source = array_of(b, a)
    if is_number(source) or source.ndim != 1:
        raise rows_refused(b, "np.argsort")
    axis_of(b, axis, 1)
    places = _called(b, ranked, ("i", 1), [b.stored(source)])
    assert isinstance(places.op, Call)
    places.op.takes_memory = True
    order = b.lazy(places)
    order.dims = b.dims_of(source)  # known wherever those are
    order.distinct = True
    return order


@handles(np.sort, sorted)
def _sort(b: Frontend, a: Any, axis: Any = -1, kind: Any = None) -> Any:
    x = array_of(b, a)
    x = b.stored(x) if isinstance(x, Lazy) else x
    return subscript(b, x, [_argsort(b, x, axis)])


@handles(np.searchsorted)
def _searchsorted(b: Frontend, a: Any, v: Any, side: Any = "left") -> Any:
    if side not in ("left", "right"):
        raise b.error("side of np.searchsorted must be 'left' or 'right'")
    edges = b.stored(b.apply("float", array_of(b, a)))
    if edges.ndim != 1:
        raise rows_refused(b, "np.searchsorted")
    after = b.constant(side == "right")

    def among(x: Any) -> Value:
        return _called(b, place_among, ("i", 0), [edges, b.to_float(x()), after])

    return b.elementwise(among, [array_of(b, v)], "i", False, 10)


@handles(np.digitize)
def _digitize(b: Frontend, x: Any, bins: Any, right: Any = False) -> Any:
    closed = right if isinstance(right, bool) else right.constant
    return _searchsorted(b, bins, x, "left" if closed else "right")


@handles(np.bincount)
def _bincount(b: Frontend, x: Any, weights: Any = None, minlength: Any = 0) -> Any:
    places = b.lazy(array_of(b, x))
    if places.ndim != 1 or places.kind != "i":
        raise b.error("np.bincount takes an array of integers of one axis")
    w = None if weights is None else b.lazy(b.apply("float", array_of(b, weights)))
    if w is not None:
        b.check_equal(places.dims[0], w.dims[0])
    least = b.constant(minlength) if isinstance(minlength, int) else b.number(minlength, "minlength")
    largest = b.extreme(places, "max")
    size = b.scalar("max", b.scalar("max", b.scalar("add", largest, b.constant(1)), least), b.constant(0))
    counts = b.alloc([size], "i" if w is None else "f", "zeros", "counts")
    assert counts.storage is not None

    def body(index: Index, carried: Index) -> Index:
        b.store(counts, [places.at(index)], b.constant(1) if w is None else w.at(index), 1)
        return []

    b.nest(places.dims, [], body)
    counts.storage.mutable = False
    return counts

"""Positions that arrays stand for between brackets: where a mask is true, and what is written there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nbinfer.autodiff.arrays import SIGNS, ArrayBuilder
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.lazy import EXPENSIVE, Index, Lazy, Operand, is_array, is_number, varies

_FULL = slice(None, None, None)


def unmasked(b: ArrayBuilder, array: Operand, parts: Sequence[Any]) -> list[Any]:
    """Put positions in the place of masks among indices."""
    if not any(isinstance(part, (Value, Lazy)) and part.kind == "b" for part in parts):
        return list(parts)
    found: list[Any] = []
    axis = 0
    behind = sum(_axes_of(part) for part in parts)
    for part in parts:
        if part is Ellipsis:
            axis = array.ndim - (behind - axis)
        if not (isinstance(part, (Value, Lazy)) and part.kind == "b"):
            found.append(part)
        elif is_number(part):
            raise b.error("a truth is no index; write an if, or np.where")
        else:
            for size, own in zip(b.dims_of(array)[axis:], b.dims_of(part), strict=False):
                b.check_equal(size, own)
            found += positions(b, part)
        axis += _axes_of(part)
    return found


def _axes_of(part: Any) -> int:
    """Return how many axes of an array an index takes."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if is_array(part) and part.kind == "b" else 1


def positions(b: ArrayBuilder, mask: Operand) -> list[Lazy]:
    """Return the positions along each axis at which a mask is true."""
    source = b.lazy(mask)
    if source.found is not None and not source.reads and b.block.inside(source.found[0]):
        return source.found[1]
    key = None
    if isinstance(mask, Value) and not source.reads:
        key = ("positions", mask.number)
        known: Any = b.lookup(key, b.block)
        if known is not None:
            return known  # type: ignore[no-any-return]
    elif source.cost >= EXPENSIVE:
        source = b.lazy(b.stored(source))
    one = b.constant(1)
    b.muted += 1  # that a parameter decides what is chosen is what a mask says
    count = b.sum(b.apply("int", source))
    places = [b.alloc([b.scalar("add", count, one)], "i", "empty", "where", mutable=False) for _ in source.dims]

    def body(index: Index, carried: Index) -> Index:
        for place, i in zip(places, index, strict=True):
            b.store(place, carried, i, first=True)
        return [b.scalar("add", carried[0], b.scalar("int", source.at(index)))]

    b.nest(source.dims, [b.constant(0)], body)
    b.muted -= 1
    result = [_first(b, place, count) for place in places]
    b.lazy(mask).found = source.found = b.block, result
    if key is not None:
        b.block.known[key] = result  # type: ignore[assignment]
    return result


def _first(b: ArrayBuilder, place: Value, count: Value) -> Lazy:
    """Return the first elements of an array of positions, of which no two are the same."""
    found = Lazy(b, [count], lambda index: b.load(place, index), "i", varies=varies(place) or count.varies, cost=1)
    found.distinct = True
    return found


class Chosen:
    """What arrays of integers choose of an array: the shape of that, and where its elements come from.

    Attributes
    ----------
    dims : list of Value
        Shape of what is chosen.
    arrays : list of Lazy
        The arrays of integers.
    distinct : bool
        Whether no element is chosen twice.
    """

    def __init__(self, b: ArrayBuilder, parts: Sequence[Any], sizes: Sequence[Value]) -> None:
        advanced = [axis for axis, part in enumerate(parts) if not isinstance(part, slice)]
        chosen = {axis: parts[axis] if is_number(parts[axis]) else b.lazy(parts[axis]) for axis in advanced}
        self.arrays = [part for part in chosen.values() if isinstance(part, Lazy)]
        picked = b.broadcast([part.dims for part in self.arrays])
        together = advanced == list(range(advanced[0], advanced[-1] + 1))
        first, width = advanced[0] if together else 0, len(picked)  # else NumPy puts what is picked first
        rest = [axis for axis in range(len(parts)) if axis not in chosen]
        left = [sizes[axis] for axis in rest]
        self.first, self.width = first, width
        self.dims = [*left[:first], *picked, *left[first:]]
        self.distinct = all(part.distinct for part in self.arrays)

        def own(index: Index) -> Index:
            middle, outer = index[first : first + width], iter([*index[:first], *index[first + width :]])
            found = []
            for axis in range(len(parts)):
                part = chosen.get(axis)
                if part is None:
                    found.append(next(outer))
                else:
                    found.append(part.at(b.spread(part, middle, picked)) if isinstance(part, Lazy) else part)
            return found

        self.own: Callable[[Index], Index] = own


def scatter(b: ArrayBuilder, array: Value, parts: Sequence[Any], value: Operand, rule: str = "") -> None:
    """Write to the places that arrays of integers choose, or combine with what is there: where one is chosen twice,
    the last write counts, and each sees what was there before all of them, as in NumPy.
    """
    chosen = Chosen(b, parts, b.dims_of(array))
    if rule and not (chosen.distinct and rule in SIGNS):
        before = Lazy(b, chosen.dims, lambda index: b.load(array, chosen.own(index)), array.kind, active=array.active)
        assert array.storage is not None
        before.reads = frozenset({array.storage})
        value, rule = b.stored(b.apply(rule, before, value)), ""
    write_all(b, array, chosen, value, SIGNS.get(rule, 0))


def write_where(b: ArrayBuilder, array: Value, mask: Operand, number: Value, rule: str = "") -> None:
    """Write a number where a mask of the same shape is true, or combine it with what is there."""
    source = b.lazy(mask)
    if array.storage in source.reads:
        source = b.lazy(b.stored(source))
    dims = b.dims_of(array)
    for size, own in zip(dims, source.dims, strict=True):
        b.check_equal(size, own)

    def body(index: Index, carried: Index) -> Index:
        def write() -> None:
            sign = SIGNS.get(rule, 0)
            value = b.scalar(rule, b.load(array, index), number) if rule and not sign else number
            b.store(array, index, value, sign)

        condition = source.at(index)
        then, _ = b.side(write)
        other, _ = b.side(lambda: None)
        b.join(condition, then, other, [])
        return []

    b.nest(dims, [], body)


def write_all(b: ArrayBuilder, array: Value, chosen: Chosen, value: Operand, sign: int) -> None:
    """Write to the places that were chosen, one after the other, or add with a sign."""
    places = [part for part in chosen.arrays if array.storage in part.reads]
    source = value if is_number(value) else b.lazy(value)
    if places:
        raise b.error("positions are read from the array that is written to; copy them first")
    if isinstance(source, Lazy):
        if array.storage in source.reads:
            source = b.lazy(b.stored(source))
        if source.ndim > len(chosen.dims):
            raise b.error(f"cannot write an array of {source.ndim} axes to {len(chosen.dims)} axes of positions")
        for size, given in zip(chosen.dims[::-1], source.dims[::-1], strict=False):
            b.fit(size, given)

    def body(index: Index, carried: Index) -> Index:
        number = source.at(b.spread(source, index, chosen.dims)) if isinstance(source, Lazy) else source
        b.store(array, chosen.own(index), number, sign)
        return []

    b.nest(chosen.dims, [], body)

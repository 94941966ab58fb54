"""What stands between brackets: elements, views, new axes, and arrays of integers."""

from __future__ import annotations

from typing import Any

from nbinfer.autodiff.arrays import ArrayBuilder
from nbinfer.autodiff.bounds import distance, least, trips
from nbinfer.autodiff.ir import For, Value
from nbinfer.autodiff.lazy import Index, Lazy, Operand, is_array, is_number, owner, varies
from nbinfer.autodiff.memory import loop_around
from nbinfer.autodiff.positions import Chosen, unmasked

_FULL = slice(None, None, None)

#: What is gathered is usually gathered many times: it is stored if it costs more than reading it and one operation.
_CHEAP = 2


def subscript(b: ArrayBuilder, array: Operand, parts: list[Any]) -> Any:
    """Read ``array[parts]``: a number, a view or an array expression."""
    parts = complete(b, array, unmasked(b, array, parts))
    for part in parts:
        if isinstance(part, (Value, Lazy)) and part.kind == "f":
            raise b.error("an index must be an integer, not a float")
    parts = within(b, array, parts)
    if any(is_array(part) for part in parts):
        return _gather(b, array, parts)
    if all(is_number(part) for part in parts):
        return element(b, array, parts)
    return _basic(b, array, parts)


def complete(b: ArrayBuilder, array: Operand, parts: list[Any]) -> list[Any]:
    """Expand an Ellipsis and add what is left out at the end."""
    given = sum(part is not None and part is not Ellipsis for part in parts)
    if given > array.ndim:
        raise b.error(f"{given} indices into an array of {array.ndim} axes")
    missing = [_FULL] * (array.ndim - given)
    for k, part in enumerate(parts):
        if part is Ellipsis:
            return parts[:k] + missing + parts[k + 1 :]
        if not (part is None or isinstance(part, (slice, Value, Lazy))):
            raise b.error("an index must be an integer, a slice, None or an array of integers")
    return parts + missing


def within(b: ArrayBuilder, array: Operand, parts: list[Any]) -> list[Any]:
    """Check the integers among indices, one for each axis, where a point may lead them out of the array.

    What depends on data alone, on a line that runs whatever the parameters are, plain Python has checked when the model
    was bound to these data, if it was; the engine's own functions look before they read.
    """
    checked: list[Any] = []
    axis = -1
    for part in parts:
        axis += part is not None
        if not isinstance(part, (Value, Lazy)) or b.reads_own:
            checked.append(part)
            continue
        if _is_distinct(part):
            checked.append(part)
            continue
        size: Value = b.dims_of(array)[axis]
        if b.tried and not (b.conditional or varies(part) or size.varies):
            checked.append(part)
            continue
        checked.append(_array_within(b, part, size) if part.ndim else _number_within(b, part, size))
    return checked


def _number_within(b: ArrayBuilder, index: Any, size: Value) -> Any:
    if _counts_to(index, size) or _asked_before(b, index, size):
        return index
    known = least(index)
    inside = b.scalar("lt", index, size)
    if known is None or known < 0:
        inside = b.scalar("and", b.scalar("ge", index, b.scalar("neg", size)), inside)
    if index.constant is not None or _follows_counter(index):  # what is known of these is worth more than the order
        b.require(inside)
        return index
    return b.require(inside, index) or index


def _asked_before(b: ArrayBuilder, index: Value, size: Value) -> bool:
    """Ask before the loops in which each turn reads here, about the first and the last of their turns."""
    if index.constant is None and not _follows_counter(index):
        return False
    low = high = index
    block, idle = b.block, b.constant(False)
    while (loop := block.loop) is not None and (outside := block.parent) is not None:
        shift = distance(index, loop.index)
        known = [size, idle] if shift is not None else [size, idle, low, high]
        if loop.leaves or any(x.block.depth > outside.depth for x in known):
            break
        with b.at(outside):
            if shift is not None:
                low, high = (b.scalar("add", end, b.constant(shift)) for end in _range_of(b, loop))
            idle = b.scalar("or", idle, b.scalar("ge" if loop.step.constant > 0 else "le", loop.start, loop.stop))
        block = outside
    if block is b.block:
        return False
    if low is index:
        high = b.scalar("add", index, b.constant(1))
    with b.at(block):
        fits = b.scalar("and", b.scalar("ge", low, b.scalar("neg", size)), b.scalar("le", high, size))
        b.require(b.scalar("or", idle, fits))
    return True


def _range_of(b: ArrayBuilder, loop: For) -> tuple[Value, Value]:
    """Return the least number that a loop counts, and one more than the largest, if it runs at all."""
    step = int(loop.step.constant)
    one = b.constant(1)
    if step == 1:
        return loop.start, loop.stop
    if step == -1:
        return b.scalar("add", loop.stop, one), b.scalar("add", loop.start, one)
    last = b.scalar("sub", trips(b, loop), one)
    last = b.scalar("add", loop.start, b.scalar("mul", last, loop.step))
    low, high = (loop.start, last) if step > 0 else (last, loop.start)
    return low, b.scalar("add", high, one)


def _follows_counter(index: Value) -> bool:
    loop = loop_around(index.block)
    return loop is not None and distance(index, loop.index) is not None


def _counts_to(index: Value, size: Value) -> bool:
    """Tell whether an index is the counter of a loop from 0 or more to a size, or is less by a number."""
    loop = loop_around(index.block)
    shift = None if loop is None else distance(index, loop.index)
    if loop is None or shift is None or shift > 0 or loop.step.constant < 1:
        return False
    start, stop = loop.start.constant, loop.stop
    ends = stop is size or (stop.constant is not None and stop.constant == size.constant)
    return start is not None and start + shift >= 0 and ends


def _array_within(b: ArrayBuilder, index: Operand, size: Value) -> Operand:
    if isinstance(index, Value) and index.storage is not None and not index.storage.mutable:
        key = ("within", index.number, b.ident(size))
        if b.lookup(key, b.block) is not None:
            return index
        b.block.known[key] = index
    low = b.apply("ge", index, b.scalar("neg", size))
    inside = b.lazy(b.apply("and", low, b.apply("lt", index, size)))
    all_axes = list(range(inside.ndim))
    b.require(b.reduce(inside, all_axes, b.constant(True), lambda x, y: b.scalar("and", x, y)))
    return index


def part_of(b: ArrayBuilder, array: Operand, index: Value) -> Any:
    """Read what lies at an index along the first axis, which is surely within."""
    if array.ndim == 1:
        return element(b, array, [index])
    return _basic(b, array, [index, *[_FULL] * (array.ndim - 1)])


def element(b: ArrayBuilder, array: Operand, index: Index) -> Value:
    """Read one element."""
    if isinstance(array, Value):
        return b.load(array, index)
    if array.positional and not all(_counts(i) for i in index):
        return b.load(b.stored(array), index)
    lazy: Lazy = array
    return lazy.at([_from_end(b, i, size) for i, size in zip(index, lazy.dims, strict=True)])


def _counts(index: Value) -> bool:
    """Tell whether an index is surely not negative: a number known in advance, or the counter of a loop from 0 on."""
    if index.constant is not None or index.block.loop is None:
        return index.constant is not None
    loop = index.block.loop
    start = loop.start.constant
    return index is loop.index and start is not None and start >= 0 and loop.step.constant > 0


def _from_end(b: ArrayBuilder, index: Value, size: Value) -> Value:
    if index.constant is not None and index.constant < 0:
        return b.scalar("add", size, index)
    return index


def view(b: ArrayBuilder, array: Value, parts: list[Any]) -> Value:
    """Make a view of stored memory; `parts` are numbers and slices, one for each axis, and None for new axes."""
    texts: list[str] = []
    values: list[Value] = []
    dims: dict[int, Value] = {}
    ndim = 0
    axis = -1
    short: list[int] = []
    for part in parts:
        if part is None:
            texts.append("None")
            dims[ndim] = b.constant(1)
            ndim += 1
            continue
        axis += 1
        if is_number(part):
            texts.append("{%d}" % len(values))
            values.append(part)
            continue
        size = _size(b, array, axis, part)
        if size is not None:
            dims[ndim] = size
        elif _at_most_one(part):
            short.append(ndim)
        ndim += 1
        bounds = []
        for bound in (part.start, part.stop, part.step):
            bounds.append("" if bound is None else "{%d}" % len(values))
            values += [] if bound is None else [bound]
        texts.append(":".join(bounds if bounds[2] else bounds[:2]))
    if all(part == _FULL for part in parts):
        return array
    result = b.view(array, f"[{', '.join(texts)}]", values, ndim, dims)
    b.at_most_one.update(b.dim(result, axis).number for axis in short)
    return result


def _size(b: ArrayBuilder, array: Value, axis: int, part: slice) -> Value | None:
    """Return the size of a slice if it is known in advance."""
    if part == _FULL:
        return b.dim(array, axis)
    whole = b.lookup(("dim", array.number, axis), b.block)
    bounds = [part.start, part.stop, part.step]
    if whole is None or any(bound is not None and bound.constant is None for bound in [whole, *bounds]):
        return None
    numbers = [None if bound is None else bound.constant for bound in bounds]
    return b.constant(len(range(*slice(*numbers).indices(whole.constant))))


def _at_most_one(part: slice) -> bool:
    """Tell whether a slice has one element, or none where the axis ends before it."""
    start, stop = part.start, part.stop
    if part.step is not None and part.step.constant != 1:
        return False
    if start is None or stop is None:
        return (stop is not None and stop.constant == 1) or (start is not None and start.constant == -1)
    if start.constant is not None and stop.constant is not None:
        return bool(stop.constant - start.constant == 1 and stop.constant != 0)
    return distance(stop, start) == 1


def _basic(b: ArrayBuilder, array: Operand, parts: list[Any]) -> Operand:
    if isinstance(array, Value) and array.storage is not None and array.storage.mutable:
        return view(b, array, parts)  # memory shared, as in NumPy
    plain = [part for part in parts if part is not None]
    if all(is_number(part) for part in plain):  # and new axes
        number = element(b, array, plain)
        units = [b.constant(1)] * parts.count(None)
        return Lazy(b, units, lambda index: number, number.kind, active=number.active, varies=number.varies)
    if isinstance(array, Lazy) and not all(part == _FULL for part in plain):
        whole = all(part == _FULL or is_number(part) for part in plain)
        front = not array.positional or all(not is_number(part) or part.constant is not None for part in plain)
        live = bool(array.reads) and isinstance(owner(array), Value)  # a part shares memory, too
        array = _pick(b, array, plain) if live or (whole and front) else view(b, b.stored(array), plain)
    elif isinstance(array, Value):
        array = view(b, array, plain)
    if None not in parts:
        return array
    source = b.lazy(array)
    dims: list[Value] = []
    kept: list[int] = []
    left = iter(source.dims)
    for part in parts:
        if part is None:
            dims.append(b.constant(1))
        elif not is_number(part):
            kept.append(len(dims))
            dims.append(next(left))
    return Lazy(
        b,
        dims,
        lambda index: source.at([index[k] for k in kept]),
        source.kind,
        active=source.active,
        varies=source.varies,
        cost=source.cost,
        reads=source.reads,
        positional=source.positional,
        base=source,
    )


def _pick(b: ArrayBuilder, source: Lazy, parts: list[Any]) -> Lazy:
    """Take a part of an expression: a number or a slice for each axis."""
    dims: list[Value] = []
    places: list[tuple[Value, Value | None, int]] = []  # where to begin, the step, and the axis of the part
    for part, size in zip(parts, source.dims, strict=True):
        if is_number(part):
            places.append((_counted(b, part, size) if source.positional else _from_end(b, part, size), None, 0))
            continue
        first, step, count = _span(b, part, size)
        places.append((first, step, len(dims)))
        dims.append(count)

    def at(index: Index) -> Value:
        own = []
        for first, step, axis in places:
            own.append(first if step is None else b.scalar("add", first, b.scalar("mul", index[axis], step)))
        return source.at(own)

    return Lazy(
        b,
        dims,
        at,
        source.kind,
        active=source.active,
        varies=source.varies or any(varies(x) for first, step, _ in places for x in (first, step) if x is not None),
        cost=source.cost,
        reads=source.reads,
        positional=source.positional or any(part != _FULL for part in parts if isinstance(part, slice)),
        base=source,
    )


def _counted(b: ArrayBuilder, index: Value, size: Value) -> Value:
    """Count an index from the front, whatever its sign."""
    if index.constant is not None:
        return _from_end(b, index, size)
    return b.select(b.scalar("lt", index, b.constant(0)), lambda: b.scalar("add", size, index), lambda: index)


def _span(b: ArrayBuilder, part: slice, size: Value) -> tuple[Value, Value, Value]:
    """Return where a slice begins, its step, and how many elements it has, by the rules of Python."""
    step = b.constant(1) if part.step is None else part.step
    if part == _FULL:
        return b.constant(0), step, size
    if not step.constant:
        raise b.error("the step of a slice must be a number known in advance here, not 0")
    forward = step.constant > 0
    low = b.constant(0 if forward else -1)
    high = size if forward else b.scalar("sub", size, b.constant(1))

    def bound(given: Value | None, default: Value) -> Value:
        if given is None:
            return default
        return b.scalar("max", low, b.scalar("min", high, _counted(b, given, size)))

    first, last = bound(part.start, low if forward else high), bound(part.stop, high if forward else low)
    distance = b.scalar("sub", last, first)
    steps = b.scalar("floordiv", b.scalar("add", distance, b.constant(step.constant - (1 if forward else -1))), step)
    count = b.scalar("max", b.constant(0), steps)
    if _at_most_one(part) and count.constant is None:
        b.at_most_one.add(count.number)
    return first, step, count


def _gather(b: ArrayBuilder, array: Operand, parts: list[Any]) -> Lazy:
    """Index with arrays of integers, which broadcast; other axes are slices and new axes."""
    plain = [part for part in parts if part is not None]
    if isinstance(array, Lazy):
        indices = [part for part in plain if not isinstance(part, slice)]
        once = all(_is_distinct(part) for part in indices if is_array(part))
        counted = all(_counts(part) if is_number(part) else _is_distinct(part) for part in indices)
        if (array.positional and not counted) or (array.cost > _CHEAP and not once):
            array = b.stored(array)
        else:
            sizes = zip(plain, array.dims, strict=True)
            plain = [_from_end(b, part, size) if is_number(part) else part for part, size in sizes]
    if any(isinstance(part, slice) and part != _FULL for part in plain):
        stored = b.stored(array)
        array = view(b, stored, [part if isinstance(part, slice) else _FULL for part in plain])
    source = b.lazy(array)
    chosen = Chosen(b, plain, source.dims)
    result = Lazy(
        b,
        chosen.dims,
        lambda index: source.at(chosen.own(index)),
        source.kind,
        active=source.active,
        varies=source.varies or any(map(varies, [*chosen.arrays, *filter(is_number, plain)])),
        cost=source.cost + sum(part.cost for part in chosen.arrays),
        reads=source.reads.union(*(part.reads for part in chosen.arrays)),
    )
    return _with_new_axes(b, result, parts, chosen) if None in parts else result


def _is_distinct(part: Operand) -> bool:
    """Tell whether an array of integers holds positions of which no two are the same, counted from the front."""
    return isinstance(part, Lazy) and part.distinct


def _with_new_axes(b: ArrayBuilder, x: Lazy, parts: list[Any], chosen: Chosen) -> Lazy:
    """Put axes of one element where indices say so, beside what arrays of integers choose."""
    kept: list[int | None] = []  # axes of the result
    pending = list(range(chosen.first, chosen.first + chosen.width))
    rest = iter([axis for axis in range(x.ndim) if axis not in pending])
    advanced = [k for k, part in enumerate(parts) if part is not None and not isinstance(part, slice)]
    if any(part is None or isinstance(part, slice) for part in parts[advanced[0] : advanced[-1] + 1]):
        raise b.error("a new axis between arrays of integers is not supported; index in two steps")
    for k, part in enumerate(parts):
        if part is None:
            kept.append(None)
        elif isinstance(part, slice):
            kept.append(next(rest))
        elif k == advanced[0]:
            kept += pending
    own = [k for k, axis in enumerate(kept) if axis is not None]
    dims = [b.constant(1) if axis is None else x.dims[axis] for axis in kept]
    return Lazy(
        b,
        dims,
        lambda index: x.at([index[k] for k in own]),
        x.kind,
        active=x.active,
        varies=x.varies,
        cost=x.cost,
        reads=x.reads,
    )

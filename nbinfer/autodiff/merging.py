"""Values that branches choose between, and that loops carry: numbers, arrays, and tuples and lists of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from nbinfer.autodiff.binding import Binding, held_by
from nbinfer.autodiff.cells import share
from nbinfer.autodiff.expressions import describe
from nbinfer.autodiff.ir import Block, Dim, Scalar, Storage, Value, View, promote
from nbinfer.autodiff.lazy import Held, Lazy, is_array, is_live, is_number, owner
from nbinfer.autodiff.memory import loop_around
from nbinfer.autodiff.reader import Environment, Lost, Record
from nbinfer.autodiff.sequences import List

_UNKNOWN = (
    "the size of an array that one side of a branch makes must be known before the branch; "
    "make the array before it, and fill it in the branch"
)


class Fork(NamedTuple):
    """A branch that is being closed: its condition, and its sides."""

    condition: Value
    then: Block
    other: Block


class Mismatch(Exception):
    """Two values cannot become one; the message says why."""


class Merging(Binding):
    """A builder that merges values."""

    # Branches -----------------------------------------------------------------------------------------------------

    def merged(self, fork: Fork, pairs: Sequence[tuple[Any, Any]]) -> list[Any]:
        """Close a branch; return for each pair of values what it is afterwards, a `Lost` where it is nothing."""
        numbers: list[tuple[Value, Value]] = []
        shapes = []
        for x, y in pairs:
            try:
                shapes.append(self._pair(fork, x, y, numbers))
            except Mismatch as reason:
                shapes.append(_constantly(Lost(str(reason))))
        values = self.join(*fork, numbers)
        return [shape(values) for shape in shapes]

    def merge(self, condition: Value, then_block: Block, else_block: Block, a: Any, b: Any) -> Any:
        """Close a branch that chooses one value."""
        (result,) = self.merged(Fork(condition, then_block, else_block), [(a, b)])
        if isinstance(result, Lost):
            raise self.error(result.message)
        share((a, b))
        return share(result)

    def _pair(self, fork: Fork, x: Any, y: Any, numbers: list[tuple[Value, Value]]) -> Callable[[Sequence[Value]], Any]:
        """Note the pairs of numbers that two values hold; return how to make one of what these become."""
        if x is y:
            return lambda _: x
        if is_number(x) and is_number(y):
            numbers.append((x, y))
            position = len(numbers) - 1
            return lambda values: values[position]
        if is_array(x) and is_array(y):
            array = self._chosen(fork, x, y)
            return lambda _: array
        if isinstance(x, List) and isinstance(y, List) and x.array is not None and y.array is not None:
            joint = List([], self, self._chosen(fork, x.array, y.array), min(x.rows, y.rows))
            return lambda _: joint
        first, second = parts(x), parts(y)
        if first is not None and second is not None and type(x) is type(y) and len(first) == len(second):
            makers = [self._pair(fork, p, q, numbers) for p, q in zip(first, second, strict=True)]
            return lambda values: with_parts(self, x, [make(values) for make in makers])
        for value in (x, y):
            if isinstance(value, Lost):
                raise Mismatch(value.message)
        if isinstance(x, str) and x == y:
            return lambda _: x
        raise Mismatch(
            "the two sides of a branch, or what is before a loop and what it makes, are different kinds of things, "
            f"{describe(x)} and {describe(y)}; "
            "they must be numbers, or arrays of as many axes, or tuples of as many of these"
        )

    def _chosen(self, fork: Fork, x: Any, y: Any) -> Value:
        """Make an array that either side of a branch fills."""
        if x.ndim != y.ndim:
            raise Mismatch(f"one side of a branch gives an array of {x.ndim} axes and the other one of {y.ndim}")
        live = [value for value in (x, y) if is_live(value) and not owner(value).storage.carried]
        sizes = [[self._before(size) for size in self._sizes(value)] for value in (x, y)]
        dims = []
        for first, second in zip(*sizes, strict=True):
            same = self.ident(first) == self.ident(second)
            dims.append(first if same else self.select(fork.condition, _constantly(first), _constantly(second)))
        array = self.alloc(dims, promote(x.kind, y.kind), "empty", x.hint or y.hint or "chosen", mutable=False)
        with self.under(fork.condition):
            for block, value, own in zip(fork[1:], (x, y), sizes, strict=True):
                with self.at(block):
                    self.fill(array, value, own)
        assert array.storage is not None
        array.storage.held = _shared_names(x, y)
        for value in live:
            self._alias(owner(value).storage)
            array.storage.held = Held((), self.block)
            array.storage.held.fixed = True
        return array

    def hold(self, array: Any) -> None:
        """Note that a list, which stands for a copy of it, has an array that may have names."""
        held = held_by(array)
        if held is not None:
            held.fixed, held.names = True, held.names + 1
        if is_live(array) and not owner(array).storage.carried:
            try:
                self._alias(owner(array).storage)
            except Mismatch:
                raise self.error(
                    "a list gets an array that is written to in this loop: all of its items would be that one; append "
                    "a copy of it, by .copy()"
                ) from None

    def _alias(self, storage: Storage) -> None:
        """Note that memory has another name, which stands for a copy of what it holds now."""
        loop = loop_around(self.block)
        lives_on = loop is not None and not storage.block.inside(loop.body)
        if loop is not None and lives_on and any(store.block.inside(loop.body) for store in storage.stores):
            raise Mismatch(
                "a side of a branch gives an array by another name, and it is written to in this loop; "
                "give a copy of it, by np.copy"
            )
        storage.aliased = True

    def fill(self, array: Value, value: Any, dims: Sequence[Value]) -> None:
        """Write an array expression to memory that nobody else writes to."""
        source = self.lazy(value)

        def body(index: list[Value], _: list[Value]) -> list[Value]:
            self.store(array, index, source.at(index), first=True)
            return []

        self.nest(dims, [], body)

    def _before(self, size: Value) -> Value:
        """Compute a size before the branch that it was found in."""
        found = self.outside(size, self.block)
        if found is None:
            raise Mismatch(_UNKNOWN)
        return found

    def outside(self, size: Value, around: Block) -> Value | None:
        """Compute a size in a block around the one that it was found in; None if it is not known there."""
        if size.block is around or not size.block.inside(around):
            return size
        op = size.op
        with self.at(around):
            if isinstance(op, Dim):
                array = self._array_outside(op.args[0], around)
                return None if array is None else self.dim(array, op.axis)
            if isinstance(op, Scalar):
                args = self._all_outside(op.args, around)
                return None if args is None else self.scalar(op.rule.name, *args)
        return None

    def _sizes(self, array: Any) -> list[Value]:
        """Return the shape of an array as it is known where it was made."""
        if isinstance(array, Lazy):
            return array.dims
        with self.at(array.block):
            return self.dims_of(array)

    def _array_outside(self, array: Value, around: Block) -> Value | None:
        if array.block is around or not array.block.inside(around):
            return array
        op = array.op
        if not isinstance(op, View):
            return None
        whole, bounds = self._array_outside(op.args[0], around), self._all_outside(op.args[1:], around)
        return None if whole is None or bounds is None else self.view(whole, op.pattern, bounds, array.ndim, {})

    def _all_outside(self, sizes: Sequence[Value], around: Block) -> list[Value] | None:
        found = [self.outside(size, around) for size in sizes]
        known = [size for size in found if size is not None]
        return known if len(known) == len(found) else None

    def merge_names(self, fork: Fork, env: Environment, a: Environment, b: Environment, more: Any = ()) -> list[Any]:
        """Close a branch: give names what they mean after it; return what more pairs of values become."""
        names = sorted(name for name in {**a, **b} if a.get(name) is not b.get(name))
        pairs = [(a.get(name, _one_sided(name)), b.get(name, _one_sided(name))) for name in names]
        values = self.merged(fork, [*pairs, *more])
        env.update({name: a[name] for name in a if name in b and a[name] is b[name]})
        for name, value in zip(names, values, strict=False):
            if isinstance(value, Lost):
                env[name] = Lost(_named(name, value.message))
            else:
                env[name] = self.bind(name, value)
        return [share(value) for value in values[len(names) :]]

    def blank(self, shape: Any) -> Any:
        """Return zeros for what `kinds_of` has described."""
        if isinstance(shape, tuple):
            return tuple(map(self.blank, shape))
        return self.constant({"f": 0.0, "i": 0, "b": False}[shape])


def _constantly(x: Any) -> Callable[..., Any]:
    return lambda *_: x


def _shared_names(*arrays: Any) -> Held | None:
    """Return the names of arrays that have several."""
    found: Held | None = None
    for held in filter(None, map(held_by, arrays)):
        if held.names > 1 and held is not found:
            held.other = found if held.other is None else held.other
            found = held
    return found


def _one_sided(name: str) -> Lost:
    return Lost(f"{name!r} has a value on one side of a branch only; give it one before the branch")


def _named(name: str, message: str) -> str:
    return message if repr(name) in message else f"{name!r} cannot be read here: {message}"


def parts(x: Any) -> list[Any] | None:
    """Return what a tuple, a list or a named tuple holds."""
    if isinstance(x, Record):
        return list(x.fields.values())
    if isinstance(x, List):
        return list(x.items) if x.array is None else None
    return list(x) if isinstance(x, tuple) else None


def with_parts(b: Binding, x: Any, items: list[Any]) -> Any:
    """Return something like a tuple, a list or a named tuple, of other items."""
    if isinstance(x, Record):
        return Record(x.name, dict(zip(x.fields, items, strict=True)))
    return List(items, b) if isinstance(x, List) else tuple(items)


def kinds_of(x: Any) -> Any:
    """Describe a number or a tuple of numbers; None of anything else."""
    if is_number(x):
        return x.kind
    inner = tuple(map(kinds_of, x)) if isinstance(x, tuple) else (None,)
    return None if None in inner else inner

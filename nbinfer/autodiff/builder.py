"""Builds programs: arrays, loops and branches around numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from nbinfer.autodiff.ir import (
    Alloc,
    Block,
    Call,
    Check,
    Custom,
    Dim,
    For,
    Guard,
    If,
    Load,
    Primitive,
    Require,
    Storage,
    Store,
    Value,
    View,
    promote,
)
from nbinfer.autodiff.scalars import ScalarBuilder

_OUTSIDE = "IndexError", "index out of bounds"


class Builder(ScalarBuilder):
    """A program under construction.

    Attributes
    ----------
    at_most_one : set of int
        Numbers of the sizes that cannot be more than 1, so that they broadcast.
    pieces : dict of int to tuple of Value
        By numbers of sizes, the sizes of the pieces that an axis is joined of: loops over it go piece by piece.
    factors : dict of int to tuple of Value
        By numbers of sizes, those of the axes that an axis is made of, one within the other: loops over it are nested.
    places : dict
        By sizes of pieces and an index into the whole, which piece it belongs to, and where in that it is; by sizes of
        axes, the index along each.
    """

    def __init__(self, facts: dict[Hashable, Any]) -> None:
        super().__init__(facts)
        self.at_most_one: set[int] = set()
        self.pieces: dict[int, tuple[Value, ...]] = {}
        self.factors: dict[int, tuple[Value, ...]] = {}
        self.places: dict[Hashable, Any] = {}

    def custom(self, function: str, pullback: str, args: Sequence[Value]) -> Value:
        """Apply a scalar function whose derivative the user gave."""
        active, varies = any(a.active for a in args), any(a.varies for a in args)
        out = self.value("v", "f", self.block, active=active, varies=varies)
        self.append(Custom(function, pullback, out, list(args)))
        return out

    def call(
        self, function: str, kinds: Sequence[tuple[str, int]], args: Sequence[Value], is_tuple: bool
    ) -> list[Value]:
        """Call a compiled function of inactive values."""
        outs, varies = [], any(map(value_varies, args))
        for kind, ndim in kinds:
            storage = Storage(False, False, self.block, varies=varies) if ndim else None
            outs.append(self.value("v", kind, self.block, ndim=ndim, storage=storage, varies=varies))
        op = Call(function, outs, list(args), is_tuple)
        self.append(op)
        for arg in args:
            if arg.storage is not None:
                arg.storage.reads.append(op)
        return outs

    def draw(self, function: str, kind: str, ndim: int, args: Sequence[Value]) -> Value:
        """Call what draws random numbers: it is called as often, and in that order, as the text says."""
        (out,) = self.call(function, [(kind, ndim)], args, False)
        assert isinstance(out.op, Call)
        out.op.draws = out.varies = True
        if out.storage is not None:
            out.storage.varies, out.storage.mutable = True, True
        return out

    # Arrays -------------------------------------------------------------------------------------------------------

    def load(self, array: Value, index: Sequence[Value]) -> Value:
        """Read an element."""
        storage = array.storage
        assert storage is not None
        key: tuple[Hashable, ...] = ("load", array.number, *map(self.ident, index))
        if storage.mutable:
            block = self.block
            key += (len(storage.stores),)
            if key in block.known:
                return block.known[key]
        else:
            block = self.outermost([array, *index])
            known = self.lookup(key, block)
            if known is not None:
                return known
        where = "_".join(str(i.constant) if i.constant is not None else i.hint for i in index)
        hint = f"{array.hint}_{where}".replace("-", "m")
        varies = storage.varies or any(i.varies for i in index)
        out = self.value(hint, array.kind, block, active=storage.active and array.kind == "f", varies=varies)
        op = Load(out, array, list(index), block is not self.block)
        self.append(op, block)
        storage.reads.append(op)
        block.known[key] = out
        if storage.decided:
            self.decided_by_active.add(out.number)
        return out

    def store(self, array: Value, index: Sequence[Value], value: Value, sign: int = 0, first: bool = False) -> None:
        """Write an element, or add to it; `first` for the writes that make an array which nobody writes to later."""
        storage = array.storage
        assert storage is not None
        if not storage.mutable and not first:
            name = repr(array.hint)
            raise self.error(
                f"cannot write to {name}: only arrays made in the function may be written to; "
                f"write to a copy, {array.hint}_new = {array.hint}.copy()"
            )
        if storage.carried is not None:
            raise self.error(f"{array.hint!r} is rebound in this loop and written to in place; write to a copy")
        if storage.aliased:
            raise self.error(f"{array.hint!r} has another name by a branch or a list; give that a copy, by np.copy")
        if storage.kinds is not None and promote(array.kind, value.kind) != array.kind:
            self.learn(storage.kinds, promote(array.kind, value.kind))
        elif value.active and array.kind != "f":
            self.notice("a parameter written to an integer array has derivative 0")
        elif value.active and not storage.active:
            if first:
                storage.active = array.active = True
            else:
                self.learn(("storage", storage.key), True)
        if value.kind == "b" and value.number in self.decided_by_active:
            self._keep_decided(array, storage)
        if not storage.varies and (self.conditional or value.varies or any(i.varies for i in index)):
            storage.varies = True
            if storage.reads:
                self.learn(("varies", storage.key), True)
        self.append(store := Store(array, list(index), value, sign))
        storage.stores.append(store)
        if value.kind == array.kind and not sign:
            key = ("load", array.number, *map(self.ident, index), len(storage.stores))
            self.block.known[key] = value

    def _keep_decided(self, array: Value, storage: Storage) -> None:
        """Note that an array holds truths about active values."""
        if array.kind != "b":
            self.notice("a comparison used as a number has derivative 0")
        elif not storage.decided:
            storage.decided = True
            if storage.reads:
                self.learn(("decided", storage.key), True)

    def dim(self, array: Value, axis: int) -> Value:
        """Return the size of an array along an axis."""
        key = ("dim", array.number, axis)
        block = self.outermost([array])
        known = self.lookup(key, block)
        if known is not None:
            return known
        out = self.value(f"n_{array.hint}", "i", block, varies=array.varies)
        self.append(Dim(out, array, axis), block)
        block.known[key] = out
        return out

    def alloc(self, dims: Sequence[Value], kind: str, how: str, hint: str = "a", mutable: bool = True) -> Value:
        """Make an array."""
        key = self.key("array")
        active = kind == "f" and bool(self.facts.get(("storage", key)))
        storage = Storage(active, mutable, self.block, key)
        storage.decided = bool(self.facts.get(("decided", key)))
        storage.varies = bool(self.facts.get(("varies", key)))
        storage.widths = tuple(dim.constant for dim in dims[1:])
        out = self.value(hint, kind, self.block, ndim=len(dims), active=active, storage=storage)
        self.append(Alloc(out, list(dims), how))
        for axis, dim in enumerate(dims):
            self.block.known["dim", out.number, axis] = dim
        return out

    def view(self, array: Value, pattern: str, parts: Sequence[Value], ndim: int, dims: dict[int, Value]) -> Value:
        """Make a view; `dims` are sizes that it shares with the array."""
        assert array.storage is not None
        block = self.outermost([array, *parts])
        key = ("view", array.number, pattern, *map(self.ident, parts))
        known = self.lookup(key, block)
        if known is not None:
            return known
        active, varies = array.storage.active, array.varies or any(part.varies for part in parts)
        out = self.value(array.hint, array.kind, block, ndim=ndim, active=active, storage=array.storage, varies=varies)
        self.append(View(out, array, pattern, list(parts)), block)
        block.known[key] = out
        for axis, dim in dims.items():
            block.known["dim", out.number, axis] = dim
        return out

    def primitive(self, primitive: Any, args: Sequence[Value], dims: Sequence[Value]) -> Value:
        """Apply a whole-array function."""
        active, varies = any(a.active for a in args), any(map(value_varies, args))
        storage = Storage(active, False, self.block, varies=varies) if dims else None
        if storage is not None:
            storage.widths = tuple(dim.constant for dim in dims[1:])
        out = self.value(
            primitive.name, "f", self.block, ndim=len(dims), active=active, storage=storage, varies=varies and not dims
        )
        outs = [out]
        if primitive.keeps:
            outs.append(self.value("kept", "f", self.block, ndim=1, storage=Storage(False, False, self.block)))
        for name, function in primitive.functions.items():
            if self.names.setdefault(name, function) is not function:
                raise self.error(f"the name {name!r} is taken; call yours otherwise")
        op = Primitive(primitive, outs, list(args))
        self.append(op)
        for arg in args:
            if arg.storage is not None:
                arg.storage.reads.append(op)
        for axis, dim in enumerate(dims):
            self.block.known["dim", out.number, axis] = dim
        return out

    def check_equal(self, left: Value, right: Value) -> None:
        """Require two sizes to be equal when the program runs."""
        if left is right:
            return
        if left.constant is not None and right.constant is not None:
            if left.constant != right.constant:
                raise self.error(f"shapes do not fit: {left.constant} and {right.constant} elements along one axis")
            return
        block, key = self.outermost([left, right]), self._equal(left, right)
        if self.lookup(key, block) is None and self.lookup(key, self.block) is None:
            self.append(Check([], [left, right]), block)
            block.known[key] = left

    def check_same(self, left: Value, right: Value, message: str) -> None:
        """Require two sizes to be equal where the program comes by; otherwise the message says what to do."""
        if self.ident(left) == self.ident(right):
            return
        same = self.scalar("eq", left, right)
        if same.constant is False:
            raise self.error(message)
        self.check(same, "ValueError", message)
        self.block.known[self._equal(left, right)] = left

    def _equal(self, left: Value, right: Value) -> Hashable:
        return "equal", *sorted(map(repr, (self.ident(left), self.ident(right))))

    def require(self, condition: Value, index: Value | None = None) -> Value | None:
        """Raise IndexError unless a condition holds; return the index as one for which it does."""
        if condition.constant is True:
            return index
        if index is None:
            asked = ("required", condition.number)
            if condition.constant is not None or self.lookup(asked, self.block) is None:
                self.append(Require([], [condition], *_OUTSIDE))
                self.block.known[asked] = condition
            return None
        key = ("required", condition.number, index.number)
        known = self.lookup(key, self.block)
        if known is None:
            known = self.value(index.hint, index.kind, self.block, varies=index.varies)
            self.append(Require([known], [condition, index], *_OUTSIDE))
            self.block.known[key] = known
        return known

    def check(self, condition: Value, error: str, message: str) -> None:
        """Raise an error, named as Python does, unless a condition holds."""
        if condition.constant is not True:
            self.append(Require([], [condition], error, message))

    def guard(self, condition: Value, result: Value) -> None:
        """Leave the program with a constant if a condition holds."""
        self.append(Guard([condition], result, self.weight))

    # Loops and branches -------------------------------------------------------------------------------------------

    def loop(
        self,
        start: Value,
        stop: Value,
        step: Value,
        inits: Sequence[Value],
        body: Callable[[Value, list[Value]], list[Value]],
        hint: str = "i",
        hints: Sequence[str] = (),
        leaves: bool = False,
    ) -> list[Value]:
        """Build a counted loop; `body` takes the index and what is carried, and returns what is carried on.

        If it `leaves`, what it returns last is the condition under which a turn is the last one.
        """
        key = self.key("loop")
        block = Block("loop", self.block)
        if leaves:
            inits, hints = [*inits, start], [*hints, f"{hint}_end"]
        turns = start.varies or stop.varies or bool(self.facts.get((key, "leaves")))
        index = self.value(hint, "i", block, varies=turns)
        phis = []
        for j, init in enumerate(inits):
            kind, active, varies, cell = self.facts.get((key, j), (init.kind, init.active, False, 0))
            kind, cell = promote(kind, init.kind), max(cell, init.cell)
            named = {"active": active or init.active, "varies": varies or init.varies or turns, "cell": cell}
            phis.append(self.value(hints[j] if hints else "s", kind, block, **named))
        op = For(start, stop, step, index, phis, list(inits), block)
        op.leaves = index if leaves else None  # until its condition is known
        with self.at(block):
            op.nexts = body(index, phis[:-1] if leaves else phis)
            if op.leaves is not None:
                op.leaves, op.nexts[-1] = op.nexts[-1], self.scalar("add", index, step)
        if op.leaves is not None and op.leaves.varies:
            self.learn((key, "leaves"), True)
        pairs = zip(phis, op.nexts, strict=True)
        op.outs = [self._carried_out(phi, following, (key, j)) for j, (phi, following) in enumerate(pairs)]
        for out in op.outs:
            out.op = op
        self.append(op)
        op.ended = op.outs[-1] if leaves else None
        return op.outs[:-1] if leaves else op.outs

    def _carried_out(self, phi: Value, following: Value, key: Hashable) -> Value:
        """Make what a loop leaves behind of a number that it carries; learn what this is."""
        kind, cell = promote(phi.kind, following.kind), max(phi.cell, following.cell)
        active, varies = kind == "f" and (phi.active or following.active), phi.varies or following.varies
        if (kind, active, varies, cell) != (phi.kind, phi.active, phi.varies, phi.cell):
            self.learn(key, (kind, active, varies, cell))
        return self.value(phi.hint, kind, self.block, active=active, varies=varies, cell=cell)

    def nest(
        self,
        dims: Sequence[Value],
        inits: Sequence[Value],
        body: Callable[[list[Value], list[Value]], list[Value]],
    ) -> list[Value]:
        """Build loops over all indices of a shape, the last index fastest."""

        def level(axis: int, index: list[Value], carried: list[Value]) -> list[Value]:
            if axis == len(dims):
                return body(index, carried)

            def inner(i: Value, c: list[Value]) -> list[Value]:
                return level(axis + 1, [*index, i], c)

            if dims[axis].number in self.pieces:
                return self._piecewise(self.pieces[dims[axis].number], carried, inner)
            if dims[axis].number in self.factors:
                return self._nested(self.factors[dims[axis].number], carried, inner)
            zero, one = self.constant(0), self.constant(1)
            return self.loop(zero, dims[axis], one, carried, inner, "ijkl"[axis % 4])

        return level(0, [], list(inits))

    def is_composed(self, size: Value) -> bool:
        """Tell whether a size is that of an axis that is made of others."""
        return size.number in self.pieces or size.number in self.factors

    def place_in(self, made: str, sizes: Sequence[Value], index: Value) -> Any:
        """Return where an index into an axis that is made of others leads; None where no loop over it told."""
        return self.places.get((made, *map(self.ident, sizes), self.ident(index)))

    def position(self, index: Sequence[Value], dims: Sequence[Value]) -> Value:
        """Return the position of an element in a row of all."""
        position = self.constant(0)
        for i, size in zip(index, dims, strict=True):
            if size.constant != 1:
                position = self.scalar("add", self.scalar("mul", position, size), i)
        return position

    def _nested(
        self, sizes: tuple[Value, ...], carried: list[Value], body: Callable[[Value, list[Value]], list[Value]]
    ) -> list[Value]:
        """Build the loops of an axis that is made of others, one within the other."""

        def inner(own: list[Value], c: list[Value]) -> list[Value]:
            index = self.position(own, sizes)
            self.places["nested", *map(self.ident, sizes), self.ident(index)] = own
            return body(index, c)

        return self.nest(sizes, carried, inner)

    def _piecewise(
        self, sizes: tuple[Value, ...], carried: list[Value], body: Callable[[Value, list[Value]], list[Value]]
    ) -> list[Value]:
        """Build one loop for each piece of an axis; a piece of one element needs none."""
        zero, one = self.constant(0), self.constant(1)
        offset = zero
        for k, size in enumerate(sizes):

            def inner(i: Value, c: list[Value], k: int = k, offset: Value = offset) -> list[Value]:
                index = self.scalar("add", offset, i)
                self.places["joined", *map(self.ident, sizes), self.ident(index)] = k, i
                return body(index, c)

            carried = inner(zero, carried) if size.constant == 1 else self.loop(zero, size, one, carried, inner)
            offset = self.scalar("add", offset, size)
        return carried

    def unroll(
        self,
        dims: Sequence[Value],
        inits: Sequence[Value],
        body: Callable[[list[Value], list[Value]], list[Value]],
    ) -> list[Value]:
        """Do what `nest` does without loops; the shape is known."""
        carried = list(inits)
        for index in itertools.product(*(range(size.constant) for size in dims)):
            carried = body([self.constant(i) for i in index], carried)
        return carried

    def side(self, build: Callable[[], Any]) -> tuple[Block, Any]:
        """Build one side of a branch."""
        block = Block("branch", self.block)
        with self.at(block):
            return block, build()

    def join(self, condition: Value, then: Block, other: Block, pairs: Sequence[tuple[Value, Value]]) -> list[Value]:
        """Close a branch; return the merged values of pairs of numbers."""
        outs, then_values, else_values, result = [], [], [], []
        for a, b in pairs:
            if a is b or (a.constant is not None and self.ident(a) == self.ident(b)):
                result.append(a)
                continue
            kind = promote(a.kind, b.kind)
            active, varies = kind == "f" and (a.active or b.active), condition.varies or a.varies or b.varies
            hint, cell = a.hint or b.hint or "v", max(a.cell, b.cell)
            out = self.value(hint, kind, self.block, active=active, varies=varies, cell=cell)
            if kind == "b" and any(v.number in self.decided_by_active for v in (a, b, condition)):
                self.decided_by_active.add(out.number)
            outs.append(out)
            then_values.append(a)
            else_values.append(b)
            result.append(out)
        self.append(If(outs, condition, then, other, then_values, else_values))
        return result

    def select(self, condition: Value, then: Callable[[], Value], other: Callable[[], Value]) -> Value:
        """Evaluate one of two expressions."""
        if condition.constant is not None:
            return then() if condition.constant else other()
        then_block, a = self.side(then)
        else_block, b = self.side(other)
        return self.join(condition, then_block, else_block, [(a, b)])[0]


def value_varies(x: Value) -> bool:
    """Tell whether a number, or what an array holds, may depend on parameters."""
    return x.varies or (x.storage is not None and x.storage.varies)

"""Builds a program: folds constants, shares equal expressions, hoists what does not change out of loops."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import numpy as np

from nbinfer.autodiff.errors import ADError, Notice, Place
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
    Op,
    Primitive,
    Scalar,
    Storage,
    Store,
    Value,
    View,
    promote,
)
from nbinfer.autodiff.rules import ARITHMETIC, RULES


#: Where the engine's own functions lie.
_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Restart(Exception):
    """Something assumed while building turned out wrong; build again with what is known now."""


class Builder:
    """A program under construction.

    What a loop carries may turn out to be active, or a float, only at the end of its body. Such findings are kept in
    `facts` and the program is built again, until nothing changes.

    Attributes
    ----------
    block : Block
        Where operations are appended.
    names : dict
        Objects that generated code finds among its globals.
    notices : list of Notice
        Derivatives that vanish silently.
    captured : list of Value
        Arrays among those objects.
    weight : str
        How generated code spells the weight of the term that is being built; '' for 1.
    """

    def __init__(self, facts: dict[Hashable, Any]) -> None:
        self.facts = facts
        self.top = Block("top", None)
        self.block = self.top
        self.names: dict[str, Any] = {}
        self.notices: list[Notice] = []
        self.captured: list[Value] = []
        self.weight = ""
        self._values = 0
        self._ops = 0
        self._keys: dict[Hashable, int] = {}
        self._decided_by_active: set[int] = set()

    # What the frontend supplies -----------------------------------------------------------------------------------

    def place(self) -> Place | None:
        """Return the line that is being read."""
        return None

    def path(self) -> Hashable:
        """Return what identifies that line among all calls, the same in each build."""
        return ()

    def error(self, message: str, node: Any = None) -> ADError:
        """Make an exception that points to the line being read."""
        return ADError(message, self.place())

    def key(self, tag: str) -> Hashable:
        """Return a key of something at the line being read, the same in each build."""
        base = (self.path(), tag)
        self._keys[base] = self._keys.get(base, 0) + 1
        return (*base, self._keys[base])

    def learn(self, key: Hashable, fact: Any) -> None:
        """Note a fact; build again if it is new."""
        if self.facts.get(key) != fact:
            self.facts[key] = fact
            raise Restart

    def notice(self, message: str) -> None:
        """Note that a derivative vanishes on the line being read."""
        place = self.place()
        if place is not None and not place.file.startswith(_OWN_FOLDER):  # what the engine cuts, it means to cut
            note = Notice(message, place.file, place.line, place.text)
            if note not in self.notices:
                self.notices.append(note)

    # Values and places --------------------------------------------------------------------------------------------

    def value(self, hint: str, kind: str, block: Block, **named: Any) -> Value:
        """Make a new value."""
        self._values += 1
        return Value(self._values, hint, kind, block, **named)

    def constant(self, number: Any) -> Value:
        """Return a value that is known."""
        if isinstance(number, (bool, np.bool_)):
            return Value(0, "", "b", self.top, constant=bool(number))
        if isinstance(number, (int, np.integer)):
            return Value(0, "", "i", self.top, constant=int(number))
        return Value(0, "", "f", self.top, constant=float(number))

    def append(self, op: Op, block: Block | None = None) -> None:
        """Put an operation at the end of a block."""
        self._ops += 1
        op.order = self._ops
        op.block = block or self.block
        op.block.ops.append(op)

    def outermost(self, args: Sequence[Value]) -> Block:
        """Return the outermost block around here in which all of these are known; branches are not left."""
        depth = max((arg.block.depth for arg in args), default=0)
        block = self.block
        while block.role == "loop" and block.depth > depth:
            assert block.parent is not None
            block = block.parent
        return block

    @contextlib.contextmanager
    def at(self, block: Block) -> Iterator[None]:
        """Append to another block for a while."""
        saved, self.block = self.block, block
        try:
            yield
        finally:
            self.block = saved

    def _known(self, key: Hashable, block: Block | None) -> Value | None:
        while block is not None:
            if key in block.known:
                return block.known[key]
            block = block.parent
        return None

    @staticmethod
    def _ident(value: Value) -> Hashable:
        return (value.kind, repr(value.constant)) if value.constant is not None else value.number

    # Scalars ------------------------------------------------------------------------------------------------------

    def scalar(self, name: str, *args: Value) -> Value:
        """Apply a scalar rule."""
        if name in ("bitand", "bitor", "bitxor") and all(a.kind == "b" for a in args):
            name = {"bitand": "and", "bitor": "or", "bitxor": "xor"}[name]
        if name == "bool":
            return args[0] if args[0].kind == "b" else self.scalar("ne", args[0], self.constant(0))
        if name in ARITHMETIC and any(a.kind == "b" for a in args):
            to_float = name == "div" or any(a.kind == "f" for a in args)
            args = tuple(self._number(a, to_float) if a.kind == "b" else a for a in args)
        simpler = self._simplify(name, args)
        if simpler is not None:
            return simpler
        rule = RULES[name]
        if args and all(a.constant is not None for a in args):
            folded = rule.fold([a.constant for a in args])
            if folded is not None and not isinstance(folded, complex):
                return self.constant(folded)
        block = self.outermost(args)
        key = (name, *map(self._ident, args))
        known = self._known(key, block)
        if known is not None:
            return known
        kind = rule.result_kind([a.kind for a in args])
        touched = any(a.active for a in args)
        active = kind == "f" and bool(rule.partials) and touched
        if rule.cuts and touched:
            self.notice(rule.cuts)
        out = self.value("v", kind, block, active=active)
        if kind == "b" and (touched or any(a.number in self._decided_by_active for a in args)):
            self._decided_by_active.add(out.number)
        self.append(Scalar(rule, out, list(args)), block)
        block.known[key] = out
        return out

    def _number(self, flag: Value, to_float: bool) -> Value:
        if flag.number in self._decided_by_active and flag.constant is None:
            self.notice("a comparison used as a number has derivative 0")
        return self.scalar("bool_to_float" if to_float else "bool_to_int", flag)

    def to_float(self, value: Value) -> Value:
        """Convert a number to float."""
        if value.kind == "f":
            return value
        return self._number(value, True) if value.kind == "b" else self.scalar("float", value)

    def _simplify(self, name: str, args: Sequence[Value]) -> Value | None:
        first = args[0]
        second = args[1] if len(args) > 1 else first
        a, b = first.constant, second.constant
        if name == "pow" and b is not None:
            return self._power(first, b)
        if name in ("add", "mul"):
            neutral = 0 if name == "add" else 1
            kind = promote(first.kind, second.kind)
            if a is not None and a == neutral and second.kind == kind:
                return second
            if b is not None and b == neutral and first.kind == kind:
                return first
        if name == "sub" and b is not None and b == 0 and first.kind == promote(first.kind, second.kind):
            return first
        if name == "float" and first.kind == "f":
            return first
        if name in ("float", "int") and first.kind == "b":
            return self._number(first, name == "float")
        if name == "int" and first.kind == "i":
            return first
        if name in ("floor", "ceil", "round", "trunc") and first.kind == "i":
            return self.scalar("float", first)
        if name in ("fmax", "fmin"):
            if name == "fmax" and b is not None and b == -math.inf:
                return self.scalar("nan_to_minus_inf", self.to_float(first))
            if name == "fmax" and a is not None and a == -math.inf:
                return self.scalar("nan_to_minus_inf", self.to_float(second))
            if first.kind != "f" and second.kind != "f":
                return self.scalar(name[1:], *args)
        if name == "div":
            if a is None and b is not None and b != 0 and abs(math.frexp(b)[0]) == 0.5:
                return self.scalar("mul", self.to_float(first), self.constant(1.0 / b))
            # Division by what does not change in the loop becomes a multiplication.
            if a is None and self.outermost([second]).depth < self.outermost(args).depth and b is None:
                return self.scalar("mul", first, self.scalar("div", self.constant(1.0), second))
        return None

    def _power(self, base: Value, exponent: Any) -> Value | None:
        if exponent == 2:
            return self.scalar("square", base)
        if exponent == 1:
            return base if isinstance(exponent, int) else self.to_float(base)
        if exponent == 0.5:
            return self.scalar("sqrt", base)
        if exponent == -1:
            return self.scalar("div", self.constant(1.0), base)
        if exponent == -2:
            return self.scalar("reciprocal_square", self.to_float(base))
        if isinstance(exponent, float) and exponent.is_integer() and abs(exponent) <= 64:
            return self.scalar("pow", self.to_float(base), self.constant(int(exponent)))
        if isinstance(exponent, int) and exponent < 0 and base.kind != "f":
            return self.scalar("pow", self.to_float(base), self.constant(exponent))
        return None

    def custom(self, function: str, pullback: str, args: Sequence[Value]) -> Value:
        """Apply a scalar function whose derivative the user gave."""
        out = self.value("v", "f", self.block, active=any(a.active for a in args))
        self.append(Custom(function, pullback, out, list(args)))
        return out

    def call(self, function: str, kinds: Sequence[tuple[str, int]], args: Sequence[Value], is_tuple: bool) -> list[Value]:
        """Call a compiled function of inactive values."""
        outs = []
        for kind, ndim in kinds:
            storage = Storage(False, False, self.block) if ndim else None
            outs.append(self.value("v", kind, self.block, ndim=ndim, storage=storage))
        op = Call(function, outs, list(args), is_tuple)
        self.append(op)
        for arg in args:
            if arg.storage is not None:
                arg.storage.reads.append(op)
        return outs

    # Arrays -------------------------------------------------------------------------------------------------------

    def load(self, array: Value, index: Sequence[Value]) -> Value:
        """Read an element."""
        storage = array.storage
        assert storage is not None
        key: tuple[Hashable, ...] = ("load", array.number, *map(self._ident, index))
        if storage.mutable:
            block = self.block
            key += (len(storage.stores),)
            if key in block.known:
                return block.known[key]
        else:
            block = self.outermost([array, *index])
            known = self._known(key, block)
            if known is not None:
                return known
        where = "_".join(str(i.constant) if i.constant is not None else i.hint for i in index)
        hint = f"{array.hint}_{where}".replace("-", "m")
        out = self.value(hint, array.kind, block, active=storage.active and array.kind == "f")
        op = Load(out, array, list(index), block is not self.block)
        self.append(op, block)
        storage.reads.append(op)
        block.known[key] = out
        return out

    def store(self, array: Value, index: Sequence[Value], value: Value, sign: int = 0, first: bool = False) -> None:
        """Write an element, or add to it; `first` for the writes that make an array which nobody writes to later."""
        storage = array.storage
        assert storage is not None
        if not storage.mutable and not first:
            name = repr(array.hint)
            raise self.error(
                f"cannot write to {name}: only arrays made in the function may be written to; "
                f"make a copy first, {array.hint}_new = np.empty({array.hint}.shape), and fill it in a loop"
            )
        if value.active and array.kind != "f":
            self.notice("a parameter written to an integer array has derivative 0")
        elif value.active and not storage.active:
            if first:
                storage.active = array.active = True
            else:
                self.learn(("storage", storage.key), True)
        self.append(store := Store(array, list(index), value, sign))
        storage.stores.append(store)
        if value.kind == array.kind and not sign:
            key = ("load", array.number, *map(self._ident, index), len(storage.stores))
            self.block.known[key] = value

    def dim(self, array: Value, axis: int) -> Value:
        """Return the size of an array along an axis."""
        key = ("dim", array.number, axis)
        block = self.outermost([array])
        known = self._known(key, block)
        if known is not None:
            return known
        out = self.value(f"n_{array.hint}", "i", block)
        self.append(Dim(out, array, axis), block)
        block.known[key] = out
        return out

    def alloc(self, dims: Sequence[Value], kind: str, how: str, hint: str = "a", mutable: bool = True) -> Value:
        """Make an array."""
        key = self.key("array")
        active = kind == "f" and bool(self.facts.get(("storage", key)))
        storage = Storage(active, mutable, self.block, key)
        out = self.value(hint, kind, self.block, ndim=len(dims), active=active, storage=storage)
        self.append(Alloc(out, list(dims), how))
        for axis, dim in enumerate(dims):
            self.block.known["dim", out.number, axis] = dim
        return out

    def view(self, array: Value, pattern: str, parts: Sequence[Value], ndim: int, dims: dict[int, Value]) -> Value:
        """Make a view; `dims` are sizes that it shares with the array."""
        assert array.storage is not None
        block = self.outermost([array, *parts])
        key = ("view", array.number, pattern, *map(self._ident, parts))
        known = self._known(key, block)
        if known is not None:
            return known
        out = self.value(array.hint, array.kind, block, ndim=ndim, active=array.storage.active, storage=array.storage)
        self.append(View(out, array, pattern, list(parts)), block)
        block.known[key] = out
        for axis, dim in dims.items():
            block.known["dim", out.number, axis] = dim
        return out

    def primitive(self, primitive: Any, args: Sequence[Value], dims: Sequence[Value]) -> Value:
        """Apply a whole-array function."""
        active = any(a.active for a in args)
        storage = Storage(active, False, self.block) if dims else None
        out = self.value(primitive.name, "f", self.block, ndim=len(dims), active=active, storage=storage)
        op = Primitive(primitive, out, list(args))
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
        block = self.outermost([left, right])
        key = ("equal", *sorted(map(repr, (self._ident(left), self._ident(right)))))
        if self._known(key, block) is None:
            self.append(Check([], [left, right]), block)
            block.known[key] = left

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
    ) -> list[Value]:
        """Build a counted loop; `body` takes the index and what is carried, and returns what is carried on."""
        key = self.key("loop")
        block = Block("loop", self.block)
        index = self.value(hint, "i", block)
        phis = []
        for j, init in enumerate(inits):
            kind, active = self.facts.get((key, j), (init.kind, init.active))
            phi_hint = hints[j] if hints else "s"
            phis.append(self.value(phi_hint, promote(kind, init.kind), block, active=active or init.active))
        op = For(start, stop, step, index, phis, list(inits), block)
        with self.at(block):
            op.nexts = body(index, phis)
        for j, (phi, following) in enumerate(zip(phis, op.nexts, strict=True)):
            kind = promote(phi.kind, following.kind)
            active = kind == "f" and (phi.active or following.active)
            if (kind, active) != (phi.kind, phi.active):
                self.learn((key, j), (kind, active))
        op.outs = [self.value(phi.hint, phi.kind, self.block, active=phi.active) for phi in phis]
        for out in op.outs:
            out.op = op
        self.append(op)
        return op.outs

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
            zero, one = self.constant(0), self.constant(1)
            return self.loop(zero, dims[axis], one, carried, lambda i, c: level(axis + 1, [*index, i], c), "ijkl"[axis % 4])

        return level(0, [], list(inits))

    def side(self, build: Callable[[], Any]) -> tuple[Block, Any]:
        """Build one side of a branch."""
        block = Block("branch", self.block)
        with self.at(block):
            return block, build()

    def join(self, condition: Value, then: Block, other: Block, pairs: Sequence[tuple[Value, Value]]) -> list[Value]:
        """Close a branch; return the merged values of pairs of numbers."""
        outs, then_values, else_values, result = [], [], [], []
        for a, b in pairs:
            if a is b:
                result.append(a)
                continue
            kind = promote(a.kind, b.kind)
            out = self.value(a.hint or b.hint or "v", kind, self.block, active=kind == "f" and (a.active or b.active))
            if kind == "b" and any(v.number in self._decided_by_active for v in (a, b, condition)):
                self._decided_by_active.add(out.number)
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

"""Builds programs of numbers: folds constants, shares equal expressions, hoists what does not change out of loops."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np

from nbinfer.autodiff.errors import ADError, Notice, Place
from nbinfer.autodiff.ir import Block, Op, Scalar, Value, promote
from nbinfer.autodiff.rules import CHOICES, RULES
from nbinfer.autodiff.spellings import ARITHMETIC

#: Rule -> method that knows when it can be done without.
_SIMPLER = {
    "pow": "_simpler_power",
    **dict.fromkeys(("add", "sub", "mul"), "_simpler_sum"),
    "div": "_simpler_ratio",
    **dict.fromkeys(("float", "int"), "_simpler_number"),
    "inert": "_simpler_passing",
    **dict.fromkeys(("floor", "ceil", "round", "trunc", "is_whole"), "_simpler_rounding"),
    **dict.fromkeys(("whole_floor", "whole_ceil", "whole_round", "whole_trunc"), "_simpler_rounding"),
    **dict.fromkeys(("and", "or"), "_simpler_logic"),
    "where_valid": "_simpler_validity",
    **dict.fromkeys(("fmax", "fmin", "maximum", "minimum"), "_simpler_extreme"),
}

#: Where the engine's own functions lie.
_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def is_own(file: str) -> bool:
    """Tell whether a file is one of the engine's own."""
    return file.startswith(_OWN_FOLDER)


class ScalarBuilder:
    """A program of numbers under construction.

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
    stale : bool
        Whether something was found that changes what was built before.
    muted : int
        Notices are not taken while this is not 0: where elements of expressions are computed, long after the line that
        wrote them.
    weight : str
        How generated code spells the weight of the term that is being built; '' for 1.
    conditional : bool
        Whether the line being read runs, or how often it does, depends on parameters.
    tried : bool
        Whether plain Python runs the program with its data before, as when a model is bound to them.
    """

    def __init__(self, facts: dict[Hashable, Any]) -> None:
        self.facts = facts
        self.top = Block("top", None)
        self.block = self.top
        self.names: dict[str, Any] = {}
        self.notices: list[Notice] = []
        self.captured: list[Value] = []
        self.weight = ""
        self.muted = 0
        self.stale = False
        self.conditional = False
        self.tried = True
        self._values = 0
        self._ops = 0
        self._keys: dict[Hashable, int] = {}
        self.decided_by_active: set[int] = set()

    # What the frontend supplies -----------------------------------------------------------------------------------

    def place(self) -> Place | None:
        """Return the line that is being read."""
        return None

    @property
    def reads_own(self) -> bool:
        """Whether the line being read is one of the engine's own."""
        place = self.place()
        return place is not None and is_own(place.file)

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
        """Note a fact; if it is new, the program is to be built again."""
        if self.facts.get(key) != fact:
            self.facts[key] = fact
            self.stale = True

    def notice(self, message: str) -> None:
        """Note that a derivative vanishes on the line being read."""
        place = None if self.muted else self.place()
        if place is not None and not self.reads_own:  # what the engine cuts, it means to cut
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

    @contextlib.contextmanager
    def under(self, *conditions: Value) -> Iterator[None]:
        """Read for a while what runs only under conditions."""
        saved, self.conditional = self.conditional, self.conditional or any(c.varies for c in conditions)
        try:
            yield
        finally:
            self.conditional = saved

    def lookup(self, key: Hashable, block: Block | None) -> Value | None:
        """Return what a key stands for in a block or around it."""
        while block is not None:
            if key in block.known:
                return block.known[key]
            block = block.parent
        return None

    @staticmethod
    def ident(value: Value) -> Hashable:
        """Return what tells a value from others."""
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
        if name in CHOICES and args[0].kind != "b":
            args = (self.scalar("bool", args[0]), *args[1:])
        simpler = self._simplify(name, args)
        if simpler is not None:
            return simpler
        rule = RULES[name]
        if args and all(a.constant is not None for a in args):
            folded = rule.fold([a.constant for a in args])
            if folded is not None and not isinstance(folded, complex):
                return self.constant(folded)
        block = self.outermost(args)
        key = (name, *map(self.ident, args))
        known = self.lookup(key, block)
        if known is not None:
            return known
        kind = rule.result_kind([a.kind for a in args])
        touched = any(a.active for a in args)
        active = kind == "f" and bool(rule.partials) and touched
        if rule.cuts and touched:
            self.notice(rule.cuts)
        out = self.value("v", kind, block, active=active, varies=any(a.varies for a in args))
        if kind == "b" and (touched or any(a.number in self.decided_by_active for a in args)):
            self.decided_by_active.add(out.number)
        self.append(Scalar(rule, out, list(args)), block)
        block.known[key] = out
        return out

    def another(self, value: Value) -> Value:
        """Return a number that is equal to another, and not the same."""
        if value.constant is not None:
            return self.constant(value.constant)
        if value.kind == "b":
            return value
        active = value.kind == "f" and value.active
        out = self.value("v", value.kind, self.block, active=active, varies=value.varies)
        self.append(Scalar(RULES["float" if value.kind == "f" else "int"], out, [value]))
        return out

    def _number(self, flag: Value, to_float: bool) -> Value:
        if flag.number in self.decided_by_active and flag.constant is None:
            self.notice("a comparison used as a number has derivative 0")
        return self.scalar("bool_to_float" if to_float else "bool_to_int", flag)

    def to_float(self, value: Value) -> Value:
        """Convert a number to float."""
        if value.kind == "f":
            return value
        return self._number(value, True) if value.kind == "b" else self.scalar("float", value)

    def _simplify(self, name: str, args: Sequence[Value]) -> Value | None:
        """Return what an operation is without it, or by one that costs less; None if it is to stand."""
        if name not in _SIMPLER:
            return None
        simpler: Value | None = getattr(self, _SIMPLER[name])(name, args[0], args[-1])
        return simpler

    def _simpler_sum(self, name: str, first: Value, second: Value) -> Value | None:
        neutral = 1 if name == "mul" else 0
        kind, a, b = promote(first.kind, second.kind), first.constant, second.constant
        if name != "sub" and a is not None and a == neutral and second.kind == kind:
            return second
        return first if b is not None and b == neutral and first.kind == kind else None

    def _simpler_ratio(self, name: str, first: Value, second: Value) -> Value | None:
        a, b = first.constant, second.constant
        if a is None and b is not None and b != 0 and abs(math.frexp(b)[0]) == 0.5:
            return self.scalar("mul", self.to_float(first), self.constant(1.0 / b))
        # Division by what does not change in the loop becomes a multiplication.
        if a is None and self.outermost([second]).depth < self.outermost([first, second]).depth and b is None:
            return self.scalar("mul", first, self.scalar("div", self.constant(1.0), second))
        return None

    def _simpler_number(self, name: str, value: Value, _: Value) -> Value | None:
        if value.kind == "b":
            return self._number(value, name == "float")
        return value if value.kind == name[0] else None

    def _simpler_passing(self, name: str, value: Value, _: Value) -> Value | None:
        return None if value.active else value

    def _simpler_rounding(self, name: str, value: Value, _: Value) -> Value | None:
        if name == "is_whole":
            return self.constant(True) if value.kind != "f" else None
        return self.scalar("float", value) if value.kind == "i" else None

    def _simpler_logic(self, name: str, first: Value, second: Value) -> Value | None:
        a, b = first.constant, second.constant
        if a is None and b is None:
            return None
        known, other = (a, second) if a is not None else (b, first)
        return other if known == (name == "and") else self.constant(known)

    def _simpler_validity(self, name: str, condition: Value, value: Value) -> Value | None:
        if condition.constant is None:
            return None
        return self.scalar("nan_to_minus_inf", self.to_float(value)) if condition.constant else self.constant(-math.inf)

    def _simpler_extreme(self, name: str, first: Value, second: Value) -> Value | None:
        for one, other in ((first, second), (second, first)):
            if name == "fmax" and other.constant is not None and other.constant == -math.inf:
                return self.scalar("nan_to_minus_inf", self.to_float(one))
        if first.kind != "f" and second.kind != "f":  # whole numbers are never NaN
            return self.scalar("max" if name in ("fmax", "maximum") else "min", first, second)
        return None

    def _simpler_power(self, name: str, base: Value, power: Value) -> Value | None:
        """Choose the rule of a power by its exponent; None for the general one."""
        exponent = power.constant
        if exponent is None:
            return self.scalar("int_power", base, power) if base.kind == "f" and power.kind == "i" else None
        if exponent == 0:
            return self.constant(1 if base.kind == power.kind == "i" else 1.0)
        if exponent == 1:
            return base if isinstance(exponent, int) else self.to_float(base)
        if exponent == 2:
            return self.scalar("square", base)
        if exponent == 0.5:
            return self.scalar("sqrt", base)
        if exponent == -1:
            return self.scalar("div", self.constant(1.0), base)
        if exponent == -2:
            return self.scalar("reciprocal_square", self.to_float(base))
        is_whole = isinstance(exponent, int) or (exponent.is_integer() and abs(exponent) <= 64)
        if not is_whole or (base.kind != "f" and isinstance(exponent, int) and exponent > 0):
            return None
        rule = "whole_power" if exponent > 0 else "reciprocal_power"
        return self.scalar(rule, self.to_float(base), self.constant(abs(int(exponent))))

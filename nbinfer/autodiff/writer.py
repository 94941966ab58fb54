"""Writes Python source: names and pieces of text."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nbinfer.autodiff.analysis import Analysis
from nbinfer.autodiff.flat import flat_index, flat_name
from nbinfer.autodiff.ir import (
    Block,
    Call,
    Custom,
    For,
    Primitive,
    Require,
    Scalar,
    Storage,
    Value,
    blocks_of,
    literal,
)
from nbinfer.autodiff.rules import one_by_one

_DTYPES = {"f": "np.float64", "i": "np.int64", "b": "np.bool_"}
_ZEROS = {"f": "0.0", "i": "0", "b": "False"}


def called(value: Value) -> str:
    """Name a value in a note: as the user did, or by what computes it."""
    op = value.op
    return op.rule.name if isinstance(op, Scalar) and value.hint == "v" else value.hint


def taken(shape: str, kind: str, how: str = "empty") -> str:
    """Write what takes an array from the arena: "empty", or full of "zeros" or "ones"."""
    return f"_{how}(arena, {shape}, {_DTYPES[kind]})"


def by_number(values: Iterable[Value]) -> list[Value]:
    """Sort values by their order of creation, so that the text is the same in each process."""
    return sorted(values, key=lambda v: v.number)


def by_root(storages: Iterable[Storage]) -> list[Storage]:
    """Sort memory by its order of creation."""
    return sorted(storages, key=lambda s: s.root.number)


def product(*factors: str) -> str:
    """Write a product, without factors 1."""
    sign = ""
    kept: list[str] = []
    for factor in factors:
        if factor.startswith("-") and factor[1:].replace("_", "").replace(".", "").isalnum():
            sign = "" if sign else "-"
            factor = factor[1:]
        if factor != "1.0":
            kept.append(factor if is_atom(factor) else f"({factor})")
    return sign + (" * ".join(kept) if kept else "1.0")


def shifted(value: Value, shift: int) -> str:
    """Write an integer plus a number."""
    return f"{value.name} {'+' if shift > 0 else '-'} {abs(shift)}" if shift else value.name


def is_atom(text: str) -> bool:
    """Tell whether a text can stand as a factor without parentheses."""
    if text.replace("_", "").replace(".", "").isalnum():
        return True
    head, bracket, rest = text.partition("(" if "(" in text else "[")
    if not bracket or not (head.replace("_", "").replace(".", "").isalnum() or head == "") or text[-1] not in ")]":
        return False
    depth = 1
    for k, c in enumerate(rest):
        depth += (c in "([") - (c in ")]")
        if depth == 0:
            return k == len(rest) - 1
    return False


def is_vectorised(block: Block) -> bool:
    """Tell whether the compiler may make vector code of a loop with this body: no loop in it, and no call."""
    if any(isinstance(op, (For, Call, Custom, Primitive, Require)) for op in block.ops):
        return False
    if any(isinstance(op, Scalar) and not op.rule.is_vectorised for op in block.ops):
        return False
    return all(is_vectorised(inner) for op in block.ops for inner in blocks_of(op))


#: What a loop of unknown length fills begins with so many rows, and doubles.
_FIRST_ROWS = 16

#: A loop of fewer turns makes no vector.
SHORT = 8

#: Generated code has names of its own that begin so.
PREFIXES = (
    "tape_", "early_", "late_", "near_", "flat_", "saved_", "undo_", "next_", "trip_", "trips_", "total",
    "weight_", "value", "turn_",
)  # fmt: skip


class Names:
    """Gives readable names to values, each once."""

    def __init__(self, reserved: Iterable[str]) -> None:
        self._taken = {"c0", "c1", "c2", "c3", *reserved, *keyword.kwlist, *vars(builtins), "np", "math"}

    def new(self, hint: str) -> str:
        """Return a free name made from a hint."""
        hint = hint if hint.isidentifier() else "v"
        if hint.startswith(PREFIXES):
            hint = "user_" + hint
        name, count = hint, 1
        while name in self._taken or name + "_bar" in self._taken:
            count += 1
            name = f"{hint}_{count}"
        self._taken |= {name, name + "_bar"}
        return name

    def assign(self, block: Block) -> None:
        """Name everything a block defines."""
        for op in block.ops:
            if isinstance(op, For):
                for value in [op.index, *op.phis]:
                    value.name = self.new(value.hint)
            for inner in blocks_of(op):
                self.assign(inner)
            for value in op.outs:
                value.name = self.new(value.hint)


class Open(NamedTuple):
    """A loop in reverse that is being written: depth of its body, line of its head, indentation of its head."""

    depth: int
    line: int
    indent: int


class Writer:
    """Lines of source.

    `open` are the loops in reverse around the line being written.
    """

    def __init__(self, analysis: Analysis, vectors: bool) -> None:
        self.analysis = analysis
        self.vectors = vectors
        self.lines: list[str] = []
        self.indent = 1
        self.open: list[Open] = []
        self.notes: list[str] = []
        #: Loops whose reverse is being written, or has been.
        self.backwards: set[For] = set()
        #: By endless loops, the tapes that they fill.
        self.growing: dict[For, list[str]] = {}
        #: Whether what is written stands in a loop that the compiler may make vector code of.
        self.vectorised = False

    def line(self, text: str) -> None:
        """Append a line."""
        self.lines.append("    " * self.indent + text)

    # Pieces -------------------------------------------------------------------------------------------------------

    @staticmethod
    def cast(value: Value, kind: str) -> str:
        """Write a value as a number of another kind."""
        if kind != "f" or value.kind == "f":
            return value.name
        if value.constant is not None:
            return literal(float(value.constant))
        return f"float({value.name})" if value.kind == "i" else f"(1.0 if {value.name} else 0.0)"

    def applied(self, template: str, args: Sequence[Value], **bars: str) -> str:
        """Write a template of a rule, with the functions that are fastest where it stands."""
        text = template.format(*(a.name for a in args), **bars)
        return text if self.vectorised else one_by_one(text)

    @staticmethod
    def element(array: Value, index: Sequence[Value], bar: bool = False) -> str:
        """Write an element of an array, or the adjoint of one."""
        name, place = array.bar if bar else array.name, flat_index(array, index)
        return f"{flat_name(name)}[{place}]" if place else f"{name}[{', '.join(i.name for i in index)}]"

    @staticmethod
    def shape(dims: Sequence[Value]) -> str:
        """Write a shape."""
        names = [d.name for d in dims]
        return names[0] if len(names) == 1 else f"({', '.join(names)})"

    def stop(self, op: For) -> Value:
        """Return where a loop stops: in the reverse sweep, where it did."""
        return op.ended if op.ended is not None and op in self.backwards else op.stop

    def trips(self, op: For) -> tuple[bool, str]:
        """Tell whether a loop counts from 0 by 1, and how many times it runs (or less than 0)."""
        step, stop = op.step.constant, self.stop(op).name
        if op.start.constant == 0 and step == 1:
            return True, stop
        if step == 1:
            return False, f"{stop} - {op.start.name}"
        if step > 0:
            return False, f"({stop} - {op.start.name} + {step - 1}) // {step}"
        return False, f"({op.start.name} - {stop} + {-step - 1}) // {-step}"

    def counter(self, op: For) -> str:
        """Return the name of what counts the trips of a loop from 0."""
        return op.index.name if self.trips(op)[0] else f"trip_{op.index.name}"

    def rows(self, op: For) -> str:
        """Write how often a loop runs at most; where that is not known, what it fills grows with it."""
        if op.endless:
            return str(_FIRST_ROWS)
        count = self.trips(op)[1]
        return count if count.isdecimal() else f"max({count}, 0)"

    @property
    def level(self) -> int:
        """Depth of the body of the innermost loop in reverse, or 0."""
        return self.open[-1].depth if self.open else 0

    @staticmethod
    def may_leave(loop: For, around: Open, sizes: Sequence[Value]) -> bool:
        """Tell whether the tape of a loop may be made before a loop in reverse around it.

        One that grows is made where it grows: what a turn of a loop takes is gone when the next one begins.
        """
        return not loop.endless and all(size.block.depth < around.depth for size in sizes)

    def make_tape(self, text: str, loops: Sequence[For], *arrays: Value) -> None:
        """Write the line that makes a tape: before the loops in reverse that change nothing of its size."""
        loop = next(iter(loops))
        sizes = [*(end for loop in loops for end in (loop.start, loop.stop) if end.constant is None), *arrays]
        at = Open(0, len(self.lines), self.indent)
        for around in reversed(self.open):
            if not self.may_leave(loop, around, sizes):
                break
            at = around
        self.lines.insert(at.line, "    " * at.indent + text)
        if loop.endless:
            self.growing.setdefault(loop, []).append(text.partition(" ")[0])
        self.open = [o._replace(line=o.line + 1) if o.line >= at.line else o for o in self.open]

    def head(self, op: For, backwards: bool) -> str:
        """Begin a loop; return the name of its trip counter."""
        short = op.stop.constant is not None and abs(op.stop.constant) < SHORT
        self.vectorised = self.vectors and not short and op.leaves is None and is_vectorised(op.body)
        simple, count = self.trips(op)
        counter = self.counter(op)
        if backwards:
            self.line(f"for {counter} in range({count} - 1, -1, -1):")
        else:
            self.line(f"for {counter} in range({count}):")
        self.indent += 1
        if not simple:
            step = "" if op.step.constant == 1 else f" * {op.step.name}"
            start = "" if op.start.constant == 0 else f"{op.start.name} + "
            self.line(f"{op.index.name} = {start}{counter}{step}")
        return counter

    def begin_turn(self, op: For) -> None:
        """Write, in a turn of a loop, what notes how much of the arena is in use."""
        self.line(f"turn_{op.index.name} = _mark(arena)")

    def end_turn(self, op: For) -> None:
        """Write what gives back to the arena what a turn has taken; nothing, if that is nothing."""
        begun = f"turn_{op.index.name} = _mark(arena)"
        start = next(k for k in reversed(range(len(self.lines))) if self.lines[k].endswith(begun))
        if any("arena" in line for line in self.lines[start + 1 :]):
            self.line(f"_release(arena, turn_{op.index.name})")
        else:
            del self.lines[start]

    def tail(self) -> None:
        """End a loop."""
        self.indent -= 1
        self.vectorised = False

"""Writes Python source: names, pieces of text, and the forward slice of a program."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from nbinfer.autodiff.analysis import Analysis, ForPlan
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
    blocks_of,
    literal,
)
from nbinfer.autodiff.rules import one_by_one

DTYPES = {"f": "np.float64", "i": "np.int64", "b": "np.bool_"}
_ZEROS = {"f": "0.0", "i": "0", "b": "False"}


def _called(value: Value) -> str:
    """Name a value in a note: as the user did, or by what computes it."""
    op = value.op
    return op.rule.name if isinstance(op, Scalar) and value.hint == "v" else value.hint


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
    if any(isinstance(op, (For, Call, Custom, Primitive)) for op in block.ops):
        return False
    if any(isinstance(op, Scalar) and not op.rule.is_vectorised for op in block.ops):
        return False
    return all(is_vectorised(inner) for op in block.ops for inner in blocks_of(op))


#: A loop of fewer turns makes no vector.
SHORT = 8

#: Generated code has names of its own that begin so.
PREFIXES = ("tape_", "early_", "late_", "saved_", "next_", "trip_", "trips_", "total", "weight_", "value")


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
    """Lines of source, and the forward part of a program.

    `open` are the loops in reverse around the line being written.
    """

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.lines: list[str] = []
        self.indent = 1
        self.open: list[Open] = []
        self.saved: set[tuple[Op, Storage]] = set()
        self.notes: list[str] = []
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
    def element(array: str, index: Sequence[Value]) -> str:
        """Write an element of an array."""
        return f"{array}[{', '.join(i.name for i in index)}]"

    @staticmethod
    def shape(dims: Sequence[Value]) -> str:
        """Write a shape."""
        names = [d.name for d in dims]
        return names[0] if len(names) == 1 else f"({', '.join(names)})"

    @staticmethod
    def trips(op: For) -> tuple[bool, str]:
        """Tell whether a loop counts from 0 by 1, and how many times it runs (or less than 0)."""
        step = op.step.constant
        if op.start.constant == 0 and step == 1:
            return True, op.stop.name
        if step == 1:
            return False, f"{op.stop.name} - {op.start.name}"
        if step > 0:
            return False, f"({op.stop.name} - {op.start.name} + {step - 1}) // {step}"
        return False, f"({op.start.name} - {op.stop.name} + {-step - 1}) // {-step}"

    @classmethod
    def counter(cls, op: For) -> str:
        """Return the name of what counts the trips of a loop from 0."""
        return op.index.name if cls.trips(op)[0] else f"trip_{op.index.name}"

    @classmethod
    def rows(cls, op: For) -> str:
        """Write how often a loop runs."""
        count = cls.trips(op)[1]
        return count if count.isdecimal() else f"max({count}, 0)"

    @property
    def level(self) -> int:
        """Depth of the body of the innermost loop in reverse, or 0."""
        return self.open[-1].depth if self.open else 0

    def make_tape(self, text: str, loops: Iterable[For], *arrays: Value) -> None:
        """Write the line that makes a tape: before the loops in reverse that change nothing of its size."""
        sizes = [*(end for loop in loops for end in (loop.start, loop.stop) if end.constant is None), *arrays]
        at = Open(0, len(self.lines), self.indent)
        for around in reversed(self.open):
            if any(size.block.depth >= around.depth for size in sizes):
                break
            at = around
        self.lines.insert(at.line, "    " * at.indent + text)
        self.open = [o._replace(line=o.line + 1) if o.line >= at.line else o for o in self.open]

    def head(self, op: For, backwards: bool) -> str:
        """Begin a loop; return the name of its trip counter."""
        short = op.stop.constant is not None and abs(op.stop.constant) < SHORT
        self.vectorised = not short and is_vectorised(op.body)
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

    def tail(self) -> None:
        """End a loop."""
        self.indent -= 1
        self.vectorised = False

    @staticmethod
    def copy_name(storage: Storage, op: Op) -> str:
        """Return the name of a copy of memory made before an operation."""
        return f"saved_{storage.root.name}_{op.order}"

    @staticmethod
    def tape_name(storage: Storage, op: For) -> str:
        """Return the name of the tape of copies that a loop makes."""
        return f"tape_{storage.root.name}_{op.index.name}"

    @staticmethod
    def sizes(array: Value) -> str:
        """Write the shape of an array."""
        return f"({', '.join(f'{array.name}.shape[{axis}]' for axis in range(array.ndim))},)"

    def copy(self, array: Value, target: str, source: str) -> None:
        """Write loops over an array that copy: Numba takes long to compile an assignment of slices."""
        counters = [f"c{axis}" for axis in range(array.ndim)]
        for axis, counter in enumerate(counters):
            self.line("    " * axis + f"for {counter} in range({array.name}.shape[{axis}]):")
        index = ", ".join(counters)
        self.line("    " * array.ndim + f"{target.format(index)} = {source.format(index)}")

    # Forward ------------------------------------------------------------------------------------------------------

    def forward(self, run: list[tuple[Op, Any]], shadows: bool) -> None:
        """Write operations; with `shadows`, a reverse sweep over them follows."""
        for op, plan in run:
            if shadows and isinstance(op, (Store, For, If)):
                self._save(op, plan)
            kept = self.analysis.kept.get(op.out) if isinstance(op, (Scalar, Custom)) else None
            element = f"tape_{op.out.name}[{', '.join(map(self.counter, kept.loops))}]" if kept else ""
            if kept and kept.level < self.level:
                self.line(f"{op.out.name} = {element}")
                continue
            getattr(self, "_" + type(op).__name__.lower())(op, plan, shadows)
            if kept and kept.level == self.level:
                self.line(f"{element} = {op.out.name}")

    def _save(self, op: Store | For | If, plan: Any) -> None:
        for storage in by_root(self.analysis.hazards(op.block).get(op, ())):
            if isinstance(op, For) and storage in plan.copies:
                continue  # the reverse of the loop puts it back
            self.saved.add((op, storage))
            name = self.copy_name(storage, op)
            if isinstance(op, Store):
                self.line(f"{name} = {self.element(op.array.name, op.index)}")
            else:
                array = self.analysis.changed(op, storage)
                self.line(f"{name} = np.empty({self.sizes(array)}, {DTYPES[array.kind]})")
                self.copy(array, f"{name}[{{}}]", f"{array.name}[{{}}]")
                self.notes.append(f"{storage.root.hint}: copied before it is overwritten")

    def _scalar(self, op: Scalar, plan: Any, shadows: bool) -> None:
        self.line(f"{op.out.name} = {self.applied(op.rule.value, op.args)}")

    def _custom(self, op: Custom, plan: Any, shadows: bool) -> None:
        self.line(f"{op.out.name} = {op.function}({', '.join(a.name for a in op.args)})")

    def _call(self, op: Call, plan: Any, shadows: bool) -> None:
        names = ", ".join(o.name for o in op.outs) + ("," if op.is_tuple and len(op.outs) == 1 else "")
        self.line(f"{names} = {op.function}({', '.join(a.name for a in op.args)})")

    def _load(self, op: Load, plan: Any, shadows: bool) -> None:
        self.line(f"{op.out.name} = {self.element(op.array.name, op.index)}")

    def _store(self, op: Store, plan: Any, shadows: bool) -> None:
        sign = {0: "=", 1: "+=", -1: "-="}[op.sign]
        self.line(f"{self.element(op.array.name, op.index)} {sign} {op.value.name}")

    def _view(self, op: View, plan: Any, shadows: bool) -> None:
        where = op.pattern.format(*(a.name for a in op.args[1:]))
        self.line(f"{op.out.name} = {op.args[0].name}{where}")
        if shadows and op.out.active:
            self.line(f"{op.out.bar} = {op.args[0].bar}{where}")

    def _alloc(self, op: Alloc, plan: Any, shadows: bool) -> None:
        shape = self.shape(op.args)
        dtype = "" if op.out.kind == "f" else f", {DTYPES[op.out.kind]}"
        self.line(f"{op.out.name} = np.{op.how}({shape}{dtype})")
        if shadows and op.out.active:
            self.line(f"{op.out.bar} = np.zeros({shape})")

    def _dim(self, op: Dim, plan: Any, shadows: bool) -> None:
        self.line(f"{op.out.name} = {op.args[0].name}.shape[{op.axis}]")

    def _primitive(self, op: Primitive, plan: Any, shadows: bool) -> None:
        self.line(f"{op.out.name} = {op.primitive.value.format(*(a.name for a in op.args))}")
        if shadows and op.out.active and op.out.ndim:
            self.line(f"{op.out.bar} = _zeros_like({op.out.name})")

    def _guard(self, op: Guard, plan: Any, shadows: bool) -> None:
        raise NotImplementedError

    def _check(self, op: Check, plan: Any, shadows: bool) -> None:
        left, right = (a.name for a in op.args)
        self.line(f"if {left} != {right}:")
        self.line('    raise ValueError("shapes do not fit")')

    def _if(self, op: If, plan: Any, shadows: bool) -> None:
        for head, run, (_, values) in zip((f"if {op.args[0].name}:", "else:"), plan.sides, op.sides, strict=True):
            outs = [f"{op.outs[j].name} = {self.cast(values[j], op.outs[j].kind)}" for j in sorted(plan.outs)]
            if head == "else:" and not run and not outs:
                continue
            self.line(head)
            self.indent += 1
            self.forward(run, shadows)
            for text in outs:
                self.line(text)
            if not run and not outs:
                self.line("pass")
            self.indent -= 1

    def row(self, storage: Storage, op: For, counter: str) -> str:
        """Write an element of the copy of memory that an iteration of a loop finds; {} is the index."""
        return f"{self.tape_name(storage, op)}[{'' if self.analysis.apart(op, storage) else counter + ', '}{{}}]"

    def _tape(self, op: For, storage: Storage) -> None:
        """Make room for copies of memory that a loop changes; one will do if iterations do not meet in it."""
        array, name = self.analysis.changed(op, storage), self.tape_name(storage, op)
        if self.analysis.apart(op, storage):
            self.line(f"{name} = np.empty({self.sizes(array)}, {DTYPES[array.kind]})")
            self.copy(array, self.row(storage, op, ""), f"{array.name}[{{}}]")
            self.notes.append(f"{array.hint}: copied before the loop over {op.index.hint}")
        else:
            shape = f"({self.rows(op)}, {self.sizes(array)[1:-2]})"
            self.make_tape(f"{name} = np.empty({shape}, {DTYPES[array.kind]})", [op], array)
            self.notes.append(f"{array.hint}: copied at the start of each iteration of the loop over {op.index.hint}")

    def _make_tapes(self, op: For, plan: ForPlan) -> None:
        """Make what a loop fills for the reverse sweep, and tell what that is."""
        for j in sorted(plan.tapes):
            phi = op.phis[j]
            self.make_tape(f"tape_{phi.name} = np.empty({self.rows(op)}, {DTYPES[phi.kind]})", [op])
            self.notes.append(f"{phi.hint}: taped, one number per iteration of the loop over {op.index.hint}")
        for storage in by_root(plan.copies):
            self._tape(op, storage)
        for value in by_number(self.analysis.kept):
            level, loops = self.analysis.kept[value]
            if loops[0] is op and level == self.level:
                shape = f"({', '.join(map(self.rows, loops))})" if len(loops) > 1 else self.rows(op)
                self.make_tape(f"tape_{value.name} = np.empty({shape}, {DTYPES[value.kind]})", loops)
                over = ", ".join(loop.index.hint for loop in loops)
                self.notes.append(f"{_called(value)}: taped, computed once per iteration of the loop over {over}")

    def _for(self, op: For, plan: ForPlan, shadows: bool) -> None:
        self._make_tapes(op, plan)
        for j in sorted(plan.carried):
            self.line(f"{op.phis[j].name} = {self.cast(op.inits[j], op.phis[j].kind)}")
        counter = self.head(op, False)
        size = len(self.lines)
        for j in sorted(plan.tapes):
            self.line(f"tape_{op.phis[j].name}[{counter}] = {op.phis[j].name}")
        for storage in by_root(plan.copies):
            if not self.analysis.apart(op, storage):
                array = self.analysis.changed(op, storage)
                self.copy(array, self.row(storage, op, counter), f"{array.name}[{{}}]")
        self.forward(plan.body, False)
        carried = [j for j in sorted(plan.carried) if op.nexts[j] is not op.phis[j]]
        if carried:
            left = ", ".join(op.phis[j].name for j in carried)
            self.line(f"{left} = {', '.join(self.cast(op.nexts[j], op.phis[j].kind) for j in carried)}")
        if len(self.lines) == size:
            self.line("pass")
        self.tail()
        for j in sorted(plan.carried):
            self.line(f"{op.outs[j].name} = {op.phis[j].name}")

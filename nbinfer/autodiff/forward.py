"""Writes Python source: names, pieces of text, and the forward slice of a program."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterable, Sequence
from typing import Any

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


class Writer:
    """Lines of source, and the forward part of a program."""

    def __init__(self, analysis: Analysis, vectors: bool) -> None:
        self.analysis = analysis
        self.vectors = vectors
        self.lines: list[str] = []
        self.indent = 1
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

    def head(self, op: For, backwards: bool) -> str:
        """Begin a loop; return the name of its trip counter."""
        short = op.stop.constant is not None and abs(op.stop.constant) < SHORT
        self.vectorised = self.vectors and not short and is_vectorised(op.body)
        simple, count = self.trips(op)
        counter = op.index.name if simple else f"trip_{op.index.name}"
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
    def sizes(root: Value) -> str:
        """Write the shape of an array."""
        return f"({', '.join(f'{root.name}.shape[{axis}]' for axis in range(root.ndim))},)"

    def copy(self, root: Value, target: str, source: str) -> None:
        """Write loops that copy an array: Numba takes long to compile an assignment of slices."""
        counters = [f"c{axis}" for axis in range(root.ndim)]
        for axis, counter in enumerate(counters):
            self.line("    " * axis + f"for {counter} in range({root.name}.shape[{axis}]):")
        index = ", ".join(counters)
        self.line("    " * root.ndim + f"{target.format(index)} = {source.format(index)}")

    # Forward ------------------------------------------------------------------------------------------------------

    def forward(self, run: list[tuple[Op, Any]], shadows: bool) -> None:
        """Write operations; with `shadows`, a reverse sweep over them follows."""
        for op, plan in run:
            if shadows and isinstance(op, (Store, For, If)):
                self._save(op)
            method = getattr(self, "_" + type(op).__name__.lower())
            method(op, plan, shadows)

    def _save(self, op: Store | For | If) -> None:
        for storage in by_root(self.analysis.hazards(op.block).get(op, ())):
            self.saved.add((op, storage))
            name = self.copy_name(storage, op)
            if isinstance(op, Store):
                self.line(f"{name} = {self.element(op.array.name, op.index)}")
            else:
                root = storage.root
                self.line(f"{name} = np.empty({self.sizes(root)}, {DTYPES[root.kind]})")
                self.copy(root, f"{name}[{{}}]", f"{root.name}[{{}}]")
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

    def _for(self, op: For, plan: ForPlan, shadows: bool) -> None:
        _, count = self.trips(op)
        rows = f"max({count}, 0)" if plan.tapes or plan.copies else ""
        for j in sorted(plan.tapes):
            phi = op.phis[j]
            self.line(f"tape_{phi.name} = np.empty({rows}, {DTYPES[phi.kind]})")
            self.notes.append(f"{phi.hint}: taped, one number per iteration of the loop over {op.index.hint}")
        for storage in by_root(plan.copies):
            root = storage.root
            shape = f"({rows}, {self.sizes(root)[1:-2]})"
            self.line(f"{self.tape_name(storage, op)} = np.empty({shape}, {DTYPES[root.kind]})")
            self.notes.append(f"{root.hint}: copied at the start of each iteration of the loop over {op.index.hint}")
        for j in sorted(plan.carried):
            self.line(f"{op.phis[j].name} = {self.cast(op.inits[j], op.phis[j].kind)}")
        counter = self.head(op, False)
        size = len(self.lines)
        for j in sorted(plan.tapes):
            self.line(f"tape_{op.phis[j].name}[{counter}] = {op.phis[j].name}")
        for storage in by_root(plan.copies):
            root = storage.root
            self.copy(root, f"{self.tape_name(storage, op)}[{counter}, {{}}]", f"{root.name}[{{}}]")
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

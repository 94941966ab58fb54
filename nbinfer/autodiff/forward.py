"""Writes Python source: the forward slice of a program."""

from __future__ import annotations

import json
from typing import Any

from nbinfer.autodiff.analysis import ForPlan
from nbinfer.autodiff.flat import flat_name, is_flat
from nbinfer.autodiff.ir import (
    Alloc,
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
    Require,
    Scalar,
    Store,
    Value,
    View,
)
from nbinfer.autodiff.restoring import Restoring
from nbinfer.autodiff.writer import by_number, called, taken


class Forward(Restoring):
    """The forward part of a program."""

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

    def _scalar(self, op: Scalar, plan: Any, shadows: bool) -> None:
        self.line(f"{op.out.name} = {self.applied(op.rule.value, op.args)}")

    def _custom(self, op: Custom, plan: Any, shadows: bool) -> None:
        self.line(f"{op.out.name} = {op.function}({', '.join(a.name for a in op.args)})")

    def _call(self, op: Call, plan: Any, shadows: bool) -> None:
        names = ", ".join(o.name for o in op.outs) + ("," if op.is_tuple and len(op.outs) == 1 else "")
        first = ["arena"] if op.takes_memory else []
        self.line(f"{names} = {op.function}({', '.join([*first, *(a.name for a in op.args)])})")

    def _load(self, op: Load, plan: Any, shadows: bool) -> None:
        self.line(f"{op.out.name} = {self.element(op.array, op.index)}")

    def _store(self, op: Store, plan: Any, shadows: bool) -> None:
        self.note(op)
        sign = {0: "=", 1: "+=", -1: "-="}[op.sign]
        self.line(f"{self.element(op.array, op.index)} {sign} {op.value.name}")

    def _view(self, op: View, plan: Any, shadows: bool) -> None:
        where = op.pattern.format(*(a.name for a in op.args[1:]))
        self.line(f"{op.out.name} = {op.args[0].name}{where}")
        if shadows and op.out.active:
            self.line(f"{op.out.bar} = {op.args[0].bar}{where}")

    def _alloc(self, op: Alloc, plan: Any, shadows: bool) -> None:
        shape = self.shape(op.args)
        self.line(f"{op.out.name} = {taken(shape, op.out.kind, op.how)}")
        if shadows and op.out.active:
            self.line(f"{op.out.bar} = {taken(shape, 'f', 'zeros')}")
        self._flatten(op.out, shadows)

    def _dim(self, op: Dim, plan: Any, shadows: bool) -> None:
        self.line(f"{op.out.name} = {op.args[0].name}.shape[{op.axis}]")

    def _primitive(self, op: Primitive, plan: Any, shadows: bool) -> None:
        outs = ", ".join(out.name for out in op.outs)
        self.line(f"{outs} = {op.primitive.value.format(*(a.name for a in op.args))}")
        if shadows and op.out.active and op.out.ndim:
            self.line(f"{op.out.bar} = {taken(f'{op.out.name}.shape', 'f', 'zeros')}")
        self._flatten(op.out, shadows)

    def _flatten(self, array: Value, shadows: bool) -> None:
        """View an array that was made, and its adjoint, as flat memory, if it is read so."""
        if is_flat(array):
            for name in [array.name, *([array.bar] if shadows and array.active else [])]:
                self.line(f"{flat_name(name)} = _flat({name})")

    def _guard(self, op: Guard, plan: Any, shadows: bool) -> None:
        raise NotImplementedError

    def _check(self, op: Check, plan: Any, shadows: bool) -> None:
        left, right = (a.name for a in op.args)
        self.line(f"if {left} != {right}:")
        self.line('    raise ValueError("shapes do not fit")')

    def _require(self, op: Require, plan: Any, shadows: bool) -> None:
        self.line(f"if not {op.args[0].name}:")
        self.line(f"    raise {op.error}({json.dumps(op.message)})")
        for out in op.outs:
            self.line(f"{out.name} = {op.args[1].name}")

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

    def _make_tapes(self, op: For, plan: ForPlan) -> None:
        """Make what a loop fills for the reverse sweep, and tell what that is."""
        for j in sorted(plan.tapes):
            phi = op.phis[j]
            self.make_tape(f"tape_{phi.name} = {taken(self.rows(op), phi.kind)}", [op])
            self.notes.append(f"{phi.hint}: taped, one number per iteration of the loop over {op.index.hint}")
        self.make_room(op, plan.copies)
        for value in by_number(self.analysis.kept):
            level, loops = self.analysis.kept[value]
            if loops[0] is op and level == self.level:
                shape = f"({', '.join(map(self.rows, loops))})" if len(loops) > 1 else self.rows(op)
                self.make_tape(f"tape_{value.name} = {taken(shape, value.kind)}", loops)
                over = ", ".join(loop.index.hint for loop in loops)
                self.notes.append(f"{called(value)}: taped, computed once per iteration of the loop over {over}")

    def _for(self, op: For, plan: ForPlan, shadows: bool) -> None:
        self._make_tapes(op, plan)
        for j in sorted(plan.carried):
            self.line(f"{op.phis[j].name} = {self.cast(op.inits[j], op.phis[j].kind)}")
        counter = self.head(op, False)
        size = len(self.lines)
        growing = self.growing.pop(op, [])  # all are of one size
        if growing:
            self.line(f"if {counter} == {growing[0]}.shape[0]:")
        for name in growing:
            self.line(f"    {name} = _grown(arena, {name})")
        self.begin_turn(op)
        for j in sorted(plan.tapes):
            self.line(f"tape_{op.phis[j].name}[{counter}] = {op.phis[j].name}")
        self.keep(op, plan.copies, counter)
        self.forward(plan.body, False)
        self.end_keeping(op)
        carried = [j for j in sorted(plan.carried) if op.nexts[j] is not op.phis[j]]
        if carried:
            left = ", ".join(op.phis[j].name for j in carried)
            self.line(f"{left} = {', '.join(self.cast(op.nexts[j], op.phis[j].kind) for j in carried)}")
        self.end_turn(op)
        if op.leaves is not None:
            self.line(f"if {op.leaves.name}:")
            self.line("    break")
        if len(self.lines) == size:
            self.line("pass")
        self.tail()
        for j in sorted(plan.carried):
            self.line(f"{op.outs[j].name} = {op.phis[j].name}")

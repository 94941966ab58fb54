"""Writes Python source: a forward slice, then the reverse sweep, in loops and scalar arithmetic."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from nbinfer.autodiff.absorbing import Absorbing
from nbinfer.autodiff.analysis import Analysis, ReversePlan
from nbinfer.autodiff.chains import Root
from nbinfer.autodiff.ir import (
    Block,
    Custom,
    For,
    Guard,
    If,
    Primitive,
    Scalar,
    Storage,
    Store,
    Value,
    blocks_of,
    literal,
)
from nbinfer.autodiff.keeping import operations
from nbinfer.autodiff.scatter import Neighbours, Scattering
from nbinfer.autodiff.writer import Open, by_root, is_atom, product

#: Terms in one line; Python's parser nests each deeper than the last.
_MOST_TERMS = 40


class Emitter(Scattering):
    """The whole: forward, then reverse.

    `begun` are the values whose adjoint has been assigned: the first term is ``=``, later ones are ``+=``.
    """

    def __init__(self, analysis: Analysis, vectors: bool) -> None:
        super().__init__(analysis, vectors)
        self._terms: dict[Root, list[str]] = {}
        self._summed: set[Root] = set()
        self._after: dict[For, list[tuple[Value, float, Root]]] = {}

    def program(self, top: Block, vanishing: bool) -> set[Value]:
        """Write everything between inputs and outputs; return the values that have adjoints.

        `vanishing` says that weights of 0 take terms away, whatever these are.
        """
        results = self.analysis.results
        self._absorbing = Absorbing(top, [value for value, _ in results], self.analysis.deferred, vanishing)
        self.forward(self.analysis.plan_program(top), True)
        begun: set[Value] = set()
        for value, root in results:
            if not self.analysis.deferred(value):
                self._term(value, 1.0, root, begun)
        self.reverse(top, begun)
        self._flush()
        self._close([root for _, root in results])
        return begun

    def _close(self, roots: Sequence[Root]) -> None:
        """Write how totals begin, and what becomes of their guarded terms."""
        guarded = [root for root in roots if root.guarded in self._summed]
        for root in guarded:
            total = root.guarded.total
            self.line(f"{root.total} += {total} if {total} == {total} else -math.inf")
        totals = [root.total for root in [*roots, *(root.guarded for root in guarded)]]
        self.lines[:0] = [f"    {total} = 0.0" for total in totals]

    def _guard(self, op: Guard, plan: Any, shadows: bool) -> None:
        condition = f"{op.weight} != 0.0 and {op.args[0].name}" if op.weight else op.args[0].name
        self.line(f"if {condition}:")
        self.line(f"    return {op.result.name}")

    # Adjoints -----------------------------------------------------------------------------------------------------

    def takes(self, value: Value) -> bool:
        """Tell whether terms are added to an adjoint of its own."""
        return value.active and value.kind == "f" and value.constant is None and value not in self.analysis.chains

    def add(self, value: Value, text: str, begun: set[Value]) -> None:
        """Add a term to the adjoint of a number."""
        if not self.takes(value):
            return
        if value not in begun:
            self.line(f"{value.bar} = {text}")
            begun.add(value)
        elif text.startswith("-") and is_atom(text[1:]):
            self.line(f"{value.bar} -= {text[1:]}")
        else:
            self.line(f"{value.bar} += {text}")

    def _term(self, value: Value, factor: float, root: Root, begun: set[Value], loop: For | None = None) -> None:
        """Add a term to a result, and give it its adjoint."""
        if self.analysis.deferred(value) or (value.constant is not None and value.constant == 0):
            return
        if loop is not None and (value.constant is not None or value.block.depth < loop.body.depth):
            self._after.setdefault(loop, []).append((value, factor, root))
            return
        name = product(_number(factor), self._addend(value))
        self._terms.setdefault(root, []).append(name)
        self.add(value, product(_number(factor), root.adjoint), begun)

    def _addend(self, value: Value) -> str:
        """Write a term; a condition among them is what makes the sum that of a point of density 0 where it fails."""
        return f"(0.0 if {value.name} else -math.inf)" if value.kind == "b" else self.cast(value, "f")

    def _flush(self) -> None:
        """Write the terms that have gathered: in few additions, since each waits for the one before."""
        for root, terms in self._terms.items():
            self._summed.add(root)
            for first in range(0, len(terms), _MOST_TERMS):
                some = terms[first : first + _MOST_TERMS]
                if len(some) == 1 and some[0].startswith("-"):
                    self.line(f"{root.total} -= {some[0][1:]}")
                else:
                    self.line(f"{root.total} += {' + '.join(some).replace('+ -', '- ')}")
        self._terms = {}

    def _targets(self, block: Block, depth: int) -> list[Value]:
        """Return the outer values whose adjoints a block adds to."""
        found: list[Value] = []
        for op in block.ops:
            values = list(op.args)
            if isinstance(op, For):
                values += op.inits + op.nexts
            if isinstance(op, If):
                values += op.then_values + op.else_values
            for inner in blocks_of(op):
                found += self._targets(inner, depth)
            found += [v for v in values if v.ndim == 0 and v.block.depth < depth and self.takes(v)]
        return list(dict.fromkeys(found))

    def _begin(self, blocks: Sequence[Block], extra: Sequence[Value], begun: set[Value]) -> None:
        """Set to 0 the adjoints of outer values that blocks add to."""
        depth = blocks[0].depth
        found = [v for block in blocks for v in self._targets(block, depth)]
        found += [v for v in extra if v.ndim == 0 and v.block.depth < depth and self.takes(v)]
        for value in dict.fromkeys(found):
            if value not in begun:
                self.line(f"{value.bar} = 0.0")
                begun.add(value)

    # Reverse ------------------------------------------------------------------------------------------------------

    def reverse(self, block: Block, begun: set[Value], loop: For | None = None) -> None:
        """Write the reverse of a block."""
        for op in reversed(block.ops):
            method = getattr(self, "_reverse_" + type(op).__name__.lower(), None)
            if method is not None:
                method(op, begun, loop)
            for storage in by_root(self.analysis.hazards(block).get(op, ())):
                if (op, storage) in self.saved:
                    self._restore(op, storage)

    def _reverse_scalar(self, op: Scalar, begun: set[Value], loop: For | None) -> None:
        out, rule = op.out, op.rule
        link = self.analysis.chains.get(out)
        if link is not None:
            links = self.analysis.onward(op, link)
            assert links is not None
            for arg, each in zip(op.args, links, strict=True):
                if each and each.root.total:
                    self._term(arg, each.factor, each.root, begun, loop)
                elif each:
                    self.add(arg, product(_number(each.factor), each.root.adjoint), begun)
                elif arg.kind == "b":
                    self._term(arg, 1.0, link.root.guarded, begun, loop)
        elif out.active and out in begun:
            for position, (arg, partial) in enumerate(zip(op.args, rule.partials, strict=True)):
                if not self.takes(arg):
                    continue
                text = self.applied(partial, op.args, o=out.name, bar=out.bar)
                text = text if "{bar}" in partial else product(out.bar, text)
                if self._absorbing.absorbs(op, position):
                    positive = self._absorbing.exponential(op, position)
                    text = self._absorbed(out, text) if positive is None else product(out.bar, _limited(positive))
                self.add(arg, text, begun)

    def _absorbed(self, out: Value, text: str) -> str:
        """Write a contribution that is 0 where the adjoint it comes from is; without a branch where that hinders."""
        alive = f"{out.bar} != 0.0"
        return f"_select({alive}, {text}, 0.0)" if self.vectorised else f"({text} if {alive} else 0.0)"

    def _reverse_custom(self, op: Custom, begun: set[Value], loop: For | None) -> None:
        if not (op.out.active and op.out in begun):
            return
        partials = [f"{op.out.name}_by_{k}" for k in range(len(op.args))]
        comma = "," if len(partials) == 1 else ""
        self.line(f"{', '.join(partials)}{comma} = {op.pullback}({', '.join(a.name for a in op.args)})")
        for arg, partial in zip(op.args, partials, strict=True):
            text = f"{op.out.bar} * {partial}"
            self.add(arg, self._absorbed(op.out, text) if self._absorbing.dies(op.out) else text, begun)

    def _reverse_store(self, op: Store, begun: set[Value], loop: For | None) -> None:
        storage = op.array.storage
        assert storage is not None
        if not storage.active:
            return
        place = self.element(op.array, op.index, bar=True)
        self.add(op.value, f"-{place}" if op.sign < 0 else place, begun)
        if not op.sign and self.analysis.needs_clearing(op):
            self.line(f"{place} = 0.0")

    def _reverse_primitive(self, op: Primitive, begun: set[Value], loop: For | None) -> None:
        if not op.out.active or (op.out.ndim == 0 and op.out not in begun):
            return
        names = [a.name for a in op.args]
        bars = {f"bar{k}": a.bar for k, a in enumerate(op.args)}
        for position, arg in enumerate(op.args):
            if arg.active and position in op.primitive.reverse:
                template = op.primitive.reverse[position]
                text = template.format(*names, o=op.out.name, kept=op.outs[-1].name, bar=op.out.bar, **bars)
                if op.out.ndim == 0 and self._absorbing.dies(op.out):
                    self.line(f"if {op.out.bar} != 0.0:")
                    text = "    " + text
                self.line(text)

    def _reverse_if(self, op: If, begun: set[Value], loop: For | None) -> None:
        chains = self.analysis.chains
        reached = [out for out in op.outs if out in chains or out in begun]
        if not reached and not any(self.analysis.has_reverse(block) for block, _ in op.sides):
            return
        self._begin([op.then_block, op.else_block], [*op.then_values, *op.else_values], begun)
        self._flush()
        start = len(self.lines)
        written = []
        for head, (block, values) in zip((f"if {op.args[0].name}:", "else:"), op.sides, strict=True):
            self.line(head)
            self.indent += 1
            size = len(self.lines)
            inner = set(begun)
            for out, value in zip(op.outs, values, strict=True):
                link = chains.get(out)
                if link is not None and link.root.total:
                    self._term(value, link.factor, link.root, inner)
                elif link is not None:
                    self.add(value, product(_number(link.factor), link.root.adjoint), inner)
                elif out in begun and out.active:
                    self.add(value, out.bar, inner)
            self.reverse(block, inner)
            self._flush()
            written.append(len(self.lines) > size)
            if not written[-1]:
                if head == "else:":
                    self.lines.pop()
                else:
                    self.line("pass")
            self.indent -= 1
        if not any(written):
            del self.lines[start:]

    def _reverse_for(self, op: For, begun: set[Value], loop: For | None) -> None:
        self._reverse_sums(op, begun, loop)
        if not self.analysis.has_reverse(op):
            return
        self._flush()
        self.backwards.add(op)
        plan = self.analysis.reverse_plan(op)
        moving = [j for j, phi in enumerate(op.phis) if phi.active and phi not in self.analysis.chains]
        for j in moving:
            out = op.outs[j]
            self.line(f"{op.phis[j].bar} = {out.bar if out in begun else '0.0'}")
        self._begin([op.body], op.nexts, begun)
        written = [s for s in self.analysis.written(op.body) if s.block.depth < op.body.depth and s.active]
        free = not moving and not plan.copies and all(self.analysis.apart(op, s) for s in written)
        ways = self.ways(op, plan.copies)
        self.recall(op, ways["apart"], "")
        self.open.append(Open(op.body.depth, len(self.lines), self.indent))
        counter = self.head(op, not free)
        if free and not written:
            self._begin_upward(op, counter)
        neighbours = self._reverse_iteration(op, plan, ways, counter, moving, begun)
        self.tail()
        self._gather_and_scatter(op, start := self.open.pop().line)
        self._pass_on(op, neighbours, start)
        self._finish(op, begun)
        self.recall(op, ways["apart"], "")
        if ways["copied"]:
            self.line(f"if {self.trips(op)[1]} > 0:")
            self.indent += 1
            self.recall(op, ways["copied"], "0")
            self.indent -= 1
        for j in moving:
            self.add(op.inits[j], op.phis[j].bar, begun)

    def _reverse_sums(self, op: For, begun: set[Value], loop: For | None) -> None:
        """Pass the adjoints of sums over a loop on to what they begin with."""
        chains = self.analysis.chains
        for out, phi, init in zip(op.outs, op.phis, op.inits, strict=True):
            link, inside = chains.get(out), chains.get(phi)
            if link is not None and link.root.total:
                self.notes.append(f"{phi.hint}: deferred, summed in the reverse sweep of the loop over {op.index.hint}")
                self._term(init, link.factor, link.root, begun, loop)
            elif link is not None:
                self.add(init, product(_number(link.factor), link.root.adjoint), begun)
            elif inside is not None and phi.active:  # a sum of its own
                if out not in begun:
                    self.line(f"{out.bar} = 0.0")
                    begun.add(out)
                self.add(init, out.bar, begun)

    def _reverse_iteration(
        self,
        op: For,
        plan: ReversePlan,
        ways: Mapping[str, list[Storage]],
        counter: str,
        moving: Sequence[int],
        begun: set[Value],
    ) -> list[Neighbours]:
        """Write the body of a reverse loop: what the iteration knew, then its adjoints; return its neighbours."""
        size = len(self.lines)
        self.begin_turn(op)
        for j in sorted(plan.tapes):
            self.line(f"{op.phis[j].name} = tape_{op.phis[j].name}[{counter}]")
        self.recall(op, ways["copied"], counter)
        self.undo(op, ways["listed"], counter)
        self.forward(plan.run, True)
        inner = begun | {op.phis[j] for j in moving}
        for j in moving:
            self.line(f"next_{op.phis[j].bar} = {op.phis[j].bar}")
            self.line(f"{op.phis[j].bar} = 0.0")
        for j in moving:
            self.add(op.nexts[j], f"next_{op.phis[j].bar}", inner)
        for out, following in zip(op.outs, op.nexts, strict=True):
            link = self.analysis.chains.get(out)
            if link is not None and link.root.total:
                self._term(following, link.factor, link.root, inner, op)
        self.reverse(op.body, inner, op)
        self._flush()
        stored = {run.array.storage for run in operations(plan.run) if isinstance(run, Store)}
        self.undo(op, [s for s in ways["listed"] if s in stored], counter)
        neighbours = self._add_to_neighbours(op)
        self.end_turn(op)
        if len(self.lines) == size:
            self.line("pass")
        return neighbours

    def _finish(self, op: For, begun: set[Value]) -> None:
        """Add the terms that are the same in every iteration."""
        after = self._after.pop(op, [])
        if not after:
            return
        _, count = self.trips(op)
        known: dict[Root, float] = {}
        values = []
        for value, factor, root in after:
            if value.constant is not None:
                known[root] = known.get(root, 0.0) + factor * float(value.constant)
            else:
                values.append((value, factor, root))
        for value, _, _ in values:
            self._begin_one(value, begun)
        self.line(f"if {count} > 0:")
        self.indent += 1
        self.line(f"trips_{op.index.name} = float({count})")
        for root, total in known.items():
            self._terms.setdefault(root, []).append(product(f"trips_{op.index.name}", _number(total)))
        for value, factor, root in values:
            text = product(_number(factor), f"trips_{op.index.name}")
            self._terms.setdefault(root, []).append(product(text, self._addend(value)))
            self.add(value, product(text, root.adjoint), begun)
        self._flush()
        self.indent -= 1

    def _begin_one(self, value: Value, begun: set[Value]) -> None:
        if value not in begun and self.takes(value):
            self.line(f"{value.bar} = 0.0")
            begun.add(value)


def _limited(value: Value) -> str:
    """Write what is not below 0 so that 0 times it is 0: unlike a choice, it does not wait for the adjoint."""
    return f"({value.name} if {value.name} < {sys.float_info.max!r} else {sys.float_info.max!r})"


def _number(factor: float) -> str:
    return literal(factor).strip("()")

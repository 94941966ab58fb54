"""What the reverse sweep needs, and how little of it must be kept.

Three ideas. *Chains*: a value that reaches a result through sums, differences and constant factors alone has an adjoint
that is known before the sweep starts. If it belongs to the result of the program, neither it nor the loop around it is
computed forward at all: its terms are added in the reverse sweep. *Slices*: each iteration of a loop is a checkpoint;
in reverse its body is computed again as far as it is needed, and only what loops carry as numbers is taped, in an array
of the trip count. *Memory*: an array whose elements are written once, or only added to, needs nothing; others are
copied at the start of each iteration, or before an operation that overwrites what an earlier one needs in reverse.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from nbinfer.autodiff.ir import (
    Alloc,
    Block,
    Call,
    Check,
    Custom,
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
)
from nbinfer.autodiff.memory import Memory

Wanted = set[Any]  # of Value (its value is needed) and Storage (its content is)


class Root:
    """The head of a chain.

    Attributes
    ----------
    adjoint : str
        How generated code spells its adjoint.
    total : str
        The variable to which terms are added in the reverse sweep; '' for sums that are computed forward.
    nan_is_zero_density : bool
        Whether the total becomes -inf where it is NaN.
    """

    def __init__(self, adjoint: str | Value, total: str = "") -> None:
        self._adjoint = adjoint
        self.total = total
        self.nan_is_zero_density = False

    @property
    def adjoint(self) -> str:
        return self._adjoint if isinstance(self._adjoint, str) else self._adjoint.bar


class Link(NamedTuple):
    """A member of a chain: its adjoint is `factor` times that of the root."""

    factor: float
    root: Root


class ForPlan(NamedTuple):
    """How to run a loop forward: positions of what is carried and of what is taped, memory to copy, and the body."""

    carried: set[int]
    tapes: set[int]
    copies: set[Storage]
    body: list[tuple[Op, Any]]


class IfPlan(NamedTuple):
    """How to run a branch forward: positions of what it hands out, and its sides."""

    outs: set[int]
    sides: tuple[list[tuple[Op, Any]], list[tuple[Op, Any]]]


class ReversePlan(NamedTuple):
    """How to run a loop in reverse: what to compute again in each iteration, what that takes from outside."""

    run: list[tuple[Op, Any]]
    tapes: set[int]
    copies: set[Storage]
    needs: Wanted


class Analysis(Memory):
    """Facts about a program and its results.

    Parameters
    ----------
    top : Block
        The program.
    results : list of (Value, Root)
        What it returns, each with the adjoint it starts from.
    """

    def __init__(self, top: Block, results: list[tuple[Value, Root]]) -> None:
        super().__init__()
        self.results = results
        self.chains: dict[Value, Link] = {}
        self._reverse_plans: dict[For, ReversePlan] = {}
        self._pending: set[Value] = set()
        self._marking = True
        self.plan(top, {value for value, _ in results}, False)
        self._marking = False
        self._uses: dict[Block, dict[Value, tuple[int, int]]] = {}
        self._count(top)
        for value, _ in results:
            self._use(self._uses[top], value)
        for value, root in results:
            self._follow(value, 1.0, root, self.chains)
        self._find_sums(top)

    # Chains -------------------------------------------------------------------------------------------------------

    def _use(self, uses: dict[Value, tuple[int, int]], value: Value, fewest: int = 1, most: int = 1) -> None:
        if value.constant is None:
            a, b = uses.get(value, (0, 0))
            uses[value] = (a + fewest, b + most)

    def _count(self, block: Block) -> dict[Value, tuple[int, int]]:
        """Count the uses of each value on any path through a block: the fewest and the most."""
        uses: dict[Value, tuple[int, int]] = {}
        self._uses[block] = uses
        for op in block.ops:
            if op not in self.live:
                continue
            for arg in op.args:
                self._use(uses, arg)
            if isinstance(op, For):
                inner = self._count(op.body)
                for value in op.nexts:
                    self._use(inner, value)
                for value in op.inits:
                    self._use(uses, value)
                for value in inner:
                    if value.block.depth < op.body.depth:
                        self._use(uses, value, 0, 9)
            elif isinstance(op, If):
                counts = []
                for side, values in op.sides:
                    counts.append(self._count(side))
                    for value in values:
                        self._use(counts[-1], value)
                for value in {**counts[0], **counts[1]}:
                    pairs = [count.get(value, (0, 0)) for count in counts]
                    self._use(uses, value, min(p[0] for p in pairs), max(p[1] for p in pairs))
        return uses

    @staticmethod
    def _factors(op: Scalar, root: Root, factor: float) -> list[float] | None:
        """Return by how much an operation multiplies each argument; None if that is not known now."""
        name = op.rule.name
        if name == "add":
            return [1.0, 1.0]
        if name == "sub":
            return [1.0, -1.0]
        if name == "neg":
            return [-1.0]
        if name == "mul":
            for i in (0, 1):
                number = op.args[i].constant
                if number is not None and 1e-100 < abs(number) < 1e100:
                    return [float(number) if j != i else 0.0 for j in (0, 1)]
        if name == "nan_to_minus_inf" and root.total and factor > 0.0:
            root.nan_is_zero_density = True
            return [1.0]
        return None

    def _follow(self, value: Value, factor: float, root: Root, found: dict[Value, Link]) -> bool:
        """Mark a value, and what it is the sum of, if it is used exactly once on every path."""
        if value.constant is not None or value.op is None or value.kind != "f":
            return False
        if self._uses.get(value.block, {}).get(value) != (1, 1):
            return False
        op = value.op
        link = Link(factor, root)
        if isinstance(op, For) and value in op.phis:
            if value in self._pending:
                found[value] = link
            return value in self._pending
        if isinstance(op, Scalar):
            factors = self._factors(op, root, factor)
            if factors is None:
                return False
            found[value] = link
            for arg, by in zip(op.args, factors, strict=True):
                if by:
                    self._follow(arg, factor * by, root, found)
            return True
        if isinstance(op, For):
            position = op.outs.index(value)
            inner = self._carried_sum(op, position, factor, root)
            if inner is None:
                return False
            found.update(inner)
            found[value] = link
            self._follow(op.inits[position], factor, root, found)
            return True
        if isinstance(op, If):
            position = op.outs.index(value)
            sides: list[dict[Value, Link]] = [{}, {}]
            for side, (_, values) in zip(sides, op.sides, strict=True):
                self._follow(values[position], factor, root, side)
            depth = op.then_block.depth
            outside = [{v: link for v, link in side.items() if v.block.depth < depth} for side in sides]
            if outside[0] != outside[1]:
                return False
            for side in sides:
                found.update(side)
            found[value] = link
            return True
        return False

    def _carried_sum(self, op: For, position: int, factor: float, root: Root) -> dict[Value, Link] | None:
        phi = op.phis[position]
        found: dict[Value, Link] = {}
        self._pending.add(phi)
        self._follow(op.nexts[position], factor, root, found)
        self._pending.discard(phi)
        return found if phi in found and found[phi].factor == factor else None

    def _find_sums(self, block: Block) -> None:
        """Find the sums that are no part of the result: their terms have the adjoint of the sum, times a constant."""
        for op in block.ops:
            if isinstance(op, For):
                for position, phi in enumerate(op.phis):
                    if phi.active and phi not in self.chains:
                        root = Root(op.outs[position])
                        found = self._carried_sum(op, position, 1.0, root)
                        if found is not None and not any(v in self.chains for v in found):
                            self.chains.update(found)
            for inner in blocks_of(op):
                self._find_sums(inner)

    def deferred(self, value: Value) -> bool:
        """Tell whether a value is computed in the reverse sweep only, as part of a result."""
        link = self.chains.get(value)
        return link is not None and bool(link.root.total)

    # What the reverse of an operation needs -----------------------------------------------------------------------

    def has_reverse(self, op_or_block: Op | Block) -> bool:
        """Tell whether there is anything to do in reverse."""
        if isinstance(op_or_block, Block):
            return any(self.has_reverse(op) for op in op_or_block.ops)
        op = op_or_block
        if isinstance(op, Store):
            return bool(op.array.storage and op.array.storage.active)
        if isinstance(op, (For, If)):
            if any(self.deferred(out) or out.active for out in op.outs):
                return True
            return any(self.has_reverse(block) for block in blocks_of(op))
        return any(out.active or self.deferred(out) for out in op.outs)

    def needs(self, op: Op) -> Wanted:
        """Return what the reverse of an operation reads."""
        wanted: Wanted = set()
        if isinstance(op, Scalar):
            if self.deferred(op.out):
                wanted = {arg for arg in op.args if not self.deferred(arg)}
            elif op.out.active and op.out not in self.chains:
                for position, arg in enumerate(op.args):
                    if arg.active:
                        reads_out, positions = op.rule.needs(position)
                        wanted |= {op.out} if reads_out else set()
                        wanted |= {op.args[k] for k in positions}
        elif isinstance(op, Custom) and op.out.active:
            wanted = set(op.args)
        elif isinstance(op, Load) and op.out.active:
            wanted = set(op.args)
        elif isinstance(op, (View, Alloc)) and op.out.active:
            wanted = {op.out}
        elif isinstance(op, Store) and op.array.storage is not None and op.array.storage.active:
            wanted = set(op.args[:-1])
        elif isinstance(op, Primitive) and op.out.active:
            wanted = self._primitive_needs(op)
        elif isinstance(op, For) and self.has_reverse(op):
            wanted = set(self.reverse_plan(op).needs)
        elif isinstance(op, If) and any(self.deferred(out) for out in op.outs):
            wanted = set(op.args)
        return {w for w in wanted if not (isinstance(w, Value) and w.constant is not None)}

    @staticmethod
    def _primitive_needs(op: Primitive) -> Wanted:
        wanted: Wanted = {op.out} if op.out.ndim else set()
        for position, arg in enumerate(op.args):
            if arg.active:
                wanted.add(arg)
                for need in op.primitive.needs.get(position, ()):
                    value = op.out if need == "out" else op.args[need]
                    wanted.add(value)
                    if value.storage is not None:
                        wanted.add(value.storage)
        return wanted

    def reverse_plan(self, op: For) -> ReversePlan:
        """Return how a loop runs in reverse."""
        if op in self._reverse_plans:
            return self._reverse_plans[op]
        outer = {s for s in self.written(op.body) if s.block.depth < op.body.depth}
        copies: set[Storage] = set()
        while True:
            wants: Wanted = {
                following
                for out, following in zip(op.outs, op.nexts, strict=True)
                if self.deferred(out) and not self.deferred(following)
            }
            run, taken = self.plan(op.body, wants, True, frozenset(outer - copies))
            more = {s for s in outer if s in taken and not self.written_once(op, s)}
            if more <= copies:
                break
            copies |= more
        tapes = {j for j, phi in enumerate(op.phis) if phi in taken}
        needs: Wanted = {w for w in taken if w is not op.index and w not in op.phis} | {op.start, op.stop}
        for out, init in zip(op.outs, op.inits, strict=True):
            if self.deferred(out) and not self.deferred(init):
                needs.add(init)
        result = self._reverse_plans[op] = ReversePlan(run, tapes, copies, needs)
        return result

    # Slices -------------------------------------------------------------------------------------------------------

    def plan(
        self, block: Block, wants: Iterable[Any], reverse: bool, skip: frozenset[Storage] = frozenset()
    ) -> tuple[list[tuple[Op, Any]], Wanted]:
        """Choose what of a block to run forward.

        Parameters
        ----------
        block : Block
            The block.
        wants : iterable of Value and Storage
            What is needed at its end.
        reverse : bool
            Whether the block is run in reverse afterwards: that needs more.
        skip : frozenset of Storage
            Memory that holds its final content already.

        Returns
        -------
        run : list of (Op, plan)
            Operations in order.
        taken : set
            All that was needed at some place in the block, from inside and outside.
        """
        wanted: Wanted = set()
        self._want(wanted, wants)
        run: list[tuple[Op, Any]] = []
        for op in reversed(block.ops):
            if reverse:
                self._want(wanted, self.needs(op))
            if isinstance(op, For):
                chosen: Any = self._plan_loop(op, wanted, reverse, skip)
            elif isinstance(op, If):
                chosen = self._plan_branch(op, wanted, reverse, skip)
            elif isinstance(op, Store):
                chosen = op.array.storage in wanted and op.array.storage not in skip
            elif isinstance(op, (Guard, Check)):
                chosen = True
            else:
                chosen = any(out in wanted for out in op.outs)
            if not chosen:
                continue
            run.append((op, chosen))
            self._want(wanted, op.args)
            if isinstance(op, (Load, Primitive, Call)):
                self._want(wanted, (arg.storage for arg in op.args if arg.storage is not None))
            if self._marking:
                self.live.add(op)
        return run[::-1], wanted

    @staticmethod
    def _want(wanted: Wanted, more: Iterable[Any]) -> None:
        wanted.update(w for w in more if not (isinstance(w, Value) and w.constant is not None))

    def _plan_loop(self, op: For, wanted: Wanted, reverse: bool, skip: frozenset[Storage]) -> ForPlan | None:
        carried = {j for j, out in enumerate(op.outs) if out in wanted}
        stores = {s for s in self.written(op.body) if s in wanted and s not in skip}
        tapes: set[int] = set()
        copies: set[Storage] = set()
        if reverse and self.has_reverse(op):
            back = self.reverse_plan(op)
            tapes, copies = back.tapes, back.copies
            carried = carried | tapes
            stores = stores | copies
        if not carried and not stores:
            return None
        while True:
            wants = {op.nexts[j] for j in carried} | stores
            body, taken = self.plan(op.body, wants, False, skip)
            more = {j for j, phi in enumerate(op.phis) if phi in taken}
            memory = {s for s in taken if isinstance(s, Storage) and s in self.written(op.body) and s not in skip}
            if more <= carried and memory <= stores:
                break
            carried = carried | more
            stores = stores | memory
        self._want(wanted, (w for w in taken if w is not op.index and w not in op.phis))
        self._want(wanted, [op.start, op.stop, *(op.inits[j] for j in sorted(carried))])
        return ForPlan(carried, tapes, copies, body)

    def _plan_branch(self, op: If, wanted: Wanted, reverse: bool, skip: frozenset[Storage]) -> IfPlan | None:
        outs = {j for j, out in enumerate(op.outs) if out in wanted}
        written = self.written(op.then_block) | self.written(op.else_block)
        stores = {s for s in written if s in wanted and s not in skip}
        back = reverse and self.has_reverse(op)
        runs: list[list[tuple[Op, Any]]] = []
        for side, values in op.sides:
            wants: Wanted = {values[j] for j in outs} | stores
            if back:
                wants |= {
                    value
                    for out, value in zip(op.outs, values, strict=True)
                    if self.deferred(out) and not self.deferred(value)
                }
            run, taken = self.plan(side, wants, back, skip)
            runs.append(run)
            if back or outs or stores or run:
                self._want(wanted, taken)
        if back:
            self._want(wanted, op.args)
        if outs or stores or any(runs):
            return IfPlan(outs, (runs[0], runs[1]))
        return None

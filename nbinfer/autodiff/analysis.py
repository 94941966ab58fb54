"""What the reverse sweep needs, and how little of it must be kept.

Three ideas. *Chains*: sums are not computed forward if their adjoint is known (see `chains`). *Slices*: each iteration
of a loop is a checkpoint; in reverse its body is computed again as far as it is needed, and only what loops carry as
numbers is taped, in an array of the trip count. *Memory*: an array whose elements are not written to any more once they
are read, or that is only added to, needs nothing. Of others each element is noted before it is overwritten, or all of
them are copied: at the start of each iteration (see `restoring`), or before an operation that overwrites what an
earlier one needs in reverse (see `memory`). Numbers that are dear to compute are kept, too (see `keeping`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from nbinfer.autodiff.chains import Chains, Root
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
    Require,
    Scalar,
    Storage,
    Store,
    Value,
    View,
    blocks_of,
)
from nbinfer.autodiff.keeping import Kept, keepable, operations, still_read
from nbinfer.autodiff.memory import is_asserted, loops_in

Wanted = set[Any]  # of Value (its value is needed) and Storage (its content is)


class ForPlan(NamedTuple):
    """How to run a loop forward: positions of what is carried and of what is taped, memory to restore, and the body."""

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


class Analysis(Chains):
    """Facts about a program and its results.

    Parameters
    ----------
    top : Block
        The program.
    results : list of (Value, Root)
        What it adds up and returns, each with the adjoint it starts from.
    returned : Value, optional
        What it returns as it is, a number or an array, instead of results.

    Attributes
    ----------
    kept : dict
        Values that are computed once, and how they are kept.
    """

    def __init__(self, top: Block, results: list[tuple[Value, Root]], returned: Value | None = None) -> None:
        super().__init__(results)
        self._returned = {returned, returned.storage} - {None} if returned is not None else set()
        self.kept: dict[Value, Kept] = {}
        self._reverse_plans: dict[For, ReversePlan] = {}
        self._prune(top, self.plan(top, {value for value, _ in results} | self._returned, False)[0])
        self._forget_dead_accesses()
        self.find_chains(top)
        sweeps = self._sweeps(top)
        if self._makes_arrays:
            self.kept = keepable(sweeps)
            self.kept = still_read(self.kept, self._sweeps(top))
            self._reverse_plans.clear()

    def plan_program(self, top: Block) -> list[tuple[Op, Any]]:
        """Choose what of the program to run forward."""
        results = {value for value, _ in self.results if not self.deferred(value)}
        return self.plan(top, results | self._returned, True)[0]

    def _prune(self, block: Block, run: list[tuple[Op, Any]]) -> None:
        """Drop from a block what no result depends on."""
        block.ops = [op for op, _ in run]
        self.live.update(block.ops)
        for op, plan in run:
            if isinstance(op, For):
                carried = [(op.outs[j], op.phis[j], op.inits[j], op.nexts[j]) for j in sorted(plan.carried)]
                op.outs, op.phis, op.inits, op.nexts = ([row[k] for row in carried] for k in range(4))
                self._prune(op.body, plan.body)
            elif isinstance(op, If):
                given = [(op.outs[j], op.then_values[j], op.else_values[j]) for j in sorted(plan.outs)]
                op.outs, op.then_values, op.else_values = ([row[k] for row in given] for k in range(3))
                for side, inner in zip(blocks_of(op), plan.sides, strict=True):
                    self._prune(side, inner)

    def _sweeps(self, top: Block) -> dict[Block, list[tuple[Op, Any]]]:
        """Return all that runs forward: of the program, and of the body of each loop in reverse."""
        self._reverse_plans.clear()
        return {top: self.plan_program(top)} | {op.body: plan.run for op, plan in self._reverse_plans.items()}

    @property
    def _makes_arrays(self) -> bool:
        plans = self._reverse_plans.values()
        made = any(isinstance(op, (Alloc, Primitive)) and op.out.ndim for op in self.live)
        return made or any(plan.tapes or plan.copies for plan in plans)

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
        elif (isinstance(op, Custom) and op.out.active) or (isinstance(op, Load) and op.out.active):
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
                    value = op.out if need == "out" else op.outs[-1] if need == "kept" else op.args[need]
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
        known = frozenset(value for value, kept in self.kept.items() if kept.level < op.body.depth)
        while True:
            wants: Wanted = {
                following
                for out, following in zip(op.outs, op.nexts, strict=True)
                if self.deferred(out) and not self.deferred(following)
            }
            run, taken = self.plan(op.body, wants, True, known | (outer - copies))
            reads = self._run_in_reverse(op.body, run)
            more = {s for s in outer if s in taken and not self.final(op, s, reads)}
            if more <= copies:
                break
            copies |= more
        tapes = {j for j, phi in enumerate(op.phis) if phi in taken}
        own = {op.index, *op.phis, *(value for value in self.kept if value not in known)}
        needs: Wanted = (taken - own) | {op.start, op.ended or op.stop}
        for out, init in zip(op.outs, op.inits, strict=True):
            if self.deferred(out) and not self.deferred(init):
                needs.add(init)
        result = self._reverse_plans[op] = ReversePlan(run, tapes, copies, needs)
        return result

    def _run_in_reverse(self, block: Block, run: list[tuple[Op, Any]]) -> set[Op]:
        """Return what the reverse of a block computes again: in itself, and in reverses of loops in it."""
        found = set(operations(run))
        for op in loops_in(block):
            if self.has_reverse(op):
                found |= self._run_in_reverse(op.body, self.reverse_plan(op).run)
        return found

    # Slices -------------------------------------------------------------------------------------------------------

    def plan(
        self, block: Block, wants: Iterable[Any], reverse: bool, skip: frozenset[Any] = frozenset()
    ) -> tuple[list[tuple[Op, Any]], Wanted]:
        """Choose what of a block to run forward.

        Parameters
        ----------
        block : Block
            The block.
        wants : iterable of Value and Storage
            What is needed at its end; of inner blocks, what is kept.
        reverse : bool
            Whether the block is run in reverse afterwards: that needs more.
        skip : frozenset of Storage and Value
            Memory that holds its final content already, and what was kept.

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
            elif isinstance(op, (Guard, Check, Require)):
                chosen = True
            else:
                chosen = any(out in wanted for out in op.outs) or is_asserted(op)
            if not chosen:
                continue
            run.append((op, chosen))
            if any(out in skip for out in op.outs):
                continue
            self._want(wanted, op.args)
            if isinstance(op, (Load, Primitive, Call)):
                self._want(wanted, (arg.storage for arg in op.args if arg.storage is not None))
        return run[::-1], wanted

    def _kept_in(self, block: Block, wanted: Wanted, skip: frozenset[Any]) -> Wanted:
        """Return the values that are computed in a block to be kept."""
        return {value for value in self.kept if value in wanted and value not in skip and value.block.inside(block)}

    @staticmethod
    def _want(wanted: Wanted, more: Iterable[Any]) -> None:
        wanted.update(w for w in more if not (isinstance(w, Value) and w.constant is not None))

    def _plan_loop(self, op: For, wanted: Wanted, reverse: bool, skip: frozenset[Any]) -> ForPlan | None:
        carried = {j for j, out in enumerate(op.outs) if out in wanted}
        stores = {s for s in self.written(op.body) if s in wanted and s not in skip}
        tapes: set[int] = set()
        copies: set[Storage] = set()
        if reverse and self.has_reverse(op):
            back = self.reverse_plan(op)
            tapes, copies = back.tapes, back.copies
            carried = carried | tapes
            stores = stores | copies
        kept = self._kept_in(op.body, wanted, skip)
        asserts = self.asserts(op.body) and not (reverse and self.has_reverse(op))
        if not carried and not stores and not kept and not asserts:
            return None
        if op.ended is not None:
            carried.add(op.outs.index(op.ended))
        while True:
            wants = {op.nexts[j] for j in carried} | stores | kept | ({op.leaves} if op.leaves is not None else set())
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

    def _plan_branch(self, op: If, wanted: Wanted, reverse: bool, skip: frozenset[Any]) -> IfPlan | None:
        outs = {j for j, out in enumerate(op.outs) if out in wanted}
        written = self.written(op.then_block) | self.written(op.else_block)
        stores = {s for s in written if s in wanted and s not in skip}
        back = reverse and self.has_reverse(op)
        runs: list[list[tuple[Op, Any]]] = []
        for side, values in op.sides:
            wants: Wanted = {values[j] for j in outs} | stores | self._kept_in(side, wanted, skip)
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

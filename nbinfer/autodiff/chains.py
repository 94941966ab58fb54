"""Sums whose adjoint is known before the reverse sweep starts.

A value that reaches a result through sums, differences and constant factors alone has an adjoint that is a constant
times that of the result. If it belongs to the result of the program, neither it nor the loop around it is computed
forward at all: its terms are added in the reverse sweep, and one loop computes value and gradient.

Terms of a result may be guarded by `where_valid`, which makes them -inf where a condition fails or where they are NaN.
One such term makes the result -inf, so it is enough to look at their sum: guarded terms are summed by themselves,
unguarded, -inf is added where a condition fails, and a sum that is NaN at the end counts as -inf. That says what the
guards say, except that a term of +inf beside one of -inf gives -inf and not NaN. Adjoints are not guarded: where the
density is 0, its gradient means nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from nbinfer.autodiff.ir import Block, For, If, Scalar, Value, blocks_of
from nbinfer.autodiff.memory import Memory
from nbinfer.compile.forks import cached_property


class Root:
    """The head of a chain.

    Attributes
    ----------
    adjoint : str
        How generated code spells its adjoint.
    total : str
        The variable to which terms are added in the reverse sweep; '' for sums that are computed forward.
    """

    def __init__(self, adjoint: str | Value, total: str = "") -> None:
        self._adjoint = adjoint
        self.total = total

    @cached_property
    def guarded(self) -> Root:
        """The head of the guarded terms: their sum is -inf where it is NaN, and is added to the total."""
        root = Root(self._adjoint, self.total + "_guarded")
        root.guarded = root
        return root

    @property
    def adjoint(self) -> str:
        return self._adjoint if isinstance(self._adjoint, str) else self._adjoint.bar


#: Rules that make their last argument -inf where it is NaN, and `where_valid` also where its condition fails.
_GUARDS = {"nan_to_minus_inf", "where_valid"}


class Link(NamedTuple):
    """A member of a chain: its adjoint is `factor` times that of the root."""

    factor: float
    root: Root


class Chains(Memory):
    """Finds the chains of a program.

    Attributes
    ----------
    results : list of (Value, Root)
        What the program returns, each with the adjoint it starts from.
    chains : dict
        The members of chains.
    """

    def __init__(self, results: list[tuple[Value, Root]]) -> None:
        super().__init__()
        self.results = results
        self.chains: dict[Value, Link] = {}
        self._uses: dict[Block, dict[Value, tuple[int, int]]] = {}
        self._pending: set[Value] = set()

    def find_chains(self, top: Block) -> None:
        """Find all chains, once it is known which operations are live."""
        self._count(top)
        for value, _ in self.results:
            self._use(self._uses[top], value)
        for value, root in self.results:
            self._follow(value, Link(1.0, root), self.chains)
        self._find_sums(top)

    def _use(self, uses: dict[Value, tuple[int, int]], value: Value, fewest: int = 1, most: int = 1) -> None:
        if value.constant is None:
            a, b = uses.get(value, (0, 0))
            uses[value] = (a + fewest, b + most)

    def _count(self, block: Block) -> dict[Value, tuple[int, int]]:
        """Count the uses of each value on any path through a block: the fewest and the most."""
        uses: dict[Value, tuple[int, int]] = {}
        self._uses[block] = uses
        for op in block.ops:
            for arg in op.args:
                self._use(uses, arg)
            if isinstance(op, For):
                inner = self._count(op.body)
                for value in [*op.nexts, *([] if op.leaves is None else [op.leaves])]:
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
    def onward(op: Scalar, link: Link) -> list[Link | None] | None:
        """Return the links of an operation's arguments, None for one without; None if the chain ends here."""
        name, (factor, root) = op.rule.name, link
        if name == "add":
            return [link, link]
        if name == "sub":
            return [link, Link(-factor, root)]
        if name == "neg":
            return [Link(-factor, root)]
        if name == "mul":
            for i in (0, 1):
                number = op.args[i].constant
                if number is not None and 1e-100 < abs(number) < 1e100:
                    return [Link(factor * float(number), root) if j != i else None for j in (0, 1)]
        if name in _GUARDS and root.total and factor > 0.0:
            return [*[None] * (len(op.args) - 1), Link(factor, root.guarded)]
        return None

    def _follow(self, value: Value, link: Link, found: dict[Value, Link]) -> None:
        """Mark a value, and what it is the sum of, as far as each is used exactly once on every path."""
        open_ends = [(value, link)]
        while open_ends:
            value, link = open_ends.pop()
            op = value.op
            if value.constant is not None or op is None or value.kind != "f":
                continue
            if self._uses.get(value.block, {}).get(value) != (1, 1):
                continue
            if isinstance(op, For) and value in op.phis:
                if value in self._pending:
                    found[value] = link
            elif isinstance(op, Scalar):
                links = self.onward(op, link)
                if links is not None:
                    found[value] = link
                    open_ends += [(arg, each) for arg, each in zip(op.args, links, strict=True) if each]
            elif isinstance(op, For):
                position = op.outs.index(value)
                inner = self._carried_sum(op, position, link)
                if inner is not None:
                    found.update(inner)
                    found[value] = link
                    open_ends.append((op.inits[position], link))
            elif isinstance(op, If):
                inner = self._chosen_sum(op, op.outs.index(value), link)
                if inner is not None:
                    found.update(inner)
                    found[value] = link

    def _chosen_sum(self, op: If, position: int, link: Link) -> dict[Value, Link] | None:
        """Follow both sides of a branch; None if they go on differently outside."""
        sides: list[dict[Value, Link]] = [{}, {}]
        for side, (_, values) in zip(sides, op.sides, strict=True):
            self._follow(values[position], link, side)
        depth = op.then_block.depth
        outside = [{v: link for v, link in side.items() if v.block.depth < depth} for side in sides]
        return {**sides[0], **sides[1]} if outside[0] == outside[1] else None

    def _carried_sum(self, op: For, position: int, link: Link) -> dict[Value, Link] | None:
        phi = op.phis[position]
        found: dict[Value, Link] = {}
        self._pending.add(phi)
        self._follow(op.nexts[position], link, found)
        self._pending.discard(phi)
        return found if found.get(phi) == link else None

    def _find_sums(self, block: Block) -> None:
        """Find the sums that are no part of the result: their terms have the adjoint of the sum, times a constant."""
        for op in block.ops:
            if isinstance(op, For):
                for position, phi in enumerate(op.phis):
                    if phi.active and phi not in self.chains:
                        found = self._carried_sum(op, position, Link(1.0, Root(op.outs[position])))
                        if found is not None and not any(v in self.chains for v in found):
                            self.chains.update(found)
            for inner in blocks_of(op):
                self._find_sums(inner)

    def deferred(self, value: Value) -> bool:
        """Tell whether a value is computed in the reverse sweep only, as part of a result."""
        link = self.chains.get(value)
        return link is not None and bool(link.root.total)

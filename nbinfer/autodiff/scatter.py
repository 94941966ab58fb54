"""Adjoints of elements that a loop has read, where adding to them as they come would keep the loop from vectors.

*Index arrays.* Two turns of a loop may add to one element, and the compiler cannot tell what a turn reads from what
another writes; so it keeps their order, and with it that of everything else in the loop. Where that costs much, the
loop works on arrays of its own, element by element, and loops before and after it gather and scatter.

*Neighbours.* A turn that reads ``x[i]`` and ``x[i + 1]`` adds to an element that the turn before has just added to, and
waits for it. Instead it adds to ``x[i]`` alone, and passes on, in a number, what is due to ``x[i + 1]``.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from nbinfer.autodiff.analysis import Analysis
from nbinfer.autodiff.bounds import distance, end
from nbinfer.autodiff.forward import Forward
from nbinfer.autodiff.ir import Block, For, Load, Scalar, Value, View, blocks_of
from nbinfer.autodiff.writer import shifted, taken

#: How far apart the elements may lie.
_FARTHEST = 2

#: A view of a vector from some element on.
_FROM = re.compile(r"\[(?:\{(\d+)\})?:(?:\{\d+\})?\]")


class Neighbours(NamedTuple):
    """What turns of a loop pass on: elements from `first` on, in counts of the loop's index, for each a variable."""

    root: Value
    first: int
    names: list[str]


class Scattering(Forward):
    """Adds to the adjoints of what loops have read."""

    def __init__(self, analysis: Analysis, vectors: bool) -> None:
        super().__init__(analysis, vectors)
        self._split: For | None = None
        self._early: dict[Value, str] = {}
        self._late: dict[Value, str] = {}
        self._near: dict[For, dict[Value, dict[int, list[Load]]]] = {}

    def _begin_upward(self, op: For, counter: str) -> None:
        """Begin a loop that is free to run in either direction in its reverse, and runs forward."""
        if op.step.constant == 1:
            self._near[op] = {}
        if self.vectorised and counter == op.index.name and op.block.depth == 0 and is_costly(op.body):
            self._split = op

    def _load(self, op: Load, plan: Any, shadows: bool) -> None:
        loop = self._split
        place = scattered(op, loop) if loop is not None else ""
        if place and loop is not None:
            self._early[op.out] = f"{op.array.name}[{place}]"
            self.line(f"{op.out.name} = early_{op.out.name}[{loop.index.name}]")
        else:
            super()._load(op, plan, shadows)

    def _gather_and_scatter(self, op: For, start: int) -> None:
        """Write the loops before and after one that begins at line `start`, if it left them something to do."""
        index, (_, count) = op.index.name, self.trips(op)
        early, late = self._early, self._late
        self._split, self._early, self._late = None, {}, {}
        room = f"max({count}, 0)"
        before = [f"early_{v.name} = {taken(room, v.kind)}" for v in early]
        before += [f"late_{v.name} = {taken(room, 'f')}" for v in late]
        if early:
            before.append(f"for {index} in range({count}):")
            before += [f"    early_{v.name}[{index}] = {place}" for v, place in early.items()]
        self.lines[start:start] = ["    " * self.indent + text for text in before]
        if late:
            self.line(f"for {index} in range({count}):")
            for v, place in late.items():
                self.line(f"    {place} += late_{v.name}[{index}]")

    def _reverse_load(self, op: Load, begun: set[Value], loop: For | None) -> None:
        link = self.analysis.chains.get(op.out)
        assert link is None
        if op.out.active and op.out in begun:
            place = scattered(op, loop) if loop is not None and loop is self._split else ""
            if place and loop is not None:
                self._late[op.out] = f"{op.array.bar}[{place}]"
                self.line(f"late_{op.out.name}[{loop.index.name}] = {op.out.bar}")
                return
            shift = _shift(op, loop) if loop in self._near else None
            if loop is not None and shift is not None:
                assert op.array.storage is not None
                near = self._near[loop].setdefault(op.array.storage.root, {})
                near.setdefault(shift, []).append(op)
                return
            text = f"{self.element(op.array, op.index, bar=True)} += {op.out.bar}"
            if op.hoisted:  # a loop that never runs must not touch what may not exist
                self.line(f"if {op.out.bar} != 0.0:")
                text = "    " + text
            self.line(text)

    def _add_to_neighbours(self, op: For) -> list[Neighbours]:
        """End a turn: add to one element of each array, and pass on what is due to others."""
        found = []
        for root, near in self._near.pop(op, {}).items():
            first, last = min(near), max(near)
            if not 0 < last - first <= _FARTHEST:
                for load in (load for loads in near.values() for load in loads):
                    self.line(f"{self.element(load.array, load.index, bar=True)} += {load.out.bar}")
                continue
            names = [f"near_{root.name}_{op.index.name}_{k}" for k in range(1, last - first + 1)]
            place = f"{root.bar}[{shifted(op.index, first)}] +="
            for k, target in enumerate([place, *(f"{name} =" for name in names)]):
                terms = [load.out.bar for load in near.get(first + k, [])] + names[k : k + 1]
                self.line(f"{target} {' + '.join(terms)}")
            found.append(Neighbours(root, first, names))
        return found

    def _pass_on(self, op: For, neighbours: list[Neighbours], start: int) -> None:
        """Write what comes before and after a loop that begins at line `start` and passes on adjoints."""
        names = [name for found in neighbours for name in found.names]
        self.lines[start:start] = ["    " * self.indent + f"{name} = 0.0" for name in names]
        if names:
            self.line(f"if {self.trips(op)[1]} > 0:")
        for root, first, passed in neighbours:
            for k, name in enumerate(passed):
                self.line(f"    {root.bar}[{shifted(self.stop(op), first + k)}] += {name}")


def _shift(op: Load, loop: For | None) -> int | None:
    """Return how far a vector's element that is read lies from the loop's index, counted in the memory as a whole.

    It is None if that is not known, or if somebody writes to the memory.
    """
    array, start = op.array, 0
    if loop is None or op.block is not loop.body or op.hoisted or not _is_fixed(array, loop) or array.ndim != 1:
        return None
    while isinstance(array.op, View):
        match, (array, *parts) = _FROM.fullmatch(array.op.pattern), array.op.args
        first = 0 if match is None or match[1] is None else parts[int(match[1])].constant
        if match is None or first is None or first < 0 or array.ndim != 1:
            return None
        start += first
    shift = distance(op.index[0], loop.index)
    return None if shift is None or end(loop, shift) != "front" else start + shift


def is_costly(block: Block) -> bool:
    """Tell whether a block calls a function that vector code is much faster at."""
    if any(isinstance(op, Scalar) and op.rule.is_function for op in block.ops):
        return True
    return any(is_costly(inner) for op in block.ops for inner in blocks_of(op))


def scattered(op: Load, loop: For) -> str:
    """Write the index of what is read in a loop, so that it holds in others of the same turns.

    It is '' unless an index array names the element, and nobody writes to either array.
    """
    if op.block is not loop.body or op.hoisted or not _is_there(op.array, loop):
        return ""
    if all(_is_regular(i, loop) for i in op.index):
        return ""
    index = [_place(i, loop) for i in op.index]
    return ", ".join(index) if all(index) else ""


def _place(index: Value, loop: For) -> str:
    if _is_regular(index, loop):
        return index.name
    read = index.op
    if (
        not isinstance(read, Load)
        or not _is_there(read.array, loop)
        or not all(_is_regular(i, loop) for i in read.index)
    ):
        return ""
    return f"{read.array.name}[{', '.join(i.name for i in read.index)}]"


def _is_fixed(array: Value, loop: For) -> bool:
    """Tell whether nobody writes to an array from before a loop until its end: each turn finds the same."""
    storage = array.storage
    return storage is not None and not storage.mutable and storage.block.depth < loop.body.depth


def _is_there(array: Value, loop: For) -> bool:
    """Tell whether an array is fixed, and no view that turns of the loop make, each its own."""
    return _is_fixed(array, loop) and array.block.depth < loop.body.depth


def _is_regular(index: Value, loop: For) -> bool:
    return index is loop.index or index.constant is not None or index.block.depth < loop.body.depth

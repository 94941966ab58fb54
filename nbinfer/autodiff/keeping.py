"""Which values to keep instead of computing them again.

In reverse each iteration of a loop computes its body again as far as it is needed. What is cheap is cheap twice; an
exponential is not. It is kept in an array over the loops around it, from the first sweep that computes it on. A program
that makes no arrays is given none for this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from nbinfer.autodiff.ir import Block, Custom, For, Op, Scalar, Value

#: From which cost of a scalar rule on: writing and reading a number costs less than an exponential.
_DEAR = 20


class Kept(NamedTuple):
    """How a value is kept.

    Attributes
    ----------
    level : int
        Depth of the block whose sweep computes it: 0 for the program, else the body of a loop that runs in reverse.
    loops : tuple of For
        The loops around it inside of that block, outermost first: the axes of its tape.
    """

    level: int
    loops: tuple[For, ...]


def keepable(sweeps: Mapping[Block, Any]) -> dict[Value, Kept]:
    """Choose what to keep.

    Parameters
    ----------
    sweeps : mapping
        What runs forward at each level: block and its run (see `Analysis.plan`).
    """
    found = {}
    for value, levels in _levels(sweeps).items():
        for level in levels[:-1]:
            loops = _loops_around(value.block, level)
            if all(_known_outside(loop, loops[0]) for loop in loops):
                found[value] = Kept(level, loops)
                break
    return found


def still_read(kept: Mapping[Value, Kept], sweeps: Mapping[Block, Any]) -> dict[Value, Kept]:
    """Return what a sweep further inside reads: not what only led to something else that is kept."""
    levels = _levels(sweeps)
    return {value: how for value, how in kept.items() if levels.get(value, [0])[-1] > how.level}


def _levels(sweeps: Mapping[Block, Any]) -> dict[Value, list[int]]:
    """List by value, if it is dear, the levels whose sweep computes it."""
    found: dict[Value, list[int]] = {}
    for block in sorted(sweeps, key=lambda b: b.depth):
        for op in operations(sweeps[block]):
            if isinstance(op, Custom) or (isinstance(op, Scalar) and op.rule.cost >= _DEAR):
                found.setdefault(op.out, []).append(block.depth)
    return found


def operations(run: Iterable[tuple[Op, Any]]) -> Iterator[Op]:
    """List what a plan runs, with what is inside of loops and branches."""
    for op, plan in run:
        yield op
        for inner in getattr(plan, "sides", [getattr(plan, "body", [])]):
            yield from operations(inner)


def _loops_around(block: Block | None, level: int) -> tuple[For, ...]:
    loops: list[For] = []
    while block is not None and block.depth > level:
        if block.loop is not None:
            loops.insert(0, block.loop)
        block = block.parent
    return tuple(loops)


def _known_outside(loop: For, outermost: For) -> bool:
    """Tell whether it is known before a nest of loops begins how often one of them runs, or that is the outermost."""
    if loop.endless:
        return loop is outermost
    return all(v.constant is not None or v.block.depth < outermost.body.depth for v in (loop.start, loop.stop))

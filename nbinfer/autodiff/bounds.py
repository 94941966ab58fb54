"""What is known of indices in advance: how far they are from a loop's counter, and on which side of zero they stay."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from nbinfer.autodiff.ir import Block, Dim, For, If, Load, Op, Scalar, Store, Value, View

if TYPE_CHECKING:
    from nbinfer.autodiff.builder import Builder

_OPPOSITE = {"lt": "ge", "ge": "lt", "gt": "le", "le": "gt", "eq": "ne", "ne": "eq"}
_MIRRORED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}


def distance(index: Value, counter: Value) -> int | None:
    """Return c if an index is ``counter + c``."""
    if index is counter:
        return 0
    op = index.op
    if isinstance(op, Scalar) and op.rule.name in ("add", "sub"):
        a, b = op.args
        if a is counter and b.constant is not None:
            return int(b.constant if op.rule.name == "add" else -b.constant)
        if b is counter and a.constant is not None and op.rule.name == "add":
            return int(a.constant)
    return None


def place(access: Load | Store) -> list[Value | None]:
    """Return the index of an access into the whole memory, whatever view it goes through; None where that shifts it."""
    array, index = access.array, list[Value | None](access.index)
    while isinstance(array.op, View):
        pattern, parts = array.op.pattern, array.op.args[1:]
        if pattern == ".T":
            index.reverse()
        else:
            own = iter(index)
            index = []
            for part in pattern[1:-1].split(", "):
                number = re.fullmatch(r"\{(\d+)\}", part)
                inner = None if number else next(own)
                if part != "None":
                    index.append(parts[int(number[1])] if number else inner if part == ":" else None)
        array = array.op.args[0]
    return index


def least(value: Value) -> int | None:
    """Return a number that an integer is surely not below."""
    known = value.constant
    if known is not None:
        return math.ceil(known) if math.isfinite(known) else None
    loop = value.block.loop
    if loop is not None and value is loop.index:
        return least(loop.start) if loop.step.constant > 0 else _plus(least(loop.stop), 1)
    op = value.op
    if isinstance(op, Dim):
        return 0
    if not isinstance(op, Scalar) or value.kind != "i":
        return None
    name, bounds = op.rule.name, [least(arg) for arg in op.args]
    if name == "add":
        return _plus(bounds[0], bounds[1])
    if name == "sub":
        subtracted = op.args[1].constant
        return None if subtracted is None else _plus(bounds[0], -int(subtracted))
    if name == "max":
        return max((k for k in bounds if k is not None), default=None)
    if name == "mod":
        return 0 if (bounds[-1] or 0) > 0 else None
    numbers = [k for k in bounds if k is not None]
    if len(numbers) < 2:
        return None
    if name == "min":
        return min(numbers)
    if name == "mul" and min(numbers) >= 0:
        return numbers[0] * numbers[1]
    return 0 if name == "floordiv" and numbers[0] >= 0 and numbers[1] > 0 else None


def _plus(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


def trips(b: Builder, loop: Any) -> Value:
    """Return how many turns a loop, or what stands for one, takes."""
    step = int(loop.step.constant)
    span = b.scalar("sub", loop.stop, loop.start)
    if step != 1:
        span = b.scalar("floordiv", b.scalar("add", span, b.constant(step - (1 if step > 0 else -1))), loop.step)
    known = least(span)
    return span if known is not None and known >= 0 else b.scalar("max", span, b.constant(0))


def end(loop: For, shift: int) -> str:
    """Tell from which end of an axis ``counter + shift`` counts: "front", "back", or "" if that may change."""
    forward = loop.step.constant > 0
    lowest = least(loop.start) if forward else _plus(least(loop.stop), 1)
    highest = _plus(loop.stop.constant, -1) if forward else loop.start.constant
    if lowest is not None and lowest + shift >= 0:
        return "front"
    return "back" if highest is not None and highest + shift < 0 else ""


def end_of_access(op: Op, loop: For, shift: int) -> str:
    """Tell the same of an operation in the loop, which may stand under a condition on the counter."""
    block: Block | None = op.block
    while block is not None and block is not loop.body:
        if block.branch is not None:
            decision, side = block.branch
            if _implies(decision.args[0], side, loop, -shift):
                return "front"
        block = block.parent
    return end(loop, shift)


def _implies(condition: Value, truth: bool, loop: For, bound: int) -> bool:
    """Tell whether the counter is surely not below a bound where a condition has this truth."""
    op = condition.op
    if isinstance(op, If):  # an `and` or `or` whose right side is evaluated only where it counts
        position = op.outs.index(condition)
        decided = op.args[0]
        return all(
            _implies(decided, side, loop, bound)
            or (value is decided and side != truth)
            or _implies(value, truth, loop, bound)
            for side, value in ((True, op.then_values[position]), (False, op.else_values[position]))
        )
    if not isinstance(op, Scalar):
        return False
    name = op.rule.name
    if name == "not":
        return _implies(op.args[0], not truth, loop, bound)
    if name in ("and", "or"):
        every = all if (name == "or") == truth else any
        return every(_implies(arg, truth, loop, bound) for arg in op.args)
    return name in _OPPOSITE and _compares(op, name if truth else _OPPOSITE[name], loop, bound)


def _compares(op: Scalar, name: str, loop: For, bound: int) -> bool:
    a, b = op.args
    if a.constant is not None:
        a, b, name = b, a, _MIRRORED[name]
    shift = distance(a, loop.index)
    if shift is None or b.constant is None or not math.isfinite(b.constant):
        return False
    limit = b.constant - shift
    if name == "ne":  # of use where it cuts off the lowest value alone
        lowest = least(loop.index)
        return lowest is not None and limit == lowest and lowest + 1 >= bound
    at_least = {"gt": math.floor(limit) + 1, "ge": math.ceil(limit), "eq": math.ceil(limit)}.get(name)
    return at_least is not None and at_least >= bound

"""What Python's own functions make of items: sum, max, min, any, all, list, tuple."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbinfer.autodiff.bounds import trips
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.iteration import Generator, Iterable, few, fold, iterable, listed
from nbinfer.autodiff.lazy import is_array, is_number
from nbinfer.autodiff.registry import HANDLERS, Handler, handles
from nbinfer.autodiff.sequences import List, levels, put, room, turn_of

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend


@handles(sum)
def _sum(b: Frontend, x: Any, start: Any = None) -> Any:
    first = b.constant(0) if start is None else b.operand(start)
    if is_array(x):
        total = b.sum(x, b.constant(0))
        return total if start is None else b.apply("add", first, total)
    items = x if isinstance(x, Generator) else iterable(b, x)
    if isinstance(items, tuple):
        for item in items:
            first = b.apply("add", first, b.operand(item))
        return first

    def step(item: Any, carried: list[Value]) -> list[Value]:
        return [b.scalar("add", carried[0], b.number(item, "what a generator gives to sum"))]

    return fold(b, items, [b.number(first, "what sum begins with")], step)[0]


@handles(math.fsum)
def _fsum(b: Frontend, x: Any) -> Any:
    return b.to_float(b.number(_sum(b, x), "a sum by fsum"))


def _extreme(rule: str) -> Handler:
    def extreme(b: Frontend, *xs: Any, default: Any = None) -> Any:
        if len(xs) == 1 and is_array(xs[0]):
            return b.extreme(xs[0], rule, nan_wins=False)
        x = xs[0] if len(xs) == 1 else tuple(xs)
        if len(xs) == 1 and is_number(x):
            raise b.error("max and min take an array, several numbers, or what gives numbers")
        items = x if isinstance(x, Generator) else iterable(b, x)
        if isinstance(items, tuple):
            if not items and default is None:
                raise b.error("max and min need at least one number")
            result = b.number(items[0] if items else default, "an argument of max or min")
            for item in items[1:]:
                result = b.scalar(rule, result, b.number(item, "an argument of max or min"))
            return result

        def step(item: Any, carried: list[Value]) -> list[Value]:
            best, found = carried
            number = b.number(item, "an argument of max or min")
            better = b.scalar("or", b.scalar("not", found), b.scalar("gt" if rule == "max" else "lt", number, best))
            return [b.select(better, lambda: number, lambda: best), b.constant(True)]

        first = b.constant(0) if default is None else b.number(default, "the default")
        best, found = fold(b, items, [first, b.constant(False)], step)
        if default is None:
            b.check(found, "ValueError", f"{rule} of nothing")
        return best

    return extreme


HANDLERS[max] = _extreme("max")
HANDLERS[min] = _extreme("min")


def _truth(rule: str, start: bool) -> Handler:
    def truth(b: Frontend, x: Any) -> Value:
        def step(item: Any, carried: list[Value]) -> list[Value]:
            return [b.scalar(rule, carried[0], b.condition(item))]

        return fold(b, x, [b.constant(start)], step)[0]

    return truth


HANDLERS[any] = _truth("or", False)
HANDLERS[all] = _truth("and", True)


@handles(math.prod)
def _product(b: Frontend, x: Any) -> Any:
    if is_array(x):
        return b.prod(x, b.constant(0))  # of its rows, as a loop over it gives them

    def step(item: Any, carried: list[Value]) -> list[Value]:
        return [b.scalar("mul", carried[0], b.number(item, "what is multiplied"))]

    return fold(b, x, [b.constant(1)], step)[0]


def _collected(make: Callable[[Frontend, tuple[Any, ...]], Any]) -> Handler:
    def collect(b: Frontend, x: Any = ()) -> Any:
        if isinstance(x, Generator):
            result = listed(b, x)
            return make(b, tuple(result.items)) if result.array is None else result
        items = iterable(b, x)
        numbers = None if isinstance(items, tuple) else few(items)
        if isinstance(items, Iterable) and numbers is not None:
            items = tuple(items.at(b.constant(k)) for k in numbers)
        if isinstance(items, tuple):
            return make(b, items)
        around, arrays, rows, size = b.block, [], [], trips(b, items)

        def step(item: Any, carried: list[Value]) -> list[Value]:
            rows.append(levels(item))
            arrays.append(room(b, size, [item], around))
            put(b, arrays[0], turn_of(b, b.block.loop), item)
            return []

        fold(b, items, [], step)
        return List([], b, arrays[0], rows[0])

    return collect


HANDLERS[list] = _collected(lambda b, items: List(list(items), b))
HANDLERS[tuple] = _collected(lambda b, items: items)

"""What loops run over: arrays by rows, ranges, and `zip`, `enumerate`, `reversed` and `map` of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nbinfer.autodiff.bounds import trips
from nbinfer.autodiff.indexing import part_of, view
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.lazy import is_array, is_number
from nbinfer.autodiff.reader import Environment, Record
from nbinfer.autodiff.registry import handles
from nbinfer.autodiff.sequences import FEW, List, Table, as_row, capacity, levels, put, room, turn_of

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend


class Iterable:
    """Something to loop over: a range of numbers, and the item that each of them stands for.

    Attributes
    ----------
    start, stop, step : Value
        The range; the step is known.
    at : callable
        Takes a number of the range, returns the item.
    """

    def __init__(self, start: Value, stop: Value, step: Value, at: Callable[[Value], Any]) -> None:
        self.start = start
        self.stop = stop
        self.step = step
        self.at = at


def iterable(b: Frontend, x: Any) -> tuple[Any, ...] | Iterable:
    """Return the items of what a loop runs over, or how to get them."""
    if isinstance(x, Record):
        return tuple(x.fields.values())
    if isinstance(x, Table):
        return tuple(map(b.known, x.items))
    if isinstance(x, List) and x.whole is not None:
        rows, items = x, iterable(b, x.whole)
        assert isinstance(items, Iterable)
        return Iterable(items.start, items.stop, items.step, lambda i: as_row(b, rows, items.at(i)))
    if isinstance(x, List | tuple):
        return tuple(x.items) if isinstance(x, List) else x
    if isinstance(x, Iterable):
        return x
    if isinstance(x, Generator):
        return items_of(b, x)
    if is_array(x):
        array = b.settled(x)
        return Iterable(b.constant(0), b.dims_of(array)[0], b.constant(1), lambda i: part_of(b, array, i))
    raise b.error(
        "a loop runs over range, arrays, tuples, lists, and zip, enumerate, reversed and map of these; "
        "otherwise write for i in range(n) and take elements by index"
    )


class Generator:
    """A comprehension, or a generator expression, that is to be read.

    Attributes
    ----------
    node : ast.ListComp or ast.GeneratorExp
        What it is.
    env : dict
        The names around it.
    """

    def __init__(self, node: Any, env: Environment) -> None:
        self.node = node
        self.env = env
        self.used = False


def opened(b: Frontend, generator: Generator) -> Any:
    """Return the node of a generator, once."""
    if generator.used:
        raise b.error("a generator gives its items once; make a list of it")
    generator.used = True
    return generator.node


def items_of(b: Frontend, generator: Generator) -> tuple[Any, ...] | Iterable:
    """Return the items of a generator, or how to get them."""
    node = opened(b, generator)
    known = _known_items(b, node, generator.env)
    if known is not None:
        return tuple(known)
    (clause, *more) = node.generators
    items = iterable(b, b.evaluate(clause.iter, generator.env))
    if more or clause.ifs or isinstance(items, tuple):
        raise b.error("how many items this gives is not known in advance; write loops, with if inside")
    return Iterable(
        items.start,
        items.stop,
        items.step,
        lambda i: b.evaluate(node.elt, b.inside(clause, generator.env, items.at(i))),
    )


def _known_items(b: Frontend, node: Any, env: Environment, depth: int = 0) -> list[Any] | None:
    """Return the items of a comprehension if it is known in advance how many there are, and they are few."""
    if depth == len(node.generators):
        return [b.evaluate(node.elt, env)]
    clause = node.generators[depth]
    items = iterable(b, b.evaluate(clause.iter, env))
    numbers = few(items) if isinstance(items, Iterable) else None
    if isinstance(items, Iterable):
        if numbers is None:
            return None
        items = tuple(items.at(b.constant(k)) for k in numbers)
    found: list[Any] = []
    for item in items:
        inner = b.inside(clause, env, item)
        tests = [b.truth(test, inner).constant for test in clause.ifs]
        some = None if None in tests else _known_items(b, node, inner, depth + 1) if all(tests) else []
        if some is None:
            return None
        found += some
    return found


Step = Callable[[Any, list[Value]], list[Value]]


def fold(b: Frontend, x: Any, carried: list[Value], step: Step) -> list[Value]:
    """Run through items, with numbers that are carried from one to the next."""
    if isinstance(x, Generator):
        return _clause(b, opened(b, x), 0, x.env, carried, step)
    items = iterable(b, x)
    if isinstance(items, tuple):
        for item in items:
            carried = step(item, carried)
        return carried

    def body(index: Value, phis: list[Value]) -> list[Value]:
        with b.under(index):
            return step(items.at(index), phis)

    return b.loop(items.start, items.stop, items.step, carried, body)


def _clause(b: Frontend, node: Any, depth: int, env: Environment, carried: list[Value], step: Step) -> list[Value]:
    """Run through the items of a generator from one of its ``for`` on."""
    if depth == len(node.generators):
        return step(b.evaluate(node.elt, env), carried)
    clause = node.generators[depth]

    def tested(tests: Sequence[Any], inner: Environment, carried: list[Value]) -> list[Value]:
        if not tests:
            return _clause(b, node, depth + 1, inner, carried, step)
        condition = b.truth(tests[0], inner)
        if condition.constant is not None:
            return tested(tests[1:], inner, carried) if condition.constant else carried
        with b.under(condition):
            then, passed = b.side(lambda: tested(tests[1:], inner, carried))
        other, _ = b.side(lambda: None)
        return b.join(condition, then, other, list(zip(passed, carried, strict=True)))

    def turn(item: Any, carried: list[Value]) -> list[Value]:
        return tested(_tests(clause), b.inside(clause, env, item), carried)

    return fold(b, b.evaluate(clause.iter, env), carried, turn)


def _tests(clause: Any) -> list[Any]:
    """Return the conditions of one ``for`` of a generator."""
    return list(clause.ifs)


def listed(b: Frontend, generator: Generator) -> List:
    """Make the list of a comprehension."""
    known = _known_items(b, generator.node, generator.env)
    if known is not None:
        return List(known, b)
    clauses, around, key = generator.node.generators, b.block, b.key("listed")
    counted = len(clauses) > 1 or clauses[0].ifs
    arrays: list[Value] = []
    steps: list[tuple[int, Value]] = []

    def step(item: Any, carried: list[Value]) -> list[Value]:
        size = capacity(b, around)
        if not steps:
            times = b.scalar("mul", size, b.constant(b.facts.get(key, 1)))
            arrays.append(room(b, times, [item], around))
        elif b.ident(size) != b.ident(steps[0][1]):
            raise b.error("how long this list is, is not known in advance; fill an array in loops")
        steps.append((levels(item), size))
        put(b, arrays[0], carried[0] if carried else turn_of(b, b.block.loop), item)
        return [b.scalar("add", number, b.constant(1)) for number in carried]

    outs = fold(b, generator, [b.constant(0)] if counted else [], step)
    b.learn(key, max(len(steps), b.facts.get(key, 1)))
    if not arrays:  # a condition that is known to fail
        return List([], b)
    rest = [slice(None, None, None)] * (arrays[0].ndim - 1)
    whole = view(b, arrays[0], [slice(None, outs[0], None), *rest]) if outs else arrays[0]
    return List([], b, whole, steps[0][0])


def few(items: Iterable) -> range | None:
    """Return the numbers that a loop counts through if they are known and few."""
    ends = [items.start.constant, items.stop.constant, items.step.constant]
    numbers = None if None in ends else range(*ends)
    return numbers if numbers is not None and len(numbers) <= FEW else None


def place(b: Frontend, items: Iterable, k: Value) -> Value:
    """Return the number that the item at a place, counted from 0, stands at."""
    return b.scalar("add", items.start, b.scalar("mul", k, items.step))


def takes_turns(b: Frontend, *args: Any) -> Iterable:
    """Return a range."""
    numbers = [b.number(arg, "an argument of range") for arg in args]
    if not 1 <= len(numbers) <= 3 or any(x.kind == "f" for x in numbers):
        raise b.error("range takes one to three integers")
    if len(numbers) == 1:
        numbers = [b.constant(0), *numbers]
    if len(numbers) == 2:
        numbers = [*numbers, b.constant(1)]
    if numbers[2].constant is None or numbers[2].constant == 0:
        raise b.error("the step of range must be a number known in advance, not 0")
    return Iterable(numbers[0], numbers[1], numbers[2], lambda i: i)


handles(range)(takes_turns)


@handles(zip)
def _zip(b: Frontend, *args: Any, strict: Any = None) -> Any:
    parts = [iterable(b, arg) for arg in args]
    if all(isinstance(part, tuple) for part in parts):
        return tuple(zip(*parts))  # noqa: B905  (of different lengths, as the user's)
    loops = [_counted(b, part) for part in parts]
    if getattr(strict, "constant", False):
        for loop in loops[1:]:
            b.check_equal(trips(b, loops[0]), trips(b, loop))
    first = loops[0]
    ends = {b.ident(loop.start) for loop in loops} | {b.ident(first.start)}
    same = len(ends) == 1 and len({b.ident(loop.step) for loop in loops}) == 1
    if same and first.step.constant == 1:
        return Iterable(first.start, _least(b, [loop.stop for loop in loops]), first.step, _together(loops))
    stop = _least(b, [trips(b, loop) for loop in loops])
    return Iterable(b.constant(0), stop, b.constant(1), lambda k: tuple(loop.at(place(b, loop, k)) for loop in loops))


def _together(loops: list[Iterable]) -> Callable[[Value], Any]:
    return lambda i: tuple(loop.at(i) for loop in loops)


def _least(b: Frontend, numbers: list[Value]) -> Value:
    result = numbers[0]
    for number in numbers[1:]:
        result = result if b.ident(number) == b.ident(result) else b.scalar("min", result, number)
    return result


def _counted(b: Frontend, items: tuple[Any, ...] | Iterable) -> Iterable:
    """Return items that are known as an array of them."""
    if isinstance(items, Iterable):
        return items
    if not items or not all(map(is_number, items)):
        raise b.error(
            "what is known item by item meets what is not, as in zip of a tuple and an array: "
            "let the tuple hold numbers, or write the items one by one"
        )
    array = b.pack(items)
    return Iterable(b.constant(0), b.constant(len(items)), b.constant(1), lambda i: b.load(array, [i]))


@handles(enumerate)
def _enumerate(b: Frontend, x: Any, start: Any = None) -> Any:
    first = b.constant(0) if start is None else b.number(start, "the start of enumerate")
    items = iterable(b, x)
    if isinstance(items, tuple):
        return tuple((b.scalar("add", first, b.constant(k)), item) for k, item in enumerate(items))

    def at(i: Value) -> Any:
        k = i if items.start.constant == 0 else b.scalar("sub", i, items.start)
        k = k if items.step.constant == 1 else b.scalar("floordiv", k, items.step)
        return b.scalar("add", k, first), items.at(i)

    return Iterable(items.start, items.stop, items.step, at)


@handles(reversed)
def _reversed(b: Frontend, x: Any) -> Any:
    items = iterable(b, x)
    if isinstance(items, tuple):
        return items[::-1]
    back = b.constant(-int(items.step.constant))
    last = place(b, items, b.scalar("sub", trips(b, items), b.constant(1)))
    return Iterable(last, b.scalar("add", items.start, back), back, items.at)


@handles(map)
def _map(b: Frontend, function: Any, *args: Any) -> Any:
    items = iterable(b, args[0]) if len(args) == 1 else _zip(b, *args)
    node: Any = b.node

    def apply(item: Any) -> Any:
        return b.call_function(function, [item] if len(args) == 1 else list(item), {}, node)

    if isinstance(items, tuple):
        return tuple(map(apply, items))
    return Iterable(items.start, items.stop, items.step, lambda i: apply(items.at(i)))

"""Reads loops: what they carry from turn to turn, and how they end."""

from __future__ import annotations

import ast
import functools
from collections.abc import Hashable, Sequence
from typing import Any

from nbinfer.autodiff.assignments import Assignments
from nbinfer.autodiff.cells import share
from nbinfer.autodiff.flow import BREAKS, GOES_ON, RETURNS, Known, Leave, as_loop, breaks, returns, written_out
from nbinfer.autodiff.growing import counters
from nbinfer.autodiff.ir import ENDLESS, Storage, Value, promote
from nbinfer.autodiff.iteration import Generator, Iterable, few, iterable, listed
from nbinfer.autodiff.lazy import Lazy, is_array, is_live, is_number, owner
from nbinfer.autodiff.merging import kinds_of, parts, with_parts
from nbinfer.autodiff.reader import Environment, Lost
from nbinfer.autodiff.sequences import List
from nbinfer.autodiff.syntax import assigned, grown, in_place, targets

ONLY_NUMBERS = (
    "return inside a loop takes numbers; keep an array in a variable, leave the loop by break, return it after"
)


class Loops(Assignments):
    """A builder that reads loops."""

    def run(self, statements: Sequence[ast.stmt], env: Environment) -> Leave | None:
        """Run statements; None if they do not lead elsewhere."""
        raise NotImplementedError

    def _known(self, node: Known, env: Environment) -> Any:
        return node.read()

    def comprehended(self, node: ast.ListComp | ast.GeneratorExp, env: Environment) -> Any:
        """Make a list of a comprehension; leave a generator as it is."""
        generator = Generator(node, env)
        return listed(self._whole(), generator) if isinstance(node, ast.ListComp) else generator

    def loop_over(self, node: ast.For, env: Environment) -> list[ast.stmt]:
        """Read a ``for``; return what is to be read next."""
        items = iterable(self._whole(), self.evaluate(node.iter, env))
        self.node = node
        if isinstance(items, Iterable) and any(self._is_known(env.get(name)) for name in grown(node.body)):
            numbers = few(items)
            if numbers is not None:
                at = items.at
                return written_out(node, [functools.partial(at, self.constant(k)) for k in numbers])
        if isinstance(items, tuple):
            return written_out(node, [functools.partial(_same, item) for item in items])
        return self._counted(node, node.target, items, node.body, env)

    def _is_known(self, x: Any) -> bool:
        return isinstance(x, List) and x.array is None and not self.facts.get(("counted", x.key))

    def loop_while(self, node: ast.While, env: Environment) -> list[ast.stmt]:
        """Read a ``while``; return what is to be read next."""
        endless = Iterable(self.constant(0), self.constant(ENDLESS), self.constant(1), lambda i: i)
        return self._counted(node, None, endless, as_loop(node), env)

    def _counted(
        self, node: ast.For | ast.While, target: Any, items: Iterable, body: Sequence[ast.stmt], env: Environment
    ) -> list[ast.stmt]:
        """Build a loop of the program; return what is to be read next."""
        own, place = [] if target is None else targets(target), self.key("targets")
        lists = self.begin_to_grow(body, env, in_loop=True)
        wanted = [name for name in own if name in env and self.facts.get((place, name))]
        names = [*(name for name in assigned(body) if name not in own), *wanted, *counters(env)]
        carried = _Carried(self, names, body, env)
        key = self.key("returns")
        shape = self.facts.get(key) if returns(body) else None
        result: list[Any] = [] if shape is None else flat(self.blank(shape))
        how = self.constant(GOES_ON)
        may_break = breaks(body)

        def turn(index: Value, phis: list[Value]) -> list[Value]:
            inner = carried.begin(env, phis)
            with self.under(index):
                if target is not None:
                    self._assign(target, items.at(index), inner)
                self.frames[-1].turns += 1
                left = self.run(body, inner)
                self.frames[-1].turns -= 1
            self.node = node
            nexts = carried.end(inner)
            if not may_break:
                return nexts
            left = left or Leave(how)
            given = self._returned(left, key, shape) or result
            return [*nexts, *given, left.how, self.scalar("ne", left.how, how)]

        self.node = node
        inits = [*carried.inits, *([*result, how] if may_break else [])]
        hint = own[0] if len(own) == 1 else "i"
        hints = [*carried.hints, *["result"] * len(result), "how"]
        outs = self.loop(items.start, items.stop, items.step, inits, turn, hint, hints[: len(inits)], may_break)
        carried.finish(env, outs, own, place)
        self.finish_growing(lists, env)
        if not may_break:
            return list(node.orelse)
        return self._afterwards(node, body, outs[-1], shape, outs[len(carried.inits) : -1])

    def _returned(self, left: Leave, key: Hashable, shape: Any) -> list[Value]:
        """List the numbers that a turn returns, if they are those that the loop carries; learn what these are."""
        kinds = kinds_of(left.value)
        if left.value is not None and kinds is None:
            raise self.error(ONLY_NUMBERS)
        if kinds is not None:
            self.learn(key, kinds)
        return flat(left.value) if kinds is not None and kinds == shape else []

    def _afterwards(
        self, node: ast.For | ast.While, body: Sequence[ast.stmt], how: Value, shape: Any, result: list[Value]
    ) -> list[ast.stmt]:
        """Return what follows a loop that may have been left: by how it ended."""
        found: list[ast.stmt] = []
        if returns(body) and shape is not None:
            value = share(built(shape, iter(result)))
            left = self.scalar("eq", how, self.constant(RETURNS))
            found.append(_branch(node, left, [ast.copy_location(ast.Return(Known(lambda: value, node)), node)]))
        if node.orelse:
            found.append(_branch(node, self.scalar("lt", how, self.constant(BREAKS)), node.orelse))
        return found


def _same(item: Any) -> Any:
    return item


def _branch(node: ast.AST, condition: Value, body: list[ast.stmt]) -> ast.If:
    return ast.copy_location(ast.If(Known(lambda: condition, node), body, []), node)


class _Carried:
    """The names that a loop rebinds: each number in them is carried, and each array is memory that turns overwrite.

    Attributes
    ----------
    inits : list of Value
        The numbers before the loop.
    hints : list of str
        The names they belong to.
    """

    def __init__(self, b: Loops, names: Sequence[str], body: Sequence[ast.stmt], env: Environment) -> None:
        self.b = b
        self.inits: list[Value] = []
        self.hints: list[str] = []
        self.lost: dict[str, Lost] = {}
        self._shapes: dict[str, Any] = {}
        self._origins: list[tuple[Any, int]] = []
        self._names = [name for name in names if not self._stays(env.get(name), name, body)]
        changed = in_place(body)
        for name in (name for name in self._names if name in env):
            value = env[name]
            if is_array(value) and name in changed:
                self.lost[name] = Lost(
                    f"the array {name!r} is both rebound and written to in place in a loop; do one of the two: "
                    f"write {name} = ..., or make it before the loop and write {name}[:] = ..."
                )
                continue
            if isinstance(value, Lost):
                self.lost[name] = value
                continue
            inits: list[Value] = []
            shape = self._shape(value, name, inits)
            if shape is None:
                self.lost[name] = Lost(f"{name!r} is rebound in a loop, but is no number, array or tuple of these")
                continue
            self._shapes[name] = shape
            self.inits += inits
            self.hints += [name] * len(inits)

    def _stays(self, value: Any, name: str, body: Sequence[ast.stmt]) -> bool:
        """Tell whether a loop changes an array or a list in place only: its name means the same memory throughout."""
        return (is_array(value) or isinstance(value, List)) and name not in assigned(body, in_place=False)

    def _shape(self, value: Any, name: str, inits: list[Value]) -> Any:
        """Describe a value: the kind of a number, memory for an array, a list for a tuple; None for anything else."""
        if is_number(value):
            inits.append(value)
            return value
        if is_array(value):
            return self._memory(value, name)
        inner = parts(value)
        shapes = None if inner is None else [self._shape(item, name, inits) for item in inner]
        return None if shapes is None or None in shapes else with_parts(self.b, value, shapes)

    def _memory(self, value: Any, name: str) -> Value:
        """Make the memory that an array is in at the beginning of each turn."""
        b = self.b
        key = b.key("carried")
        kind = promote(value.kind, b.facts.get(key, value.kind))
        array = b.alloc(b.dims_of(value), kind, "empty", name)
        b.assign(array, value)
        assert array.storage is not None
        array.storage.carried = key
        if is_live(value):
            self._origins.append((value, len(_storage(value).stores)))
        return array

    def begin(self, env: Environment, phis: Sequence[Value]) -> Environment:
        """Return what names mean at the beginning of a turn."""
        left = iter(phis)
        return {**env, **self.lost, **{name: self._filled(shape, left) for name, shape in self._shapes.items()}}

    def _filled(self, shape: Any, numbers: Any) -> Any:
        if is_number(shape):
            return next(numbers)
        inner = parts(shape)
        return shape if inner is None else with_parts(self.b, shape, [self._filled(part, numbers) for part in inner])

    def end(self, inner: Environment) -> list[Value]:
        """Return the numbers at the end of a turn; write arrays to their memory, all at once."""
        nexts: list[Value] = []
        arrays: list[tuple[Value, Any]] = []
        for name, shape in self._shapes.items():
            value = inner[name]
            if isinstance(value, Lost):
                raise self.b.error(value.message)
            self._match(name, shape, value, nexts, arrays)
        memory = {_storage(array) for array, _ in arrays}
        ready = []
        for array, value in arrays:
            others = memory - {_storage(array)}
            ready.append((array, self.b.stored(self.b.fresh(value)) if others & _reads(value) else value))
        for array, value in ready:
            _storage(array).carried = None
            self.b.assign(array, value)
        for value, count in self._origins:
            if len(_storage(value).stores) != count:
                raise self.b.error("an array that a loop rebinds is written to in it by another name; copy it first")
        return nexts

    def _match(self, name: str, shape: Any, value: Any, nexts: list[Value], arrays: list[tuple[Value, Any]]) -> None:
        b, inner, found = self.b, parts(shape), parts(value)
        if inner is not None and found is not None and len(inner) == len(found):
            for part, item in zip(inner, found, strict=True):
                self._match(name, part, item, nexts, arrays)
        elif is_number(shape) and is_number(value):
            nexts.append(value)
        elif inner is None and not is_number(shape) and is_array(value):
            self._match_array(name, shape, value)
            if value is not shape:
                arrays.append((shape, value))
        elif is_number(shape) and is_array(value):
            raise b.error(f"{name!r} is a number before the loop and an array in it; use two names")
        else:
            raise b.error(f"{name!r} is rebound in a loop to another kind of thing; use two names")

    def _match_array(self, name: str, array: Value, value: Any) -> None:
        b = self.b
        if value.ndim != array.ndim:
            raise b.error(f"{name!r} has {array.ndim} axes before the loop and {value.ndim} in it; use two names")
        for size, given in zip(b.dims_of(array), b.dims_of(value), strict=True):
            b.check_same(
                size, given, f"the array {name} gets another shape in a loop; fill one of the shape it ends with"
            )
        if promote(array.kind, value.kind) != array.kind:
            b.learn(_storage(array).carried, value.kind)
        if is_live(value) and not _storage(value).block.inside(b.block) and not _storage(value).carried:
            raise b.error(f"{name!r} becomes another name of an array that is written to; copy it, by np.copy")

    def finish(self, env: Environment, outs: Sequence[Value], own: Sequence[str], place: Hashable) -> None:
        """Give names what they mean after the loop."""
        left = iter(outs)
        for name, shape in self._shapes.items():
            env[name] = self._filled(shape, left)
        for name in [*self._names, *own]:
            if name not in self._shapes:
                message = f"{name!r} is set in a loop only; give it a value before the loop"
                env[name] = self.lost.get(name) or Lost(message, (place, name) if name in own else None)


def _storage(array: Any) -> Storage:
    source = owner(array)
    storage: Storage = source.storage
    return storage


def _reads(array: Any) -> set[Any]:
    """Return the memory that an array expression reads."""
    return set(array.reads) if isinstance(array, Lazy) else {array.storage}


def flat(x: Any) -> list[Any]:
    """List the numbers in a number or a tuple."""
    return [number for item in x for number in flat(item)] if isinstance(x, tuple) else [x]


def built(shape: Any, numbers: Any) -> Any:
    """Put numbers in the shape of a tuple."""
    return tuple(built(part, numbers) for part in shape) if isinstance(shape, tuple) else next(numbers)

"""Reads expressions: what a syntax tree means for the values at hand."""

from __future__ import annotations

import ast
import builtins
import math
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nbinfer.autodiff.cells import SHARED, mark
from nbinfer.autodiff.ir import Storage, Value
from nbinfer.autodiff.lazy import Lazy, Operand, is_array, is_live, is_number, is_truth
from nbinfer.autodiff.reader import Environment, Lost, Method, Reader, Record
from nbinfer.autodiff.sequences import (
    List,
    Table,
    as_tuple,
    contained,
    from_outside,
    joined,
    key_of,
    read_item,
    repeated,
    truth_of,
)
from nbinfer.autodiff.spellings import BINARY, COMPARE
from nbinfer.autodiff.syntax import EXPRESSIONS
from nbinfer.autodiff.writer import PREFIXES


class Expressions(Reader):
    """A builder that reads expressions."""

    def known(self, thing: Any) -> Any:
        """Return what stands for a key: a text, or a number that is known."""
        return thing if isinstance(thing, str) else self.constant(thing)

    # Python objects as values -------------------------------------------------------------------------------------

    def wrap(self, thing: Any, hint: str) -> Any:
        """Turn a Python object into what the program knows it as."""
        if isinstance(thing, (bool, int, float, np.bool_, np.integer, np.floating)):
            return self.constant(thing)
        if isinstance(thing, np.ndarray):
            return self._captured(thing, hint)
        if isinstance(thing, tuple):
            fields = getattr(thing, "_fields", None)
            items = [self.wrap(item, f"{hint}_{i}") for i, item in enumerate(thing)]
            return Record(hint, dict(zip(fields, items, strict=True))) if fields else tuple(items)
        return from_outside(self, thing, hint) if isinstance(thing, list | dict) else thing

    def _captured(self, array: np.ndarray, hint: str) -> Value:
        kind = {"u": "i"}.get(array.dtype.kind, array.dtype.kind)
        if kind not in "bif":
            raise self.error(f"{hint!r} is an array of {array.dtype}; convert it to numbers")
        if array.ndim == 0:
            return mark(self.constant(array[()]), SHARED)  # type: ignore[no-any-return]
        name = next((n for n, known in self.names.items() if known is array), None)
        if name is None:
            name = self.global_name(f"{hint}_array")
            self.names[name] = array
        for value in self.captured:
            if value.access == name:
                return value
        storage = Storage(False, False, self.top)
        value = self.value(hint, kind, self.top, ndim=array.ndim, storage=storage)
        value.access = name
        for axis, size in enumerate(array.shape):
            self.top.known["dim", value.number, axis] = self.constant(size)
        self.captured.append(value)
        return value

    def fixed(self, array: np.ndarray) -> Value:
        """Return an array that is known in advance: generated code finds it among its globals."""
        for known in self.names.values():
            same = isinstance(known, np.ndarray) and (known.dtype, known.shape) == (array.dtype, array.shape)
            if same and known.tobytes() == array.tobytes():
                array = known
                break
        return self._captured(array, "fixed")

    def global_name(self, hint: str) -> str:
        """Return a name for a global of the generated code."""
        if hint.startswith(("_", *PREFIXES)) or hint in ("np", "math", *vars(builtins)):
            hint = f"user_{hint.lstrip('_')}"
        name, count = hint, 1
        while name in self.names or name in self.arguments:
            count += 1
            name = f"{hint}_{count}"
        return name

    def number(self, x: Any, what: str) -> Value:
        """Require a number."""
        if not is_number(x):
            raise self.error(f"{what} must be a number here")
        return x  # type: ignore[no-any-return]

    def operand(self, x: Any) -> Operand:
        """Require a number or an array."""
        if isinstance(x, (Value, Lazy)):
            return x
        x = as_tuple(x)
        if isinstance(x, Value):
            return x
        if isinstance(x, tuple) and x and all(is_number(item) for item in x):
            return self.pack(x)
        if isinstance(x, tuple) and x and all(isinstance(item, (Value, Lazy, tuple)) for item in x):
            from nbinfer.autodiff.joining import array_of

            return array_of(self, x)  # type: ignore[arg-type]
        if isinstance(x, Lost):
            raise self.error(x.message)
        raise self.error(f"{describe(x)} cannot be used in arithmetic; {_instead(x, 'use numbers and arrays')}")

    def pack(self, items: Sequence[Value]) -> Value:
        """Make an array of numbers."""
        kind = "f" if any(item.kind == "f" for item in items) else items[0].kind
        array = self.alloc([self.constant(len(items))], kind, "empty", "pack", mutable=False)
        for i, item in enumerate(items):
            self.store(array, [self.constant(i)], item, first=True)
        return array

    # Expressions --------------------------------------------------------------------------------------------------

    def evaluate(self, node: ast.expr, env: Environment) -> Any:
        """Evaluate an expression."""
        before, self.node = self.node, node
        method = getattr(self, "_" + type(node).__name__.lower(), None)
        if method is None:
            raise self.error(
                EXPRESSIONS.get(type(node), f"{type(node).__name__} is not supported; use loops and NumPy")
            )
        result = self.dated(method(node, env))
        self.node = before
        return result

    def _constant(self, node: ast.Constant, env: Environment) -> Any:
        if isinstance(node.value, (bool, int, float)):
            return self.constant(node.value)
        return node.value

    def _name(self, node: ast.Name, env: Environment) -> Any:
        found = env[node.id] if node.id in env else self.outer_name(node.id)
        if found is not None or node.id in env:
            if isinstance(found, Lost):
                if found.wanted is not None:
                    self.learn(found.wanted, True)
                raise self.error(found.message)
            return found
        try:
            return self.wrap(self.free_name(node.id), node.id)
        except KeyError:
            raise self.error(f"the name {node.id!r} is not defined") from None

    def _binop(self, node: ast.BinOp, env: Environment) -> Any:
        left, right = self.evaluate(node.left, env), self.evaluate(node.right, env)
        self.node = node
        return self.binary(type(node.op), left, right)

    def binary(self, operator: type[ast.operator], left: Any, right: Any) -> Any:
        """Apply an operator."""
        made = None
        if operator in (ast.Add, ast.Mult):
            made = (joined if operator is ast.Add else repeated)(self, left, right)
        if made is not None:
            return made
        left, right = self.operand(left), self.operand(right)
        if operator is ast.MatMult:
            return self.dot(left, right)
        return self.apply(BINARY[operator], left, right)

    def _unaryop(self, node: ast.UnaryOp, env: Environment) -> Any:
        if isinstance(node.op, ast.Not):
            return self.truth(node, env)
        operand = self.operand(self.evaluate(node.operand, env))
        self.node = node
        if isinstance(node.op, ast.UAdd):
            return self.fresh(operand)
        if isinstance(node.op, ast.USub):
            return self.apply("neg", operand)
        if operand.kind == "b":
            return self.apply("not", operand)
        raise self.error("~ works on booleans only")

    def condition(self, x: Any) -> Value:
        """Read a value as true or false."""
        if is_array(x):
            raise self.error("an array is neither true nor false; use np.where, or a loop with if")
        known = truth_of(self, x)
        return self.scalar("bool", x) if known is None else known

    def truth(self, node: ast.expr, env: Environment) -> Value:
        """Evaluate an expression of which only that counts whether it is true."""
        if isinstance(node, ast.BoolOp):
            return self._decided(node, env, self.truth)  # type: ignore[no-any-return]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self.scalar("not", self.truth(node.operand, env))
        return self.condition(self.evaluate(node, env))

    def _compare(self, node: ast.Compare, env: Environment) -> Any:
        left = self.evaluate(node.left, env)
        result: Any = None
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            meant = comparator.elts if isinstance(comparator, ast.Set) else None
            right = self.evaluate(comparator, env) if meant is None else tuple(self.items(meant, env))
            self.node = node
            if isinstance(op, ast.In | ast.NotIn):
                part: Any = contained(self, left, right)
                part = self.apply("not", part) if isinstance(op, ast.NotIn) else part
            elif isinstance(op, ast.Is | ast.IsNot):
                same = left is right
                part = self.constant(same == isinstance(op, ast.Is))
            elif isinstance(left, str) or isinstance(right, str):
                part = self.constant((left == right) == isinstance(op, ast.Eq))
            else:
                part = self.apply(COMPARE[type(op)], self.operand(left), self.operand(right))
            result = part if result is None else self.apply("and", result, part)
            left = right
        return result

    def _boolop(self, node: ast.BoolOp, env: Environment) -> Any:
        return self._decided(node, env, self.evaluate)

    def _decided(self, node: ast.BoolOp, env: Environment, read: Callable[[ast.expr, Environment], Any]) -> Any:
        """Read ``and`` and ``or`` from left to right up to the operand that decides, which is the value.

        What is on the right is read only where it counts, if it may fail.
        """
        is_and = isinstance(node.op, ast.And)
        result = read(node.values[0], env)
        for value in node.values[1:]:
            test = self.condition(result)
            if test.constant is not None:
                if test.constant != is_and:
                    return result
                result = read(value, env)
                continue
            fails = any(isinstance(n, ast.Subscript | ast.Call) for n in ast.walk(value))
            other: Any = None if fails else read(value, env)
            if is_truth(result) and is_truth(other):
                result = self.scalar("and" if is_and else "or", result, other)
                continue

            def rest(value: ast.expr = value, other: Any = other, fails: bool = fails) -> Any:
                return read(value, env) if fails else other

            def known(result: Any = result) -> Any:
                return result

            with self.under(test):
                then_block, a = self.side(rest if is_and else known)
                else_block, b = self.side(known if is_and else rest)
            self.node = node
            result = self.merge(test, then_block, else_block, a, b)
        return result

    def _ifexp(self, node: ast.IfExp, env: Environment) -> Any:
        condition = self.truth(node.test, env)
        if condition.constant is not None:
            return self.evaluate(node.body if condition.constant else node.orelse, env)
        with self.under(condition):
            then_block, a = self.side(lambda: self.evaluate(node.body, env))
            else_block, b = self.side(lambda: self.evaluate(node.orelse, env))
        self.node = node
        return self.merge(condition, then_block, else_block, a, b)

    def _tuple(self, node: ast.Tuple, env: Environment) -> Any:
        return tuple(self.items(node.elts, env))

    def _list(self, node: ast.List, env: Environment) -> Any:
        return List(self.items(node.elts, env), self)

    def items(self, nodes: Sequence[ast.expr], env: Environment) -> list[Any]:
        """Evaluate arguments, or what stands in a tuple or a list; ``*`` spreads what follows it."""
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                some = as_tuple(self.evaluate(node.value, env))
                if not isinstance(some, tuple):
                    raise self.error(
                        "* takes a tuple or a list here, of a length known in advance; name the items, x[0], x[1]"
                    )
                found += some
            else:
                found.append(self.evaluate(node, env))
        return found

    def _listcomp(self, node: ast.ListComp, env: Environment) -> Any:
        return self.comprehended(node, env)

    def _generatorexp(self, node: ast.GeneratorExp, env: Environment) -> Any:
        return self.comprehended(node, env)

    def _dictcomp(self, node: ast.DictComp, env: Environment) -> Any:
        pair = ast.copy_location(ast.Tuple([node.key, node.value], ast.Load()), node)
        pairs = self.comprehended(ast.copy_location(ast.ListComp(pair, node.generators), node), env)
        return Table({key_of(self, key): value for key, value in pairs.items}, self)

    def _dict(self, node: ast.Dict, env: Environment) -> Any:
        items: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None:
                items[key_of(self, self.evaluate(key, env))] = self.evaluate(value, env)
                continue
            table = self.evaluate(value, env)
            if not isinstance(table, Table):
                raise self.error("** in a dictionary takes a dictionary")
            items |= table.items
        return Table(items, self)

    def _attribute(self, node: ast.Attribute, env: Environment) -> Any:
        owner = self.evaluate(node.value, env)
        self.node = node
        if isinstance(owner, Record):
            if node.attr not in owner.fields:
                fields = ", ".join(owner.fields) or "none"
                raise self.error(f"{owner.name} has no field {node.attr!r}; its fields: {fields}")
            return owner.fields[node.attr]
        if isinstance(owner, (Value, Lazy)):
            if node.attr == "shape":
                return tuple(self.dims_of(owner))
            if node.attr == "size":
                return self.count(owner)
            if node.attr == "ndim":
                return self.constant(owner.ndim)
            if node.attr == "T":
                return self.transpose(owner)
            if not hasattr(np.ndarray, node.attr):
                raise self.error(f"an array has no attribute {node.attr!r}")
            return Method(node.attr, owner)
        if isinstance(owner, List | Table):
            return Method(node.attr, owner)
        if isinstance(owner, tuple):
            raise self.error(f"a tuple has no attribute {node.attr!r} here")
        try:
            found = getattr(owner, node.attr)
        except AttributeError:
            raise self.error(f"{describe(owner)} has no attribute {node.attr!r}") from None
        return self.wrap(found, node.attr)

    def _call(self, node: ast.Call, env: Environment) -> Any:
        function = self.evaluate(node.func, env)
        args = self.items(_as_generators(function, node.args), env)
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.evaluate(keyword.value, env)
            if keyword.arg is None and not isinstance(value, Table):
                raise self.error("** in a call takes a dictionary; name the arguments")
            named |= {keyword.arg: value} if keyword.arg is not None else value.items
        self.node = node
        return self.call_function(function, args, named, node)

    def _subscript(self, node: ast.Subscript, env: Environment) -> Any:
        owner = self.evaluate(node.value, env)
        self.node = node
        if isinstance(owner, Record):
            owner = tuple(owner.fields.values())
        if isinstance(owner, tuple | List | Table):
            return read_item(self, owner, self.index(node.slice, env))
        if is_number(owner) and isinstance(node.slice, ast.Tuple) and not node.slice.elts:
            return self.another(owner)  # the number of an array without axes
        if not is_array(owner):
            raise self.error(f"{describe(owner)} cannot be indexed; {_instead(owner, 'use arrays and tuples')}")
        from nbinfer.autodiff.indexing import subscript

        parts = self.index(node.slice, env)
        found = subscript(self, owner, parts)
        return self._window(owner, found) if Ellipsis in parts and is_number(found) else found

    def _window(self, array: Operand, element: Value) -> Value:
        """Return the element that an index with an Ellipsis gives: NumPy has a view of it, without axes."""
        if is_live(array):
            raise self.error("this index gives a view without axes; leave the Ellipsis out, which gives the number")
        return mark(element, SHARED)  # type: ignore[no-any-return]

    def index(self, node: ast.expr, env: Environment) -> list[Any]:
        """Evaluate what stands between brackets: values, slices of values, None and Ellipsis."""
        parts: list[Any] = []
        for item in node.elts if isinstance(node, ast.Tuple) else [node]:
            if isinstance(item, ast.Slice):
                bounds = [None if b is None else self.evaluate(b, env) for b in (item.lower, item.upper, item.step)]
                parts.append(slice(*(None if b is None else self.number(b, "a bound of a slice") for b in bounds)))
            else:
                part = self.evaluate(item, env)
                part = self.operand(as_tuple(part)) if isinstance(part, List) else part
                parts += part if isinstance(part, tuple) else [part]
        return parts


def _as_generators(function: Any, nodes: list[ast.expr]) -> list[ast.expr]:
    """Let what folds the items of a list do without the list."""
    if (
        len(nodes) != 1
        or not isinstance(nodes[0], ast.ListComp)
        or function not in (sum, max, min, any, all, math.fsum)
    ):
        return nodes
    node: Any = nodes[0]
    return [ast.copy_location(ast.GeneratorExp(node.elt, node.generators), node)]


def _instead(thing: Any, otherwise: str) -> str:
    """Say what to do with an object that is no array: what is in a table, or one of its columns, is data."""
    return "pass it as data: of data=table each column is an entry, d.y" if hasattr(thing, "to_numpy") else otherwise


def describe(thing: Any) -> str:
    """Say in messages what a value is."""
    if is_number(thing) or is_array(thing):
        return "a number" if is_number(thing) else "an array"
    if thing is None:
        return "None"
    if isinstance(thing, Record):
        return f"the named tuple {thing.name}"
    if isinstance(thing, tuple | List | Table):
        return {tuple: "a tuple", List: "a list"}.get(type(thing), "a dictionary")
    if type(thing).__name__ in ("Generator", "Iterable", "Closure"):
        return {"Generator": "a generator", "Closure": "a function"}.get(type(thing).__name__, "a range")
    if isinstance(thing, Method):
        return f"the method .{thing.name}"
    if isinstance(thing, types.ModuleType):
        return f"the module {thing.__name__}"
    text = str(getattr(thing, "__name__", repr(thing)))
    return text if len(text) <= 60 and text.isprintable() else f"what is a {type(thing).__name__}"

"""Numbers that NumPy keeps in arrays without axes: changed in place, one changes under each of its names.

The program knows numbers only. Where a function may have given such an array, its value is marked: ``s -= 0.5`` is then
read as ``s = s - 0.5`` if the text of the function shows that nothing else has the array, and refused otherwise.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.autodiff.ir import For, If, Value
from nbinfer.autodiff.lazy import Held, Lazy, is_array, is_number, owner

if TYPE_CHECKING:
    from nbinfer.autodiff.builder import Builder

#: What a value is: a number; an array without axes; one that may have a name elsewhere.
NUMBER, CELL, SHARED = range(3)

#: The fact that arrays without axes are in a list that is an array.
IN_LISTS = ("cells in lists",)

#: Functions of NumPy that give an array without axes for a number.
WITHOUT_AXES: frozenset[Any] = frozenset((
    np.where, np.select, np.array, np.asarray, np.asanyarray, np.copy, np.tensordot, np.full, np.zeros, np.ones,
    np.empty, np.transpose,
))  # fmt: skip

#: What gives neither what it is given, nor a view of it.
_GIVES_NEW = WITHOUT_AXES - {np.asarray, np.asanyarray, np.transpose} | {
    np.sum, np.mean, np.prod, np.dot, np.max, np.min, np.clip, np.einsum, "astype", "item", "flatten",
}  # fmt: skip

#: Methods that keep what they are given.
_KEEP = ("append", "extend", "insert", "setdefault", "update")


def mark(value: Any, cell: int) -> Any:
    """Note what the numbers in a value may be."""
    for each in numbers_in(value):
        each.cell = max(each.cell, cell)
    return value


def made(b: Builder, value: Value) -> Value:
    """Note that a function of NumPy has made an array without axes; a number that it is made of stays one."""
    if not value.cell and not isinstance(value.op, If | For):
        value = b.another(value)
    return mark(value, CELL)  # type: ignore[no-any-return]


def share(value: Any) -> Any:
    """Note that what a value holds may have another name."""
    for each in numbers_in(value):
        each.cell = SHARED if each.cell else NUMBER
    return value


def hand_on(b: Builder, function: Any, given: Any, result: Any) -> Any:
    """Note that what a function returns, or keeps, may be an array without axes that it was given, or its view."""
    cells = [value for value in numbers_in(given) if value.cell]
    if not cells or function in _GIVES_NEW:
        return result
    share(given)
    if function is sorted:
        raise b.error(
            "sorted gives arrays without axes other names, as np.where and others make them; sort np.array(...)"
        )
    if getattr(result, "array", None) is not None:
        b.learn(IN_LISTS, True)
    if is_array(result):
        held = Held((), b.block)
        held.fixed = True
        source = owner(result)
        if isinstance(source, Lazy):
            source.held = held
            source = source.stored_as
        if source is not None and not source.storage.mutable:
            source.storage.held = held
    return mark(result, SHARED)


def numbers_in(value: Any) -> Iterator[Value]:
    """Yield the numbers that a value is or holds, as far as these are known one by one."""
    if isinstance(value, Value) and is_number(value):
        yield value
        return
    held = None if isinstance(value, Value | Lazy) else getattr(value, "held", value)
    if not isinstance(held, dict):
        held = getattr(held, "fields", getattr(held, "items", held))
    for item in held.values() if isinstance(held, dict) else held if isinstance(held, tuple | list) else ():
        yield from numbers_in(item)


def is_alone(name: str, arguments: ast.arguments, body: Iterable[ast.stmt]) -> bool:
    """Tell whether the text of a function shows that what a name means has no other name, and is held by nothing."""
    given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    if any(argument is not None and argument.arg == name for argument in given):
        return False
    return not any(_shares(node, name) for statement in body for node in ast.walk(statement))


def _shares(node: ast.AST, name: str) -> bool:
    """Tell whether a part of a function, on its own, may give what a name means another holder, or got it from one."""
    match node:
        case ast.FunctionDef() | ast.Lambda():
            return any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(node))
        case ast.Assign(targets=targets, value=value):
            return name in _handed(value) or not all(_is_new(target, value, name, len(targets)) for target in targets)
        case ast.AnnAssign(target=target, value=value) if value is not None:
            return name in _handed(value) or not _is_new(target, value, name, 1)
        case ast.NamedExpr(target=target, value=value):
            return name in {target.id, *_handed(value)}
        case ast.AugAssign(value=value):
            return name in _contained(value)
        case ast.For(target=target, iter=source) | ast.comprehension(target=target, iter=source):
            return name in _handed(target) | _contained(source)
        case ast.Call(func=ast.Attribute(attr=method), args=args):
            return method in _KEEP and any(name in _handed(argument) for argument in args)
    return False


def _handed(node: ast.AST) -> set[str]:
    """List the names whose values the value of an expression may be, or hold."""
    match node:
        case ast.Name(id=name):
            return {name}
        case ast.BinOp():
            return _contained(node)
        case ast.Call() | ast.UnaryOp() | ast.Compare() | ast.Lambda():
            return set()
        case ast.IfExp(body=first, orelse=second):
            return _handed(first) | _handed(second)
        case ast.Subscript(value=value) | ast.Attribute(value=value):
            return _handed(value)
    return {name for part in ast.iter_child_nodes(node) for name in _handed(part)}


def _contained(node: ast.AST) -> set[str]:
    """List the names whose values the lists and tuples that are written out in an expression hold, and their sums."""
    match node:
        case ast.List() | ast.Tuple() | ast.Set() | ast.Dict() | ast.ListComp() | ast.SetComp() | ast.DictComp():
            return _handed(node)
        case ast.Call() | ast.UnaryOp() | ast.Compare() | ast.Lambda():
            return set()
        case ast.Subscript(value=value):
            return _contained(value)
    return {name for part in ast.iter_child_nodes(node) for name in _contained(part)}


def _is_new(target: ast.expr, value: ast.expr, name: str, targets: int) -> bool:
    """Tell whether an assignment gives a name, if it does, what nothing else has."""
    sides = getattr(target, "elts", ()), getattr(value, "elts", ())
    if sides[0] and len(sides[0]) == len(sides[1]) and not any(isinstance(t, ast.Starred) for t in sides[0]):
        return all(_is_new(t, v, name, targets) for t, v in zip(*sides, strict=True))
    if isinstance(target, ast.Subscript | ast.Attribute) or name not in _handed(target):
        return True
    fresh = isinstance(value, ast.Call | ast.BinOp | ast.UnaryOp | ast.Compare | ast.Constant)
    return isinstance(target, ast.Name) and targets == 1 and fresh

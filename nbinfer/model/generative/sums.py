"""A log density as a sum: its family calls, what else is added, and how often each of them counts."""

from __future__ import annotations

import ast
import math
from collections import Counter
from typing import Any

import numpy as np

from nbinfer.model.generative.families import FamilyCall, family_call
from nbinfer.model.generative.scope import Scope


class Part:
    """A summand.

    Attributes
    ----------
    node : ast.expr
        Where it stands.
    position : int
        Number of statements before the one that it is in.
    call : FamilyCall or None
        The call of a family, if it is one.
    inner : list of Part
        What is summed up in it, over all elements, to one number; nothing if it is no such sum.
    shape : tuple of int
        Of its value, once that was looked at.
    repeated : tuple of int or None
        The shape to which it was broadcast, so that it counts more than once.
    """

    def __init__(self, node: ast.expr, position: int, call: FamilyCall | None = None, inner: list[Part] | None = None):
        self.node, self.position, self.call, self.inner = node, position, call, inner or []
        self.shape: tuple[int, ...] = ()
        self.repeated: tuple[int, ...] | None = None

    def leaves(self) -> list[Part]:
        """Return what it is made of; itself, if it is no sum."""
        return [leaf for part in self.inner for leaf in part.leaves()] if self.inner else [self]

    def parts(self) -> list[Part]:
        """Return it and what it is made of, down to the leaves."""
        return [self, *(inner for part in self.inner for inner in part.parts())]


class Sum(Scope):
    """A function that returns a sum.

    Attributes
    ----------
    summands : list of Part
        What is added, element by element.
    statements : list of tuple of (int, ast.stmt)
        Those that are not part of the sum, with their positions.
    result : ast.expr
        What is returned.
    is_known : bool
        Whether the shapes of its parts are.

    Raises
    ------
    Underivable
        If it does not return once, at its end.
    """

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        last = self.body.pop() if self.body else None
        returns = [n for s in self.body for n in ast.walk(s) if isinstance(n, ast.Return)]
        if returns or not isinstance(last, ast.Return) or last.value is None:
            raise self.fail("it does not return once, at its end", (returns or self.source.body)[0])
        self.result = last.value
        self.is_known = False
        self.statements: list[tuple[int, ast.stmt]] = []
        self._sums: dict[str, list[Part]] = {}
        names = self._sum_names()
        for position, statement in enumerate(self.body):
            name, value, adds = _assignment(statement)
            if name in names and value is not None:
                before = self._sums.get(name, []) if adds else []
                self._sums[name] = before + self._summands(value, position)
            else:
                self.statements.append((position, statement))
        self.summands = self._summands(self.result, len(self.body))

    def before(self, part: Part) -> list[ast.stmt]:
        """Return the statements before a part that are not part of the sum."""
        return [statement for position, statement in self.statements if position < part.position]

    def _sum_names(self) -> set[str]:
        """Return the names that hold parts of the sum and nothing else."""
        values: dict[str, list[ast.expr]] = {}
        left = self._added(self.result)
        while left:
            name = left.pop()
            if name not in values and name not in self.arguments:
                assigned = [_assignment(s) for s in self.body]
                values[name] = [v for n, v, _ in assigned if n == name and v is not None]
                left += [inner for value in values[name] for inner in self._added(value)]
        found = {name for name in values if self._stored(name) == len(values[name]) > 0}
        while True:
            added = Counter(self._added(self.result) + [n for f in found for v in values[f] for n in self._added(v)])
            only = {name for name in found if added[name] == self._loaded(name)}
            if only == found:
                return found
            found = only

    def _stored(self, name: str) -> int:
        return sum(_is_name(n, name, ast.Store) for s in self.body for n in ast.walk(s))

    def _loaded(self, name: str) -> int:
        return sum(_is_name(n, name, ast.Load) for s in [*self.body, self.result] for n in ast.walk(s))

    def _added(self, node: ast.expr) -> list[str]:
        """Return the names among the summands of an expression."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._added(node.left) + self._added(node.right)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            return self._added(node.left)
        if isinstance(node, ast.Name):
            return [node.id]
        summed = self._summed(node)
        return [] if summed is None else self._added(summed)

    def _summands(self, node: ast.expr, position: int) -> list[Part]:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._summands(node.left, position) + self._summands(node.right, position)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            less = ast.copy_location(ast.UnaryOp(ast.USub(), node.right), node.right)
            return [*self._summands(node.left, position), Part(less, position)]
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return []
        if isinstance(node, ast.Name) and node.id in self._sums:
            return self._sums[node.id]
        call = family_call(node, self)
        if call is not None:
            return [Part(node, position, call)]
        summed = self._summed(node)
        if summed is not None:
            return [Part(node, position, inner=self._summands(summed, position))]
        return [Part(node, position)]

    def _summed(self, node: ast.expr) -> ast.expr | None:
        """Return what is summed up, if all elements of something are."""
        if not isinstance(node, ast.Call) or node.keywords:
            return None
        if isinstance(node.func, ast.Attribute) and node.func.attr == "sum" and not node.args:
            return node.func.value
        is_sum = any(self.resolve(node.func) is function for function in (np.sum, sum, math.fsum))
        return node.args[0] if is_sum and len(node.args) == 1 else None

    # ---- how often each counts

    def look(self, shapes: list[tuple[int, ...]]) -> None:
        """Take in the shapes of all parts, in the order of `all_parts`, and find those that are repeated."""
        for part, shape in zip(self.all_parts(), shapes, strict=True):
            part.shape = shape
        _find_repeated(self.summands)
        self.is_known = True

    def all_parts(self) -> list[Part]:
        """Return every part once."""
        found: dict[int, Part] = {id(p): p for summand in self.summands for p in summand.parts()}
        return list(found.values())


def _find_repeated(parts: list[Part]) -> None:
    whole = np.broadcast_shapes(*(part.shape for part in parts))
    for part in parts:
        _find_repeated(part.inner)
        if math.prod(part.shape) != math.prod(whole):
            for inner in part.parts():
                inner.repeated = whole


def _assignment(statement: ast.stmt) -> tuple[str, ast.expr | None, bool]:
    """Return the name that a statement assigns, the value, and whether that is added to it."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
        return (target.id, statement.value, False) if isinstance(target, ast.Name) else ("", None, False)
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id, statement.value, False
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        adds = isinstance(statement.op, ast.Add)
        return (statement.target.id, statement.value, True) if adds else ("", None, False)
    return "", None, False


def _is_name(node: ast.AST, name: str, context: type[ast.expr_context]) -> bool:
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, context)

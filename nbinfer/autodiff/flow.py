"""Where statements lead: what follows a branch or a loop that may be left early.

A branch that may leave is read together with what follows it, on both of its sides. A loop whose items are known is
written out, and a label says where each turn begins, so that ``continue`` and ``break`` skip statements. A loop of the
program ends a turn with a number that says how it goes on; what depends on that is written after it as a branch.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.syntax import in_this_loop

#: How a turn of a loop ends.
GOES_ON, IS_DONE, BREAKS, RETURNS = range(4)


class Leave(NamedTuple):
    """How a line of statements ends.

    Attributes
    ----------
    how : Value
        One of the numbers above.
    value : object
        What is returned, if it may be.
    """

    how: Value
    value: Any = None


class Known(ast.expr):
    """An expression whose value is known, or becomes so when it is read."""

    _fields = ()

    def __init__(self, read: Callable[[], Any], at: ast.AST) -> None:
        super().__init__()
        self.read = read
        ast.copy_location(self, at)


class Label(ast.stmt):
    """The beginning of a turn of a loop that is written out, or its end."""

    _fields = ()

    def __init__(self, is_end: bool) -> None:
        super().__init__()
        self.is_end = is_end


class Done(ast.stmt):
    """Ends a loop whose condition fails: unlike ``break``, it lets ``else`` follow."""

    _fields = ()


def is_step(statement: ast.stmt) -> bool:
    """Tell whether a statement leads elsewhere within a loop."""
    return isinstance(statement, ast.Continue | ast.Break | Done)


def how_of(statement: ast.stmt) -> int:
    """Return how such a statement ends a turn."""
    return {ast.Continue: GOES_ON, ast.Break: BREAKS}.get(type(statement), IS_DONE)


def after(statement: ast.stmt, rest: Sequence[ast.stmt]) -> list[ast.stmt] | None:
    """Return the statements that follow one that leads elsewhere, in a loop that is written out; None in others."""
    for k, label in enumerate(rest):
        if isinstance(label, Label) and (label.is_end or isinstance(statement, ast.Continue)):
            return list(rest[k:])
    return None


def written_out(node: ast.For, items: Sequence[Callable[[], Any]]) -> list[ast.stmt]:
    """Write the turns of a loop one after the other; labels lie between them, and around ``else``."""
    found: list[ast.stmt] = []
    for read in items:
        turn = ast.copy_location(ast.Assign([node.target], Known(read, node)), node)
        found += [Label(False), turn, *node.body]
    return [*found, Label(False), *node.orelse, Label(True)]


def as_loop(node: ast.While) -> list[ast.stmt]:
    """Return the body of an endless loop that does what a ``while`` does."""
    stop = ast.If(ast.UnaryOp(ast.Not(), node.test), [ast.copy_location(Done(), node)], [])
    return [ast.fix_missing_locations(ast.copy_location(stop, node)), *node.body]


def returns(statements: Sequence[ast.stmt]) -> bool:
    """Tell whether statements may return from the function."""
    inner = [s for s in statements if not isinstance(s, ast.FunctionDef | ast.ClassDef)]
    if any(isinstance(s, ast.Return) for s in inner):
        return True
    return any(returns([c for c in ast.iter_child_nodes(s) if isinstance(c, ast.stmt)]) for s in inner)


def leaves(statements: Sequence[ast.stmt]) -> bool:
    """Tell whether statements may leave the function or the turn of the loop that they stand in."""
    return returns(statements) or any(map(is_step, in_this_loop(statements)))


def breaks(statements: Sequence[ast.stmt]) -> bool:
    """Tell whether a loop with this body may end before its last turn."""
    return returns(statements) or any(isinstance(s, ast.Break | Done) for s in in_this_loop(statements))

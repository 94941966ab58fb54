"""What the names in a function mean, which data and parameters its statements read, and which of them a value needs."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from nbinfer.autodiff.errors import ADError, Place, placed
from nbinfer.autodiff.source import Source, read_source
from nbinfer.compile.origin import home

#: Attributes that tell of an array's shape and not of its values.
_SHAPES = ("shape", "size", "ndim", "dtype")
#: Functions that ask their first argument for its shape only.
_SHAPE_FUNCTIONS = ("len", "shape", "size", "ndim", "zeros_like", "ones_like", "empty_like", "full_like")
#: Calls inside calls that are followed; deeper ones are taken to read everything.
_DEEPEST = 20


class Underivable(Exception):
    """A density is no plain sum of family calls.

    Parameters
    ----------
    why : str
        The words after "since".
    place : Place, optional
        The line that it is about.
    """

    def __init__(self, why: str, place: Place | None = None) -> None:
        super().__init__(placed(why, place))


class Read(NamedTuple):
    """What is read of an argument that is a named tuple.

    Attributes
    ----------
    field : str
        The field; '' for the whole tuple, of which any field may be read.
    values : bool
        Whether its values are, and not only its shape.
    node : ast.AST
        Where.
    """

    field: str
    values: bool
    node: ast.AST


class Scope:
    """A function as statements, and the meaning of its names.

    Parameters
    ----------
    function : callable
        Plain or compiled, of parameters and data first.

    Attributes
    ----------
    source : Source
        Its text.
    arguments : list of str
        Names of its arguments.
    body : list of ast.stmt
        Its statements, without a docstring, and with fields for names that stand for them: ``y = d.y``.
    local : set of str
        Names that it gives a value.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        try:
            self.source: Source = read_source(function)
        except ADError as error:
            raise Underivable(error.message, error.place) from None
        given = self.source.arguments
        self.arguments = [a.arg for a in (*given.posonlyargs, *given.args)]
        self.body = _without_aliases([s for s in self.source.body if not _is_text(s)], self.arguments)
        stored = {name for statement in self.body for name in stores(statement)}
        self.local = {*self.arguments, *(a.arg for a in given.kwonlyargs), *stored}

    def fail(self, why: str, node: ast.AST) -> Underivable:
        """Return the error that says why, with the line of a node."""
        return Underivable(why, self.source.place(node))

    def resolve(self, node: ast.AST) -> Any:
        """Return the object that a name or a chain of attributes means from outside; None if it means none."""
        if isinstance(node, ast.Name):
            if node.id in self.local:
                return None
            try:
                return self.source.lookup(node.id)
            except KeyError:
                return None
        if isinstance(node, ast.Attribute):
            owner = self.resolve(node.value)
            return None if owner is None else getattr(owner, node.attr, None)
        return None

    def names(self) -> set[str]:
        """Return every name that occurs."""
        nodes = (n for statement in self.body for n in ast.walk(statement))
        return {n.id for n in nodes if isinstance(n, ast.Name)} | set(self.arguments)

    # ---- what a value needs

    def needed(self, wanted: Iterable[ast.AST], before: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Return those of some statements that expressions after them depend on, in their order."""
        names = {name for node in wanted for name in loads(node)}
        kept: list[ast.stmt] = []
        for statement in reversed(before):
            if names & (stores(statement) | self._may_change(statement)):
                kept.append(statement)
                names |= loads(statement)
        return kept[::-1]

    def _may_change(self, statement: ast.stmt) -> set[str]:
        """Return the names of arrays that a statement may write to through a function or method."""
        found: set[str] = set()
        for node in ast.walk(statement):
            if not isinstance(node, ast.Call):
                continue
            for keyword in node.keywords:
                found |= loads(keyword.value) if keyword.arg == "out" else set()
            function = self.resolve(node.func)
            if isinstance(statement, ast.Expr) or (function is not None and home(function) == ""):
                found |= {name for part in (node.func, *node.args) for name in loads(part) if name in self.local}
        return found

    # ---- what is read of an argument

    def reads(self, nodes: Iterable[ast.AST], argument: str, depth: int = 0) -> list[Read]:
        """List what nodes read of the fields of an argument, through functions that get the whole of it, too."""
        return [read for node in nodes for read in self._reads(node, argument, depth)]

    def _reads(self, node: ast.AST, argument: str, depth: int) -> Iterator[Read]:
        if isinstance(node, ast.Attribute) and _is_name(node.value, argument):
            yield Read(node.attr, True, node)
        elif isinstance(node, ast.Attribute) and node.attr in _SHAPES and self._field(node.value, argument):
            yield Read(self._field(node.value, argument), False, node)
        elif isinstance(node, ast.Call) and self._asks_for_shape(node) and self._field(node.args[0], argument):
            yield Read(self._field(node.args[0], argument), False, node)
            yield from self.reads([*node.args[1:], *node.keywords], argument, depth)
        elif isinstance(node, ast.Call) and any(_is_name(a, argument) for a in node.args):
            yield from self._reads_inside(node, argument, depth)
        elif _is_name(node, argument):
            yield Read("", True, node)
        else:
            yield from self.reads(ast.iter_child_nodes(node), argument, depth)

    def _reads_inside(self, node: ast.Call, argument: str, depth: int) -> Iterator[Read]:
        """List what a function that gets the whole argument reads of it."""
        yield from self.reads([a for a in node.args if not _is_name(a, argument)], argument, depth)
        yield from self.reads(node.keywords, argument, depth)
        try:
            inner = Scope(self.resolve(node.func)) if depth < _DEEPEST else None
        except Underivable:
            inner = None
        for at, given in enumerate(node.args):
            if _is_name(given, argument):
                if inner is None or at >= len(inner.arguments):
                    yield Read("", True, node)
                else:
                    for read in inner.reads(inner.body, inner.arguments[at], depth + 1):
                        yield read._replace(node=node)

    def _field(self, node: ast.AST, argument: str) -> str:
        return node.attr if isinstance(node, ast.Attribute) and _is_name(node.value, argument) else ""

    def _asks_for_shape(self, node: ast.Call) -> bool:
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        function = self.resolve(node.func)
        return bool(node.args) and name in _SHAPE_FUNCTIONS and (function is len or home(function) == "numpy")


def loads(node: ast.AST) -> set[str]:
    """Return the names that are read, those of arrays that are written to among them."""
    found = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Store)}
    return found | {
        n.target.id for n in ast.walk(node) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)
    }


def stores(node: ast.AST) -> set[str]:
    """Return the names that get a value, whole or in part."""
    found: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            found.add(inner.id)
        if isinstance(inner, ast.Subscript | ast.Attribute) and isinstance(inner.ctx, ast.Store):
            base: ast.AST = inner
            while isinstance(base, ast.Subscript | ast.Attribute):
                base = base.value
            found |= {base.id} if isinstance(base, ast.Name) else set()
    return found


def _without_aliases(body: list[ast.stmt], arguments: Sequence[str]) -> list[ast.stmt]:
    """Return statements where fields of the arguments stand for the names that are nothing else: ``y = d.y``."""
    counts = Counter(name for statement in body for node in ast.walk(statement) for name in _stored_by(node))
    fields: dict[str, ast.Attribute] = {}
    for statement in body:
        for name, value in _pairs(statement):
            is_field = isinstance(value, ast.Attribute) and any(_is_name(value.value, a) for a in arguments[:2])
            if is_field and counts[name] == 1 and name not in arguments:
                fields[name] = value  # type: ignore[assignment]

    class Rename(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            if node.id not in fields or not isinstance(node.ctx, ast.Load):
                return node
            field = fields[node.id]
            return ast.copy_location(ast.Attribute(copy.deepcopy(field.value), field.attr, ast.Load()), node)

    renamed = [Rename().visit(copy.deepcopy(s)) for s in body]
    return [
        ast.fix_missing_locations(s) for s in renamed if not all(n in fields for n, _ in _pairs(s)) or not _pairs(s)
    ]


def _pairs(statement: ast.stmt) -> list[tuple[str, ast.expr]]:
    """Return names and the values they get in a plain assignment; none if it is another statement."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value is not None:
        return [(statement.target.id, statement.value)]
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return []
    target, value = statement.targets[0], statement.value
    if isinstance(target, ast.Name):
        return [(target.id, value)]
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        pairs = zip(target.elts, value.elts, strict=True)
        names = [(t.id, v) for t, v in pairs if isinstance(t, ast.Name)]
        return names if len(names) == len(target.elts) else []
    return []


def _stored_by(node: ast.AST) -> list[str]:
    return [node.id] if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else []


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)

"""Finds the syntax tree of a function, and what its free names mean."""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import textwrap
import types
from collections.abc import Callable, Sequence
from typing import Any

from nbinfer.autodiff.errors import ADError, Place
from nbinfer.autodiff.generated import python_function


class Uses:
    """How a function uses a name.

    Attributes
    ----------
    statements : int
        Number of statements that read it.
    in_loop : bool
        Whether it is read in a loop.
    subscripted : bool
        Whether it is indexed.
    grows : bool
        Whether ``+=`` and its like change it in a loop.
    written : bool
        Whether its elements are written to.
    """

    __slots__ = ("grows", "in_loop", "statements", "subscripted", "written")

    def __init__(self) -> None:
        self.statements = 0
        self.in_loop = False
        self.subscripted = False
        self.grows = False
        self.written = False


class Source:
    """A function as text.

    Attributes
    ----------
    name, file : str
        Of the function, and where it was written.
    arguments : ast.arguments
        Its parameters.
    body : list of ast.stmt
        Its statements.
    uses : dict
        How it uses each name.
    """

    def __init__(self, function: types.FunctionType, node: ast.FunctionDef | ast.Lambda, first: int, lines: list[str]):
        self.function = function
        self.name = function.__name__
        self.file = function.__code__.co_filename
        self.arguments = node.args
        self.body: list[ast.stmt]
        if isinstance(node, ast.Lambda):
            self.body = [ast.copy_location(ast.Return(node.body), node.body)]
        else:
            self.body = node.body
        self._first = first
        self._lines = lines
        self.uses: dict[str, Uses] = {}
        self._count(self.body, False)
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        self._cells = dict(cells)

    def place(self, node: ast.AST | None) -> Place:
        """Return the line of a node."""
        line = getattr(node, "lineno", 1)
        text = self._lines[line - 1].strip() if 0 < line <= len(self._lines) else ""
        return Place(self.file, self._first + line - 1, self.name, text)

    def lookup(self, name: str) -> Any:
        """Return the object that a free name means; KeyError if there is none."""
        if name in self._cells:
            try:
                return self._cells[name].cell_contents
            except ValueError:
                raise KeyError(name) from None
        if name in self.function.__globals__:
            return self.function.__globals__[name]
        return vars(builtins)[name]

    def _count(self, statements: Sequence[ast.stmt], in_loop: bool) -> None:
        for statement in statements:
            children = [c for c in ast.iter_child_nodes(statement) if isinstance(c, ast.stmt)]
            read: set[str] = set()
            for child in ast.iter_child_nodes(statement):
                if not isinstance(child, ast.stmt):
                    for node in ast.walk(child):
                        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
                            read.add(node.id)
                        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
                            uses = self._use(node.value.id)
                            uses.subscripted = True
                            uses.written |= isinstance(node.ctx, ast.Store)
            if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
                read.add(statement.target.id)
                self._use(statement.target.id).grows |= in_loop
            for name in sorted(read):
                uses = self._use(name)
                uses.statements += 1
                uses.in_loop |= in_loop
            self._count(children, in_loop or isinstance(statement, ast.For | ast.While))

    def _use(self, name: str) -> Uses:
        return self.uses.setdefault(name, Uses())


_SOURCES: dict[types.CodeType, tuple[ast.FunctionDef | ast.Lambda, int, list[str]]] = {}


def read_source(function: Callable[..., Any]) -> Source:
    """Find the source of a plain function.

    Raises
    ------
    ADError
        If there is none.
    """
    plain = python_function(function)
    found = _SOURCES.get(plain.__code__)
    if found is None:
        found = _SOURCES[plain.__code__] = _find(plain)
    return Source(plain, *found)


def _find(function: types.FunctionType) -> tuple[ast.FunctionDef | ast.Lambda, int, list[str]]:
    code = function.__code__
    missing = ADError(
        f"the source of {function.__name__!r} is not available (typed in or made by exec?); "
        "put the function in a file, or give the gradient yourself",
        Place(code.co_filename, code.co_firstlineno, function.__name__, ""),
    )
    if function.__name__ == "<lambda>":
        return _find_lambda(function, missing)
    try:
        raw, first = inspect.getsourcelines(function)
        lines = textwrap.dedent("".join(raw)).splitlines()
        node = ast.parse("\n".join(lines)).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        raise missing from None
    if not isinstance(node, ast.FunctionDef) or node.name != function.__code__.co_name:
        raise missing
    return node, max(first, 1), lines


def _find_lambda(function: types.FunctionType, missing: ADError) -> tuple[ast.FunctionDef | ast.Lambda, int, list[str]]:
    code = function.__code__
    try:
        lines = [line.rstrip("\n") for line in inspect.findsource(function)[0]]
        tree = ast.parse("\n".join(lines))
    except (OSError, TypeError, SyntaxError):
        lines = [line.rstrip("\n") for line in linecache.getlines(code.co_filename)]
        try:
            tree = ast.parse("\n".join(lines))
        except SyntaxError:
            raise missing from None
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Lambda)
        and node.lineno == code.co_firstlineno
        and [a.arg for a in node.args.args] == list(code.co_varnames[: code.co_argcount])
    ]
    if len(found) > 1:
        found = [node for node in found if _same_position(code, node)]
        found = [node for node in found if not any(inner in found for inner in list(ast.walk(node))[1:])]
    if len(found) != 1:
        raise missing
    return found[0], 1, lines


def _same_position(code: types.CodeType, node: ast.Lambda) -> bool:
    """Tell whether the code of a lambda lies within a node of the tree."""
    end = (node.end_lineno or node.lineno, node.end_col_offset or 0)
    spans = [p for p in code.co_positions() if p[0] and p[2] is not None and p[2] != p[3]]
    inside = [(line, column) for line, _, column, _ in spans if line is not None and column is not None]
    return bool(inside) and all((node.lineno, node.col_offset) <= at <= end for at in inside)

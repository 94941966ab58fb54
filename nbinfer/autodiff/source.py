"""Finds the syntax tree of a function, and what its free names mean."""

from __future__ import annotations
import __future__

import ast
import builtins
import copy
import dis
import functools
import inspect
import linecache
import operator
import textwrap
import types
from collections.abc import Callable, Iterator, Sequence
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
    # By its code alone: attributes of the function may lead to another one, which it wraps.
    code = function.__code__
    place = Place(code.co_filename, code.co_firstlineno, function.__name__, "")
    try:
        found = _find_lambda(code) if code.co_name == "<lambda>" else _find_definition(code)
    except (OSError, TypeError, SyntaxError, IndexError):
        raise ADError(
            f"the source of {code.co_name!r} is not available (typed in or made by exec?); "
            "put the function in a file, or give the gradient yourself",
            place,
        ) from None
    if not is_source_of(found[0], code):
        raise ADError(
            f"the source of {code.co_name!r} has changed since it was loaded; load it again, or start Python anew",
            place,
        )
    return found


def _find_definition(code: types.CodeType) -> tuple[ast.FunctionDef, int, list[str]]:
    raw, first = inspect.getsourcelines(code)
    lines = textwrap.dedent("".join(raw)).splitlines()
    node = ast.parse("\n".join(lines)).body[0]
    if not isinstance(node, ast.FunctionDef) or node.name != code.co_name:
        raise OSError
    return node, max(first, 1), lines


def _find_lambda(code: types.CodeType) -> tuple[ast.Lambda, int, list[str]]:
    try:
        lines = [line.rstrip("\n") for line in inspect.findsource(code)[0]]
        tree = ast.parse("\n".join(lines))
    except (OSError, TypeError, SyntaxError):
        lines = [line.rstrip("\n") for line in linecache.getlines(code.co_filename)]
        tree = ast.parse("\n".join(lines))
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
        raise OSError
    return found[0], 1, lines


def is_source_of(node: ast.FunctionDef | ast.Lambda, code: types.CodeType) -> bool:
    """Tell whether a piece of text, which may have been edited meanwhile, is what some code was made of."""
    bare: Any = ast.Expr(node) if isinstance(node, ast.Lambda) else None
    if isinstance(node, ast.FunctionDef):
        bare = copy.copy(node)
        bare.decorator_list = []
    # Free variables must be some function's own.
    around: Any = ast.parse(f"def around({', '.join(code.co_freevars)}): pass").body[0]
    around.body = [ast.copy_location(bare, node)]
    module = ast.fix_missing_locations(ast.Module([around], []))
    made = compile(module, code.co_filename, "exec", code.co_flags & _FUTURES, dont_inherit=True).co_consts[0]
    return any(_is_same(other, code) for other in made.co_consts if isinstance(other, types.CodeType))


#: Flags of code that stem from imports from ``__future__``.
_FUTURES = functools.reduce(
    operator.or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)

#: What depends on what stands around a function.
_AROUND = {"CACHE", "EXTENDED_ARG", "NOP", "PRECALL", "PUSH_NULL", "RESUME"}


def _is_same(made: types.CodeType, code: types.CodeType) -> bool:
    """Compare code with what a text was compiled to. Tools that watch a program add names, and take none away."""
    if set(made.co_names) < set(code.co_names):
        return made.co_name == code.co_name
    return list(_steps(made)) == list(_steps(code))


def _steps(code: types.CodeType) -> Iterator[Any]:
    """List what code does, without what line numbers and names of modules make of it."""
    yield code.co_name, code.co_varnames[: code.co_argcount]
    for step in dis.get_instructions(code):
        if isinstance(step.argval, types.CodeType):
            yield from _steps(step.argval)
        elif step.opname not in _AROUND:
            is_jump = step.opcode in dis.hasjrel or step.opcode in dis.hasjabs
            # A text of several lines has lost its indentation.
            value = "" if is_jump or (isinstance(step.argval, str) and "\n" in step.argval) else step.argval
            yield step.opname.replace("LOAD_METHOD", "LOAD_ATTR"), type(value), repr(value)


def _same_position(code: types.CodeType, node: ast.Lambda) -> bool:
    """Tell whether the code of a lambda lies within a node of the tree."""
    end = (node.end_lineno or node.lineno, node.end_col_offset or 0)
    spans = [p for p in code.co_positions() if p[0] and p[2] is not None and p[2] != p[3]]
    inside = [(line, column) for line, _, column, _ in spans if line is not None and column is not None]
    return bool(inside) and all((node.lineno, node.col_offset) <= at <= end for at in inside)

"""Finds the syntax tree of a function, and what its free names mean."""

from __future__ import annotations
import __future__

import ast
import bisect
import builtins
import copy
import dis
import functools
import inspect
import operator
import types
from collections.abc import Callable, Sequence
from typing import Any

from nbinfer.autodiff.errors import ADError, Place
from nbinfer.autodiff.generated import python_function
from nbinfer.autodiff.texts import texts


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
        self.body = _statements(node)
        self._first = first
        self._lines = lines
        self.uses: dict[str, Uses] = {}
        self._count(self.body, False)
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        self._cells = dict(cells)

    def inner(self, node: ast.FunctionDef | ast.Lambda) -> Source:
        """Return a function that is defined in this one."""
        inner = copy.copy(self)
        inner.name = getattr(node, "name", "<lambda>")
        inner.arguments, inner.body, inner.uses = node.args, _statements(node), {}
        inner._count(inner.body, False)
        return inner

    def defaults(self) -> dict[str, Any]:
        """Return the objects that arguments are if they are not given."""
        positional = [a.arg for a in [*self.arguments.posonlyargs, *self.arguments.args]]
        given = self.function.__defaults__ or ()
        found = dict(zip(positional[len(positional) - len(given) :], given, strict=True))
        return {**found, **(self.function.__kwdefaults__ or {})}

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
            repeated = _read_repeatedly(statement)
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
                uses.in_loop |= in_loop or name in repeated
            self._count(children, in_loop or isinstance(statement, ast.For | ast.While | ast.FunctionDef))

    def _use(self, name: str) -> Uses:
        return self.uses.setdefault(name, Uses())


#: What is evaluated many times, perhaps, by one statement.
_REPEATED = ast.ListComp | ast.GeneratorExp | ast.DictComp | ast.Lambda


def _read_repeatedly(statement: ast.stmt) -> set[str]:
    """Return the names that comprehensions and lambdas in a statement read."""
    own = [c for c in ast.iter_child_nodes(statement) if not isinstance(c, ast.stmt)]
    inner = [n for c in own for n in ast.walk(c) if isinstance(n, _REPEATED)]
    return {n.id for node in inner for n in ast.walk(node) if isinstance(n, ast.Name)}


def _statements(node: ast.FunctionDef | ast.Lambda) -> list[ast.stmt]:
    if isinstance(node, ast.Lambda):
        return [ast.copy_location(ast.Return(node.body), node.body)]
    return node.body


_Node = ast.FunctionDef | ast.Lambda

_SOURCES: dict[types.CodeType, tuple[_Node, int, list[str]]] = {}


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


def _find(function: types.FunctionType) -> tuple[_Node, int, list[str]]:
    # By its code alone: attributes of the function may lead to another one, which it wraps.
    code = function.__code__
    place = Place(code.co_filename, code.co_firstlineno, function.__name__, "")
    others = False
    for first, lines in texts(function):
        for node in _candidates("\n".join(lines), code, first):
            if is_source_of(node, code):
                return node, first, lines
            others = True
    if others:
        raise ADError(
            f"the source of {code.co_name!r} has changed since it was loaded; load it again, or start Python anew",
            place,
        )
    raise ADError(f"the source of {code.co_name!r} is kept nowhere, {_cure(code.co_filename)}", place)


def _cure(file: str) -> str:
    """Say why a text is missing, and what helps: of what had no file, and of what was loaded without its file."""
    if file.startswith("<"):
        return "as of what exec makes or a pipe brings; put the function in a file, or give the gradient yourself"
    return f"since {file} is not there; put it where it was, beside its bytecode, or give the gradient yourself"


def _candidates(text: str, code: types.CodeType, first: int) -> list[_Node]:
    """List the functions of a text that may be what some code was made of, the nearest to its line first."""
    found = [node for node in _functions(text) if _name(node) == code.co_name]
    return sorted(found, key=lambda node: abs(_line(node) + first - 1 - code.co_firstlineno))


@functools.lru_cache(8)
def _functions(text: str) -> list[_Node]:
    """List all functions of a text; none if it is not Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]


def _parameters(code: types.CodeType) -> list[str]:
    """List the names of a function's parameters, those of ``*args`` and ``**named`` last."""
    rest = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + rest])


def _name(node: _Node) -> str:
    return "<lambda>" if isinstance(node, ast.Lambda) else node.name


def _line(node: _Node) -> int:
    """Return the line that code of a function counts as its first: that of its first decorator."""
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return min([node.lineno, *(d.lineno for d in decorators)])


def is_source_of(node: _Node, code: types.CodeType) -> bool:
    """Tell whether a piece of text, which may have been edited meanwhile, is what some code was made of."""
    bare: Any = ast.Expr(node) if isinstance(node, ast.Lambda) else None
    if isinstance(node, ast.FunctionDef):
        bare = copy.copy(node)
        bare.decorator_list = []
        bare.type_params = []  # which have a scope of their own
    # Free variables must be some function's own; a function that calls itself may be a global one.
    around: Any = ast.parse(f"def around({', '.join(code.co_freevars)}): pass").body[0]
    own = [] if code.co_name in (*code.co_freevars, "<lambda>") else [ast.Global([code.co_name])]
    around.body = [*own, ast.copy_location(bare, node)]
    module = ast.fix_missing_locations(ast.Module([around], []))
    if _REWRITTEN in code.co_names:
        module = _with_asserts_rewritten(module)
    made = compile(module, code.co_filename, "exec", code.co_flags & _FUTURES, dont_inherit=True)
    within = [inner for part in made.co_consts if isinstance(part, types.CodeType) for inner in part.co_consts]
    wanted = _steps(code)
    return any(_steps(inner) == wanted for inner in within if isinstance(inner, types.CodeType))


#: Flags of code that stem from imports from ``__future__``.
_FUTURES = functools.reduce(
    operator.or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)

#: What depends on what stands around a function.
_AROUND = {"CACHE", "EXTENDED_ARG", "NOP", "PRECALL", "PUSH_NULL", "RESUME"}

#: A name that pytest gives code whose assertions it has rewritten.
_REWRITTEN = "@pytest_ar"


def _with_asserts_rewritten(module: ast.Module) -> ast.Module:
    """Do to a text what pytest has done to it."""
    from _pytest.assertion.rewrite import rewrite_asserts

    module = copy.deepcopy(module)
    rewrite_asserts(module, b"")
    return module


def _steps(code: types.CodeType) -> list[Any]:
    """List what code does, without what line numbers and names of modules make of it."""
    steps: list[Any] = [(code.co_name, code.co_argcount, _parameters(code))]
    counted = [step for step in dis.get_instructions(code) if step.opname not in _AROUND]
    offsets = [step.offset for step in counted]
    for step in counted:
        if isinstance(step.argval, types.CodeType):
            steps += _steps(step.argval)
            continue
        is_jump = step.opcode in dis.hasjrel or step.opcode in dis.hasjabs
        value = bisect.bisect_left(offsets, step.argval) if is_jump else step.argval
        steps.append((step.opname.replace("LOAD_METHOD", "LOAD_ATTR"), type(value), repr(value)))
    return steps

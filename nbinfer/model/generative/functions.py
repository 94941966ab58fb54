"""Makes Python functions of statements, with the globals and closure of the function that these stand in."""

from __future__ import annotations

import ast
import copy
import hashlib
import linecache
import types
from collections.abc import Mapping, Sequence
from typing import Any

from nbinfer.model.generative.scope import Scope


def made(
    scope: Scope, name: str, statements: Sequence[ast.stmt], needs: Mapping[str, Any], *more: str
) -> types.FunctionType:
    """Make a function of statements that stand in another one.

    Parameters
    ----------
    scope : Scope
        Of the other one. The new function has its first two arguments, its globals and its closure, and the values of
        whatever arguments it has beyond.
    name : str
        Of the new function.
    statements : sequence of ast.stmt
        Its body.
    needs : mapping of str to object
        What it finds by name besides.
    *more : str
        Arguments after the first two.

    Returns
    -------
    function : function
        With a source for tracebacks and for `inspect`.
    """
    plain = scope.source.function
    own = plain.__closure__ or ()
    cells = dict(zip(plain.__code__.co_freevars, own, strict=True))
    cells |= {key: types.CellType(value) for key, value in needs.items()}
    first, beyond = scope.arguments[:2], scope.arguments[2:]
    defaults = (plain.__defaults__ or ())[-len(beyond) :] if beyond else ()
    head = ast.parse(f"def {name}({', '.join([*first, *more, *beyond])}): pass").body[0]
    assert isinstance(head, ast.FunctionDef)
    head.body = [copy.deepcopy(statement) for statement in statements]
    text = ast.unparse(ast.fix_missing_locations(head)) + "\n"
    code = _compiled(text, name, list(cells), plain)
    closure = tuple(cells[key] for key in code.co_freevars)
    function = types.FunctionType(code, plain.__globals__, name, defaults or None, closure or None)
    function.__module__ = plain.__module__
    return function


def _compiled(text: str, name: str, free: list[str], plain: types.FunctionType) -> types.CodeType:
    """Compile the text of a function whose names `free` are those of cells."""
    digest = hashlib.sha256(f"{plain.__code__.co_filename}{plain.__code__.co_firstlineno}{text}".encode()).hexdigest()
    file = f"<{name} {digest[:12]}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    inner = ast.parse(text)
    around: Any = ast.parse(f"def around({', '.join(free)}): pass").body[0]
    around.body = inner.body
    module = compile(ast.Module([around], []), file, "exec", dont_inherit=True)
    outer = next(c for c in module.co_consts if isinstance(c, types.CodeType))
    return next(c for c in outer.co_consts if isinstance(c, types.CodeType))


def returning(node: ast.expr) -> ast.Return:
    """Return the statement that returns an expression."""
    return ast.Return(copy.deepcopy(node))


def tuple_of(nodes: Sequence[ast.expr]) -> ast.Tuple:
    """Return the expression of a tuple."""
    return ast.Tuple([copy.deepcopy(node) for node in nodes], ast.Load())

"""Generated code as plain Python, with the arithmetic of compiled code: infinity and NaN instead of exceptions."""

from __future__ import annotations

import ast
import functools
import math
import types
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")

_RENAMED = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2"}
_INTEGERS = {"floor", "ceil", "trunc"}


def _quiet(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    array_function = getattr(np, _RENAMED.get(name, name), None)

    def wrapped(*args: float) -> Any:
        try:
            result = function(*args)
        except (ValueError, OverflowError):
            if name in _INTEGERS:
                return args[0]
            result = math.inf if array_function is None else array_function(*args)
        return np.float64(result) if isinstance(result, float) else result

    return wrapped


QUIET_MATH = types.SimpleNamespace(
    **{
        name: _quiet(name, function) if callable(function) else function
        for name, function in vars(math).items()
        if not name.startswith("_")
    }
)


class _NumPyNumbers(ast.NodeTransformer):
    """Make NumPy's numbers of literals: unlike Python's, they do not raise when divided by zero.

    What is computed from one of them is one again, so a literal beside an operator may stay.
    """

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        for side in ("left", "right"):
            operand = getattr(node, side)
            if not isinstance(operand, ast.Constant):
                setattr(node, side, self.visit(operand))
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, float):
            return node
        call = ast.Call(ast.Name("_float64", ast.Load()), [ast.Constant(node.value)], [])
        return ast.copy_location(call, node)


def run_quietly(source: str, file: str, names: dict[str, Any]) -> None:
    """Run the text of a module, whose functions then never raise for the sake of a number."""
    tree = ast.fix_missing_locations(_NumPyNumbers().visit(ast.parse(source)))
    names["_float64"] = np.float64
    exec(compile(tree, file, "exec"), names)
    names["math"] = QUIET_MATH  # after its import


def without_warnings(function: Callable[P, R]) -> Callable[P, R]:
    """Wrap a function so that NumPy does not warn in it."""

    @functools.wraps(function)
    def run(*args: P.args, **named: P.kwargs) -> R:
        with np.errstate(all="ignore"):
            return function(*args, **named)

    return run


def quiet_function(source: str, file: str, name: str, names: dict[str, Any]) -> Callable[..., Any]:
    """Return a function of generated code that runs as plain Python and never raises for the sake of a number."""
    names = dict(names)
    run_quietly(source, file, names)
    function = without_warnings(names[name])
    return lambda *args: function(*map(_as_numpy, args))


def _as_numpy(value: Any) -> Any:
    """Return a number, or named numbers, of which none is a float of Python's."""
    if isinstance(value, float):
        return np.float64(value)
    return type(value)(*map(_as_numpy, value)) if hasattr(value, "_fields") else value

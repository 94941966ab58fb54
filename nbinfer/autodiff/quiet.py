"""Generated code as plain Python, with the arithmetic of compiled code: infinity and NaN instead of exceptions."""

from __future__ import annotations

import ast
import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np

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
    """Make NumPy's numbers of literals: unlike Python's, they do not raise when divided by zero."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, float):
            return node
        call = ast.Call(ast.Name("_float64", ast.Load()), [ast.Constant(node.value)], [])
        return ast.copy_location(call, node)


def quiet_function(source: str, file: str, name: str, names: dict[str, Any]) -> Callable[..., Any]:
    """Return a function of generated code that runs as plain Python and never raises for the sake of a number."""
    tree = ast.fix_missing_locations(_NumPyNumbers().visit(ast.parse(source)))
    names = {**names, "math": QUIET_MATH, "_float64": np.float64}
    exec(compile(tree, file, "exec"), names)
    function = names[name]

    def run(*args: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*(np.float64(a) if isinstance(a, float) else a for a in args))

    return run

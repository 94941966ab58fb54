"""Calls: NumPy's functions, users' functions, distributions, and functions with a derivative of their own."""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any

import numpy as np

from nbinfer import vectormath
from nbinfer.autodiff import array_functions as _arrays  # noqa: F401  (these fill the table)
from nbinfer.autodiff import reductions as _reductions  # noqa: F401
from nbinfer.autodiff.arrays import Lazy
from nbinfer.autodiff.custom import CustomRule, find_custom
from nbinfer.autodiff.expressions import Method, Record
from nbinfer.autodiff.frontend import Frontend
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.registry import HANDLERS
from nbinfer.autodiff.rules import FUNCTIONS

#: The same function under a method of arrays.
_METHODS: dict[str, Any] = {
    "sum": np.sum,
    "mean": np.mean,
    "prod": np.prod,
    "dot": np.dot,
    "copy": np.copy,
    "max": np.max,
    "min": np.min,
    "cumsum": np.cumsum,
    "var": np.var,
    "std": np.std,
    "ravel": np.ravel,
    "flatten": np.ravel,
    "astype": "astype",
    "item": "item",
    "transpose": np.transpose,
    "trace": np.trace,
    "diagonal": np.diag,
}


def call(b: Frontend, function: Any, args: list[Any], named: dict[str, Any]) -> Any:
    """Apply a function to values of the program."""
    if isinstance(function, Method):
        if function.name not in _METHODS:
            raise b.error(f"the method .{function.name} is not supported")
        return HANDLERS[_METHODS[function.name]](b, function.array, *args, **named)
    plain = _own(getattr(function, "py_func", function))
    rule = find_custom(plain)
    if rule is not None:
        return _custom(b, rule, args, named)
    try:
        scalar_rule = FUNCTIONS.get(plain) if not (plain in (max, min) and len(args) != 2) else None
        handler = HANDLERS.get(plain)
    except TypeError:
        scalar_rule = handler = None
    if scalar_rule is not None and not named:
        return b.apply(scalar_rule, *map(b.operand, args))
    if handler is not None:
        try:
            inspect.signature(handler).bind(b, *args, **named)
        except TypeError as reason:
            raise b.error(f"{_name(function)}: {reason}, among the arguments that are supported") from None
        return handler(b, *args, **named)
    if isinstance(plain, types.FunctionType) and not _foreign(plain):
        return _user_function(b, function, args, named)
    raise b.error(
        f"{_name(function)!r} has no derivative rule; write it with loops and NumPy, or mark a function of numbers "
        "with custom_vjp"
    )


#: Functions of ``scipy.special`` that have another name among ours.
_SCIPY = {"gammaln": "lgamma", "psi": "digamma", "betaln": "lbeta"}


def _own(function: Any) -> Any:
    """Return our function for one of ``scipy.special``, which is not imported for that."""
    name = getattr(function, "__name__", None)
    special = sys.modules.get("scipy.special")
    if not isinstance(name, str) or getattr(special, name, None) is not function:
        return function
    own = getattr(vectormath, _SCIPY.get(name, name), None)
    return getattr(own, "py_func", function)


def _name(function: Any) -> str:
    module = getattr(function, "__module__", "") or ""
    name = getattr(function, "__name__", repr(function))
    return f"np.{name}" if module.partition(".")[0] == "numpy" else str(name)


def _foreign(function: types.FunctionType) -> bool:
    return (function.__module__ or "").partition(".")[0] in ("numpy", "numba", "scipy")


def _user_function(b: Frontend, function: Any, args: list[Any], named: dict[str, Any]) -> Any:
    """Read a function of the user's; a compiled one that cannot be read is called if no argument is active."""
    compiled = hasattr(function, "py_func") and hasattr(function, "overloads")
    if not compiled or named or any(_active(arg) for arg in args):
        return b.inline(function, args, named)
    from nbinfer.autodiff.opaque import call_compiled

    return call_compiled(b, function, args)


def _active(x: Any) -> bool:
    if isinstance(x, Record):
        return any(map(_active, x.fields.values()))
    if isinstance(x, tuple):
        return any(map(_active, x))
    return isinstance(x, (Value, Lazy)) and x.active


def _custom(b: Frontend, rule: CustomRule, args: list[Any], named: dict[str, Any]) -> Any:
    if named:
        raise b.error(f"{rule.name}() has a derivative of its own; pass its arguments by position")
    operands = [b.operand(arg) for arg in args]
    names = []
    for suffix, function in (("", rule.value), ("_partials", rule.partials)):
        name = next((n for n, known in b.names.items() if known is function), None)
        if name is None:
            name = b.global_name(rule.name + suffix)
            b.names[name] = function
        names.append(name)
    return b.elementwise(
        lambda *xs: b.custom(names[0], names[1], [b.to_float(x()) for x in xs]),
        operands,
        "f",
        any(x.active for x in operands),
        40,
    )

"""Calls: NumPy's functions, users' functions, distributions, and functions with a derivative of their own."""

from __future__ import annotations

import functools
import inspect
import re
import sys
import types
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer import vectormath
from nbinfer.autodiff import array_functions as _arrays  # noqa: F401  (these fill the table)
from nbinfer.autodiff import choosing as _choosing  # noqa: F401
from nbinfer.autodiff import folds as _folds  # noqa: F401
from nbinfer.autodiff import making as _making  # noqa: F401
from nbinfer.autodiff import reductions as _reductions  # noqa: F401
from nbinfer.autodiff import repeating as _repeating  # noqa: F401
from nbinfer.autodiff import sorting as _sorting  # noqa: F401
from nbinfer.autodiff import spelled_out as _spelled_out  # noqa: F401
from nbinfer.autodiff import sums_of_products as _products  # noqa: F401
from nbinfer.autodiff.cells import WITHOUT_AXES, hand_on, made, numbers_in
from nbinfer.autodiff.closures import Closure
from nbinfer.autodiff.custom import CustomRule, find_custom
from nbinfer.autodiff.drawing import draw, draws
from nbinfer.autodiff.instead import instead, name_of
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.lazy import Lazy, is_number, varies
from nbinfer.autodiff.opaque import call_compiled
from nbinfer.autodiff.reader import Method, Record
from nbinfer.autodiff.registry import HANDLERS, MAKERS, TELL_LISTS
from nbinfer.autodiff.rules import RULES
from nbinfer.autodiff.sequences import List, Table, as_tuple, call_method
from nbinfer.autodiff.spellings import FUNCTIONS
from nbinfer.compile.origin import home
from nbinfer.compile.python_functions import is_dispatcher, python_function

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend

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
    "flatten": "flatten",
    "astype": "astype",
    "item": "item",
    "transpose": np.transpose,
    "reshape": np.reshape,
    "swapaxes": np.swapaxes,
    "squeeze": np.squeeze,
    "repeat": np.repeat,
    "cumprod": np.cumprod,
    "clip": np.clip,
    "all": np.all,
    "any": np.any,
    "argmax": np.argmax,
    "argmin": np.argmin,
    "argsort": np.argsort,
    "searchsorted": np.searchsorted,
    "nonzero": np.nonzero,
    "take": np.take,
    "ptp": np.ptp,
    "trace": np.trace,
    "diagonal": np.diagonal,
    "sort": "sort",
}


def call(b: Frontend, function: Any, args: list[Any], named: dict[str, Any]) -> Any:
    """Apply a function to values of the program."""
    if isinstance(function, Method) and isinstance(function.owner, List | Table):
        given = tuple(numbers_in((function.owner, *args)))
        return hand_on(b, None, given, call_method(b, function.owner, function.name, args))
    if draws(function, args, named):
        return draw(b, function, args, named)
    if isinstance(function, Method):
        if function.name not in _METHODS:
            raise b.error(f"the method .{function.name} is not supported; write it with loops and NumPy's functions")
        meant = _METHODS[function.name]
        result = _handled(b, f"the method .{function.name}", HANDLERS[meant], [function.owner, *args], named)
        return hand_on(b, meant, function.owner, result)
    if isinstance(function, Closure):
        return b.call_closure(function, args, named)
    if function in MAKERS:
        return _made(b, function, args, named)
    plain = _own(python_function(function))
    rule = find_custom(plain)
    if rule is not None:
        return _custom(b, rule, args, named)
    try:
        scalar_rule, handler = FUNCTIONS.get(plain), HANDLERS.get(plain)
    except TypeError:
        scalar_rule = handler = None
    if scalar_rule is not None and not named and len(args) == _arity(scalar_rule):
        if plain in (bool, float, int):
            args = [_as_number(b, args[0], plain.__name__)]
        truths = scalar_rule in ("and", "or", "xor", "not")
        result = b.apply(scalar_rule, *(b.apply("bool", b.operand(x)) if truths else b.operand(x) for x in args))
        return hand_on(b, plain, tuple(args), result) if plain in (max, min) else result
    if handler is not None:
        result = _handled(b, name_of(function), handler, args, named, plain in TELL_LISTS)
        result = hand_on(b, plain, (*args, *named.values()), result)
        return made(b, result) if plain in WITHOUT_AXES and is_number(result) else result
    if scalar_rule is not None:
        count = _arity(scalar_rule)
        raise b.error(f"{name_of(function)} takes {count} argument{'s' * (count > 1)} here, by position")
    if isinstance(plain, types.FunctionType) and not _foreign(plain):
        return _user_function(b, function, args, named)
    raise b.error(f"{name_of(function)!r} has no derivative rule; {instead(function)}")


def _handled(b: Frontend, name: str, handler: Any, args: list[Any], named: dict[str, Any], lists: bool = False) -> Any:
    """Apply what stands for a function; lists count as tuples unless it tells them apart."""
    try:
        inspect.signature(handler).bind(b, *args, **named)
    except TypeError as reason:
        raise b.error(f"{name}: {reason}, among the arguments that are supported") from None
    if lists:
        return handler(b, *args, **named)
    return handler(b, *map(as_tuple, args), **{key: as_tuple(x) for key, x in named.items()})


def _as_number(b: Frontend, x: Any, name: str) -> Value:
    """Require a number, or a text like ``float("-inf")``."""
    try:
        return (
            b.constant(float(x)) if isinstance(x, str) and name == "float" else b.number(x, f"the argument of {name}")
        )
    except ValueError:
        raise b.error(f"{x!r} is no number") from None


def _made(b: Frontend, function: Any, args: list[Any], named: dict[str, Any]) -> Any:
    """Call a function that makes functions, while the program is built: once for each way to call it."""
    given = [x.constant if isinstance(x, Value) else x for x in [*args, *named.values()]]
    if any(x is None or isinstance(x, (Value, Lazy, tuple, Closure)) for x in given):
        raise b.error(
            f"{name_of(function)} takes families and numbers known in advance; call it at the top of the module"
        )
    return _call_once(function, tuple(given[: len(args)]), tuple(zip(named, given[len(args) :], strict=True)))


@functools.cache
def _call_once(function: Any, args: tuple[Any, ...], named: tuple[tuple[str, Any], ...]) -> Any:
    return function(*args, **dict(named))


def _arity(rule: str) -> int:
    return 1 if rule == "bool" else len(set(re.findall(r"\{(\d)\}", RULES[rule].value)))


#: Functions of ``scipy.special`` that have another name among ours.
_SCIPY = {"gammaln": "lgamma", "psi": "digamma", "betaln": "lbeta"}


def _own(function: Any) -> Any:
    """Return our function for one of ``scipy.special``, which is not imported for that."""
    name = getattr(function, "__name__", None)
    special = sys.modules.get("scipy.special")
    if not isinstance(name, str) or getattr(special, name, None) is not function:
        return function
    own = getattr(vectormath, _SCIPY.get(name, name), None)
    return function if own is None else python_function(own)


def _foreign(function: types.FunctionType) -> bool:
    return home(function) in ("numpy", "numba", "scipy")


def _user_function(b: Frontend, function: Any, args: list[Any], named: dict[str, Any]) -> Any:
    """Read a function of the user's; a compiled one that cannot be read is called if no argument is active."""
    if not is_dispatcher(function) or named or any(_active(arg, b.values_alone) for arg in args):
        return b.inline(function, args, named)
    return call_compiled(b, function, args)


def _active(x: Any, values_alone: bool) -> bool:
    """Tell whether an argument is active, or would be if the program had gradients."""
    if isinstance(x, Record):
        x = tuple(x.fields.values())
    if isinstance(x, List | Table | Closure):
        return True  # compiled functions take none of these
    if isinstance(x, tuple):
        return any(_active(item, values_alone) for item in x)
    return isinstance(x, (Value, Lazy)) and (x.active or (values_alone and varies(x)))


def _custom(b: Frontend, rule: CustomRule, args: list[Any], named: dict[str, Any]) -> Any:
    if named:
        raise b.error(f"{rule.name}() has a derivative of its own; pass its arguments by position")
    operands = [b.operand(arg) for arg in args]
    _check_partials(b, rule, len(args))
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


def _check_partials(b: Frontend, rule: CustomRule, count: int) -> None:
    """Require a tuple of one number for each argument, as far as plain Python can tell."""
    try:
        given = python_function(rule.partials)(*[0.5] * count)
    except Exception:  # at this point, or outside of compiled code: nothing can be said
        return
    if not isinstance(given, tuple) or len(given) != count or any(np.ndim(partial) for partial in given):
        wanted = f"a tuple of {count} number{'s' if count > 1 else ''}, one for each argument"
        raise b.error(f"the derivative given to custom_vjp for {rule.name}() must return {wanted}, got {given!r}")

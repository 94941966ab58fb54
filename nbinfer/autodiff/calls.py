"""Calls: what NumPy's functions, users' functions and distributions mean for values of the program."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from nbinfer.autodiff import linalg, special
from nbinfer.autodiff.arrays import Lazy, is_array, is_number
from nbinfer.autodiff.custom import CustomRule, find_custom
from nbinfer.autodiff.errors import ADError
from nbinfer.autodiff.expressions import Method, Record
from nbinfer.autodiff.frontend import Frontend
from nbinfer.autodiff.indexing import element
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.rules import FUNCTIONS

Handler = Callable[..., Any]
_HANDLERS: dict[Any, Handler] = {}

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


def handles(*functions: Any) -> Callable[[Handler], Handler]:
    """Mark what stands for a function; it takes the frontend first."""

    def mark(handler: Handler) -> Handler:
        for function in functions:
            _HANDLERS[function] = handler
        return handler

    return mark


def call(b: Frontend, function: Any, args: list[Any], named: dict[str, Any]) -> Any:
    """Apply a function to values of the program."""
    if isinstance(function, Method):
        if function.name not in _METHODS:
            raise b.error(f"the method .{function.name} is not supported")
        return _HANDLERS[_METHODS[function.name]](b, function.array, *args, **named)
    plain = getattr(function, "py_func", function)
    rule = find_custom(plain)
    if rule is not None:
        return _custom(b, rule, args, named)
    try:
        scalar_rule = FUNCTIONS.get(plain) if not (plain in (max, min) and len(args) != 2) else None
        handler = _HANDLERS.get(plain)
    except TypeError:
        scalar_rule = handler = None
    if scalar_rule is not None and not named:
        return b.apply(scalar_rule, *map(b.operand, args))
    if handler is not None:
        try:
            return handler(b, *args, **named)
        except TypeError as reason:
            if isinstance(reason, ADError):
                raise
            raise b.error(f"{_name(function)}: an argument is missing or not supported") from None
    if isinstance(plain, types.FunctionType) and not _foreign(plain):
        return _user_function(b, function, args, named)
    raise b.error(
        f"{_name(function)!r} has no derivative rule; write it with loops and NumPy, or mark a function of numbers "
        "with custom_vjp"
    )


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


# Shapes ---------------------------------------------------------------------------------------------------------------


@handles(len)
def _len(b: Frontend, x: Any) -> Value:
    if isinstance(x, Record):
        return b.constant(len(x.fields))
    return b.constant(len(x)) if isinstance(x, tuple) else b.dims_of(x)[0]


@handles(np.shape)
def _shape(b: Frontend, x: Any) -> Any:
    return tuple(b.dims_of(b.operand(x)))


@handles(np.size)
def _size(b: Frontend, x: Any, axis: Any = None) -> Value:
    return b.count(b.operand(x), axis)


@handles(np.ndim)
def _ndim(b: Frontend, x: Any) -> Value:
    return b.constant(b.operand(x).ndim)


@handles(np.transpose)
def _transpose(b: Frontend, x: Any) -> Any:
    return b.transpose(b.operand(x))


@handles(np.ravel)
def _ravel(b: Frontend, x: Any) -> Any:
    x = b.operand(x)
    if x.ndim != 1:
        raise b.error("only arrays of one axis can be flattened here; write loops over both axes")
    return b.lazy(x)


@handles(np.copy, np.asarray, np.array, np.ascontiguousarray)
def _copy(b: Frontend, x: Any, dtype: Any = None) -> Any:
    x = b.operand(x)
    if is_number(x):
        return x
    copied = b.alloc(b.dims_of(x), x.kind if dtype is None else _kind(b, dtype), "empty", x.hint or "copy")
    b.assign(copied, x)
    return copied


@handles("astype")
def _astype(b: Frontend, x: Any, dtype: Any) -> Any:
    return b.apply({"f": "float", "i": "int", "b": "bool"}[_kind(b, dtype)], x)


@handles("item")
def _item(b: Frontend, x: Any) -> Any:
    return element(b, x, [b.constant(0)] * x.ndim)


def _kind(b: Frontend, dtype: Any) -> str:
    try:
        kind = np.dtype(dtype).kind
    except TypeError:
        kind = ""
    if kind not in ("f", "i", "u", "b"):
        raise b.error("dtype must be float, int or bool")
    return "i" if kind == "u" else kind


# Arrays made in the function ------------------------------------------------------------------------------------------


def _dims(b: Frontend, shape: Any) -> list[Value]:
    return [b.number(s, "a size") for s in (shape if isinstance(shape, tuple) else (shape,))]


@handles(np.empty, np.zeros, np.ones)
def _make(b: Frontend, shape: Any, dtype: Any = float, how: str = "empty") -> Value:
    return b.alloc(_dims(b, shape), _kind(b, dtype), how)


_HANDLERS[np.zeros] = lambda b, shape, dtype=float: _make(b, shape, dtype, "zeros")
_HANDLERS[np.ones] = lambda b, shape, dtype=float: _make(b, shape, dtype, "ones")


def _like(how: str) -> Handler:
    def make(b: Frontend, x: Any, dtype: Any = None) -> Value:
        x = b.operand(x)
        return b.alloc(b.dims_of(x), x.kind if dtype is None else _kind(b, dtype), how)

    return make


for _how in ("empty", "zeros", "ones"):
    _HANDLERS[getattr(np, _how + "_like")] = _like(_how)


@handles(np.full)
def _full(b: Frontend, shape: Any, fill_value: Any, dtype: Any = None) -> Value:
    fill = b.number(fill_value, "the fill value")
    array = b.alloc(_dims(b, shape), fill.kind if dtype is None else _kind(b, dtype), "empty")
    b.assign(array, fill)
    return array


@handles(np.full_like)
def _full_like(b: Frontend, x: Any, fill_value: Any, dtype: Any = None) -> Value:
    x = b.operand(x)
    array = b.alloc(b.dims_of(x), x.kind if dtype is None else _kind(b, dtype), "empty")
    b.assign(array, b.number(fill_value, "the fill value"))
    return array


@handles(np.eye, np.identity)
def _eye(b: Frontend, n: Any, m: Any = None) -> Lazy:
    rows = b.number(n, "a size")
    columns = rows if m is None else b.number(m, "a size")
    return Lazy(
        b,
        [rows, columns],
        lambda index: b.scalar("bool_to_float", b.scalar("eq", *index)),
        "f",
        cost=1,
        positional=True,
    )


@handles(np.arange)
def _arange(b: Frontend, *bounds: Any) -> Lazy:
    numbers = [b.number(x, "a bound of arange") for x in bounds]
    if not 1 <= len(numbers) <= 2 or any(x.kind == "f" for x in numbers):
        raise b.error("arange takes one or two integers here; use a loop, or pass the array as data")
    start = numbers[0] if len(numbers) == 2 else b.constant(0)
    size = b.scalar("max", b.scalar("sub", numbers[-1], start), b.constant(0)) if len(numbers) == 2 else numbers[0]
    return Lazy(b, [size], lambda index: b.scalar("add", start, index[0]), "i", cost=1, positional=True)


@handles(np.diag)
def _diag(b: Frontend, x: Any) -> Lazy:
    source = b.lazy(b.operand(x))
    options: dict[str, Any] = {"active": source.active, "cost": source.cost + 1, "reads": source.reads}
    if source.ndim == 2:
        return Lazy(b, source.dims[:1], lambda index: source.at(index * 2), source.kind, **options)
    zero = b.constant(0.0 if source.kind == "f" else 0)

    def at(index: list[Value]) -> Value:
        return b.select(b.scalar("eq", *index), lambda: source.at(index[:1]), lambda: zero)

    return Lazy(b, source.dims * 2, at, source.kind, positional=True, **options)


@handles(np.outer)
def _outer(b: Frontend, x: Any, y: Any) -> Lazy:
    left, right = b.lazy(b.operand(x)), b.lazy(b.operand(y))
    return Lazy(
        b,
        [left.dims[0], right.dims[0]],
        lambda index: b.scalar("mul", left.at(index[:1]), right.at(index[1:])),
        "f",
        active=left.active or right.active,
        cost=left.cost + right.cost + 1,
        reads=left.reads | right.reads,
    )


@handles(np.concatenate, np.hstack)
def _concatenate(b: Frontend, parts: Any, axis: Any = None) -> Value:
    if not isinstance(parts, tuple) or (axis is not None and axis.constant != 0):
        raise b.error("concatenate takes a tuple of arrays of one axis")
    arrays = [b.lazy(b.pack((p,)) if is_number(p) else b.operand(p)) for p in parts]
    if any(a.ndim != 1 for a in arrays):
        raise b.error("concatenate takes arrays of one axis here; make the array with np.empty and fill it")
    size = b.constant(0)
    for a in arrays:
        size = b.scalar("add", size, a.dims[0])
    kind = "f" if any(a.kind == "f" for a in arrays) else arrays[0].kind
    whole = b.alloc([size], kind, "empty", "joined", mutable=False)
    offset = b.constant(0)
    for a in arrays:

        def body(index: list[Value], carried: list[Value], a: Lazy = a, offset: Value = offset) -> list[Value]:
            b.store(whole, [b.scalar("add", index[0], offset)], a.at(index), first=True)
            return []

        b.nest(a.dims, [], body)
        offset = b.scalar("add", offset, a.dims[0])
    return whole


# Reductions -----------------------------------------------------------------------------------------------------------


@handles(np.sum)
def _sum(b: Frontend, x: Any, axis: Any = None) -> Any:
    return b.sum(b.operand(x), axis)


@handles(sum)
def _builtin_sum(b: Frontend, x: Any) -> Any:
    if isinstance(x, tuple):
        total = b.constant(0)
        for item in x:
            total = b.apply("add", total, b.operand(item))
        return total
    return b.sum(b.operand(x), b.constant(0))


@handles(np.mean)
def _mean(b: Frontend, x: Any, axis: Any = None) -> Any:
    x = b.operand(x)
    return b.apply("div", b.sum(x, axis), b.scalar("float", b.count(x, axis)))


@handles(np.var)
def _var(b: Frontend, x: Any) -> Any:
    x = b.operand(x)
    return _mean(b, b.apply("square", b.apply("sub", x, _mean(b, x))))


@handles(np.std)
def _std(b: Frontend, x: Any) -> Any:
    return b.scalar("sqrt", _var(b, x))


@handles(np.prod)
def _prod(b: Frontend, x: Any, axis: Any = None) -> Any:
    return b.prod(b.operand(x), axis)


@handles(np.max, np.amax)
def _max(b: Frontend, x: Any, axis: Any = None) -> Any:
    return b.extreme(b.operand(x), "max", axis)


@handles(np.min, np.amin)
def _min(b: Frontend, x: Any, axis: Any = None) -> Any:
    return b.extreme(b.operand(x), "min", axis)


def _builtin_extreme(rule: str) -> Handler:
    def extreme(b: Frontend, *xs: Any) -> Any:
        if len(xs) == 1 and is_array(xs[0]):
            return b.extreme(xs[0], rule)
        items = xs[0] if len(xs) == 1 else xs
        result = b.number(items[0], "an argument of max or min")
        for item in items[1:]:
            result = b.scalar(rule, result, b.number(item, "an argument of max or min"))
        return result

    return extreme


_HANDLERS[max] = _builtin_extreme("max")
_HANDLERS[min] = _builtin_extreme("min")


@handles(np.all)
def _all(b: Frontend, x: Any) -> Value:
    source = b.apply("bool", b.operand(x))
    return b.reduce(source, b.axes(source, None), b.constant(True), lambda s, v: b.scalar("and", s, v))  # type: ignore[no-any-return]


@handles(np.any)
def _any(b: Frontend, x: Any) -> Value:
    source = b.apply("bool", b.operand(x))
    return b.reduce(source, b.axes(source, None), b.constant(False), lambda s, v: b.scalar("or", s, v))  # type: ignore[no-any-return]


@handles(special.logsumexp.py_func)
def _logsumexp(b: Frontend, x: Any, axis: Any = None) -> Any:
    x = b.operand(x)
    x = b.stored(x) if isinstance(x, Lazy) and x.cost >= 2 else x
    shift = b.extreme(x, "max", axis)
    # Not a number but a choice: the derivative by the shift is 0, and an infinite one must not be subtracted.
    shift = b.elementwise(
        lambda s: b.select(b.scalar("isfinite", s()), s, lambda: b.constant(0.0)), [shift], "f", shift.active, 2
    )
    spread = shift
    if axis is not None and is_array(shift):
        spread = _kept(b, shift, b.axes(x, axis))
    total = b.sum(b.apply("exp", b.apply("sub", x, spread)), axis)
    return b.apply("add", shift, b.apply("log", total))


def _kept(b: Frontend, x: Any, axes: list[int]) -> Lazy:
    """Put axes of size 1 where a reduction took axes away."""
    source = b.lazy(x)
    dims = list(source.dims)
    for axis in sorted(axes):
        dims.insert(axis, b.constant(1))
    rest = [axis for axis in range(len(dims)) if axis not in axes]
    return Lazy(
        b,
        dims,
        lambda index: source.at([index[a] for a in rest]),
        source.kind,
        active=source.active,
        cost=source.cost,
        reads=source.reads,
    )


def _running(rule: str, neutral: float) -> Handler:
    def running(b: Frontend, x: Any, axis: Any = None) -> Value:
        source = b.lazy(b.operand(x))
        if source.ndim != 1:
            raise b.error("running sums and products take an array of one axis; write a loop")
        out = b.alloc(source.dims, "f" if source.kind == "f" else "i", "empty", "running", mutable=False)

        def body(index: Value, carried: list[Value]) -> list[Value]:
            following = b.scalar(rule, carried[0], source.at([index]))
            b.store(out, [index], following, first=True)
            return [following]

        start = b.constant(neutral if source.kind == "f" else int(neutral))
        b.loop(b.constant(0), source.dims[0], b.constant(1), [start], body)
        return out

    return running


_HANDLERS[np.cumsum] = _running("add", 0.0)
_HANDLERS[np.cumprod] = _running("mul", 1.0)


@handles(np.diff)
def _diff(b: Frontend, x: Any) -> Lazy:
    source = b.lazy(b.operand(x))
    if source.ndim != 1:
        raise b.error("np.diff takes an array of one axis; write a loop")
    one = b.constant(1)
    return Lazy(
        b,
        [b.scalar("sub", source.dims[0], one)],
        lambda index: b.scalar("sub", source.at([b.scalar("add", index[0], one)]), source.at(index)),
        source.kind,
        active=source.active,
        cost=2 * source.cost + 1,
        reads=source.reads,
        positional=True,
    )


# Choices and clipping -------------------------------------------------------------------------------------------------


@handles(np.where)
def _where(b: Frontend, condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        raise b.error("np.where takes three arguments here; pass integer positions as data")
    return b.where(b.operand(condition), b.operand(x), b.operand(y))


@handles(np.clip)
def _clip(b: Frontend, x: Any, lower: Any, upper: Any) -> Any:
    result = b.operand(x)
    result = result if lower is None else b.apply("max", result, b.operand(lower))
    return result if upper is None else b.apply("min", result, b.operand(upper))


# Linear algebra -------------------------------------------------------------------------------------------------------


@handles(np.dot, np.matmul, np.vdot)
def _dot(b: Frontend, x: Any, y: Any) -> Any:
    return b.dot(b.operand(x), b.operand(y))


@handles(np.trace)
def _trace(b: Frontend, x: Any) -> Any:
    return b.sum(_diag(b, x))


@handles(np.linalg.cholesky, linalg.cholesky.py_func)
def _cholesky(b: Frontend, x: Any) -> Value:
    matrix = b.stored(b.operand(x), "matrix")
    return b.primitive(linalg.CHOLESKY, [matrix], b.dims_of(matrix))


def _solver(primitive: linalg.WholeArray) -> Handler:
    def solve(b: Frontend, a: Any, rhs: Any) -> Value:
        matrix, right = b.stored(b.operand(a), "matrix"), b.stored(b.operand(rhs), "right")
        if right.ndim not in (1, 2) or matrix.ndim != 2:
            raise b.error("solve takes a matrix and a vector or a matrix")
        b.check_equal(b.dim(matrix, 0), b.dim(right, 0))
        chosen = primitive if right.ndim == 1 else linalg.COLUMNS[primitive.name]
        return b.primitive(chosen, [matrix, right], b.dims_of(right))

    return solve


_HANDLERS[np.linalg.solve] = _solver(linalg.SOLVE)
_HANDLERS[linalg.solve_lower.py_func] = _solver(linalg.SOLVE_LOWER)
_HANDLERS[linalg.solve_upper.py_func] = _solver(linalg.SOLVE_UPPER)


@handles(np.linalg.slogdet)
def _slogdet(b: Frontend, x: Any) -> Any:
    matrix = b.stored(b.operand(x), "matrix")
    sign = b.primitive(linalg.DETERMINANT_SIGN, [matrix], [])
    sign.active = False
    return Record("slogdet", {"sign": sign, "logabsdet": b.primitive(linalg.LOG_DETERMINANT, [matrix], [])})


@handles(np.linalg.inv)
def _inv(b: Frontend, x: Any) -> Value:
    matrix = b.stored(b.operand(x), "matrix")
    identity = b.stored(_eye(b, b.dim(matrix, 0)), "identity")
    return b.primitive(linalg.COLUMNS["solve"], [matrix, identity], b.dims_of(matrix))


@handles(np.linalg.det)
def _det(b: Frontend, x: Any) -> Value:
    raise b.error("np.linalg.det has no derivative rule; use np.linalg.slogdet")


@handles(np.linalg.norm)
def _norm(b: Frontend, x: Any) -> Value:
    return b.scalar("sqrt", b.sum(b.apply("square", b.operand(x))))


_HANDLERS[math.fsum] = lambda b, x: b.sum(b.operand(x))
_HANDLERS[math.prod] = lambda b, x: b.prod(b.operand(x))

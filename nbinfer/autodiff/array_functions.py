"""Shapes, arrays made in the function, choices, linear algebra: what these functions of NumPy stand for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer import vectormath
from nbinfer.autodiff import linalg
from nbinfer.autodiff.expressions import Record
from nbinfer.autodiff.indexing import element
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.lazy import Lazy, is_number
from nbinfer.autodiff.registry import HANDLERS, Handler, handles

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend

# Shapes ---------------------------------------------------------------------------------------------------------------


@handles(len)
def _len(b: Frontend, x: Any) -> Value:
    if isinstance(x, Record):
        return b.constant(len(x.fields))
    return b.constant(len(x)) if isinstance(x, tuple) else b.lazy(b.operand(x)).dims[0]


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
    return x


@handles(np.asarray, np.ascontiguousarray)
def _asarray(b: Frontend, x: Any, dtype: Any = None) -> Any:
    x = b.operand(x)
    return x if dtype is None or _kind(b, dtype) == x.kind else _copy(b, x, dtype)


@handles("flatten")
def _flatten(b: Frontend, x: Any) -> Any:
    return _copy(b, _ravel(b, x))


@handles(np.copy, np.array)
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
    return [_size_of(b, s) for s in (shape if isinstance(shape, tuple) else (shape,))]


def _size_of(b: Frontend, x: Any) -> Value:
    size = b.number(x, "a size")
    if size.kind == "f":
        raise b.error("a size must be an integer, not a float")
    return size


@handles(np.empty, np.zeros, np.ones)
def _make(b: Frontend, shape: Any, dtype: Any = float, how: str = "empty") -> Value:
    return b.alloc(_dims(b, shape), _kind(b, dtype), how)


HANDLERS[np.zeros] = lambda b, shape, dtype=float: _make(b, shape, dtype, "zeros")
HANDLERS[np.ones] = lambda b, shape, dtype=float: _make(b, shape, dtype, "ones")


def _like(how: str) -> Handler:
    def make(b: Frontend, x: Any, dtype: Any = None) -> Value:
        x = b.lazy(b.operand(x))
        return b.alloc(b.dims_of(x), x.kind if dtype is None else _kind(b, dtype), how)

    return make


for _how in ("empty", "zeros", "ones"):
    HANDLERS[getattr(np, _how + "_like")] = _like(_how)


@handles(np.full)
def _full(b: Frontend, shape: Any, fill_value: Any, dtype: Any = None) -> Value:
    fill = b.number(fill_value, "the fill value")
    array = b.alloc(_dims(b, shape), fill.kind if dtype is None else _kind(b, dtype), "empty")
    b.assign(array, fill)
    return array


@handles(np.full_like)
def _full_like(b: Frontend, x: Any, fill_value: Any, dtype: Any = None) -> Value:
    x = b.lazy(b.operand(x))
    array = b.alloc(b.dims_of(x), x.kind if dtype is None else _kind(b, dtype), "empty")
    b.assign(array, b.number(fill_value, "the fill value"))
    return array


@handles(np.eye, np.identity)
def _eye(b: Frontend, n: Any, m: Any = None) -> Lazy:
    rows = _size_of(b, n)
    columns = rows if m is None else _size_of(b, m)
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
    return Lazy(
        b,
        [size],
        lambda index: b.scalar("add", start, index[0]),
        "i",
        varies=start.varies or size.varies,
        cost=1,
        positional=True,
    )


@handles(np.diagonal)
def _diagonal(b: Frontend, x: Any) -> Lazy:
    source = b.lazy(b.operand(x))
    if source.ndim != 2:
        raise b.error(f"the diagonal is that of a matrix, not of an array of {source.ndim} axes")
    rows, columns = source.dims
    is_square = b.ident(rows) == b.ident(columns)
    return Lazy(
        b,
        [rows if is_square else b.scalar("min", rows, columns)],
        lambda index: source.at(index * 2),
        source.kind,
        active=source.active,
        cost=source.cost + 1,
        reads=source.reads,
        positional=not is_square,
        base=source,
    )


@handles(np.diag)
def _diag(b: Frontend, x: Any) -> Any:
    source = b.lazy(b.operand(x))
    if source.ndim != 1:
        return _diagonal(b, source)
    options: dict[str, Any] = {"active": source.active, "cost": source.cost + 1, "reads": source.reads}
    zero = b.constant(0.0 if source.kind == "f" else 0)

    def at(index: list[Value]) -> Value:
        return b.select(b.scalar("eq", *index), lambda: source.at(index[:1]), lambda: zero)

    return Lazy(b, source.dims * 2, at, source.kind, positional=True, **options)


@handles(np.outer)
def _outer(b: Frontend, x: Any, y: Any) -> Lazy:
    left, right = b.lazy(b.operand(x)), b.lazy(b.operand(y))
    if left.ndim != 1 or right.ndim != 1:
        raise b.error("np.outer takes arrays of one axis here")
    return Lazy(
        b,
        [left.dims[0], right.dims[0]],
        lambda index: b.scalar("mul", left.at(index[:1]), right.at(index[1:])),
        "f",
        active=left.active or right.active,
        cost=left.cost + right.cost + 1,
        reads=left.reads | right.reads,
        positional=left.positional or right.positional,
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


# Logarithms to a base, choices and clipping --------------------------------------------------------------------------


@handles(math.log)
def _log(b: Frontend, x: Any, base: Any) -> Any:
    """Take the logarithm to a base; without one it is a function of the table of rules."""
    return b.apply("div", b.apply("log", b.operand(x)), b.apply("log", b.operand(base)))


@handles(np.float_power, math.pow)
def _float_power(b: Frontend, x: Any, y: Any) -> Any:
    """Take a power that is a float, whatever it is made of."""
    return b.apply("pow", b.apply("float", b.operand(x)), b.operand(y))


@handles(np.where)
def _where(b: Frontend, condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        raise b.error("np.where takes three arguments here; pass integer positions as data")
    return b.where(b.operand(condition), b.operand(x), b.operand(y))


@handles(np.clip)
def _clip(b: Frontend, x: Any, lower: Any, upper: Any) -> Any:
    result = b.fresh(b.operand(x))
    result = result if lower is None else b.apply("maximum", result, b.operand(lower))
    return result if upper is None else b.apply("minimum", result, b.operand(upper))


@handles(vectormath.pick.py_func)
def _pick(b: Frontend, rows: Any, k: Any) -> Any:
    """Gather one element of each row; no derivative and no memory is touched where there is none."""
    rows = b.stored(b.operand(rows), "rows")
    source = b.lazy(rows)
    k = b.operand(k)
    outer = Lazy(b, source.dims[:-1], lambda index: b.constant(0.0), "f")
    positions = [k] if is_number(k) else [b.lazy(k)]

    def at(index: list[Value]) -> Value:
        number = k if is_number(k) else positions[0].at(b.spread(positions[0], index, dims))
        valid = b.scalar("and", b.scalar("ge", number, b.constant(0)), b.scalar("lt", number, source.dims[-1]))
        valid = b.scalar("and", valid, b.scalar("is_whole", number))
        place = b.scalar("int", b.scalar("select", valid, number, b.constant(0)))
        found = source.at([*b.spread(outer, index, dims), place])
        return b.scalar("select", valid, found, b.constant(math.nan))

    dims = b.broadcast([source.dims[:-1], b.dims_of(k)])
    if not dims:
        return at([])
    cost = source.cost + (0 if is_number(k) else positions[0].cost) + 4
    return Lazy(b, dims, at, "f", active=source.active, cost=cost, reads=source.reads)


# Linear algebra -------------------------------------------------------------------------------------------------------


@handles(np.dot, np.matmul)
def _dot(b: Frontend, x: Any, y: Any) -> Any:
    return b.dot(b.operand(x), b.operand(y))


@handles(np.vdot)
def _vdot(b: Frontend, x: Any, y: Any) -> Any:
    return b.dot(_ravel(b, x), _ravel(b, y))


@handles(np.trace)
def _trace(b: Frontend, x: Any) -> Any:
    return b.sum(_diagonal(b, x))


def _floats(b: Frontend, x: Any, hint: str) -> Value:
    x = b.operand(x)
    return b.stored(x if x.kind == "f" else b.apply("float", x), hint)


def _matrix(b: Frontend, x: Any) -> Value:
    """Store a square matrix of floats."""
    matrix = _floats(b, x, "matrix")
    if matrix.ndim != 2:
        raise b.error("a matrix is needed here, an array of two axes")
    b.check_equal(*b.dims_of(matrix))
    return matrix


@handles(np.linalg.cholesky, linalg.cholesky.py_func)
def _cholesky(b: Frontend, x: Any) -> Value:
    matrix = _matrix(b, x)
    return b.primitive(linalg.CHOLESKY, [matrix], b.dims_of(matrix))


def _solver(primitive: linalg.WholeArray) -> Handler:
    def solve(b: Frontend, a: Any, rhs: Any) -> Value:
        matrix, right = _matrix(b, a), _floats(b, rhs, "right")
        if right.ndim not in (1, 2):
            raise b.error("solve takes a matrix and a vector or a matrix")
        b.check_equal(b.dim(matrix, 0), b.dim(right, 0))
        chosen = primitive if right.ndim == 1 else linalg.COLUMNS[primitive.name]
        return b.primitive(chosen, [matrix, right], b.dims_of(right))

    return solve


HANDLERS[np.linalg.solve] = _solver(linalg.SOLVE)
HANDLERS[linalg.solve_lower.py_func] = _solver(linalg.SOLVE_LOWER)
HANDLERS[linalg.solve_upper.py_func] = _solver(linalg.SOLVE_UPPER)


@handles(np.linalg.slogdet)
def _slogdet(b: Frontend, x: Any) -> Any:
    matrix = _matrix(b, x)
    sign = b.primitive(linalg.DETERMINANT_SIGN, [matrix], [])
    sign.active = False
    return Record("slogdet", {"sign": sign, "logabsdet": b.primitive(linalg.LOG_DETERMINANT, [matrix], [])})


@handles(np.linalg.inv)
def _inv(b: Frontend, x: Any) -> Value:
    matrix = _matrix(b, x)
    identity = b.stored(_eye(b, b.dim(matrix, 0)), "identity")
    return b.primitive(linalg.COLUMNS["solve"], [matrix, identity], b.dims_of(matrix))


@handles(np.linalg.det)
def _det(b: Frontend, x: Any) -> Value:
    raise b.error("np.linalg.det has no derivative rule; use np.linalg.slogdet")


@handles(np.linalg.norm)
def _norm(b: Frontend, x: Any) -> Value:
    return b.scalar("sqrt", b.sum(b.apply("square", b.operand(x))))

"""Shapes, arrays made in the function, choices, linear algebra: what these functions of NumPy stand for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer import vectormath
from nbinfer.autodiff import linalg
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.lazy import Lazy, is_array, is_number
from nbinfer.autodiff.making import eye
from nbinfer.autodiff.reader import Record
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


# Parts of matrices, products ----------------------------------------------------------------------------------------


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


# Logarithms to a base, choices and clipping --------------------------------------------------------------------------


@handles(math.log)
def _log(b: Frontend, x: Any, base: Any) -> Any:
    """Take the logarithm to a base; without one it is a function of the table of rules."""
    return b.apply("div", b.apply("log", b.operand(x)), b.apply("log", b.operand(base)))


@handles(np.float_power, math.pow)
def _float_power(b: Frontend, x: Any, y: Any) -> Any:
    """Take a power that is a float, whatever it is made of."""
    return b.apply("pow", b.apply("float", b.operand(x)), b.operand(y))


@handles(vectormath.pick.py_func)
def _pick(b: Frontend, rows: Any, k: Any) -> Any:
    """Gather one element of each row; no derivative and no memory is touched where there is none."""
    rows, k = b.operand(rows), b.operand(k)
    # Of a short row each element is looked at: what is gathered keeps a loop from vectors.
    is_chosen = (is_array(k) or (b.block.depth > 0 and k.constant is None)) and b.is_short(rows, [rows.ndim - 1])
    source = b.lazy(rows if is_chosen else b.stored(rows, "rows"))
    outer = Lazy(b, source.dims[:-1], lambda index: b.constant(0.0), "f")
    positions = [k] if is_number(k) else [b.lazy(k)]

    def at(index: list[Value]) -> Value:
        number = k if is_number(k) else positions[0].at(b.spread(positions[0], index, dims))
        row = b.spread(outer, index, dims)
        if is_chosen:
            return _chosen(b, [source.at([*row, b.constant(j)]) for j in range(source.dims[-1].constant)], number)
        valid = b.scalar("and", b.scalar("ge", number, b.constant(0)), b.scalar("lt", number, source.dims[-1]))
        valid = b.scalar("and", valid, b.scalar("is_whole", number))
        place = b.scalar("int", b.scalar("select", valid, number, b.constant(0)))
        return b.scalar("select", valid, source.at([*row, place]), b.constant(math.nan))

    dims = b.broadcast([source.dims[:-1], b.dims_of(k)])
    if not dims:
        return at([])
    cost = source.cost + (0 if is_number(k) else positions[0].cost) + 4
    return Lazy(b, dims, at, "f", active=source.active, cost=cost, reads=source.reads)


def _chosen(b: Frontend, row: list[Value], k: Value) -> Value:
    """Return element k of a few."""
    found = b.constant(math.nan)
    for j, x in enumerate(row):
        found = b.scalar("select", b.scalar("eq", k, b.constant(j)), b.to_float(x), found)
    return found


# Linear algebra -------------------------------------------------------------------------------------------------------


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
    identity = b.stored(eye(b, b.dim(matrix, 0)), "identity")
    return b.primitive(linalg.COLUMNS["solve"], [matrix, identity], b.dims_of(matrix))


@handles(np.linalg.det)
def _det(b: Frontend, x: Any) -> Value:
    sign, logabsdet = _slogdet(b, x).fields.values()
    return b.scalar("mul", sign, b.scalar("exp", logabsdet))


@handles(np.linalg.norm)
def _norm(b: Frontend, x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:
    if ord is not None and getattr(ord, "constant", None) != 2:
        raise b.error("np.linalg.norm is the Euclidean one here; write np.sum(np.abs(x)) or np.max(np.abs(x))")
    x = b.operand(x)
    if ord is not None and axis is None and x.ndim > 1:
        raise b.error("the spectral norm of a matrix has no derivative rule; leave ord out for the Frobenius norm")
    return b.apply("sqrt", HANDLERS[np.sum](b, b.apply("square", x), axis, keepdims))

"""Choices: by a condition, between bounds, by positions, by rank."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.autodiff.arrays import SIGNS
from nbinfer.autodiff.errors import ADError
from nbinfer.autodiff.indexing import complete, subscript, within
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.joining import array_of
from nbinfer.autodiff.lazy import Lazy, is_array, is_number, is_result
from nbinfer.autodiff.positions import Chosen, positions, unmasked, write_all
from nbinfer.autodiff.registry import HANDLERS, TELL_LISTS, Handler, handles
from nbinfer.autodiff.sequences import List, as_tuple
from nbinfer.autodiff.shapes import axis_of, expanded, flat, size_of

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend

_FULL = slice(None, None, None)


@handles(np.where)
def _where(b: Frontend, condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None and y is None:
        return _nonzero(b, condition)
    if x is None or y is None:
        raise b.error("np.where takes a condition and, if any, both choices")
    return b.where(b.operand(condition), b.operand(x), b.operand(y))


@handles(np.clip)
def _clip(b: Frontend, x: Any, lower: Any = None, upper: Any = None) -> Any:
    result = b.fresh(b.operand(x))
    result = result if lower is None else b.apply("maximum", result, b.operand(lower))
    return result if upper is None else b.apply("minimum", result, b.operand(upper))


@handles(np.select)
def _select(b: Frontend, condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if not (isinstance(condlist, tuple) and isinstance(choicelist, tuple) and len(condlist) == len(choicelist)):
        raise b.error("np.select takes two lists, of as many conditions as choices")
    result = b.constant(default) if isinstance(default, int) else b.operand(default)
    for condition, choice in zip(condlist[::-1], choicelist[::-1], strict=True):
        result = b.where(b.operand(condition), b.operand(choice), result)
    return result


@handles(np.nan_to_num)
def _nan_to_num(b: Frontend, x: Any, nan: Any = 0.0) -> Any:
    x = b.operand(x)
    if x.kind != "f":
        return x
    filling = b.constant(nan) if isinstance(nan, float) else b.operand(nan)
    largest = b.constant(float(np.finfo(float).max))
    finite = b.apply("maximum", b.apply("minimum", x, largest), b.apply("neg", largest))
    return b.where(b.apply("isnan", x), filling, finite)


@handles(np.heaviside)
def _heaviside(b: Frontend, x1: Any, x2: Any) -> Any:
    x, zero = b.operand(x1), b.constant(0.0)
    above = b.where(b.apply("gt", x, zero), b.constant(1.0), b.operand(x2))
    result = b.where(b.apply("lt", x, zero), zero, above)
    return b.where(b.apply("isnan", x), b.constant(math.nan), result)


# Parts of matrices ----------------------------------------------------------------------------------------------------


def _triangle(rule: str) -> Handler:
    def triangle(b: Frontend, m: Any, k: Any = 0) -> Lazy:
        source = b.lazy(b.operand(m))
        if source.ndim != 2:
            raise b.error("the triangle is that of a matrix")
        shift = b.constant(k) if isinstance(k, int) else b.number(k, "k")
        zero = b.constant(0.0 if source.kind == "f" else 0)

        def at(index: list[Value]) -> Value:
            inside = b.scalar(rule, index[1], b.scalar("add", index[0], shift))
            return b.select(inside, lambda: source.at(index), lambda: zero)

        return Lazy(
            b,
            source.dims,
            at,
            source.kind,
            active=source.active,
            cost=source.cost + 1,
            reads=source.reads,
            positional=True,
        )

    return triangle


HANDLERS[np.tril] = _triangle("le")
HANDLERS[np.triu] = _triangle("ge")


def _triangle_positions(rule: str) -> Handler:
    def places(b: Frontend, n: Any, k: Any = 0, m: Any = None) -> Any:
        rows = size_of(b, n)
        columns = rows if m is None else size_of(b, m)
        shift = b.constant(k) if isinstance(k, int) else size_of(b, k)
        inside = Lazy(
            b,
            [rows, columns],
            lambda index: b.scalar(rule, index[1], b.scalar("add", index[0], shift)),
            "b",
            varies=rows.varies or columns.varies,
            cost=1,
            positional=True,
        )
        return tuple(positions(b, inside))

    return places


HANDLERS[np.tril_indices] = _triangle_positions("le")
HANDLERS[np.triu_indices] = _triangle_positions("ge")


# Positions ------------------------------------------------------------------------------------------------------------


@handles(np.nonzero)
def _nonzero(b: Frontend, a: Any) -> Any:
    return tuple(positions(b, b.apply("bool", array_of(b, a))))


@handles(np.flatnonzero)
def _flatnonzero(b: Frontend, a: Any) -> Any:
    return _nonzero(b, flat(b, array_of(b, a)))[0]


@handles(np.take)
def _take(b: Frontend, a: Any, indices: Any, axis: Any = None) -> Any:
    x = b.operand(a)
    x = flat(b, x) if axis is None else x
    place = 0 if axis is None else axis_of(b, axis, x.ndim)
    return subscript(b, x, [*[_FULL] * place, b.operand(indices)])


@handles(np.extract)
def _extract(b: Frontend, condition: Any, arr: Any) -> Any:
    return subscript(b, flat(b, b.operand(arr)), [flat(b, b.apply("bool", b.operand(condition)))])


def _at(rule: str) -> Handler:
    def accumulate(b: Frontend, a: Any, indices: Any, values: Any) -> None:
        """Add to chosen elements; to one that is chosen twice, twice."""
        if is_array(a) and is_result(a):
            b.change(a)
        if not isinstance(a, Value) or not is_array(a) or is_result(a):
            raise b.error("only memory can be added to: make an array with np.zeros first")
        values = b.operand(as_tuple(values))
        places = list(indices) if isinstance(indices, tuple) else [indices]
        parts = unmasked(b, a, [b.operand(as_tuple(part)) if isinstance(part, List) else part for part in places])
        parts = within(b, a, complete(b, a, parts))
        if any(part is None or (isinstance(part, slice) and part != _FULL) for part in parts):
            raise b.error("np.add.at takes integer positions here, without slices and new axes")
        if not any(map(is_array, parts)):
            if not is_number(parts[0]):
                raise b.error("np.add.at takes integer positions here; for all of an array write +=")
            parts[0] = expanded(b, parts[0], 0)
        write_all(b, a, Chosen(b, parts, b.dims_of(a)), values, SIGNS[rule])

    return accumulate


HANDLERS[np.add.at] = _at("add")
HANDLERS[np.subtract.at] = _at("sub")
TELL_LISTS += [np.add.at, np.subtract.at]


def rows_refused(b: Frontend, name: str) -> ADError:
    """Return an exception: a function works on one axis."""
    return b.error(f"{name}: only an array of one axis is supported; write a loop over the other axes")


def _position_of(rule: str) -> Handler:
    def position(b: Frontend, a: Any, axis: Any = None) -> Any:
        x = b.operand(a)
        if axis is not None and x.ndim > 1:
            raise rows_refused(b, "np.argmax and np.argmin")
        source = b.lazy(flat(b, x))

        def body(index: list[Value], carried: list[Value]) -> list[Value]:
            best, place = carried
            here = source.at(index)
            better = b.scalar(rule, here, best)
            if here.kind == "f":  # the first NaN wins
                nan = b.scalar("and", b.scalar("isnan", here), b.scalar("not", b.scalar("isnan", best)))
                better = b.scalar("or", better, nan)
            better = b.scalar("or", better, b.scalar("eq", index[0], b.constant(0)))
            return [b.scalar("select", better, here, best), b.scalar("select", better, index[0], place)]

        start = b.constant({"f": math.nan, "i": 0, "b": False}[source.kind])
        b.muted += 1
        found = b.nest(source.dims, [start, b.constant(0)], body)[1]
        b.muted -= 1
        return found

    return position


HANDLERS[np.argmax] = _position_of("gt")
HANDLERS[np.argmin] = _position_of("lt")

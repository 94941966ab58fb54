"""Sums, means, products, extremes: what these functions of NumPy stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer import vectormath
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.lazy import EXPENSIVE, Lazy, is_array, is_number
from nbinfer.autodiff.registry import HANDLERS, Handler, handles
from nbinfer.autodiff.shapes import axis_of, expanded, flat, spread_to

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend

# Reductions -----------------------------------------------------------------------------------------------------------


#: None, a number or a tuple of numbers.
Axes = Any


def _kept(b: Frontend, x: Any, result: Any, axis: Axes, keepdims: Any) -> Any:
    """Put axes of one element where a reduction took axes away, if that is asked."""
    wanted = keepdims.constant if isinstance(keepdims, Value) else keepdims
    if wanted is None:
        raise b.error("keepdims must be True or False")
    if wanted and not is_number(x):
        for place in sorted(b.axes(x, axis)):
            result = expanded(b, result, place)
    return result


@handles(np.sum)
def _sum(b: Frontend, x: Any, axis: Axes = None, keepdims: Any = False) -> Any:
    x = b.operand(x)
    return _kept(b, x, b.sum(x, axis), axis, keepdims)


@handles(np.mean)
def _mean(b: Frontend, x: Any, axis: Axes = None, keepdims: Any = False) -> Any:
    x = b.operand(x)
    mean = b.apply("div", b.sum(x, axis), b.scalar("float", b.count(x, axis)))
    return _kept(b, x, mean, axis, keepdims)


@handles(np.average)
def _average(b: Frontend, a: Any, axis: Axes = None, weights: Any = None) -> Any:
    x = b.operand(a)
    if weights is None:
        return _mean(b, x, axis)
    w = b.operand(weights)
    if axis is not None and w.ndim == 1:
        w = b.lazy(w)
        for _ in range(x.ndim - 1 - b.axes(x, axis)[0]):
            w = expanded(b, w, w.ndim)
        w = spread_to(b, w, b.dims_of(x))
    return b.apply("div", b.sum(b.apply("mul", x, w), axis), b.sum(w, axis))


@handles(np.var)
def _var(b: Frontend, x: Any, axis: Axes = None, ddof: Any = 0, keepdims: Any = False) -> Any:
    x = b.operand(x)
    squares = b.apply("square", b.apply("sub", x, _mean(b, x, axis, keepdims=axis is not None)))
    freedom = b.number(ddof, "ddof") if isinstance(ddof, Value) else None
    count = b.scalar("float", b.count(x, axis))
    count = count if freedom is None else b.scalar("sub", count, freedom)
    return _kept(b, x, b.apply("div", b.sum(squares, axis), count), axis, keepdims)


@handles(np.std)
def _std(b: Frontend, x: Any, axis: Axes = None, ddof: Any = 0, keepdims: Any = False) -> Any:
    return b.apply("sqrt", _var(b, x, axis, ddof, keepdims))


@handles(np.prod)
def _prod(b: Frontend, x: Any, axis: Axes = None, keepdims: Any = False) -> Any:
    x = b.operand(x)
    return _kept(b, x, b.prod(x, axis), axis, keepdims)


def _extreme(rule: str) -> Handler:
    def extreme(b: Frontend, x: Any, axis: Axes = None, keepdims: Any = False) -> Any:
        x = b.operand(x)
        return _kept(b, x, b.extreme(x, rule, axis), axis, keepdims)

    return extreme


HANDLERS[np.max] = HANDLERS[np.amax] = _extreme("max")
HANDLERS[np.min] = HANDLERS[np.amin] = _extreme("min")


@handles(np.ptp)
def _ptp(b: Frontend, a: Any, axis: Axes = None) -> Any:
    x = b.operand(a)
    return b.apply("sub", b.extreme(x, "max", axis), b.extreme(x, "min", axis))


@handles(np.nansum)
def _nansum(b: Frontend, a: Any, axis: Axes = None) -> Any:
    x = b.operand(a)
    return b.sum(b.where(b.apply("isnan", x), b.constant(0.0), x), axis)


def _truth(rule: str, neutral: bool) -> Handler:
    def truth(b: Frontend, x: Any, axis: Axes = None, keepdims: Any = False) -> Any:
        source = b.apply("bool", b.operand(x))
        if is_number(source):
            return source
        found = b.reduce(source, b.axes(source, axis), b.constant(neutral), lambda s, v: b.scalar(rule, s, v))
        return _kept(b, source, found, axis, keepdims)

    return truth


HANDLERS[np.all] = _truth("and", True)
HANDLERS[np.any] = _truth("or", False)


@handles(np.count_nonzero)
def _count_nonzero(b: Frontend, a: Any, axis: Axes = None) -> Any:
    return b.sum(b.apply("int", b.apply("bool", b.operand(a))), axis)


@handles(vectormath.logsumexp.py_func)
def _logsumexp(b: Frontend, x: Any, axis: Any = None) -> Any:
    x = b.operand(x)
    axes = b.axes(x, axis)
    if isinstance(x, Lazy) and x.cost >= 2 and not b.is_unrolled(x, axes):
        x = b.stored(x)
    # By how much exponents are shifted does not matter, so the derivative by it is 0; an infinite one is none.
    largest = b.extreme(b.apply("inert", x), "max", axis, nan_wins=False)
    shift = b.apply("select", b.apply("isfinite", largest), largest, b.constant(0.0))
    spread = _kept(b, x, shift, axis, True) if axis is not None and is_array(shift) else shift
    total = b.sum(b.apply("exp", b.apply("sub", x, spread)), axis)
    return b.apply("add", shift, b.apply("log", total))


@handles(vectormath.row_sum.py_func)
def _row_sum(b: Frontend, rows: Any) -> Any:
    return b.sum(b.operand(rows), b.constant(-1))


@handles(vectormath.row_logsumexp.py_func)
def _row_logsumexp(b: Frontend, rows: Any) -> Any:
    return _logsumexp(b, rows, b.constant(-1))


def _running(rule: str, neutral: float) -> Handler:
    def running(b: Frontend, x: Any, axis: Any = None) -> Any:
        x = b.operand(x)
        source = b.lazy(flat(b, x) if axis is None else x)
        along = 0 if axis is None else axis_of(b, axis, source.ndim)
        out = b.alloc(source.dims, "f" if source.kind == "f" else "i", "empty", "running", mutable=False)
        start = b.constant(neutral if source.kind == "f" else int(neutral))

        def line(rest: list[Value], _: list[Value]) -> list[Value]:
            def body(index: Value, carried: list[Value]) -> list[Value]:
                place = [*rest[:along], index, *rest[along:]]
                following = b.scalar(rule, carried[0], source.at(place))
                b.store(out, place, following, first=True)
                return [following]

            b.nest([source.dims[along]], [start], lambda index, carried: body(index[0], carried))
            return []

        b.nest([*source.dims[:along], *source.dims[along + 1 :]], [], line)
        return out

    return running


HANDLERS[np.cumsum] = _running("add", 0.0)
HANDLERS[np.cumprod] = _running("mul", 1.0)


@handles(np.diff)
def _diff(b: Frontend, a: Any, n: Any = 1, axis: Any = -1) -> Any:
    x = b.operand(a)
    times = n.constant if isinstance(n, Value) else n
    if not isinstance(times, int) or times < 0:
        raise b.error("n of np.diff must be a number known in advance")
    along, one = axis_of(b, axis, x.ndim), b.constant(1)
    for _ in range(times):
        source = b.lazy(x if is_cheap(x) else b.stored(x))
        x = _difference(b, source, along, one)
    return x


def _difference(b: Frontend, source: Lazy, along: int, one: Value) -> Lazy:
    size = b.scalar("sub", source.dims[along], one)
    size, locate = _of_two_pieces(b, source.dims[along], size)

    def at(index: list[Value]) -> Value:
        following = b.scalar("add", index[along], one)
        locate(index[along], following)
        beyond = [*index[:along], following, *index[along + 1 :]]
        return b.scalar("sub", source.at(beyond), source.at(index))

    dims = [*source.dims[:along], size, *source.dims[along + 1 :]]
    return Lazy(
        b,
        dims,
        at,
        source.kind,
        active=source.active,
        varies=source.varies,
        cost=2 * source.cost + 1,
        reads=source.reads,
        positional=True,
    )


def _of_two_pieces(b: Frontend, whole: Value, size: Value) -> tuple[Value, Callable[[Value, Value], None]]:
    """Let loops over differences go by the pieces of an axis, if these are two: within the first, between them, within
    the second. Return their number, and what tells in which piece an element and the one after it are.
    """
    sizes = b.pieces.get(whole.number)
    if sizes is None or len(sizes) != 2:
        return size, lambda index, following: None
    zero, one = b.constant(0), b.constant(1)
    first, second = (b.scalar("max", b.scalar("sub", piece, one), zero) for piece in sizes)
    between = b.scalar("min", one, b.scalar("min", *sizes))
    runs = [(count, k) for k, count in enumerate((first, between, second)) if count.constant != 0]
    if size.constant is not None:
        size = b.value("n", "i", b.top, constant=size.constant)
    counts = tuple(count for count, _ in runs)
    b.pieces[size.number] = counts

    def locate(index: Value, following: Value) -> None:
        found = b.place_in("joined", counts, index)
        if found is not None:
            run, i = runs[found[0]][1], found[1]
            if run == 1:  # counted from i, so that nothing is read where there is nothing between them
                near = (0, b.scalar("add", b.scalar("sub", sizes[0], one), i)), (1, i)
            else:
                near = (run // 2, i), (run // 2, b.scalar("add", i, one))
            for place, where in zip((index, following), near, strict=True):
                b.places["joined", *map(b.ident, sizes), b.ident(place)] = where

    return size, locate


def is_cheap(x: Any) -> bool:
    """Tell whether elements that are needed twice may be computed twice."""
    return not isinstance(x, Lazy) or x.cost < EXPENSIVE


def _folding(reduce: Handler) -> Handler:
    """Return what a method of a function of two numbers stands for: along the first axis, if not told otherwise."""

    def fold(b: Frontend, array: Any, axis: Any = 0, **named: Any) -> Any:
        return reduce(b, array, b.constant(axis) if isinstance(axis, int) else axis, **named)

    return fold


HANDLERS[np.add.reduce] = _folding(_sum)
HANDLERS[np.multiply.reduce] = _folding(_prod)
HANDLERS[np.maximum.reduce] = _folding(HANDLERS[np.max])
HANDLERS[np.minimum.reduce] = _folding(HANDLERS[np.min])
HANDLERS[np.logaddexp.reduce] = _folding(_logsumexp)
HANDLERS[np.add.accumulate] = _folding(HANDLERS[np.cumsum])
HANDLERS[np.multiply.accumulate] = _folding(HANDLERS[np.cumprod])

"""Sums, means, products, extremes: what these functions of NumPy stand for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer import vectormath
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.lazy import Lazy, is_array
from nbinfer.autodiff.registry import HANDLERS, Handler, handles

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend

# Reductions -----------------------------------------------------------------------------------------------------------


@handles(np.sum)
def _sum(b: Frontend, x: Any, axis: Any = None) -> Any:
    return b.sum(b.operand(x), axis)


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


@handles(np.all)
def _all(b: Frontend, x: Any) -> Value:
    source = b.apply("bool", b.operand(x))
    return b.reduce(source, b.axes(source, None), b.constant(True), lambda s, v: b.scalar("and", s, v))  # type: ignore[no-any-return]


@handles(np.any)
def _any(b: Frontend, x: Any) -> Value:
    source = b.apply("bool", b.operand(x))
    return b.reduce(source, b.axes(source, None), b.constant(False), lambda s, v: b.scalar("or", s, v))  # type: ignore[no-any-return]


@handles(vectormath.logsumexp.py_func)
def _logsumexp(b: Frontend, x: Any, axis: Any = None) -> Any:
    x = b.operand(x)
    x = b.stored(x) if isinstance(x, Lazy) and x.cost >= 2 else x
    shift = b.extreme(x, "max", axis, nan_wins=False)
    # Not a number but a choice: the derivative by the shift is 0, and an infinite one must not be subtracted.
    shift = b.elementwise(
        lambda s: b.select(b.scalar("isfinite", s()), s, lambda: b.constant(0.0)), [shift], "f", shift.active, 2
    )
    spread = shift
    if axis is not None and is_array(shift):
        spread = _kept(b, shift, b.axes(x, axis))
    total = b.sum(b.apply("exp", b.apply("sub", x, spread)), axis)
    return b.apply("add", shift, b.apply("log", total))


@handles(vectormath.row_sum.py_func)
def _row_sum(b: Frontend, rows: Any) -> Any:
    return b.sum(b.operand(rows), b.constant(-1))


@handles(vectormath.row_logsumexp.py_func)
def _row_logsumexp(b: Frontend, rows: Any) -> Any:
    return _logsumexp(b, rows, b.constant(-1))


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


HANDLERS[np.cumsum] = _running("add", 0.0)
HANDLERS[np.cumprod] = _running("mul", 1.0)


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


HANDLERS[math.prod] = lambda b, x: b.prod(b.operand(x), b.constant(0))

"""Functions of NumPy and Python that are spelled out in what is derived: each is read like a function of the user's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nbinfer.autodiff.registry import HANDLERS, Handler


def _polyval(p: Any, x: Any) -> Any:
    p, total = np.asarray(p), 0.0 * x
    for k in range(len(p)):
        total = total * x + p[k]
    return total


def _vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    x = np.asarray(x)
    powers = np.arange(x.shape[0] if N is None else N)
    return x[:, None] ** (powers if increasing else powers[::-1])


def _trapezoid(y: Any, x: Any = None, dx: float = 1.0) -> Any:
    y = np.asarray(y)
    widths = dx if x is None else np.diff(np.asarray(x))
    return 0.5 * np.sum(widths * (y[..., 1:] + y[..., :-1]), axis=-1)


def _dist(p: Any, q: Any) -> Any:
    return np.sqrt(np.sum((np.asarray(p) - np.asarray(q)) ** 2))


def _isin(element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    found = np.any(np.asarray(element)[..., None] == np.asarray(test_elements), axis=-1)
    return ~found if invert else found


def _diag_indices(n: Any, ndim: int = 2) -> Any:
    return (np.arange(n),) * ndim


def _diag_indices_from(arr: Any) -> Any:
    return (np.arange(arr.shape[0]),) * arr.ndim


def _fill_diagonal(a: Any, val: Any) -> Any:
    places = np.arange(min(a.shape[0], a.shape[1]))
    a[places, places] = val
    return 0


def _ix(rows: Any, columns: Any) -> Any:
    return np.asarray(rows)[:, None], np.asarray(columns)[None, :]


def _take_along_axis(arr: Any, indices: Any, axis: Any) -> Any:
    if arr.ndim == 1:
        return arr[indices]
    if axis == 0:
        return arr[indices, np.arange(arr.shape[1])[None, :]]
    return arr[np.arange(arr.shape[0])[:, None], indices]


def _sort_in_place(a: Any) -> Any:
    a[:] = np.sort(a)
    return 0


def _exp2(x: Any) -> Any:
    return 2.0**x


def _cbrt(x: Any) -> Any:
    return np.sign(x) * np.abs(x) ** (1.0 / 3.0)


def _radians(x: Any) -> Any:
    return x * (math.pi / 180.0)


def _degrees(x: Any) -> Any:
    return x * (180.0 / math.pi)


def _over(x: Any) -> Any:
    return 1.0 / x


def _reciprocal(b: Any, x: Any) -> Any:
    if b.operand(x).kind != "f":
        raise b.error("np.reciprocal of integers is rounded to an integer; write 1.0 / x")
    return b.inline(_over, (x,), {})


def _handler(function: Callable[..., Any]) -> Handler:
    return lambda b, *args, **named: b.inline(function, args, named)


#: By functions, and by the names of methods.
_SPELLED_OUT: dict[Any, Callable[..., Any]] = {
    np.polyval: _polyval,
    np.vander: _vander,
    math.dist: _dist,
    np.exp2: _exp2,
    np.cbrt: _cbrt,
    **dict.fromkeys((np.radians, np.deg2rad, math.radians), _radians),
    **dict.fromkeys((np.degrees, np.rad2deg, math.degrees), _degrees),
    np.isin: _isin,
    np.diag_indices: _diag_indices,
    np.diag_indices_from: _diag_indices_from,
    np.fill_diagonal: _fill_diagonal,
    np.ix_: _ix,
    np.take_along_axis: _take_along_axis,
    "sort": _sort_in_place,
}
#: What not all versions of Python and NumPy have.
_NEWER = (
    (math, "exp2", _exp2),
    (math, "cbrt", _cbrt),
    (np, "trapezoid", _trapezoid),
    (np, "trapz", _trapezoid),
)
for _key, _function in _SPELLED_OUT.items():
    HANDLERS[_key] = _handler(_function)
HANDLERS[np.reciprocal] = _reciprocal
for _module, _name, _function in _NEWER:
    if hasattr(_module, _name):
        HANDLERS[getattr(_module, _name)] = _handler(_function)

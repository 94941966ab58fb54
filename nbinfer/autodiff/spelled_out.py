"""Functions of NumPy and Python that are spelled out in what is derived: each is read like a function of the user's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def _polyval(p: Any, x: Any) -> Any:
    total = 0.0 * x
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
    return 0.5 * np.sum(widths * (y[1:] + y[:-1]))


def _dist(p: Any, q: Any) -> Any:
    return np.sqrt(np.sum((np.asarray(p) - np.asarray(q)) ** 2))


def _isin(element: Any, test_elements: Any, invert: bool = False) -> Any:
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


#: Functions, and methods of arrays by their names, with what they are.
SPELLED_OUT: dict[Any, Callable[..., Any]] = {
    np.polyval: _polyval,
    np.vander: _vander,
    math.dist: _dist,
    np.isin: _isin,
    np.diag_indices: _diag_indices,
    np.diag_indices_from: _diag_indices_from,
    np.fill_diagonal: _fill_diagonal,
    np.ix_: _ix,
    np.take_along_axis: _take_along_axis,
    "sort": _sort_in_place,
}
for _name in ("trapezoid", "trapz"):  # which one there is depends on NumPy's version
    if hasattr(np, _name):
        SPELLED_OUT[getattr(np, _name)] = _trapezoid

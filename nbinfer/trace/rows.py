"""Rows of arrays shaped (chain, draw, ...) whose chains may have unequal lengths."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Counts = NDArray[np.int64]


def fill_value(dtype: DTypeLike) -> Any:
    """Return what an unfinished row holds.

    Parameters
    ----------
    dtype : dtype_like
        Type of the array.

    Returns
    -------
    fill : scalar
        NaN for floats, the smallest integer for signed and the largest for unsigned ones, False for booleans.

    Examples
    --------
    >>> fill_value("f8"), fill_value("i2"), fill_value(bool)
    (nan, -32768, False)
    """
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return False
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        return limits.min if kind.kind == "i" else limits.max
    if kind.kind in "fc":
        return float("nan")
    raise TypeError(f"draws must be numbers or booleans, got an array of {kind}")


def unfinished(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of which every row is unfinished."""
    return np.full(shape, fill_value(dtype), dtype)


def fill_unfinished(array: NDArray[Any], done: Counts) -> NDArray[Any]:
    """Write `fill_value` into the rows that no draw has reached.

    Parameters
    ----------
    array : ndarray, shape (chain, draw, ...)
        Overwritten from row ``done[chain]`` on.
    done : ndarray of int, shape (chain,)
        Finished rows of each chain.

    Returns
    -------
    array : ndarray
        The same array.
    """
    for chain, count in enumerate(done):
        array[chain, count:] = fill_value(array.dtype)
    return array


def as_far_as(array: NDArray[Any], done: Counts) -> NDArray[Any]:
    """Return the rows that any chain has finished; the ends of shorter chains are overwritten with `fill_value`."""
    shown = array[:, : int(done.max())]
    return shown if done.min() == done.max() else fill_unfinished(shown, done)


def whole_number(name: str, value: Any, smallest: int) -> int:
    """Return `value` as an int of at least `smallest`, or complain about argument `name`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if number < smallest:
        raise ValueError(f"{name} must be at least {smallest}, got {number}")
    return number


class Selection:
    """Rows of every chain, chosen as if each chain were a list of its finished draws.

    Parameters
    ----------
    done : ndarray of int, shape (chain,)
        Finished rows of each chain.
    rows : slice
        What to choose. Negative numbers count from the last *finished* draw of each chain.

    Attributes
    ----------
    done : ndarray of int, shape (chain,)
        Chosen rows of each chain.
    """

    def __init__(self, done: Counts, rows: slice) -> None:
        self._ranges = [range(int(count))[rows] for count in done]
        self.done: Counts = np.array([len(chosen) for chosen in self._ranges], np.int64)
        longest = max(self._ranges, key=len)
        stop = longest.stop if longest.stop >= 0 else None
        common = slice(longest.start, stop, longest.step) if len(longest) else slice(0, 0)
        self._slice: slice | None = common
        for chosen, count in zip(self._ranges, done, strict=True):
            # One slice serves all chains if it puts the rows first that are wanted, and only unfinished ones after.
            if chosen != longest[: len(chosen)] or chosen != range(int(count))[common]:
                self._slice = None

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the chosen rows, shape (chain, most chosen, ...).

        A view where one slice serves all chains; otherwise (unequal chains, counted from their ends) a copy.
        """
        if self._slice is not None:
            return array[:, self._slice]
        chosen = unfinished((len(self._ranges), int(self.done.max()), *array.shape[2:]), array.dtype)
        for chain, rows in enumerate(self._ranges):
            chosen[chain, : len(rows)] = array[chain, rows]
        return chosen


def last_in_common(done: Counts) -> Selection:
    """Choose the last rows of every chain, as many as the shortest has."""
    least = int(done.min())
    return Selection(done, slice(-least, None) if least else slice(0, 0))

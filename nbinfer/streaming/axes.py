"""What sizes of batches and of parts mean: an entry for each leading axis, and after an Ellipsis for trailing ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

#: Indices that an axis may have in a batch, at most.
MOST_INDICES = 2**31


class Axis(NamedTuple):
    """How one axis is sampled.

    Attributes
    ----------
    size : int or None
        Number of indices; None: the whole axis.
    seed : object
        Of the indices.
    """

    size: int | None
    seed: Any


def spread(name: str, entries: list[Any] | tuple[Any, ...], ndim: int, whole: Any) -> list[Any]:
    """Return an entry for each axis: those before the Ellipsis from the front, those after it from the back.

    Parameters
    ----------
    name : str
        Of the argument, for messages.
    entries : list or tuple
        With one Ellipsis at most.
    ndim : int
        Number of axes.
    whole : object
        What axes that have no entry get.

    Raises
    ------
    ValueError
        If there are two Ellipses, or more entries than axes.
    """
    places = [i for i, entry in enumerate(entries) if entry is Ellipsis]
    if len(places) > 1:
        raise ValueError(f"{name} may have one Ellipsis, got {len(places)}; write None for each whole axis.")
    begin = list(entries[: places[0]] if places else entries)
    end = list(entries[places[0] + 1 :] if places else [])
    middle = ndim - len(begin) - len(end)
    if middle < 0:
        raise ValueError(f"{name} has {len(begin) + len(end)} entries, and there are {ndim} axes.")
    return [*begin, *[whole] * middle, *end]


def is_size(value: Any) -> bool:
    """Tell whether a value is an int, and no bool."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _checked_size(name: str, value: Any) -> int:
    if not 1 <= value <= MOST_INDICES:
        wanted = "at least 1" if value < 1 else f"at most {MOST_INDICES}"
        raise ValueError(f"{name} must be {wanted} along each axis, got {value}.")
    return int(value)


def sampled_axes(batch_size: Any, ndim: int, random_seed: Any, name: str = "batch_size") -> list[Axis]:
    """Return how each axis is sampled.

    Parameters
    ----------
    batch_size : int, None, list or tuple
        As `Minibatch` takes it.
    ndim : int
        Number of axes.
    random_seed : object
        Seed of axes that have none of their own.
    name : str
        Of the argument, for messages.

    Raises
    ------
    TypeError
        If it, or one of its entries, is something else.
    ValueError
        If it does not fit the axes.
    """
    wanted = "an int, None, or a list of int, (size, seed), None and one Ellipsis"
    if batch_size is None:
        batch_size = []
    if is_size(batch_size):
        batch_size = [batch_size]
    if not isinstance(batch_size, list | tuple):
        raise TypeError(f"{name} must be {wanted}, got {type(batch_size).__name__}.")

    def axis(entry: Any) -> Axis:
        if entry is None:
            return Axis(None, random_seed)
        if is_size(entry):
            return Axis(_checked_size(name, entry), random_seed)
        if isinstance(entry, list | tuple) and len(entry) == 2 and all(map(is_size, entry)):
            return Axis(_checked_size(name, entry[0]), int(entry[1]))
        raise TypeError(f"{name} must be {wanted}, got the entry {entry!r}.")

    return [axis(entry) for entry in spread(name, batch_size, ndim, None)]


def static_slices(size: Any, ndim: int | None = None, name: str = "in_memory_size") -> list[Any]:
    """Return the part of an array that a size means, an index for each axis.

    Parameters
    ----------
    size : int, None, list or tuple
        An int means so many from the front; entries of a list are int, slice, None and one Ellipsis.
    ndim : int, optional
        Number of axes. Default: as many as there are entries, and the Ellipsis stays.
    name : str
        Of the argument, for messages.

    Raises
    ------
    TypeError
        If it, or one of its entries, is something else.
    ValueError
        If it does not fit the axes.
    """
    wanted = "an int, None, or a list of int, slice, None and one Ellipsis"
    if size is None:
        size = [Ellipsis]
    if is_size(size):
        size = [size]
    if not isinstance(size, list | tuple):
        raise TypeError(f"{name} must be {wanted}, got {type(size).__name__}.")
    if ndim is None:
        spread(name, size, len(size), None)  # says what is wrong
    else:
        size = spread(name, size, ndim, None)

    def index(entry: Any) -> Any:
        if entry is None:
            return slice(None)
        if is_size(entry):
            return slice(None, _checked_size(name, entry))
        if isinstance(entry, slice) or entry is Ellipsis:
            return entry
        raise TypeError(f"{name} must be {wanted}, got the entry {entry!r}.")

    return [index(entry) for entry in size]

"""Where batches are taken from: arrays, memory maps, and datasets of files that Python reads."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nbinfer.arguments import array
from nbinfer.streaming.feed import Feed

#: Numbers that are read at a time where all are looked at.
_PART = 2**20


def is_mapped(source: Any) -> bool:
    """Tell whether an array lies in a file."""
    return isinstance(source, np.memmap) and getattr(source, "_mmap", None) is not None


def missing_bytes(source: np.memmap) -> int:
    """Return how many of the bytes that a map needs its file has no more; a process that reads them ends at once."""
    name, granule = source.filename, mmap.ALLOCATIONGRANULARITY
    if name is None or not os.path.exists(name):  # a file that was deleted lives as long as its map
        return 0
    return source.offset - source.offset % granule + len(source._mmap) - os.stat(name).st_size  # type: ignore[attr-defined]


def _is_of_h5py(source: Any) -> bool:
    return type(source).__module__.partition(".")[0] == "h5py"


def is_read_by_python(source: Any) -> bool:
    """Tell whether something is a dataset of h5py; one of a file that was closed is one, too."""
    return _is_of_h5py(source) and hasattr(type(source), "shape") and hasattr(type(source), "dtype")


def is_closed(source: Any) -> bool:
    """Tell whether the file of a dataset was closed."""
    return is_read_by_python(source) and not source


def as_source(name: str, data: Any) -> Any:
    """Return what batches can be taken from: an array, or a dataset as it is.

    Parameters
    ----------
    name : str
        What messages call it.
    data : object

    Raises
    ------
    TypeError
        If it is masked, or not made of real numbers.
    ValueError
        If it is a dataset of a file that was closed.
    """
    if isinstance(data, np.ndarray) and type(data).__name__ == "MaskedArray":
        raise TypeError(f"{name} must not be a masked array; leave out the rows that lack values.")
    if is_closed(data):
        raise ValueError(f"{name} are of a file that was closed; keep it open as long as batches are read.")
    remedy = next((text for fits, text in _REMEDIES if fits(data)), "")
    if remedy:
        raise TypeError(f"{name} must be an array, a memory map or a dataset, got {type(data).__name__}; {remedy}.")
    source = data if is_mapped(data) or is_read_by_python(data) else np.asarray(array(name, data))
    if source.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must be real numbers, integers or booleans, got dtype {source.dtype}; convert them first."
        )
    return source


#: What is no source, and what to pass in its place.
_REMEDIES: list[tuple[Callable[[Any], bool], str]] = [
    (lambda data: isinstance(data, str | bytes | os.PathLike), "open the file, by np.memmap or h5py"),
    (lambda data: _is_of_h5py(data) and not is_read_by_python(data), "pass one of its datasets"),
    (lambda data: hasattr(data, "__next__"), "pass it to nb.generator"),
    (lambda data: isinstance(data, Mapping), "make a Minibatch of each entry"),
    (lambda data: isinstance(data, Feed), "it gives batches already"),
    (lambda data: data is None, "pass what batches are taken from"),
]


def dtype_of_batches(given: Any, own: np.dtype) -> np.dtype:
    """Return the dtype of batches.

    Parameters
    ----------
    given : dtype or None
        What the user asks for.
    own : dtype
        Of the data.

    Raises
    ------
    TypeError
        If it is none of real numbers, integers or booleans.
    """
    if given is None:
        return own if own.kind in "biu" else np.dtype(np.float64)
    try:
        found: np.dtype = np.dtype(given)
    except TypeError:
        raise TypeError(f"dtype must be one of NumPy's, got {given!r}.") from None
    if found.kind not in "biuf":
        raise TypeError(f"dtype must be of real numbers, integers or booleans, got {found}.")
    return found


def cast(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return numbers as another dtype; the same array, if it is theirs.

    Parameters
    ----------
    values : ndarray
    dtype : dtype

    Raises
    ------
    ValueError
        If NaN is to become an integer.
    """
    if dtype.kind in "iu" and values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"numbers that are not finite cannot become {dtype}; leave them out, or take float64.")
    return np.asarray(values, dtype)


def read(source: Any, indices: Sequence[np.ndarray], drawn: Sequence[bool]) -> np.ndarray:
    """Return the outer product of indices of each axis.

    Parameters
    ----------
    source : ndarray or h5py dataset
    indices : sequence of ndarray of int64
    drawn : sequence of bool
        Whether an axis is sampled; the others are taken as a whole.
    """
    if not is_read_by_python(source):
        return np.ascontiguousarray(source[np.ix_(*indices)])
    first = next((k for k, is_drawn in enumerate(drawn) if is_drawn), None)
    if first is None:
        return np.asarray(source[()])
    rows, places = np.unique(indices[first], return_inverse=True)  # h5py wants them in order, and each once
    found = source[tuple(rows if k == first else slice(None) for k in range(len(indices)))]
    after = [places if k == first else index for k, index in enumerate(indices)]
    return np.ascontiguousarray(found[np.ix_(*after)])


def extremes(source: Any) -> list[tuple[int, tuple[int, ...]]]:
    """Return the smallest and the largest of some integers, each with its place; they are read part by part.

    Parameters
    ----------
    source : ndarray or h5py dataset
    """
    rows = max(1, _PART // max(1, int(np.prod(source.shape[1:]))))
    found: list[tuple[int, tuple[int, ...]]] = []
    for first in range(0, source.shape[0], rows):
        part = np.asarray(source[first : first + rows])
        for flat in (part.argmin(), part.argmax()):
            row, *rest = (int(i) for i in np.unravel_index(flat, part.shape))
            found.append((int(part.flat[flat]), (first + row, *rest)))
    return [min(found), max(found)]

"""Traces from where back ends have put them."""

from __future__ import annotations

import os

from nbinfer.arguments import path_of
from nbinfer.spelling import public
from nbinfer.trace import disk
from nbinfer.trace.records import sqlite, text
from nbinfer.trace.trace import Trace

_HEAD_OF_SQLITE = b"SQLite format 3\x00"

_SUFFIXES = (*disk.SUFFIXES, ".sqlite")


@public
def load(path: str | os.PathLike[str]) -> Trace:
    """Return the trace that a file holds, or a folder of text.

    Arrays of a file of `HDF5` are read when they are used, and cannot be written to; `Text` and `SQLite` are read as a
    whole. While a run goes on, and after one that was killed, the trace has the draws that were finished when it was
    loaded; load again to see more.

    Parameters
    ----------
    path : str or PathLike
        What `sample` wrote to, or `Trace.save`.

    Returns
    -------
    trace : Trace
        With attributes, metric and report, if the run has ended.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    BackendError
        If it is damaged, of another kind, or of another version of the layout.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np, nbinfer as nb
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "normal.nc"
    >>> nb.Trace({"x": np.arange(6.0).reshape(2, 3)}).save(path)
    >>> nb.load(path)["x"]
    array([[0., 1., 2.],
           [3., 4., 5.]])
    """
    where = path_of("path", path)
    if where.is_dir():
        return text.load(where)
    if where.exists():
        with where.open("rb") as file:
            if file.read(len(_HEAD_OF_SQLITE)) == _HEAD_OF_SQLITE:
                return sqlite.load(where)
    elif near := [path.name for path in map(where.with_suffix, ("", *_SUFFIXES)) if path.is_file()]:
        raise FileNotFoundError(f"path: there is no file {where}; did you mean {' or '.join(map(repr, near))}?")
    return disk.load(where)

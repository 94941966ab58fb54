"""Traces from files."""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nbinfer.arguments import path_of
from nbinfer.errors import TraceFileError
from nbinfer.trace.disk import about, notes
from nbinfer.trace.disk.layout import STATE, Contents, contents
from nbinfer.trace.disk.shown import arrays_shown
from nbinfer.trace.disk.space import Space
from nbinfer.trace.disk.store import NOTES, TRACE
from nbinfer.trace.rows import Counts
from nbinfer.trace.store import DONE, SKIPPED, MemoryStore
from nbinfer.trace.trace import Trace


def load(path: str | os.PathLike[str]) -> Trace:
    """Return the trace that a file holds.

    Arrays are read when they are used, and cannot be written to. While a run goes on, and after one that was killed,
    the trace has the draws that were finished when it was loaded; load again to see more.

    Parameters
    ----------
    path : str or PathLike
        A file that `sample` wrote to, or `Trace.save`.

    Returns
    -------
    trace : Trace
        With attributes, metric and report, if the run has ended.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TraceFileError
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
    if not where.exists():
        raise FileNotFoundError(
            f"path: there is no file {where}"
            + (f"; {where}.part is one that is being made, or was left by a run that ended before its first draw."
               if Path(f"{where}.part").exists() else ".")
        )  # fmt: skip
    found = contents(where)
    with open(where, "rb") as file:
        space = Space(file, mmap.ACCESS_READ)
        try:
            texts = notes.read(space.array(found.extents[STATE][NOTES]), where)
            if TRACE not in texts:
                raise TraceFileError(f"{where} holds the state of a run that leaves no draws.")
            return _trace(found, space, about.from_text(texts[TRACE]))
        except (KeyError, ValueError, TypeError) as error:
            raise TraceFileError(f"{where} is damaged: {error}.") from error


def _trace(found: Contents, space: Space, known: Mapping[str, Any]) -> Trace:
    tune_done, draws_done = _counts(found, space, known)
    groups: dict[str, Any] = arrays_shown(space, found.extents, tune_done, draws_done)
    trace = Trace(
        **groups,
        observed_data={name: space.array(extent) for name, extent in found.extents.get("observed_data", {}).items()},
        draws_done=draws_done,
        tune_done=tune_done,
        **about.arguments_of(known),
    )
    trace.report = about.report_of(known, trace)
    return trace


def _counts(found: Contents, space: Space, known: Mapping[str, Any]) -> tuple[Counts, Counts]:
    """Return the finished rows of warm-up and after it: counted by the chains, or saved with a trace."""
    progress = found.extents[STATE].get("progress")
    if progress is None:
        return np.array(known["tune_done"], np.int64), np.array(known["draws_done"], np.int64)
    lines = space.array(progress)
    return MemoryStore(**found.sizes).finished(lines[:, DONE].copy(), lines[:, SKIPPED].copy())

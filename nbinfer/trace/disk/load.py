"""Traces from files."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.errors import BackendError
from nbinfer.trace import about
from nbinfer.trace.disk import notes
from nbinfer.trace.disk.appended import GroupFile
from nbinfer.trace.disk.beside import groups_of
from nbinfer.trace.disk.contents import Contents, contents
from nbinfer.trace.disk.layout import NOTES, STATE
from nbinfer.trace.disk.overlay import mend
from nbinfer.trace.disk.places import ARRAYS, check_places
from nbinfer.trace.disk.shown import DATA, arrays_shown
from nbinfer.trace.disk.space import Space
from nbinfer.trace.disk.store import TRACE
from nbinfer.trace.prior import class_of
from nbinfer.trace.rows import Counts
from nbinfer.trace.store import DONE, SKIPPED, MemoryStore
from nbinfer.trace.trace import Trace


def load(where: Path) -> Trace:
    """Return the trace that a file of `HDF5` holds."""
    if not where.exists():
        raise FileNotFoundError(
            f"path: there is no file {where}"
            + (f"; {where}.part is one that is being made, or was left by a run that ended before its first draw."
               if Path(f"{where}.part").exists() else ".")
        )  # fmt: skip
    mend(where)
    found = contents(where)
    with open(where, "rb") as file:
        space = Space(file, mmap.ACCESS_READ)
        try:
            texts = notes.read(space.array(found.extents[STATE][NOTES]), where)
            check_places(where, texts.get(ARRAYS, "{}"), found.extents)
            if TRACE not in texts:
                raise BackendError(
                    f"{where} holds the state of a run without draws, a fit maybe; nbinfer.resume goes on with it."
                )
            trace = _trace(found, space, about.from_text(texts[TRACE]))
            trace.groups = groups_of(found, space)
            trace.lies_in(GroupFile(where.absolute(), found.run_id))
            return trace
        except (KeyError, ValueError, TypeError) as error:
            raise BackendError(f"{where} is damaged: {error}.") from error


def _trace(found: Contents, space: Space, known: Mapping[str, Any]) -> Trace:
    place = found.extents[STATE].get("progress")
    tune_done, draws_done = counts(found.sizes, None if place is None else space.array(place), known)
    groups: dict[str, Any] = arrays_shown(space, found.extents, tune_done, draws_done)
    groups |= {group: {n: space.array(e) for n, e in found.extents.get(group, {}).items()} for group in DATA}
    trace = class_of(known["attrs"])(
        **groups,
        draws_done=draws_done,
        tune_done=tune_done,
        **about.arguments_of(known),
    )
    trace.report = about.report_of(known, trace)
    return trace


def counts(
    sizes: Mapping[str, int], progress: NDArray[np.int64] | None, known: Mapping[str, Any]
) -> tuple[Counts, Counts]:
    """Return the finished rows of warm-up and after it: counted by the chains, or saved with a trace."""
    if progress is None:
        return np.array(known["tune_done"], np.int64), np.array(known["draws_done"], np.int64)
    return MemoryStore(**sizes).finished(progress[:, DONE].copy(), progress[:, SKIPPED].copy())

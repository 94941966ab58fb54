"""Groups that are added to a finished file, in place."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nbinfer.errors import BackendError
from nbinfer.trace.arviz import WITH_DATA
from nbinfer.trace.disk.beside import declared, groups_of
from nbinfer.trace.disk.contents import contents
from nbinfer.trace.disk.layout import FINISHED, STATE, Draft, Pending
from nbinfer.trace.disk.lock import Lock
from nbinfer.trace.disk.overlay import Overlay, commit, mend
from nbinfer.trace.disk.space import Space
from nbinfer.trace.groups import TraceGroup

#: What follows the name of a group until it takes the place of an older one.
_NEW = "_new"


class GroupFile:
    """The file that a trace lies in.

    Parameters
    ----------
    path : Path
    run_id : str
        Of the run that the trace is of.
    """

    def __init__(self, path: Path, run_id: str) -> None:
        self.path, self.run_id = path, run_id

    def add(self, group: TraceGroup, overwrite: bool) -> TraceGroup:
        """Append a group to the file, and return it as it lies there; see `Trace.add_group`."""
        if not self.path.exists():
            raise FileNotFoundError(f"{self.path}, which the trace was read from, was moved or removed; {_ELSEWHERE}")
        for place in (self.path, self.path.parent):
            if not os.access(place, os.W_OK):
                raise PermissionError(f"{place} cannot be written to, and the trace lies there; {_ELSEWHERE}")
        mend(self.path)
        lock = Lock(self.path)
        try:
            self._check(group.kind, overwrite)
            self._append(group)
            return self.groups()[group.kind]
        finally:
            lock.release()

    def groups(self) -> dict[str, TraceGroup]:
        """Return the groups that the file has."""
        with open(self.path, "rb") as file:
            return groups_of(contents(self.path), Space(file, mmap.ACCESS_READ))

    def _check(self, kind: str, overwrite: bool) -> None:
        found = contents(self.path)
        if found.run_id != self.run_id:
            raise BackendError(f"{self.path} holds another run by now; {_ELSEWHERE}")
        with open(self.path, "rb") as file:
            finished = Space(file, mmap.ACCESS_READ).array(found.extents[STATE][FINISHED])[0]
        if not finished:
            raise BackendError(
                f"{self.path} holds a run that has not come to its end; nbinfer.resume goes on with it, {_ELSEWHERE}"
            )
        if kind in found.beside and not overwrite:
            raise ValueError(f"{self.path} already has a group {kind!r}; pass overwrite=True to replace it.")

    def _append(self, group: TraceGroup) -> None:
        file = os.open(self.path, os.O_RDWR)
        try:
            overlay = Overlay(file)
            draft = Draft.more(overlay)
            try:
                pending = declared(draft, group, _NEW)
                renamed = {
                    f"{name}{_NEW}": name for name in (group.kind, *([group.kind + WITH_DATA] * bool(group.data)))
                }
                draft.remove(group.kind + WITH_DATA)
                draft.done(renamed)
            except BaseException:
                draft.abandon()
                raise
            commit(self.path, file, overlay, lambda: _write(file, pending))
        finally:
            os.close(file)


_ELSEWHERE = "trace.save(path) writes the trace with its groups elsewhere."


def _write(file: int, pending: Sequence[Pending]) -> None:
    """Write arrays to their places, chain by chain."""
    for extent, array in pending:
        at = extent.offset
        for part in array if array.ndim > 1 else [array]:
            view = memoryview(np.ascontiguousarray(part, extent.dtype).tobytes())
            while len(view):
                written = os.pwrite(file, view, at)
                view, at = view[written:], at + written

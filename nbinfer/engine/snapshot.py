"""Snapshots: copies of jobs between two of their pieces, of which one is whole at any moment.

A block that was stopped, or whose process was killed, may be in the middle of a draw. So each unit of jobs has two
slots, each with room for the blocks of all its members. A snapshot goes into the older one, and counts once all of it
is there. Slots and marks may lie in memory from outside, a file's for example: whatever ends the process, one slot
holds the unit as it was after some piece, and runs that go on from there are the same as if nothing had happened.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import Record, ints_at, kernel, load_acquire, record_at, store_release

#: Where the snapshots of a run are; of all its units.
Shelf = np.dtype(
    [
        ("asked", "i8"),  # address of the number of snapshots that were asked for so far
        ("slots", "i8"),  # address of the two slots of the first job
        ("next_slots", "i8"),  # bytes from there to those of the next job
        ("marks", "i8"),  # the same of their `Mark`s; that of a unit's first job counts
        ("next_mark", "i8"),
        ("n_jobs", "i8"),
        ("n_fields", "i8"),  # of a block
    ],
    align=True,
)

#: What is known of a unit's snapshots; a cache line, written by whoever advances the unit.
Mark = np.dtype([("newest", "i8"), ("served", "i8"), ("spare", "i8", (6,))], align=True)


@kernel
def is_due(shelf: Record, first: int) -> bool:
    """Tell whether a snapshot of the unit that begins with job `first` was asked for and not yet taken."""
    due: bool = load_acquire(shelf.asked) > record_at(shelf.marks + first * shelf.next_mark, Mark).served
    return due


@kernel
def take(shelf: Record, jobs: NDArray[np.int64], first: int, end: int) -> None:
    """Copy the blocks of a unit, all of which are between two pieces, into the older slot."""
    line = shelf.marks + first * shelf.next_mark
    mark = record_at(line, Mark)
    asked = load_acquire(shelf.asked)
    slot = 1 if mark.newest == 1 else 0
    for k in range(first, end):
        block = ints_at(jobs[k], shelf.n_fields)
        copy = ints_at(shelf.slots + k * shelf.next_slots + 8 * slot * shelf.n_fields, shelf.n_fields)
        for i in range(shelf.n_fields):
            copy[i] = block[i]
    mark.served = asked
    store_release(line, slot + 1)


class Snapshots:
    """Room for the snapshots of a run.

    Parameters
    ----------
    units : ndarray of int64, shape (units + 1,)
        First job of each unit, and the number of jobs.
    slots : ndarray of int64, shape (jobs, 2 * fields)
        Two slots for each job, which may hold snapshots of an earlier run.
    marks : ndarray of int64, shape (jobs, 8)
        A `Mark` for each job, of a new run zeroed.
    """

    def __init__(self, units: NDArray[np.int64], slots: NDArray[np.int64], marks: NDArray[np.int64]) -> None:
        self._units = units
        self.slots, self.marks = slots.reshape(len(slots), 2, -1), marks.view(Mark)[:, 0]
        self.marks["served"] = 0  # requests are counted from the beginning of each run
        self._asked = np.zeros(1, np.int64)
        self.shelf = np.zeros(1, Shelf)
        for name, memory in (("asked", self._asked), ("slots", slots), ("marks", marks)):
            self.shelf[name] = memory.ctypes.data  # rows may lie apart
        self.shelf["next_slots"], self.shelf["next_mark"] = slots.strides[0], marks.strides[0]
        self.shelf["n_jobs"], self.shelf["n_fields"] = len(slots), slots.shape[1] // 2

    def ask(self) -> None:
        """Have each unit leave a snapshot after the piece that it is at; units that are finished have left theirs."""
        self._asked[0] += 1

    def newest(self) -> NDArray[np.int64]:
        """Return the newest snapshot of each job, shape (jobs, fields); of a unit without any, zeros."""
        found: NDArray[np.int64] = np.zeros_like(self.slots[:, 0])
        for first, end in zip(self._units[:-1], self._units[1:], strict=True):
            mark, before = self.marks[first].copy(), None
            while mark != before:  # workers took another one, and may have written to what was being read
                slot, before = int(mark["newest"]) - 1, mark
                if slot >= 0:
                    found[first:end] = self.slots[first:end, slot]
                mark = self.marks[first].copy()
        return found

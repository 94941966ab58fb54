"""Snapshots: copies of jobs between two of their pieces, of which one is whole at any moment.

A block that was stopped, or whose process was killed, may be in the middle of a draw. So each unit of jobs has two
slots, each with room for the blocks of all its members, and behind each block for its check word. A snapshot goes into
the older one, and counts once all of it is there. Slots and marks may lie in memory from outside, a file's for example:
whatever ends the process, one slot holds the unit as it was after some piece, and runs that go on from there are the
same as if nothing had happened. What a disk has lost of a slot its check words show.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import (
    Record,
    address_of,
    entry,
    ints_at,
    kernel,
    load_acquire,
    multiply_wide,
    record_at,
    store_release,
    words_at,
)
from nbinfer.engine.job import JOB

#: Where the snapshots of a run are; of all its units.
Shelf = np.dtype(
    [
        ("asked", "i8"),  # address of the number of snapshots that were asked for so far
        ("slots", "i8"),  # address of the two slots of the first job
        ("next_slots", "i8"),  # bytes from there to those of the next job
        ("marks", "i8"),  # the same of their `Mark`s; that of a unit's first job counts
        ("next_mark", "i8"),
        ("n_jobs", "i8"),
        ("n_fields", "i8"),  # of a block; a slot has one more
    ],
    align=True,
)

#: What is known of a unit's snapshots; a cache line, written by whoever advances the unit. But how many seconds the
#: run has taken is written by whoever asks, to the first line.
Mark = np.dtype([("newest", "i8"), ("served", "i8"), ("seconds", "f8"), ("spare", "i8", (5,))], align=True)

_LEAST_INTERVAL = 0.05  # seconds between two requests
_BYTES_PER_SECOND = 50e6  # that are copied at most
_DONE = JOB.offset("done")
#: What the check word begins with, and an odd number by which it is multiplied for each word (splitmix64's).
_FIRST, _ODD, _HALF = np.uint64(1), np.uint64(0xBF58476D1CE4E5B9), np.uint64(32)


class Left(NamedTuple):
    """A snapshot of a unit.

    Attributes
    ----------
    blocks : ndarray of int64, shape (members, fields)
    done : int
        Pieces that its members had finished.
    slot : int
        Where it is, 0 or 1.
    """

    blocks: NDArray[np.int64]
    done: int
    slot: int


@kernel
def _check(words: NDArray[np.uint64]) -> np.uint64:
    """Return the check word of some words.

    Each step can be undone, so that one word that is another one always changes it. Several do but for a chance of
    2**-64, wherever they are: half a block of one snapshot and half of another is what a disk may leave.
    """
    check = _FIRST
    for i in range(words.size):
        check = multiply_wide(check ^ words[i], _ODD)[1]
        check ^= check >> _HALF
    return check


@entry("uint64(intp, int64)")
def check_word(address: int, count: int) -> np.uint64:
    """Return the check word of so many words at an address."""
    return _check(words_at(address, count))


def check_words(blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the check word of each block, shape (blocks,)."""
    rows = np.ascontiguousarray(blocks)
    return np.array([check_word(address_of(row), row.size) for row in rows], np.uint64).view(np.int64)


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
    size = shelf.n_fields + 1
    for k in range(first, end):
        block = ints_at(jobs[k], shelf.n_fields)
        room = shelf.slots + k * shelf.next_slots + 8 * slot * size
        copy = ints_at(room, size)
        for i in range(shelf.n_fields):
            copy[i] = block[i]
        words_at(room, size)[shelf.n_fields] = _check(words_at(jobs[k], shelf.n_fields))
    mark.served = asked
    store_release(line, slot + 1)


class Snapshots:
    """Room for the snapshots of a run.

    Parameters
    ----------
    units : ndarray of int64, shape (units + 1,)
        First job of each unit, and the number of jobs.
    slots : ndarray of int64, shape (jobs, 2 * (fields + 1))
        Two slots for each job, which may hold snapshots of an earlier run.
    marks : ndarray of int64, shape (jobs, 8)
        A `Mark` for each job, of a new run zeroed.

    Attributes
    ----------
    seconds_before : float
        How long the run took before it was taken up again.
    """

    def __init__(self, units: NDArray[np.int64], slots: NDArray[np.int64], marks: NDArray[np.int64]) -> None:
        self._units = units
        self.slots, self.marks = slots.reshape(len(slots), 2, -1), marks.view(Mark)[:, 0]
        self.seconds_before = float(self.marks["seconds"][0])
        self._asked = self.marks["served"].max(keepdims=True)  # requests are counted on from an earlier run's
        self._begin = self._last = time.monotonic()
        self._interval = max(_LEAST_INTERVAL, slots.nbytes / 2 / _BYTES_PER_SECOND)
        self.shelf = np.zeros(1, Shelf)
        for name, memory in (("asked", self._asked), ("slots", slots), ("marks", marks)):
            self.shelf[name] = memory.ctypes.data  # rows may lie apart
        self.shelf["next_slots"], self.shelf["next_mark"] = slots.strides[0], marks.strides[0]
        self.shelf["n_jobs"], self.shelf["n_fields"] = len(slots), slots.shape[1] // 2 - 1

    @property
    def is_asked(self) -> bool:
        """Whether any unit has not yet left a snapshot that was asked for."""
        return bool(self._asked[0] > self.marks["served"].min())

    def ask(self) -> None:
        """Have each unit leave a snapshot after the piece that it is at; units that are finished have left theirs."""
        self._asked[0] += 1

    def begin(self) -> None:
        """Count the time of the run from now on."""
        self._begin = time.monotonic()

    def look(self) -> None:
        """Note the time, and ask if the last time is long enough ago: copies are to cost next to nothing."""
        now = time.monotonic()
        self.marks["seconds"][0] = self.seconds_before + now - self._begin
        if now - self._last >= self._interval:
            self._last = now
            self.ask()

    def keep(self, blocks: NDArray[np.int64], jobs: slice = slice(None)) -> None:
        """Leave snapshots of whole units, while nothing runs.

        Parameters
        ----------
        blocks : ndarray of int64, shape (jobs, fields)
            Of some jobs, between two pieces.
        jobs : slice
            Which they are. Default: all.
        """
        begin, stop, _ = jobs.indices(len(self.slots))
        for first, end in zip(self._units[:-1], self._units[1:], strict=True):
            if begin <= first < stop:
                slot = 1 if self.marks["newest"][first] == 1 else 0
                own = blocks[first - begin : end - begin]
                self.slots[first:end, slot, :-1], self.slots[first:end, slot, -1] = own, check_words(own)
                self.marks["newest"][first], self.marks["served"][first] = slot + 1, self._asked[0]

    def newest(self) -> NDArray[np.int64]:
        """Return the newest snapshot of each job, shape (jobs, fields); of a unit without any, zeros."""
        found: NDArray[np.int64] = np.zeros_like(self.slots[:, 0, :-1])
        for first, end in zip(self._units[:-1], self._units[1:], strict=True):
            mark, before = self.marks[first].copy(), None
            while mark != before:  # workers took another one, and may have written to what was being read
                slot, before = int(mark["newest"]) - 1, mark
                if slot >= 0:
                    found[first:end] = self.slots[first:end, slot, :-1]
                mark = self.marks[first].copy()
        return found

    def left(self, unit: int, counted: float = np.inf) -> list[Left]:
        """Return the whole snapshots of a unit, while nothing runs; the newest first.

        A slot that is torn, or whose members are not between the same two pieces, is left out.

        Parameters
        ----------
        unit : int
        counted : int, optional
            Pieces of which all members have left what they made; snapshots that are ahead are left out. A disk without
            power may have kept a snapshot, and not the counter before it.
        """
        first, end = self._units[unit : unit + 2]
        newest = int(self.marks["newest"][first]) - 1
        found = []
        for slot in (newest, 1 - newest) if newest in (0, 1) else ():
            blocks = self.slots[first:end, slot, :-1].copy()
            if self._is_whole(unit, slot) and 0 <= blocks[0, _DONE] <= counted:
                found.append(Left(blocks, int(blocks[0, _DONE]), slot))
        return found

    def mend(self, counted: NDArray[np.int64]) -> None:
        """Pass over newest slots that are torn or ahead, while nothing runs: the next snapshots go there.

        Parameters
        ----------
        counted : ndarray of int64, shape (jobs,)
            As of `left`, of each job.
        """
        for unit, (first, end) in enumerate(zip(self._units[:-1], self._units[1:], strict=True)):
            left = self.left(unit, counted[first:end].min())
            if left:
                self.marks["newest"][first] = left[0].slot + 1

    def _is_whole(self, unit: int, slot: int) -> bool:
        first, end = self._units[unit : unit + 2]
        blocks, check = self.slots[first:end, slot, :-1], self.slots[first:end, slot, -1]
        return bool((check_words(blocks) == check).all() and (blocks[:, _DONE] == blocks[0, _DONE]).all())

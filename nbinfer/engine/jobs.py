"""The jobs of a run: their memory, and what a driver asks of them whatever kind they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import address_of, aligned
from nbinfer.compile.memory import rest
from nbinfer.engine.failures import Point
from nbinfer.engine.job import Progress
from nbinfer.engine.snapshot import Mark, Snapshots
from nbinfer.engine.state import BLOCK, Memory, Place, Plan, address_of_rows
from nbinfer.engine.team import Team, keep


class Phase(NamedTuple):
    """What workers share out among themselves, row by row; see `nbinfer.engine.team`.

    Attributes
    ----------
    function : int
        Address of ``int64 phase(intp context, int64 row, int64 piece)``.
    context : int
    rows : int
    """

    function: int
    context: int
    rows: int


#: From a name and a number of words to zeroed memory of so many words for each job, ndarray of int64, shape (jobs,
#: words). Asked for again, it may hold what it held; see `nbinfer.trace.store.Store.words`.
Words = Callable[[str, int], NDArray[np.int64]]


class Jobs:
    """The jobs of one run. A kind of job says what fails and how, and what is to be looked at while it runs.

    Parameters
    ----------
    bound : Bound
        The model's memory, with one context for each job; tells of exceptions in its functions.
    plan : Plan
        Of one block, which begins with the header; all must have been placed.
    header : Place
    advance : int
        Address of the C function.
    numbers : sequence of int
    keys : sequence of ndarray
        Number and seed of each job.
    line : dtype
        Of their progress lines.
    words : callable, optional
        Where memory comes from, see `Words`: "block", "progress", and for snapshots "slots" and "marks". Default: it
        is made here.

    Attributes
    ----------
    state : ndarray, shape (jobs, fields), int64
        One block per job: all there is to it.
    progress : ndarray of progress lines, shape (jobs,)
    stop : ndarray, shape (8,), int64
        The first word stops the run.
    snapshots : Snapshots or None
        See `keep_snapshots`.
    deadline : float
        The `time.monotonic` at which the run ends.
    """

    def __init__(
        self,
        bound: Any,
        plan: Plan,
        header: Place,
        advance: int,
        numbers: Sequence[int],
        keys: Sequence[np.ndarray],
        line: np.dtype = Progress,
        words: Words | None = None,
    ) -> None:
        count = len(numbers)
        self.bound, self.plan, self._header, self._advance = bound, plan, header, advance
        self._source = words or (lambda name, size: aligned(count, size, np.int64)[:, :size])
        self.state = self._words(count, "block", plan.sizes[BLOCK])
        self._work, self._rows = (aligned(count, size, np.int64) for size in plan.sizes[BLOCK + 1 :])
        lines = self._words(count, "progress", line.itemsize // 8)
        self.state[:] = 0  # lines may count what an earlier run has finished, until blocks say otherwise
        self.progress, self._lines = lines.view(line)[:, 0], lines
        self.stop = aligned(1, 1, np.int64)[0]
        self.snapshots: Snapshots | None = None
        self.deadline = np.inf
        self._alive: list[Any] = []
        every = self.every
        every.number = numbers
        every.words.view(np.uint64)[:, 4:6] = keys

    def _words(self, count: int, name: str, size: int) -> NDArray[np.int64]:
        """Return memory that kernels may write to by its address: whatever is no such memory would corrupt others."""
        words = self._source(name, size)
        fits = words.shape == (count, size) and words.dtype == np.int64 and words.strides[1] == words.itemsize
        if not fits or not words.flags.aligned or not words.flags.writeable:
            raise ValueError(
                f"memory for {name!r} must be a writable array of int64, shape {(count, size)}, whose rows lie at "
                f"multiples of 8 bytes, each without a gap; got {words.dtype}, shape {words.shape}, strides "
                f"{words.strides} at {words.ctypes.data:#x}."
            )
        return words

    @property
    def words_of_streams(self) -> range:
        """Which words of a block are random."""
        place = self._header.parts["words"]
        return range(place.at, place.at + place.size)

    def __len__(self) -> int:
        return len(self.state)

    @property
    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """All memory of the jobs, by name."""
        found = {"block": self.state, "work": self._work, "row": self._rows, "lines": self._lines, "stop": self.stop}
        return found

    def __getitem__(self, job: int) -> Memory:
        """Return the header of a block, by name."""
        return Memory(self._header, self.state[job], self._work[job])

    @property
    def every(self) -> Memory:
        """The headers of all blocks."""
        return Memory(self._header, self.state, self._work)

    @property
    def units(self) -> NDArray[np.int64]:
        """First job of each unit, and the number of jobs."""
        return np.arange(len(self) + 1)

    @property
    def phases(self) -> list[Phase]:
        """What a piece of the run consists of, if it is no matter of units."""
        return []

    def connect(self) -> None:
        """Write every address: after allocation, and again after blocks came from elsewhere."""
        spaces = [address_of_rows(memory) for memory in (self.state, self._work, self._rows)]
        self.plan.relocate(self.state, np.array(spaces, np.int64).T)
        every = self.every
        every.advance = self._advance
        every.stop, every.progress = address_of(self.stop), address_of_rows(self.progress[:, None])
        self.progress["done"] = every.done

    def keep_snapshots(self) -> Snapshots:
        """Have the workers take snapshots: when asked, and when a unit is finished.

        Returns
        -------
        snapshots : Snapshots
            With those of an earlier run, if the memory holds any.
        """
        slots = self._words(len(self), "slots", 2 * (self.state.shape[1] + 1))
        marks = self._words(len(self), "marks", Mark.itemsize // 8)
        self.snapshots = Snapshots(self.units, slots, marks)
        return self.snapshots

    def team(self, until: int) -> np.ndarray:
        """Return what workers share, a `Team` of one; it refers to these jobs, which must outlive it."""
        team = np.zeros(1, Team)
        jobs, units = np.asarray(address_of_rows(self.state), np.int64), self.units
        tickets = aligned(2, 1, np.int64)
        self._alive = [jobs, units, tickets, self.snapshots]
        team["jobs"], team["lines"] = address_of(jobs), self.progress.ctypes.data
        team["next_line"] = self.progress.strides[0]
        team["stop"] = address_of(self.stop)
        team["units"], team["n_units"] = address_of(units), len(units) - 1
        team["tickets"], team["rows_done"] = address_of_rows(tickets)
        team["from_done"], team["until"], team["rest"] = self.progress["done"].min(), until, rest.address
        if self.snapshots is not None:
            team["shelf"] = address_of(self.snapshots.shelf)
        self.progress["claimed"] = self.progress["finished"] = 0
        phases = self.phases
        if phases:
            if self.snapshots is not None:
                phases = [*phases, Phase(keep.address, address_of(team), 1)]
            rows = np.array([phase.rows for phase in phases], np.int64)
            table = np.column_stack([np.array(phases, np.int64), np.cumsum(rows) - rows])
            team["phases"], team["n_phases"], team["rows"] = address_of(table), len(table), rows.sum()
            self._alive.append(table)
        return team

    def failure(self, job: int) -> tuple[BaseException, Point | None]:
        """Return the error that the status of a job means, and where it happened, if that is somewhere."""
        raise NotImplementedError

    def look(self) -> bool:
        """Look at what is new while the jobs run; tell whether they are to stop."""
        return False

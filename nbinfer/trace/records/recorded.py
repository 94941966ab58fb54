"""Back ends that are handed draws row by row: the run writes to memory, and what is finished is passed on meanwhile."""

from __future__ import annotations

import copy
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nbinfer.trace.backend import Backend
from nbinfer.trace.records.pages import Kinds, Rows, kinds_of, notes_of
from nbinfer.trace.rows import Counts
from nbinfer.trace.store import MemoryStore
from nbinfer.trace.trace import Trace

_EVERY = 0.5  # seconds between two looks at what is finished: writing takes time from the chains
_BLOCK = 4096  # rows handed on at once


class Records(Backend):  # numpydoc ignore=PR02
    """Where draws go row by row: a contract beyond that of `Backend`.

    `begin` is called once before the first draw, `write` while draws are made and at their end, `finish` in the end,
    whatever ended the run. All three may raise; the run ends then, and its draws are in memory.

    Parameters
    ----------
    vars : sequence of str, optional
        Names of the parameters and derived quantities to keep. Default: all.
    thin : int
        Of how many draws after warm-up one is kept, the last of each group.
    """

    def open(self, chains: int, tune: int, draws: int) -> Recorded:
        """Return the store of a new run."""
        return Recorded(self, chains, tune, draws, self.thin)

    @abstractmethod
    def begin(self, kinds: Kinds, numbers: Sequence[int], draws: int) -> None:
        """Make ready for rows of these kinds, of chains of these numbers, so many after warm-up at most."""

    @abstractmethod
    def write(self, number: int, rows: Mapping[str, Rows]) -> None:
        """Take the next rows of a chain, by group; draws of a group and its statistics come together."""

    @abstractmethod
    def finish(self, notes: Mapping[str, Any]) -> None:
        """Take what is to be known of the run; no rows come any more."""


class Recorded(MemoryStore):
    """Memory whose finished rows are handed on.

    Parameters
    ----------
    to : Records
    chains, tune, draws, thin : int
        See `Store`.
    """

    def __init__(self, to: Records, chains: int, tune: int, draws: int, thin: int = 1) -> None:
        super().__init__(chains, tune, draws, thin)
        self._to, self._looked = to, time.monotonic()
        self._trace: Trace | None = None
        self._handed = np.zeros((2, chains), np.int64)  # rows of warm-up, and after it

    def describe(self, trace: Trace) -> None:
        """Take over what a trace of the run knows."""
        self._trace = trace

    def ready(self) -> None:
        """Have the back end make ready."""
        self._to.begin(kinds_of(self.groups), self._numbers, self.rows_in("posterior"))

    @property
    def _numbers(self) -> list[int]:
        return list(range(self.chains)) if self._trace is None else self._trace.chain_ids

    def look(self, done: Counts, skipped: Counts | int = 0, last: bool = False) -> None:
        """Hand on what has been finished since the last time; not too often, but for the last time."""
        if not last and time.monotonic() < self._looked + _EVERY:
            return
        for k, finished in enumerate(self.finished(done, skipped)):
            groups = {g: arrays for g, arrays in self.groups.items() if g.startswith("warmup_") == (k == 0) and arrays}
            for chain, (begin, end) in enumerate(zip(self._handed[k].tolist(), finished.tolist(), strict=True)):
                for first in range(begin, end, _BLOCK):
                    after = min(first + _BLOCK, end)
                    part = {g: {n: a[chain, first:after] for n, a in arrays.items()} for g, arrays in groups.items()}
                    self._handed[k, chain] = after  # whatever becomes of it, it is not handed on twice
                    if part:
                        self._to.write(self._numbers[chain], part)
        self._looked = time.monotonic()

    def close(self, finished: bool = True) -> None:
        """Have the back end finish."""
        self._to.finish({} if self._trace is None else notes_of(self._trace))


class Handed(Records):
    """A user's own object, that takes draws one by one.

    Its ``setup(draws, chain, sampler_vars)`` is called before the first draw, with the most draws that will come, the
    chain's number and a list of one dict, the types of statistics by name; ``record(point, stats)`` with each draw,
    values by name, and its statistics in the same form; ``close()`` at the end. With several chains each has a
    shallow copy of the object.

    Parameters
    ----------
    taker : object
    vars : sequence of str, optional
        Names of the parameters and derived quantities to keep. Default: all.
    thin : int
        Of how many draws after warm-up one is kept, the last of each group.
    """

    def __init__(self, taker: Any, vars: Sequence[str] | None = None, *, thin: int = 1) -> None:
        super().__init__(vars, thin=thin)
        self._taker = taker
        self._takers: dict[int, Any] = {}

    def begin(self, kinds: Kinds, numbers: Sequence[int], draws: int) -> None:
        """Set up the object, or its copies."""
        types = {name: np.dtype(kind.dtype) for name, kind in kinds.get("sample_stats", {}).items()}
        for number in numbers:
            self._takers[number] = copy.copy(self._taker) if len(numbers) > 1 else self._taker
            self._takers[number].setup(draws, number, [types])

    def write(self, number: int, rows: Mapping[str, Rows]) -> None:
        """Have draws recorded; those of warm-up are not."""
        draws, statistics = rows.get("posterior", {}), rows.get("sample_stats", {})
        count = len(next(iter({**draws, **statistics}.values()), ()))
        for k in range(count):
            point = {name: array[k] for name, array in draws.items()}
            self._takers[number].record(point, [{name: array[k] for name, array in statistics.items()}])

    def finish(self, notes: Mapping[str, Any]) -> None:
        """Close all; raise what the first that fails raises."""
        failed = []
        for taker in self._takers.values():
            try:
                taker.close()
            except Exception as error:
                failed.append(error)
        if failed:
            raise failed[0]


def hand_over(trace: Trace, to: Records, chains: Sequence[int] | None = None) -> None:
    """Write a finished trace, or some chains of it, by their numbers, to a back end."""
    chosen = trace.chains if chains is None else list(chains)
    strangers = [number for number in chosen if number not in trace.chains]
    if strangers:
        raise ValueError(f"chains names {strangers[0]!r}; the trace has {', '.join(map(str, trace.chains))}.")
    warm = {"warmup_posterior": trace.warmup_posterior, "warmup_sample_stats": trace.warmup_sample_stats}
    main = {"posterior": trace.posterior, "sample_stats": trace.sample_stats}
    to.begin(kinds_of(warm | main), chosen, int(trace.draws_done.max()))
    for number in chosen:
        row = trace.chains.index(number)
        for groups, done in ((warm, trace.tune_done[row]), (main, trace.draws_done[row])):
            for first in range(0, int(done), _BLOCK):
                rows = slice(first, min(first + _BLOCK, int(done)))
                part = {g: {n: a[row, rows] for n, a in arrays.items()} for g, arrays in groups.items() if arrays}
                to.write(number, part)
    to.finish(notes_of(trace))

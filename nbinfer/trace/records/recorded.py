"""Back ends that are handed draws row by row: the run writes to memory, and what is finished is passed on meanwhile."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import itertools
import json
import os
import time
import weakref
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import instance, several
from nbinfer.spelling import public
from nbinfer.trace.backend import Backend
from nbinfer.trace.disk.lock import Lock
from nbinfer.trace.records.pages import Kinds, Rows, kinds_of, notes_of
from nbinfer.trace.rows import Counts
from nbinfer.trace.store import MODEL, MemoryStore
from nbinfer.trace.trace import Trace

_EVERY = 0.5  # seconds between two looks at what is finished: writing takes time from the chains
_BLOCK = 4096  # rows handed on at once


#: Number of a chain, and rows of it by group; draws and their statistics come together.
Part = tuple[int, Mapping[str, Rows]]


@public
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

    Attributes
    ----------
    place : Path or None
        A file or a folder that one run at a time may write to.
    """

    place: Path | None = None

    def open(self, chains: int, tune: int, draws: int) -> Recorded:
        """Return the store of a new run."""
        return Recorded(self, chains, tune, draws, self.thin)

    @abstractmethod
    def begin(self, kinds: Kinds, notes: Mapping[str, Any], draws: int) -> None:
        """Make ready for rows of these kinds, so many after warm-up at most; `notes_of` says what the notes are."""

    @abstractmethod
    def write(self, parts: Iterable[Part]) -> None:
        """Take the next rows of some chains."""

    @abstractmethod
    def finish(self, notes: Mapping[str, Any]) -> None:
        """Take what is to be known of the run in the end; no rows come any more."""


class Recorded(MemoryStore):
    """Memory whose finished rows are handed on.

    Parameters
    ----------
    to : Records
    chains, tune, draws, thin : int
        See `Store`.
    """

    remembers = True

    def __init__(self, to: Records, chains: int, tune: int, draws: int, thin: int = 1) -> None:
        super().__init__(chains, tune, draws, thin)
        self._to, self._looked = to, time.monotonic()
        self._trace: Trace | None = None
        self._handed = np.zeros((2, chains), np.int64)  # rows of warm-up, and after it
        self._is_whole = True

    def describe(self, trace: Trace) -> None:
        """Take over what a trace of the run knows."""
        self._trace = trace

    def ready(self) -> None:
        """Have the back end make ready."""
        release = _begun(self._to, kinds_of(self.groups), self._notes, self.most // self.thin)
        self._release = weakref.finalize(self, release)

    @property
    def _notes(self) -> dict[str, Any]:
        assert self._trace is not None  # a run describes itself before it begins
        model = self.notes.get(MODEL)
        return notes_of(self._trace, self._trace.chain_ids, None if model is None else json.loads(model))

    def look(self, done: Counts, skipped: Counts | int = 0, last: bool = False) -> None:
        """Hand on what has been finished since the last time; not too often, but for the last time."""
        if last or time.monotonic() >= self._looked + _EVERY:
            self._is_whole = False  # until all has been taken
            self._to.write(self._parts(self.finished(done, skipped)))
            self._looked, self._is_whole = time.monotonic(), True

    def close(self, finished: bool = True) -> None:
        """Have the back end finish."""
        notes = self._notes
        notes["about"]["interrupted"] |= not self._is_whole
        try:
            self._to.finish(notes)
        finally:
            self._release()

    def _parts(self, finished: tuple[Counts, Counts]) -> Iterator[Part]:
        assert self._trace is not None
        for rows, handed, warm in zip(finished, self._handed, (True, False), strict=True):
            groups = {g: arrays for g, arrays in self.groups.items() if g.startswith("warmup_") == warm}
            for chain, number in enumerate(self._trace.chain_ids):
                begin, handed[chain] = int(handed[chain]), rows[chain]  # whatever comes, they are not handed on twice
                yield from _in_parts(number, chain, groups, begin, int(rows[chain]))


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

    def begin(self, kinds: Kinds, notes: Mapping[str, Any], draws: int) -> None:
        """Set up the object, or its copies; if one fails, close those that are."""
        types = {name: np.dtype(kind.dtype) for name, kind in kinds.get("sample_stats", {}).items()}
        self._takers = {}
        try:
            for number in notes["chains"]:
                taker = copy.copy(self._taker) if len(notes["chains"]) > 1 else self._taker
                taker.setup(draws, number, [types])
                self._takers[number] = taker
        except BaseException:
            with contextlib.suppress(Exception):
                self.finish(notes)
            raise

    def write(self, parts: Iterable[Part]) -> None:
        """Have draws recorded; those of warm-up are not."""
        for number, rows in parts:
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
    instance("trace", trace, Trace, "a Trace")
    chosen = trace.chains if chains is None else several("chains", chains, "a sequence of chains' numbers")
    strangers = [number for number in chosen if number not in trace.chains]
    if strangers or len(set(chosen)) < len(chosen):
        what = f"chains names {strangers[0]!r}" if strangers else f"chains names one twice, {chosen}"
        raise ValueError(f"{what}; the trace has {', '.join(map(str, trace.chains))}.")
    to.check()
    to.admit(list(trace.posterior))
    warm = {"warmup_posterior": trace.warmup_posterior, "warmup_sample_stats": trace.warmup_sample_stats}
    main = {"posterior": trace.posterior, "sample_stats": trace.sample_stats}
    notes = notes_of(trace, chosen)
    release = _begun(to, kinds_of(warm | main), notes, int(trace.draws_done.max()))
    rows = {number: row for row, number in enumerate(trace.chains)}
    parts = (
        _in_parts(number, rows[number], groups, 0, int(done[rows[number]]))
        for number in chosen
        for groups, done in ((warm, trace.tune_done), (main, trace.draws_done))
    )
    try:
        to.write(itertools.chain.from_iterable(parts))
        to.finish(notes)
    finally:
        release()


def _begun(to: Records, kinds: Kinds, notes: Mapping[str, Any], draws: int) -> Callable[[], None]:
    """Have a back end begin, as the only one to write there; return what lets others write."""
    if to.place is None or importlib.util.find_spec("fcntl") is None:
        to.begin(kinds, notes, draws)
        return lambda: None
    lock = Lock(to.place)
    try:
        to.begin(kinds, notes, draws)
    except BaseException:
        lock.release()
        raise
    return lock.release


def _in_parts(
    number: int, row: int, groups: Mapping[str, Mapping[str, NDArray[Any]]], begin: int, end: int
) -> Iterator[Part]:
    """Return rows of a chain, some at a time: as texts or objects they take far more memory than as arrays."""
    for first in range(begin, end, _BLOCK):
        rows = slice(first, min(first + _BLOCK, end))
        part = {g: {n: array[row, rows] for n, array in arrays.items()} for g, arrays in groups.items() if arrays}
        if part:
            yield number, part


def check_place(path: Path) -> None:
    """Raise what keeps something new from being put there, or something old from being written to."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder} for {path.name}; make it first.")
    for place in (folder, path) if path.exists() else (folder,):
        if not os.access(place, os.W_OK):
            raise PermissionError(f"{place} cannot be written to; choose another place for {path.name}.")


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have errors of the system name what could not be written: of a full disk they know nothing."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise

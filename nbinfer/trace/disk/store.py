"""The store whose memory is a file: HDF5, netCDF-4 and ArviZ at once, see `nbinfer.trace.disk.layout`.

The file is made under another name, with all of its space, and gets its own by a renaming once the run may begin. From
then on the HDF5 library has no part in it: draws, counters and snapshots are stored through memory maps, anybody can
open the file and see what is finished, and whatever ends the process leaves what it has counted.

At the end there is little left to write, all of it in space that was reserved with the rest: texts about the run, which
are there twice (`nbinfer.trace.disk.notes`); attributes such as ``sampling_time``, numbers that keep their size; and
the mark that the run is finished. Nothing moves, so no moment of it leaves a file that cannot be read, and no second
file is needed to mend it.
"""

from __future__ import annotations

import math
import os
import threading
import uuid
import weakref
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nbinfer.arguments import path_of
from nbinfer.errors import BackendError
from nbinfer.trace import about
from nbinfer.trace.arviz import group_attributes
from nbinfer.trace.axes import axes_of, labels_along
from nbinfer.trace.disk import notes
from nbinfer.trace.disk.appended import GroupFile
from nbinfer.trace.disk.beside import declared, groups_of, kept
from nbinfer.trace.disk.contents import BESIDE, contents
from nbinfer.trace.disk.layout import FINISHED, NOTES, SIZES, STATE, VERSION, Draft, update_attributes
from nbinfer.trace.disk.lock import Lock
from nbinfer.trace.disk.overlay import mend
from nbinfer.trace.disk.paths import check_path
from nbinfer.trace.disk.places import ARRAYS, check_places, places_of
from nbinfer.trace.disk.shown import DATA, DRAWN, arrays_shown
from nbinfer.trace.disk.space import Extent, Space
from nbinfer.trace.groups import TraceGroup
from nbinfer.trace.names import listed
from nbinfer.trace.store import Store

if TYPE_CHECKING:
    from nbinfer.trace.rows import Counts
    from nbinfer.trace.trace import Trace

_GROUPS = {*DRAWN, *DATA, STATE}

#: The text about the trace.
TRACE = "trace"


class HDF5Store(Store):
    """A file that a run writes to.

    Parameters
    ----------
    path : Path
    chains, tune, draws, thin : int
        See `Store`.
    overwrite : bool
        Whether `ready` may replace a file of that name.
    dims, coords : mapping, optional
        Names of the variables' axes after chain and draw, and labels along them, as of a `Trace`.
    lock : Lock, optional
        The right to write to the file, if somebody has it already.

    Attributes
    ----------
    path : Path
    run_id : str
        Different for every run, the same for all parts of one that was resumed.
    is_finished : bool
        Whether the run came to its end.

    Raises
    ------
    BackendError
        If another run writes to the file.
    OSError
        If the disk has no room; nothing is left behind.
    """

    outlives = True

    def __init__(
        self,
        path: Path,
        chains: int,
        tune: int,
        draws: int,
        thin: int = 1,
        *,
        overwrite: bool = False,
        dims: Mapping[str, Sequence[str]] | None = None,
        coords: Mapping[str, Any] | None = None,
        lock: Lock | None = None,
    ) -> None:
        super().__init__(chains, tune, draws, thin)
        self._draft: Draft | None = None
        self._begin(path, lock or Lock(path), uuid.uuid4().hex)
        self._overwrite, self._dims, self._coords = overwrite, dict(dims or {}), dict(coords or {})
        try:
            self._part.unlink(missing_ok=True)  # of a run that ended while it made its file
            self._draft = Draft.new(self._part, {"nbinfer_file_version": VERSION})
            self._open(self._part)
        except BaseException:
            self._part.unlink(missing_ok=True)
            self._lock.release()
            raise

    def _begin(self, path: Path, lock: Lock, run_id: str) -> None:
        self.path, self._lock, self.run_id = Path(path).absolute(), lock, run_id
        self.groups: dict[str, dict[str, NDArray[Any]]] = defaultdict(dict)
        self.notes: dict[str, str] = {}
        self.extents: dict[str, dict[str, Extent]] = defaultdict(dict)
        self._loose: Mapping[str, Mapping[str, Any]] = {}
        self.beside: dict[str, TraceGroup] = {}
        self._chain_labels: list[NDArray[Any]] = []
        self._places = "{}"
        self._part = Path(f"{self.path}.part")
        self._draft = None
        self._closed, self._turn = False, threading.Lock()
        self._forsaken = weakref.finalize(self, lock.release)

    @classmethod
    def reopen(cls, path: str | os.PathLike[str]) -> HDF5Store:
        """Return the store of a run that has ended, however it ended, to go on with it.

        Its arrays, words and notes are those in the file. `ready` need not be called again.

        Parameters
        ----------
        path : str or PathLike

        Raises
        ------
        FileNotFoundError
            If there is no such file. A run that ended while it made its file has left none.
        BackendError
            If the file is damaged, of another kind or version, or written to by another run.
        """
        where = path_of("path", path).absolute()
        if not where.exists():
            raise FileNotFoundError(
                f"path: there is no file {where}; a run that ended before its first draw leaves none."
            )
        mend(where)
        lock = Lock(where)
        try:
            found = contents(where)
            if "progress" not in found.extents[STATE]:
                raise BackendError(f"{where} holds a trace and no run that could go on; nbinfer.load reads it.")
            store = cls.__new__(cls)
            Store.__init__(store, *(found.sizes[name] for name in SIZES))
            store._begin(where, lock, found.run_id)
            store._open(where)
            store.beside = groups_of(found, store._space)
            store.extents |= {group: extents for group, extents in found.extents.items() if group not in BESIDE}
            store._loose = {group: arrays for group, arrays in found.loose.items() if group not in BESIDE}
            for group, extents in store.extents.items():
                store.groups[group] |= {name: store._space.array(extent) for name, extent in extents.items()}
            store.notes |= notes.read(store.groups[STATE][NOTES], where)
            store._places = store.notes.pop(ARRAYS, "{}")
            check_places(where, store._places, found.extents)
        except BaseException:
            lock.release()
            raise
        return store

    def extended(self, draws: int) -> HDF5Store:
        """Return the store of a new file in the place of this one, once it holds all that this one does."""
        if draws < self.draws:
            raise ValueError(f"draws must be at least {self.draws}, which {self.path} has room for, got {draws}.")
        return self._copied(draws)

    def with_words(self, name: str, words: NDArray[np.int64]) -> HDF5Store:
        """Return the store of a new file in the place of this one, with other words of one name, maybe more of them.

        Parameters
        ----------
        name : str
        words : ndarray of int64, shape (chain, count)
            Of full cache lines.
        """
        return self._copied(self.draws, {name: words})

    def _open(self, path: Path) -> None:
        file = open(path, "r+b", buffering=0)  # noqa: SIM115 - open while it is used
        weakref.finalize(self, file.close)
        self._space = Space(file)

    # Before the run

    def array(self, group: str, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return one array, shape (chain, row, *shape), part of the file."""
        if name in self.groups[group]:
            return self.groups[group][name]
        axes = ["chain", "draw", *axes_of(name, len(shape), self._dims)]
        return self._made(group, name, axes, (self.chains, self.rows_in(group), *shape), dtype)

    def name_axes(self, dims: Mapping[str, Sequence[str]], coords: Mapping[str, Any]) -> None:
        """Take over what axes are called, and labels along them."""
        self._dims, self._coords = dict(dims), dict(coords)

    def words(self, name: str, count: int) -> NDArray[np.int64]:
        """Return words of each chain, part of the file, which begin on a cache line."""
        if name not in self.groups[STATE]:
            size = -(-count // 8) * 8
            self._made(STATE, name, ["chain", f"{name}_word"], (self.chains, size), np.int64, labelled=False)
        words = self.groups[STATE][name]
        if words.shape[1] < count:
            raise BackendError(f"{self.path} has {words.shape[1]} words of {name!r} for each chain, not {count}.")
        return words[:, :count]

    def describe(self, trace: Trace) -> None:
        """Take over what a trace knows beside its draws, and before `ready` its data."""
        self.notes[TRACE] = about.text_of(trace)
        if self._draft is not None:
            for group in DATA:
                for name, data in getattr(trace, group).items():
                    self._fixed(group, name, data)
            self.beside = dict(trace.groups)

    def ready(self) -> None:
        """Give the file its name."""
        if self._draft is None:  # reopened
            return
        draft = self._draft
        self._complete(draft)
        draft.done()
        self._draft = None
        self._space.reserve(0, self._space.length)  # the library has cut off what it does not know of
        self._space.sync()
        check_path(self.path, self._overwrite)
        os.replace(self._part, self.path)
        self._space.warm()

    def go_on(self) -> None:
        """Have the file tell of a run that has not ended."""
        self.groups[STATE][FINISHED][0] = 0
        notes.write(self.groups[STATE][NOTES], self._packed)  # shorter than what an end has left there
        update_attributes(self._space.file, self._attributes())

    def discard(self) -> None:
        """Leave nothing of a file that was not made ready; one that was stays as it is."""
        if self._closed:
            return
        if self._draft is not None:
            self._draft.abandon()
        self._part.unlink(missing_ok=True)
        self._closed = True
        self._space.close()
        self._lock.release()

    # After it

    def show(self, tune_done: Counts, draws_done: Counts) -> dict[str, dict[str, NDArray[Any]]]:
        """Return the finished rows; they cannot be written to, and take no memory unless chains differ in length."""
        return arrays_shown(self._space, self.extents, tune_done, draws_done)

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end."""
        return bool(self.groups[STATE][FINISHED][0])

    @property
    def file(self) -> GroupFile:
        """What takes groups for the trace of the run."""
        return GroupFile(self.path, self.run_id)

    def groups_beside(self) -> dict[str, TraceGroup]:
        """Return the groups that the file has beside the draws, from before the run went on."""
        return self.file.groups() if self.beside else {}

    def close(self, finished: bool = True) -> None:
        """Write what the run has left, and let others write to the file."""
        with self._turn:
            if self._closed:
                return
            self._closed = True
            try:
                if not notes.write(self.groups[STATE][NOTES], self._packed):
                    self._copied(self.draws).close(finished)
                    return
                update_attributes(self._space.file, self._attributes())
                self._space.sync()
                self.groups[STATE][FINISHED][0] = finished
                if not self._space.lies_at(self.path):
                    raise BackendError(
                        f"{self.path} was moved or removed while draws went there; trace.save writes them elsewhere."
                    )
            finally:
                self._space.close()
                self._lock.release()

    # Inside

    def _made(
        self, group: str, name: str, axes: Sequence[str], shape: Sequence[int], dtype: DTypeLike, labelled: bool = True
    ) -> NDArray[Any]:
        """Return a new array of the file, and label its axes."""
        if self._draft is None:
            raise BackendError(f"{self.path} has no {name!r} in {group}, and nothing can be added to it any more.")
        for axis, count in zip(axes, shape, strict=True):
            if labelled or axis == "chain":
                numbers = self._draft.labels(group, axis, labels_along(axis, count, self._coords))
                if numbers is not None:
                    extent, labels = numbers
                    written = self._space.array(extent)
                    written[...] = labels
                    self._chain_labels += [written] if axis == "chain" else []
        extent = self._draft.dataset(group, name, axes, shape, dtype)
        self.extents[group][name] = extent
        self.groups[group][name] = self._space.array(extent)
        return self.groups[group][name]

    def _fixed(self, group: str, name: str, values: Any) -> None:
        """Write an array that no draw changes."""
        array = np.asarray(values)
        if name not in self.groups[group]:
            self._made(group, name, axes_of(name, array.ndim, self._dims), array.shape, array.dtype)[...] = array

    def _complete(self, draft: Draft) -> None:
        """Write what is known once all arrays are: attributes, labels of chains, texts."""
        for labels in self._chain_labels:
            labels[...] = self._known.get("chain_ids", labels)
        for group, attrs in self._attributes().items():
            draft.describe(group, attrs)
        draft.describe("/", {"run_id": self.run_id, "creation_library_language": "Python"})
        draft.describe(STATE, {name: getattr(self, name) for name in SIZES})
        self._made(STATE, FINISHED, ["finished_word"], (1,), np.int64, labelled=False)[0] = 0
        for of_draws in self.beside.values():
            for extent, array in declared(draft, of_draws):
                self._space.array(extent)[...] = array
        self._places = places_of(self.extents)
        room = notes.room_for(len(self._packed) + self._growth)
        memory = self._made(STATE, NOTES, ["notes_byte"], (room,), np.uint8, labelled=False)
        self._places = places_of(self.extents)
        notes.write(memory, self._packed)

    @property
    def _packed(self) -> bytes:
        return notes.packed({**self.notes, ARRAYS: self._places})

    @property
    def _growth(self) -> int:
        """By how many bytes the texts may grow until the end: metrics come out of the blocks, and there is a report."""
        blocks = self.groups[STATE].get("block", np.empty(0)).nbytes
        quantities = sum(
            500 + 16 * extent.size // max(math.prod(extent.shape[:2]), 1)
            for extent in self.extents["posterior"].values()
        )
        return 8192 + blocks + quantities

    def _attributes(self) -> dict[str, dict[str, Any]]:
        """Return the attributes of the file and of the groups that a trace shows."""
        known = self._known
        metric = about.arguments_of(known).get("metric")
        return group_attributes(known.get("attrs", {}), metric, self.groups.keys() - {STATE})

    @property
    def _known(self) -> dict[str, Any]:
        """What was described; nothing of a run that leaves no trace."""
        known: dict[str, Any] = about.from_text(self.notes.get(TRACE, "{}"))
        return known

    def _copied(self, draws: int, words: Mapping[str, NDArray[np.int64]] | None = None) -> HDF5Store:
        """Return the store of a new file in the place of this one, with the same in it and room for more."""
        strange = [f"{group}/{name}" for group, arrays in self._loose.items() for name in arrays]
        strange += [f"{group}/{name}" for group in self.groups.keys() - _GROUPS for name in self.groups[group]]
        if strange:
            raise BackendError(
                f"{self.path} holds {listed(strange)}, which nbinfer did not write and would lose; move it elsewhere."
            )
        known = self._known
        self._forsaken.detach()
        new = HDF5Store(
            self.path, self.chains, self.tune, draws, self.thin, overwrite=True, dims=known.get("dims"),
            coords=known.get("coords"), lock=self._lock,
        )  # fmt: skip
        new.run_id = self.run_id
        new.beside = dict(self.beside) if draws == self.draws else kept(self.beside, self.path)
        new.notes |= self.notes
        with new.made():
            for group, arrays in self.groups.items():
                for name, array in arrays.items():
                    if group == STATE:
                        new._keep_word(name, (words or {}).get(name, array))
                    elif group in DRAWN:
                        new.array(group, name, array.shape[2:], array.dtype)[:, : array.shape[1]] = array
                    else:
                        new._fixed(group, name, array)
        self._closed = True
        return new

    def _keep_word(self, name: str, array: NDArray[Any]) -> None:
        if name not in (NOTES, FINISHED):
            self.words(name, array.shape[1])[...] = array

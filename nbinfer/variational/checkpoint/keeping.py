"""The file of a fit: its losses as they come, and snapshots of what it is between two iterations.

Snapshots are taken where Python has a say, after callbacks were called, so that what these remember is that of the same
iteration. A fit comes there every quarter of a second, and copies cost little beside. There are two: the block of the
fit in two slots, as chains have them, and beside it, for either, a text of what is not in the block.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import path_of
from nbinfer.engine.recipe import NOTE, why_other, with_versions
from nbinfer.engine.snapshot import Mark, Snapshots
from nbinfer.errors import NbinferWarning, ResumeError, VariationalInferenceError
from nbinfer.trace.disk import HDF5, SUFFIXES, HDF5Store, notes
from nbinfer.trace.disk.layout import STATE
from nbinfer.variational.checkpoint.remembered import Remembered, Say
from nbinfer.variational.job import Progress

#: Seconds between two moments at which a snapshot may be taken, and how many times as long as one takes they are apart.
_SPAN, _SHARE = 0.25, 50

#: Iterations, at most, from one to the next.
_MOST = 2**40

#: Bytes for texts of either snapshot, to begin with; the file gets more when they need it.
_ROOM = 4096


def file_for(checkpoint: Any) -> HDF5:
    """Return the file that `checkpoint` means.

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError, PermissionError
        If it cannot be made there.
    """
    if isinstance(checkpoint, HDF5):
        file = checkpoint
        if file.vars is not None or file.thin != 1:
            raise ValueError("checkpoint keeps all of a fit: leave vars and thin of nb.HDF5 out.")
    else:
        path = path_of("checkpoint", checkpoint)
        if path.suffix not in SUFFIXES:
            raise ValueError(f"checkpoint is named {' or '.join(SUFFIXES)} at its end, got {str(path)!r}.")
        file = HDF5(path)
    file.check()
    return file


class Checkpoint:
    """What a fit leaves for those who go on with it.

    Parameters
    ----------
    store : HDF5Store
        With room for the losses of all iterations.
    approx : Approximation
    updates : ObjectiveUpdates
        The steps of its fit.
    callbacks : sequence of callable
        Of the fit.

    Attributes
    ----------
    store : HDF5Store
    before : int
        Iterations of earlier fits of the approximation.
    catching_up : bool
        Whether iterations are made that the file has already.
    """

    def __init__(self, store: HDF5Store, approx: Any, updates: Any, callbacks: Sequence[Any]) -> None:
        self.store, self.before, self.catching_up = store, 0, False
        self._approx, self._fitting = approx, updates.fitting
        self._remembered = Remembered(approx, updates, callbacks)
        self._definition = self._approx.model.definition
        self._pieces, self._span, self._cost = 1, np.inf, 0.0
        self._last = self._began = time.monotonic()
        self._texts: dict[str, Any] = {}
        self._begun, self._counted, self._until = 0, 0, 0
        self._news: Sequence[str] = ()
        self._closed = False

    # ---- before the run

    @classmethod
    def begun(cls, file: HDF5, n: int, recipe: str, approx: Any, updates: Any, callbacks: Sequence[Any]) -> Checkpoint:
        """Return the checkpoint of a new fit: the file is there, with its first snapshot.

        Parameters
        ----------
        file : HDF5
        n : int
            Iterations.
        recipe : str
        approx, updates, callbacks : object
            As above.
        """
        before = updates.fitting.hist.copy()
        store = HDF5Store(file.path, 1, 0, len(before) + n, overwrite=file.overwrite)
        found = cls(store, approx, updates, callbacks)
        with store.made():
            store.notes[NOTE] = recipe
            first = json.dumps({"0": found._remembered.state(lambda *_: None)})
            found._attach(max(_ROOM, notes.room_for(4 * len(first))))
            found._losses[: len(before)] = before
            found.before = len(before)
            found._keep(lambda *_: None)
        return found

    @classmethod
    def of_before(
        cls,
        store: HDF5Store,
        begun: int,
        n: int,
        news: Sequence[str],
        approx: Any,
        updates: Any,
        callbacks: Sequence[Any],
    ) -> Checkpoint:
        """Return the checkpoint of a fit that has ended before, and put the fit where its older snapshot is.

        Parameters
        ----------
        store : HDF5Store
            What it has left; nothing is written there before losses have turned out equal.
        begun, n : int
            Iterations of fits before this one, and those that it is to have then.
        news : sequence of str
            Versions that are others than the fit's.
        approx, updates, callbacks : object
            As above.

        Raises
        ------
        ResumeError
            If there is none that is whole.
        """
        found = cls(store, approx, updates, callbacks)
        fitting = found._fitting
        found._counted, found._until, found._news = counted_in(store), begun + n, news
        found.before = begun
        size = 2 * (fitting.state.shape[1] + 1)
        shelf = Snapshots(np.array([0, 1]), store.words("slots", size), store.words("marks", Mark.itemsize // 8))
        texts = _texts_in(store)
        left = [s for s in shelf.left(0, found._counted) if str(s.done) in texts]
        if not left:
            raise ResumeError(
                "both snapshots of the fit are damaged, or ahead of its losses; none can be gone on from."
            )
        found._texts = {str(s.done): texts[str(s.done)] for s in reversed(left)}
        snapshot = left[-1]  # the older, so that there are losses to compare
        losses = np.full(max(begun + n, found._counted), np.nan)
        losses[: snapshot.done] = _losses_in(store)[: snapshot.done]
        fitting.restore(snapshot.blocks, losses, begun)
        found._remembered.restore(found._texts[str(snapshot.done)])
        found._begun, found.catching_up = snapshot.done, True
        return found

    # ---- during it

    def next(self, done: int) -> int:
        """Return the iteration at which the fit is to come up to Python, so that there may be a snapshot."""
        if self.catching_up:
            return max(self._counted, done + 1)
        if self._span < _SPAN:
            self._pieces = min(2 * self._pieces, _MOST)
        elif self._span > 2 * _SPAN:
            self._pieces = max(self._pieces // 2, 1)
        self._began = time.monotonic()
        return done + self._pieces

    def reached(self, done: int, say: Say) -> None:
        """Go over to new iterations where those that the file has are made once more, and have turned out equal.

        Raises
        ------
        ResumeError
            If they have not.
        """
        if not self.catching_up:
            self._span = time.monotonic() - self._began
            return
        if done < self._counted:
            return
        again, there = (losses[self._begun : done] for losses in (self._fitting.losses, _losses_in(self.store)))
        if again.tobytes() != there.tobytes():
            raise self._other_loss(again, there)
        if self._until > self.store.draws:
            self.store = self.store.extended(self._until)
        self._attach()
        self._snapshots.mend(np.array([self._counted]))
        self.catching_up, self._began = False, time.monotonic()
        if self._news:
            self.store.notes[NOTE] = with_versions(self.store.notes[NOTE])
            say(
                f"the fit goes on with other versions, {'; '.join(self._news)}; so far losses are equal.",
                NbinferWarning,
            )

    def look(self, say: Say) -> None:
        """Take a snapshot if the last one is long enough ago: all callbacks that are due were called.

        Raises
        ------
        VariationalInferenceError
            If one of them has given the model other data.
        """
        if self._approx.model.definition is not self._definition:
            raise VariationalInferenceError(
                "data were set while the fit runs, and checkpoint= cannot keep that: who goes on with the fit would "
                "not see them at the same iteration. Leave checkpoint out, or feed data by nb.Minibatch."
            )
        if not self.catching_up and time.monotonic() - self._last >= max(_SPAN, _SHARE * self._cost):
            self._keep(say)

    def ended_early(self) -> ResumeError:
        """Return what to raise if the fit is over before it is where the file is."""
        return ResumeError(
            f"the fit ends after {int(self._fitting.fit.done)} iterations, and the file has {self._counted}: callbacks "
            "are not those of the fit, or remember what they did not then."
        )

    # ---- after it

    def close(self, whole: bool, finished: bool, say: Say) -> None:
        """Leave the file, and have the fit in memory from now on.

        Parameters
        ----------
        whole : bool
            Whether the fit is between two iterations, with all callbacks called, so that there may be a snapshot.
        finished : bool
            Whether there is nothing to go on with.
        say : callable
            Of what is to be warned.
        """
        if self._closed:
            return
        self._closed = True
        if self.catching_up:
            self.store.discard()
            return
        try:
            if whole:
                self._keep(say)
        finally:
            fitting = self._fitting
            fitting.write_to(self._losses.copy(), self._lines.copy())
            self.store.close(finished)

    # ---- inside

    def _attach(self, room: int = 0) -> None:
        """Have the fit write to the store, of which a new one is asked for so many bytes for texts."""
        store, fitting = self.store, self._fitting
        self._losses = _losses_in(store)
        self._lines = store.words("progress", Progress.itemsize // 8).view(Progress)[:, 0]
        slots = store.words("slots", 2 * (fitting.state.shape[1] + 1))
        self._snapshots = Snapshots(np.array([0, 1]), slots, store.words("marks", Mark.itemsize // 8))
        store.words("texts", -(-room // 64) * 8)
        fitting.write_to(self._losses, self._lines)

    def _keep(self, say: Say) -> None:
        """Take a snapshot: first the text, beside that of the snapshot before, then the block."""
        begin = time.monotonic()
        now = str(int(self._fitting.fit.done))
        last = list(self._texts)[-1:] if now not in self._texts else []
        self._texts = {done: self._texts[done] for done in last} | {now: self._remembered.state(say)}
        data = json.dumps(self._texts).encode()
        if not notes.write(_bytes_in(self.store), data):
            self._make_room(data)
        self._snapshots.keep(self._fitting.state)
        self._last = time.monotonic()
        self._cost = self._last - begin

    def _make_room(self, data: bytes) -> None:
        """Go over to a file with these texts and more room for such, in the place of the other."""
        room = np.zeros((1, -(-notes.room_for(2 * len(data)) // 64) * 8), np.int64)
        notes.write(room[0].view(np.uint8), data)
        self.store = self.store.with_words("texts", room)
        self._attach()

    def _other_loss(self, again: NDArray[np.float64], there: NDArray[np.float64]) -> ResumeError:
        k = next(i for i in range(len(again)) if again[i].tobytes() != there[i].tobytes())
        return ResumeError(
            f"losses come out another way than they are in the file: {again[k]!r} after iteration "
            f"{self._begun + k + 1}, and there it is {there[k]!r}; {why_other(self._news)}."
        )


def counted_in(store: HDF5Store) -> int:
    """Return how many iterations the fit in a store has counted."""
    return int(store.words("progress", Progress.itemsize // 8).view(Progress)[0, 0]["done"])


def _losses_in(store: HDF5Store) -> NDArray[np.float64]:
    losses: NDArray[np.float64] = store.array("sample_stats", "loss", (), np.float64)[0]
    return losses


def _bytes_in(store: HDF5Store) -> NDArray[np.uint8]:
    """Return the room for texts of snapshots."""
    words: NDArray[np.int64] = store.groups[STATE]["texts"][0]
    return words.view(np.uint8)


def _texts_in(store: HDF5Store) -> dict[str, Any]:
    return dict(notes.read(_bytes_in(store), store.path))

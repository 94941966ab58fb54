"""Chains that go on where a run has ended: from its newest snapshot, over the draws that are there, to new ones."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nbinfer.compile import aligned
from nbinfer.engine.chain import NO_LIMIT, Progress
from nbinfer.engine.chains import Chains
from nbinfer.engine.driver import Outcome
from nbinfer.engine.progress import Silent
from nbinfer.engine.recipe import NOTE, newer, why_other
from nbinfer.engine.snapshot import Snapshots
from nbinfer.engine.timed import TIMED
from nbinfer.errors import ResumeError
from nbinfer.mcmc.recipe import Recipe, with_run
from nbinfer.mcmc.sampling import Sampling
from nbinfer.trace.columns import Rows, Window
from nbinfer.trace.rows import Counts, unfinished
from nbinfer.trace.store import Store


class Counted(NamedTuple):
    """Draws that chains have counted.

    Attributes
    ----------
    done, skipped : ndarray of int, shape (chain,)
        See `Store.finished`.
    """

    done: Counts
    skipped: Counts


def counted_in(store: Store) -> Counted:
    """Return how far the run in a store has come."""
    lines = store.words("progress", Progress.itemsize // 8).view(Progress)[:, 0]
    return Counted(lines["done"].copy(), lines["skipped"].copy())


class Again(Store):
    """Room for draws that are made once more.

    Parameters
    ----------
    store : Store
        That has them.
    begun, end : ndarray of int, shape (chain,)
        Draws that each chain has made before, and those up to which it makes them.
    """

    def __init__(self, store: Store, begun: Counts, end: Counts) -> None:
        super().__init__(store.chains, store.tune, store.draws, store.thin)
        self._store = store
        zero = np.zeros_like(begun)
        self._ranges = [(np.minimum(begun, store.tune), np.minimum(end, store.tune))]
        self._ranges += [(self.finished(begun, zero)[1], self.finished(end, zero)[1])]
        self.groups: dict[str, dict[str, Any]] = defaultdict(dict)
        self.notes = {}

    def array(self, group: str, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Rows:
        """Return the rows between, of each chain."""
        first, end = self._range(group)
        rows = [unfinished((max(count, 1), *shape), dtype) for count in (end - first).tolist()]
        self.groups[group][name] = window = Window(rows, first)
        there = self._store.array(group, name, shape, dtype)
        if there[0].shape[1:] != shape or there[0].dtype != dtype:
            raise ResumeError(
                f"{name!r} in {group} has {there[0].dtype}, shape {there[0].shape[1:]} for each draw, and model gives "
                f"{np.dtype(dtype)}, shape {shape}."
            )
        return window

    def words(self, name: str, count: int) -> NDArray[np.int64]:
        """Return words of their own."""
        return aligned(self.chains, count, np.int64)[:, :count]

    def differs(self, counted: Counted) -> tuple[str, str, int, int] | None:
        """Return group, name, chain and row of a draw that was counted and is another one in the store, if there is.

        How long it took does not count.
        """
        for group, name, chain, first, rows, there in self._parts(self._store, counted):
            if name not in TIMED.statistics and rows.tobytes() != there.tobytes():
                row = next(k for k in range(len(rows)) if rows[k].tobytes() != there[k].tobytes())
                return group, name, chain, first + row
        return None

    def copy_to(self, store: Store, done: Counted) -> None:
        """Write the rows that chains have finished to another store."""
        for *_, rows, there in self._parts(store, done):
            there[...] = rows

    def _parts(self, store: Store, done: Counted) -> Iterator[tuple[str, str, int, int, NDArray[Any], NDArray[Any]]]:
        """Visit group, name, chain, first row, and the finished rows here and in a store."""
        tune, draws = self.finished(*done)
        for group, arrays in self.groups.items():
            finished = tune if group.startswith("warmup_") else draws
            for name, window in arrays.items():
                every = store.array(group, name, window[0].shape[1:], window[0].dtype)
                for chain, (rows, first) in enumerate(zip(window, window.first.tolist(), strict=True)):
                    count = max(int(finished[chain]) - first, 0)
                    yield group, name, chain, first, rows[:count], np.asarray(every[chain])[first : first + count]

    def _range(self, group: str) -> tuple[Counts, Counts]:
        return self._ranges[0 if group.startswith("warmup_") else 1]


class Resuming(Sampling):
    """The chains of a run that has ended before.

    Parameters
    ----------
    model : Model
    recipe : Recipe
        Of the run, which is one of this model.
    assigned : sequence of (StepMethod, list of str)
        Its steps.
    store : Store
        What it has left; nothing is written to it before the draws that are made once more have turned out equal.
    draws : int
        Draws of each chain, at least as many as the store has room for; if the recipe has a goal, until the next look.

    Attributes
    ----------
    news : list of str
        Which versions are others than the run's.

    Raises
    ------
    ResumeError
        If its state cannot be used.
    """

    def __init__(
        self,
        model: Any,
        recipe: Recipe,
        assigned: Any,
        store: Store,
        draws: int,
    ) -> None:
        self._prepare(model, assigned, recipe.run)
        self._is_on = False
        self.store, self.draws, self.news = store, draws, newer(recipe)
        self._counted = counted_in(store)
        chains = self.chains = self._made(lambda name, count: _copied(store, name, count))
        if chains.plan.fingerprint != recipe.plan:
            why = "; ".join(self.news) or "the model or its steps are of another size"
            raise ResumeError(f"the state of the chains is laid out in another way here: {why}.")
        blocks, self.seconds_before = self._snapshot(chains, store)
        chains.state[:] = blocks
        ends = np.repeat([self._counted.done[a:b].max() for a, b in self._units], np.diff(chains.units))
        self._again = Again(store, chains.every.done.copy(), ends)
        chains.every.most_done, chains.every.most_evaluations = ends, NO_LIMIT
        self._wire(chains, self._again)

    def _progress(self) -> tuple[Counts, Counts]:
        return super()._progress() if self._is_on else self._counted

    @property
    def _units(self) -> list[tuple[int, int]]:
        return list(itertools.pairwise(self.chains.units.tolist()))

    def _snapshot(self, chains: Chains, store: Store) -> tuple[NDArray[np.int64], float]:
        """Return the blocks to go on from, and the seconds that the run has taken.

        That is the older snapshot of each unit, if it is whole: so there are draws to compare, which show what no
        hash does.
        """
        size = 2 * (chains.state.shape[1] + 1)
        shelf = Snapshots(chains.units, store.words("slots", size), store.words("marks", 8))
        blocks = np.zeros_like(chains.state)
        for unit, (first, end) in enumerate(self._units):
            left = shelf.left(unit, self._counted.done[first:end].min())
            if not left:
                which = ", ".join(str(number) for number in self.numbers[first:end])
                raise ResumeError(
                    f"both snapshots of chain {which} are damaged, or ahead of its draws; these can be loaded, no more."
                )
            blocks[first:end] = left[-1].blocks
        return blocks, shelf.seconds_before

    def catch_up(self, cores: int) -> Outcome | None:
        """Make the draws that are there since the snapshot once more, compare, and get ready for new ones.

        Returns
        -------
        outcome : Outcome or None
            None: the chains may go on. Otherwise the run ends here.
        """
        begun, chains = self.chains.every.done.copy(), self.chains
        until = int(self._counted.done.max())
        if (begun < chains.every.most_done).any():
            outcome = self.run(cores, Silent(), until)
            if outcome.error is not None or (chains.every.done < chains.every.most_done).any():
                return outcome
        found = self._again.differs(self._counted)
        if found is not None:
            outcome = Outcome()
            outcome.error = self._other_draw(*found)
            return outcome
        if chains.stop[0]:  # who waited for it may have gone
            return Outcome()
        self._go_on()
        return None

    def _other_draw(self, group: str, name: str, chain: int, row: int) -> ResumeError:
        """Return an error that says which draw comes out another way, and why that may be."""
        where = f"{name!r} of chain {self.numbers[chain]}, {group} row {row}"
        python = [type(method).__name__ for method in self.methods if method.serial]
        why = why_other(self.news)
        if python and not self.news:
            why = (
                f"{python[0]} calls functions in plain Python, which may have a memory, of their calls or of random "
                "numbers, and only those without one can be gone on with"
            )
        return ResumeError(f"draws come out another way than they are in the file: {where}; {why}.")

    def _go_on(self) -> None:
        """Make the chains that write to the store."""
        before = self.chains
        self.store.notes[NOTE] = with_run(self.store.notes[NOTE], self._run)  # what ends it may be something else now
        store = self.store if self.draws == self.store.draws else self.store.extended(self.draws)
        chains = self._moved_to(store)
        chains.every.most_done = NO_LIMIT
        self._again.copy_to(store, Counted(before.every.done, before.every.skipped))
        snapshots = chains.keep_snapshots()
        snapshots.mend(self._counted.done)
        snapshots.begin()
        self.chains, self.store, self._is_on = chains, store, True
        store.notes.pop("ended", None)
        store.describe(self._begun())
        store.go_on()


def _copied(store: Store, name: str, count: int) -> NDArray[np.int64]:
    """Return memory of its own; for lines of progress, with what is in a store."""
    words = aligned(store.chains, count, np.int64)[:, :count]
    if name == "progress":
        words[:] = store.words(name, count)
    return words

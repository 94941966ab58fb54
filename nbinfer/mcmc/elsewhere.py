"""Chains in other processes: what is sent there, what comes back, and where it goes."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.engine.driver import Outcome, run
from nbinfer.engine.elsewhere import run_elsewhere_for_now, that_travels
from nbinfer.engine.progress import Display, Silent
from nbinfer.engine.team import work
from nbinfer.mcmc.recipe import Assigned, Run
from nbinfer.mcmc.sampling import Sampling
from nbinfer.trace.store import MemoryStore


class Part(NamedTuple):
    """Chains that form a unit, as they are sent.

    Attributes
    ----------
    model : Model
    assigned : sequence of (StepMethod, list of str)
    run : Run
        Of these chains.
    blocks : ndarray of int64, shape (chain, fields)
        All there is to them.
    draws, thin : int
    outlives : bool
        Whether the run can be gone on with, for which snapshots are needed.
    end : float
        The time, as of `time.time`, at which the run ends.
    """

    model: Any
    assigned: Assigned
    run: Run
    blocks: NDArray[np.int64]
    draws: int
    thin: int
    outlives: bool
    end: float


class Drawn(NamedTuple):
    """What comes back.

    Attributes
    ----------
    blocks : ndarray of int64, shape (chain, fields)
        As they are: in the middle of a draw, if something has ended them there.
    left : list of ndarray of int64, shape (chain, fields)
        Their snapshots, of a run that can be gone on with; the older first.
    progress : ndarray, shape (chain,)
        Lines of progress.
    groups : mapping of str to mapping of str to ndarray
        Draws and statistics, of those that were drawn there.
    error : BaseException or None
        What has ended the chains.
    """

    blocks: NDArray[np.int64]
    left: list[NDArray[np.int64]]
    progress: NDArray[Any]
    groups: Mapping[str, Mapping[str, NDArray[Any]]]
    error: BaseException | None


class _Sampling(Sampling):
    """Chains that were begun in another process."""

    def __init__(self, part: Part) -> None:
        self._prepare(part.model, part.assigned, part.run)
        self.draws, self.store = part.draws, MemoryStore(len(part.blocks), part.run.tune, part.draws, part.thin)
        self.chains = self._made(self.store.words)
        self.chains.state[:] = part.blocks
        self._wire(self.chains, self.store)
        if part.outlives:
            self.chains.keep_snapshots().keep(part.blocks)


def drawn(part: Part) -> Drawn:
    """Draw chains in this process."""
    sampling = _Sampling(part)
    chains, outcome, first = sampling.chains, Outcome(), sampling.first_rows(slice(None))
    chains.deadline = time.monotonic() + part.end - time.time()
    work.load()
    with contextlib.suppress(KeyboardInterrupt):  # whoever pressed it wants what there is
        outcome = run(chains, sampling.tune + sampling.draws, 1, Silent())
    error = sampling.error_of(outcome)
    if error is not None:
        error = that_travels(error)
    # In this order: after Ctrl-C workers may still be on their way.
    left = [] if chains.snapshots is None else [snapshot.blocks for snapshot in reversed(chains.snapshots.left(0))]
    groups = {
        group: {name: array[:, first[group.startswith("warmup_")] :] for name, array in arrays.items()}
        for group, arrays in sampling.store.groups.items()
    }
    return Drawn(chains.state, left, chains.progress.copy(), groups, error)


def draw_elsewhere(sampling: Sampling, executor: Executor, display: Display) -> Outcome:
    """Have chains drawn by an executor, to the draw that is their last for now; display and stop word are left.

    Parameters
    ----------
    sampling : Sampling
        Draws and statistics go to its store as soon as a chain is back; a population is back as a whole.
    executor : Executor
    display : Display

    Returns
    -------
    outcome : Outcome
    """
    chains = sampling.chains
    units = [slice(first, end) for first, end in itertools.pairwise(chains.units.tolist())]
    end = time.time() + chains.deadline - time.monotonic()

    def take(k: int, back: Drawn) -> BaseException | None:
        sampling.take(units[k], back.groups, back.blocks, back.left, back.progress)
        return back.error

    pieces = [Part(*sampling.part(unit), end) for unit in units]
    outcome = run_elsewhere_for_now(chains, executor, drawn, pieces, take, display)
    outcome.interrupted = bool((chains.progress["done"] < sampling.tune + sampling.draws).any())
    return outcome

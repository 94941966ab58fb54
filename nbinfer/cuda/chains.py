"""Chains on a GPU: one thread for each, from the kernels that the processor runs.

Chains that learn together make a draw each, and then run phases (`nbinfer.cuda.phases`); the others make many at once.
The host begins and wires the chains. Their blocks, the contexts of the model and its data are mirrored in the device's
memory, each address changed to that of the copy; a launch advances all chains by some draws; their rows go into one of
two buffers, and while the next launch fills the other the host writes them to the arrays of the trace. Between two
launches the host sees what it sees of threads of its own: progress, divergences, failures, the stop word. At the end
the blocks come back, so that the chains can be gone on with, on the device or on the processor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import call_step, ints_at, record_at, store_release
from nbinfer.compile.quiet import without_warnings
from nbinfer.cuda import backend
from nbinfer.cuda.backend import cuda
from nbinfer.cuda.device import Device
from nbinfer.cuda.draws import Draws, rows_for
from nbinfer.cuda.mirror import Mirror
from nbinfer.cuda.model import check_arenas, give_arenas, words_of_arena
from nbinfer.cuda.phases import Phases, grid_for
from nbinfer.cuda.suitable import check, explained
from nbinfer.cuda.transition import Called, choice, others, transition
from nbinfer.engine.chain import Chain, Progress
from nbinfer.engine.chains import Chains
from nbinfer.engine.driver import Outcome, look, look_at_statuses
from nbinfer.engine.job import Status
from nbinfer.engine.progress import Display
from nbinfer.engine.subset import SubsetStep
from nbinfer.model.code import failures
from nbinfer.trace.columns import FIELDS

__all__ = ["check", "run_for_now"]

_OK = int(Status.OK)
_SHORT, _LONG = 0.2, 0.8  # seconds that a launch should take


def _place(table: int, n_columns: int, homes: Any, before: int, warm: int) -> None:
    """Have the rows of a chain go to its part of a buffer: as many rows lie before row 0 there as `before` says."""
    words = ints_at(table, FIELDS * n_columns)
    for k in range(n_columns):
        home, width = homes[2 * k], homes[2 * k + 1]
        words[FIELDS * k + 3] = words[FIELDS * k + 1]
        base = home + before * width if home != 0 else 0
        words[FIELDS * k + 4] = base if warm != 0 else 0
        words[FIELDS * k + 5] = 0 if warm != 0 else base


def _advance(blocks: int, size: int, until: int, room: int, first: int, warm: int, tied: int, homes: Any,
             homes_of_statistics: Any, statuses: Any) -> None:  # fmt: skip
    """Advance the chain of this thread to draw `until`, unless it has ended; if chains are tied, its end is all's."""
    c = cuda.grid(1)
    if 2 * c >= statuses.shape[0] or statuses[2 * c] != _OK:
        return
    address = blocks + size * c
    chain = record_at(address, Chain)
    _place(chain.columns, chain.n_columns, homes, c * room - first, warm)
    _place(chain.statistic_columns, chain.n_statistic_columns, homes_of_statistics, c * room - first, warm)
    status = _OK
    while status == _OK and chain.done < until:
        status = call_step(0, address, until)
    if status != _OK and tied != 0:
        store_release(chain.stop, 1)
    statuses[2 * c] = status
    statuses[2 * c + 1] = ints_at(chain.context + 8 * failures.FAILED, 1)[0]


def python_kernel(model: Mapping[str, Callable[..., Any]], called: Called) -> FunctionType:
    """Return the kernel that advances all chains, as the Python function that is compiled.

    Parameters
    ----------
    model : mapping of str to callable
    called : Called
        As of `nbinfer.cuda.transition.transition`.
    """
    advance = transition(model, called)
    if backend.simulated():
        advance = without_warnings(advance)
    return Device({"": {"call_step": choice("call_step", [(0, advance)])}}).plain(_advance)


class Launch(NamedTuple):
    """What was launched.

    Attributes
    ----------
    buffer : int
        That its rows go to.
    warm : bool
        Whether they are of warm-up.
    first, rows : int
        Which row the first one is, and how many there are of a chain that makes all.
    takes_part : ndarray of bool, shape (chain,)
        Whether a chain makes any.
    """

    buffer: int
    warm: bool
    first: int
    rows: int
    takes_part: NDArray[np.bool_]

    def made(self, lines: NDArray[np.int64], tune: int, thin: int) -> NDArray[np.int64]:
        """Return how many rows each chain has made, given the progress lines of then."""
        done, skipped = (lines.view(Progress)[name][:, 0] for name in ("done", "skipped"))
        rows = np.minimum(done, tune - skipped) if self.warm else (done - tune) // thin
        made: NDArray[np.int64] = np.where(self.takes_part, np.clip(rows - self.first, 0, self.rows), 0)
        return made


class OnDevice:
    """Chains in the memory of a device.

    Parameters
    ----------
    jobs : Chains
        Begun and wired.

    Attributes
    ----------
    done : ndarray of int64, shape (chains,)
        Draws that each chain has made, as far as launches were awaited.
    active : ndarray of bool, shape (chains,)
        Whether it can go on.
    whole : bool
        Whether every chain is between two draws, as a snapshot must find it.
    room : int
        Draws of a launch at most.
    tune : int
        Draws of warm-up.
    """

    def __init__(self, jobs: Chains) -> None:
        self._jobs, count, self.tune = jobs, len(jobs), int(jobs.every.tune[0])
        called = calls_of(jobs)
        columns, statistics, self._thin = jobs.held
        rows = rows_for([*columns, *statistics], count)
        self.room = rows * self._thin
        self._draws = [Draws(some, count, rows) for some in (columns, statistics)]
        self._phases = Phases(jobs.together)
        self._mirror = Mirror(jobs.arrays | self._phases.arrays | jobs.bound.arrays, called.numbers)
        words = words_of_arena(jobs.bound)
        needed = self._mirror.nbytes + 8 * (count + 1) * words + sum(draws.nbytes for draws in self._draws) + 16 * count
        backend.check_memory(needed, f"{count} chains of {8 * jobs.state.shape[1]} bytes, their draws and the data")
        self._mirror.make({"block": jobs.words_of_streams})
        self._phases.make(self._mirror)
        self._chunks = give_arenas(self._mirror, words)
        for draws in self._draws:
            draws.make()
        self._rows = rows
        self._ends, self._seen = cuda.to_device(np.zeros(2 * count, np.int64)), cuda.pinned_array(2 * count, np.int64)
        self._stream, self._buffer, self.whole = cuda.stream(), 0, True
        self._kernel = backend.compiled(python_kernel(jobs.bound.on_device(), called))
        self.done, self.active = jobs.progress["done"].copy(), np.ones(count, bool)

    def launch(self, start: int, until: int) -> Launch:
        """Have the chains that have made `start` draws go on to draw `until`, all in warm-up or all after it."""
        warm, buffer = start < self.tune, self._buffer
        before = 0 if warm else self.tune
        thin = 1 if warm else self._thin
        first, last = ((draw - before) // thin for draw in (start, until))
        blocks, size = self._mirror.address("block"), self._mirror.bytes_of_row("block")
        homes = [draws.homes[buffer][warm] for draws in self._draws]
        try:
            with backend.launching():
                launched, tied = self._kernel[(*grid_for(len(self.done)), self._stream)], int(len(self._phases) > 0)
                for goal in range(start + 1, until + 1) if tied else [until]:
                    launched(blocks, size, goal, self._rows, first, int(warm), tied, *homes, self._ends)
                    self._phases.launch(goal - 1, self._stream)
        except Exception as error:  # of the compiler's, at the first launch
            raise explained(error, self._jobs.bound.definition) from error
        for draws in self._draws:
            draws.send(buffer, self._stream)
        self._ends.copy_to_host(self._seen, stream=self._stream)
        self._buffer = 1 - buffer
        return Launch(buffer, warm, first, last - first, self.active & (self.done == start))

    def wait(self) -> NDArray[np.int64]:
        """Wait for what was launched; return the progress lines as they are then."""
        self._stream.synchronize()
        ends, failed = self._seen.reshape(-1, 2).T
        self._jobs.every.status, self.active = ends, ends == _OK
        if failed.any():
            self._take_failures()
        stopped = self._mirror.fetch("stop")[0, 0] != 0
        self.whole = not stopped and bool((ends <= int(Status.STOPPED)).all())
        if stopped:
            self._jobs.stop[0] = 1
        lines = self._mirror.fetch("lines")
        self.done = lines.view(Progress)["done"][:, 0]
        return lines

    def _take_failures(self) -> None:
        """Let the host know of evaluations that raised, and the device of nothing."""
        contexts = self._mirror.fetch("contexts")
        check_arenas(self._mirror)
        self._jobs.bound.take_failures(contexts, self._mirror.fetch("failures"))
        contexts[:, failures.FAILED] = 0
        self._mirror.put("contexts", contexts)

    def write(self, launch: Launch, lines: NDArray[np.int64]) -> None:
        """Write the rows of a launch that was awaited to the trace, and then publish how far the chains are."""
        counts = launch.made(lines, self.tune, self._thin)
        for draws in self._draws:
            draws.write(launch.buffer, launch.warm, launch.first, counts)
        self._mirror.take("lines", lines)

    def take_blocks(self) -> None:
        """Have the blocks of the host be as those of the device are, with addresses of the host."""
        done = self._jobs.progress["done"].copy()
        self._mirror.take("block", self._mirror.fetch("block"))
        self._jobs.wire(*self._jobs.held)
        self._jobs.progress["done"] = done


def run_for_now(jobs: Chains, until: int, display: Display) -> Outcome:
    """Advance all chains to draw `until` on the device, or until their stop word is set.

    Display and stop word are left for what comes after.

    Parameters
    ----------
    jobs : Chains
        Wired and begun, with steps that `check` has let pass.
    until : int
        Draws to reach, warm-up included.
    display : Display
        Shown the progress lines.

    Returns
    -------
    outcome : Outcome
        Everything finished is where the chains write it, whatever happened.

    Raises
    ------
    CudaError
        If there is no device, or not enough of its memory; before anything is launched.
    CompileError
        If a function of the model's cannot be compiled for it.
    """
    backend.require()
    outcome, device = Outcome(), OnDevice(jobs)
    _advance_all(device, jobs, until, display, outcome)
    device.take_blocks()
    if jobs.snapshots is not None and device.whole:
        jobs.snapshots.keep(jobs.state)
    outcome.interrupted = bool((jobs.progress["done"] < until).any())
    look_at_statuses(jobs, outcome)
    return outcome


def _advance_all(device: OnDevice, jobs: Chains, until: int, display: Display, outcome: Outcome) -> None:
    """Launch and collect until there is nothing left to do: the rows of a launch are written during the next one."""
    pieces, waiting = 1, None
    while True:
        behind = device.active & (device.done < until)
        goes_on = bool(behind.any()) and not jobs.stop[0]
        begin = time.monotonic()
        launch = device.launch(*_span(device, behind, pieces, until)) if goes_on else None
        if waiting is not None:
            device.write(*waiting)
            display.update(jobs.progress)
            look(jobs, outcome)
        if launch is None:
            return
        waiting = launch, device.wait()
        seconds = time.monotonic() - begin
        pieces = _next_pieces(pieces, seconds, device.room)
        if jobs.snapshots is not None and jobs.snapshots.is_asked and device.whole:
            device.write(*waiting)
            device.take_blocks()
            jobs.snapshots.keep(jobs.state)


def _next_pieces(pieces: int, seconds: float, most: int) -> int:
    """Return how many draws the next launch should make, given how long one of so many took."""
    if seconds < _SHORT:
        return min(2 * pieces, most)
    return max(pieces // 2, 1) if seconds > _LONG else pieces


def _span(device: OnDevice, behind: NDArray[np.bool_], pieces: int, until: int) -> tuple[int, int]:
    """Return which draws come next: of the chains that are behind the others, of one phase, and no more than fit."""
    start = int(device.done[behind].min())
    ahead = device.done[behind & (device.done > start)]
    limits = [start + min(pieces, device.room), until, *(ahead.min(keepdims=True) if ahead.size else ())]
    return start, int(min(limits + ([device.tune] if start < device.tune else [])))


def calls_of(jobs: Chains) -> Called:
    """Return what the chains of a run call by address on the host."""
    every = jobs.every
    engines = [step.engine for step in jobs.steps]
    wants = {step.method.uses_gradient for step in jobs.steps}
    density, value, record = int(every.density[0]), int(every.value[0]), int(every.record_function[0])
    parts = [k for k, engine in enumerate(engines) if isinstance(engine, SubsetStep)]
    return Called(
        density if True in wants else 0, 0 if value == density and True in wants else value, record,
        [engine.function for engine in engines], [engines[k].inner.function for k in parts],
        others([jobs.own(k) for k in range(len(jobs.steps))]),
    )  # fmt: skip

"""A sweep: functions evaluated at many draws, by workers that share these out among themselves.

An item is one draw to evaluate at: where its values are, which stream its random numbers come from, where what comes of
it goes. A piece is a chunk of items. Chunks go round: job k of n takes chunks k, k + n, ..., so that the jobs, which
advance together, leave no gap behind them. No result depends on how many jobs there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import (
    Record,
    address_of,
    call_record,
    entry,
    ints_at,
    kernel,
    load_acquire,
    record_at,
    store_release,
)
from nbinfer.engine.failures import Point
from nbinfer.engine.job import JOB, Status
from nbinfer.engine.jobs import Jobs
from nbinfer.engine.state import Plan, State, integers
from nbinfer.model.code.of_draws import CURRENT, GENERATOR, STREAM, Output, words_of
from nbinfer.random import Purpose, generator_functions, start

#: Items in a chunk.
CHUNK = 16

#: An item: row and draw of its values in the arrays of parameters; chain and draw of its stream; place of its results.
Item = np.dtype([("row", "i8"), ("draw", "i8"), ("chain", "i8"), ("number", "i8"), ("place", "i8")])
_ITEM_FIELDS = len(Item.names or ())

#: What there is of each array of parameters: address, bytes from chain to chain and from draw to draw, 8-byte words.
ARRAY_FIELDS = 4

#: What a job keeps.
SWEEP = State(
    base=JOB,
    leads=True,
    fields={
        "function": "i8",  # C function, see `nbinfer.model.code.of_draws`, and its context
        "context": "i8",
        "n_values": "i8",  # words of a draw
        "arrays": "i8",  # address, of all arrays of parameters
        "n_arrays": "i8",
        "items": "i8",  # address
        "n_items": "i8",
        "n_jobs": "i8",
        "n_outputs": "i8",
        "outputs": "i8",  # address: of each function, word in `given`, address and bytes of one value
        "n_given": "i8",
        "failed_at": "i8",  # item at which the function returned this
        "failed_with": "i8",
    },
    parts={
        "values": integers(lambda sweep, site: sweep.n_values),
        "given": integers(lambda sweep, site: sweep.n_given),
    },
)
Sweep = SWEEP.record
OUTPUT_FIELDS = 3

_PREDICT = int(Purpose.PREDICT)
_OK, _STOPPED, _RAISED = int(Status.OK), int(Status.STOPPED), int(Status.RAISED)


@kernel
def _gather(sweep: Record, row: int, draw: int) -> None:
    """Copy the values of a draw, whatever their types, into one row."""
    arrays = ints_at(sweep.arrays, ARRAY_FIELDS * sweep.n_arrays)
    values = ints_at(sweep.values, sweep.n_values)
    at = 0
    for k in range(sweep.n_arrays):
        field = ARRAY_FIELDS * k
        count = arrays[field + 3]
        source = ints_at(arrays[field] + row * arrays[field + 1] + draw * arrays[field + 2], count)
        for i in range(count):
            values[at + i] = source[i]
        at += count


@kernel
def _evaluate(sweep: Record, which: int) -> int:
    """Evaluate at one item."""
    item = ints_at(sweep.items + 8 * _ITEM_FIELDS * which, _ITEM_FIELDS)
    _gather(sweep, item[0], item[1])
    start(sweep.words, item[3], item[2], _PREDICT)
    given, outputs = ints_at(sweep.given, sweep.n_given), ints_at(sweep.outputs, OUTPUT_FIELDS * sweep.n_outputs)
    for k in range(sweep.n_outputs):
        field = OUTPUT_FIELDS * k
        given[outputs[field]] = outputs[field + 1] + item[4] * outputs[field + 2]
    return call_record(sweep.function, sweep.n_given, sweep.values, sweep.given, sweep.context)


@entry("int64(intp, int64)")
def advance(address: int, until: int) -> int:
    """Evaluate at the items of all chunks up to a piece, which is published.

    Returns
    -------
    status : int
    """
    sweep = record_at(address, Sweep)
    while sweep.done < until:
        first = CHUNK * (sweep.done * sweep.n_jobs + sweep.number)
        for which in range(first, min(first + CHUNK, sweep.n_items)):
            if load_acquire(sweep.stop) != 0:
                return _STOPPED
            status = _evaluate(sweep, which)
            if status != 0:
                sweep.failed_at = which
                sweep.failed_with = status
                return _RAISED
        sweep.done += 1
        store_release(sweep.progress, sweep.done)
    return _OK


class Sweeping(Jobs):
    """The jobs of a sweep.

    Parameters
    ----------
    function : int
        Address of the C function.
    contexts : ndarray of int64, shape (jobs,)
        Address of what it reads, of each job.
    arrays : sequence of ndarray, shape (chain, draw, ...)
        Of each parameter, 8 bytes for each element; those of a draw lie one after the other.
    items : ndarray of Item, shape (n,)
    outputs : sequence of (Output, ndarray of shape (place, ...))
        Where the values of each function go.
    numbers : sequence of int
        Of each function, which numbers of a stream are its own, see `nbinfer.random.enter`.
    key : ndarray
        Of the streams.
    jobs : int
    explain : callable
        From item, number of the function and what the C function returned to an error.
    """

    def __init__(
        self,
        function: int,
        contexts: NDArray[np.int64],
        arrays: Sequence[NDArray[Any]],
        items: NDArray[Any],
        outputs: Sequence[tuple[Output, NDArray[Any]]],
        numbers: Sequence[int],
        key: NDArray[np.uint64],
        jobs: int,
        explain: Callable[[int, int, int], BaseException],
    ) -> None:
        starts = words_of([output for output, _ in outputs])
        sizes = [array[0, 0].size if array.size else 0 for array in arrays]
        self.n_values, self.n_given = sum(sizes), starts[-1]
        plan = Plan()
        header = plan.place(SWEEP, self, None)
        super().__init__(_Quiet, plan, header, advance.address, range(jobs), [key] * jobs)
        self.connect()
        self.items, self._explain = items, explain
        strides = [[array.ctypes.data, *array.strides[:2], size] for array, size in zip(arrays, sizes, strict=True)]
        self._arrays = np.array(strides, np.int64).reshape(-1)
        places = zip(starts, outputs, strict=False)
        self._outputs = np.array([[at + 1, memory.ctypes.data, memory.strides[0]] for at, (_, memory) in places])
        self._held = arrays, outputs
        every = self.every
        every.function, every.context, every.n_values, every.n_given = function, contexts, self.n_values, self.n_given
        every.arrays, every.n_arrays = address_of(self._arrays), len(arrays)
        every.items, every.n_items, every.n_jobs = address_of(items), len(items), jobs
        every.outputs, every.n_outputs = address_of(self._outputs), len(outputs)
        given = every.given
        given[:, STREAM], given[:, GENERATOR] = every.record["words"], generator_functions()
        for at, number, (output, _) in zip(starts, numbers, outputs, strict=False):
            given[:, at] = number
            given[:, at + 2 : at + 2 + len(output.shape)] = output.shape

    @property
    def pieces(self) -> int:
        """Chunks of each job, the last of which may be empty."""
        return -(-len(self.items) // (CHUNK * len(self)))

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Whether each item is finished, shape (n,)."""
        chunk = np.arange(len(self.items)) // CHUNK
        return chunk // len(self) < self.progress["done"][chunk % len(self)]

    def failure(self, job: int) -> tuple[BaseException, Point | None]:
        own = self[job]
        return self._explain(int(own.failed_at), int(own.given[CURRENT]), int(own.failed_with)), None


class _Quiet:
    """No density is evaluated, so that none fails."""

    failed_chains: Sequence[int] = ()

r"""Passes over draws, by workers: their scores, and sums of the Stein kernel over pairs of them.

.. math:: k_p(x, y) = k\, s_x \cdot s_y + s_x \cdot \nabla_y k + s_y \cdot \nabla_x k + \nabla_x \cdot \nabla_y k

k is a kernel of the distance, s the gradient of log p. Its mean over draws of p is 0 at any x, and that over all pairs
of draws is the squared kernel Stein discrepancy. Rows of pairs are made where they are needed, and none is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import (
    Record,
    address_of,
    aligned,
    call_density,
    call_step,
    entry,
    floats_at,
    ints_at,
    kernel,
    load_acquire,
    record_at,
    store_release,
)
from nbinfer.engine.failures import Point
from nbinfer.engine.job import JOB, Status
from nbinfer.engine.jobs import Jobs, Phase
from nbinfer.engine.state import BLOCK, Memory, Plan, State
from nbinfer.errors import SamplingError
from nbinfer.variational.stein.kernels import RadialKernel
from nbinfer.variational.stein.state import Tile, claimed

Floats = NDArray[np.float64]

#: Draws of a piece of a pass for scores, and of a block of what workers share out.
CHUNK, BLOCK_OF_DRAWS = 512, 32
#: Draws whose pairs with one are made at once.
STRIP = 256

_OK, _STOPPED = int(Status.OK), int(Status.STOPPED)

#: A pass: the header of its block.
PASS = State(
    base=JOB,
    leads=True,
    fields={
        "density": "i8",  # C function, contexts of workers, their number, and who has which
        "contexts": "i8",
        "n_contexts": "i8",
        "claims": "i8",
        "n": "i8",  # draws
        "dim": "i8",
        "points": "i8",  # addresses, by rows
        "scores": "i8",
        "logps": "i8",
        "turned": "i8",  # points and then scores in the coordinates of the metric, by columns
        "weigh": "i8",  # C function of the kernel, its record, its bandwidth
        "own": "i8",
        "bandwidth": "f8",
        "scratch": "i8",  # for each block
        "sums": "i8",  # over the draws that are chosen, of each draw's pairs with these
        "halves": "i8",  # half of each draw's pair with itself
        "least": "i8",  # the smallest value of a strip, and the draw that has it
        "chosen": "i8",  # draws, and their values
        "values": "i8",
        "table": "i8",  # rows of pairs of some draws, and the first of these
    },
)
Pass_ = PASS.record
#: A tile, and seven rows of a strip.
_SCRATCH = 8 + 7 * STRIP


@entry("int64(intp, int64, int64)")
def evaluate(address: int, row: int, piece: int) -> int:
    """Evaluate log density and score at a block of draws: a phase."""
    own = record_at(address, Pass_)
    dim, logps = own.dim, floats_at(own.logps, own.n)
    k = claimed(own)
    context = ints_at(own.contexts, own.n_contexts)[k]
    first = piece * CHUNK + row * BLOCK_OF_DRAWS
    for i in range(first, min(first + BLOCK_OF_DRAWS, own.n)):
        logps[i] = call_density(own.density, dim, own.points + 8 * i * dim, own.scores + 8 * i * dim, context)
    store_release(own.claims + 8 * k, 0)
    return _OK


@entry("int64(intp, int64, int64)")
def publish(address: int, row: int, piece: int) -> int:
    """Count a piece: a phase of one row."""
    own = record_at(address, Pass_)
    if load_acquire(own.stop) != 0:
        return _STOPPED
    own.done = piece + 1
    store_release(own.progress, own.done)
    return _OK


@kernel(reassociate=True)
def _sum_over_coordinates(own: Record, i: int, first: int, count: int, sums: int) -> None:
    """Write of pairs of a draw their squared distance, the product of scores, and that of differences of both."""
    n, dim = own.n, own.dim
    squared, products = floats_at(sums, count), floats_at(sums + 8 * STRIP, count)
    along = floats_at(sums + 16 * STRIP, count)
    for j in range(count):
        squared[j] = 0.0
        products[j] = 0.0
        along[j] = 0.0
    for c in range(dim):
        x, s = floats_at(own.turned + 8 * c * n, n), floats_at(own.turned + 8 * (dim + c) * n, n)
        here, slope = x[i], s[i]
        for j in range(count):
            apart, other = here - x[first + j], s[first + j]
            squared[j] += apart * apart
            products[j] += slope * other
            along[j] += (slope - other) * apart


@kernel
def stein_row(own: Record, i: int, first: int, count: int, scratch: int, values: int) -> None:
    """Write the Stein kernel of a draw and some others, a strip at most."""
    tile, sums = record_at(scratch, Tile), scratch + 64
    _sum_over_coordinates(own, i, first, count, sums)
    tile.n, tile.bandwidth, tile.distances = count, own.bandwidth, sums
    tile.values, tile.slopes, tile.curves = sums + 24 * STRIP, sums + 32 * STRIP, sums + 40 * STRIP
    call_step(own.weigh, scratch, own.own)
    squared, products = floats_at(sums, count), floats_at(sums + 8 * STRIP, count)
    along, k = floats_at(sums + 16 * STRIP, count), floats_at(tile.values, count)
    slopes, curves, found = floats_at(tile.slopes, count), floats_at(tile.curves, count), floats_at(values, count)
    for j in range(count):
        found[j] = k[j] * products[j] + slopes[j] * (along[j] + own.dim) - squared[j] * curves[j]


@entry("int64(intp, int64, int64)")
def tabulate(address: int, row: int, piece: int) -> int:
    """Write the Stein kernel of one of some draws and all others: a phase."""
    own = record_at(address, Pass_)
    words = ints_at(own.table, 2)
    n, scratch, i = own.n, own.scratch + 8 * row * _SCRATCH, words[1] + row
    for first in range(0, n, STRIP):
        stein_row(own, i, first, min(STRIP, n - first), scratch, words[0] + 8 * (row * n + first))
    return _OK


@entry("int64(intp, int64, int64)")
def add_chosen(address: int, row: int, piece: int) -> int:
    """Add the pairs of a strip of draws with the one that was chosen last; find the best of them: a phase."""
    own = record_at(address, Pass_)
    n, first = own.n, row * STRIP
    count, scratch = min(STRIP, n - first), own.scratch + 8 * row * _SCRATCH
    sums, halves = floats_at(own.sums + 8 * first, count), floats_at(own.halves + 8 * first, count)
    if piece > 0:
        pairs = scratch + 64 + 48 * STRIP
        stein_row(own, ints_at(own.chosen, piece)[piece - 1], first, count, scratch, pairs)
        added = floats_at(pairs, count)
        for j in range(count):
            sums[j] += added[j]
    best = 0
    for j in range(count):
        if halves[j] + sums[j] < halves[best] + sums[best]:
            best = j
    floats_at(own.least + 16 * row, 1)[0] = halves[best] + sums[best]
    ints_at(own.least + 16 * row + 8, 1)[0] = first + best
    return _OK


@entry("int64(intp, int64, int64)")
def choose(address: int, row: int, piece: int) -> int:
    """Choose the draw that all pairs make smallest, the first of several: a phase of one row."""
    own = record_at(address, Pass_)
    best = 0
    for k in range(1, -(-own.n // STRIP)):
        if floats_at(own.least + 16 * k, 1)[0] < floats_at(own.least + 16 * best, 1)[0]:
            best = k
    ints_at(own.chosen, piece + 1)[piece] = ints_at(own.least + 16 * best + 8, 1)[0]
    floats_at(own.values, piece + 1)[piece] = floats_at(own.least + 16 * best, 1)[0]
    return _OK


class Quiet:
    """What is bound where no density is evaluated: none fails."""

    failed_chains: Sequence[int] = ()


class Pass(Jobs):
    """What workers do with draws; made ready by `evaluate`, `choose` or `tabulate`.

    Parameters
    ----------
    bound : Bound
        With a context for each worker.
    points, scores : ndarray, shape (n, dim)
        The latter are written by `evaluate`.
    workers : int
    """

    def __init__(self, bound: Any, points: Floats, scores: Floats, workers: int) -> None:
        plan = Plan()
        header = plan.place(PASS, self, None)
        super().__init__(bound, plan, header, 0, [0], [np.zeros(2, np.uint64)])
        self._held: list[Any] = [points, scores]
        self._parts: list[tuple[Any, int]] = []
        self.connect()
        own = self[0]
        own.n, own.dim = points.shape
        own.points, own.scores, own.n_contexts = address_of(points), address_of(scores), workers

    @property
    def phases(self) -> list[Phase]:
        address = address_of(self.state)
        return [Phase(function.address, address, rows) for function, rows in [*self._parts, (publish, 1)]]

    def _hold(self, *arrays: np.ndarray) -> list[int]:
        self._held += arrays
        return [address_of(array) for array in arrays]

    def _load(self, *parts: tuple[Any, int]) -> None:
        for function, _ in (*parts, (publish, 1)):
            function.load()
        self._parts = list(parts)

    def evaluate(self, logps: Floats) -> None:
        """Have pieces be chunks of draws, of which log densities and scores are written."""
        own, bound = self[0], self.bound
        contexts = np.array([bound.context(k) for k in range(int(own.n_contexts))], np.int64)
        claims = aligned(1, len(contexts), np.int64)[0]
        own.density = bound.density
        own.contexts, own.claims, own.logps = self._hold(contexts, claims, logps)
        self._load((evaluate, CHUNK // BLOCK_OF_DRAWS))

    def take(self, kernel: RadialKernel, bandwidth: float, points: Floats, scores: Floats) -> None:
        """Have a kernel, and points and scores in its coordinates."""
        own, plan = self[0], Plan()
        place = plan.place(kernel.state, kernel, None)
        memory = np.zeros(plan.sizes[BLOCK], np.int64)
        kernel.initialise(Memory(place, memory, memory))
        kernel.weigh.load()
        turned = np.concatenate([points.T, scores.T])
        own.weigh, own.bandwidth = kernel.weigh.address, bandwidth
        own.own, own.turned = self._hold(memory, np.ascontiguousarray(turned))

    def choose(self, halves: Floats, chosen: NDArray[np.int64], values: Floats) -> None:
        """Have piece k write the k-th draw that is chosen, and half its pair with itself and those with all before.

        Parameters
        ----------
        halves : ndarray, shape (n,)
            Half of each draw's pair with itself.
        chosen, values : ndarray, shape (pieces,)
        """
        own, strips = self[0], -(-len(halves) // STRIP)
        arrays = np.zeros(len(halves)), halves, np.zeros((strips, 2)), chosen, values, np.zeros(strips * _SCRATCH)
        own.sums, own.halves, own.least, own.chosen, own.values, own.scratch = self._hold(*arrays)
        self._load((add_chosen, strips), (choose, 1))

    def tabulate(self, first: int, table: Floats) -> None:
        """Have one piece write the pairs of draws from `first` on with all, shape (some, n)."""
        own = self[0]
        words = np.array([address_of(table), first], np.int64)
        own.table, own.scratch = self._hold(words, np.zeros(len(table) * _SCRATCH))
        self._load((tabulate, len(table)))
        own.done = self.progress["done"][0] = self.stop[0] = 0

    def failure(self, job: int) -> tuple[BaseException, Point | None]:
        return SamplingError("a pass over draws has failed."), None

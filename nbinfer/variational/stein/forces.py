r"""Forces on particles: up the density, and away from each other.

.. math:: \phi_i = \frac1n \sum_j \Big[\frac1T k(x_j, x_i) \nabla\log p(x_j) + \nabla_{x_j} k(x_j, x_i)\Big]

Of a kernel that depends on the squared distance alone the second term is a weight times the difference of the two, and
no table of pairs is made. Such a kernel is symmetric: each pair is weighed once, and adds to the sums of both. For that
two sections of particles meet at a time, as at a tournament: in round r those whose numbers add up to r, up to a
multiple of the number of sections. Each is in one meeting of a round, and in the end every two have met.
"""

from __future__ import annotations

import numpy as np

from nbinfer.compile import Record, call_step, entry, floats_at, kernel, part, record_at
from nbinfer.variational.stein.pairs import add_weighted, gather_weighted, scatter_weighted, write_distances
from nbinfer.variational.stein.state import (
    ROWS,
    TILE_WORDS,
    Numbers,
    Stein_,
    Tile,
    doubles,
    end_of,
    panel_of,
    singles,
    width_of,
)

#: A round: the address of what all phases share, and its number.
Round = np.dtype([("stein", "i8"), ("number", "i8")], align=True)


@kernel
def _weigh(stein: Record, numbers: Numbers, task: int, n: int) -> None:
    """Turn squared distances into values, and write slopes if these are others."""
    batch = ROWS * stein.tile
    place = stein.tables + 8 * task * stein.table
    tile = record_at(place, Tile)
    tile.n, tile.bandwidth, tile.curves = n, stein.bandwidth, 0
    if stein.gauss != 0:
        tile.distances = stein.numbers + (4 if stein.is_single != 0 else 8) * (stein.values + task * batch)
        call_step(stein.gauss, place, 0)
        return
    tile.distances = place + 8 * TILE_WORDS
    tile.values, tile.slopes = tile.distances + 8 * batch, tile.distances + 16 * batch
    values, slopes = part(numbers, stein.values + task * batch, (n,)), part(numbers, stein.slopes + task * batch, (n,))
    distances, found, steep = floats_at(tile.distances, n), floats_at(tile.values, n), floats_at(tile.slopes, n)
    for i in range(n):
        distances[i] = values[i]
    call_step(stein.weigh, place, stein.own)
    for i in range(n):
        values[i] = found[i]
        slopes[i] = steep[i]


@kernel
def _add(
    stein: Record, numbers: Numbers, of: int, weights: Numbers, one: int, other: int, first: int, count: int
) -> None:
    """Add to the sums of some particles of a tile, and to those of another one, what they have for each other.

    Of a tile and itself the weights are those from the first particle on, and those meant need nothing twice.
    """
    n, width, height = width_of(stein, one), width_of(stein, other), stein.features
    begin, skipped = (first, count) if one == other else (0, 0)
    theirs = panel_of(stein, numbers, of, height, other)
    sums = panel_of(stein, numbers, stein.sums, height, one)
    gather_weighted(weights, count, theirs, width, begin, height, sums, n, first)
    ours, sums = panel_of(stein, numbers, of, height, one), panel_of(stein, numbers, stein.sums, height, other)
    scatter_weighted(weights, count, ours, n, first, height, sums, width, begin, skipped)


@kernel
def _meet(stein: Record, numbers: Numbers, task: int, one: int, other: int) -> None:
    """Go through the pairs of two tiles, or of one with itself."""
    n, width, height, batch = width_of(stein, one), width_of(stein, other), stein.coordinates, ROWS * stein.tile
    if width == 0:
        return
    rows = panel_of(stein, numbers, stein.places, height, one)
    panel = panel_of(stein, numbers, stein.places, height, other)
    values = part(numbers, stein.values + task * batch, (batch,))
    for first in range(0, n, ROWS):
        count, begin = min(ROWS, n - first), first if one == other else 0
        write_distances(rows, n, first, count, panel, width, begin, height, values)
        _weigh(stein, numbers, task, count * (width - begin))
        _add(stein, numbers, stein.pulls, values, one, other, first, count)
        if stein.gauss == 0:
            slopes = part(numbers, stein.slopes + task * batch, (batch,))
            _add(stein, numbers, stein.pushes, slopes, one, other, first, count)


@kernel
def _push(stein: Record, numbers: Numbers, number: int, one: int) -> int:
    """Go through the pairs of a section and the one that a round has for it, unless they are the other's part."""
    other = (number - one) % stein.n_sections
    if other < one:
        return 0
    for i in range(one * stein.section, (one + 1) * stein.section):
        begin = i if one == other else other * stein.section
        for j in range(begin, (other + 1) * stein.section):
            _meet(stein, numbers, one, i, j)
    return 0


@entry("int64(intp, int64, int64)")
def push(address: int, section: int, piece: int) -> int:
    """Have a section meet the one that this round has for it: a phase."""
    turn = record_at(address, Round)
    stein = record_at(turn.stein, Stein_)
    return _push(stein, doubles(stein), turn.number, section)


@entry("int64(intp, int64, int64)")
def push_singles(address: int, section: int, piece: int) -> int:
    """Do so in float32: a phase."""
    turn = record_at(address, Round)
    stein = record_at(turn.stein, Stein_)
    return _push(stein, singles(stein), turn.number, section)


@kernel
def _clear(address: int, count: int) -> None:
    numbers = floats_at(address, count)
    for i in range(count):
        numbers[i] = 0.0


@entry("int64(intp, int64, int64)")
def push_given(address: int, block: int, piece: int) -> int:
    """Write the forces on the particles of a block, by a table of the kernel and its derivatives: a phase."""
    stein = record_at(address, Stein_)
    count, dim = stein.count, stein.dim
    sums = floats_at(stein.given, (count + 1) * dim)
    for i in range(block * stein.block, end_of(stein, block), 2):
        force, row = stein.forces + 8 * i * dim, stein.matrix + 8 * i * count
        _clear(force, 2 * dim)
        add_weighted(force, stein.scores, dim, count, row, row + 8 * count)
        phi = floats_at(force, 2 * dim)
        for c in range(2 * dim):
            phi[c] = (phi[c] / stein.temperature + sums[i * dim + c]) / count
    return 0

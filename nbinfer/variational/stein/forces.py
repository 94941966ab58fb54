r"""Forces on particles: up the density, and away from each other.

.. math:: \phi_i = \frac1n \sum_j \Big[\frac1T k(x_j, x_i) \nabla\log p(x_j) + \nabla_{x_j} k(x_j, x_i)\Big]

Of a kernel that depends on the squared distance alone the second term is a weight times the difference of the two, and
no table of pairs is made.
"""

from __future__ import annotations

from nbinfer.compile import call_step, entry, floats_at, kernel, record_at
from nbinfer.variational.stein.pairs import add_weighted, squared_distances
from nbinfer.variational.stein.state import TILE, Stein_, Tile, end_of, scratch_of

_HEAD = 8  # words of a scratch that the tile's record may take


@kernel
def _clear(address: int, count: int) -> None:
    numbers = floats_at(address, count)
    for i in range(count):
        numbers[i] = 0.0


@kernel(reassociate=True)
def _total(address: int, count: int) -> float:
    numbers, total = floats_at(address, count), 0.0
    for i in range(count):
        total += numbers[i]
    return total


@entry("int64(intp, int64, int64)")
def push(address: int, block: int, piece: int) -> int:
    """Write the forces on the particles of a block, by a kernel of squared distances: a phase."""
    stein = record_at(address, Stein_)
    count, dim = stein.count, stein.dim
    scratch = stein.scratch + 8 * block * scratch_of(dim)
    tile, squared = record_at(scratch, Tile), scratch + 8 * _HEAD
    values, slopes, pulls = squared + 16 * TILE, squared + 32 * TILE, squared + 48 * TILE
    tile.n, tile.bandwidth, tile.curves = 2 * TILE, stein.bandwidth, 0
    tile.distances, tile.values, tile.slopes = squared, values, slopes
    pull, points, forces = floats_at(pulls, 2 * dim), floats_at(stein.points, (count + 1) * dim), stein.forces
    for i in range(block * stein.block, end_of(stein, block), 2):
        point, force = stein.points + 8 * i * dim, forces + 8 * i * dim
        _clear(pulls, 2 * dim)
        _clear(force, 2 * dim)
        one, two = 0.0, 0.0
        for t in range(-(-count // TILE)):
            panel, rows, m = stein.panels + 8 * t * TILE * dim, 8 * t * TILE * dim, min(TILE, count - t * TILE)
            squared_distances(point, panel, dim, squared)
            call_step(stein.weigh, scratch, stein.own)
            add_weighted(force, stein.scores + rows, dim, m, values, values + 8 * TILE)
            add_weighted(pulls, stein.points + rows, dim, m, slopes, slopes + 8 * TILE)
            one += _total(slopes, m)
            two += _total(slopes + 8 * TILE, m)
        phi = floats_at(force, 2 * dim)
        for c in range(dim):
            there = i * dim + c
            phi[c] = (phi[c] / stein.temperature + (one * points[there] - pull[c])) / count
            phi[dim + c] = (phi[dim + c] / stein.temperature + (two * points[there + dim] - pull[dim + c])) / count
    return 0


@entry("int64(intp, int64, int64)")
def push_given(address: int, block: int, piece: int) -> int:
    """Write the forces on the particles of a block, by a table of the kernel and its derivatives: a phase."""
    stein = record_at(address, Stein_)
    count, dim = stein.count, stein.dim
    sums = floats_at(stein.sums, (count + 1) * dim)
    for i in range(block * stein.block, end_of(stein, block), 2):
        force, row = stein.forces + 8 * i * dim, stein.matrix + 8 * i * count
        _clear(force, 2 * dim)
        add_weighted(force, stein.scores, dim, count, row, row + 8 * count)
        phi = floats_at(force, 2 * dim)
        for c in range(2 * dim):
            phi[c] = (phi[c] / stein.temperature + sums[i * dim + c]) / count
    return 0

"""Sums over pairs of particles: squared distances of one from many, and weighted sums of rows."""

from __future__ import annotations

from nbinfer.compile import floats_at, kernel
from nbinfer.variational.stein.state import TILE


@kernel(reassociate=True)
def fill_panels(points: int, count: int, dim: int, panels: int) -> None:
    """Lay out rows such that a coordinate of the particles of a tile is contiguous."""
    rows, to = floats_at(points, count * dim), floats_at(panels, -(-count // TILE) * TILE * dim)
    for j in range(count):
        tile, k = j // TILE, j % TILE
        for c in range(dim):
            to[(tile * dim + c) * TILE + k] = rows[j * dim + c]


@kernel(reassociate=True)
def squared_distances(point: int, panel: int, dim: int, distances: int) -> None:
    """Write the squared distances of two points from all points of a tile; by fours of coordinates, to load less."""
    x, p = floats_at(point, 2 * dim), floats_at(panel, dim * TILE)
    one, two = floats_at(distances, TILE), floats_at(distances + 8 * TILE, TILE)
    for k in range(TILE):
        one[k] = 0.0
        two[k] = 0.0
    whole = dim // 4 * 4
    for c in range(0, whole, 4):
        a, b, d, e = x[c], x[c + 1], x[c + 2], x[c + 3]
        f, g, h, i = x[dim + c], x[dim + c + 1], x[dim + c + 2], x[dim + c + 3]
        for k in range(TILE):
            q, r = p[c * TILE + k], p[(c + 1) * TILE + k]
            s, t = p[(c + 2) * TILE + k], p[(c + 3) * TILE + k]
            one[k] += ((a - q) * (a - q) + (b - r) * (b - r)) + ((d - s) * (d - s) + (e - t) * (e - t))
            two[k] += ((f - q) * (f - q) + (g - r) * (g - r)) + ((h - s) * (h - s) + (i - t) * (i - t))
    for c in range(whole, dim):
        a, f = x[c], x[dim + c]
        for k in range(TILE):
            q = p[c * TILE + k]
            one[k] += (a - q) * (a - q)
            two[k] += (f - q) * (f - q)


@kernel(reassociate=True)
def add_weighted(sums: int, rows: int, dim: int, count: int, first: int, second: int) -> None:
    """Add the sums of rows by two sets of weights to two rows; by fours of rows, to load and store less."""
    one, two = floats_at(sums, dim), floats_at(sums + 8 * dim, dim)
    s, v, w = floats_at(rows, count * dim), floats_at(first, count), floats_at(second, count)
    whole = count // 4 * 4
    for j in range(0, whole, 4):
        v0, v1, v2, v3 = v[j], v[j + 1], v[j + 2], v[j + 3]
        w0, w1, w2, w3 = w[j], w[j + 1], w[j + 2], w[j + 3]
        i0 = j * dim
        i1 = i0 + dim  # each from the one before: loops over them are faster
        i2 = i1 + dim
        i3 = i2 + dim
        for c in range(dim):
            a, b, d, e = s[i0 + c], s[i1 + c], s[i2 + c], s[i3 + c]
            one[c] += (v0 * a + v1 * b) + (v2 * d + v3 * e)
            two[c] += (w0 * a + w1 * b) + (w2 * d + w3 * e)
    for j in range(whole, count):
        for c in range(dim):
            one[c] += v[j] * s[j * dim + c]
            two[c] += w[j] * s[j * dim + c]

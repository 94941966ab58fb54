"""Sums over pairs of particles: squared distances, and weighted sums of rows.

Particles stand in panels: of the particles of a tile each coordinate is contiguous. Every loop goes over the particles
of one panel, for four of another one at a time and by fours of coordinates: so much stays in registers that processors
multiply about as fast as they can. Differences are taken before they are squared, so that nothing cancels. All this
works on float64 and float32 alike.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from nbinfer.compile import floats_at, kernel, part

#: float64 or float32.
Numbers = NDArray[Any]


@kernel
def coordinates_of(dim: int) -> int:
    """Return how many coordinates a panel of positions has: two, and fours besides; those beyond `dim` are 0."""
    return 2 + -(-max(dim - 2, 0) // 4) * 4


@kernel(reassociate=True)
def _begin_distances(rows: Numbers, width: int, panel: Numbers, stride: int, n: int, found: Numbers) -> None:
    """Write the squared distances by two coordinates; `rows` and `panel` begin at the first particles meant."""
    a0, a1, a2, a3 = rows[0], rows[1], rows[2], rows[3]
    b0, b1, b2, b3 = rows[width], rows[width + 1], rows[width + 2], rows[width + 3]
    p, q = part(panel, 0, (n,)), part(panel, stride, (n,))
    r0, r1, r2, r3 = part(found, 0, (n,)), part(found, n, (n,)), part(found, 2 * n, (n,)), part(found, 3 * n, (n,))
    for k in range(n):
        s, t = p[k], q[k]
        r0[k] = (a0 - s) * (a0 - s) + (b0 - t) * (b0 - t)
        r1[k] = (a1 - s) * (a1 - s) + (b1 - t) * (b1 - t)
        r2[k] = (a2 - s) * (a2 - s) + (b2 - t) * (b2 - t)
        r3[k] = (a3 - s) * (a3 - s) + (b3 - t) * (b3 - t)


@kernel(reassociate=True)
def _add_distances(rows: Numbers, width: int, panel: Numbers, stride: int, n: int, found: Numbers) -> None:
    """Add to squared distances what four more coordinates say."""
    a0, a1, a2, a3 = rows[0], rows[1], rows[2], rows[3]
    b0, b1, b2, b3 = rows[width], rows[width + 1], rows[width + 2], rows[width + 3]
    i = 2 * width
    c0, c1, c2, c3 = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
    i = 3 * width
    d0, d1, d2, d3 = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
    p0, p1 = part(panel, 0, (n,)), part(panel, stride, (n,))
    p2, p3 = part(panel, 2 * stride, (n,)), part(panel, 3 * stride, (n,))
    r0, r1, r2, r3 = part(found, 0, (n,)), part(found, n, (n,)), part(found, 2 * n, (n,)), part(found, 3 * n, (n,))
    for k in range(n):
        s, t, u, v = p0[k], p1[k], p2[k], p3[k]
        r0[k] += ((a0 - s) * (a0 - s) + (b0 - t) * (b0 - t)) + ((c0 - u) * (c0 - u) + (d0 - v) * (d0 - v))
        r1[k] += ((a1 - s) * (a1 - s) + (b1 - t) * (b1 - t)) + ((c1 - u) * (c1 - u) + (d1 - v) * (d1 - v))
        r2[k] += ((a2 - s) * (a2 - s) + (b2 - t) * (b2 - t)) + ((c2 - u) * (c2 - u) + (d2 - v) * (d2 - v))
        r3[k] += ((a3 - s) * (a3 - s) + (b3 - t) * (b3 - t)) + ((c3 - u) * (c3 - u) + (d3 - v) * (d3 - v))


@kernel
def write_distances(
    rows: Numbers,
    width: int,
    first: int,
    count: int,
    panel: Numbers,
    stride: int,
    begin: int,
    height: int,
    found: Numbers,
) -> None:
    """Write the squared distances of some particles of one panel from those of another one from `begin` on.

    Parameters
    ----------
    rows : ndarray, shape (height * width,)
        A panel of so many particles, of which those from `first` are meant.
    width, first : int
    count : int
        How many, a multiple of 4.
    panel : ndarray, shape (height * stride,)
        The other one.
    stride, begin : int
    height : int
        Coordinates, see `coordinates_of`.
    found : ndarray, shape (count * (stride - begin),)
    """
    n = stride - begin
    columns = part(panel, begin, (stride + n,))
    for i in range(0, count, 4):
        to = part(found, i * n, (4 * n,))
        _begin_distances(part(rows, first + i, (width + 4,)), width, columns, stride, n, to)
    for c in range(2, height, 4):
        columns = part(panel, c * stride + begin, (3 * stride + n,))
        for i in range(0, count, 4):
            of = part(rows, c * width + first + i, (3 * width + 4,))
            _add_distances(of, width, columns, stride, n, part(found, i * n, (4 * n,)))


@kernel(reassociate=True)
def write_shifted(panel: Numbers, width: int, first: int, shift: int, n: int, coordinates: int, found: Numbers) -> None:
    """Write the squared distances of some particles of a panel from those so many places later, and up to three more.

    Parameters
    ----------
    panel : ndarray, shape (coordinates * width,)
    width, first, shift : int
    n : int
        How many particles.
    coordinates : int
        See `coordinates_of`.
    found : ndarray, shape (4 * n,)
    """
    r0, r1, r2, r3 = part(found, 0, (n,)), part(found, n, (n,)), part(found, 2 * n, (n,)), part(found, 3 * n, (n,))
    for k in range(n):
        r0[k] = 0.0
        r1[k] = 0.0
        r2[k] = 0.0
        r3[k] = 0.0
    for c in range(0, coordinates, 2):
        p, q = part(panel, c * width + first, (n,)), part(panel, (c + 1) * width + first, (n,))
        s, t = part(panel, c * width + first + shift, (n + 3,)), part(panel, (c + 1) * width + first + shift, (n + 3,))
        for k in range(n):
            x, y = p[k], q[k]
            r0[k] += (x - s[k]) * (x - s[k]) + (y - t[k]) * (y - t[k])
            r1[k] += (x - s[k + 1]) * (x - s[k + 1]) + (y - t[k + 1]) * (y - t[k + 1])
            r2[k] += (x - s[k + 2]) * (x - s[k + 2]) + (y - t[k + 2]) * (y - t[k + 2])
            r3[k] += (x - s[k + 3]) * (x - s[k + 3]) + (y - t[k + 3]) * (y - t[k + 3])


@kernel(reassociate=True)
def _gather_four(weights: Numbers, panel: Numbers, stride: int, n: int, sums: Numbers, width: int) -> None:
    """Add the sums of four features by four rows of weights to four particles of a panel of sums."""
    w0, w1 = part(weights, 0, (n,)), part(weights, n, (n,))
    w2, w3 = part(weights, 2 * n, (n,)), part(weights, 3 * n, (n,))
    p0, p1 = part(panel, 0, (n,)), part(panel, stride, (n,))
    p2, p3 = part(panel, 2 * stride, (n,)), part(panel, 3 * stride, (n,))
    i, j, k = width, 2 * width, 3 * width
    a0, a1, a2, a3 = sums[0], sums[1], sums[2], sums[3]
    b0, b1, b2, b3 = sums[i], sums[i + 1], sums[i + 2], sums[i + 3]
    c0, c1, c2, c3 = sums[j], sums[j + 1], sums[j + 2], sums[j + 3]
    d0, d1, d2, d3 = sums[k], sums[k + 1], sums[k + 2], sums[k + 3]
    for t in range(n):
        x, y, z, w = w0[t], w1[t], w2[t], w3[t]
        p, q, r, s = p0[t], p1[t], p2[t], p3[t]
        a0 += x * p
        a1 += y * p
        a2 += z * p
        a3 += w * p
        b0 += x * q
        b1 += y * q
        b2 += z * q
        b3 += w * q
        c0 += x * r
        c1 += y * r
        c2 += z * r
        c3 += w * r
        d0 += x * s
        d1 += y * s
        d2 += z * s
        d3 += w * s
    sums[0], sums[1], sums[2], sums[3] = a0, a1, a2, a3
    sums[i], sums[i + 1], sums[i + 2], sums[i + 3] = b0, b1, b2, b3
    sums[j], sums[j + 1], sums[j + 2], sums[j + 3] = c0, c1, c2, c3
    sums[k], sums[k + 1], sums[k + 2], sums[k + 3] = d0, d1, d2, d3


@kernel
def gather_weighted(
    weights: Numbers,
    count: int,
    panel: Numbers,
    stride: int,
    begin: int,
    height: int,
    sums: Numbers,
    width: int,
    first: int,
) -> None:
    """Add to the sums of some particles the features of those of another panel from `begin` on, by weights of pairs.

    Parameters
    ----------
    weights : ndarray, shape (count * (stride - begin),)
    count : int
        How many particles, a multiple of 4.
    panel : ndarray, shape (height * stride,)
    stride, begin : int
    height : int
        Features, a multiple of 4.
    sums : ndarray, shape (height * width,)
        A panel of so many particles, of which those from `first` are meant.
    width, first : int
    """
    n = stride - begin
    for c in range(0, height, 4):
        columns = part(panel, c * stride + begin, (3 * stride + n,))
        for i in range(0, count, 4):
            to = part(sums, c * width + first + i, (3 * width + 4,))
            _gather_four(part(weights, i * n, (4 * n,)), columns, stride, n, to, width)


@kernel(reassociate=True)
def _scatter_four(weights: Numbers, every: int, rows: Numbers, width: int, sums: Numbers, stride: int, n: int) -> None:
    """Add four features of four particles by their weights to all particles of a panel of sums."""
    i, j, k = width, 2 * width, 3 * width
    a0, a1, a2, a3 = rows[0], rows[1], rows[2], rows[3]
    b0, b1, b2, b3 = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
    c0, c1, c2, c3 = rows[j], rows[j + 1], rows[j + 2], rows[j + 3]
    d0, d1, d2, d3 = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
    w0, w1 = part(weights, 0, (n,)), part(weights, every, (n,))
    w2, w3 = part(weights, 2 * every, (n,)), part(weights, 3 * every, (n,))
    p0, p1 = part(sums, 0, (n,)), part(sums, stride, (n,))
    p2, p3 = part(sums, 2 * stride, (n,)), part(sums, 3 * stride, (n,))
    for t in range(n):
        x, y, z, w = w0[t], w1[t], w2[t], w3[t]
        p0[t] += (a0 * x + a1 * y) + (a2 * z + a3 * w)
        p1[t] += (b0 * x + b1 * y) + (b2 * z + b3 * w)
        p2[t] += (c0 * x + c1 * y) + (c2 * z + c3 * w)
        p3[t] += (d0 * x + d1 * y) + (d2 * z + d3 * w)


@kernel
def scatter_weighted(
    weights: Numbers,
    count: int,
    rows: Numbers,
    width: int,
    first: int,
    height: int,
    sums: Numbers,
    stride: int,
    begin: int,
    skipped: int,
) -> None:
    """Add to the sums of another panel the features of some particles, by the same weights of pairs.

    Parameters
    ----------
    weights : ndarray, shape (count * (stride - begin),)
    count : int
        How many particles, a multiple of 4.
    rows : ndarray, shape (height * width,)
        The features of so many particles, of which those from `first` are meant.
    width, first : int
    height : int
        Features, a multiple of 4.
    sums : ndarray, shape (height * stride,)
        The weights belong to its particles from `begin` on, of which so many, the first ones, get nothing.
    stride, begin, skipped : int
    """
    every, at = stride - begin, begin + skipped
    n = stride - at
    for c in range(0, height, 4):
        to = part(sums, c * stride + at, (3 * stride + n,))
        for i in range(0, count, 4):
            of = part(rows, c * width + first + i, (3 * width + 4,))
            _scatter_four(part(weights, i * every + skipped, (3 * every + n,)), every, of, width, to, stride, n)


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

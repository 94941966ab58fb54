"""The kernel for forces with many coordinates: two products of small matrices for each tile of pairs.

A tile of exponents is the product of two panels of particles, coordinate by coordinate, in registers; its weights go
through shared memory to be multiplied with a panel of what is summed. Blocks of the third index of the grid have the
next columns of sums, for which exponents are found again, so that registers hold sums of whatever many coordinates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import from_dtype

from nbinfer.cuda.backend import compiled, cuda
from nbinfer.cuda.forces import GAUSSIAN, SLOPES, VALUES, Cut, weights

_U = np.uint64


def make_pack_many(cut: Cut, kind: int, dtype: Any) -> Callable[..., None]:
    """Make the kernel that lays out particles by coordinate, their squares, and what is summed, by row."""
    dim, columns, padded = cut.dim, cut.columns, cut.padded_columns
    zero, one, unit = np.dtype(dtype).type(0.0), np.dtype(dtype).type(1.0), weights(kind, dtype)[0]

    def pack(
        x: Any, g: Any, centre: Any, bandwidth: Any, status: Any, xt: Any, squares: Any, summed: Any, inverse: Any
    ) -> None:
        i = cuda.grid(1)
        if i >= squares.shape[0] or status[0] != 0:
            return
        h, square, exists = bandwidth[0], zero, i < x.shape[0]
        for k in range(dim):
            xk, v = zero, zero
            if exists:
                xk = dtype(x[i, k] - centre[k])
                if kind != SLOPES:
                    v = dtype(g[i, k] * inverse)
                if kind != VALUES:
                    v -= xk / h if kind == GAUSSIAN else xk
            square += xk * xk
            xt[k, i] = xk
            summed[i, k] = v
        squares[i] = -square * (unit / h)
        for k in range(dim, padded):
            summed[i, k] = one if k == columns - 1 and exists else zero

    return pack


class Geometry:
    """How threads of a block share its tiles out, in numbers that the compiler sees.

    Threads have two indices, one that goes along a block's own particles and one along a tile's, or along what is
    summed. The rows of a thread are runs of as many numbers as one load takes; those of neighbours lie side by side.
    """

    def __init__(self, cut: Cut, dtype: Any) -> None:
        self.rows, self.across = cut.rows, cut.own // cut.rows
        self.down = cut.threads // self.across
        self.cols, self.wide = cut.tile // self.down, cut.panel // self.down
        self.run = min(16 // np.dtype(dtype).itemsize, cut.rows)
        self.stride = self.across * self.run  # from a run of a thread to its next


def _loads(cut: Cut, dtype: Any) -> Any:
    """Return what puts a chunk of coordinates of both kinds of particles into shared memory."""
    dim, own, tile, threads, depth = cut.dim, cut.own, cut.tile, cut.threads, cut.depth
    zero, to_tile, n_mine, n_tile = np.dtype(dtype).type(0.0), cut.places[0], depth * own, depth * tile

    def load(shared: Any, xt: Any, t: int, first: int, at: int, deep: int, scale: Any) -> None:
        for q in range(t, n_mine, threads):
            k = deep + q // own
            shared[_U(q)] = xt[k, first + q % own] * scale if k < dim else zero
        for q in range(t, n_tile, threads):
            k = deep + q // tile
            shared[_U(to_tile + q)] = xt[k, at + q % tile] if k < dim else zero

    return compiled(load, device=True, fastmath=True)


def _products(cut: Cut, dtype: Any) -> Any:
    """Return what adds the products of a chunk of coordinates to exponents."""
    how, own, tile, depth, to_tile = Geometry(cut, dtype), cut.own, cut.tile, cut.depth, cut.places[0]
    rows, cols, run, stride = how.rows, how.cols, how.run, how.stride

    def multiply(shared: Any, ti: int, tj: int, z: Any) -> None:
        a, b = cuda.local.array(rows, dtype), cuda.local.array(cols, dtype)
        for pair in range(0, depth, 2):  # two at a time: half the counting
            for k in range(pair, pair + 2):
                for r in range(rows):
                    a[r] = shared[_U(k * own + r // run * stride + ti + r % run)]
                for c in range(cols):
                    b[c] = shared[_U(to_tile + k * tile + tj * cols + c)]
                for r in range(rows):
                    for c in range(cols):
                        z[r * cols + c] += a[r] * b[c]

    return compiled(multiply, device=True, fastmath=True)


def _sums(cut: Cut, dtype: Any) -> Any:
    """Return what adds a tile of what is summed, weighted, to sums."""
    how, own, tile, panel = Geometry(cut, dtype), cut.own, cut.tile, cut.panel
    rows, wide, run, stride = how.rows, how.wide, how.run, how.stride
    _, to_sums, to_weights = cut.places

    def add(shared: Any, ti: int, tj: int, total: Any) -> None:
        a, v = cuda.local.array(rows, dtype), cuda.local.array(wide, dtype)
        for pair in range(0, tile, 2):
            for j in range(pair, pair + 2):
                for r in range(rows):
                    a[r] = shared[_U(to_weights + j * own + r // run * stride + ti + r % run)]
                for c in range(wide):
                    v[c] = shared[_U(to_sums + j * panel + tj * wide + c)]
                for r in range(rows):
                    for c in range(wide):
                        total[r * wide + c] += a[r] * v[c]

    return compiled(add, device=True, fastmath=True)


def _tiles(cut: Cut, kind: int, dtype: Any, weigh: Any) -> Any:
    """Return what adds a tile of particles to the sums of a block's own."""
    how, depth, own, threads, panel = Geometry(cut, dtype), cut.depth, cut.own, cut.threads, cut.panel
    rows, cols, run, stride = how.rows, how.cols, how.run, how.stride
    n_sums, room, chunks = cut.tile * panel, rows * cols, -(-cut.dim // depth)
    load, multiply, add = _loads(cut, dtype), _products(cut, dtype), _sums(cut, dtype)
    _, to_sums, to_weights = cut.places

    def add_tile(
        shared: Any, xt: Any, squares: Any, summed: Any, t: int, ti: int, tj: int, first: int, at: int, column: int,
        scale: Any, power: Any, factor: Any, total: Any,
    ) -> None:  # fmt: skip
        z = cuda.local.array(room, dtype)
        for r in range(rows):
            for c in range(cols):
                z[r * cols + c] = squares[first + r // run * stride + ti + r % run] + squares[at + tj * cols + c]
        for chunk in range(chunks):
            cuda.syncthreads()
            load(shared, xt, t, first, at, chunk * depth, scale)
            cuda.syncthreads()
            multiply(shared, ti, tj, z)
        for q in range(t, n_sums, threads):
            shared[_U(to_sums + q)] = summed[at + q // panel, column + q % panel]
        for c in range(cols):
            for r in range(rows):
                there = to_weights + (tj * cols + c) * own + r // run * stride + ti + r % run
                shared[_U(there)] = weigh(z[r * cols + c], power, factor)
        cuda.syncthreads()
        add(shared, ti, tj, total)
        cuda.syncthreads()

    return compiled(add_tile, device=True, fastmath=True)


def make_many(cut: Cut, kind: int, dtype: Any, weigh: Any) -> Callable[..., None]:
    """Make the kernel. A block has `own` particles; a thread `rows` of them, and as many columns as rows of threads."""
    how, own, tile, panel, columns = Geometry(cut, dtype), cut.own, cut.tile, cut.panel, cut.columns
    rows, wide, run, stride = how.rows, how.wide, how.run, how.stride
    low, shift, high, room = how.across - 1, how.across.bit_length() - 1, how.down - 1, rows * wide
    zero, double, element = np.dtype(dtype).type(0.0), 2 * weights(kind, dtype)[0], from_dtype(np.dtype(dtype))
    add_tile = _tiles(cut, kind, dtype, weigh)

    def add_up(
        xt: Any, squares: Any, summed: Any, bandwidth: Any, each: int, power: Any, slope: Any, status: Any, parts: Any
    ) -> None:
        shared, total = cuda.shared.array(0, element), cuda.local.array(room, dtype)
        if status[0] != 0:
            return
        t, n = cuda.threadIdx.x, parts.shape[2]
        ti, tj = (t & low) * run, (t >> shift) & high  # masks tell the compiler that indices are not negative
        first, column = cuda.blockIdx.x * own, cuda.blockIdx.z * panel
        scale, factor = double / bandwidth[0], slope / bandwidth[0] if kind == SLOPES else slope
        for q in range(room):
            total[q] = zero
        begin = cuda.blockIdx.y * each
        for at in range(begin, begin + each, tile):
            add_tile(
                shared, xt, squares, summed, t, ti, tj, first, at, column, scale, power, factor, total
            )  # fmt: skip
        for r in range(rows):
            i = first + r // run * stride + ti + r % run
            for c in range(wide):
                k = column + tj * wide + c
                if i < n and k < columns:
                    parts[cuda.blockIdx.y, k, i] = total[r * wide + c]

    return add_up

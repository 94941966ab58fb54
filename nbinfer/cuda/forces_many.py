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

from nbinfer.cuda.backend import cuda
from nbinfer.cuda.forces import GAUSSIAN, SLOPES, VALUES, Cut, weights

_U = np.uint64


def make_pack_many(cut: Cut, kind: int, dtype: Any) -> Callable[..., None]:
    """Make the kernel that lays out particles by coordinate, their squares, and what is summed, by row."""
    dim, columns, padded = cut.dim, cut.columns, cut.padded_columns
    zero, one, unit = np.dtype(dtype).type(0.0), np.dtype(dtype).type(1.0), weights(kind, dtype)[0]

    def pack(
        x: Any, g: Any, centre: Any, bandwidth: Any, inverse: Any, status: Any, xt: Any, squares: Any, summed: Any
    ) -> None:
        i = cuda.grid(1)
        if i >= squares.shape[0] or status[0] != 0:
            return
        h, square, exists = bandwidth[0], zero, i < x.shape[0]
        for k in range(dim):
            xk, v = zero, zero
            if exists:
                xk = x[i, k] - centre[k]
                if kind != SLOPES:
                    v = g[i, k] * inverse
                if kind != VALUES:
                    v -= xk / h if kind == GAUSSIAN else xk
            square += xk * xk
            xt[k, i] = xk
            summed[i, k] = v
        squares[i] = -square * (unit / h)
        for k in range(dim, padded):
            summed[i, k] = one if k == columns - 1 and exists else zero

    return pack


def make_many(cut: Cut, kind: int, dtype: Any, weigh: Any) -> Callable[..., None]:
    """Make the kernel. A block has `own` particles; a thread `rows` of them, and as many columns as rows of threads.

    The rows of a thread are runs of as many numbers as one load takes, and those of neighbours lie side by side.
    """
    dim, own, tile, threads, rows = cut.dim, cut.own, cut.tile, cut.threads, cut.rows
    depth, panel, across = cut.depth, cut.panel, own // rows
    down = threads // across
    cols, wide, run = tile // down, panel // down, min(16 // np.dtype(dtype).itemsize, rows)
    zero, two, unit = np.dtype(dtype).type(0.0), np.dtype(dtype).type(2.0), weights(kind, dtype)[0]
    to_tile, to_sums, to_weights = cut.places
    n_mine, n_tile, n_sums = depth * own, depth * tile, tile * panel
    z_room, t_room, low = rows * cols, rows * wide, across - 1
    shift, high = across.bit_length() - 1, down - 1
    columns, chunks, element = cut.columns, -(-dim // depth), from_dtype(np.dtype(dtype))

    def add_up(
        xt: Any, squares: Any, summed: Any, bandwidth: Any, each: int, power: Any, slope: Any, status: Any, parts: Any
    ) -> None:
        shared = cuda.shared.array(0, element)
        total = cuda.local.array(t_room, dtype)
        z = cuda.local.array(z_room, dtype)
        a = cuda.local.array(rows, dtype)
        b = cuda.local.array(cols, dtype)
        v = cuda.local.array(wide, dtype)
        if status[0] != 0:
            return
        t, n = cuda.threadIdx.x, parts.shape[2]
        ti, tj = (t & low) * run, (t >> shift) & high  # masks tell the compiler that indices are not negative
        first, column = cuda.blockIdx.x * own, cuda.blockIdx.z * panel
        scale, factor = two * unit / bandwidth[0], slope
        if kind == SLOPES:
            factor = slope / bandwidth[0]
        for q in range(t_room):
            total[q] = zero
        begin = cuda.blockIdx.y * each
        for at in range(begin, begin + each, tile):
            for r in range(rows):
                for c in range(cols):
                    z[r * cols + c] = (
                        squares[first + r // run * across * run + ti + r % run] + squares[at + tj * cols + c]
                    )
            for chunk in range(chunks):
                deep = chunk * depth
                cuda.syncthreads()
                for q in range(t, n_mine, threads):
                    k = deep + q // own
                    shared[_U(q)] = xt[k, first + q % own] * scale if k < dim else zero
                for q in range(t, n_tile, threads):
                    k = deep + q // tile
                    shared[_U(to_tile + q)] = xt[k, at + q % tile] if k < dim else zero
                cuda.syncthreads()
                for pair in range(0, depth, 2):  # two at a time: half the counting
                    for k in range(pair, pair + 2):
                        for r in range(rows):
                            a[r] = shared[_U(k * own + r // run * across * run + ti + r % run)]
                        for c in range(cols):
                            b[c] = shared[_U(to_tile + k * tile + tj * cols + c)]
                        for r in range(rows):
                            for c in range(cols):
                                z[r * cols + c] += a[r] * b[c]
            for q in range(t, n_sums, threads):
                shared[_U(to_sums + q)] = summed[at + q // panel, column + q % panel]
            for c in range(cols):
                for r in range(rows):
                    there = (tj * cols + c) * own + r // run * across * run + ti + r % run
                    shared[_U(to_weights + there)] = weigh(z[r * cols + c], power, factor)
            cuda.syncthreads()
            for pair in range(0, tile, 2):
                for j in range(pair, pair + 2):
                    for r in range(rows):
                        a[r] = shared[_U(to_weights + j * own + r // run * across * run + ti + r % run)]
                    for c in range(wide):
                        v[c] = shared[_U(to_sums + j * panel + tj * wide + c)]
                    for r in range(rows):
                        for c in range(wide):
                            total[r * wide + c] += a[r] * v[c]
            cuda.syncthreads()
        for r in range(rows):
            i = first + r // run * across * run + ti + r % run
            for c in range(wide):
                k = column + tj * wide + c
                if i < n and k < columns:
                    parts[cuda.blockIdx.y, k, i] = total[r * wide + c]

    return add_up

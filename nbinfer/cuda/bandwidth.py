"""The median distance of particles, on a GPU: exactly that of the distances that are given, by radix select.

The bits of a number that is not negative have its order. Pass by pass, numbers whose first bits are those found so far
are counted by the next ones, and the count tells which these are; one block does it, and its counts are of integers, so
that they do not depend on the order of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nbinfer.cuda.backend import compiled, cuda

#: What ends a run: too many particles are equal, or too far away, to tell how far apart they are.
NO_SPREAD = 2

_LARGEST = 0x7FFFFFFFFFFFFFFF

#: Threads that add counts up, before one of them goes through their sums.
_SLICES = 256


def digits(dtype: Any) -> tuple[tuple[int, int], ...]:
    """Return, for each pass, how far bits are shifted and how many are counted by; the sign is left out."""
    if np.dtype(dtype).itemsize == 4:
        return (20, 11), (10, 10), (0, 10)
    return (50, 13), (40, 10), (30, 10), (20, 10), (10, 10), (0, 10)


def make_distances(dim: int, dtype: Any) -> Callable[..., None]:
    """Make the kernel of the squared distances of pairs, by a thread each; see `nbinfer.cuda.pairs`."""
    zero = np.dtype(dtype).type(0.0)

    def measure(x: Any, order: Any, status: Any, squared: Any) -> None:
        p = cuda.grid(1)
        if p >= squared.shape[0] or status[0] != 0:
            return
        n = order.shape[0]
        k, shift = p % n, p // n + 1
        i, j, total = order[k], order[(k + shift) % n], zero
        for c in range(dim):
            apart = dtype(x[i, c] - x[j, c])
            total += apart * apart
        squared[p] = total

    return measure


def _count(bits: Any, counts: Any, prefix: int, seen: int, shift: int, size: int) -> None:
    """Count the numbers whose first bits are known by their next ones."""
    t, threads = cuda.threadIdx.x, cuda.blockDim.x
    for q in range(t, size, threads):
        counts[q] = 0
    cuda.syncthreads()
    for p in range(t, bits.shape[0], threads):
        number = np.int64(bits[p])
        if number >> seen == prefix:
            cuda.atomic.add(counts, (number >> shift) & (size - 1), 1)
    cuda.syncthreads()


def _find(counts: Any, sums: Any, found: Any, width: int) -> None:
    """Find which of the bits counted by have the rank that is left, and write bits, rank among these, and count."""
    t, threads, size = cuda.threadIdx.x, cuda.blockDim.x, 1 << width
    each = max(size // _SLICES, 1)
    for s in range(t, size // each, threads):
        total = 0
        for q in range(s * each, (s + 1) * each):
            total += counts[q]
        sums[s] = total
    cuda.syncthreads()
    if t == 0:
        rank, s = found[1], 0
        while rank >= sums[s]:
            rank -= sums[s]
            s += 1
        q = s * each
        while rank >= counts[q]:
            rank -= counts[q]
            q += 1
        found[0], found[1], found[2] = (found[0] << width) | q, rank, counts[q]
    cuda.syncthreads()


def _next_above(bits: Any, lower: int, found: Any) -> None:
    """Write the smallest number above another one."""
    least = np.int64(_LARGEST)
    for p in range(cuda.threadIdx.x, bits.shape[0], cuda.blockDim.x):
        number = np.int64(bits[p])
        if lower < number < least:
            least = number
    cuda.atomic.min(found, 3, least)
    cuda.syncthreads()


def make_median(dtype: Any) -> Callable[..., None]:
    """Make the kernel that chooses the bandwidth by the median of squared distances, in one block.

    It is half the mean of the distances of two ranks over a logarithm; a first rank of -1 is a distance of 0.
    """
    half, zero = np.dtype(dtype).type(0.5), np.dtype(dtype).type(0.0)
    shifts, widths = (np.array(each, np.int64) for each in zip(*digits(dtype), strict=True))
    bins, passes, top = 2 ** int(widths[0]), len(widths), int(widths[0] + shifts[0])
    count, find, next_above = (compiled(function, device=True) for function in (_count, _find, _next_above))

    def choose(squared: Any, bits: Any, low: int, high: int, logarithm: Any, status: Any, bandwidth: Any) -> None:
        counts = cuda.shared.array(bins, np.int32)  # a line each: the simulator knows them by it
        sums = cuda.shared.array(_SLICES, np.int32)
        found = cuda.shared.array(4, np.int64)  # bits so far, rank among those, how many have them, next larger bits
        values = cuda.shared.array(2, dtype)
        if status[0] != 0:
            return
        t, threads, seen = cuda.threadIdx.x, cuda.blockDim.x, top
        if t == 0:
            found[0], found[1], found[3] = 0, max(low, 0), _LARGEST
        cuda.syncthreads()
        for at in range(passes):
            count(bits, counts, found[0], seen, shifts[at], 1 << widths[at])
            find(counts, sums, found, widths[at])
            seen = shifts[at]
        lower, upper = found[0], found[0]
        if high > max(low, 0) and found[1] + 1 >= found[2]:  # the next one in order is larger
            next_above(bits, lower, found)
            upper = found[3]
        for p in range(t, bits.shape[0], threads):
            number = np.int64(bits[p])
            if number == lower:
                values[0] = squared[p]
            if number == upper:
                values[1] = squared[p]
        cuda.syncthreads()
        if t == 0:
            median = half * values[1] + (zero if low < 0 else half * values[0])
            bandwidth[0], bandwidth[1] = half * median / logarithm, median
            if not (zero < bandwidth[0] < math.inf):
                status[0] = NO_SPREAD

    return choose

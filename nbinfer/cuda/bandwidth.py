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

from nbinfer.cuda.backend import cuda

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


def make_median(dtype: Any) -> Callable[..., None]:
    """Make the kernel that chooses the bandwidth by the median of squared distances, in one block.

    It is half the mean of the distances of two ranks over a logarithm; a first rank of -1 is a distance of 0.
    """
    half, zero = np.dtype(dtype).type(0.5), np.dtype(dtype).type(0.0)
    shifts = np.array([shift for shift, _ in digits(dtype)], np.int64)
    widths = np.array([width for _, width in digits(dtype)], np.int64)
    bins, passes, top = 2 ** int(widths[0]), len(widths), int(widths[0] + shifts[0])

    def choose(squared: Any, bits: Any, low: int, high: int, logarithm: Any, status: Any, bandwidth: Any) -> None:
        counts = cuda.shared.array(bins, np.int32)
        sums = cuda.shared.array(_SLICES, np.int32)
        found = cuda.shared.array(4, np.int64)  # bits so far, rank among those, how many have them, next larger bits
        values = cuda.shared.array(2, dtype)
        if status[0] != 0:
            return
        t, threads, m = cuda.threadIdx.x, cuda.blockDim.x, bits.shape[0]
        if t == 0:
            found[0], found[1], found[3] = 0, max(low, 0), _LARGEST
        seen = top
        for at in range(passes):
            shift, size = shifts[at], 1 << widths[at]
            for q in range(t, size, threads):
                counts[q] = 0
            cuda.syncthreads()
            for p in range(t, m, threads):
                number = np.int64(bits[p])
                if number >> seen == found[0]:
                    cuda.atomic.add(counts, (number >> shift) & (size - 1), 1)
            cuda.syncthreads()
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
                found[0], found[1], found[2] = (found[0] << widths[at]) | q, rank, counts[q]
            seen = shift
            cuda.syncthreads()
        lower, upper = found[0], found[0]
        if high > max(low, 0) and found[1] + 1 >= found[2]:  # the next one in order is larger
            least = np.int64(_LARGEST)
            for p in range(t, m, threads):
                number = np.int64(bits[p])
                if lower < number < least:
                    least = number
            cuda.atomic.min(found, 3, least)
            cuda.syncthreads()
            upper = found[3]
        for p in range(t, m, threads):
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

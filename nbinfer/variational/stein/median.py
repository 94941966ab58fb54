"""The median of all squared distances, exactly, without a table of them.

The documents' rule counts each pair twice, and the zeros of the diagonal. From one iteration to the next the median
hardly moves: blocks count the distances below a window around it and keep those inside, and among these few it is
selected. Where the window misses it, a bisection of the numbers there are finds one that does not.
"""

from __future__ import annotations

import math

import numpy as np

from nbinfer.compile import Record, entry, floats_at, ints_at, kernel, record_at
from nbinfer.variational.job import Fit, FitStatus
from nbinfer.variational.stein.pairs import squared_distances
from nbinfer.variational.stein.state import TILE, Stein_, end_of, scratch_of

_NO_SPREAD = int(FitStatus.NO_SPREAD)

#: Distances that tell where to look first; as far from the rank, in roots of their number, is the window's end.
_SAMPLE, _APART = 4096, 1.5
#: Half the width of the next window, relative: so many times the last change, between these.
_FURTHER, _NARROW, _WIDE = 4.0, 0.002, 0.05


@kernel
def survey(stein: Record, block: int) -> None:
    """Count the distances of a block's particles from later ones: below the window, inside; keep these."""
    count, dim, room, low, high = stein.count, stein.dim, stein.room, stein.low, stein.high
    scratch = stein.scratch + 8 * block * scratch_of(dim)
    squared, found = floats_at(scratch, 2 * TILE), floats_at(stein.found + 8 * block * room, room)
    below, inside, beyond = 0, 0, math.inf
    end = end_of(stein, block)
    for i in range(block * stein.block, end, 2):
        for tile in range(i // TILE, -(-count // TILE)):
            squared_distances(stein.points + 8 * i * dim, stein.panels + 8 * tile * TILE * dim, dim, scratch)
            for side in range(min(2, end - i)):
                for k in range(max(i + side + 1 - tile * TILE, 0), min(TILE, count - tile * TILE)):
                    x = squared[side * TILE + k]
                    found[min(inside, room - 1)] = x
                    below += 1 if x < low else 0
                    inside += 1 if low <= x <= high else 0
                    beyond = x if high < x < beyond else beyond
    ints_at(stein.below, block + 1)[block] = below
    ints_at(stein.inside, block + 1)[block] = inside
    floats_at(stein.beyond, block + 1)[block] = beyond


@kernel
def nth(values: int, count: int, rank: int) -> float:
    """Return the number of a rank, from 0; the numbers change places."""
    v = floats_at(values, count)
    left, right = 0, count - 1
    while left < right:
        pivot = v[(left + right) // 2]
        i, j = left, right
        while i <= j:
            while v[i] < pivot:
                i += 1
            while v[j] > pivot:
                j -= 1
            if i <= j:
                v[i], v[j] = v[j], v[i]
                i += 1
                j -= 1
        if rank <= j:
            right = j
        elif rank >= i:
            left = i
        else:
            break
    found: float = v[rank]
    return found


@kernel
def pair_rank(rank: int, count: int) -> int:
    """Return the rank among pairs of what has a rank among all squared distances; -1: a zero of the diagonal."""
    return -1 if rank < count else (rank - count) // 2


@kernel
def _counted(stein: Record) -> tuple[int, int, bool]:
    """Return how many distances are below the window, and inside, and whether the latter are all kept."""
    below, inside = ints_at(stein.below, stein.n_blocks), ints_at(stein.inside, stein.n_blocks)
    fewer, within, fits = 0, 0, True
    for block in range(stein.n_blocks):
        fewer += below[block]
        within += inside[block]
        fits = fits and inside[block] < stein.room
    return fewer, within, fits


@kernel
def _as_number(bits: int) -> float:
    """Return the number that bits stand for; both have the same order."""
    return np.int64(bits).view(np.float64)


@kernel
def _as_bits(number: float) -> int:
    return np.float64(number).view(np.int64)  # type: ignore[return-value]


@kernel
def _guess(stein: Record, rank: int) -> tuple[int, int]:
    """Return a window, in bits, that some distances make likely to hold the one of a rank among pairs."""
    count, dim = stein.count, stein.dim
    if count < TILE:  # all are kept
        return 0, _as_bits(math.inf)
    points, found = floats_at(stein.points, count * dim), floats_at(stein.found, _SAMPLE)
    size = min(_SAMPLE, stein.room * stein.n_blocks)
    for s in range(size):
        i = (s * 7919) % count
        j = (i + 1 + (s * 104729) % (count - 1)) % count
        total = 0.0
        for c in range(dim):
            apart = points[i * dim + c] - points[j * dim + c]
            total += apart * apart
        found[s] = total
    middle = size * (rank / (0.5 * count * (count - 1.0)))
    apart = _APART * math.sqrt(size)
    low = nth(stein.found, size, int(max(middle - apart, 0.0)))
    high = nth(stein.found, size, int(min(middle + apart, size - 1.0)))
    return _as_bits(low), _as_bits(high)


@kernel
def _search(stein: Record, rank: int) -> None:
    """Find a window that holds the distance of a rank among pairs, with all others inside kept, or no others."""
    least, most = 0, _as_bits(math.inf)
    low, high = _guess(stein, rank)
    while True:
        stein.low, stein.high = _as_number(low), _as_number(high)
        for block in range(stein.n_blocks):
            survey(stein, block)
        below, inside, fits = _counted(stein)
        if below > rank:
            most = low - 1
        elif below + inside <= rank:
            least = high + 1
        elif fits or low == high:
            return
        else:
            least, most = low, high
        low, high = least, least + (most - least) // 2


@kernel
def _selected(stein: Record, first: int, last: int) -> float:
    """Return the mean of the distances of two ranks among pairs, of which the window holds the first."""
    below, inside, fits = _counted(stein)
    beyond = floats_at(stein.beyond, stein.n_blocks)
    above = math.inf
    for block in range(stein.n_blocks):
        above = min(above, beyond[block])
    if not fits:  # all inside are equal
        upper = stein.low if last < below + inside else above
        return 0.5 * stein.low + 0.5 * upper  # type: ignore[no-any-return]
    found, each = floats_at(stein.found, stein.room * stein.n_blocks), ints_at(stein.inside, stein.n_blocks)
    total = 0
    for block in range(stein.n_blocks):
        for k in range(each[block]):
            found[total] = found[block * stein.room + k]
            total += 1
    lower = nth(stein.found, total, first - below)
    upper = nth(stein.found, total, last - below) if last < below + inside else above
    return 0.5 * lower + 0.5 * upper


@kernel
def median(stein: Record) -> float:
    """Return the median of all squared distances, of which blocks have been surveyed; choose the next window."""
    count = stein.count
    whole = count * count
    first, last = pair_rank((whole - 1) // 2, count), pair_rank(whole // 2, count)
    rank = max(first, 0)
    below, inside, fits = _counted(stein)
    if not (below <= rank < below + inside and fits):
        _search(stein, rank)
    found = _selected(stein, rank, last)
    found = 0.5 * found if first < 0 else found
    half = _WIDE if stein.median <= 0.0 else min(max(_FURTHER * abs(found / stein.median - 1.0), _NARROW), _WIDE)
    stein.median = found
    stein.low, stein.high = found * (1.0 - half), found * (1.0 + half)
    if count < TILE:
        stein.low, stein.high = 0.0, math.inf
    return found


@entry("int64(intp, int64, int64)")
def measure(address: int, block: int, piece: int) -> int:
    """Survey the distances of a block: a phase."""
    survey(record_at(address, Stein_), block)
    return 0


@entry("int64(intp, int64, int64)")
def choose_bandwidth(address: int, row: int, piece: int) -> int:
    """Choose the bandwidth, half the median over the log of one more than there are particles: a phase of one row."""
    stein = record_at(address, Stein_)
    if stein.count < 2:
        return 0
    stein.bandwidth = 0.5 * median(stein) / math.log(stein.count + 1.0)
    if 0.0 < stein.bandwidth < math.inf:
        return 0
    record_at(stein.fit, Fit).status = _NO_SPREAD
    return _NO_SPREAD

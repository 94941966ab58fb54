"""The median of squared distances, exactly, without a table of them: of all pairs, or of pairs that are drawn.

The documents' rule counts each pair twice, and the zeros of the diagonal. From one iteration to the next the median
hardly moves: blocks count the distances below a window around it and keep those inside, and among these few it is
selected. Where the window misses it, a bisection of the numbers there are finds one that does not.

Of many particles some pairs are enough. They are put in a random order, and each is paired with the next ones of that
order: every pair is as likely as any other, and all particles count alike, which leaves less to chance than pairs drawn
one by one, and particles whose distances are found stand side by side. They stay the same throughout a fit: particles
come to rest where the bandwidth does not flicker.
"""

from __future__ import annotations

import math

import numpy as np

from nbinfer.compile import Record, call_phase, entry, floats_at, ints_at, kernel, part, record_at, singles_at
from nbinfer.random import Purpose, bounded, start
from nbinfer.variational.job import Fit, FitStatus
from nbinfer.variational.stein.pairs import write_distances, write_shifted
from nbinfer.variational.stein.selection import nth
from nbinfer.variational.stein.state import (
    KEPT,
    LANES,
    ROWS,
    STRIP,
    Numbers,
    Stein_,
    doubles,
    drawn,
    end_of,
    panel_of,
    singles,
    width_of,
    width_of_drawn,
)

_NO_SPREAD, _PAIRS = int(FitStatus.NO_SPREAD), int(Purpose.PAIRS)

#: Distances that tell where to look first; as far from the rank, in roots of their number, is the window's end.
_SAMPLE, _APART = 4096, 1.5
#: Half the width of the next window, relative: so many times the last change, between these.
_FURTHER, _NARROW, _WIDE = 4.0, 0.002, 0.05
#: Distances that are counted before those inside the window are looked for.
_CHUNK = 32


@kernel
def draw_order(words: int, number: int, address: int, count: int, drawn: int) -> None:
    """Write an order of particles, of which the first are drawn from all, each once; the number is that of the fit."""
    order = ints_at(address, count)
    for i in range(count):
        order[i] = i
    start(words, 0, number, _PAIRS)
    for i in range(drawn):
        j = i + bounded(words, count - i)
        order[i], order[j] = order[j], order[i]


@entry("int64(intp, int64, int64)")
def draw_pairs(address: int, row: int, piece: int) -> int:
    """Draw the pairs that the median is found of, the same ones in each iteration: a phase of one row."""
    stein = record_at(address, Stein_)
    count, fit = stein.count, record_at(stein.fit, Fit)
    if count < 2:
        return 0
    stein.n_drawn = min(count, stein.pairs)
    stein.n_shifts = min(-(-stein.pairs // stein.n_drawn), count - 1)
    draw_order(fit.words, fit.number, stein.order, count, stein.n_drawn)
    return 0


@kernel
def _clear(stein: Record, block: int) -> None:
    ints_at(stein.below, block + 1)[block] = 0
    ints_at(stein.inside, block + 1)[block] = 0


@kernel
def _tally(stein: Record, block: int, distances: Numbers, begin: int, end: int) -> None:
    """Count distances below the window and inside; keep the latter."""
    room, low, high = stein.room, stein.low, stein.high
    found = floats_at(stein.found + 8 * block * room, room)
    below, inside = ints_at(stein.below, block + 1), ints_at(stein.inside, block + 1)
    for first in range(begin, end, _CHUNK):
        fewer, within = _counted_in(part(distances, first, (min(_CHUNK, end - first),)), low, high)
        below[block] += fewer
        if within > 0:
            k = inside[block]
            for i in range(first, min(first + _CHUNK, end)):
                x = np.float64(distances[i])
                found[min(k, room - 1)] = x
                k += 1 if low <= x <= high else 0
            inside[block] = k


@kernel(reassociate=True)
def _counted_in(distances: Numbers, low: float, high: float) -> tuple[int, int]:
    below, most = 0, 0
    for i in range(len(distances)):
        x = np.float64(distances[i])
        below += 1 if x < low else 0
        most += 1 if x <= high else 0
    return below, most - below


@kernel
def _survey(stein: Record, numbers: Numbers, block: int) -> int:
    """Count the distances of a block's particles from later ones: below the window, inside; keep these."""
    _clear(stein, block)
    height, batch = stein.coordinates, ROWS * stein.tile
    found = part(numbers, stein.values + block * batch, (batch,))
    begin, end = block * stein.block, end_of(stein, block)
    while begin < end:
        tile = begin // stein.tile
        first = begin - tile * stein.tile
        aligned = first // 4 * 4
        last = min(end - tile * stein.tile, stein.tile, aligned + ROWS)
        rows, width = panel_of(stein, numbers, stein.places, height, tile), width_of(stein, tile)
        for other in range(tile, -(-stein.count // stein.tile)):
            panel, n = panel_of(stein, numbers, stein.places, height, other), width_of(stein, other)
            skipped = aligned // LANES * LANES if other == tile else 0
            write_distances(rows, width, aligned, -(-(last - aligned) // 4) * 4, panel, n, skipped, height, found)
            there = min(n, stein.count - other * stein.tile)
            for k in range(first, last):
                at = (k - aligned) * (n - skipped) - skipped
                _tally(stein, block, found, at + (k + 1 if other == tile else 0), at + there)
        begin = tile * stein.tile + last
    return 0


@entry("int64(intp, int64, int64)")
def measure(address: int, block: int, piece: int) -> int:
    """Survey the distances of a block: a phase."""
    stein = record_at(address, Stein_)
    return _survey(stein, doubles(stein), block)


@entry("int64(intp, int64, int64)")
def measure_singles(address: int, block: int, piece: int) -> int:
    """Do so in float32: a phase."""
    stein = record_at(address, Stein_)
    return _survey(stein, singles(stein), block)


@entry("int64(intp, int64, int64)")
def measure_drawn(address: int, block: int, piece: int) -> int:
    """Survey the distances of pairs that are drawn: a block has those that are so many places apart. A phase."""
    stein = record_at(address, Stein_)
    n, height, width = stein.n_drawn, stein.coordinates, width_of_drawn(stein)
    panel, found = drawn(stein), singles_at(stein.apart + 16 * block * STRIP, 4 * STRIP)
    _clear(stein, block)
    for first in range(0, n, STRIP):
        count = min(STRIP, n - first)
        for shift in range(4 * block + 1, stein.n_shifts + 1, 4 * stein.n_blocks):
            write_shifted(panel, width, first, shift, count, height, found)
            _tally(stein, block, found, 0, count * min(4, stein.n_shifts + 1 - shift))
    return 0


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
    """Return a window, in bits, that some distances make likely to hold the one of a rank."""
    count, dim = stein.count, stein.dim
    if count < KEPT:  # all are kept
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
        found[s] = total if total < math.inf else math.inf  # NaN is between points that are too far away
    middle = size * (rank / float(_surveyed(stein)))
    apart = _APART * math.sqrt(size)
    low = nth(stein.found, size, int(max(middle - apart, 0.0)))
    high = nth(stein.found, size, int(min(middle + apart, size - 1.0)))
    return _as_bits(low), _as_bits(high)


@kernel
def _surveyed(stein: Record) -> int:
    """Return how many distances are surveyed."""
    if stein.n_drawn > 0:
        return stein.n_drawn * stein.n_shifts  # type: ignore[no-any-return]
    return stein.count * (stein.count - 1) // 2  # type: ignore[no-any-return]


@kernel
def _search(stein: Record, rank: int) -> bool:
    """Find a window that holds the distance of a rank, with all others inside kept, or no others.

    Return whether there is one: distances that are NaN, of particles too far away for these numbers, have no rank.
    """
    least, most = 0, _as_bits(math.inf)
    low, high = _guess(stein, rank)
    while least <= most:
        stein.low, stein.high = _as_number(low), _as_number(high)
        for block in range(stein.n_blocks):
            call_phase(stein.measure, stein.itself, block, 0)
        below, inside, fits = _counted(stein)
        if below > rank:
            most = low - 1
        elif below + inside <= rank:
            least = high + 1
        elif fits or low == high:
            return True
        else:
            least, most = low, high
        low, high = least, least + (most - least) // 2
    return False


@kernel
def _find(stein: Record, rank: int) -> bool:
    """See to it that the window holds the distance of a rank, of which blocks have been surveyed; tell if it does."""
    below, inside, fits = _counted(stein)
    return (below <= rank < below + inside and fits) or _search(stein, rank)


@kernel
def _selected(stein: Record, first: int, last: int) -> tuple[float, float]:
    """Return the distances of two ranks, of which the window holds the first; -1 for the second if it does not."""
    below, inside, fits = _counted(stein)
    if not fits:  # all inside are equal
        return stein.low, stein.low if last < below + inside else -1.0
    found, each = floats_at(stein.found, stein.room * stein.n_blocks), ints_at(stein.inside, stein.n_blocks)
    total = 0
    for block in range(stein.n_blocks):
        for k in range(each[block]):
            found[total] = found[block * stein.room + k]
            total += 1
    lower = nth(stein.found, total, first - below)
    return lower, nth(stein.found, total, last - below) if last < below + inside else -1.0


@kernel
def median(stein: Record) -> float:
    """Return the median of all squared distances, of which blocks have been surveyed; choose the next window.

    It is NaN if too many distances are.
    """
    count = stein.count
    whole = count * count
    first, last = pair_rank((whole - 1) // 2, count), pair_rank(whole // 2, count)
    rank = max(first, 0)
    if stein.n_drawn > 0:
        rank = last = int((first + 0.5) * (_surveyed(stein) / (0.5 * count * (count - 1.0))))
    lower = upper = math.nan
    if _find(stein, rank):
        lower, upper = _selected(stein, rank, last)
    if upper < 0.0:
        upper = _selected(stein, last, last)[0] if _find(stein, last) else math.nan
    found = 0.5 * lower + 0.5 * upper
    found = 0.5 * found if first < 0 else found
    half = _WIDE if stein.median <= 0.0 else min(max(_FURTHER * abs(found / stein.median - 1.0), _NARROW), _WIDE)
    stein.median = found
    stein.low, stein.high = found * (1.0 - half), found * (1.0 + half)
    if count < KEPT:
        stein.low, stein.high = 0.0, math.inf
    return found


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

"""Regimes of warm-up: when a chain looks for directions that its posterior is correlated along, and when it drops them.

A regime is a stretch of warm-up over which the log density has no trend. A chain begins with the diagonal metric, which
goes on learning by its own schedule whatever happens here. Every `BLOCK` draws it looks: if it has left the region
that its directions were learnt in, or is still on its way, it returns to the diagonal, and a new regime begins; else,
whenever the regime has grown by half, it learns directions from the regime's last half. Only a change of the kind of
metric asks for a new step size, a refinement does not.
"""

from __future__ import annotations

import math

from nbinfer.compile import Record, entry, floats_at, kernel, record_at
from nbinfer.engine.state import State
from nbinfer.mcmc.metric import kernel as metrics
from nbinfer.mcmc.metric.estimate import estimate
from nbinfer.mcmc.metric.kernel import DIRECTIONS, Metric
from nbinfer.mcmc.metric.low_rank import LowRank

REGIME = State(
    fields={
        "start": "i8",  # draw that it began with
        "following": "i8",  # number of draws at which directions are learnt next
        "latest": "i8",  # number of draws at which they were learnt
        "level": "f8",  # mean of the log density in the window that they were learnt from
        "spread": "f8",  # and its standard deviation
        "final_start": "f8",  # number of draws after which the metric is frozen
    }
)
Regime = REGIME.record

#: Draws between two looks.
BLOCK = 10
#: Draws before the first look that may lead to directions.
FIRST = 20
#: Of a regime from one estimate to the next.
GROWTH = 1.5

_DEAR = 32  # dimension of a space that takes long to search
_SLOW_GROWTH = 2.0  # where it does
_LEFT = 3.0  # standard deviations between a region's log density and another's
_LAST_SHARE, _DEAR_SHARE = 0.1, 0.3  # of all draws, that must be new if directions are learnt a last time


@entry("int64(intp, intp, int64)")
def look_at(regime: int, metric: int, draws: int) -> int:
    """Look, by addresses: a C function of its own, since decompositions take Numba as long as the rest of a step."""
    own = record_at(regime, Regime)
    return 1 if look(own, record_at(metric, Metric), draws, own.final_start) else 0


@kernel
def look(regime: Record, metric: Record, draws: int, final_start: float) -> bool:
    """Return to the diagonal, learn directions or leave the metric alone; tell whether its kind has changed.

    Parameters
    ----------
    regime : Regime record
    metric : Metric record
    draws : int
        Number of draws of warm-up so far.
    final_start : float
        Number of draws after which the metric is frozen.
    """
    if draws % BLOCK != 0:
        return False
    low, floor = record_at(metric.low_rank, LowRank), math.sqrt(0.5 * metric.n)  # the spread of a Gaussian's logp
    if metric.dense == DIRECTIONS:
        level, _ = _level(low, draws - BLOCK, draws)
        if abs(level - regime.level) > _LEFT * max(regime.spread, floor):
            return _begin(regime, metric, draws)
    is_last, share = draws + BLOCK > final_start, _LAST_SHARE if low.searched <= _DEAR else _DEAR_SHARE
    if draws < regime.following and not (is_last and draws - regime.latest > share * draws):
        return False
    first = _window(regime, low, draws)
    half = (draws - first) // 2
    before, spread_before = _level(low, first, first + half)
    after, spread_after = _level(low, first + half, draws)
    if abs(after - before) > max(floor, math.sqrt(spread_before**2 + spread_after**2)):
        return _begin(regime, metric, draws)
    rank = estimate(low, metric.n, first, draws, metric.inv_mass)
    age, growth = draws - regime.start, GROWTH if low.searched <= _DEAR else _SLOW_GROWTH
    regime.following = regime.start + max(int(growth * age), age + BLOCK)
    if rank < 0:
        return False
    regime.latest = draws
    regime.level, regime.spread = _level(low, first, draws)
    if rank == 0:
        return metrics.use_diagonal(metric)
    return metrics.use_directions(metric)


@kernel
def _begin(regime: Record, metric: Record, draws: int) -> bool:
    """Begin a new regime with the last block: what was learnt before belongs to another region."""
    regime.start, regime.following = draws - BLOCK, draws + BLOCK
    return metrics.use_diagonal(metric)


@kernel
def _window(regime: Record, low: Record, draws: int) -> int:
    """Return the first draw of the window: the regime's last half, two blocks at least, as far as it is remembered."""
    half = draws - (draws - regime.start) // 2
    wanted = max(regime.start, min(draws - 2 * BLOCK, half)) // BLOCK * BLOCK
    first: int = max(wanted, draws - low.capacity)
    return first


@kernel
def _level(low: Record, first: int, end: int) -> tuple[float, float]:
    """Return mean and standard deviation of the log density of some draws."""
    logps, total, squares = floats_at(low.logps, low.capacity), 0.0, 0.0
    for draw in range(first, end):
        total += logps[draw % low.capacity]
    mean = total / (end - first)
    for draw in range(first, end):
        squares += (logps[draw % low.capacity] - mean) ** 2
    return mean, math.sqrt(squares / (end - first))

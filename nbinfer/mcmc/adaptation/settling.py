"""When warm-up may end: once new draws no longer change the metric, nor the step size.

Each time that the metric has been learnt anew from half as many draws again, it is compared with what it was the time
before. In coordinates that one of the two whitens the other has eigenvalues; the most extreme of them says by what
factor a variance is in doubt. If that is small, and the log density of the draws in between is that of the draws
before, the metric is frozen; a divergence in between says that there is more to find out. The step size then has draws
until its average stands still.

What is decided depends on the chain's own draws. Between a decision on the metric and the first draw that is kept lie
those that the step size takes: over them a chain forgets what was decided by.
"""

from __future__ import annotations

import math
from typing import Any

from nbinfer.compile import Record, entry, floats_at, kernel, record_at
from nbinfer.engine.state import State, floats
from nbinfer.engine.vectors import add, copy, dot
from nbinfer.mcmc.adaptation import step_size as step_sizes
from nbinfer.mcmc.adaptation.regimes import BLOCK, FIRST, GROWTH, Regime
from nbinfer.mcmc.adaptation.step_size import DualAveraging
from nbinfer.mcmc.adaptation.warmup import Schedule
from nbinfer.mcmc.metric.decompose import divide
from nbinfer.mcmc.metric.kernel import DIRECTIONS, Metric
from nbinfer.mcmc.metric.low_rank import LowRank


def _room(site: Any) -> int:
    """Size of what each coordinate has one of, where warm-up may end early."""
    return int(site.n) if site.settles else 0


#: What is known of a warm-up that may end early.
SETTLING = State(
    fields={
        "watch": "i8",  # C function that looks whether it may end, see `watch`
        "schedule": "i8",  # addresses of what it looks at
        "metric": "i8",
        "averaging": "i8",
        # Of the draw that it looks at:
        "logp": "f8",
        "moved": "i8",  # whether it differs from the one before
        "diverging": "i8",
        "following": "i8",  # number of draws at which a diagonal metric is compared next
        "frozen": "i8",  # number of draws at which the metric was found settled, or 0
        "rank": "i8",  # directions of the metric that the next one is compared with
        # Of the draws since the last comparison, and of those between the last two:
        "count": "f8",
        "moves": "f8",  # draws that differ from the one before
        "divergences": "f8",
        "level": "f8",  # mean of their log density
        "squares": "f8",  # and the sum of squares about it
        "level_before": "f8",
        "variance_before": "f8",
        "log_step": "f8",  # mean log step size since the metric was frozen
        "log_step_before": "f8",  # and as it was when it was looked at last
    },
    parts={
        "scale": floats(lambda step, site: _room(site)),
        "vectors": floats(lambda step, site: _room(site) * step.kinetic.directions(site.n, site.tune)),
        "stretches": floats(lambda step, site: site.settles * step.kinetic.directions(site.n, site.tune)),
    },
    work={"trial": floats(lambda step, site: _room(site))},
)
Settling = SETTLING.record

_LEAST = 100  # draws before anything is believed
_DOUBT = math.log(2.0)  # of a variance: directions that differ by less are not learnt, either
_TREND = 0.75  # standard deviations between the log density of some draws and of those before
_MOVED = 1.0 / 3.0  # of the draws must differ from the one before: others teach nothing
_STEP_DRAWS = 40  # between two looks at the step size: acceptance is correlated
_STEP_DOUBT = math.log(1.1)
_TURNS = 20  # of a power iteration: an eigenvalue to some per cent


@entry("int64(intp, intp)")
def watch(address: int, draws: int) -> int:
    """Take in a draw of warm-up, which metric and step size have learnt from; return whether warm-up may end.

    It is a C function of its own, so that runs of a given length need not compile it.

    Parameters
    ----------
    address : int
        Of a Settling record, which holds what there is to say of the draw.
    draws : int
        Number of draws of warm-up so far.
    """
    own = record_at(address, Settling)
    schedule, metric = record_at(own.schedule, Schedule), record_at(own.metric, Metric)
    averaging = record_at(own.averaging, DualAveraging)
    if own.frozen != 0:
        return 1 if _step_size_stands(own, averaging, draws) else 0
    _take(own)
    if not _is_due(own, schedule, metric, draws):
        return 0
    settled = draws >= _LEAST and _is_stationary(own, metric.n) and doubt(own, metric) <= _DOUBT
    own.level_before, own.variance_before = own.level, own.squares / own.count
    own.count = own.moves = own.divergences = own.level = own.squares = 0.0
    keep(own, metric)
    if settled:
        own.frozen, own.log_step, own.log_step_before = draws, 0.0, math.inf
        schedule.final_start = draws
        step_sizes.calm(averaging)
    return 0


@kernel
def _step_size_stands(own: Record, averaging: Record, draws: int) -> bool:
    """Average the step size anew, with equal weights; tell whether the average has moved little since the last look."""
    age = draws - own.frozen
    own.log_step += (averaging.log_step - own.log_step) / age
    averaging.log_step_bar = own.log_step
    if age % _STEP_DRAWS != 0:
        return False
    change, own.log_step_before = own.log_step - own.log_step_before, own.log_step
    stands: bool = abs(change) <= _STEP_DOUBT
    return stands


@kernel
def _take(own: Record) -> None:
    own.count += 1.0
    own.moves += own.moved
    own.divergences += own.diverging
    deviation = own.logp - own.level
    own.level += deviation / own.count
    own.squares += deviation * (own.logp - own.level)


@kernel
def _is_due(own: Record, schedule: Record, metric: Record, draws: int) -> bool:
    """Tell whether the metric is to be compared: when it has learnt directions, or on the same schedule."""
    if record_at(metric.low_rank, LowRank).capacity != 0:
        directions: bool = record_at(schedule.regime, Regime).latest == draws
        return directions
    if draws % BLOCK != 0 or draws < max(own.following, FIRST):
        return False
    own.following = max(int(GROWTH * draws), draws + BLOCK)
    return True


@kernel
def _is_stationary(own: Record, n: int) -> bool:
    """Tell whether the log density is that of the draws before the last comparison, draws moved, and none diverged."""
    variance = own.squares / own.count
    limit = _TREND * math.sqrt(max(0.5 * n, 0.5 * (variance + own.variance_before)))
    same: bool = abs(own.level - own.level_before) <= limit
    return same and own.moves >= _MOVED * own.count and own.divergences == 0.0


@kernel
def keep(own: Record, metric: Record) -> None:
    """Keep the metric in use for the next comparison."""
    n, low = metric.n, record_at(metric.low_rank, LowRank)
    scale, inv_mass = floats_at(own.scale, n), floats_at(metric.inv_mass, n)
    for i in range(n):
        scale[i] = math.sqrt(inv_mass[i])
    own.rank = low.rank if metric.dense == DIRECTIONS else 0
    copy(own.rank * n, low.vectors, own.vectors)
    copy(own.rank, low.stretches, own.stretches)


@kernel
def doubt(own: Record, metric: Record) -> float:
    """Return the largest logarithm, without its sign, of an eigenvalue of one metric as the one before whitens it."""
    n, low = metric.n, record_at(metric.low_rank, LowRank)
    rank = low.rank if metric.dense == DIRECTIONS else 0
    if rank == 0 and own.rank == 0:
        return _doubt_of_scales(own, metric)
    return max(_largest(own, metric, low, rank, n, 1.0), _largest(own, metric, low, rank, n, -1.0))


@kernel
def _doubt_of_scales(own: Record, metric: Record) -> float:
    scale, inv_mass, largest = floats_at(own.scale, metric.n), floats_at(metric.inv_mass, metric.n), 0.0
    for i in range(metric.n):
        largest = max(largest, abs(math.log(inv_mass[i] / (scale[i] * scale[i]))) if scale[i] > 0.0 else math.inf)
    return largest


@kernel
def _largest(own: Record, metric: Record, low: Record, rank: int, n: int, sign: float) -> float:
    """Return the logarithm of the largest eigenvalue, by power iteration; `sign` -1: of the inverse's."""
    trial, scale, inv_mass = floats_at(own.trial, n), floats_at(own.scale, n), floats_at(metric.inv_mass, n)
    for i in range(n):
        if not scale[i] > 0.0:
            return math.inf
        trial[i] = 1.0 + 0.5 * math.cos(2.4 * i)  # orthogonal to nothing that has a meaning
    size = math.sqrt(dot(n, own.trial, own.trial))
    for _ in range(_TURNS):
        divide(n, own.trial, size)
        _stretch(own.vectors, own.stretches, own.rank, n, -0.5 * sign, own.trial)
        for i in range(n):
            trial[i] *= (math.sqrt(inv_mass[i]) / scale[i]) ** sign
        _stretch(low.vectors, low.stretches, rank, n, sign, own.trial)
        for i in range(n):
            trial[i] *= (math.sqrt(inv_mass[i]) / scale[i]) ** sign
        _stretch(own.vectors, own.stretches, own.rank, n, -0.5 * sign, own.trial)
        size = math.sqrt(dot(n, own.trial, own.trial))
    return math.log(size) if size > 0.0 else math.inf


@kernel
def _stretch(vectors: int, stretches_address: int, rank: int, n: int, power: float, address: int) -> None:
    """Stretch a vector along directions, by powers of their eigenvalues."""
    stretches = floats_at(stretches_address, rank)
    for k in range(rank):
        factor = (1.0 + stretches[k]) ** power - 1.0
        add(n, factor * dot(n, vectors + 8 * n * k, address), vectors + 8 * n * k, address)

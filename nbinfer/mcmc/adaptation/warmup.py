"""The schedule of warm-up: when the metric learns, when its windows end, when only the step size is left to settle."""

from __future__ import annotations

from nbinfer.compile import Record, call_phase, kernel, record_at
from nbinfer.engine.state import State
from nbinfer.mcmc.adaptation.regimes import REGIME
from nbinfer.mcmc.metric import kernel as metrics
from nbinfer.mcmc.metric import low_rank
from nbinfer.mcmc.metric.kernel import DIAGONAL, DIRECTIONS
from nbinfer.mcmc.metric.low_rank import LowRank

SCHEDULE = State(
    fields={
        "early_end": "f8",  # draw at which the early phase ends
        "final_start": "f8",  # draw from which the metric is frozen
        "early_window": "f8",  # draws that an early window lasts
        "window": "f8",  # draws that the present later window lasts
        "growth": "f8",  # factor from one later window to the next
        "refresh_every": "f8",  # draws between two refreshes of the metric in use; in the early phase, every draw
        "last_refresh": "f8",
        "changed": "i8",  # whether the metric has ever been set from draws
    },
    parts={"regime": REGIME},  # of a metric that learns directions
)
Schedule = SCHEDULE.record


def phases(tune: float, refresh_every: float) -> dict[str, float]:
    """Return the settings of nutpie's schedule.

    Windows of 10 draws in the first 30 % of warm-up, then of 80, 120, 180, …; the last 15 % for the step size alone.
    """
    return dict(
        early_end=0.3 * tune,
        final_start=0.85 * tune,
        early_window=10,
        window=80,
        growth=1.5,
        refresh_every=refresh_every,
    )


def windows(tune: float, window: float, growth: float) -> dict[str, float]:
    """Return the settings of PyMC's schedule: windows to the end, each `growth` times as long as the one before."""
    return dict(early_end=0, final_start=tune, early_window=window, window=window, growth=growth, refresh_every=1)


@kernel
def learn(schedule: Record, metric: Record, draw: int, moved: bool, position: int, grad: int, logp: float) -> bool:
    """Show the metric a draw of warm-up; return whether a step size is to be searched for anew.

    That is so where the metric was set from draws for the first time, or has become one of another kind.

    Parameters
    ----------
    schedule : Schedule record
    metric : Metric record
    draw : int
        Number of the draw within warm-up.
    moved : bool
        Whether the draw differs from the one before. A repeated draw teaches nothing.
    position, grad : int
        Addresses of the draw and its gradient.
    logp : float
        The log density there.
    """
    if metric.adaptation == 0 or draw >= schedule.final_start:
        return False
    if metrics.learn_by_function(metric, position, grad):
        return False
    first = _learn_by_windows(schedule, metric, draw, moved, position, grad)
    low = record_at(metric.low_rank, LowRank)
    if low.capacity == 0:
        return first
    low_rank.remember(low, metric.n, draw, moved, position, grad, logp)
    changed = call_phase(low.look, schedule.regime, low.metric, draw + 1) != 0
    return first or changed


@kernel
def _learn_by_windows(schedule: Record, metric: Record, draw: int, moved: bool, position: int, grad: int) -> bool:
    """Learn by windows; return whether the metric in use changed for the first time."""
    if moved:
        metrics.learn(metric, position, grad)
    early = draw < schedule.early_end
    window = schedule.early_window if early else schedule.window
    due = (early and metric.dense == DIAGONAL) or draw - schedule.last_refresh >= schedule.refresh_every
    if metrics.background_count(metric) >= window and draw + window <= schedule.final_start:
        metrics.switch(metric)
        if not early:
            schedule.window *= schedule.growth
        due = True
    if not due or metric.dense == DIRECTIONS or not metrics.refresh(metric):
        return False
    schedule.last_refresh = draw
    first: bool = schedule.changed == 0
    schedule.changed = 1
    return first

"""Step-size adaptation by dual averaging (Hoffman & Gelman 2014, section 3.2)."""

from __future__ import annotations

import math

from nbinfer.compile import Record, kernel
from nbinfer.engine.state import State

#: A step is dimensionless in whitened coordinates. A quarter of an oscillator's period is more than any target needs;
#: integrators of several stages would follow it to the half, where each draw is the one before with its sign turned.
LARGEST_STEP = math.pi / 2.0

_LATE = 4000.0

#: One adaptation: its constants, which whoever keeps it sets once, and what it has learnt.
AVERAGING = State(
    fields={
        "target_accept": "f8",  # delta
        "gamma": "f8",  # the larger, the less an error moves the iterate
        "t0": "f8",  # damps the first updates
        "k": "f8",  # kappa: update m has the weight m**-k in the average
        "largest": "f8",  # step size that is not exceeded
        "follows": "i8",  # whether the point that step sizes are pulled to follows their average
        "shrink_point": "f8",  # mu: where log step sizes are pulled to
        "log_step": "f8",  # the iterate, used while tuning
        "log_step_bar": "f8",  # its weighted average, used afterwards
        "error_bar": "f8",  # running mean of target - acceptance
        "count": "f8",  # updates so far
    }
)
DualAveraging = AVERAGING.record


@kernel
def restart(state: Record, step_size: float) -> None:
    """Forget what was learnt and start from `step_size` (> 0), e.g. after the metric changed."""
    state.shrink_point = math.log(step_size if state.follows != 0 else 10.0 * step_size)
    state.log_step = state.log_step_bar = math.log(step_size)
    state.error_bar = state.count = 0.0


@kernel
def calm(state: Record) -> None:
    """Go on from the average as if `_LATE` updates had been made: the iterate then keeps near its average.

    At the average of iterates that vary by much the acceptance is higher than its average, which is on target. And from
    a single one of them it would take as many draws to return as there are to average over.
    """
    state.log_step = state.log_step_bar
    state.error_bar = (state.shrink_point - state.log_step) * state.gamma / math.sqrt(_LATE)
    state.count = _LATE


@kernel
def learn(state: Record, accept_prob: float) -> None:
    """Take in the acceptance probability of one transition (equation 6); NaN counts as 0."""
    if not accept_prob >= 0.0:
        accept_prob = 0.0
    state.count += 1.0
    weight = 1.0 / (state.count + state.t0)
    state.error_bar += weight * (state.target_accept - accept_prob - state.error_bar)
    log_step = state.shrink_point - math.sqrt(state.count) / state.gamma * state.error_bar
    state.log_step = min(log_step, math.log(state.largest))
    decay = state.count**-state.k
    state.log_step_bar += decay * (state.log_step - state.log_step_bar)
    if state.follows != 0:  # a pull to any other place would hold the acceptance off its target
        state.shrink_point = state.log_step_bar


@kernel
def step_size(state: Record, tuning: bool) -> float:
    """Return the step size to use: the iterate while tuning, its average afterwards."""
    return math.exp(state.log_step if tuning else state.log_step_bar)

"""Step-size adaptation by dual averaging, and the search for a first step size.

References
----------
.. [1] M. D. Hoffman and A. Gelman, "The No-U-Turn Sampler", JMLR 15 (2014), sections 3.2 and 3.2.1.
"""

from __future__ import annotations

import math

from nbinfer.compile import Record, kernel
from nbinfer.engine.state import State

#: A step is dimensionless in whitened coordinates. A quarter of an oscillator's period is more than any target needs;
#: integrators of several stages would follow it to the half, where each draw is the one before with its sign turned.
LARGEST_STEP = math.pi / 2.0

#: One adaptation.
AVERAGING = State(
    fields={
        "shrink_point": "f8",  # mu: where log step sizes are pulled to
        "log_step": "f8",  # the iterate, used while tuning
        "log_step_bar": "f8",  # its weighted average, used afterwards
        "error_bar": "f8",  # running mean of target - acceptance
        "count": "f8",  # updates so far
        "largest": "f8",  # step size that is not exceeded
        "follows": "i8",  # whether the point that step sizes are pulled to follows their average
    }
)
DualAveraging = AVERAGING.record


@kernel
def restart(state: Record, step_size: float) -> None:
    """Forget what was learnt and start from `step_size` (> 0)."""
    state.shrink_point = math.log(step_size if state.follows != 0 else 10.0 * step_size)
    state.log_step = math.log(step_size)
    state.log_step_bar = math.log(step_size)
    state.error_bar = 0.0
    state.count = 0.0


@kernel
def learn(state: Record, accept_prob: float, target_accept: float, gamma: float, t0: float, k: float) -> None:
    """Take in the acceptance probability of one transition (equation 6); NaN counts as 0."""
    if not accept_prob >= 0.0:
        accept_prob = 0.0
    state.count += 1.0
    weight = 1.0 / (state.count + t0)
    state.error_bar += weight * (target_accept - accept_prob - state.error_bar)
    log_step = state.shrink_point - math.sqrt(state.count) / gamma * state.error_bar
    state.log_step = min(log_step, math.log(state.largest))
    decay = state.count**-k
    state.log_step_bar += decay * (state.log_step - state.log_step_bar)
    if state.follows != 0:  # a pull to any other place would hold the acceptance off its target
        state.shrink_point = state.log_step_bar


@kernel
def step_size(state: Record, tuning: bool) -> float:
    """Return the step size to use: the iterate while tuning, its average afterwards."""
    return math.exp(state.log_step if tuning else state.log_step_bar)

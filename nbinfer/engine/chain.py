"""The chain: its state in one block of memory, and the kernel that advances it.

A chain is a job. Its block is contiguous and made of 8-byte fields: the header, the words of its random stream,
position and gradient, then what each of its steps keeps. Addresses in a block are set anew whenever a run starts
(`nbinfer.engine.chains`); the rest is all there is to a chain, so that copying a block copies the chain.

A step is a C function ``int64 step(intp chain, intp own)``. It leaves the target invariant, writes position, discrete
values and log density only when it has succeeded, writes its statistics, adapts itself while `tuning`, and returns a
`Status`. A step that moves without gradients says so by `gradient_known`; one that needs them asks `know_gradient`.

Warm-up may end early. What is left of it counts as done, though nobody draws it: so a row and a number of the random
stream belong to a draw whenever warm-up ended, and all chains end at the same count.
"""

from __future__ import annotations

import numpy as np

from nbinfer.compile import (
    Record,
    call_density,
    call_record,
    call_step,
    entry,
    ints_at,
    kernel,
    load_acquire,
    record_at,
    store_release,
)
from nbinfer.engine.job import JOB, Status, progress_line
from nbinfer.engine.state import State, floats, integers, per_coordinate, per_discrete
from nbinfer.random import Purpose, start
from nbinfer.trace.columns import row_of, scatter

#: A chain: the header of its block, and what is behind it before the state of its steps.
CHAIN = State(
    base=JOB,
    leads=True,
    fields={
        "density": "i8",  # C function, and the pointer it is given
        "value": "i8",  # the same for values alone
        "context": "i8",
        "record_function": "i8",  # C function: position -> row of parameters and derived quantities
        "n": "i8",
        "logp": "f8",
        "gradient_known": "i8",  # whether `grad` belongs to the position and the discrete values
        "n_discrete": "i8",
        "tune": "i8",  # draws of warm-up at most; `done` counts them, too
        "settles": "i8",  # whether warm-up ends as soon as a step has `settled`
        "settled": "i8",  # set by a step that needs no more of it
        "skipped": "i8",  # draws of warm-up that nobody needed; `done` counts them as if they had been drawn
        "thin": "i8",  # of how many draws after warm-up one is kept
        "tuning": "i8",  # whether the draw under way is one of them
        "may_climb": "i8",  # whether nobody chose where the chain begins, so that a step may begin higher up
        "gradients": "i8",  # evaluations of the gradient so far
        "values": "i8",  # evaluations of the log density, or of a conditional, alone
        "most_evaluations": "i8",  # the chain ends after the draw in which it has made so many
        "most_done": "i8",  # the chain ends after so many draws
        "divergences": "i8",  # after warm-up
        "enough_divergences": "i8",  # that many stop the run; 0: none do
        "step_size": "f8",  # for display
        "n_steps": "i8",
        "columns": "i8",  # address of the columns that the row is scattered to, see `nbinfer.trace.columns`
        "n_columns": "i8",
        "statistics": "i8",  # address of the row that the steps fill
        "statistic_columns": "i8",
        "n_statistic_columns": "i8",
        "failed": "i8",  # which of the steps returned the status
    },
    parts={
        "position": floats(per_coordinate),
        "grad": floats(per_coordinate),
        "discrete": integers(per_discrete),
    },
    work={
        "steps": integers(lambda steps, site: 2 * len(steps)),  # (function, own state) per step
        "row": floats(lambda steps, site: site.bound.row_size),  # that `record` fills
    },
)
Chain = CHAIN.record

#: What a chain publishes after each draw.
Progress = progress_line({"gradients": "i8", "divergences": "i8", "step_size": "f8", "skipped": "i8"})

#: Where a chain has no limit of its own.
NO_LIMIT = 1 << 62

_GRADIENT_BLOCK = 1024  # a moment
_STEP_PURPOSE = int(Purpose.STEP)
_OK, _STOPPED, _BAD_RECORD = int(Status.OK), int(Status.STOPPED), int(Status.BAD_RECORD)


@kernel
def comparable(logp: float) -> float:
    """Return a log density, or -inf if it is NaN or +inf: no step goes where there is no density to compare with."""
    return logp if logp < np.inf else -np.inf


@kernel
def value_at(chain: Record, position: int) -> float:
    """Return the log density at a position, known by its address; -inf if there is none."""
    chain.values += 1
    return comparable(call_density(chain.value, chain.n, position, 0, chain.context))


@kernel
def conditional_at(chain: Record, pairs: int, which: int, position: int) -> float:
    """Return the log density at a position, up to what does not depend on one element; -inf if there is none.

    `pairs` is the address of a function, or 0 for the whole density, and the index it takes, for each element.
    """
    pair = ints_at(pairs + 16 * which, 2)
    if pair[0] == 0:
        return value_at(chain, position)
    chain.values += 1
    return comparable(call_density(pair[0], chain.n, position, pair[1], chain.context))


@kernel
def know_gradient(chain: Record) -> None:
    """Evaluate the gradient if the last step moved without one."""
    if chain.gradient_known == 0:
        chain.logp = call_density(chain.density, chain.n, chain.position, chain.grad, chain.context)
        chain.gradients += 1
        chain.gradient_known = 1


@kernel
def know_value(chain: Record) -> None:
    """Evaluate the log density after a step that moved without it."""
    chain.logp = value_at(chain, chain.position)
    chain.gradient_known = 0


@kernel
def _is_at_limit(chain: Record) -> bool:
    """Tell whether a chain ends here although others go on."""
    enough: bool = chain.gradients + chain.values >= chain.most_evaluations or chain.done >= chain.most_done
    return enough


@entry("int64(intp, int64)")
def advance(address: int, until: int) -> int:
    """Advance a chain to draw `until`, or by `_GRADIENT_BLOCK` gradients; each finished draw is stored and published.

    Returns
    -------
    status : int
    """
    chain = record_at(address, Chain)
    progress = record_at(chain.progress, Progress)
    steps = ints_at(chain.steps, 2 * chain.n_steps)
    enough = chain.gradients + _GRADIENT_BLOCK
    while chain.done < until and chain.gradients < enough:
        if load_acquire(chain.stop) != 0 or _is_at_limit(chain):
            return _STOPPED
        warm = chain.done < chain.tune
        chain.tuning = 1 if warm else 0
        for k in range(chain.n_steps):
            start(chain.words, chain.done, chain.number, _STEP_PURPOSE + k)
            status = call_step(steps[2 * k], address, steps[2 * k + 1])
            if status != _OK:
                chain.failed = k
                return status
        row = row_of(chain.done, chain.tune, chain.thin)
        if row >= 0:
            if chain.n_columns > 0:
                if call_record(chain.record_function, chain.n, chain.position, chain.row, chain.context) != 0:
                    return _BAD_RECORD
                scatter(chain.row, chain.columns, chain.n_columns, warm, row)
            scatter(chain.statistics, chain.statistic_columns, chain.n_statistic_columns, warm, row)
        chain.done += 1
        if warm and chain.settled != 0 and chain.settles != 0:
            chain.skipped, chain.done = chain.tune - chain.done, chain.tune
            progress.skipped = chain.skipped
        progress.gradients = chain.gradients
        progress.divergences = chain.divergences
        progress.step_size = chain.step_size
        store_release(chain.progress, chain.done)
        if chain.enough_divergences > 0 and chain.divergences >= chain.enough_divergences:
            store_release(chain.stop, 1)  # every chain stops, with the draw that diverged among the finished ones
    return _OK

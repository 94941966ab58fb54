"""A fit: its state in one block of memory, and the kernel that advances it.

A fit is a job whose pieces are iterations. In each, every group of the approximation turns noise into its part of a
position; the model says density and gradient there; every group pulls the gradient back to its parameters; and the
optimiser moves these. The block holds parameters and their gradient, what groups and optimiser keep, and the words of
the random stream: copying it copies the fit. What is minimised is ``-beta (log p - log q)``, a mean over draws, where
the weights of the fit's context are such that beta falls on all but the likelihood.
"""

from __future__ import annotations

import enum
import math

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import (
    Record,
    call_density,
    call_step,
    entry,
    floats_at,
    ints_at,
    kernel,
    load_acquire,
    record_at,
    store_release,
)
from nbinfer.engine.job import JOB, Status, progress_line
from nbinfer.engine.state import State, floats, integers
from nbinfer.random import Purpose, fill_normal, start
from nbinfer.streaming.gather import gather_all
from nbinfer.variational.families.family import GROUP
from nbinfer.variational.optimizers.descent import DESCENT, Descent
from nbinfer.variational.optimizers.norms import shrink

#: Draws that are looked back on, and how many of them may be skipped.
LATELY, TOLERATED = 1000, 50

#: A group in the table of groups: `draw`, `pull` and address of its record.
GROUP_FIELDS = 3


class FitStatus(enum.IntEnum):
    """What a fit returns beside a `Status`."""

    TOO_MANY_SKIPPED = 64  # draws without a density
    NOT_FINITE = 65  # a parameter, which is as it was before the last step
    NO_START = 66  # a draw where the fit begins has no density
    NO_SCORE = 67  # particles without a density, or without a finite gradient
    NO_SPREAD = 68  # particles of which too many are equal to tell how far apart they are
    ENCODER = 69  # one that raised, or gave another shape
    NOT_DEFINITE = 70  # a kernel's values at the particles


#: A fit: the header of its block.
FIT = State(
    base=JOB,
    leads=True,
    fields={
        "density": "i8",  # C function, and the pointer it is given
        "context": "i8",
        "n": "i8",  # coordinates
        "n_parameters": "i8",
        "n_moved": "i8",  # so many, the first ones, are what the optimiser moves
        "n_groups": "i8",
        "n_draws": "i8",  # in each iteration
        "n_feeds": "i8",  # arrays of which an iteration has a batch, and the table of their records
        "feeds": "i8",
        "constant": "f8",  # that the optimiser's gradient is divided by
        "beta": "f8",
        "largest_norm": "f8",  # of the gradient; 0: any
        "update": "i8",  # C function of the optimiser, and its record
        "rule": "i8",
        "losses": "i8",  # address, of those of all iterations
        "rates": "i8",  # address of learning rates from an iteration on; 0: it stays as it is
        "first": "i8",  # that iteration
        "drawn": "i8",  # draws so far
        "skipped": "i8",  # those without density
        "skipped_lately": "i8",
        "culprit": "i8",  # parameter that is not finite
        "broken": "i8",  # what a family returned that failed
    },
    parts={
        "descent": DESCENT,
        "parameters": floats(lambda fit, site: fit.n_parameters),
        "gradient": floats(lambda fit, site: fit.n_parameters),
        "position": floats(lambda fit, site: site.n),
        "lately": integers(LATELY),  # whether each of the last draws was skipped
    },
    work={
        "grad": floats(lambda fit, site: site.n),
        "before": floats(lambda fit, site: fit.n_parameters),
        "groups": integers(lambda fit, site: GROUP_FIELDS * fit.n_groups),
    },
)
Fit, Group = FIT.record, GROUP.record

#: What a fit publishes after each iteration.
Progress = progress_line({"skipped": "i8"})

_NOISE = int(Purpose.NOISE)
_OK, _STOPPED = int(Status.OK), int(Status.STOPPED)
_TOO_MANY_SKIPPED, _NOT_FINITE = int(FitStatus.TOO_MANY_SKIPPED), int(FitStatus.NOT_FINITE)


@kernel
def draw_all(address: int, fit: Record, groups: NDArray[np.int64]) -> float:
    """Give each group its noise, have it draw, and put the position together; return log q."""
    logq = 0.0
    for k in range(fit.n_groups):
        group = record_at(groups[GROUP_FIELDS * k + 2], Group)
        fill_normal(fit.words, group.noise, group.n_noise)
        logq += draw_group(address, fit, groups, k)
    return logq


@kernel
def draw_group(address: int, fit: Record, groups: NDArray[np.int64], k: int) -> float:
    """Have a group turn the noise that it was given into its part of the position; return log q of that."""
    own = groups[GROUP_FIELDS * k + 2]
    group = record_at(own, Group)
    status = call_step(groups[GROUP_FIELDS * k], address, own)
    if status != _OK:
        fit.broken = status
    position = floats_at(fit.position, fit.n)
    where, z = ints_at(group.where, group.n), floats_at(group.z, group.n)
    for i in range(group.n):
        position[where[i]] = z[i]
    return group.weight * group.logq  # type: ignore[no-any-return]


@kernel
def pull_all(address: int, fit: Record, groups: NDArray[np.int64]) -> None:
    """Hand each group its part of the gradient, to pull back to its parameters: the last that has drawn comes first.

    The part is that for one of the groups that it stands for, as the entropy is that the group adds.
    """
    grad = floats_at(fit.grad, fit.n)
    for k in range(fit.n_groups - 1, -1, -1):
        own = groups[GROUP_FIELDS * k + 2]
        group = record_at(own, Group)
        where, part = ints_at(group.where, group.n), floats_at(group.grad, group.n)
        for i in range(group.n):
            part[i] = grad[where[i]] / group.weight
        status = call_step(groups[GROUP_FIELDS * k + 1], address, own)
        if status != _OK:
            fit.broken = status


@kernel
def has_density(fit: Record, excess: float) -> bool:
    """Tell whether both densities of a draw, whose logs differ by `excess`, and the gradient are finite."""
    if not math.isfinite(excess):
        return False
    grad = floats_at(fit.grad, fit.n)
    total = 0.0
    for i in range(fit.n):
        total += grad[i] * 0.0
    return total == 0.0


@kernel
def counts(fit: Record, excess: float) -> bool:
    """Tell whether a draw counts, see `has_density`; note it if it does not."""
    good = has_density(fit, excess)
    lately = ints_at(fit.lately, LATELY)
    slot = fit.drawn % LATELY
    skipped = 0 if good else 1
    fit.skipped_lately += skipped - lately[slot]
    fit.skipped += skipped
    lately[slot] = skipped
    fit.drawn += 1
    return good


@kernel
def _loss(address: int, fit: Record, groups: NDArray[np.int64]) -> float:
    """Write the gradient that the optimiser gets, and return the loss, a mean over draws; NaN if no draw counts."""
    gradient = floats_at(fit.gradient, fit.n_parameters)
    for i in range(fit.n_parameters):
        gradient[i] = 0.0
    total = 0.0
    count = 0
    for _ in range(fit.n_draws):
        logq = draw_all(address, fit, groups)
        logp = call_density(fit.density, fit.n, fit.position, fit.grad, fit.context)
        if counts(fit, logp - logq):
            pull_all(address, fit, groups)
            total += logp - logq
            count += 1
        elif fit.skipped_lately > TOLERATED:
            return np.nan
    if count == 0:
        return np.nan
    scale = -fit.beta / count
    for i in range(fit.n_parameters):
        gradient[i] *= scale / fit.constant
    loss: float = total * scale
    return loss


@kernel
def move_parameters(fit: Record) -> int:
    """Have the optimiser move the parameters; put them back if one of them is no number then."""
    n = fit.n_moved
    x, before = floats_at(fit.parameters, n), floats_at(fit.before, n)
    for i in range(n):
        before[i] = x[i]
    if fit.largest_norm > 0.0:
        shrink(fit.gradient, n, fit.largest_norm)
    descent = record_at(fit.descent, Descent)
    descent.step += 1
    if fit.rates != 0:
        descent.rate = floats_at(fit.rates, fit.done - fit.first + 1)[fit.done - fit.first]
    status = call_step(fit.update, fit.descent, fit.rule)
    if are_finite(fit):
        return status
    for i in range(n):
        x[i] = before[i]
    return _NOT_FINITE


@kernel
def are_finite(fit: Record) -> bool:
    """Tell whether all parameters are finite; note the first that is not."""
    x = floats_at(fit.parameters, fit.n_moved)
    for i in range(fit.n_moved):
        if not math.isfinite(x[i]):
            fit.culprit = i
            return False
    return True


@entry("int64(intp, int64)")
def advance(address: int, until: int) -> int:
    """Advance a fit to iteration `until`, or to the end of one with a draw that has no density, for Python to see why.

    Each iteration's loss is stored and published.

    Returns
    -------
    status : int
    """
    fit = record_at(address, Fit)
    progress = record_at(fit.progress, Progress)
    groups = ints_at(fit.groups, GROUP_FIELDS * fit.n_groups)
    losses = floats_at(fit.losses, until)
    skipped = fit.skipped
    if not are_finite(fit):  # what a callback has written
        return _NOT_FINITE
    while fit.done < until and fit.skipped == skipped:
        if load_acquire(fit.stop) != 0:
            return _STOPPED
        start(fit.words, fit.done, fit.number, _NOISE)
        gather_all(fit.feeds, fit.n_feeds, fit.done)
        loss = _loss(address, fit, groups)
        progress.skipped = fit.skipped
        if fit.broken != _OK:
            return fit.broken  # type: ignore[no-any-return]
        if fit.skipped_lately > TOLERATED:
            return _TOO_MANY_SKIPPED
        if math.isfinite(loss):
            status = move_parameters(fit)
            if status != _OK:
                return status
        losses[fit.done] = loss
        fit.done += 1
        store_release(fit.progress, fit.done)
    return _OK

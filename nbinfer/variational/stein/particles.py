"""The other phases of an iteration: where particles are, scores there, and what the forces move.

Particles are the rows of histograms, which the forces move themselves; or draws of an approximation, through which the
forces come back to its parameters.
"""

from __future__ import annotations

import math

from nbinfer.compile import (
    Record,
    call_density,
    entry,
    floats_at,
    ints_at,
    kernel,
    load_acquire,
    record_at,
    store_release,
)
from nbinfer.engine.job import Status
from nbinfer.engine.vectors import copy
from nbinfer.streaming.gather import gather_all
from nbinfer.variational.job import (
    GROUP_FIELDS,
    TOLERATED,
    Fit,
    FitStatus,
    Group,
    Progress,
    are_finite,
    counts,
    move_parameters,
)
from nbinfer.variational.pulling import draw_rows, pull_rows
from nbinfer.variational.stein.state import Stein_, claimed

_OK, _STOPPED = int(Status.OK), int(Status.STOPPED)
_NOT_FINITE, _TOO_MANY = int(FitStatus.NOT_FINITE), int(FitStatus.TOO_MANY_SKIPPED)
_NO_SCORE = int(FitStatus.NO_SCORE)


@kernel
def _noted(fit: Record, status: int) -> int:
    """Note what ends a run, for Python to see."""
    fit.status = status
    return status


@kernel
def _begun(fit: Record) -> int:
    """Tell whether an iteration may begin; fetch the batch that all particles see in it."""
    if load_acquire(fit.stop) != 0:
        return _STOPPED
    if not are_finite(fit):  # what a callback has written
        return _noted(fit, _NOT_FINITE)
    gather_all(fit.feeds, fit.n_feeds, fit.done)
    return _OK


@entry("int64(intp, int64, int64)")
def collect(address: int, row: int, piece: int) -> int:
    """Take the rows of the histograms as positions: a phase of one row."""
    stein = record_at(address, Stein_)
    fit, dim = record_at(stein.fit, Fit), stein.dim
    status = _begun(fit)
    if status != _OK:
        return status
    groups, positions = ints_at(fit.groups, GROUP_FIELDS * fit.n_groups), floats_at(stein.positions, stein.n * dim)
    for k in range(fit.n_groups):
        group = record_at(groups[GROUP_FIELDS * k + 2], Group)
        n, where, rows = group.n, ints_at(group.where, group.n), floats_at(group.parameters, stein.n * group.n)
        for i in range(stein.n):
            for c in range(n):
                positions[i * dim + where[c]] = rows[i * n + c]
    return _OK


@entry("int64(intp, int64, int64)")
def explore(address: int, row: int, piece: int) -> int:
    """Draw positions: a phase of one row."""
    stein = record_at(address, Stein_)
    fit = record_at(stein.fit, Fit)
    status = _begun(fit)
    if status != _OK:
        return status
    draw_rows(stein.fit, piece, stein.n, stein.positions)
    return _OK if fit.broken == _OK else _noted(fit, fit.broken)


@entry("int64(intp, int64, int64)")
def score(address: int, share: int, piece: int) -> int:
    """Evaluate the density, with its gradient, at some positions: a phase."""
    stein = record_at(address, Stein_)
    fit, dim, logps = record_at(stein.fit, Fit), stein.dim, floats_at(stein.logps, stein.n)
    k = claimed(stein)
    context = ints_at(stein.contexts, stein.n_contexts)[k]
    for i in range(share * stein.share, min((share + 1) * stein.share, stein.n)):
        at = 8 * i * dim
        logps[i] = call_density(fit.density, dim, stein.positions + at, stein.grads + at, context)
    store_release(stein.claims + 8 * k, 0)
    return _OK


@kernel(reassociate=True)
def _is_good(stein: Record, i: int) -> bool:
    """Tell whether density and gradient of a particle are finite."""
    if not math.isfinite(floats_at(stein.logps, stein.n)[i]):
        return False
    grad, total = floats_at(stein.grads + 8 * i * stein.dim, stein.dim), 0.0
    for c in range(stein.dim):
        total += grad[c] * 0.0
    return total == 0.0


@entry("int64(intp, int64, int64)")
def gather(address: int, row: int, piece: int) -> int:
    """Put together those particles that have a density: a phase of one row."""
    stein = record_at(address, Stein_)
    fit, dim = record_at(stein.fit, Fit), stein.dim
    kept, logps, count = ints_at(stein.kept, stein.n), floats_at(stein.logps, stein.n), 0
    for i in range(stein.n):
        at, good = 8 * i * dim, _is_good(stein, i)
        if stein.is_drawn != 0:
            copy(dim, stein.positions + at, fit.position)
            copy(dim, stein.grads + at, fit.grad)
            counts(fit, logps[i])
            if fit.skipped_lately > TOLERATED:
                return _noted(fit, _TOO_MANY)
        if good:
            copy(dim, stein.positions + at, stein.points + 8 * count * dim)
            copy(dim, stein.grads + at, stein.scores + 8 * count * dim)
            kept[count] = i
            count += 1
    stein.count = count
    if stein.is_drawn == 0 and count < stein.n:
        return _noted(fit, _NO_SCORE)
    return _OK


@kernel
def _finished(fit: Record, status: int) -> int:
    """Publish an iteration, or note why there is none."""
    if status != _OK:
        return _noted(fit, status)
    floats_at(fit.losses, fit.done + 1)[fit.done] = math.nan
    record_at(fit.progress, Progress).skipped = fit.skipped
    fit.done += 1
    store_release(fit.progress, fit.done)
    return _OK


@entry("int64(intp, int64, int64)")
def follow(address: int, row: int, piece: int) -> int:
    """Have the optimiser move the particles by the forces on them: a phase of one row."""
    stein = record_at(address, Stein_)
    fit, dim = record_at(stein.fit, Fit), stein.dim
    groups, forces = ints_at(fit.groups, GROUP_FIELDS * fit.n_groups), floats_at(stein.forces, stein.n * dim)
    for k in range(fit.n_groups):
        group = record_at(groups[GROUP_FIELDS * k + 2], Group)
        n, where, rows = group.n, ints_at(group.where, group.n), floats_at(group.gradient, stein.n * group.n)
        for i in range(stein.n):
            for c in range(n):
                rows[i * n + c] = -forces[i * dim + where[c]]
        for i in range(stein.n * n):
            rows[i] /= fit.constant
    return _finished(fit, move_parameters(fit))


@entry("int64(intp, int64, int64)")
def pull_back(address: int, row: int, piece: int) -> int:
    """Pull the forces on draws back to the parameters, and have the optimiser move these: a phase of one row."""
    stein = record_at(address, Stein_)
    fit, dim, kept = record_at(stein.fit, Fit), stein.dim, ints_at(stein.kept, stein.n)
    if stein.count < 2 < stein.n:  # too few to tell where to go
        return _finished(fit, _OK)
    grads, forces = floats_at(stein.grads, stein.n * dim), floats_at(stein.forces, stein.n * dim)
    for i in range(stein.n * dim):
        grads[i] = 0.0
    for k in range(stein.count):
        for c in range(dim):
            grads[kept[k] * dim + c] = -forces[k * dim + c] / fit.constant
    pull_rows(stein.fit, piece, stein.n, stein.grads)
    return _finished(fit, fit.broken if fit.broken != _OK else move_parameters(fit))

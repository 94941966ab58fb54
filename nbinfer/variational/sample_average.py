"""A fit at noise that stays the same: its objective is a function like any other, and L-BFGS finds the minimum.

The evidence lower bound is estimated by a mean over draws whose noise never changes ("sample average approximation",
[1]_). What the search of `nbinfer.optimize.lbfgs` takes for a log density is that mean, as a function of the parameters
of the approximation: it has the density's signature, and the fit's block as its context.

References
----------
.. [1] R. Giordano, M. Ingram and T. Broderick, "Black box variational inference with a deterministic objective: faster,
   more accurate, and even more black box", JMLR 25 (2024).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import (
    Record,
    address_of,
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
from nbinfer.engine.job import Status
from nbinfer.engine.state import Inner, Memory, State, floats
from nbinfer.engine.vectors import copy
from nbinfer.optimize.lbfgs import Lbfgs, Outcome, Search, begin, iterate
from nbinfer.variational.job import (
    GROUP_FIELDS,
    Fit,
    FitStatus,
    Group,
    are_finite,
    draw_group,
    has_density,
    pull_all,
)
from nbinfer.variational.optimizers.descent import Descent, Extent, per_parameter
from nbinfer.variational.optimizers.rule import Rate, Rule

Floats = NDArray[np.float64]

#: What a fit at noise that stays the same keeps.
SAMPLE_AVERAGE = State(
    fields={
        "noise": "i8",  # address of its rows
        "n_rows": "i8",
        "n_noise": "i8",  # numbers of a row: those of all groups, one after the other
        "signs": "i8",  # 2: each row counts with both signs
        "objective": "i8",  # C function with a density's signature, and the fit that it is given
        "fit": "i8",
        "begun": "i8",  # whether the search has
        "settled": "i8",  # iterations without gain, in a row
        "outcome": "i8",  # of the last iteration
        "cut": "i8",  # whether the stop word has cut an evaluation short
        "pairs": "i8",  # of the search, as it was before an iteration: how much it remembers, and where it is
        "newest": "i8",
        "logp": "f8",
    },
    parts={"search": Inner(lambda rule: rule.search)},
    work={
        "position": floats(per_parameter),
        "grad": floats(per_parameter),
        "steps": floats(lambda rule, extent: rule.search.maxcor * extent.n),
        "changes": floats(lambda rule, extent: rule.search.maxcor * extent.n),
        "products": floats(lambda rule, extent: rule.search.maxcor),
    },
)
SampleAverage_ = SAMPLE_AVERAGE.record

_OK, _STOPPED = int(Status.OK), int(Status.STOPPED)
_NOT_FINITE, _NO_START = int(FitStatus.NOT_FINITE), int(FitStatus.NO_START)
_GOES_ON, _SETTLED, _STUCK = int(Outcome.GOES_ON), int(Outcome.SETTLED), int(Outcome.STUCK)

#: Iterations without gain that end a fit: one may be a step that was badly aimed.
ENOUGH = 2


@kernel
def _draw_row(address: int, fit: Record, groups: NDArray[np.int64], noise: int, sign: float) -> float:
    """Give each group its part of a row of noise, and have it draw; return log q."""
    logq, first = 0.0, noise
    for k in range(fit.n_groups):
        group = record_at(groups[GROUP_FIELDS * k + 2], Group)
        numbers, own = floats_at(first, group.n_noise), floats_at(group.noise, group.n_noise)
        for i in range(group.n_noise):
            own[i] = sign * numbers[i]
        first += 8 * group.n_noise
        logq += draw_group(address, fit, groups, k)
    return logq


@kernel
def _add_row(address: int, fit: Record, groups: NDArray[np.int64], noise: int, sign: float) -> float:
    """Add the gradient of a draw, and return its log p less log q: not finite if it has no density."""
    logq = _draw_row(address, fit, groups, noise, sign)
    excess: float = call_density(fit.density, fit.n, fit.position, fit.grad, fit.context) - logq
    if not has_density(fit, excess):
        return -np.inf
    pull_all(address, fit, groups)
    return excess


@entry("float64(int64, intp, intp, intp)")
def bound_at(n: int, parameters: int, gradient: int, address: int) -> float:
    """Return the mean of log p less log q over all rows of noise, and write its gradient; -inf where a draw has none.

    The fit has these parameters afterwards, and the position of the last draw: the one without density, if it has none.
    """
    fit = record_at(address, Fit)
    own = record_at(fit.rule, SampleAverage_)
    groups, slope = ints_at(fit.groups, GROUP_FIELDS * fit.n_groups), floats_at(fit.gradient, fit.n_parameters)
    copy(n, parameters, fit.parameters)
    for i in range(fit.n_parameters):
        slope[i] = 0.0
    total = 0.0
    for k in range(own.n_rows):
        own.cut = 1 if load_acquire(fit.stop) != 0 else 0
        for side in range(own.signs):
            total += _add_row(address, fit, groups, own.noise + 8 * own.n_noise * k, 1.0 - 2.0 * side)
            if own.cut != 0 or fit.broken != _OK or not math.isfinite(total):
                return -np.inf
    scale, target = 1.0 / (own.n_rows * own.signs), floats_at(gradient, n)
    for i in range(n):
        target[i] = scale * slope[i]
    bound: float = total * scale
    return bound


@entry("int64(intp, intp)")
def _update(descent_address: int, own_address: int) -> int:
    """Make an iteration of the search."""
    descent, own = record_at(descent_address, Descent), record_at(own_address, SampleAverage_)
    search = record_at(own.search, Lbfgs)
    _copy_search(search, own, descent.n, search.maxcor)
    own.outcome = iterate(search, own.objective, descent.n, own.fit)
    if own.cut != 0:  # it will be made anew
        _copy_search(own, search, descent.n, search.maxcor)
    copy(descent.n, search.position, descent.parameters)
    if own.cut != 0:
        return _STOPPED
    if own.outcome == _GOES_ON:
        own.settled = 0
    else:
        own.settled = own.settled + 1 if own.outcome == _SETTLED else ENOUGH
    return _OK


@kernel
def _copy_search(source: Record, target: Record, n: int, maxcor: int) -> None:
    """Copy what iterations of a search depend on, from its record to that which keeps it, or back."""
    target.pairs, target.newest, target.logp = source.pairs, source.newest, source.logp
    copy(n, source.position, target.position)
    copy(n, source.grad, target.grad)
    copy(maxcor * n, source.steps, target.steps)
    copy(maxcor * n, source.changes, target.changes)
    copy(maxcor, source.products, target.products)


@kernel
def _begin(fit: Record, own: Record) -> int:
    """Begin the search at the fit's parameters, unless it is there: they may be another's, a callback's perhaps."""
    n, search = fit.n_moved, record_at(own.search, Lbfgs)
    x, reached = floats_at(fit.parameters, n), floats_at(search.position, n)
    there = own.begun != 0
    for i in range(n):
        there = there and x[i] == reached[i]
    if there:
        return _OK
    logp = call_density(own.objective, n, fit.parameters, search.trial_grad, own.fit)
    if fit.broken != _OK:
        return fit.broken  # type: ignore[no-any-return]
    if own.cut != 0:
        return _STOPPED
    if not math.isfinite(logp):
        return _NO_START
    begin(search, n, fit.parameters, search.trial_grad, logp)
    own.begun, own.settled = 1, 0
    return _OK


@entry("int64(intp, int64)")
def advance(address: int, until: int) -> int:
    """Advance a fit to iteration `until`, or until it is at a minimum: then it sets the stop word.

    Each iteration's loss is stored and published. One that was cut short has not been.

    Returns
    -------
    status : int
    """
    fit = record_at(address, Fit)
    own = record_at(fit.rule, SampleAverage_)
    search, losses = record_at(own.search, Lbfgs), floats_at(fit.losses, until)
    own.fit = address
    if not are_finite(fit):  # what a callback has written
        return _NOT_FINITE
    status = _begin(fit, own)
    if status != _OK:
        return status
    while fit.done < until:
        if load_acquire(fit.stop) != 0:
            return _STOPPED
        status = call_step(fit.update, fit.descent, fit.rule)
        if fit.broken != _OK:
            return fit.broken  # type: ignore[no-any-return]
        if status != _OK:
            return status
        losses[fit.done] = -fit.beta * search.logp
        fit.done += 1
        store_release(fit.progress, fit.done)
        if own.settled >= ENOUGH:
            store_release(fit.stop, 1)
    return _OK


@dataclass(frozen=True, eq=False)
class SampleAverage(Rule):  # numpydoc ignore=PR02
    """L-BFGS over a bound whose noise stays the same.

    Parameters
    ----------
    noise : ndarray, shape (rows, n_noise)
        Standard normal numbers of all groups, one after the other.
    antithetic : bool
        Whether each row counts with both signs.
    tolerance : float
        An iteration that gains no more, in nats, counts as one without gain.
    """

    learning_rate: Rate = 1.0  # the search finds its own
    noise: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    antithetic: bool = True
    tolerance: float = 0.0

    name, function, state = "lbfgs", _update, SAMPLE_AVERAGE
    search: ClassVar[Search] = Search(max_iterations=2**62, max_evaluations=2**62)

    @property
    def n_draws(self) -> int:
        """Draws that the mean is over."""
        return len(self.noise) * (2 if self.antithetic else 1)

    def initialise(self, own: Memory, extent: Extent) -> None:
        own.n_rows, own.n_noise = self.noise.shape
        own.signs = 2 if self.antithetic else 1
        self.search.initialise(own.search, self.tolerance)

    def connect(self, own: Memory) -> None:
        own.begun = 0  # what the search knows may be of other data
        own.noise, own.objective = address_of(self.noise), bound_at.address


def is_flat(own: Any) -> bool:
    """Tell whether no slope is left where a search has ended, as far as rounding goes."""
    largest = float(np.abs(own.search.grad).max())
    return largest <= 1e-5 * max(1.0, abs(float(own.search.logp)))

"""Steps for variables of two values: Metropolis that flips several at once, and Gibbs sweeps that flip one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np

from nbinfer.arguments import is_number
from nbinfer.compile import entry, ints_at, record_at
from nbinfer.engine.chain import Chain, value_at
from nbinfer.engine.job import Status
from nbinfer.engine.state import Memory, State, integers, per_discrete
from nbinfer.engine.step import Around, Competence, Site, StepMethod, support_of
from nbinfer.mcmc.discrete import sweep as sweeps
from nbinfer.mcmc.discrete.sweep import SWEEP, Sweep
from nbinfer.mcmc.walks.metropolis import SCALING, Scaling, checked_scaling, initial_scaling, tune
from nbinfer.random import uniform
from nbinfer.spelling import public

_OK, _BAD_CONDITIONAL = int(Status.OK), int(Status.BAD_CONDITIONAL)

FLIPS = State(
    parts={"sweep": SWEEP, "scaling": SCALING},
    work={"flipped": integers(per_discrete)},
    statistics={"accept": "float64", "p_jump": "float64", "lp": "float64", "tune": "bool"},
)
Flips, FlipsRow = FLIPS.record, FLIPS.row


@entry("int64(intp, intp)")
def flip_some(chain_address: int, own_address: int) -> int:
    """Flip each value with the same probability; accept or reject all flips together."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Flips)
    sweep, scaling = record_at(own.sweep, Sweep), record_at(own.scaling, Scaling)
    z, indices = ints_at(chain.discrete, chain.n_discrete), ints_at(sweep.discrete, sweep.k)
    flipped, low = ints_at(own.flipped, sweep.k), ints_at(sweep.lowest, sweep.k)
    p_jump = 1.0 - 0.5**scaling.factor
    moved = False
    for j in range(sweep.k):
        flipped[j] = 1 if uniform(chain.words) < p_jump else 0
        if flipped[j] == 1:
            z[indices[j]] = 2 * low[j] + 1 - z[indices[j]]
            moved = True
    logp = chain.logp
    if moved:
        logp = value_at(chain, chain.position)
    change = logp - chain.logp
    accepted = math.log1p(-uniform(chain.words)) < change
    if accepted and moved:
        chain.logp, chain.gradient_known = logp, 0
    elif moved:
        for j in range(sweep.k):
            if flipped[j] == 1:
                z[indices[j]] = 2 * low[j] + 1 - z[indices[j]]
    row = record_at(own.statistics, FlipsRow)
    row.accept = math.exp(min(change, 700.0))
    row.p_jump = p_jump
    row.lp = chain.logp
    row.tune = chain.tuning
    if chain.tuning != 0:
        tune(scaling, accepted)
    return _OK


def _two_valued(var: Any) -> bool:
    """Tell whether each element of a variable has two values."""
    support = support_of(var)
    if not support.discrete:
        return False
    lowest, highest = support.constants.reshape(2, -1)
    return bool(np.all(highest - lowest == 1))


@public
@dataclass(frozen=True)
class BinaryMetropolis(StepMethod):  # numpydoc ignore=PR02
    """Configure Metropolis for variables of two values.

    Parameters
    ----------
    vars : str, variable or sequence of them, optional
        Names of the variables to sample, each `binary`, or with two values. They move together. Default: all such.
    scaling : float
        Each value flips with probability ``1 - 0.5**scaling``, at most 1: beyond it the step would flip nearly
        everything each time.
    tune : bool
        Change the scaling during warm-up.
    tune_interval : int
        Transitions from one change to the next.
    model : Model, optional
        That the variables are of. Default: that of the run.
    blocked : bool
        If False, there is one step for each variable.

    Notes
    -----
    Statistics of each draw: accept (the ratio of the densities), p_jump, lp, tune.
    """

    scaling: float = 1.0
    tune: bool = True
    tune_interval: int = 100
    model: Any = field(default=None, repr=False, compare=False)

    name = "binary_metropolis"
    state = FLIPS
    function = flip_some

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_scaling(type(self).__name__, self.scaling, self.tune, self.tune_interval)
        if self.scaling > 1.0:
            raise ValueError(f"scaling of BinaryMetropolis must be at most 1, got {self.scaling!r}.")

    @staticmethod
    def competence(var: Any, has_grad: bool = True) -> Competence:
        """Tell how well this step samples a variable: it can if that has two values."""
        return Competence.COMPATIBLE if _two_valued(var) else Competence.INCOMPATIBLE

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write settings and first state."""
        sweeps.initialise(own.sweep, site, range(len(site.discrete)))
        initial_scaling(own.scaling, self.scaling, 1.0, self.tune_interval if self.tune else 0)

    def connect(self, own: Memory, around: Around, site: Site) -> None:
        """Write the functions of the model's conditionals."""
        sweeps.connect(own.sweep, site)


GIBBS = State(
    fields={"transit_p": "f8"},
    parts={"sweep": SWEEP},
    statistics={"proposed": "int64", "flips": "int64", "lp": "float64", "tune": "bool"},
)
Gibbs, GibbsRow = GIBBS.record, GIBBS.row


@entry("int64(intp, intp)")
def flip_each(chain_address: int, own_address: int) -> int:
    """Visit each value; propose to flip it with some probability, and accept by Metropolis's rule."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Gibbs)
    sweep = record_at(own.sweep, Sweep)
    z, indices = ints_at(chain.discrete, chain.n_discrete), ints_at(sweep.discrete, sweep.k)
    lowest, order = ints_at(sweep.lowest, sweep.k), ints_at(sweep.order, sweep.k)
    sweeps.shuffle(sweep, chain.words)
    proposed, flips = 0, 0
    for position in range(sweep.k):
        j = order[position]
        if own.transit_p < 1.0 and uniform(chain.words) >= own.transit_p:
            continue
        proposed += 1
        at = indices[j]
        now = sweeps.log_density_now(chain, sweep, j)
        if now == -np.inf:
            return _BAD_CONDITIONAL
        z[at] = 2 * lowest[j] + 1 - z[at]
        change = sweeps.log_density(chain, sweep, j) - now
        if math.log1p(-uniform(chain.words)) < change:
            chain.logp, chain.gradient_known = chain.logp + change, 0
            flips += 1
        else:
            z[at] = 2 * lowest[j] + 1 - z[at]
    row = record_at(own.statistics, GibbsRow)
    row.proposed = proposed
    row.flips = flips
    row.lp = chain.logp
    row.tune = chain.tuning
    return _OK


@public
@dataclass(frozen=True)
class BinaryGibbsMetropolis(StepMethod):  # numpydoc ignore=PR02
    """Configure Gibbs sweeps over variables of two values.

    Parameters
    ----------
    vars : str, variable or sequence of them, optional
        Names of the variables to sample, each `binary`, or with two values. Default: all such.
    order : 'random' or sequence of int
        In which order the values are visited; 'random' draws a new one in each iteration.
    model : Model, optional
        That the variables are of. Default: that of the run.
    blocked : bool
        If False, there is one step for each variable.
    transit_p : float
        Probability that a flip is proposed where a value is visited, in (0, 1].

    Notes
    -----
    A model's `conditional` makes a visit as cheap as what depends on one value. Statistics of each draw: proposed
    (visits with a proposal), flips (of them), lp, tune.
    """

    order: str | Sequence[int] = "random"
    model: Any = field(default=None, repr=False, compare=False)
    _: KW_ONLY
    transit_p: float = 0.8

    name = "binary_gibbs_metropolis"
    state = GIBBS
    function = flip_each

    def __post_init__(self) -> None:
        super().__post_init__()
        sweeps.check_order(type(self).__name__, self.order)
        if not is_number(self.transit_p) or not 0.0 < self.transit_p <= 1.0:
            raise ValueError(f"transit_p must lie in (0, 1], got {self.transit_p!r}.")

    @staticmethod
    def competence(var: Any, has_grad: bool = True) -> Competence:
        """Tell how well this step samples a variable: ideally if that has two values."""
        return Competence.IDEAL if _two_valued(var) else Competence.INCOMPATIBLE

    def check(self, site: Site) -> None:
        """Raise ValueError if the order does not fit the number of values."""
        sweeps.check_order(type(self).__name__, self.order, site)

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write settings and first state."""
        sweeps.initialise(own.sweep, site, self.order)
        own.transit_p = self.transit_p

    def connect(self, own: Memory, around: Around, site: Site) -> None:
        """Write the functions of the model's conditionals."""
        sweeps.connect(own.sweep, site)

"""Gibbs sweeps over categorical variables, with uniform or proportional proposals.

The proportional proposal is the Metropolised Gibbs sampler of Liu (1996): another category k is proposed with
probability p(k) / (1 - p(current)) and accepted with probability min(1, (1 - p(current)) / (1 - p(k))).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nbinfer.arguments import choice
from nbinfer.compile import Record, entry, floats_at, ints_at, kernel, record_at
from nbinfer.engine.chain import Chain
from nbinfer.engine.job import Status
from nbinfer.engine.state import Memory, State, floats
from nbinfer.engine.step import Around, Competence, Site, StepMethod, support_of
from nbinfer.mcmc.discrete import sweep as sweeps
from nbinfer.mcmc.discrete.sweep import SWEEP, Sweep
from nbinfer.random import uniform
from nbinfer.spelling import public

_OK, _BAD_CONDITIONAL = int(Status.OK), int(Status.BAD_CONDITIONAL)


#: How many values a range of integers may have to be taken for categories, by the support's name.
MOST_VALUES = {"binary": np.inf, "categorical": np.inf, "integer": 10}


def _most(step: Any, site: Site) -> int:
    """Return the number of categories of the value that has most."""
    return int(np.max(site.highest - site.lowest)) + 1


CATEGORIES = State(
    fields={
        "proportional": "i8",
        "most": "i8",  # categories of the value that has most
    },
    parts={"sweep": SWEEP},
    work={"weights": floats(_most), "logps": floats(_most)},
    statistics={"proposed": "int64", "moves": "int64", "lp": "float64", "tune": "bool"},
)
Categories, Row = CATEGORIES.record, CATEGORIES.row


@kernel
def _uniform_move(chain: Record, sweep: Record, now: float, which: int, at: int, low: int, count: int) -> bool:
    """Propose one of the other categories, all alike; tell whether it was accepted."""
    z = ints_at(chain.discrete, chain.n_discrete)
    old = z[at]
    proposed = low + np.int64(uniform(chain.words) * (count - 1))
    z[at] = proposed if proposed < old else proposed + 1
    change = sweeps.log_density(chain, sweep, which) - now
    if math.log1p(-uniform(chain.words)) < change:
        chain.logp, chain.gradient_known = chain.logp + change, 0
        return True
    z[at] = old
    return False


@kernel
def _proportional_move(
    chain: Record, sweep: Record, own: Record, now: float, which: int, at: int, low: int, count: int
) -> bool:
    """Propose one of the other categories by their densities; tell whether it was accepted."""
    z = ints_at(chain.discrete, chain.n_discrete)
    weights, logps = floats_at(own.weights, own.most), floats_at(own.logps, own.most)
    old = z[at] - low
    logps[old] = now
    largest = logps[old]
    for c in range(count):
        if c != old:
            z[at] = low + c
            logps[c] = sweeps.log_density(chain, sweep, which)
            largest = max(largest, logps[c])
    z[at] = low + old
    others = 0.0
    for c in range(count):
        weights[c] = math.exp(logps[c] - largest)
        others += weights[c] if c != old else 0.0
    if not others > 0.0:
        return False
    left, new = uniform(chain.words) * others, -1
    for c in range(count):
        if c != old and weights[c] > 0.0:
            new = c
            left -= weights[c]
            if left < 0.0:
                break
    # What is left when one is taken out, summed and not subtracted: near 1 a difference would be rounding alone.
    rest = 0.0
    for c in range(count):
        rest += weights[c] if c != new else 0.0
    if not uniform(chain.words) * rest < others:
        return False
    z[at] = low + new
    chain.logp, chain.gradient_known = chain.logp + (logps[new] - logps[old]), 0
    return True


@entry("int64(intp, intp)")
def step(chain_address: int, own_address: int) -> int:
    """Visit each value once."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Categories)
    sweep = record_at(own.sweep, Sweep)
    indices, order = ints_at(sweep.discrete, sweep.k), ints_at(sweep.order, sweep.k)
    lowest, highest = ints_at(sweep.lowest, sweep.k), ints_at(sweep.highest, sweep.k)
    sweeps.shuffle(sweep, chain.words)
    moves = 0
    for position in range(sweep.k):
        j = order[position]
        low, count = lowest[j], highest[j] - lowest[j] + 1
        now = sweeps.log_density_now(chain, sweep, j)
        if now == -np.inf:
            return _BAD_CONDITIONAL
        if own.proportional != 0:
            moved = _proportional_move(chain, sweep, own, now, j, indices[j], low, count)
        else:
            moved = _uniform_move(chain, sweep, now, j, indices[j], low, count)
        moves += 1 if moved else 0
    row = record_at(own.statistics, Row)
    row.proposed = sweep.k
    row.moves = moves
    row.lp = chain.logp
    row.tune = chain.tuning
    return _OK


@public
@dataclass(frozen=True)
class CategoricalGibbsMetropolis(StepMethod):  # numpydoc ignore=PR02
    """Configure Gibbs sweeps over categorical and binary variables, and integers of few values.

    Parameters
    ----------
    vars : str, variable or sequence of them, optional
        Names of the variables to sample, each `categorical`, `binary`, or `integer` with at most ten values. Default:
        all such.
    proposal : {'uniform', 'proportional'}
        'uniform' proposes any other category and evaluates the density there; 'proportional' evaluates it at all
        categories and proposes by that [1]_.
    order : 'random' or sequence of int
        In which order the values are visited; 'random' draws a new one in each iteration.
    model : Model, optional
        That the variables are of. Default: that of the run.
    blocked : bool
        If False, there is one step for each variable.

    Notes
    -----
    A model's `conditional` makes a visit as cheap as what depends on one value. Statistics of each draw: proposed
    (values visited), moves (of them), lp, tune.

    References
    ----------
    .. [1] J. S. Liu, "Peskun's theorem and a modified discrete-state Gibbs sampler", Biometrika 83 (1996).
    """

    proposal: str = "uniform"
    order: str | Sequence[int] = "random"
    model: Any = field(default=None, repr=False, compare=False)

    name = "categorical_gibbs_metropolis"
    state = CATEGORIES
    function = step

    def __post_init__(self) -> None:
        super().__post_init__()
        sweeps.check_order(type(self).__name__, self.order)
        choice("proposal", self.proposal, ("uniform", "proportional"))

    @staticmethod
    def competence(var: Any, has_grad: bool = True) -> Competence:
        """Tell how well this step samples a variable: ideally if it has three values or a few more; of two, it can."""
        support = support_of(var)
        if not support.discrete:
            return Competence.INCOMPATIBLE
        values = support.constants[-1] - support.constants[0] + 1  # the same of all elements
        if values > MOST_VALUES[support.name]:
            return Competence.INCOMPATIBLE
        return Competence.IDEAL if values > 2 else Competence.COMPATIBLE

    def check(self, site: Site) -> None:
        """Raise ValueError if the order does not fit the number of values."""
        sweeps.check_order(type(self).__name__, self.order, site)

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write settings and first state."""
        sweeps.initialise(own.sweep, site, self.order)
        own.proportional, own.most = self.proposal == "proportional", _most(self, site)

    def connect(self, own: Memory, around: Around, site: Site) -> None:
        """Write the functions of the model's conditionals."""
        sweeps.connect(own.sweep, site)

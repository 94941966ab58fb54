"""Differential evolution: a random walk whose steps are differences of points that the target has already drawn.

`DEMetropolis` (ter Braak 2006) takes them from the other chains of the run, which therefore move together;
`DEMetropolisZ` (ter Braak & Vrugt 2008) from the past of its own chain.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nbinfer.arguments import is_number, numbers
from nbinfer.compile import Record, entry, floats_at, ints_at, kernel, record_at
from nbinfer.engine.chain import Chain, value_at
from nbinfer.engine.job import Status
from nbinfer.engine.state import Memory, State, floats, per_coordinate
from nbinfer.engine.step import Around, Competence, Site, StepMethod, support_of
from nbinfer.mcmc.settings import check_interval
from nbinfer.mcmc.walks import proposals
from nbinfer.mcmc.walks.metropolis import SCALING, Scaling, initial_scaling, tune
from nbinfer.mcmc.walks.proposals import (
    MULTIVARIATE,
    USERS,
    PoissonProposal,
    Proposal,
    UniformProposal,
    proposal_for,
)
from nbinfer.random import uniform
from nbinfer.spelling import public

DIFFERENCE = State(
    fields={
        "kind": "i8",  # of the deviates that are added
        "peers": "i8",  # address of the addresses of the points to take differences of
        "n_peers": "i8",
        "itself": "i8",  # which of them is the chain's own; -1: none
    },
    parts={
        "scaling": SCALING,  # of those deviates
        "reach": SCALING,  # what differences are multiplied by
        "scale": floats(lambda step, site: site.n**2 if step._proposal.kind == MULTIVARIATE else site.n),
    },
    work={"deviate": floats(per_coordinate), "trial": floats(per_coordinate)},
    statistics={
        "accept": "float64",
        "accepted": "bool",
        "scaling": "float64",
        "lambda": "float64",
        "lp": "float64",
        "tune": "bool",
    },
)
Difference, Row = DIFFERENCE.record, DIFFERENCE.row

_HISTORY = 1000  # points of the past that are kept

PAST = State(
    base=DIFFERENCE,
    fields={
        "capacity": "i8",  # rows of the history
        "kept": "i8",  # of them filled
        "seen": "i8",  # points that had the chance to be kept since warm-up
        "keep": "f8",  # share of warm-up that is kept when it ends
        "tuned": "i8",  # whether warm-up was under way last time
    },
    parts={"history": floats(lambda step, site: _HISTORY * site.n)},  # rows of past points
)
Past = PAST.record

_OK = int(Status.OK)


@kernel
def _below(stream: int, count: int) -> int:
    """Return an integer from 0 to count - 1."""
    return min(int(uniform(stream) * count), count - 1)


@kernel
def _two_others(stream: int, count: int, but: int) -> tuple[int, int]:
    """Return two different integers below `count`, neither of them `but` (-1: any)."""
    free = count - 1 if but >= 0 else count
    first = _below(stream, free)
    second = _below(stream, free - 1)
    second += 1 if second >= first else 0
    if but >= 0:
        first += 1 if first >= but else 0
        second += 1 if second >= but else 0
    return first, second


@kernel
def _walk(chain: Record, own: Record, from_address: int, to_address: int) -> None:
    """Move by the difference of two points and a small deviate; accept or reject."""
    n = chain.n
    scaling, reach = record_at(own.scaling, Scaling), record_at(own.reach, Scaling)
    proposals.fill(own.kind, chain.words, own.scale, scaling.factor, own.deviate, n)
    q, trial, deviate = floats_at(chain.position, n), floats_at(own.trial, n), floats_at(own.deviate, n)
    origin, target = floats_at(from_address, n), floats_at(to_address, n)
    for i in range(n):
        trial[i] = q[i] + reach.factor * (target[i] - origin[i]) + deviate[i]
    logp = value_at(chain, own.trial)
    change = logp - chain.logp
    accepted = math.log1p(-uniform(chain.words)) < change
    if accepted:
        for i in range(n):
            q[i] = trial[i]
        chain.logp, chain.gradient_known = logp, 0
    row = record_at(own.statistics, Row)
    row["accept"] = math.exp(min(change, 700.0))
    row["accepted"] = accepted
    row["scaling"] = scaling.factor
    row["lambda"] = reach.factor
    row["lp"] = chain.logp
    row["tune"] = chain.tuning
    if chain.tuning != 0:
        tune(scaling, accepted)
        tune(reach, accepted)


@entry("int64(intp, intp)")
def step_among_chains(chain_address: int, own_address: int) -> int:
    """Make one transition by the difference of two other chains."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Difference)
    a, b = _two_others(chain.words, own.n_peers, own.itself)
    peers = ints_at(own.peers, own.n_peers)
    _walk(chain, own, peers[a], peers[b])
    return _OK


@kernel
def _forget(own: Record, n: int) -> None:
    """At the end of warm-up keep its last share: rows are a ring, of which `seen` says where it begins."""
    history = floats_at(own.history, own.capacity * n)
    keep = min(own.kept, max(2, math.ceil(own.keep * own.seen)))
    # The ring is turned so that its latest rows come first; three reversals do that in place.
    begin = own.seen % own.capacity if own.kept == own.capacity else 0
    shift = (begin + own.kept - keep) % own.kept
    for low, high in ((0, shift), (shift, own.kept), (0, own.kept)):
        for k in range((high - low) // 2):
            for i in range(n):
                a, b = (low + k) * n + i, (high - 1 - k) * n + i
                history[a], history[b] = history[b], history[a]
    own.kept = keep
    own.seen = keep


@kernel
def _remember(chain: Record, own: Record) -> None:
    """Keep the present point: in warm-up the latest ones, afterwards a uniform sample of all (reservoir sampling)."""
    n = chain.n
    row = own.kept
    if own.kept == own.capacity:
        row = own.seen % own.capacity if chain.tuning != 0 else _below(chain.words, own.seen + 1)
    else:
        own.kept += 1
    own.seen += 1
    if row < own.capacity:
        q, out = floats_at(chain.position, n), floats_at(own.history + 8 * n * row, n)
        for i in range(n):
            out[i] = q[i]


@entry("int64(intp, intp)")
def step_by_the_past(chain_address: int, own_address: int) -> int:
    """Make one transition by the difference of two points of the chain's past."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Past)
    n = chain.n
    if own.tuned != 0 and chain.tuning == 0:
        _forget(own, n)
    own.tuned = chain.tuning
    if own.kept < 2:  # nothing to differ by yet
        _walk(chain, own, chain.position, chain.position)
    else:
        a, b = _two_others(chain.words, own.kept, -1)
        _walk(chain, own, own.history + 8 * n * a, own.history + 8 * n * b)
    _remember(chain, own)
    return _OK


@dataclass(frozen=True)
class _Differential(StepMethod):
    """What both kinds share."""

    S: ArrayLike | None = None
    proposal_dist: str | type[Proposal] | None = None
    lamb: float | None = None
    scaling: float = 0.001
    tune: str | None = None
    tune_interval: int = 100
    model: Any = field(default=None, repr=False, compare=False)
    mode: Any = field(default=None, repr=False, compare=False)

    state = DIFFERENCE

    def __post_init__(self) -> None:
        super().__post_init__()
        label = type(self).__name__
        tune: Any = self.tune
        if tune is not None and (not isinstance(tune, str) or tune not in ("scaling", "lambda")):
            raise ValueError(f"tune of {label} must be 'scaling', 'lambda' or None, got {self.tune!r}.")
        for name in ("scaling", "lamb"):
            value = getattr(self, name)
            if not (name == "lamb" and value is None) and not (is_number(value) and 0 < value < np.inf):
                raise ValueError(f"{name} must be positive and finite, got {value!r}.")
        check_interval(self.tune_interval)
        if self._proposal.kind == USERS:
            raise TypeError(
                f"proposal_dist of {label} must be a name or a class of nbinfer.mcmc, such as NormalProposal."
            )
        if isinstance(self._proposal, PoissonProposal):
            raise ValueError(f"a Poisson proposal moves on a lattice, and {label} moves continuous variables.")

    @property
    def _proposal(self) -> Proposal:
        default = UniformProposal if self.S is None or numbers("S", self.S).ndim < 2 else None
        return proposal_for(default if self.proposal_dist is None else self.proposal_dist, self.S)

    @staticmethod
    def competence(var: Any, has_grad: bool = True) -> Competence:
        """Tell how well this step samples a variable: it can if that is continuous."""
        return Competence.INCOMPATIBLE if support_of(var).discrete else Competence.COMPATIBLE

    def check(self, site: Site) -> None:
        """Raise ValueError if S does not fit the coordinates."""
        shape = self._proposal.s.shape
        if shape not in ((), (site.n,), (site.n, site.n)):
            raise ValueError(f"S has shape {shape}, but {', '.join(site.names)} have {site.n} coordinates.")

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write settings and first state."""
        proposal = self._proposal
        own.kind = proposal.kind
        own.scale[:] = proposal.s.ravel() if proposal.s.ndim == 2 else proposal.s
        reach = 2.38 / math.sqrt(2.0 * site.n) if self.lamb is None else self.lamb
        initial_scaling(own.scaling, self.scaling, np.inf, self.tune_interval if self.tune == "scaling" else 0)
        initial_scaling(own.reach, reach, np.inf, self.tune_interval if self.tune == "lambda" else 0)

    def connect(self, own: Memory, around: Around, site: Site) -> None:
        """Write where the other chains are."""
        own.peers, own.n_peers, own.itself = around.peers


@public
@dataclass(frozen=True)
class DEMetropolis(_Differential):  # numpydoc ignore=PR02
    """Configure differential evolution among the chains of a run [1]_.

    Parameters
    ----------
    vars : str, variable or sequence of them, optional
        Names of the variables to sample together, which must be continuous. Default: all that no other step samples.
    S : float, array_like, shape (n,) or (n, n), optional
        Scale of the deviate that is added to each difference. Default: 1.
    proposal_dist : str or class of `nbinfer.mcmc`, optional
        Its distribution. Default: uniform.
    lamb : float, optional
        What differences are multiplied by. Default: 2.38 / sqrt(2 n).
    scaling : float
        Factor of the deviate.
    tune : {None, 'scaling', 'lambda'}
        What to change during warm-up, so that between a fifth and a half of the proposals are accepted.
    tune_interval : int
        Transitions from one change to the next.
    model : Model, optional
        That the variables are of. Default: that of the run.
    mode : object
        Ignored, with a warning: it chose how Theano compiles.
    blocked : bool
        If False, there is one step for each variable.

    Notes
    -----
    The chains of a run are one unit, and each looks at others: fewer than eight move in turn, on one core, more in two
    halves, on all cores, each by differences of the other half. Take more chains than coordinates. Statistics of each
    draw: accept, accepted, scaling, lambda, lp, tune.

    References
    ----------
    .. [1] C. J. F. ter Braak, "A Markov chain Monte Carlo version of the genetic algorithm differential evolution",
       Stat. Comput. 16 (2006).
    """

    name = "de_metropolis"
    function = step_among_chains
    population = True

    def check(self, site: Site) -> None:
        """Raise ValueError if S does not fit the coordinates, or if there are too few chains."""
        super().check(site)
        if site.bound.chains < 3:
            raise ValueError(f"DEMetropolis needs at least 3 chains, got {site.bound.chains}; pass chains=.")


@public
@dataclass(frozen=True)
class DEMetropolisZ(_Differential):  # numpydoc ignore=PR02
    """Configure differential evolution by the past of each chain [1]_.

    Parameters
    ----------
    vars : str, variable or sequence of them, optional
        Names of the variables to sample together, which must be continuous. Default: all that no other step samples.
    S : float, array_like, shape (n,) or (n, n), optional
        Scale of the deviate that is added to each difference. Default: 1.
    proposal_dist : str or class of `nbinfer.mcmc`, optional
        Its distribution. Default: uniform.
    lamb : float, optional
        What differences are multiplied by. Default: 2.38 / sqrt(2 n).
    scaling : float
        Factor of the deviate.
    tune : {'lambda', 'scaling', None}
        What to change during warm-up, so that between a fifth and a half of the proposals are accepted.
    tune_interval : int
        Transitions from one change to the next.
    model : Model, optional
        That the variables are of. Default: that of the run.
    mode : object
        Ignored, with a warning: it chose how Theano compiles.
    blocked : bool
        If False, there is one step for each variable.
    tune_drop_fraction : float
        Share of warm-up, from its beginning, that is forgotten when it ends.

    Notes
    -----
    A thousand points of the past are kept: the latest ones during warm-up, afterwards a uniform sample of all that
    came since, so that the step changes less and less. Statistics as of `DEMetropolis`.

    References
    ----------
    .. [1] C. J. F. ter Braak and J. A. Vrugt, "Differential evolution Markov chain with snooker updater and fewer
       chains", Stat. Comput. 18 (2008).
    """

    tune: str | None = "lambda"
    _: KW_ONLY
    tune_drop_fraction: float = 0.9

    name = "de_metropolis_z"
    state = PAST
    function = step_by_the_past

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_number(self.tune_drop_fraction) or not 0.0 <= self.tune_drop_fraction <= 1.0:
            raise ValueError(f"tune_drop_fraction must lie in [0, 1], got {self.tune_drop_fraction!r}.")

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write settings and first state."""
        super().initialise(own, site, tune, position)
        own.capacity, own.keep = _HISTORY, 1.0 - self.tune_drop_fraction

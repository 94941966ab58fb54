"""Random-walk Metropolis: propose, compare, stay or go; for continuous and discrete variables."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nbinfer.arguments import is_number, numbers
from nbinfer.compile import Record, call_record, entry, floats_at, ints_at, kernel, record_at, words_at
from nbinfer.engine.chain import Chain, conditional_at
from nbinfer.engine.job import Status
from nbinfer.engine.state import Memory, State, address_of_rows, floats, integers, per_discrete
from nbinfer.engine.step import Around, Competence, Site, StepMethod, fill_conditionals, support_of
from nbinfer.mcmc.settings import check_interval, check_tune
from nbinfer.mcmc.walks import proposals
from nbinfer.mcmc.walks.proposals import USERS, PoissonProposal, Proposal, PythonProposal, UsersProposal, proposal_for
from nbinfer.model.support.checks import NO_END
from nbinfer.random import generator_functions, start, uniform
from nbinfer.spelling import public

#: How far a random walk goes, and how that is tuned.
SCALING = State(
    fields={
        "factor": "f8",  # of the proposals
        "most": "f8",  # factor that is not exceeded
        "interval": "i8",  # transitions between two looks; 0: none
        "count": "i8",  # transitions since the last
        "accepted": "i8",  # of them
    }
)
Scaling = SCALING.record


def _count(step: Any, site: Site) -> int:
    """Return how many elements move."""
    return len(site.coordinates) + len(site.discrete)


def _per_coordinate_that_moves(step: Any, site: Site) -> int:
    return len(site.coordinates)


METROPOLIS = State(
    fields={
        "kind": "i8",
        "n": "i8",  # coordinates that move: all that the step sees, or none
        "k": "i8",  # discrete values that move
        "leaps": "i8",  # whether some proposals take one discrete value far away
        "propose": "i8",  # a user's proposal
    },
    parts={
        "scaling": SCALING,
        "scale": floats(lambda step, site: max(_count(step, site), step._proposal(site).s.size)),
        "discrete": integers(per_discrete),  # indices and range of the discrete values
        "lowest": integers(per_discrete),
        "highest": integers(per_discrete),
        "given": integers(3),  # what a user's proposal is given
        "weights": floats(_count),  # of a user's deviates, which no scale is put into
        "pair": integers(2),  # function, or 0, and index: the model's `conditional` where one element moves
    },
    work={
        "deviate": floats(_count),
        "trial": floats(_per_coordinate_that_moves),
        "old": integers(per_discrete),
    },
    statistics={"accept": "float64", "accepted": "bool", "scaling": "float64", "lp": "float64", "tune": "bool"},
)
Metropolis_, Row = METROPOLIS.record, METROPOLIS.row

_OK, _RAISED, _BAD_CONDITIONAL = int(Status.OK), int(Status.RAISED), int(Status.BAD_CONDITIONAL)
_LEAPS, _EARLY_LEAPS = 0.1, 1.0 / 3.0  # shares of proposals that are leaps, after and during warm-up
_WIDE = 16  # a random walk through a range of more values than these leaps at times
_LONGEST = 2.0**20  # leap where there is no upper end
_ACCEPTANCE = 1 << 32  # what this adds to the purpose of a stream makes another


@kernel
def tune(scaling: Record, accepted: bool) -> None:
    """Count a transition; after every so many change the factor by the table of the documents."""
    scaling.count += 1
    scaling.accepted += 1 if accepted else 0
    if scaling.interval == 0 or scaling.count < scaling.interval:
        return
    rate = scaling.accepted / scaling.count
    factor = 1.0
    if rate < 0.001:
        factor = 0.1
    elif rate < 0.05:
        factor = 0.5
    elif rate < 0.2:
        factor = 0.9
    elif rate > 0.95:
        factor = 10.0
    elif rate > 0.75:
        factor = 2.0
    elif rate > 0.5:
        factor = 1.1
    scaling.factor = min(scaling.factor * factor, scaling.most)
    scaling.count = 0
    scaling.accepted = 0


@kernel
def _move(chain: Record, own: Record) -> int:
    """Write the proposal; discrete values in place, the old ones aside. Return 1 if it differs, 0 if not, -1 if out."""
    deviate, trial = floats_at(own.deviate, own.n + own.k), floats_at(own.trial, own.n)
    position, discrete = floats_at(chain.position, own.n), ints_at(chain.discrete, chain.n_discrete)
    moved = 1 if own.n > 0 else 0
    for i in range(own.n):
        trial[i] = position[i] + deviate[i]
    indices, lowest, highest = ints_at(own.discrete, own.k), ints_at(own.lowest, own.k), ints_at(own.highest, own.k)
    saved = ints_at(own.old, own.k)
    for j in range(own.k):
        saved[j] = discrete[indices[j]]
    for j in range(own.k):
        jump = np.rint(deviate[own.n + j])
        if not (lowest[j] - saved[j] <= jump <= highest[j] - saved[j]):
            _restore(chain, own)
            return -1
        if jump != 0.0:
            discrete[indices[j]] = saved[j] + np.int64(jump)
            moved = 1
    return moved


@kernel
def _propose(chain: Record, own: Record, factor: float) -> int:
    """Write a deviate of the proposal times a factor; return 0, or something else if a user's function raised."""
    count = own.n + own.k
    if own.kind != USERS:
        proposals.fill(own.kind, chain.words, own.scale, factor, own.deviate, count)
        return 0
    purpose = int(words_at(chain.words, 4)[3])
    if call_record(own.propose, count, chain.words, own.deviate, own.given) != 0:
        return 1
    start(chain.words, chain.done, chain.number, purpose + _ACCEPTANCE)
    deviate, weights = floats_at(own.deviate, count), floats_at(own.weights, count)
    for i in range(count):
        deviate[i] *= factor * weights[i]
    return 0


@kernel
def _leap(chain: Record, own: Record) -> None:
    """Write a deviate that moves one discrete value, by a number of any order of magnitude that its range has.

    Steps fit for a mode never leave it where they fall short of the next. The length of a leap does not depend on where
    it begins, so that the way back is as likely.
    """
    deviate = floats_at(own.deviate, own.n + own.k)
    lowest, highest = ints_at(own.lowest, own.k), ints_at(own.highest, own.k)
    for i in range(own.n + own.k):
        deviate[i] = 0.0
    j = int(uniform(chain.words) * own.k)
    reach = _LONGEST if highest[j] == NO_END else highest[j] - lowest[j] + 1.0
    length = math.floor(math.exp(uniform(chain.words) * math.log(reach)))
    deviate[own.n + j] = length if uniform(chain.words) < 0.5 else -length


@kernel
def _restore(chain: Record, own: Record) -> None:
    """Put the old discrete values back."""
    discrete, indices = ints_at(chain.discrete, chain.n_discrete), ints_at(own.discrete, own.k)
    saved = ints_at(own.old, own.k)
    for j in range(own.k):
        discrete[indices[j]] = saved[j]


@entry("int64(intp, intp)")
def step(chain_address: int, own_address: int) -> int:
    """Make one transition of a chain."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Metropolis_)
    scaling = record_at(own.scaling, Scaling)
    leaps = own.leaps != 0 and uniform(chain.words) < (_EARLY_LEAPS if chain.tuning != 0 else _LEAPS)
    if leaps:
        _leap(chain, own)
    elif _propose(chain, own, scaling.factor) != 0:
        return _RAISED
    has_conditional = ints_at(own.pair, 2)[0] != 0
    now = conditional_at(chain, own.pair, 0, chain.position) if has_conditional else chain.logp
    if now == -np.inf:  # every move would be accepted
        return _BAD_CONDITIONAL
    moved = _move(chain, own)
    logp = now
    if moved < 0:
        logp = -np.inf
    elif moved > 0:
        logp = conditional_at(chain, own.pair, 0, own.trial if own.n > 0 else chain.position)
    change = logp - now
    accepted = math.log1p(-uniform(chain.words)) < change
    if accepted:
        position, trial = floats_at(chain.position, own.n), floats_at(own.trial, own.n)
        for i in range(own.n):
            position[i] = trial[i]
        if moved > 0:
            chain.gradient_known = 0
        chain.logp = chain.logp + change if has_conditional else logp
    elif moved > 0:
        _restore(chain, own)
    row = record_at(own.statistics, Row)
    row.accept = math.exp(min(change, 700.0))
    row.accepted = accepted
    row.scaling = scaling.factor
    row.lp = chain.logp
    row.tune = chain.tuning
    if chain.tuning != 0 and not leaps:
        tune(scaling, accepted)
    return _OK


@public
@dataclass(frozen=True)
class Metropolis(StepMethod):  # numpydoc ignore=PR02
    """Configure random-walk Metropolis [1]_.

    Parameters
    ----------
    vars : str, variable or sequence of them, optional
        Names of the variables to sample, of any kind. Default: all that no other step samples.
    S : float, array_like, shape (n,) or (n, n), optional
        Scale of the proposal, for each unconstrained coordinate and then each discrete value of what moves together; a
        matrix is the covariance of a multivariate normal proposal. Default: 1.
    proposal_dist : str, class of `nbinfer.mcmc`, or callable, optional
        'normal', 'uniform', 'cauchy', 'laplace', 'poisson' or 'multivariate_normal', or a compilable function
        ``f(rng, S, out)`` that fills `out`, shape (n,), with a deviate whose distribution is symmetric about 0; that it
        is cannot be checked. Or a class of your own, or a function, that is called with `S`, shape (n,) or (n, n), and
        returns what gives such a deviate when it is called, as ``deviate()`` or ``deviate(rng)``, in plain Python.
        Default: as the shape of `S` says, normal or multivariate normal.
    scaling : float or array_like, shape (n,)
        Factor of the proposals at the start; or one for each of the elements that `S` is of.
    tune : bool
        Change the factor during warm-up, of all elements by as much, so that between a fifth and a half of the
        proposals are accepted.
    tune_interval : int
        Transitions from one change to the next.
    model : Model, optional
        That the variables are of. Default: that of the run.
    mode : object
        Ignored, with a warning: it chose how Theano compiles.
    blocked : bool
        Move all variables together; else one after the other, each with a factor of its own.

    Notes
    -----
    Continuous variables move in their unconstrained coordinates. Deviates of discrete ones are rounded; what leaves
    their range is rejected. Unless `proposal_dist` says how to move, every tenth proposal for a range of more than
    sixteen values, in warm-up every third, is a leap of one value, over a distance of any order of magnitude, up to a
    million where the range has no end. A model's `conditional` is asked instead of the density where a single element
    moves. Statistics of each draw: accept (the ratio of the densities), accepted, scaling (the mean of several), lp,
    tune.

    References
    ----------
    .. [1] N. Metropolis et al., "Equation of state calculations by fast computing machines", J. Chem. Phys. 21 (1953).
    """

    S: ArrayLike | None = None
    proposal_dist: str | type[Proposal] | Callable[..., Any] | None = None
    scaling: ArrayLike = 1.0
    tune: bool = True
    tune_interval: int = 100
    model: Any = field(default=None, repr=False, compare=False)
    mode: Any = field(default=None, repr=False, compare=False)
    _: KW_ONLY
    blocked: bool = False

    name = "metropolis"
    state = METROPOLIS
    function = step

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_scaling(type(self).__name__, self.scaling, self.tune, self.tune_interval, several=True)
        proposal_for(self.proposal_dist, self.S)

    @staticmethod
    def competence(var: Any, has_grad: bool = True) -> Competence:
        """Tell how well Metropolis samples a variable: it can, whatever the variable is."""
        support_of(var)
        return Competence.COMPATIBLE

    def check(self, site: Site) -> None:
        """Raise ValueError if S does not fit the number of elements."""
        proposal = self._proposal(site)
        if isinstance(proposal, PythonProposal):
            proposal.for_elements(_count(self, site))(np.random.default_rng(0))

    @property
    def serial(self) -> bool:
        """Whether proposals are made in plain Python."""
        return isinstance(proposal_for(self.proposal_dist, self.S), PythonProposal)

    def _proposal(self, site: Site) -> Proposal:
        proposal, count = proposal_for(self.proposal_dist, self.S), _count(self, site)
        s, what = proposal.s, f"{count} element{'s' if count != 1 else ''}, {', '.join(site.names)}"
        if isinstance(proposal, PoissonProposal) and len(site.coordinates):
            raise ValueError(
                f"a Poisson proposal moves on a lattice, and {', '.join(site.names)} is continuous; choose another."
            )
        if s.shape not in ((), (count,), (count, count)):
            raise ValueError(f"S has shape {s.shape}, but what moves together has {what}; pass S of shape ({count},).")
        if np.shape(self.scaling) not in ((), (count,)):
            raise ValueError(
                f"scaling has shape {np.shape(self.scaling)}, but what moves together has {what}; pass a number or "
                f"shape ({count},)."
            )
        return proposal

    def _leaps(self, site: Site) -> bool:
        return self.proposal_dist is None and bool(np.any(site.highest - site.lowest >= _WIDE))

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write the settings."""
        proposal = self._proposal(site)
        own.kind, own.n, own.k = proposal.kind, len(site.coordinates), len(site.discrete)
        factors = np.asarray(self.scaling, np.float64)
        own.weights[:] = weights = factors / factors.mean()
        weights = 1.0 if proposal.kind == USERS else weights
        scale = (proposal.s.T * weights).T  # of a Cholesky factor the rows
        own.scale[:] = scale.ravel() if proposal.s.ndim == 2 else scale
        initial_scaling(own.scaling, factors.mean(), np.inf, self.tune_interval if self.tune else 0)
        own.leaps = self._leaps(site)
        for name in ("discrete", "lowest", "highest"):
            getattr(own, name)[:] = getattr(site, name)

    def connect(self, own: Memory, around: Around, site: Site) -> None:
        """Write the functions of the model's conditional and of a user's proposal."""
        if _count(self, site) == 1 and len(site.discrete):
            own.pair[:] = site.bound.conditionals(site.names, True)[0]
        elif _count(self, site) == 1:
            fill_conditionals(own.pair, around, site)
        proposal = self._proposal(site)
        if isinstance(proposal, PythonProposal):
            self.called.append(proposal.entry(_count(self, site)))
            own.propose = self.called[-1].address
        elif isinstance(proposal, UsersProposal):
            own.propose = proposal.function.address
            own.given[:, 0] = address_of_rows(own.scale)
            own.given[:, 1:] = proposal.s.ndim, generator_functions()


def checked_scaling(label: str, scaling: Any, tune: Any, tune_interval: Any, several: bool = False) -> None:
    """Check the options that random walks share; whether the scaling may be a vector."""
    if several and not is_number(scaling):
        factors = numbers("scaling", scaling)
        if factors.ndim > 1 or not factors.size or not np.all((factors > 0.0) & np.isfinite(factors)):
            raise ValueError(f"scaling must be a positive number or a vector of them, all finite, got {scaling!r}.")
    elif not is_number(scaling) or not 0 < scaling < np.inf:
        raise ValueError(f"scaling must be positive and finite, got {scaling!r}.")
    check_tune(label, tune)
    check_interval(tune_interval)


def initial_scaling(state: Any, factor: float, most: float, interval: int) -> None:
    """Write the first state of a `Scaling`."""
    state.factor, state.most, state.interval = factor, most, interval

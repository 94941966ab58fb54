"""What the steps of an ensemble have in common: the frame of a transition, and the options."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from nbinfer.arguments import between, choice, count, flag, positive
from nbinfer.compile import Record, call_step, kernel, record_at
from nbinfer.engine.chain import Chain, know_gradient
from nbinfer.engine.state import Memory
from nbinfer.engine.step import Around, Competence, Site, StepMethod, support_of
from nbinfer.engine.vectors import copy
from nbinfer.mcmc.adaptation import step_size as step_sizes
from nbinfer.mcmc.adaptation.step_size import DualAveraging
from nbinfer.mcmc.ensemble.learning import centre, grad_at, learn, measure, origin_of, total
from nbinfer.mcmc.ensemble.state import SEARCH, Ensemble, Row
from nbinfer.mcmc.hamiltonian.climb import climb
from nbinfer.mcmc.hamiltonian.integrators import integrator_number

#: Fewer chains tell too little of what they are to learn together.
LEAST_CHAINS = 16

#: Draws of warm-up where nothing is said. With some hundred chains 50 were enough for the models of `bench.models`.
USUAL_TUNE = 100

#: Of dual averaging: the larger, the less an error of the acceptance moves the step size.
GAMMA = 0.1


@kernel
def enter(chain_address: int, own: Record) -> float:
    """Prepare a transition: its point is where the chain is, without a momentum; return the step size."""
    chain, leader = record_at(chain_address, Chain), record_at(own.leader, Ensemble)
    know_gradient(chain)
    if own.begun == 0:
        own.begun = 1
        if chain.tuning != 0 and own.climb != 0:
            call_step(own.climb, chain_address, own.search)
    n = chain.n
    copy(n, chain.position, own.point)
    copy(n, chain.grad, grad_at(own.point, n))
    copy(n, chain.position, origin_of(own.point, n))
    chain.step_size = step_sizes.step_size(record_at(leader.averaging, DualAveraging), chain.tuning != 0)
    size: float = chain.step_size
    return size


@kernel
def steps_of(chain: Record, own: Record, size: float) -> int:
    """Return the number of steps of a path, which is the same for all chains.

    Where lengths are jittered, that is by van der Corput's sequence: it depends on no state, and no period of the
    target is met twice. In warm-up paths do not take many more steps than there have been draws, for step sizes begin
    anywhere.
    """
    leader = record_at(own.leader, Ensemble)
    length = leader.length if chain.tuning != 0 else math.exp(leader.log_length_bar)
    share, digit, k = 0.0, 0.5, chain.done + 1
    while k > 0:
        share += digit * (k & 1)
        digit *= 0.5
        k >>= 1
    most = min(own.max_steps, 10 + 2 * chain.done) if chain.tuning != 0 else own.max_steps
    length *= 1.0 + own.jitter * (2.0 * share - 1.0)
    steps = int(max(1.0, min(float(most), math.ceil(length / size))))
    return steps


@kernel
def leave(chain: Record, own: Record, steps: int, error: float, logp: float, accepted: bool) -> None:
    """Move the chain if its path is accepted, and note how it went."""
    n = chain.n
    if accepted:
        copy(n, own.point, chain.position)
        copy(n, grad_at(own.point, n), chain.grad)
        chain.logp = logp
    own.tuning = chain.tuning
    own.path = steps * chain.step_size
    if chain.tuning == 0 and own.diverging != 0:
        chain.divergences += 1
    row = record_at(own.statistics, Row)
    row.lp = chain.logp
    row.acceptance_rate = own.accept
    row.step_size = chain.step_size
    row.n_steps = steps
    row.diverging = own.diverging
    row.energy_error = error
    row.tune = chain.tuning
    row.accepted = accepted
    row.path_length = own.path


class EnsembleStep(StepMethod):  # numpydoc ignore=PR01
    """Base of the steps of an ensemble: their common options, each of which they name in their own order."""

    target_accept: float
    path_length: float | None
    integrator: str
    step_scale: float
    Emax: float
    learning_rate: float
    max_steps: int
    adapt_step_size: bool
    on_error: str

    #: How far lengths of paths are from their mean at most, relatively.
    jitter: float = 1.0
    #: Whether the step size is learnt by the harmonic mean of acceptances, or by their mean.
    harmonic: ClassVar[bool] = True
    #: Whether the length is learnt by the criterion per length.
    by_rate: ClassVar[bool] = False

    uses_gradient = True
    population = True
    usual_tune = USUAL_TUNE
    together = ((total, True), (centre, False), (measure, True), (learn, False))

    def __post_init__(self) -> None:
        super().__post_init__()
        between("target_accept", self.target_accept, 0.0, 1.0)
        if self.path_length is not None:
            positive("path_length", self.path_length)
        for name in ("step_scale", "learning_rate"):
            positive(name, getattr(self, name))
        positive("Emax", self.Emax, finite=False)
        count("max_steps", self.max_steps, 1, 2**31)
        flag("adapt_step_size", self.adapt_step_size)
        choice("on_error", self.on_error, ("summary", "warn", "raise"))
        integrator_number(self.integrator)

    def spread(self, site: Site) -> float:
        """Return how long a path is that goes as far as coordinates are spread: the first ones' length."""
        raise NotImplementedError

    @staticmethod
    def competence(var: Any, has_grad: bool = True) -> Competence:
        """Tell how well the step samples a variable: it can if that is continuous and there is a gradient."""
        suits = not support_of(var).discrete and has_grad
        return Competence.COMPATIBLE if suits else Competence.INCOMPATIBLE

    def check(self, site: Site) -> None:
        """Raise ValueError if there are too few chains, or discrete variables."""
        label = type(self).__name__
        if site.bound.chains < LEAST_CHAINS:
            raise ValueError(
                f"{label} needs at least {LEAST_CHAINS} chains, from which it learns, got {site.bound.chains}; pass "
                "chains=, of which hundreds are best, or take NUTS."
            )
        if site.bound.n_discrete:
            raise ValueError(
                f"{label} is for models whose variables are all continuous, and this one has discrete ones; take NUTS "
                "for the continuous variables, or sum the others out of the density."
            )

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write the settings and the first state of chains that begin at `position`."""
        own.n, own.integrator, own.max_steps = site.n, integrator_number(self.integrator), self.max_steps
        own.energy_limit, own.rate = self.Emax, self.learning_rate
        own.adapts_step_size, own.adapts_length = self.adapt_step_size, self.path_length is None
        own.adapts_metric, own.harmonic, own.by_rate = True, self.harmonic, self.by_rate
        own.jitter = self.jitter
        own.scale[:] = 1.0
        own.length = self.spread(site) if self.path_length is None else self.path_length
        own.log_length_bar = np.log(own.length)
        averaging, size = own.averaging, self.step_scale * self.spread(site) / site.n**0.25
        averaging.target_accept, averaging.gamma, averaging.t0, averaging.k = self.target_accept, GAMMA, 10.0, 0.75
        averaging.largest, averaging.follows = np.inf, True
        averaging.log_step = averaging.log_step_bar = averaging.shrink_point = np.log(size)
        SEARCH.initialise(own.search, site.n)

    def connect(self, own: Memory, around: Around, site: Site) -> None:
        """Write who leads, and the C function that climbs where a chain may."""
        own.leader = np.atleast_1d(own.address)[0]
        may_climb = np.asarray(around.chain.may_climb) != 0
        own.climb = climb.address * may_climb if may_climb.any() else 0

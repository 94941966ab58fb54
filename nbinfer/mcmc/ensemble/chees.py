"""ChEES-HMC: Hamiltonian Monte Carlo of many chains, whose trajectories have a length that they learn together."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from nbinfer.compile import call_density, entry, floats_at, kernel, load_acquire, record_at
from nbinfer.engine.chain import Chain
from nbinfer.engine.job import Status
from nbinfer.engine.state import State
from nbinfer.engine.step import Site
from nbinfer.mcmc.ensemble import common as ensemble
from nbinfer.mcmc.ensemble.common import EnsembleStep
from nbinfer.mcmc.ensemble.learning import grad_at, momentum_at
from nbinfer.mcmc.ensemble.state import ENSEMBLE, Ensemble
from nbinfer.mcmc.hamiltonian.integrators import DRIFTS, KICKS
from nbinfer.random import fill_normal, uniform
from nbinfer.spelling import public

CHEES = State(base=ENSEMBLE, leads=True, statistics={"energy": "float64"})
Row = CHEES.row

_OK, _STOPPED = int(Status.OK), int(Status.STOPPED)


@kernel(reassociate=True)
def _draw_momentum(n: int, stream: int, address: int, scale_address: int) -> float:
    """Draw a momentum from N(0, M), and return its kinetic energy."""
    fill_normal(stream, address, n)
    momentum, scale, total = floats_at(address, n), floats_at(scale_address, n), 0.0
    for i in range(n):
        total += momentum[i] * momentum[i]
    for i in range(n):
        momentum[i] /= scale[i]
    return 0.5 * total


@kernel(reassociate=True)
def _kick_and_drift(n: int, point: int, scale_address: int, kick: float, drift: float) -> None:
    position, momentum, grad = floats_at(point, n), floats_at(momentum_at(point, n), n), floats_at(grad_at(point, n), n)
    scale = floats_at(scale_address, n)
    for i in range(n):
        p = momentum[i] + kick * grad[i]
        momentum[i] = p
        position[i] += drift * scale[i] * scale[i] * p


@kernel(reassociate=True)
def _kick(n: int, point: int, scale_address: int, kick: float) -> float:
    """Kick, and return the kinetic energy."""
    momentum, grad = floats_at(momentum_at(point, n), n), floats_at(grad_at(point, n), n)
    scale, total = floats_at(scale_address, n), 0.0
    for i in range(n):
        p = momentum[i] + kick * grad[i]
        momentum[i] = p
        total += p * p * scale[i] * scale[i]
    return 0.5 * total


@entry("int64(intp, intp)")
def step(chain_address: int, own_address: int) -> int:
    """Make one transition of a chain: a path of Hamiltonian dynamics, whose end is accepted or rejected."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Ensemble)
    leader = record_at(own.leader, Ensemble)
    size = ensemble.enter(chain_address, own)
    n, point, scale, integrator = chain.n, own.point, leader.scale, own.integrator
    start_energy = _draw_momentum(n, chain.words, momentum_at(point, n), scale) - chain.logp
    steps, logp, energy, made = ensemble.steps_of(chain, own, size), chain.logp, start_energy, 0
    while made < steps and math.isfinite(energy):
        if load_acquire(chain.stop) != 0:
            return _STOPPED
        for stage in range(integrator + 1):
            _kick_and_drift(n, point, scale, KICKS[integrator, stage] * size, DRIFTS[integrator, stage] * size)
            logp = call_density(chain.density, n, point, grad_at(point, n), chain.context)
        energy = _kick(n, point, scale, KICKS[integrator, integrator + 1] * size) - logp
        chain.gradients += integrator + 1
        made += 1
    error = energy - start_energy
    own.diverging = not math.isfinite(energy) or error > own.energy_limit
    own.accept = math.exp(min(0.0, -error)) if math.isfinite(energy) else 0.0
    accepted = uniform(chain.words) < own.accept
    ensemble.leave(chain, own, made, error, logp, accepted)
    record_at(own.statistics, Row).energy = energy if accepted else start_energy
    return _OK


@public
@dataclass(frozen=True)
class ChEES(EnsembleStep):  # numpydoc ignore=PR02
    """Configure ChEES-HMC [1]_."""

    vars: Any = None
    _: KW_ONLY
    target_accept: float = 0.651
    path_length: float | None = None
    integrator: str = "leapfrog"
    step_scale: float = 0.25
    Emax: float = 1000.0
    learning_rate: float = 0.025
    max_steps: int = 1024
    adapt_step_size: bool = True
    on_error: str = "summary"
    model: Any = field(default=None, repr=False, compare=False)

    name = "chees"
    state = CHEES
    function = step

    def first_length(self, site: Site) -> float:
        """Return the length of the first trajectories: the spread of a coordinate."""
        return 1.0

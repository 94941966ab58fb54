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
        momentum[i] += kick * grad[i]
    for i in range(n):
        position[i] += drift * scale[i] * scale[i] * momentum[i]


@kernel(reassociate=True)
def _kick(n: int, point: int, scale_address: int, kick: float) -> float:
    """Kick, and return the kinetic energy."""
    momentum, grad = floats_at(momentum_at(point, n), n), floats_at(grad_at(point, n), n)
    scale, total = floats_at(scale_address, n), 0.0
    for i in range(n):
        momentum[i] += kick * grad[i]
    for i in range(n):
        speed = scale[i] * momentum[i]
        total += speed * speed
    return 0.5 * total


@entry("int64(intp, intp)")
def step(chain_address: int, own_address: int) -> int:
    """Make one transition of a chain: a path of Hamiltonian dynamics, whose end is accepted or rejected."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Ensemble)
    leader = record_at(own.leader, Ensemble)
    size = ensemble.enter(chain_address, own)
    n, point, scale, integrator = chain.n, own.point, leader.scale, own.integrator
    start_energy = _draw_momentum(n, chain.words, momentum_at(point, n), scale) - chain.logp
    steps, logp, made, kick = ensemble.steps_of(chain, own, size), chain.logp, 0, 0.0
    last = KICKS[integrator, integrator + 1] * size
    while made < steps and math.isfinite(logp):
        if load_acquire(chain.stop) != 0:
            return _STOPPED
        for stage in range(integrator + 1):
            kick += KICKS[integrator, stage] * size
            _kick_and_drift(n, point, scale, kick, DRIFTS[integrator, stage] * size)
            logp, kick = call_density(chain.density, n, point, grad_at(point, n), chain.context), 0.0
        chain.gradients += integrator + 1
        made += 1
        kick = last  # the first kick of the next step follows at once
    energy = _kick(n, point, scale, last) - logp
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
    """Configure ChEES-HMC [1]_: many chains that learn together how long trajectories are to be.

    Parameters
    ----------
    vars : str or sequence of str, optional
        Names of the variables to sample, which must be continuous. Default: all that are.
    blocked : bool
        If False, there is one step for each variable.
    target_accept : float
        Harmonic mean of the chains' acceptance probabilities that the step size is tuned to, in (0, 1). Default 0.651,
        which is the paper's.
    path_length : float, optional
        Mean length of a trajectory, in units of the metric. Default: what changes squares of positions most.
    integrator : {'leapfrog', 'twostage', 'threestage'}
        One, two or three gradients per step.
    step_scale : float
        The first step size is ``step_scale / dim**0.25``; the only one, if nothing is adapted or there is no warm-up.
    Emax : float
        A path that ends at an energy higher than the start's by more is a divergence.
    learning_rate : float
        How much the logarithm of the length changes in a draw of warm-up, about.
    max_steps : int
        Steps of a path at most.
    adapt_step_size : bool
        If False, the step size stays what it is at first.
    on_error : {'summary', 'warn', 'raise'}
        What to do about divergences: report them once at the end, as they occur, or stop at the first.
    model : Model, optional
        That the variables are of. Default: that of the run.

    Raises
    ------
    ValueError
        If an option makes no sense; in a run, if there are fewer than 16 chains or variables are discrete.

    See Also
    --------
    MAMS : Trajectories that keep their speed; it takes about as many gradients.
    NUTS : Finds the length of each trajectory by itself; for a few chains.

    Notes
    -----
    All chains of a run are one ensemble. In each draw their trajectories have one step size, one metric, a diagonal of
    the chains' variances, and one length, between 0 and twice its mean by van der Corput's sequence. After each draw of
    warm-up they learn all three together: the step size by dual averaging, where an acceptance below 0.01 counts as
    that; the length by Adam along the slope of the change in the estimator of the expected square, in coordinates
    divided by their scales; the variances as an average of which the latest draws have most. Then all stays as it is.
    Fifty draws of warm-up are mostly enough for hundreds of chains, and no result depends on the number of cores.

    Statistics of each draw: lp, acceptance_rate, step_size, n_steps, diverging, energy_error (of the end), tune,
    accepted, path_length (of this trajectory), energy (at the draw).

    References
    ----------
    .. [1] M. D. Hoffman, A. Radul and P. Sountsov, "An adaptive-MCMC scheme for setting trajectory lengths in
       Hamiltonian Monte Carlo", AISTATS (2021).

    Examples
    --------
    >>> import nbinfer as nb
    >>> def logp(p, d):
    ...     return -0.5 * (p.x[0] ** 2 + p.x[1] ** 2)
    >>> model = nb.Model({"x": nb.real(2)}, logp=logp)
    >>> trace = nb.sample(model, 10, 100, step=nb.ChEES(), chains=256, superchains=16, random_seed=1)
    >>> trace["x"].shape
    (256, 10, 2)
    """

    vars: Any = None
    _: KW_ONLY
    target_accept: float = 0.651
    path_length: float | None = None
    integrator: str = "leapfrog"
    step_scale: float = 0.25
    Emax: float = 1000.0
    learning_rate: float = 0.05
    max_steps: int = 1024
    adapt_step_size: bool = True
    on_error: str = "summary"
    model: Any = field(default=None, repr=False, compare=False)

    name = "chees"
    state = CHEES
    function = step

    def spread(self, site: Site) -> float:
        """Return 1: each coordinate has a speed of its own."""
        return 1.0

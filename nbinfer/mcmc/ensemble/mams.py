"""MAMS: microcanonical trajectories of many chains, whose ends are accepted or rejected.

A velocity of length 1 is turned by gradients and keeps its length, so that paths are not thrown away by one steep
slope. In coordinates that are divided by their scales, a kick by h where the gradient of the log density is g turns the
velocity u of n coordinates to

    [u + e (sinh δ + c (cosh δ - 1))] / (cosh δ + c sinh δ),   e = g / |g|,  c = u·e,  δ = h |g| / (n - 1),

and (n - 1) log(cosh δ + c sinh δ) is what it adds to the energy, as the volume it takes [1]_, [2]_. What it adds along
a path, less what the log density gains, decides whether the end is accepted.

References
----------
.. [1] J. Robnik, G. B. De Luca, E. Silverstein and U. Seljak, "Microcanonical Hamiltonian Monte Carlo", JMLR 24 (2023).
.. [2] J. Robnik, R. Cohn-Gordon and U. Seljak, "Metropolis adjusted microcanonical Hamiltonian Monte Carlo",
   arXiv:2503.01707 (2025).
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from nbinfer.arguments import flag
from nbinfer.compile import call_density, entry, floats_at, kernel, load_acquire, record_at
from nbinfer.engine.chain import Chain
from nbinfer.engine.job import Status
from nbinfer.engine.step import Site
from nbinfer.engine.vectors import dot
from nbinfer.mcmc.ensemble import common as ensemble
from nbinfer.mcmc.ensemble.common import EnsembleStep
from nbinfer.mcmc.ensemble.learning import grad_at, momentum_at
from nbinfer.mcmc.ensemble.state import ENSEMBLE, Ensemble
from nbinfer.mcmc.hamiltonian.integrators import DRIFTS, KICKS
from nbinfer.random import fill_normal, uniform
from nbinfer.spelling import public

_OK, _STOPPED = int(Status.OK), int(Status.STOPPED)
_LOG_2 = math.log(2.0)


@kernel
def _draw_velocity(n: int, stream: int, address: int) -> None:
    """Draw a direction."""
    fill_normal(stream, address, n)
    velocity, length = floats_at(address, n), math.sqrt(dot(n, address, address))
    for i in range(n):
        velocity[i] /= length


@kernel(reassociate=True)
def _kick_and_drift(n: int, point: int, scale_address: int, kick: float, drift: float) -> float:
    """Turn the velocity, and move along it; return what that adds to the energy.

    Hyperbolic functions are divided by e^δ / 2, for δ may be large.
    """
    position, velocity, grad = floats_at(point, n), floats_at(momentum_at(point, n), n), floats_at(grad_at(point, n), n)
    scale, square, along = floats_at(scale_address, n), 0.0, 0.0
    for i in range(n):
        slope = scale[i] * grad[i]
        square += slope * slope
        along += slope * velocity[i]
    steepness, cosine, decay, whole = math.sqrt(square), 0.0, 1.0, 2.0
    angle, by_slope = 0.0, 0.0
    if square > 0.0:
        cosine = along / steepness
        angle = kick * steepness / (n - 1)
        decay = math.exp(-angle)
        whole = 1.0 + cosine + (1.0 - cosine) * decay * decay
        by_slope = (1.0 - decay * decay + cosine * (1.0 - decay) * (1.0 - decay)) / (whole * steepness)
    stays = 2.0 * decay / whole
    for i in range(n):
        velocity[i] = stays * velocity[i] + by_slope * scale[i] * grad[i]
    for i in range(n):
        position[i] += drift * scale[i] * velocity[i]
    return (n - 1) * (angle + math.log(whole) - _LOG_2)


@kernel
def _as_momentum(n: int, address: int, scale_address: int) -> None:
    """Make a velocity what positions are multiplied by."""
    velocity, scale = floats_at(address, n), floats_at(scale_address, n)
    for i in range(n):
        velocity[i] /= scale[i]


@entry("int64(intp, intp)")
def step(chain_address: int, own_address: int) -> int:
    """Make one transition of a chain: a path with a new velocity, whose end is accepted or rejected."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Ensemble)
    leader = record_at(own.leader, Ensemble)
    size = ensemble.enter(chain_address, own)
    n, point, scale, integrator = chain.n, own.point, leader.scale, own.integrator
    _draw_velocity(n, chain.words, momentum_at(point, n))
    steps, logp, kinetic, made, kick = ensemble.steps_of(chain, own, size), chain.logp, 0.0, 0, 0.0
    last = KICKS[integrator, integrator + 1] * size
    while made < steps and math.isfinite(logp):
        if load_acquire(chain.stop) != 0:
            return _STOPPED
        for stage in range(integrator + 1):
            kick += KICKS[integrator, stage] * size
            kinetic += _kick_and_drift(n, point, scale, kick, DRIFTS[integrator, stage] * size)
            logp, kick = call_density(chain.density, n, point, grad_at(point, n), chain.context), 0.0
        chain.gradients += integrator + 1
        made += 1
        kick = last  # the first kick of the next step follows at once
    kinetic += _kick_and_drift(n, point, scale, last, 0.0)
    error = kinetic - (logp - chain.logp)
    _as_momentum(n, momentum_at(point, n), scale)
    own.diverging = not math.isfinite(error) or error > own.energy_limit
    own.accept = math.exp(min(0.0, -error)) if math.isfinite(error) else 0.0
    accepted = uniform(chain.words) < own.accept
    ensemble.leave(chain, own, made, error, logp, accepted)
    return _OK


@public
@dataclass(frozen=True)
class MAMS(EnsembleStep):  # numpydoc ignore=PR02
    """Configure the Metropolis-adjusted microcanonical sampler [1]_, of many chains that learn together.

    Parameters
    ----------
    vars : str or sequence of str, optional
        Names of the variables to sample, which must be continuous. Default: all that are.
    blocked : bool
        If False, there is one step for each variable.
    target_accept : float
        Mean acceptance probability that the step size is tuned to, in (0, 1). Default 0.9, which is the paper's.
    path_length : float, optional
        Mean length of a path, in coordinates divided by their scales: where n coordinates are independent, about
        sqrt(n) makes a new draw. Default: what changes squares of positions most, for its length.
    random_length : bool
        Whether lengths are between 0 and twice their mean; else all are that mean.
    integrator : {'twostage', 'leapfrog', 'threestage'}
        One, two or three gradients per step.
    step_scale : float
        The first step size is ``step_scale * dim**0.25``; the only one, if nothing is adapted or there is no warm-up.
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
        If an option makes no sense; in a run, if there are fewer than 16 chains, discrete variables, or one coordinate
        alone.

    See Also
    --------
    ChEES : Hamiltonian trajectories, of one coordinate too.

    Notes
    -----
    A path begins with a new velocity of length 1, any direction being as likely; gradients turn it, and it stays as
    long, so that coordinates divided by their scales move at one speed. What the turns add to the energy, and what the
    log density takes from it, decides whether the end of the path is accepted: nothing is biased, whatever the step
    size. The ensemble, and what it learns in warm-up, is that of `ChEES`, where the paper tunes lengths by an
    autocorrelation time, which short chains do not have; but the length is that of the most change per length, for
    paths go round, and there is much change after several turns, too.

    Statistics of each draw: lp, acceptance_rate, step_size, n_steps, diverging, energy_error (of the end), tune,
    accepted, path_length (of this path).

    References
    ----------
    .. [1] J. Robnik, R. Cohn-Gordon and U. Seljak, "Metropolis adjusted microcanonical Hamiltonian Monte Carlo",
       arXiv:2503.01707 (2025).

    Examples
    --------
    >>> import nbinfer as nb
    >>> def logp(p, d):
    ...     return -0.5 * (p.x[0] ** 2 + p.x[1] ** 2)
    >>> model = nb.Model({"x": nb.real(2)}, logp=logp)
    >>> trace = nb.sample(model, 10, 100, step=nb.MAMS(), chains=256, superchains=16, random_seed=1)
    >>> trace["x"].shape
    (256, 10, 2)
    """

    vars: Any = None
    _: KW_ONLY
    target_accept: float = 0.9
    path_length: float | None = None
    random_length: bool = True
    integrator: str = "twostage"
    step_scale: float = 0.25
    Emax: float = 1000.0
    learning_rate: float = 0.05
    max_steps: int = 1024
    adapt_step_size: bool = True
    on_error: str = "summary"
    model: Any = field(default=None, repr=False, compare=False)

    name = "mams"
    state = ENSEMBLE
    function = step
    harmonic = False
    by_rate = True

    def __post_init__(self) -> None:
        super().__post_init__()
        flag("random_length", self.random_length)

    @property
    def jitter(self) -> float:  # type: ignore[override]
        return 1.0 if self.random_length else 0.0

    def spread(self, site: Site) -> float:
        """Return the spread of all coordinates together, which share one speed."""
        return math.sqrt(site.n)

    def check(self, site: Site) -> None:
        """Raise ValueError if there are too few chains, discrete variables, or a single coordinate."""
        super().check(site)
        if site.n < 2:
            raise ValueError(
                f"MAMS turns velocities, and {', '.join(site.names)} has one coordinate, along which there is nothing "
                "to turn to; take ChEES."
            )

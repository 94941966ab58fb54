"""Hamiltonian Monte Carlo: trajectories of one length, whose end is accepted or rejected."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np

from nbinfer.arguments import count, positive
from nbinfer.compile import Record, entry, kernel, load_acquire, record_at
from nbinfer.engine.chain import Chain
from nbinfer.engine.job import Status
from nbinfer.engine.state import Memory, State, floats
from nbinfer.engine.step import Site
from nbinfer.mcmc.hamiltonian import common as hamiltonian
from nbinfer.mcmc.hamiltonian import integrators
from nbinfer.mcmc.hamiltonian.common import HAMILTONIAN, HamiltonianStep
from nbinfer.mcmc.hamiltonian.phase import FIELDS, from_chain, momentum_of, point_at, to_chain
from nbinfer.mcmc.metric import kernel as metrics
from nbinfer.mcmc.metric.kernel import Metric
from nbinfer.random import uniform
from nbinfer.spelling import public

HMC = State(
    base=HAMILTONIAN,
    fields={
        "path_length": "f8",
        "max_steps": "i8",
        # The outcome of a trajectory.
        "end": "i8",  # address of its last point
        "logp": "f8",  # there
        "start_energy": "f8",
        "energy": "f8",  # at the end
        "n_steps": "i8",
    },
    work={"points": floats(lambda step, site: 2 * FIELDS * site.n)},  # two phase points
    statistics={"accepted": "bool", "path_length": "float64"},
)
Hmc, Row = HMC.record, HMC.row

_OK, _STOPPED, _RAISED = int(Status.OK), int(Status.STOPPED), int(Status.RAISED)


@entry("int64(intp, intp)")
def step(chain_address: int, own_address: int) -> int:
    """Make one transition of a chain."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Hmc)
    size = hamiltonian.enter(chain_address, own, own.points)
    if own.vary != 0 and not size > 0.0:
        return _RAISED
    if not _trajectory(chain, own, size):
        return _STOPPED
    error = own.energy - own.start_energy
    # Only a rise diverges: a fall is how a chain that starts far out finds its way in. A rise is accepted or rejected
    # as any other, for the way back is no divergence: to reject all would break detailed balance.
    diverging = not math.isfinite(own.energy) or error > own.energy_limit
    accept = 0.0 if not math.isfinite(own.energy) else math.exp(min(0.0, -error))
    accepted = uniform(chain.words) < accept
    if accepted:
        chain.logp = own.logp
        to_chain(chain, own.end)
    hamiltonian.leave(chain, own, own.points, accept, accepted, diverging)
    _report(own, size, accept, accepted)
    return _OK


@kernel
def _trajectory(chain: Record, own: Record, size: float) -> bool:
    """Follow the dynamics from the chain's position with a new momentum, and write where it ends; False if stopped.

    The path ends early where the energy is not finite. That does not depend on the direction of the path, so that what
    is rejected for it is rejected both ways.
    """
    n, metric = chain.n, record_at(own.metric, Metric)
    origin, target = point_at(own.points, n, 0), point_at(own.points, n, 1)
    from_chain(chain, origin)
    own.start_energy = metrics.draw_momentum(metric, chain.words, momentum_of(origin, n)) - chain.logp
    integrators.prepare(n, metric, origin)
    steps = int(max(1.0, min(float(own.max_steps), own.path_length / size)))
    own.n_steps = 0
    own.energy = own.start_energy
    while own.n_steps < steps and math.isfinite(own.energy):
        if load_acquire(chain.stop) != 0:
            return False
        logp, kinetic = integrators.step(chain, metric, own.integrator, size, origin, target)
        chain.gradients += own.integrator + 1
        own.n_steps += 1
        own.logp = logp
        own.energy = kinetic - logp
        origin, target = target, origin
    own.end = origin
    return True


@kernel
def _report(own: Record, size: float, accept: float, accepted: bool) -> None:
    """Write what the trajectory was like."""
    row = record_at(own.statistics, Row)
    row.acceptance_rate = accept
    row.n_steps = own.n_steps
    row.energy = own.energy if accepted else own.start_energy
    row.energy_error = own.energy - own.start_energy
    row.accepted = accepted
    row.path_length = own.n_steps * size


@public
@dataclass(frozen=True)
class HamiltonianMC(HamiltonianStep):  # numpydoc ignore=PR02
    """Configure Hamiltonian Monte Carlo [1]_ with trajectories of one length.

    Parameters
    ----------
    vars : str or sequence of str, optional
        Names of the variables to sample, which must be continuous. Default: all that are.
    path_length : float
        Length of a trajectory: it takes ``path_length / step_size`` steps, rounded down, but at least one.
    step_rand : None, float, (low, high) or callable
        Multiply each transition's step size by a number from U(1 - x, 1 + x), or from U(low, high). Or replace it by
        what ``f(step_size)``, or ``f(step_size, rng)`` with a NumPy Generator, returns, in plain Python. Default
        (0.85, 1.15): with one length for all, trajectories of some targets end where they began.
    blocked : bool
        If False, there is one step for each variable.
    target_accept : float
        Mean acceptance probability that the step size is tuned to, in (0, 1). Default 0.65; PyMC uses the same.
    metric : {'fisher', 'fisher_diag', 'dense', 'diag', 'diag_grad', 'unit'} or object, optional
        Learnt from draws and gradients of warm-up, by Fisher divergence: 'fisher', the default, a diagonal, stretched
        along the directions in which the posterior is correlated, at most 128 of them, as soon as the log density
        has no trend; 'fisher_diag' the diagonal alone, which is nutpie's; 'dense' the same with all directions. Learnt
        from draws: 'diag', a diagonal of variances, which is PyMC's; 'diag_grad' the same, and then of mean absolute
        gradients. Or none: 'unit'. Or an object, such as `quad_potential` makes.
    scaling : array_like, sparse matrix or mapping, optional
        A fixed metric: the mass, a precision on the unconstrained scale, of shape (n,) or (n, n). A mapping is a point
        whose curvature is the mass.
    is_cov : bool
        If True, `scaling` is the inverse mass, a covariance.
    potential : object, optional
        A metric that is an object: one of nbinfer.mcmc, or any with ``velocity(p)``, ``energy(p, velocity)`` and
        ``random()``, or ``random(rng)``, and perhaps ``update(sample, grad, tune)``, which are called in plain Python;
        each chain has a copy of it.
    integrator : {'leapfrog', 'twostage', 'threestage'}
        One, two or three gradients per step.
    step_scale : float
        Where the search for a step size begins, ``step_scale / dim**0.25``, which doubles or halves it until one step
        is accepted as often as is wanted; the first step size, if nothing is adapted or there is no warm-up.
    Emax : float
        A trajectory that ends at an energy higher than the start's by more is a divergence; it is accepted or rejected
        as any other.
    adapt_step_size : bool
        If False, the step size is ``step_scale / dim**0.25`` throughout.
    gamma, k, t0 : float
        Constants of dual averaging; k in (0.5, 1]. Here `gamma` is 0.2, four times that of NUTS: one acceptance for
        each transition is a noisier guide than the mean over a tree, and a step size that swings settles too low.
    on_error : {'summary', 'warn', 'raise'}
        What to do about divergences: report them once at the end, as they occur, or stop at the first.
    max_steps : int
        Steps of a trajectory at most.
    timed : bool
        Read clocks before and after each transition, which may take some microseconds, for three more statistics.
    model : Model, optional
        That the variables are of. Default: that of the run.
    dtype : str or dtype, optional
        float64, in which every step computes; no other.

    Raises
    ------
    ValueError
        If an option makes no sense, or two of `metric`, `scaling` and `potential` are given.
    PositiveDefiniteError
        If a metric is not positive definite; it names the entries.

    See Also
    --------
    NUTS : Finds the length of each trajectory by itself.

    Notes
    -----
    Statistics of each draw: lp, acceptance_rate, step_size (before `step_rand`), step_size_bar (of draws after
    warm-up), n_steps, diverging, energy (at the draw), energy_error (at the end of the trajectory, accepted or not),
    tune, accepted, path_length (of this trajectory: n_steps times the step size after `step_rand`); and, if `timed`, in
    seconds, process_time_diff (processor time of the thread that draws the chain), perf_counter_diff,
    perf_counter_start (as `time.perf_counter` has it).

    References
    ----------
    .. [1] R. M. Neal, "MCMC using Hamiltonian dynamics", Handbook of Markov Chain Monte Carlo (2011), section 5.3.

    Examples
    --------
    >>> import nbinfer as nb
    >>> def logp_grad(p, d, grad):
    ...     grad.x[:] -= p.x
    ...     return -0.5 * (p.x[0] ** 2 + p.x[1] ** 2)
    >>> model = nb.Model({"x": nb.real(2)}, logp_grad=logp_grad)
    >>> trace = nb.sample(model, 500, step=nb.HamiltonianMC(path_length=1.5), random_seed=1)
    >>> trace["x"].shape
    (4, 500, 2)
    """

    path_length: float = 2.0
    step_rand: float | tuple[float, float] | Callable[..., float] | None = (0.85, 1.15)
    _: KW_ONLY
    target_accept: float = 0.65
    metric: Any = None
    scaling: Any = None
    is_cov: bool = False
    potential: Any = None
    integrator: str = "leapfrog"
    step_scale: float = 0.25
    Emax: float = 1000.0
    adapt_step_size: bool = True
    gamma: float = 0.2
    k: float = 0.75
    t0: float = 10.0
    on_error: str = "summary"
    max_steps: int = 1024
    timed: bool = False
    model: Any = field(default=None, repr=False, compare=False)
    dtype: Any = field(default=None, repr=False, compare=False)

    #: How `step_kwargs` names it.
    name = "hmc"
    state = HMC
    function = step

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("path_length", self.path_length)
        count("max_steps", self.max_steps, 1, 2**31)

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write the settings and the first state of a chain that begins at `position`."""
        super().initialise(own, site, tune, position)
        own.path_length, own.max_steps = self.path_length, self.max_steps
        own.averaging.follows = True

"""The No-U-Turn Sampler: multinomial sampling of a trajectory that stops when it turns back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np

from nbinfer.arguments import choice, count
from nbinfer.compile import Record, entry, floats_at, ints_at, kernel, record_at
from nbinfer.engine.chain import Chain
from nbinfer.engine.job import Status
from nbinfer.engine.state import Memory, State
from nbinfer.engine.step import Competence, Site, support_of
from nbinfer.mcmc.hamiltonian import common as hamiltonian
from nbinfer.mcmc.hamiltonian import tree as trees
from nbinfer.mcmc.hamiltonian.common import HAMILTONIAN, HamiltonianStep
from nbinfer.mcmc.hamiltonian.integrators import integrator_number
from nbinfer.mcmc.hamiltonian.phase import to_chain
from nbinfer.mcmc.hamiltonian.tree import TREE, Tree
from nbinfer.mcmc.metric.kernel import Metric
from nbinfer.spelling import public

NUTS_STATE = State(
    base=HAMILTONIAN,
    fields={"max_treedepth": "i8", "early_max_treedepth": "i8"},
    parts={"tree": TREE},
    statistics={
        "max_energy_error": "float64",
        "tree_depth": "int64",
        "reached_max_treedepth": "bool",
    },
)
Nuts, Row = NUTS_STATE.record, NUTS_STATE.row

_EARLY_DRAWS = 200  # while tuning, so many draws are held to early_max_treedepth
_OK, _STOPPED, _RAISED = int(Status.OK), int(Status.STOPPED), int(Status.RAISED)


@entry("int64(intp, intp)")
def step(chain_address: int, own_address: int) -> int:
    """Make one transition of a chain."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Nuts)
    metric, tree = record_at(own.metric, Metric), record_at(own.tree, Tree)
    tree.step_size = hamiltonian.enter(chain_address, own, tree.points)  # slots are free before and after a transition
    if own.vary != 0 and not tree.step_size > 0.0:
        return _RAISED
    slot = trees.transition(chain, metric, tree, _max_depth(chain, own))
    if slot < 0:
        return _STOPPED
    chain.logp = floats_at(tree.logps, tree.slots)[slot]
    to_chain(chain, trees.point(tree, chain.n, slot))
    accept, moved = _lesson(tree, slot)
    hamiltonian.leave(chain, own, tree.points, accept, moved, tree.diverging != 0)
    _report(own, tree, slot)
    return _OK


@kernel
def _max_depth(chain: Record, own: Record) -> int:
    """Return how often the trajectory may double."""
    depth: int = own.max_treedepth
    early = chain.tuning != 0 and chain.done < _EARLY_DRAWS
    return min(own.early_max_treedepth, depth) if early else depth


@kernel
def _lesson(tree: Record, slot: int) -> tuple[float, bool]:
    """Return the acceptance that the step size is tuned by, and whether the draw says something about the metric."""
    index = ints_at(tree.indices, tree.slots)[slot]
    total = tree.symmetric_sum if tree.symmetric != 0 else tree.accept_sum
    return total / max(tree.n_steps, 1), (abs(index) > 4 if tree.diverging != 0 else index != 0)


@kernel
def _report(own: Record, tree: Record, slot: int) -> None:
    """Write what the trajectory was like."""
    energy = floats_at(tree.energies, tree.slots)[slot]
    row = record_at(own.statistics, Row)
    row.acceptance_rate = tree.accept_sum / max(tree.n_steps, 1)
    row.n_steps = tree.n_steps
    row.energy = energy
    row.energy_error = energy - tree.start_energy
    row.max_energy_error = tree.max_energy_error
    row.tree_depth = tree.depth
    row.reached_max_treedepth = tree.unfinished


@public
@dataclass(frozen=True)
class NUTS(HamiltonianStep):  # numpydoc ignore=PR02
    """Configure the No-U-Turn Sampler [1]_, with a multinomial choice from the trajectory [2]_.

    Parameters
    ----------
    vars : str, variable or sequence of them, optional
        Names of the variables to sample, which must be continuous. Default: all that are.
    Emax : float
        A point whose energy is higher than the start's by more is a divergence, which ends the trajectory. Keep it
        large: this biases the draws by some exp(-Emax).
    target_accept : float
        Mean acceptance probability that the step size is tuned to, in (0, 1). Default 0.8; Stan and PyMC use the same.
    gamma, k, t0 : float
        Constants of dual averaging; k in (0.5, 1].
    adapt_step_size : bool
        If False, the step size is ``step_scale / dim**0.25`` throughout.
    max_treedepth : int
        Doublings of a trajectory at most.
    on_error : {'summary', 'warn', 'raise'}
        What to do about divergences: report them once at the end, as they occur, or stop at the first.
    early_max_treedepth : int
        Doublings at most in the first 200 draws of warm-up.
    blocked : bool
        If False, there is one step for each variable.
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
    step_rand : None, float, (low, high) or callable
        Multiply each transition's step size by a number from U(1 - x, 1 + x), or from U(low, high). Or replace it by
        what ``f(step_size)``, or ``f(step_size, rng)`` with a NumPy Generator, returns, in plain Python.
    accept_statistic : {'mean', 'symmetric'}
        What dual averaging sees: the mean of min(1, a) over the trajectory, or of 2 min(1, a) / (1 + a).
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
    HamiltonianMC : Trajectories of one length.

    Notes
    -----
    Statistics of each draw: lp, acceptance_rate, step_size (before `step_rand`), step_size_bar (of draws after
    warm-up), n_steps, diverging, energy, energy_error, tune, max_energy_error, tree_depth, reached_max_treedepth; and,
    if `timed`, in seconds, process_time_diff (processor time of the thread that draws the chain), perf_counter_diff,
    perf_counter_start (as `time.perf_counter` has it).

    References
    ----------
    .. [1] M. D. Hoffman and A. Gelman, "The No-U-Turn Sampler", JMLR 15 (2014).
    .. [2] M. Betancourt, "A conceptual introduction to Hamiltonian Monte Carlo", arXiv:1701.02434, appendix A.

    Examples
    --------
    >>> import nbinfer as nb
    >>> def logp_grad(p, d, grad):
    ...     grad.x[:] -= p.x
    ...     return -0.5 * (p.x[0] ** 2 + p.x[1] ** 2)
    >>> model = nb.Model({"x": nb.real(2)}, logp_grad=logp_grad)
    >>> step = nb.NUTS(target_accept=0.9, metric="diag")
    >>> nb.sample(model, 500, step=step, random_seed=1)["x"].shape
    (4, 500, 2)
    """

    Emax: float = 1000.0
    target_accept: float = 0.8
    gamma: float = 0.05
    k: float = 0.75
    t0: float = 10.0
    adapt_step_size: bool = True
    max_treedepth: int = 10
    on_error: str = "summary"
    early_max_treedepth: int = 8
    _: KW_ONLY
    metric: Any = None
    scaling: Any = None
    is_cov: bool = False
    potential: Any = None
    integrator: str = "leapfrog"
    step_scale: float = 0.25
    step_rand: float | tuple[float, float] | Callable[..., float] | None = None
    accept_statistic: str = "mean"
    timed: bool = False
    model: Any = field(default=None, repr=False, compare=False)
    dtype: Any = field(default=None, repr=False, compare=False)

    #: How `step_kwargs` names it.
    name = "nuts"
    state = NUTS_STATE
    function = step

    def __post_init__(self) -> None:
        super().__post_init__()
        count("max_treedepth", self.max_treedepth, 1, 25)
        count("early_max_treedepth", self.early_max_treedepth, 1, 25)
        choice("accept_statistic", self.accept_statistic, ("mean", "symmetric"))

    @staticmethod
    def competence(var: Any, has_grad: bool = True) -> Competence:
        """Tell how well NUTS samples a variable: ideally if it is continuous and there is a gradient."""
        suits = not support_of(var).discrete and has_grad
        return Competence.IDEAL if suits else Competence.INCOMPATIBLE

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write the settings and the first state of a chain that begins at `position`."""
        super().initialise(own, site, tune, position)
        own.max_treedepth, own.early_max_treedepth = self.max_treedepth, self.early_max_treedepth
        own.tree.integrator, own.tree.energy_limit = integrator_number(self.integrator), self.Emax
        own.tree.symmetric = self.accept_statistic == "symmetric"
        own.tree.slots = trees.slots_needed(self.max_treedepth)

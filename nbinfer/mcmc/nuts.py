"""The No-U-Turn Sampler: multinomial sampling of a trajectory that stops when it turns back.

References
----------
.. [1] M. D. Hoffman and A. Gelman, "The No-U-Turn Sampler", JMLR 15 (2014).
.. [2] M. Betancourt, "A conceptual introduction to Hamiltonian Monte Carlo", arXiv:1701.02434.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbinfer.arguments import choice
from nbinfer.compile import entry, floats_at, ints_at, record_at
from nbinfer.mcmc import hamiltonian
from nbinfer.mcmc import step_size as step_sizes
from nbinfer.mcmc import tree as trees
from nbinfer.mcmc.chain import Chain, Status, know_gradient
from nbinfer.mcmc.hamiltonian import COMMON, Hamiltonian
from nbinfer.mcmc.integrators import integrator_number
from nbinfer.mcmc.metric import Metric
from nbinfer.mcmc.settings import count
from nbinfer.mcmc.step import Competence, Site, Wiring
from nbinfer.mcmc.step_size import DualAveraging
from nbinfer.mcmc.tree import Tree
from nbinfer.mcmc.warmup import Schedule

#: What a NUTS step keeps.
Nuts = np.dtype([*COMMON, ("tree", "i8"), ("max_treedepth", "i8"), ("early_max_treedepth", "i8")], align=True)

#: Statistics of a transition, in the order of their row: name -> dtype.
STATISTICS = {
    "lp": "float64",
    "acceptance_rate": "float64",
    "step_size": "float64",
    "step_size_bar": "float64",
    "diverging": "bool",
    "energy": "float64",
    "energy_error": "float64",
    "max_energy_error": "float64",
    "tree_depth": "int64",
    "n_steps": "int64",
    "reached_max_treedepth": "bool",
    "tune": "bool",
}

_EARLY_DRAWS = 200  # while tuning, so many draws are held to early_max_treedepth
_OK, _STOPPED = int(Status.OK), int(Status.STOPPED)


@entry("int64(intp, intp)")
def step(chain_address: int, own_address: int) -> int:
    """Make one transition of a chain."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Nuts)
    metric, tree = record_at(own.metric, Metric), record_at(own.tree, Tree)
    schedule, averaging = record_at(own.schedule, Schedule), record_at(own.averaging, DualAveraging)
    n = chain.n
    know_gradient(chain)
    if own.begun == 0:
        hamiltonian.begin(chain, own, metric, averaging, trees.point(tree, n, 0), trees.point(tree, n, 1))
    tuning = chain.tuning != 0
    size = step_sizes.step_size(averaging, tuning)
    tree.step_size = hamiltonian.varied(chain, own, size)
    early = tuning and chain.draw < _EARLY_DRAWS
    max_depth = min(own.early_max_treedepth, own.max_treedepth) if early else own.max_treedepth
    slot = trees.transition(chain, metric, tree, max_depth)
    if slot < 0:
        return _STOPPED
    index = ints_at(tree.indices, tree.slots)[slot]
    energy = floats_at(tree.energies, tree.slots)[slot]
    chain.logp = floats_at(tree.logps, tree.slots)[slot]
    trees.copy(trees.point(tree, n, slot), chain.position, n)
    trees.copy(trees.point(tree, n, slot) + 16 * n, chain.grad, n)
    accept = tree.accept_sum / max(tree.n_steps, 1)
    if tuning:
        statistic = tree.symmetric_sum / max(tree.n_steps, 1) if tree.symmetric != 0 else accept
        moved = abs(index) > 4 if tree.diverging != 0 else index != 0
        hamiltonian.adapt(
            chain, own, metric, schedule, averaging, statistic, moved, trees.point(tree, n, 0), trees.point(tree, n, 1)
        )
    elif tree.diverging != 0:
        chain.divergences += 1
    chain.step_size = size
    row = floats_at(own.statistics, 12)
    row[0] = chain.logp
    row[1] = accept
    row[2] = size
    row[3] = step_sizes.step_size(averaging, False)
    row[4] = tree.diverging
    row[5] = energy
    row[6] = energy - tree.start_energy
    row[7] = tree.max_energy_error
    row[8] = tree.depth
    row[9] = tree.n_steps
    row[10] = tree.unfinished
    row[11] = chain.tuning
    return _OK


@dataclass(frozen=True, kw_only=True)
class NUTS(Hamiltonian):  # numpydoc ignore=PR02
    """Configure the No-U-Turn Sampler.

    Parameters
    ----------
    vars : str or sequence of str, optional
        Names of the variables to sample, which must be continuous. Default: all that are.
    target_accept : float
        Mean acceptance probability that the step size is tuned to, in (0, 1). Default 0.8; Stan and PyMC use the same.
    metric : {'fisher', 'diag', 'diag_grad', 'dense', 'unit'} or QuadPotential, optional
        Learnt: diagonal by Fisher divergence (nutpie's, the default), diagonal by variance (PyMC's), the same and then
        by mean absolute gradients, dense by covariance; or none. Or an object, such as `quad_potential` makes.
    scaling : array_like, sparse matrix or mapping, optional
        A fixed metric: the mass, a precision on the unconstrained scale, of shape (n,) or (n, n). A mapping is a point
        whose curvature is the mass.
    is_cov : bool
        If True, `scaling` is the inverse mass, a covariance.
    potential : QuadPotential, optional
        PyMC's name for a metric that is an object.
    integrator : {'leapfrog', 'twostage', 'threestage'}
        One, two or three gradients per step.
    Emax : float
        A point whose energy is higher than the start's by more is a divergence, which ends the trajectory. Keep it
        large: this biases the draws by some exp(-Emax).
    adapt_step_size : bool
        If False, the step size is ``step_scale / dim**0.25`` throughout.
    step_scale : float
        Sets the first step size, ``step_scale / dim**0.25``.
    gamma, k, t0 : float
        Constants of dual averaging; k in (0.5, 1].
    step_rand : None, float or (low, high)
        Multiply each transition's step size by a number from U(1 - x, 1 + x), or from U(low, high).
    on_error : {'summary', 'warn', 'raise'}
        What to do about divergences: report them once at the end, as they occur, or stop at the first.
    max_treedepth, early_max_treedepth : int
        Doublings of a trajectory at most; the second holds in the first 200 draws of warm-up.
    accept_statistic : {'mean', 'symmetric'}
        What dual averaging sees: the mean of min(1, a) over the trajectory, or of 2 min(1, a) / (1 + a).

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
    Statistics of each draw: lp, acceptance_rate, step_size, step_size_bar, diverging, energy, energy_error,
    max_energy_error, tree_depth, n_steps, reached_max_treedepth, tune.

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

    max_treedepth: int = 10
    early_max_treedepth: int = 8
    accept_statistic: str = "mean"

    #: How `step_kwargs` names it.
    name = "nuts"
    statistics = STATISTICS
    function = step
    state = Nuts

    def __post_init__(self) -> None:
        super().__post_init__()
        count("max_treedepth", self.max_treedepth, 1, 25)
        count("early_max_treedepth", self.early_max_treedepth, 1, 25)
        choice("accept_statistic", self.accept_statistic, ("mean", "symmetric"))

    @staticmethod
    def competence(parameter: Any, has_gradient: bool = True) -> Competence:
        """Tell how well NUTS samples a variable: ideally if it is continuous and there is a gradient."""
        suits = not parameter.support.discrete and has_gradient
        return Competence.IDEAL if suits else Competence.INCOMPATIBLE

    def layout(self, site: Site) -> dict[str, int]:
        """Return the parts of a chain's block that belong to this step, in 8-byte fields."""
        return super().layout(site) | {"tree": Tree.itemsize // 8}

    def workspace(self, site: Site) -> dict[str, int]:
        """Return the memory that a transition needs and that no draw depends on, in 8-byte fields."""
        slots = trees.slots_needed(self.max_treedepth)
        return super().workspace(site) | {
            "points": 4 * site.n * slots,
            "uses": slots,
            "indices": slots,
            "logps": slots,
            "energies": slots,
            "firsts": self.max_treedepth + 1,
            "lasts": self.max_treedepth + 1,
        }

    def initialise(self, parts: Mapping[str, np.ndarray], site: Site, tune: int, position: np.ndarray) -> None:
        """Write the settings and the first state of a chain that begins at `position`."""
        super().initialise(parts, site, tune, position)
        own, tree = parts["own"].view(Nuts)[0], parts["tree"].view(Tree)[0]
        own["max_treedepth"], own["early_max_treedepth"] = self.max_treedepth, self.early_max_treedepth
        tree["integrator"], tree["energy_limit"] = integrator_number(self.integrator), self.Emax
        tree["symmetric"] = self.accept_statistic == "symmetric"
        tree["slots"] = trees.slots_needed(self.max_treedepth)

    def wire(self, wiring: Wiring, site: Site) -> None:
        """Write the addresses: of the parts of the block, of the work space, of the row of statistics."""
        super().wire(wiring, site)
        record_at.py_func(wiring.parts["own"], Nuts).tree = wiring.parts["tree"]
        tree = record_at.py_func(wiring.parts["tree"], Tree)
        for name in ("points", "uses", "indices", "logps", "energies", "firsts", "lasts"):
            tree[name] = wiring.work[name]

"""The No-U-Turn Sampler: multinomial sampling of a trajectory that stops when it turns back.

References
----------
.. [1] M. D. Hoffman and A. Gelman, "The No-U-Turn Sampler", JMLR 15 (2014).
.. [2] M. Betancourt, "A conceptual introduction to Hamiltonian Monte Carlo", arXiv:1701.02434.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbinfer.compile import Record, entry, floats_at, ints_at, kernel, record_at
from nbinfer.mcmc import integrators, warmup
from nbinfer.mcmc import metric as metrics
from nbinfer.mcmc import step_size as step_sizes
from nbinfer.mcmc import tree as trees
from nbinfer.mcmc.chain import Chain, Status, know_gradient
from nbinfer.mcmc.integrators import integrator_number
from nbinfer.mcmc.metric import Adaptation, Metric
from nbinfer.mcmc.step import Competence, Site, StepMethod, Wiring
from nbinfer.mcmc.step_size import DualAveraging
from nbinfer.mcmc.tree import Tree
from nbinfer.mcmc.warmup import Schedule
from nbinfer.random import uniform

#: What a NUTS step keeps: addresses of its parts, and its settings.
Nuts = np.dtype(
    [
        ("tree", "i8"),
        ("metric", "i8"),
        ("schedule", "i8"),
        ("averaging", "i8"),
        ("statistics", "i8"),  # address of the row this step fills
        ("target_accept", "f8"),
        ("gamma", "f8"),
        ("k", "f8"),
        ("t0", "f8"),
        ("adapts_step_size", "i8"),
        ("low", "f8"),  # the step size is multiplied by a number from U(low, high)
        ("high", "f8"),
        ("max_treedepth", "i8"),
        ("early_max_treedepth", "i8"),
        ("first_step_size", "f8"),
        ("begun", "i8"),  # whether the first transition has been prepared
    ],
    align=True,
)

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


@kernel
def search_step_size(chain: Record, own: Record, metric: Record, tree: Record, averaging: Record) -> None:
    """Double or halve the step size until the acceptance of one step crosses the target (section 3.2.1 of [1])."""
    n = chain.n
    start, target = trees.point(tree, n, 0), trees.point(tree, n, 1)
    trees.copy(chain.position, start, n)
    trees.copy(chain.grad, start + 16 * n, n)
    size = own.first_step_size if averaging.count == 0.0 else step_sizes.step_size(averaging, True)
    direction = 0
    for _ in range(100):
        kinetic = metrics.draw_momentum(metric, chain.words, start + 8 * n)
        logp, new_kinetic = integrators.step(chain, metric, tree.integrator, size, start, target)
        chain.gradients += tree.integrator + 1
        error = new_kinetic - logp - (kinetic - chain.logp)
        accept = math.exp(min(0.0, -error)) if error < np.inf else 0.0
        wanted = 1 if accept > own.target_accept else -1
        if direction == 0:
            direction = wanted
        elif wanted != direction:
            break
        following = size * 2.0 if direction > 0 else size * 0.5
        if following > averaging.largest or following < 1e-300:
            break
        size = following
    step_sizes.restart(averaging, size)


@kernel
def _prepare(chain: Record, own: Record, metric: Record, tree: Record, averaging: Record) -> None:
    """Do what the first transition needs: a first metric and a first step size."""
    own.begun = 1
    step_sizes.restart(averaging, own.first_step_size)
    if chain.tuning != 0:
        metrics.guess(metric, chain.grad)
        if own.adapts_step_size != 0:
            search_step_size(chain, own, metric, tree, averaging)


@entry("int64(intp, intp)")
def step(chain_address: int, own_address: int) -> int:
    """Make one transition of a chain."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Nuts)
    metric, tree = record_at(own.metric, Metric), record_at(own.tree, Tree)
    schedule, averaging = record_at(own.schedule, Schedule), record_at(own.averaging, DualAveraging)
    n = chain.n
    know_gradient(chain)
    if own.begun == 0:
        _prepare(chain, own, metric, tree, averaging)
    tuning = chain.tuning != 0
    size = step_sizes.step_size(averaging, tuning)
    tree.step_size = size
    if own.low < own.high:
        tree.step_size *= own.low + (own.high - own.low) * uniform(chain.words)
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
        if own.adapts_step_size != 0:
            statistic = tree.symmetric_sum / max(tree.n_steps, 1) if tree.symmetric != 0 else accept
            step_sizes.learn(averaging, statistic, own.target_accept, own.gamma, own.t0, own.k)
        moved = abs(index) > 4 if tree.diverging != 0 else index != 0
        first_change = warmup.learn(schedule, metric, chain.draw, moved, chain.position, chain.grad)
        if first_change and own.adapts_step_size != 0:
            search_step_size(chain, own, metric, tree, averaging)
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


_METRICS = {
    "fisher": Adaptation.FISHER,
    "diag": Adaptation.VARIANCE,
    "dense": Adaptation.DENSE,
    "unit": Adaptation.NONE,
}
_PSEUDO_DRAWS = 10.0  # what a variance metric of 1 counts at the start


@dataclass(frozen=True, kw_only=True)
class NUTS(StepMethod):  # numpydoc ignore=PR02
    """Configure the No-U-Turn Sampler.

    Parameters
    ----------
    vars : str or sequence of str, optional
        Names of the variables to sample, which must be continuous. Default: all that are.
    target_accept : float
        Mean acceptance probability that the step size is tuned to, in (0, 1). Default 0.8; Stan and PyMC use the same.
    max_treedepth, early_max_treedepth : int
        Doublings of a trajectory at most; the second holds in the first 200 draws of warm-up.
    metric : {'fisher', 'diag', 'dense', 'unit'}
        Diagonal by Fisher divergence (nutpie's, the default), diagonal by variance (PyMC's), dense by covariance, or
        none.
    integrator : {'leapfrog', 'twostage', 'threestage'}
        One, two or three gradients per step.
    Emax : float
        A point whose energy is higher than the start's by more is a divergence.
    adapt_step_size : bool
        If False, the step size is ``step_scale / dim**0.25`` throughout.
    step_scale : float
        Sets the first step size, ``step_scale / dim**0.25``.
    gamma, k, t0 : float
        Constants of dual averaging; k in (0.5, 1].
    accept_statistic : {'mean', 'symmetric'}
        What dual averaging sees: the mean of min(1, a) over the trajectory, or of 2 min(1, a) / (1 + a).
    step_rand : None, float or (low, high)
        Multiply each transition's step size by a number from U(1 - x, 1 + x), or from U(low, high).
    on_error : {'summary', 'warn', 'raise'}
        What to do about divergences: report them once at the end, as they occur, or stop at the first.

    Notes
    -----
    Statistics of each draw: lp, acceptance_rate, step_size, step_size_bar, diverging, energy, energy_error,
    max_energy_error, tree_depth, n_steps, reached_max_treedepth, tune.
    """

    target_accept: float = 0.8
    max_treedepth: int = 10
    early_max_treedepth: int = 8
    metric: str = "fisher"
    integrator: str = "leapfrog"
    Emax: float = 1000.0
    adapt_step_size: bool = True
    step_scale: float = 0.25
    gamma: float = 0.05
    k: float = 0.75
    t0: float = 10.0
    accept_statistic: str = "mean"
    step_rand: float | tuple[float, float] | None = None
    on_error: str = "summary"

    #: How `step_kwargs` names it.
    name = "nuts"
    statistics = STATISTICS
    function = step
    uses_gradient = True

    def __post_init__(self) -> None:
        _between("target_accept", self.target_accept, 0.0, 1.0)
        if not _is_number(self.Emax) or not self.Emax > 0:
            raise ValueError(f"Emax must be positive, got {self.Emax!r}.")
        if not _is_flag(self.adapt_step_size):
            raise TypeError(f"adapt_step_size must be True or False, got {self.adapt_step_size!r}.")
        _positive("step_scale", self.step_scale)
        _positive("gamma", self.gamma)
        _positive("t0", self.t0)
        if not _is_number(self.k) or not 0.5 < self.k <= 1.0:
            raise ValueError(f"k must lie in (0.5, 1], got {self.k!r}.")
        limits: dict[str, Any] = {
            "max_treedepth": self.max_treedepth,
            "early_max_treedepth": self.early_max_treedepth,
        }
        for name, limit in limits.items():
            if not isinstance(limit, int | np.integer) or isinstance(limit, bool) or not 1 <= limit <= 25:
                raise ValueError(f"{name} must be an int from 1 to 25, got {limit!r}.")
        _choice("metric", self.metric, _METRICS)
        _choice("accept_statistic", self.accept_statistic, ("mean", "symmetric"))
        _choice("on_error", self.on_error, ("summary", "warn", "raise"))
        integrator_number(self.integrator)
        low, high = self._step_range()
        if not 0.0 < low <= high < np.inf:
            raise ValueError(
                "step_rand must be None, a number in [0, 1) or (low, high) with 0 < low <= high, "
                f"got {self.step_rand!r}."
            )

    def _step_range(self) -> tuple[float, float]:
        if self.step_rand is None:
            return 1.0, 1.0
        if isinstance(self.step_rand, int | float):
            return 1.0 - self.step_rand, 1.0 + self.step_rand
        try:
            low, high = self.step_rand
            return float(low), float(high)
        except (TypeError, ValueError):
            raise TypeError(f"step_rand must be None, a number or (low, high), got {self.step_rand!r}.") from None

    @staticmethod
    def competence(parameter: Any, has_gradient: bool = True) -> Competence:
        """Tell how well NUTS samples a variable: ideally if it is continuous and there is a gradient."""
        suits = not parameter.support.discrete and has_gradient
        return Competence.IDEAL if suits else Competence.INCOMPATIBLE

    def layout(self, site: Site) -> dict[str, int]:
        """Return the parts of a chain's block that belong to this step, in 8-byte fields."""
        n = site.n
        adaptation = _METRICS[self.metric]
        matrix = n * n if self.metric == "dense" else n
        parts = {"own": Nuts, "metric": Metric, "schedule": Schedule, "averaging": DualAveraging, "tree": Tree}
        return {name: dtype.itemsize // 8 for name, dtype in parts.items()} | {
            "inv_mass": matrix,
            "root": matrix,
            "estimators": 2 * metrics.estimator_size(n, adaptation),
        }

    def workspace(self, site: Site) -> dict[str, int]:
        """Return the memory that a transition needs and that no draw depends on, in 8-byte fields."""
        n = site.n
        slots = trees.slots_needed(self.max_treedepth)
        return {
            "points": 4 * n * slots,
            "uses": slots,
            "indices": slots,
            "logps": slots,
            "energies": slots,
            "firsts": self.max_treedepth + 1,
            "lasts": self.max_treedepth + 1,
            "spare": n * n if self.metric == "dense" else 0,
        }

    def initialise(self, parts: Mapping[str, np.ndarray], site: Site, tune: int, position: np.ndarray) -> None:
        """Write the settings and the first state of a chain that begins at `position`."""
        n = site.n
        own, metric, schedule, tree = (
            parts["own"].view(Nuts)[0],
            parts["metric"].view(Metric)[0],
            parts["schedule"].view(Schedule)[0],
            parts["tree"].view(Tree)[0],
        )
        adaptation = _METRICS[self.metric]
        own["target_accept"], own["gamma"], own["k"], own["t0"] = self.target_accept, self.gamma, self.k, self.t0
        own["adapts_step_size"] = self.adapt_step_size
        own["low"], own["high"] = self._step_range()
        own["max_treedepth"], own["early_max_treedepth"] = self.max_treedepth, self.early_max_treedepth
        own["first_step_size"] = self.step_scale / n**0.25
        # Without a metric a step is as long as the parameters are large.
        parts["averaging"].view(DualAveraging)[0]["largest"] = (
            np.inf if adaptation == Adaptation.NONE else step_sizes.LARGEST_STEP
        )
        metric["adaptation"], metric["dense"], metric["n"] = adaptation, self.metric == "dense", n
        identity = np.eye(n).ravel() if self.metric == "dense" else np.ones(n)
        parts["inv_mass"].view(np.float64)[:] = identity
        parts["root"].view(np.float64)[:] = identity
        if adaptation == Adaptation.VARIANCE:
            estimator = parts["estimators"].view(np.float64)
            estimator[:n], estimator[n : 2 * n] = position, _PSEUDO_DRAWS
            metric["count_0"] = _PSEUDO_DRAWS
        elif adaptation == Adaptation.DENSE:
            estimator = parts["estimators"].view(np.float64)
            estimator[:n], estimator[n : n + n * n] = position, np.eye(n).ravel() * _PSEUDO_DRAWS
            metric["count_0"] = _PSEUDO_DRAWS
        for name, value in warmup.schedule_for(adaptation, tune, n).items():
            schedule[name] = value
        tree["integrator"], tree["energy_limit"] = integrator_number(self.integrator), self.Emax
        tree["symmetric"] = self.accept_statistic == "symmetric"
        tree["slots"] = trees.slots_needed(self.max_treedepth)

    def wire(self, wiring: Wiring, site: Site) -> None:
        """Write the addresses: of the parts of the block, of the work space, of the row of statistics."""
        parts, work = wiring.parts, wiring.work
        own = record_at.py_func(parts["own"], Nuts)
        for name in ("tree", "metric", "schedule", "averaging"):
            own[name] = parts[name]
        own["statistics"] = wiring.statistics
        metric = record_at.py_func(parts["metric"], Metric)
        for name in ("inv_mass", "root", "estimators"):
            metric[name] = parts[name]
        metric["spare"] = work["spare"]
        tree = record_at.py_func(parts["tree"], Tree)
        for name in ("points", "uses", "indices", "logps", "energies", "firsts", "lasts"):
            tree[name] = work[name]


def _between(name: str, value: Any, low: float, high: float) -> None:
    if not isinstance(value, int | float | np.number) or not low < value < high:
        raise ValueError(f"{name} must lie between {low:g} and {high:g}, got {value!r}.")


def _positive(name: str, value: Any) -> None:
    if not isinstance(value, int | float | np.number) or not 0 < value < np.inf:
        raise ValueError(f"{name} must be positive and finite, got {value!r}.")


def _choice(name: str, value: Any, choices: Any) -> None:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"unknown {name} {value!r}; choose {', '.join(map(repr, choices))}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)

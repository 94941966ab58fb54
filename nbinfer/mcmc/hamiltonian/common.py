"""What steps of Hamiltonian dynamics have in common: the frame of a transition, and the options that go with it.

A transition enters, which gives the step size; follows a trajectory, which is each step's own; and leaves, which takes
in what was learnt from it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nbinfer.arguments import between, choice, flag, is_number, positive
from nbinfer.compile import Record, call_step, floats_at, kernel, record_at
from nbinfer.compile.forks import cached_property
from nbinfer.engine.chain import Chain, know_gradient
from nbinfer.engine.python_entry import PythonEntry, takes
from nbinfer.engine.state import Inner, Memory, State, floats
from nbinfer.engine.step import Around, Competence, Site, StepMethod, support_of
from nbinfer.engine.timed import TIMED
from nbinfer.mcmc.adaptation import step_size as step_sizes
from nbinfer.mcmc.adaptation import warmup
from nbinfer.mcmc.adaptation.settling import SETTLING, Settling, watch
from nbinfer.mcmc.adaptation.step_size import AVERAGING, DualAveraging
from nbinfer.mcmc.adaptation.warmup import SCHEDULE, Schedule
from nbinfer.mcmc.hamiltonian import integrators
from nbinfer.mcmc.hamiltonian.climb import SEARCH, climb
from nbinfer.mcmc.hamiltonian.integrators import integrator_number
from nbinfer.mcmc.hamiltonian.phase import from_chain, momentum_of, point_at
from nbinfer.mcmc.metric import kernel as metrics
from nbinfer.mcmc.metric.adaptive import NAMED
from nbinfer.mcmc.metric.choose import potential_of
from nbinfer.mcmc.metric.guessed import GuessedPotential
from nbinfer.mcmc.metric.kernel import Adaptation, Metric
from nbinfer.mcmc.metric.potential import QuadPotential
from nbinfer.mcmc.metric.users import WANTED, UsersPotential
from nbinfer.random import generator_aside, uniform
from nbinfer.trace.metric import Metric as Learnt

#: What every Hamiltonian step keeps, and the statistics that each has first.
HAMILTONIAN = State(
    fields={
        "integrator": "i8",
        "energy_limit": "f8",  # Emax
        "adapts_step_size": "i8",
        "low": "f8",  # the step size is multiplied by a number from U(low, high)
        "high": "f8",
        "first_step_size": "f8",
        "begun": "i8",  # whether the first transition has been prepared
        "vary": "i8",  # C function that replaces the step size in `varied` by another; 0: `low` and `high` say it all
        "climb": "i8",  # C function that looks for a better start; 0: the chain begins where it is
    },
    parts={
        "metric": Inner(lambda step: step.kinetic),
        "schedule": SCHEDULE,
        "averaging": AVERAGING,
        "search": Inner(lambda step: SEARCH),
        "settling": SETTLING,
        "varied": floats(1),
    },
    statistics={
        "lp": "float64",
        "acceptance_rate": "float64",
        "step_size": "float64",
        "step_size_bar": "float64",
        "n_steps": "int64",
        "diverging": "bool",
        "energy": "float64",
        "energy_error": "float64",
        "tune": "bool",
    },
)
Row = HAMILTONIAN.row


@kernel
def enter(chain_address: int, own: Record, points: int) -> float:
    """Prepare a transition; return its step size, NaN if a user's function raised.

    Parameters
    ----------
    chain_address : int
        Address of the chain; its gradient is known afterwards.
    own : record of a state whose base is `HAMILTONIAN`
        The first transition of warm-up finds a better start if it may, a first metric and a first step size.
    points : int
        Address of two phase points that may be overwritten.
    """
    chain, averaging = record_at(chain_address, Chain), record_at(own.averaging, DualAveraging)
    know_gradient(chain)
    if own.begun == 0:
        own.begun = 1
        step_sizes.restart(averaging, own.first_step_size)
        if chain.tuning != 0:
            if own.climb != 0:
                call_step(own.climb, chain_address, own.search)
            metrics.initial_metric(record_at(own.metric, Metric), chain.grad)
            if own.adapts_step_size != 0:
                search_step_size(chain, own, points)
    chain.step_size = step_sizes.step_size(averaging, chain.tuning != 0)
    return varied(chain, own, chain.step_size)


@kernel
def leave(chain: Record, own: Record, points: int, accept: float, moved: bool, diverging: bool) -> None:
    """Take in what came of a transition, by which the chain has moved: learn from it in warm-up, count it afterwards.

    Parameters
    ----------
    chain : Chain record
    own : record of a state whose base is `HAMILTONIAN`
        What the transition knows of it goes into its row of statistics.
    points : int
        Address of two phase points that may be overwritten.
    accept : float
        The acceptance probability that the step size is tuned by.
    moved : bool
        Whether the draw teaches the metric anything.
    diverging : bool
    """
    averaging, row = record_at(own.averaging, DualAveraging), record_at(own.statistics, Row)
    if chain.tuning != 0:
        adapt(chain, own, points, accept, moved)
        if chain.settles != 0:
            settling = record_at(own.settling, Settling)
            settling.logp = chain.logp
            settling.moved, settling.diverging = moved, diverging
            chain.settled = call_step(settling.watch, own.settling, chain.done + 1)
    elif diverging:
        chain.divergences += 1
    row.lp = chain.logp
    row.step_size = chain.step_size
    row.step_size_bar = step_sizes.step_size(averaging, False)
    row.diverging = diverging
    row.tune = chain.tuning


@kernel
def varied(chain: Record, own: Record, size: float) -> float:
    """Return the step size of one transition: `size` times a number from U(low, high); NaN if a function raised."""
    if own.vary != 0:
        varied = floats_at(own.varied, 1)
        varied[0] = size
        return np.nan if call_step(own.vary, own.varied, chain.words) != 0 else varied[0]
    factor: float = own.low
    if own.low < own.high:
        factor += (own.high - own.low) * uniform(chain.words)
    return size * factor


@kernel
def adapt(chain: Record, own: Record, points: int, accept: float, moved: bool) -> None:
    """Learn from a transition of warm-up: the step size from its acceptance, the metric from where it led."""
    metric, schedule = record_at(own.metric, Metric), record_at(own.schedule, Schedule)
    if own.adapts_step_size != 0:
        step_sizes.learn(record_at(own.averaging, DualAveraging), accept)
    wanted = warmup.learn(schedule, metric, chain.done, moved, chain.position, chain.grad, chain.logp)
    if wanted and own.adapts_step_size != 0:
        search_step_size(chain, own, points)


@kernel
def search_step_size(chain: Record, own: Record, points: int) -> None:
    """Double or halve the step size until the acceptance of one step crosses the target.

    Section 3.2.1 of Hoffman & Gelman (2014). `points` is the address of two phase points that may be overwritten.
    """
    n, origin, target = chain.n, point_at(points, chain.n, 0), point_at(points, chain.n, 1)
    metric, averaging = record_at(own.metric, Metric), record_at(own.averaging, DualAveraging)
    from_chain(chain, origin)
    size = own.first_step_size if averaging.count == 0.0 else step_sizes.step_size(averaging, True)
    direction = 0
    for _ in range(100):
        kinetic = metrics.draw_momentum(metric, chain.words, momentum_of(origin, n))
        integrators.prepare(n, metric, origin)
        logp, new_kinetic = integrators.step(chain, metric, own.integrator, size, origin, target)
        chain.gradients += own.integrator + 1
        error = new_kinetic - logp - (kinetic - chain.logp)
        accept = math.exp(min(0.0, -error)) if error < np.inf else 0.0
        wanted = 1 if accept > averaging.target_accept else -1
        if direction == 0:
            direction = wanted
        elif wanted != direction:
            break
        following = size * 2.0 if direction > 0 else size * 0.5
        if following > averaging.largest or following < 1e-300:
            break
        size = following
    step_sizes.restart(averaging, size)


class HamiltonianStep(StepMethod):  # numpydoc ignore=PR01
    """Base of the Hamiltonian steps: their common options, each of which they name in their own order."""

    target_accept: float
    metric: Any
    scaling: Any
    is_cov: bool
    potential: Any
    integrator: str
    Emax: float
    adapt_step_size: bool
    step_scale: float
    gamma: float
    k: float
    t0: float
    step_rand: float | tuple[float, float] | Callable[..., float] | None
    on_error: str
    timed: bool
    dtype: Any

    uses_gradient = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if flag("timed", self.timed):
            object.__setattr__(self, "statistics", {**type(self).statistics, **TIMED.statistics})
        if self.dtype is not None and not _is_float64(self.dtype):
            raise ValueError(f"dtype must be float64, in which every step computes, got {self.dtype!r}; leave it out.")
        between("target_accept", self.target_accept, 0.0, 1.0)
        positive("Emax", self.Emax, finite=False)
        flag("adapt_step_size", self.adapt_step_size)
        for name in ("step_scale", "gamma", "t0"):
            positive(name, getattr(self, name))
        if not is_number(self.k) or not 0.5 < self.k <= 1.0:
            raise ValueError(f"k must lie in (0.5, 1], got {self.k!r}.")
        choice("on_error", self.on_error, ("summary", "warn", "raise"))
        integrator_number(self.integrator)
        low, high = self._step_range()
        if callable(self.step_rand) and not any(takes(self.step_rand, count) for count in (1, 2)):
            raise TypeError(
                "step_rand must take the step size, f(step_size), or that and a Generator, f(step_size, rng)."
            )
        if not 0.0 < low <= high < np.inf:
            raise ValueError(
                "step_rand must be None, a number in [0, 1), (low, high) with 0 < low <= high, or a function, "
                f"got {self.step_rand!r}."
            )
        self.kinetic  # noqa: B018 - its errors belong here

    @cached_property
    def called(self) -> list[PythonEntry]:
        """C functions in plain Python that this step, or its metric, has handed out."""
        return self.kinetic.called

    @property
    def serial(self) -> bool:
        """Whether the step size is varied, or the metric known, by functions in plain Python."""
        return callable(self.step_rand) or isinstance(self.kinetic, UsersPotential)

    @property
    def largest_step_size(self) -> float:
        """What the step size is not raised above; NaN with a metric that is given, where a step has a unit."""
        own = self.kinetic.adaptation in (Adaptation.NONE, Adaptation.CALLED)
        return np.nan if own else step_sizes.LARGEST_STEP

    @property
    def settles(self) -> bool:
        """Whether it can be told that the metric has settled: it is learnt, and a diagonal, perhaps with directions."""
        return self.kinetic.adaptation != Adaptation.NONE and self.kinetic.dense == 0

    @cached_property
    def kinetic(self) -> QuadPotential:
        """The metric that `metric`, `scaling` or `potential` ask for."""
        given = [name for name in ("metric", "scaling", "potential") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} say the same thing, what the metric is; pass one of them.")
        if self.is_cov is not False and self.scaling is None:
            raise ValueError("is_cov tells what a scaling is; pass scaling=, or leave is_cov out.")
        if isinstance(self.scaling, Mapping):
            if self.is_cov:
                raise ValueError(
                    "a point as scaling stands for the curvature there, which is a mass; leave is_cov out."
                )
            return GuessedPotential(self.scaling)
        if self.scaling is not None:
            return potential_of("scaling", self.scaling, self.is_cov)
        wanted = self.potential if self.potential is not None else self.metric
        if wanted is None:
            return NAMED["fisher"]()
        if isinstance(wanted, QuadPotential):
            return wanted
        if not isinstance(wanted, type) and all(callable(getattr(wanted, name, None)) for name in WANTED):
            return UsersPotential(wanted)
        if given[0] == "potential" or not isinstance(wanted, str):
            names = " or a name" if given[0] == "metric" else ""
            remedy = (
                "One of your own is QuadPotentialFunctions(velocity, random), or, in plain Python, any object with "
                "velocity, energy and random."
            )
            if isinstance(wanted, type):
                remedy = f"Call the class: {given[0]}={wanted.__name__}(...)."
            if isinstance(wanted, Learnt):
                remedy = "What another run has learnt is scaling=trace.metric.inv_mass(), is_cov=True."
            raise TypeError(
                f"{given[0]} must be a metric such as quad_potential(C, is_cov){names}, got {type(wanted).__name__}. "
                f"{remedy}"
            )
        choice("metric", wanted, NAMED)
        return NAMED[wanted]()

    def _step_range(self) -> tuple[float, float]:
        if self.step_rand is None or callable(self.step_rand):
            return 1.0, 1.0
        if isinstance(self.step_rand, int | float):
            return 1.0 - self.step_rand, 1.0 + self.step_rand
        try:
            low, high = self.step_rand
            return float(low), float(high)
        except (TypeError, ValueError):
            raise TypeError(
                f"step_rand must be None, a number, (low, high) or a function, got {self.step_rand!r}."
            ) from None

    @staticmethod
    def competence(var: Any, has_grad: bool = True) -> Competence:
        """Tell how well the step samples a variable: it can if that is continuous and there is a gradient."""
        suits = not support_of(var).discrete and has_grad
        return Competence.COMPATIBLE if suits else Competence.INCOMPATIBLE

    def check(self, site: Site) -> None:
        """Raise ValueError if the metric does not fit the place."""
        self.kinetic.placed(site)

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write the settings and the first state of a chain that begins at `position`."""
        own.integrator, own.energy_limit = integrator_number(self.integrator), self.Emax
        own.adapts_step_size = self.adapt_step_size
        own.low, own.high = self._step_range()
        own.first_step_size = self.step_scale / site.n**0.25
        averaging, largest = own.averaging, self.largest_step_size
        averaging.target_accept, averaging.gamma = self.target_accept, self.gamma
        averaging.t0, averaging.k = self.t0, self.k
        # Without a metric that is learnt a step is as long as the parameters are large.
        averaging.largest = np.inf if np.isnan(largest) else largest
        SEARCH.initialise(own.search, site.n)
        self.kinetic.placed(site).initialise(own.metric, own.schedule, tune, position)

    def connect(self, own: Memory, around: Around, site: Site) -> None:
        """Write the C functions: of a metric made of them, what climbs where a chain may, what looks at warm-up."""
        self.kinetic.connect(own.metric)
        if callable(self.step_rand):
            entry = PythonEntry(functools.partial(_vary, self.step_rand))
            self.called.append(entry)
            own.vary = entry.address
        may_climb = np.asarray(around.chain.may_climb) != 0
        own.climb = climb.address * may_climb if may_climb.any() else 0
        settling = own.settling
        settling.schedule, settling.metric = own.schedule.address, own.metric.address
        settling.averaging = own.averaging.address
        if np.any(around.chain.settles):
            settling.watch = watch.address


def _vary(step_rand: Callable[..., Any], address: int, stream: int) -> None:
    """C function in plain Python: replace a step size by what a user's function makes of it."""
    varied = floats_at.py_func(address, 1)
    more = () if takes(step_rand, 1) else (generator_aside(stream),)
    size = step_rand(float(varied[0]), *more)
    if not is_number(size) or not 0.0 < size < np.inf:
        raise ValueError(f"step_rand must return a step size, positive and finite, got {size!r}.")
    varied[0] = size


def _is_float64(dtype: Any) -> bool:
    """Tell whether something names float64; ``floatX``, which Theano's setting filled in, does."""
    if isinstance(dtype, str) and dtype == "floatX":
        return True
    try:
        return bool(np.dtype(dtype) == np.float64)
    except TypeError:
        return False

"""Metrics as objects: the quadratic kinetic energy of a Hamiltonian step, fixed or learnt in warm-up.

The names are PyMC's. An object says how a chain's metric (`nbinfer.mcmc.metric.kernel`) begins and how it learns; each
chain of a run has a metric of its own, made by it. On arrays an object does by itself what it does in a run, with the
same compiled functions: velocities, energies, momenta, updates.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer.arguments import count
from nbinfer.compile import address_of, entry, record_at
from nbinfer.compile.forks import cached_property
from nbinfer.engine.python_entry import PythonEntry
from nbinfer.engine.state import Inner, Memory, Plan, State
from nbinfer.engine.written import kept
from nbinfer.mcmc.adaptation import warmup
from nbinfer.mcmc.adaptation.warmup import SCHEDULE, Schedule
from nbinfer.mcmc.metric import kernel as metrics
from nbinfer.mcmc.metric.definite import positive_diagonal, symmetric_and_positive
from nbinfer.mcmc.metric.kernel import METRIC, Adaptation, Metric
from nbinfer.random import key_of, new_stream, seed_sequences
from nbinfer.spelling import public

Floats = NDArray[np.float64]

#: A metric without a step.
_ALONE = State(parts={"metric": Inner(lambda potential: potential), "schedule": SCHEDULE})


@entry("int64(intp, intp, intp)")
def _velocity(metric: int, momentum: int, out: int) -> int:
    metrics.velocity(record_at(metric, Metric), momentum, out)
    return 0


@entry("float64(intp, intp, intp)")
def _draw(metric: int, stream: int, out: int) -> float:
    return metrics.draw_momentum(record_at(metric, Metric), stream, out)


@entry("int64(intp, intp, int64, intp, intp)")
def _learn(metric: int, schedule: int, draw: int, position: int, grad: int) -> int:
    warmup.learn(record_at(schedule, Schedule), record_at(metric, Metric), draw, True, position, grad, 0.0)
    return 0


@public
@kept
class QuadPotential:
    """Base of the metrics.

    Parameters
    ----------
    n : int, optional
        Number of coordinates. Default: as many as the step moves.
    random_seed : int, optional
        Of the momenta that `random` returns; runs have their own seed.

    Notes
    -----
    The kinetic energy of a momentum p is ½ pᵀ M⁻¹ p, with p ~ N(0, M). The inverse mass M⁻¹ is best when it is the
    covariance of the posterior, on the unconstrained scale.
    """

    #: What it learns from.
    adaptation: ClassVar[Adaptation] = Adaptation.NONE
    #: 0: diagonal; 1: a matrix; 2: two functions.
    dense: ClassVar[int] = 0
    #: C functions in plain Python that it has handed out.
    called: list[PythonEntry]
    #: Arguments that it was made of: positional ones and those by name.
    made_of: tuple[tuple[Any, ...], dict[str, Any]] = (), {}

    def __new__(cls, *args: Any, **options: Any) -> Self:
        new = super().__new__(cls)
        new.made_of, new.called = (args, options), []
        return new

    def __init__(self, n: int | None = None, random_seed: int | None = None) -> None:
        if n is not None:
            count("n", n, 1, 2**31)
        self.n = None if n is None else int(n)
        self._key = key_of(seed_sequences(random_seed, 1)[0])
        self._randoms = self._updates = 0

    # ---- on arrays

    def velocity(self, x: ArrayLike, out: Floats | None = None) -> Floats:
        """Return M⁻¹ x.

        Parameters
        ----------
        x : array_like, shape (n,)
            A momentum.
        out : ndarray, shape (n,), optional
            Overwritten with the result.

        Returns
        -------
        velocity : ndarray, shape (n,)
        """
        momentum = self._vector("x", x)
        result = np.empty(len(momentum))
        _velocity(self._metric, address_of(momentum), address_of(result))
        if out is None:
            return result
        out[:] = result
        return out

    def energy(self, x: ArrayLike, velocity: ArrayLike | None = None) -> float:
        """Return the kinetic energy ½ xᵀ M⁻¹ x of a momentum; faster if its velocity is known."""
        speed = self.velocity(x) if velocity is None else self._vector("velocity", velocity)
        return float(0.5 * np.dot(self._vector("x", x), speed))

    def velocity_energy(self, x: ArrayLike, v_out: Floats) -> float:
        """Write the velocity of a momentum to `v_out` and return its kinetic energy."""
        return self.energy(x, self.velocity(x, v_out))

    def random(self) -> Floats:
        """Return a momentum drawn from N(0, M), shape (n,)."""
        self._randoms += 1
        stream, out = new_stream(self._key, self._randoms), np.empty(self._size)
        _draw(self._metric, address_of(stream), address_of(out))
        return out

    def update(self, sample: ArrayLike, grad: ArrayLike, tune: bool = True) -> None:
        """Learn from a draw and the gradient of the log density there; nothing happens unless `tune`."""
        if tune:
            position, slope = self._vector("sample", sample), self._vector("grad", grad)
            schedule = self._memory.schedule.address
            _learn(self._metric, schedule, self._updates, address_of(position), address_of(slope))
            self._updates += 1

    def raise_ok(self, vmap: Sequence[str] | None = None) -> None:
        """Raise PositiveDefiniteError if the metric cannot be used.

        Parameters
        ----------
        vmap : sequence of str, optional
            Names of the coordinates, for the message.

        Raises
        ------
        PositiveDefiniteError
            If what was learnt has a spread that is zero or not finite, or is not positive definite.
        """

    def reset(self) -> None:
        """Forget what `update` has taught."""
        self.__dict__.pop("_memory", None)
        self._updates = 0

    @property
    def inv_mass(self) -> Floats:
        """A copy of the inverse mass, shape (n,) or (n, n)."""
        shape = (self._size,) * (1 + self.dense)
        return np.array(self._memory.metric.inv_mass.reshape(shape))

    @property
    def _size(self) -> int:
        if self.n is None:
            raise ValueError(f"this {type(self).__name__} does not know its size; make it with n=...")
        return self.n

    @property
    def _metric(self) -> int:
        return int(self._memory.metric.address)

    @cached_property
    def _memory(self) -> Memory:
        """Memory in place of a chain's block."""
        plan, site = Plan(), SimpleNamespace(n=self._size, tune=0)
        place = plan.place(_ALONE, self, site)
        self._spaces = [np.zeros(max(size, 1), np.int64) for size in plan.sizes]
        memory = Memory(place, *self._spaces[:2])
        self.initialise(memory.metric, memory.schedule, np.inf, np.zeros(self._size))
        plan.relocate(self._spaces[0][None], np.array([[address_of(space) for space in self._spaces]], np.int64))
        self.connect(memory.metric)
        return memory

    def _vector(self, name: str, value: ArrayLike) -> Floats:
        vector = np.ascontiguousarray(value, np.float64)
        if vector.shape != (self._size,):
            raise ValueError(f"{name} must have shape ({self._size},), got {vector.shape}.")
        return vector

    # ---- in a run

    def placed(self, site: Any) -> QuadPotential:
        """Return the metric for a place in a model.

        Raises
        ------
        ValueError
            If it has another size.
        """
        if self.n is not None and self.n != site.n:
            raise ValueError(
                f"the metric is for {self.n} unconstrained coordinates, but the step moves {site.n}, those of "
                f"{', '.join(site.names)}."
            )
        return self

    def directions(self, n: int, tune: float) -> int:
        """Return how many directions there is to be room for; 0: none are learnt in so many draws of warm-up."""
        return 0

    #: What a chain keeps of it.
    state: ClassVar[State] = METRIC

    def initialise(self, metric: Memory, schedule: Memory, tune: float, position: Floats) -> None:
        """Write the first state of a chain's metric; the chain begins at `position`."""
        n = position.shape[-1]
        metric.adaptation, metric.dense, metric.n = self.adaptation, self.dense, n
        for name, value in self.schedule(n, tune).items():
            setattr(schedule, name, value)
        inv_mass, root = self.first(n)
        metric.inv_mass[..., : inv_mass.size] = inv_mass.ravel()
        metric.root[..., : root.size] = root.ravel()

    def connect(self, metric: Memory) -> None:
        """Write the functions of a metric that is made of them."""

    def schedule(self, n: int, tune: float) -> dict[str, float]:
        """Return when the metric learns, see `nbinfer.mcmc.adaptation.warmup`."""
        return {}

    def first(self, n: int) -> tuple[Floats, Floats]:
        """Return the first inverse mass and what momenta are made of: its square root's inverse or lower factor."""
        return np.ones(n), np.ones(n)


@public
class QuadPotentialDiag(QuadPotential):
    """A fixed diagonal metric.

    Parameters
    ----------
    v : array_like, shape (n,)
        Diagonal of the inverse mass: variances. Positive.
    random_seed : int, optional
        Of the momenta that `random` returns.

    Raises
    ------
    PositiveDefiniteError
        If an entry is NaN, zero, negative or infinite; it names them.
    """

    def __init__(self, v: ArrayLike, random_seed: int | None = None) -> None:
        self._v = positive_diagonal("v", v)
        super().__init__(len(self._v), random_seed)

    def first(self, n: int) -> tuple[Floats, Floats]:
        return self._v, self._v**-0.5


@public
class QuadPotentialFull(QuadPotential):
    """A fixed dense metric, given by a covariance.

    Parameters
    ----------
    cov : array_like, shape (n, n)
        The inverse mass: symmetric and positive definite.
    random_seed : int, optional
        Of the momenta that `random` returns.

    Raises
    ------
    ValueError
        If `cov` is not square or not symmetric.
    PositiveDefiniteError
        If it is not positive definite; it names the entries of the direction in which it is not.
    """

    dense = 1

    def __init__(self, cov: ArrayLike, random_seed: int | None = None) -> None:
        self._cov, self._factor = symmetric_and_positive("cov", cov)
        super().__init__(len(self._cov), random_seed)

    def first(self, n: int) -> tuple[Floats, Floats]:
        return self._cov, self._factor


@public
class QuadPotentialFullInv(QuadPotentialFull):
    """A fixed dense metric, given by a mass matrix, which is a precision.

    Parameters
    ----------
    A : array_like, shape (n, n)
        The mass: symmetric and positive definite.
    random_seed : int, optional
        Of the momenta that `random` returns.

    Raises
    ------
    ValueError
        If `A` is not square or not symmetric.
    PositiveDefiniteError
        If it is not positive definite; it names the entries of the direction in which it is not.
    """

    def __init__(self, A: ArrayLike, random_seed: int | None = None) -> None:
        _, factor = symmetric_and_positive("A", A)
        half = np.linalg.solve(factor, np.eye(len(factor)))
        super().__init__(half.T @ half, random_seed)

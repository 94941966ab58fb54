"""A metric that is an object of the user's, whose methods are called in plain Python."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from nbinfer.compile import floats_at
from nbinfer.engine.python_entry import PythonEntry, takes
from nbinfer.engine.state import Memory
from nbinfer.errors import PositiveDefiniteError
from nbinfer.mcmc.metric.kernel import FUNCTIONS, Adaptation
from nbinfer.mcmc.metric.potential import Floats, QuadPotential
from nbinfer.random import generator_aside

#: Methods that make an object a metric.
WANTED = ("velocity", "energy", "random")

_CLOSE = 1e-8


class UsersPotential(QuadPotential):
    """A metric that is any object with ``velocity(p)``, ``energy(p, velocity)`` and ``random()``.

    Parameters
    ----------
    potential : object
        With these methods, and ``update(sample, grad, tune)`` if it learns in warm-up. ``random`` may take a NumPy
        Generator, which belongs to seed, chain and draw.

    Notes
    -----
    Each chain has a copy, so that none learns from another's draws. Generators among its attributes are replaced, in
    each copy, by one of the chain's own: copies would draw the same momenta. A run from a file is not gone on with if
    the object remembers anything, as one does that learns or has a Generator: no file keeps that.
    """

    dense = FUNCTIONS

    def __init__(self, potential: Any) -> None:
        super().__init__()
        self._users, self._chains = potential, 0

    @property
    def adaptation(self) -> Adaptation:  # type: ignore[override]
        """Whether it learns."""
        return Adaptation.CALLED if callable(getattr(self._users, "update", None)) else Adaptation.NONE

    def __reduce__(self) -> Any:
        return UsersPotential, (self._users,)

    def schedule(self, n: int, tune: float) -> dict[str, float]:
        return {"final_start": tune}

    def initialise(self, metric: Memory, schedule: Memory, tune: float, position: Floats) -> None:
        super().initialise(metric, schedule, tune, position)
        self._chains = 0  # copies are made anew

    def connect(self, metric: Memory) -> None:
        """Write the functions of a copy for each chain; those of earlier runs live on, for these may not have ended."""
        chains = np.size(metric.n)
        if self._chains != chains:
            self._chains = chains
            self._copies = [_Copy(self._users) for _ in range(chains)]
            self.called += [entry for one in self._copies for entry in one.entries]
        addresses = np.array([[entry.address for entry in one.entries] for one in self._copies], np.int64)
        for name, column in zip(("velocity", "momentum", "update"), addresses.T, strict=True):
            setattr(metric, name, column.reshape(np.shape(metric.n)))

    def placed(self, site: Any) -> QuadPotential:
        """Return the metric for a place in a model, if it has so many coordinates, and its energy is quadratic."""
        one, n, rng = _Copy(self._users), site.n, np.random.default_rng(0)
        a, b = rng.normal(size=(2, n))
        u, v, w = one.velocity(a), one.velocity(b), one.velocity(a + b)
        scale = np.abs(a) @ np.abs(v) + np.abs(b) @ np.abs(u)
        if not abs(a @ v - b @ u) <= _CLOSE * scale or not np.allclose(u + v, w, rtol=_CLOSE, atol=_CLOSE * scale**0.5):
            raise ValueError("velocity(p) of the potential must be a symmetric matrix times p, and is not.")
        if not a @ u > 0.0 or not b @ v > 0.0:
            raise PositiveDefiniteError("the matrix of velocity(p) of the potential is not positive definite.")
        energy, exact = float(one.users.energy(a.copy(), u.copy())), 0.5 * float(a @ u)
        if not abs(energy - exact) <= 1e-6 * exact:
            raise ValueError(
                f"energy(p, velocity) of the potential must be half of p times velocity, {exact:.6g} where it is "
                f"{energy:.6g}: trajectories follow a quadratic kinetic energy."
            )
        one.random(n, rng)
        return self


class _Copy:
    """A copy of a user's object, for one chain, and the C functions that call it."""

    def __init__(self, users: Any) -> None:
        try:
            self.users = copy.deepcopy(users)
        except TypeError as error:
            raise TypeError(f"each chain needs a copy of the potential, and none can be made: {error}.") from error
        self._takes_generator = not takes(self.users.random, 0)
        self._is_seeded = False
        each = (self._velocity, self._momentum, self._update)
        self.entries = [PythonEntry(functools.partial(self._call, method), 4) for method in each]

    def velocity(self, p: Floats) -> Floats:
        """Return the velocity of a momentum."""
        return _vector("velocity(p)", self.users.velocity(p), p.size)

    def random(self, n: int, rng: np.random.Generator) -> Floats:
        """Return a momentum."""
        return _vector("random()", self.users.random(*([rng] if self._takes_generator else [])), n)

    def _call(self, method: Callable[..., None], *words: int) -> None:
        """Call one of the methods, unless one of them has raised: what comes after that follows from it."""
        for entry in self.entries:
            if entry.error is not None:
                raise entry.error
        method(*words)

    def _velocity(self, n: int, momentum: int, out: int, given: int) -> None:
        floats_at.py_func(out, n)[:] = self.velocity(floats_at.py_func(momentum, n).copy())

    def _momentum(self, n: int, stream: int, out: int, given: int) -> None:
        rng = generator_aside(stream)
        if not self._is_seeded:
            self._is_seeded = True
            for name, value in vars(self.users).items() if hasattr(self.users, "__dict__") else ():
                if isinstance(value, np.random.Generator):
                    setattr(self.users, name, np.random.default_rng(rng.integers(1 << 63, size=2).tolist()))
        floats_at.py_func(out, n)[:] = self.random(n, rng)

    def _update(self, n: int, position: int, grad: int, given: int) -> None:
        self.users.update(floats_at.py_func(position, n).copy(), floats_at.py_func(grad, n).copy(), True)


def _vector(what: str, value: Any, n: int) -> Floats:
    """Return what a method has returned, if that is a vector of n numbers."""
    vector = np.asarray(value, np.float64)
    if vector.shape != (n,):
        raise ValueError(f"{what} of the potential must return shape ({n},), got {vector.shape}.")
    return vector

"""The paths of one fit: where they begin, their memory, and what has become of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.engine.failures import Point
from nbinfer.engine.jobs import Jobs
from nbinfer.engine.starts import Start, starting_points
from nbinfer.engine.state import Plan, address_of_rows
from nbinfer.errors import FitError, ModelError, SamplingError
from nbinfer.model import Model
from nbinfer.optimize.lbfgs import Outcome, Search
from nbinfer.random import Purpose, generator
from nbinfer.variational.families.family import Extent
from nbinfer.variational.families.pathfinder import Normal
from nbinfer.variational.pathfinder.path import PATH, SURELY, Progress, advance
from nbinfer.variational.pathfinder.report import PathReport

Floats = NDArray[np.float64]

_ANY = 2**62


class Spread(NamedTuple):
    """Where paths begin: normal numbers around a point.

    Attributes
    ----------
    mean, sigma : ndarray, shape (dim,)
    """

    mean: Floats
    sigma: Floats


def starts_of(bound: Any, model: Model, key: np.ndarray, count: int, spread: Spread | None) -> list[Start | str]:
    """Return where each path begins, or why it cannot begin.

    Parameters
    ----------
    bound : Bound
    model : Model
    key : ndarray
        Seed of the paths.
    count : int
    spread : Spread or None
        None: they begin as chains do.
    """
    found: list[Start | str] = []
    for number in range(count):
        try:
            point = None
            if spread is not None:
                noise = generator(key, 0, number, Purpose.START).standard_normal(bound.dim)
                point = model.constrain(spread.mean + spread.sigma * noise)
            found += starting_points(bound, model, point, spread is None, [key], [number], who="path")
        except (SamplingError, ModelError) as error:
            found.append(str(error))
    return found


class Paths(Jobs):
    """The paths that could begin.

    Parameters
    ----------
    bound : Bound
        With a context for each.
    starts : sequence of Start or str
        Of all paths, see `starts_of`.
    key : ndarray
        Their seed.
    most : int
        Iterations of each.
    maxcor : int
        Steps that a search remembers.
    elbo_draws : int
        Draws by which an iterate is judged.
    tolerance : float
        An iteration that gains no more is the last, in nats.
    """

    def __init__(
        self,
        bound: Any,
        starts: Sequence[Start | str],
        key: np.ndarray,
        most: int,
        maxcor: int,
        elbo_draws: int,
        tolerance: float,
    ) -> None:
        self.search, self.rank, self.elbo_draws = Search(maxcor, _ANY, _ANY), 2 * maxcor, elbo_draws
        self.starts = starts
        begun = {number: start for number, start in enumerate(starts) if isinstance(start, Start)}
        plan = Plan()
        header = plan.place(PATH, self, Extent(bound.dim))
        super().__init__(bound, plan, header, advance.address, list(begun), [key] * len(begun), Progress)
        every = self.every
        every.n, every.most, every.elbo_draws = bound.dim, most, elbo_draws
        self.search.initialise(every.search, tolerance)
        for job, start in enumerate(begun.values()):
            path = self[job]
            path.position[:], path.grad[:], path.logp = start.position, start.grad, start.logp
        self._elbos = np.zeros((len(begun), most))
        self.connect()

    def connect(self) -> None:
        super().connect()
        every = self.every
        every.density, every.value = self.bound.density, self.bound.value_density
        every.context = [self.bound.context(number) for number in every.number]
        every.elbos = address_of_rows(self._elbos)

    def elbos(self, job: int) -> Floats:
        """Return the evidence lower bounds along a path, shape (iterates,)."""
        return self._elbos[job, : int(self[job].iterates)]

    def normal(self, job: int) -> Normal:
        """Return the best distribution of a path, with as many directions as it has."""
        path = self[job]
        kept, n, count = path.kept, int(path.n), int(path.kept.count)
        basis, lower = kept.basis[: count * n].reshape(count, n), kept.lower[: count**2].reshape(count, count)
        used = (basis != 0.0).any(axis=1)
        return Normal(kept.centre.copy(), kept.scale.copy(), basis[used], lower[np.ix_(used, used)])

    def best_of(self, jobs: Sequence[int]) -> int:
        """Return the path whose distribution is the best."""
        return max(jobs, key=lambda job: float(self[job].best_elbo - SURELY * self[job].best_error))

    def failure(self, job: int) -> tuple[BaseException, Point | None]:
        return FitError(f"path {int(self[job].number)} has failed."), None

    def reports(self) -> list[PathReport]:
        """Return what has become of each path; those without a distribution say why."""
        jobs = {int(number): job for job, number in enumerate(self.every.number)}
        return [
            self._report(number, jobs[number]) if isinstance(start, Start) else PathReport(number, reason=start)
            for number, start in enumerate(self.starts)
        ]

    def _report(self, number: int, job: int) -> PathReport:
        path = self[job]
        return PathReport(
            number,
            iterations=int(path.search.iterations),
            gradients=int(path.search.evaluations) + 1,
            densities=int(path.densities),
            best=int(path.best),
            elbo=float(path.best_elbo) if path.best else np.nan,
            error=float(path.best_error) if path.best else np.nan,
            settled=bool(path.end != Outcome.GOES_ON),
            reason="" if path.best else self._reason(path),
        )

    def _reason(self, path: Any) -> str:
        where = self.bound.describe(np.array(path.position))
        if path.iterates:
            return (
                f"the density is not finite at some draws of every distribution of its {int(path.iterates)} iterates, "
                f"from {where} on"
            )
        if path.end == Outcome.SETTLED:
            return f"the gradient is zero where it begins, at {where}"
        if path.end == Outcome.STUCK:
            return f"it is stuck where it begins, at {where}: no step along the gradient leads up"
        return "" if path.done < path.most else f"no iteration has led anywhere, from {where} on"

"""What is made of the paths of a fit: their mixture, its weights, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.engine.driver import Outcome, run
from nbinfer.engine.progress import Display
from nbinfer.engine.task import Task
from nbinfer.errors import ConvergenceWarning, FitError
from nbinfer.variational.pathfinder.mixture import candidates, weights_of
from nbinfer.variational.pathfinder.paths import Paths
from nbinfer.variational.pathfinder.report import PathfinderReport
from nbinfer.variational.single_group import SingleGroupApproximation

Floats = NDArray[np.float64]

_UNKNOWN = "the fit was interrupted; approx.khat finds it"


class PathMixture(SingleGroupApproximation):  # numpydoc ignore=PR02
    """A mixture of normal distributions that paths have found; what `Pathfinder` fits.

    Parameters
    ----------
    local_rv : mapping, optional
        None: paths know no local parameters.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        Of fits and draws.
    start : mapping of str to array_like, optional
        Constrained values for the means until there is a fit.
    start_sigma : float or mapping of str to array_like, optional
        Standard deviations until then.
    **options : object
        ``paths`` and ``rank``: how many distributions, and how many directions of each.
    """

    vfam = "pathfinder"

    def _shown_loss(self, losses: Floats) -> float:
        return float(losses.min())


class Settings(NamedTuple):
    """What a fit is told: see `Pathfinder`."""

    n: int
    cores: int
    n_draws: int
    key: NDArray[np.uint64]
    score: bool
    judged: bool


class Search(Task[PathMixture]):
    """The paths of a fit, and what is made of them."""

    def __init__(self, approx: PathMixture, paths: Paths, settings: Settings, display: Display) -> None:
        super().__init__()
        self._approx, self._paths, self._settings, self._display = approx, paths, settings, display
        self._halted = False

    def work(self) -> None:
        outcome = run(self._paths, self._settings.n, self._settings.cores, self._display)
        self.error = self.error or self._failure(outcome)
        try:
            self._combine()
        except Exception as error:
            self.error = self.error or error
        self.result = self._approx
        if self.error is None:
            for problem in self._approx.report.problems if self._settings.judged else ():
                self.say(problem.message, ConvergenceWarning)

    def _failure(self, outcome: Outcome) -> BaseException | None:
        if outcome.error is not None and outcome.point is not None and outcome.job is not None:
            number, where = self._paths[outcome.job].number, self._paths.bound.describe(outcome.point.position)
            outcome.error.add_note(f"in path {int(number)} at {where}")
        return outcome.error

    def _combine(self) -> None:
        """Mix what the paths have found; raise FitError if that is nothing, and nobody has stopped them."""
        approx, paths = self._approx, self._paths
        ended = self._halted or self.error is not None
        approx.report = PathfinderReport(tuple(paths.reports()), interrupted=ended, note=_UNKNOWN)
        jobs = np.flatnonzero(paths.every.best).tolist()
        if not jobs and not ended:
            raise FitError(all_failed({path.number: path.reason for path in approx.report.paths}))
        if not jobs:
            return
        self._mix(jobs, paths.every.number[jobs].tolist())
        losses = -paths.elbos(paths.best_of(jobs)) if self._settings.score else np.zeros(0)
        approx.fitting().go_on_from(np.where(np.isfinite(losses), losses, np.nan))
        if self._halted:
            approx.report = replace(approx.report, interrupted=True)
        elif not ended and self._settings.judged:
            judged = approx.psis_of_draws
            approx.report = replace(approx.report, khat=judged.khat, note=judged.note)

    def _mix(self, jobs: Sequence[int], numbers: Sequence[int]) -> None:
        """Weigh the distributions of some paths, and write them into the approximation."""
        approx, draws = self._approx, self._settings.n_draws
        normals = [self._paths.normal(job) for job in jobs]
        weights = np.ones(1)
        if len(jobs) > 1:
            z = candidates(normals, numbers, self._settings.key, draws)
            weights = weights_of(normals, z, approx.densities.at)
        _fill(approx, normals, weights)
        weighed = dict(zip(numbers, weights.tolist(), strict=True))
        reports = [path._replace(weight=weighed.get(path.number, 0.0)) for path in approx.report.paths]
        drawn = 0 if len(jobs) == 1 else len(jobs) * draws
        approx.report = replace(approx.report, paths=tuple(reports), draws=drawn)

    def stop(self) -> None:
        self._halted = True
        self._paths.stop[0] = 1

    def leave(self) -> None:
        self.result = self._approx


def _fill(approx: PathMixture, normals: Sequence[Any], weights: Floats) -> None:
    """Write what was found into the parameters; what there is no path for weighs nothing."""
    group = approx.groups[0]
    values = {name: np.zeros(shared.shape) for name, shared in group.params_dict.items()}
    values["scale"][:] = 1.0
    values["L"][:] = np.eye(values["L"].shape[-1])
    for k, (normal, weight) in enumerate(zip(normals, weights, strict=True)):
        rank = len(normal.lower)
        values["weights"][k], values["mu"][k], values["scale"][k] = weight, normal.mean, normal.scale
        values["Q"][k, :rank], values["L"][k, :rank, :rank] = normal.basis, normal.lower
    for name, shared in group.params_dict.items():
        shared.set_value(values[name])


def all_failed(reasons: Mapping[int, str]) -> str:
    """Say that no path has found anything, and why."""
    told = "; ".join(f"path {number}: {reason}" for number, reason in reasons.items())
    return f"no path has found an approximation. {told}. Pass another start, or look at the terms of the density."

"""Stein variational gradient descent with ``backend="cuda"``: the steps of a fit whose particles live on a GPU.

They come up for air where Python is to see them: before callbacks, where a file keeps a fit, and at the end. Then
particles, and what the optimiser remembers, are in the fit's block, as those of a fit on the processor are.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import floats_at
from nbinfer.cuda.backend import require, simulated
from nbinfer.cuda.bandwidth import NO_SPREAD
from nbinfer.cuda.pairs import Pairs
from nbinfer.cuda.scores import scores_for
from nbinfer.cuda.swarm import NO_SCORE, NOT_FINITE, Pull, Swarm
from nbinfer.engine.driver import Outcome
from nbinfer.engine.progress import Display
from nbinfer.errors import ParametrizationError, PerformanceWarning, calls_above, unseen
from nbinfer.variational.job import FitStatus
from nbinfer.variational.report import Verdict
from nbinfer.variational.stein.annealing import factors
from nbinfer.variational.stein.failing import beyond_single, without_score, without_spread
from nbinfer.variational.stein.kernels import IMQ, RBF
from nbinfer.variational.stein.verdict import verdict_on
from nbinfer.variational.steps import ObjectiveUpdates

Floats = NDArray[np.float64]

#: So many particles are worth a GPU.
ENOUGH = 1000
#: Seconds that the device goes on before the host looks whether it is to stop.
_MOMENT = 0.1


class ParticleUpdates(ObjectiveUpdates):
    """Iterations on a GPU."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        require()
        op: Any = self.objective.op
        fitting = self.fitting
        self._pull = _pull_of(self.objective.tf, op.temperature)
        if not op.approx.all_histograms:
            raise ParametrizationError(
                'backend="cuda" moves particles, which are rows of histograms, and the approximation is '
                f"{op.approx.short_title}; leave backend out."
            )
        more = [
            name for name in ("noisy", "metric") if getattr(op, name) is not None and getattr(op, name) is not False
        ]
        if more:
            raise ParametrizationError(f'backend="cuda" knows no {" and no ".join(more)}; leave that or backend out.')
        if fitting.feeds:
            raise ParametrizationError('backend="cuda" takes no data in batches; leave backend out, or pass all data.')
        self._order, self._n = _order_of(fitting), len(fitting.fit.parameters) // int(fitting.bound.dim)
        self._dtype, self._annealing = np.dtype(op.dtype), op.annealing
        self._annealed: tuple[int, Floats] | None = None  # number of the first iteration of all, and factors from it on
        self._swarm = self._begun(fitting)
        self._piece = 1
        if self._n < ENOUGH and not simulated():
            with unseen():
                warnings.warn(
                    f"{self._n} particles leave most of a GPU idle, and the processor is probably faster; leave "
                    f'backend="cuda" out below {ENOUGH}.',
                    PerformanceWarning,
                    calls_above(),
                )

    def _begun(self, fitting: Any) -> Swarm:
        """Return the particles' place on the device, for the data that the model has now."""
        self._densities = fitting.densities
        dim, fit = int(fitting.bound.dim), fitting.fit
        kernel: Any = self.objective.tf
        wanted = self._pull.bandwidth is None
        pairs = Pairs(self._n, kernel.pairs_of(self._n), fit.words, int(fit.number)) if wanted else None
        self._scores = scores = scores_for(fitting, self._n)
        return Swarm(
            self._n, dim, self._dtype, self._pull, pairs, fitting.settings.rule, scores, float(fit.constant),
            float(fit.largest_norm),
        )  # fmt: skip

    def load(self) -> None:
        """Compile what finds scores and forces, by finding them once."""
        if not simulated() and self._put():
            self._swarm.look()

    def advance(self, until: int, display: Display) -> Outcome:
        outcome, fitting = Outcome(), self.fitting
        try:
            fitting.ask()
            if fitting.densities is not self._densities:
                self._swarm = self._begun(fitting)
            if self._put():
                self._iterate(until, display)
            outcome.error = self._failure()
        except Exception as error:
            outcome.error = error
        outcome.interrupted = bool(fitting.fit.done < until)
        return outcome

    def _iterate(self, until: int, display: Display) -> None:
        """Have the device make iterations, moment by moment, and take particles and optimiser back."""
        fitting, fit, step, swarm = self.fitting, self.fitting.fit, int(self.fitting.fit.descent.step), self._swarm
        begun, status = int(fit.done), 0
        while fit.done < until and not status and not fitting.stop[0]:
            done, start = int(fit.done), time.monotonic()
            count = min(self._piece, until - done)
            swarm.iterate(self._rates(done, count), step + done - begun + 1, self._factors(done, count))
            status, made = swarm.wait()
            fitting.losses[done : begun + made] = np.nan  # that of a file begins as 0
            fit.done = fitting.progress["done"][0] = begun + made
            display.update(fitting.progress)
            now = time.monotonic()
            self._piece = max(1, min(2 * count, int(count * _MOMENT / max(now - start, 1e-9))))
            fitting.stop[0] |= now > fitting.deadline
        fit.descent.step = step + int(fit.done) - begun + (status == NOT_FINITE)
        x, remembered = swarm.get()
        if status == NOT_FINITE:
            fit.culprit = self._order[np.flatnonzero(~np.isfinite(x.ravel()))[0]]
            x = swarm.array("before").reshape(x.shape)
        fit.parameters[self._order] = x.ravel()
        for name, values in remembered.items():
            self._memory(name).reshape(len(values), -1)[:, self._order] = values.reshape(len(values), -1)
        statuses = {NO_SCORE: FitStatus.NO_SCORE, NO_SPREAD: FitStatus.NO_SPREAD, NOT_FINITE: FitStatus.NOT_FINITE}
        fit.status = statuses.get(status, fit.status)

    def _rates(self, done: int, count: int) -> Sequence[float]:
        """Return the learning rates of some iterations."""
        fit = self.fitting.fit
        if not fit.rates:
            return [float(fit.descent.rate)] * count
        first = done - int(fit.first)
        return [float(rate) for rate in floats_at.py_func(int(fit.rates), first + count)[first:]]

    def make_room(self, count: int) -> None:
        fitting, annealing = self.fitting, self._annealing
        first, self._annealed = fitting.steps_made, None
        if annealing is not None:
            self._annealed = int(fitting.fit.done), factors(annealing, first, count)
        super().make_room(count)

    def _factors(self, done: int, count: int) -> Sequence[float]:
        """Return what scores are multiplied by in some iterations."""
        if self._annealed is None:
            return [1.0] * count
        first, found = self._annealed
        return [float(factor) for factor in found[done - first :][:count]]

    def _put(self) -> bool:
        """Put particles and optimiser on the device, as the host has them now; tell whether all is finite."""
        fit, swarm = self.fitting.fit, self._swarm
        x = fit.parameters[self._order]
        bad = np.flatnonzero(~np.isfinite(x))
        if bad.size:
            fit.culprit, fit.status = self._order[bad[0]], FitStatus.NOT_FINITE
            return False
        kept = {name: self._memory(name).reshape(count, -1) for name, count in swarm.remembered.items()}
        swarm.put(x.reshape(self._n, -1), {name: values[:, self._order] for name, values in kept.items()})
        return True

    def _memory(self, name: str) -> Floats:
        """Return what the rule remembers under a name of `Swarm.remembered`, in the fit's block."""
        rule, part = self.fitting.rule, name
        if name.startswith("velocity/"):
            part, depth = "velocity", int(name.partition("/")[2])
        else:
            depth = sum(other.startswith("velocity/") for other in self._swarm.remembered)
        for _ in range(depth):
            rule = rule.inner
        found: Floats = getattr(rule, part)
        return found

    def _failure(self) -> BaseException | None:
        """Return the error that the status means."""
        fitting, fit, swarm = self.fitting, self.fitting.fit, self._swarm
        done = int(fit.done)
        if fit.status == FitStatus.NO_SPREAD:
            return without_spread(float(swarm.array("bandwidth")[1]), done)
        if fit.status == FitStatus.NOT_FINITE and not np.isfinite(swarm.array("force")).all():
            return beyond_single(done)
        if fit.status == FitStatus.NOT_FINITE:
            return fitting.failure(0)[0]
        if fit.status != FitStatus.NO_SCORE:
            return None
        self._scores.check()
        x, g, logps = swarm.array("x"), swarm.array("g"), swarm.array("logps")
        return without_score(fitting.bound, x, g, logps, done)

    def verdict(self, thorough: bool) -> Verdict:
        if not thorough or not self.fitting.fit.done or not self._put():
            return Verdict()
        found = self._swarm.look()
        return Verdict() if found is None else verdict_on(*found)


def _pull_of(kernel: Any, temperature: float) -> Pull:
    """Return how particles count for each other by a kernel that a GPU knows."""
    if type(kernel) is RBF:
        return Pull(kernel.bandwidth, None, temperature)
    if type(kernel) is IMQ:
        return Pull(kernel.bandwidth, kernel.exponent, temperature)
    raise ParametrizationError(
        f'kernel {kernel!r} has no form for backend="cuda"; take nb.RBF or nb.IMQ, or leave backend out.'
    )


def _order_of(fitting: Any) -> NDArray[np.int64]:
    """Return where each coordinate of each particle, in the model's order, stands among the parameters of a fit."""
    base, n_parameters = int(fitting.fit.record["parameters"]), len(fitting.fit.parameters)
    dim = int(fitting.bound.dim)
    n = n_parameters // dim
    order = np.zeros((n, dim), np.int64)
    for k, group in enumerate(fitting.groups):
        start, size = (int(fitting.own(k).parameters) - base) // 8, len(group.coordinates)
        order[:, group.coordinates] = start + np.arange(n * size).reshape(n, size)
    return order.ravel()

"""The workers' share of a fit by particles: memory, phases of an iteration, and what a failure of theirs means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import Entry, address_of, aligned
from nbinfer.engine.job import Status
from nbinfer.engine.jobs import Phase
from nbinfer.engine.python_entry import PythonEntry
from nbinfer.engine.state import BLOCK, ROW, WORK, Memory, Plan
from nbinfer.errors import FitError
from nbinfer.variational.densities import PLAIN, Densities
from nbinfer.variational.functions import TestFunction
from nbinfer.variational.job import FitStatus
from nbinfer.variational.stein.failing import beyond_single, without_score, without_spread
from nbinfer.variational.stein.forces import Round, push, push_given, push_singles
from nbinfer.variational.stein.kernels import GAUSSIAN, RadialKernel
from nbinfer.variational.stein.median import choose_bandwidth, draw_pairs, measure, measure_drawn, measure_singles
from nbinfer.variational.stein.panels import aim, aim_singles, arrange, arrange_singles, centre, settle, settle_singles
from nbinfer.variational.stein.particles import collect, explore, follow, gather, pull_back, score
from nbinfer.variational.stein.stage import Part, Stage
from nbinfer.variational.stein.state import STEIN, Layout

Floats = NDArray[np.float64]


class Crew:
    """What the phases of an iteration have in common.

    Parameters
    ----------
    fitting : Fitting
    kernel : TestFunction
        How much particles count for each other.
    temperature : float
        What scores are divided by.
    n : int
        Particles.
    is_drawn : bool
        Whether they are draws, not rows of histograms.
    dtype : {'float64', 'float32'}
        Of what is summed over pairs.
    """

    def __init__(
        self, fitting: Any, kernel: TestFunction, temperature: float, n: int, is_drawn: bool, dtype: str = "float64"
    ) -> None:
        self._fitting, self.kernel, self._is_single = fitting, kernel, dtype == "float32"
        self._temperature = temperature
        self.n, self.dim, self.workers = n, int(fitting.bound.dim), int(fitting.settings.workers)
        radial = kernel if isinstance(kernel, RadialKernel) else None
        gauss = None if radial is None else GAUSSIAN.get(radial.weigh)
        pairs = radial.pairs_of(n) if radial is not None and radial.needs_spread else 0
        self.layout = Layout(n, self.dim, self._is_single, pairs, radial is None or gauss is not None)
        self.n_blocks = self.layout.n_blocks
        plan = Plan()
        place = plan.place(STEIN, self, None)
        own = plan.place(radial.state, radial, None) if radial is not None else None
        self._memory = [aligned(1, plan.sizes[space], np.int64) for space in (BLOCK, WORK, ROW)]
        plan.relocate(self._memory[0], np.array([[address_of(memory) for memory in self._memory]]))
        self.stein = Memory(place, self._memory[0][0], self._memory[1][0])
        stein = self.stein
        stein.n, stein.dim, stein.is_drawn = n, self.dim, int(is_drawn)
        stein.temperature, stein.is_single, stein.pairs = temperature, int(self._is_single), pairs
        self.layout.write_to(stein)
        self._before = [explore if is_drawn else collect, score, gather]
        self._after = pull_back if is_drawn else follow
        self._ask = PythonEntry(self._asked, 3)
        self._between: list[Any] = [self._ask, push_given]
        if radial is not None and own is not None:
            keeps = Memory(own, self._memory[0][0], self._memory[1][0])
            radial.initialise(keeps)
            stein.weigh, stein.own = radial.weigh.address, keeps.address
            stein.gauss = 0 if gauss is None else gauss[dtype].address
            stein.bandwidth = radial.bandwidth or 0.0
            self._between = self._forces(radial)
        else:
            self._matrix, self._sums = np.zeros((n + 1) * n), np.zeros((n + 1) * self.dim)
            stein.matrix, stein.given = address_of(self._matrix), address_of(self._sums)
        self.stages: Sequence[Stage] = ()
        self.connect()

    def _forces(self, radial: RadialKernel) -> list[Part]:
        """Return the phases that find the forces by a kernel of the distance."""
        by_dtype = {
            False: (arrange, measure, aim, push, settle),
            True: (arrange_singles, measure_singles, aim_singles, push_singles, settle_singles),
        }
        arranging, survey, aiming, meeting, settling = by_dtype[self._is_single]
        stein, sections = self.stein, self.layout.n_sections
        where, drawn = int(stein.address), bool(stein.pairs)
        found = [Part(centre, where), *([Part(draw_pairs, where)] if drawn else []), Part(arranging, where, sections)]
        if radial.needs_spread:
            survey = measure_drawn if drawn else survey
            stein.measure, stein.itself = survey.address, where
            found += [Part(survey, where, self.n_blocks), Part(choose_bandwidth, where)]
        self._turns = np.zeros(sections, Round)
        self._turns["stein"], self._turns["number"] = where, np.arange(sections)
        turns = [address_of(self._turns) + k * Round.itemsize for k in range(sections)]
        rounds = [Part(meeting, turn, sections) for turn in turns]
        return [*found, Part(aiming, where, sections), *rounds, Part(settling, where, sections)]

    @property
    def settings(self) -> Any:
        """The settings of the fit."""
        return self._fitting.settings

    @property
    def done(self) -> int:
        """Iterations so far."""
        return int(self._fitting.fit.done)

    @property
    def status(self) -> int:
        """What the fit notes as the end of a run."""
        return int(self._fitting.fit.status)

    @status.setter
    def status(self, status: int) -> None:
        self._fitting.fit.status = status

    def connect(self) -> None:
        """Write addresses of what the fit has bound."""
        fitting, stein = self._fitting, self.stein
        self._contexts = np.array(fitting.densities.of_workers, np.int64)
        stein.fit, stein.contexts, stein.n_contexts = (
            address_of(fitting.state),
            address_of(self._contexts),
            self.workers,
        )
        stein.claims[:] = 0

    def load(self) -> None:
        """Compile what makes an iteration, unless that is done."""
        for part in self.parts:
            if isinstance(part.function, Entry):
                part.function.load()

    def _rows(self, function: Any) -> int:
        return {score: self.layout.n_shares, push_given: self.n_blocks}.get(function, 1)

    def _parts(self, functions: Sequence[Any]) -> list[Part]:
        address = int(self.stein.address)
        return [each if isinstance(each, Part) else Part(each, address, self._rows(each)) for each in functions]

    @property
    def parts(self) -> list[Part]:
        """What an iteration is made of, in its order."""
        before = [part for stage in self.stages for part in stage.before]
        after = [part for stage in reversed(self.stages) for part in stage.after]
        own = [self._parts(functions) for functions in (self._before, self._between, [self._after])]
        return [*own[0], *before, *own[1], *after, *own[2]]

    @property
    def phases(self) -> list[Phase]:
        """An iteration."""
        return [part.phase for part in self.parts]

    def look(self, densities: Densities | None = None) -> tuple[Floats, Floats, Floats] | None:
        """Return positions, scores and forces as they are now; nothing if a particle has none.

        Parameters
        ----------
        densities : Densities, optional
            By all data, where an iteration sees a batch.
        """
        if densities is None:
            return self._seen()
        fit, stein, contexts = self._fitting.fit, self.stein, np.array([densities.context(PLAIN)], np.int64)
        own = fit.density, fit.n_feeds
        fit.density, fit.n_feeds = densities.function, 0
        stein.contexts, stein.n_contexts = address_of(contexts), 1
        try:
            return self._seen()
        finally:
            fit.density, fit.n_feeds = own
            self.connect()

    def _seen(self) -> tuple[Floats, Floats, Floats] | None:
        """Make the phases of an iteration up to the forces, without those that no fit is judged by."""
        self.stein.temperature = self._temperature
        judged = [part for stage in self.stages if stage.judged for part in stage.before]
        piece = int(self._fitting.fit.done)
        for function, context, rows in [*self._parts(self._before), *judged, *self._parts(self._between)]:
            for row in range(rows):
                if function(context, row, piece):
                    return None
        count = int(self.stein.count) * self.dim
        arrays = (self.stein.points, self.stein.scores, self.stein.forces)
        points, scores, forces = (array[:count].reshape(-1, self.dim).copy() for array in arrays)
        return points, scores, forces

    def _asked(self, address: int, row: int, piece: int) -> None:
        """Have a kernel in plain Python say its values: a phase of one row."""
        try:
            self._evaluate(piece)
        except BaseException:
            self._fitting.fit.status = Status.RAISED
            raise

    def _evaluate(self, piece: int) -> None:
        count = int(self.stein.count)
        z = self.stein.points[: count * self.dim].reshape(count, self.dim).copy()
        found = self.kernel(z)
        try:
            values, sums = (np.asarray(each, np.float64) for each in found)
        except (TypeError, ValueError):
            raise TypeError(
                f"a kernel must return two arrays, its values and sums of derivatives, got {type(found).__name__}."
            ) from None
        for what, array, shape in (("values", values, (count, count)), ("sums of derivatives", sums, z.shape)):
            if array.shape != shape:
                raise ValueError(f"a kernel's {what} must have shape {shape}, got {array.shape}.")
            if not np.isfinite(array).all():
                raise FitError(f"the kernel's {what} are not finite in iteration {piece}.")
        self._matrix[: count * count] = values.ravel()
        self._sums[: count * self.dim] = sums.ravel()

    def failure(self) -> BaseException | None:
        """Return the error that the status of the fit means, if it is one of these phases'."""
        fitting, fit = self._fitting, self._fitting.fit
        if self._ask.error is not None:
            error, self._ask.error = self._ask.error, None
            return error
        for stage in self.stages:
            failure = stage.failure()
            if failure is not None:
                return failure
        if fit.status == FitStatus.NO_SPREAD:
            return without_spread(float(self.stein.median), int(fit.done))
        finite = np.isfinite(self.stein.forces[: self.n * self.dim]).all()
        if fit.status == FitStatus.NOT_FINITE and self._is_single and not finite:
            return beyond_single(int(fit.done))
        if fit.status != FitStatus.NO_SCORE:
            return None
        grads = self.stein.grads[: self.n * self.dim].reshape(self.n, self.dim)
        positions = self.stein.positions[: self.n * self.dim].reshape(self.n, self.dim)
        return without_score(fitting.bound, positions, grads, self.stein.logps[: self.n], int(fit.done))

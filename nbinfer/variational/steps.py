"""The steps of a fit: advanced by compiled code, or by Python, one at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import instance, mapping
from nbinfer.engine.driver import Outcome, run_alone
from nbinfer.engine.progress import Display, Silent
from nbinfer.errors import VariationalInferenceError
from nbinfer.variational import pulling
from nbinfer.variational.course import Course
from nbinfer.variational.fitting import Fitting
from nbinfer.variational.group import Group
from nbinfer.variational.optimizers import Rule, total_norm_constraint
from nbinfer.variational.optimizers.updates import Updates
from nbinfer.variational.report import Verdict
from nbinfer.variational.values import Shared

if TYPE_CHECKING:
    from nbinfer.variational.objective import ObjectiveFunction


class ObjectiveUpdates(dict[Shared, Rule]):
    """The steps of a fit, by parameter, in compiled code; a call makes one.

    Parameters
    ----------
    objective : ObjectiveFunction
        What becomes small.
    fitting : Fitting
        Memory of the approximation.
    moved : sequence of Group
        Those whose parameters move.
    more : mapping of Shared to object, optional
        What is set after each step.
    test_params : sequence of Shared
        Parameters of the test function.
    test_rule : Rule, optional
        Their optimiser.
    test_draws : int
        Draws for their steps.
    course : Course, optional
        Through learning rates, if a rule of convergence is to end the fit.

    Attributes
    ----------
    loss : float
        Of the last step.
    """

    __hash__ = object.__hash__  # type: ignore[assignment]

    #: Where the first particle is, if the fit moves particles.
    particle: NDArray[np.float64] | None = None

    def __init__(
        self,
        objective: ObjectiveFunction,
        fitting: Fitting,
        moved: Sequence[Group],
        more: Mapping[Any, Any] | None = None,
        test_params: Sequence[Shared] = (),
        test_rule: Rule | None = None,
        test_draws: int = 1,
        course: Course | None = None,
    ) -> None:
        super().__init__({shared: fitting.settings.rule for group in moved for shared in group.params})
        if test_rule is not None:
            self.update(dict.fromkeys(test_params, test_rule))
        self._more = dict(mapping("more_updates", more))
        for param in self._more:
            instance("a key of more_updates", param, Shared, "made by nb.shared")
        self.objective, self.fitting, self._course = objective, fitting, course
        self._test_params, self._test_rule, self._test_draws = list(test_params), test_rule, test_draws
        self.loss = np.nan

    def due(self, done: int, until: int) -> int:
        """Return the next iteration after which Python must be asked, `until` at the latest."""
        if self._more or self.fitting.feeds.by_python:
            return done + 1
        return until if self._course is None else min(until, self._course.due)

    def ends(self) -> bool:
        """Tell whether the method knows that it is at its end; asked wherever it may be."""
        return self._course is not None and self._course.look()

    def verdict(self, thorough: bool) -> Verdict:
        """Return what the method says at the end of a fit.

        Parameters
        ----------
        thorough : bool
            Whether evaluations of the density are worth it.
        """
        return Verdict() if self._course is None else self._course.verdict

    @property
    def why_not_kept(self) -> str:
        """What keeps these steps from being gone on with in another process, with a remedy; empty: nothing."""
        if self._more:
            return "more_updates sets what only this process knows; leave it out"
        return ""

    def state(self) -> Any:
        """Return what is to be known of the steps beside the fit's block, as `nbinfer.engine.written` keeps it."""
        return None if self._course is None else self._course.state()

    def restore(self, state: Any) -> None:
        """Take over what `state` has returned."""
        if self._course is not None:
            self._course.restore(state)

    def load(self) -> None:
        """Compile what makes iterations, unless that is done."""
        self.fitting.settings.advance.load()

    def make_room(self, count: int) -> None:
        """Make ready for further iterations.

        Parameters
        ----------
        count : int
        """
        self.go_on()
        self.fitting.make_room(count)
        if self._course is not None:
            self._course.resume()

    def pause(self) -> None:
        """Leave the approximation as the fit means it, until it goes on."""
        if self._course is not None:
            self._course.pause()

    def go_on(self) -> None:
        """Take data that the model was given since.

        Raises
        ------
        VariationalInferenceError
            If the approximation has another fit since.
        """
        if self.objective.approx.fitting() is not self.fitting:
            raise VariationalInferenceError("another fit has taken over the approximation since; begin anew.")

    def advance(self, until: int, display: Display) -> Outcome:
        """Advance to an iteration, for which there is room.

        Parameters
        ----------
        until : int
        display : Display
        """
        self.fitting.ask()
        return run_alone(self.fitting, self.fitting.settings.advance, until, display)

    def set_more(self) -> None:
        """Set what is to be set after each step."""
        for param, value in self._more.items():
            param.set_value(value() if callable(value) else value)

    def __call__(self) -> None:
        """Make one step."""
        self.make_room(1)
        outcome = self.advance(int(self.fitting.fit.done) + 1, Silent())
        if outcome.error is not None:
            raise outcome.error
        self.set_more()
        self.loss = float(self.fitting.hist[-1])


class SteppedUpdates(ObjectiveUpdates):
    """Steps that Python makes, one after the other."""

    def step(self, done: int) -> float | None:
        """Make the step after `done` others, and return its loss; None: the stop word has cut it short."""
        raise NotImplementedError

    def advance(self, until: int, display: Display) -> Outcome:
        fitting, outcome = self.fitting, Outcome()
        job = fitting.fit
        try:
            while job.done < until and not fitting.stop[0]:
                done = int(job.done)
                loss = self.step(done)
                if loss is not None:
                    fitting.losses[done] = loss
                    fitting.progress["skipped"] = job.skipped
                    job.done = fitting.progress["done"][0] = done + 1
                    display.update(fitting.progress)
                fitting.stop[0] |= time.monotonic() > fitting.deadline
        except Exception as error:
            outcome.error = error
        outcome.interrupted = bool(job.done < until)
        return outcome


class UpdatesInPython(SteppedUpdates):
    """Steps of an operator that Python has to ask at each of them."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._test: Updates | None = None
        if self._test_rule is not None and self._test_params:
            self._test = Updates(self._test_rule, [lambda *values: None] * len(self._test_params), self._test_params)

    @property
    def why_not_kept(self) -> str:
        if self._test is not None:
            return (
                "a test function with parameters is learnt in this process; take one without, or leave checkpoint out"
            )
        return super().why_not_kept

    def step(self, done: int) -> float | None:
        op, tf, fitting = self.objective.op, self.objective.tf, self.fitting
        fitting.feed()
        draws = pulling.draw(fitting, done, fitting.settings.n_draws)
        value, to_draws, _ = op.apply(tf, draws)
        pulling.pull(fitting, done, op.slope(value) * np.asarray(to_draws))
        status = pulling.move(fitting)
        if status:
            fitting.fit.status = status
            raise fitting.failure(0)[0]
        if self._test is not None:
            draws = pulling.draw(fitting, done, self._test_draws)
            expectation, _, slopes = op.apply(tf, draws)
            slopes = [op.slope(expectation) * np.asarray(slope) for slope in slopes]
            if fitting.settings.largest_norm is not None:
                slopes = total_norm_constraint(slopes, fitting.settings.largest_norm)
            self._test.step([-slope for slope in slopes])  # upwards
        return op.T(value)

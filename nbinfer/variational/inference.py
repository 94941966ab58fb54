"""Inference: an operator, an approximation, and the loop that fits one to the other."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, count, flag
from nbinfer.engine.driver import Outcome
from nbinfer.engine.gradients import gradient_warnings
from nbinfer.engine.progress import Display, display_for
from nbinfer.engine.task import Task, finished
from nbinfer.errors import ConvergenceWarning, NbinferWarning
from nbinfer.variational.approximation import Approximation
from nbinfer.variational.callbacks import listed
from nbinfer.variational.course import Course
from nbinfer.variational.objective import ObjectiveUpdates, check_function_options
from nbinfer.variational.operators import Operator
from nbinfer.variational.raabbvi import rule_of_convergence
from nbinfer.variational.report import FitReport
from nbinfer.variational.scored import LATE

Floats = NDArray[np.float64]


class Inference:
    """Fit an approximation by making an operator's objective small.

    Parameters
    ----------
    op : type
        The operator, a subclass of `Operator`.
    approx : Approximation or type
        What is fitted, or its class, whose defaults then hold.
    tf : TestFunction or callable, optional
        What the operator is applied to, if it needs that.
    **kwargs : object
        Options of the operator.

    Attributes
    ----------
    approx : Approximation
        What is fitted.
    hist : ndarray, shape (iterations,)
        Losses so far.

    Raises
    ------
    TypeError
        If `op` is no operator, or `approx` no approximation.
    """

    def __init__(self, op: Any, approx: Any, tf: Any = None, **kwargs: Any) -> None:
        if not isinstance(op, type) or not issubclass(op, Operator):
            raise TypeError(f"op must be a subclass of Operator, got {op!r}.")
        if isinstance(approx, type) and issubclass(approx, Approximation):
            approx = approx()  # type: ignore[call-arg]
        if not isinstance(approx, Approximation):
            raise TypeError(f"approx must be an Approximation or its class, got {type(approx).__name__}.")
        self.approx = approx
        self.objective = op(approx, **kwargs)(tf)
        self._updates: ObjectiveUpdates | None = None
        self._callbacks: list[Callable[..., Any]] = []
        self._course: Course | None = None
        self._score = True
        self._notes: list[tuple[str, type[Warning]]] = []

    @property
    def hist(self) -> Floats:
        return self.approx.hist

    def fit(
        self,
        n: int = 10_000,
        score: bool | None = None,
        callbacks: Sequence[Callable[..., Any]] | None = None,
        progressbar: bool = True,
        *,
        fn_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Approximation:
        """Fit the approximation.

        Parameters
        ----------
        n : int
            Iterations.
        score : bool, optional
            Whether losses are kept. Default: if the operator has any.
        callbacks : sequence of callable, optional
            Each called as ``callback(approx, losses, i)`` after every iteration i = 1, 2, ..., or after each multiple
            of its attribute `every`. StopIteration ends the fit.
        progressbar : bool
            Show iterations and the mean loss on a terminal or in a notebook.
        fn_kwargs : mapping, optional
            As in `run_profiling`.
        **kwargs : object
            `convergence`, as in `begin`, and options of `ObjectiveFunction.updates`: obj_n_mc, obj_optimizer,
            total_grad_norm_constraint, ....

        Returns
        -------
        approx : Approximation
            With ``hist``, ``khat`` and ``report``.

        Raises
        ------
        FitError
            If parameters are not finite after a step, or more than 5 % of the last 1000 draws have no density. The
            approximation is as it was before that step.

        Warns
        -----
        ConvergenceWarning
            If k-hat is above 0.7, or a rule of convergence did not end the fit.

        Notes
        -----
        Ctrl-C ends the fit and returns what there is. What a callback or a function of the model raises arrives here,
        and the approximation keeps its state.
        """
        check_function_options(fn_kwargs)
        count("n", n, 0, MOST)
        self.begin(score, callbacks, **kwargs)
        return self.run(n, progressbar)

    def begin(
        self,
        score: bool | None = None,
        callbacks: Sequence[Callable[..., Any]] | None = None,
        *,
        convergence: Any = None,
        **kwargs: Any,
    ) -> None:
        """Set up a fit: a new optimiser, callbacks.

        Parameters
        ----------
        score : bool, optional
            As in `fit`.
        callbacks : sequence of callable, optional
            As in `fit`.
        convergence : {'raabbvi'} or RAABBVI, optional
            The rule that ends the fit before its last iteration.
        **kwargs : object
            As in `fit`.

        Raises
        ------
        ExplicitInferenceError
            If the rule knows no distance between distributions of a family.
        ValueError
            If there is no rule of this name, or it cannot lower the learning rate.
        """
        rule = rule_of_convergence(convergence)
        if rule is not None:
            kwargs["obj_optimizer"] = rule.optimizer(kwargs.get("obj_optimizer"))
        self._score = self._scored(score)
        self._callbacks = listed(callbacks)
        self._updates = self.objective.updates(**kwargs)
        self._course = None if rule is None else Course(rule, self._updates.fitting)
        self._updates.fitting.check_start(self.approx.centre)
        self._notes = gradient_warnings(self._updates.fitting.bound)
        if score and not self._score:
            self._notes.append((f"{type(self.objective.op).__name__} has no loss to keep.", NbinferWarning))

    def refine(self, n: int, progressbar: bool = True) -> Approximation:
        """Go on with the last fit: its optimiser, callbacks and random numbers, as if it had not ended.

        Parameters
        ----------
        n : int
            Further iterations.
        progressbar : bool
            As in `fit`.

        Returns
        -------
        approx : Approximation

        Raises
        ------
        TypeError
            If there was no fit.
        """
        count("n", n, 0, MOST)
        return self.run(n, progressbar)

    def run_profiling(self, n: int = 1000, score: bool | None = None, **kwargs: Any) -> dict[str, float]:
        """Fit for some iterations and say what took how long.

        Parameters
        ----------
        n : int
            Iterations.
        score : bool, optional
            As in `fit`.
        **kwargs : object
            Options of `ObjectiveFunction.updates`.

        Returns
        -------
        profile : dict of str to float
            Seconds for an iteration (``iteration``), for an evaluation of the model's gradient (``gradient``), and for
            all iterations (``total``); and their number (``iterations``).
        """
        count("n", n, 1, MOST)
        check_function_options(kwargs.pop("fn_kwargs", None))
        self.begin(score, **kwargs)
        assert self._updates is not None
        self._updates.load()
        begin = time.perf_counter()
        self.run(n, False, judged=False)
        total = time.perf_counter() - begin
        bound, position = self._updates.fitting.bound, self.approx.centre
        bound.value_and_grad(position)
        begin = time.perf_counter()
        for _ in range(n):
            bound.value_and_grad(position)
        gradient = (time.perf_counter() - begin) / n
        return {"iterations": float(n), "total": total, "iteration": total / n, "gradient": gradient}

    def _scored(self, score: bool | None) -> bool:
        returns = self.objective.op.returns_loss
        return returns if score is None else flag("score", score) and returns

    def run(self, n: int, progressbar: bool = True, judged: bool = True) -> Approximation:
        """Make so many iterations of the fit that was set up.

        Parameters
        ----------
        n : int
            Iterations.
        progressbar : bool
            As in `fit`.
        judged : bool
            Whether to find k-hat afterwards, and to warn.

        Returns
        -------
        approx : Approximation
        """
        if self._updates is None:
            raise TypeError("refine goes on with a fit, and there was none; call fit first.")
        flag("progressbar", progressbar)
        fitting = self._updates.fitting
        self._updates.make_room(n)
        self._updates.load()  # not in the thread that runs: a compilation there would hide from Ctrl-C
        until = int(fitting.fit.done) + n
        describe = functools.partial(described, fitting)
        display = display_for(progressbar, [self.approx.short_title], until, "it", describe)
        if self._course is not None:
            self._course.resume()
        above, score = calls_above(), self._score
        task = _Fit(self.approx, self._updates, self._callbacks, self._course, until, display, score, judged, above)
        while self._notes:  # once, not when a fit is refined
            task.say(*self._notes.pop(0))
        return finished(task)


class _Fit(Task[Approximation]):
    """The loop of a fit."""

    def __init__(
        self,
        approx: Approximation,
        updates: ObjectiveUpdates,
        callbacks: Sequence[Callable[..., Any]],
        course: Course | None,
        until: int,
        display: Display,
        score: bool,
        judged: bool,
        depth: int,
    ) -> None:
        super().__init__(depth)
        self._approx, self._updates, self._callbacks, self._course = approx, updates, callbacks, course
        self._until, self._display, self._score, self._judged = until, display, score, judged
        self._begun = int(updates.fitting.fit.done)
        self._halted = False

    def work(self) -> None:
        try:
            outcome = self._iterate()
            self.error = self.error or _failure(outcome, self._updates)
        except KeyboardInterrupt:  # of a callback
            self._halted = True
        except Exception as error:
            self.error = self.error or error
        self._display.close()
        if self._course is not None and self.error is None:
            self._course.pause()
        self._approx.report = self._report()
        self.result = self._approx
        if self.error is None:
            for problem in self._approx.report.problems if self._judged else ():
                self.say(problem, ConvergenceWarning)

    def _iterate(self) -> Outcome:
        """Advance from one iteration that Python has to see to the next."""
        fitting, outcome = self._updates.fitting, Outcome()
        ended = False
        while fitting.fit.done < self._until and not self._halted and not ended:
            outcome = self._updates.advance(self._next(int(fitting.fit.done)), self._display)
            if not self._score:
                fitting.hist[self._begun :] = np.nan
            if outcome.error is not None:
                break
            self._updates.set_more()
            ended = self._called(int(fitting.fit.done)) or self._updates.is_done
            ended = ended or (self._course is not None and self._course.look())
        return outcome

    def _next(self, done: int) -> int:
        """Return the next iteration after which something is due."""
        periods = [every for every in (self._updates.every, *map(_period, self._callbacks)) if every is not None]
        looks = [] if self._course is None else [self._course.due]
        return min([self._until, *looks, *((done // every + 1) * every for every in periods)])

    def _called(self, done: int) -> bool:
        """Call the callbacks that are due; tell whether one ends the fit."""
        due = [callback for callback in self._callbacks if done % _period(callback) == 0]
        if not due or self._halted:
            return False
        losses = self._updates.fitting.hist if self._score else None
        for callback in due:
            try:
                callback(self._approx, losses, done)
            except StopIteration:
                return True
            self._updates.go_on()
        return False

    def stop(self) -> None:
        self._halted = True
        self._updates.fitting.stop[0] = 1

    def leave(self) -> None:
        self.result = self._approx

    def _report(self) -> FitReport:
        fit, approx = self._updates.fitting.fit, self._approx
        thorough = self._judged and self.error is None and not self._halted
        verdict = self._updates.verdict(thorough)
        rules = [c.converged for c in self._callbacks if hasattr(c, "converged")]
        rules += [] if self._course is None else [self._course.converged]
        rules += [] if verdict.converged is None else [verdict.converged]
        done = int(fit.done)
        khat, note = np.nan, "the approximation has no density"
        if not thorough:
            note = "the fit was interrupted; approx.khat finds it"
        elif done == self._begun:
            note = "no iteration was made; approx.khat finds it"
        elif approx.has_logq:
            judged = approx.judged_by(self._updates.fitting.densities)
            khat, note = judged.khat, judged.note
        return FitReport(
            iterations=done - self._begun,
            interrupted=self.error is not None or self._halted,
            converged=any(rules) if rules else None,
            skipped=int(fit.skipped),
            estimator=self._updates.fitting.settings.estimator,
            khat=khat,
            note=note,
            family=" and ".join(dict.fromkeys(group.short_name for group in approx.groups)),
            rates=() if self._course is None else tuple(self._course.settled),
            state="" if self._course is None else self._course.state,
            gap=verdict.gap,
            gap_error=verdict.gap_error,
            more=verdict.problems,
            force=verdict.force,
        )


def _failure(outcome: Outcome, updates: ObjectiveUpdates) -> BaseException | None:
    if outcome.error is not None and outcome.point is not None:
        where = updates.fitting.bound.describe(outcome.point.position)
        outcome.error.add_note(f"in iteration {int(updates.fitting.fit.done)} at {where}; the approximation is kept")
    return outcome.error


def calls_above() -> int:
    """Return how many calls above that of `Inference.run` the user's line is: warnings point there."""
    depth, frame = 1, sys._getframe(1)
    while frame.f_globals.get("__name__", "").startswith("nbinfer.") and frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    return depth


def _period(callback: Any) -> int:
    return int(getattr(callback, "every", 1))


def described(fitting: Any, line: Any) -> str:
    """Say in a few words where a fit is."""
    done = int(line["done"])
    losses = fitting.losses[max(done - LATE, 0) : done]
    losses = losses[np.isfinite(losses)]
    text = f"Average Loss = {losses.mean():,.5g}" if losses.size else ""
    skipped = int(line["skipped"])
    return f"{text}, {skipped} draws skipped" if skipped else text

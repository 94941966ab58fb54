"""The loop of a fit: from one iteration that Python has to see to the next, and what is to be known at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nbinfer.diagnostics.problem import Kind
from nbinfer.engine.driver import Outcome
from nbinfer.engine.progress import Display
from nbinfer.engine.task import Task
from nbinfer.errors import ConvergenceWarning, NbinferWarning
from nbinfer.variational.approximation import Approximation
from nbinfer.variational.checkpoint.keeping import Checkpoint
from nbinfer.variational.report import FitReport, problem, still_falls
from nbinfer.variational.scored import LATE
from nbinfer.variational.steps import ObjectiveUpdates


class Run(Task[Approximation]):
    """The iterations of a call of `Inference.fit` or `refine`.

    Parameters
    ----------
    approx : Approximation
    updates : ObjectiveUpdates
        With room for the iterations.
    callbacks : sequence of callable
    until : int
        The last iteration.
    display : Display
    judged : bool
        Whether to find k-hat afterwards, and to warn.
    checkpoint : Checkpoint, optional
        The file of the fit.
    seconds : float, optional
        How long iterations may be made.
    """

    def __init__(
        self,
        approx: Approximation,
        updates: ObjectiveUpdates,
        callbacks: Sequence[Callable[..., Any]],
        until: int,
        display: Display,
        judged: bool,
        checkpoint: Checkpoint | None = None,
        seconds: float | None = None,
    ) -> None:
        super().__init__()
        self._checkpoint, self._seconds = checkpoint, seconds
        self._approx, self._updates, self._callbacks = approx, updates, callbacks
        self._until, self._display, self._judged = until, display, judged
        self._begun = int(updates.fitting.fit.done) if checkpoint is None else checkpoint.before
        self._halted = self._is_late = self._is_whole = False

    def work(self) -> None:
        fitting = self._updates.fitting
        fitting.deadline = np.inf if self._seconds is None else time.monotonic() + self._seconds
        try:
            outcome = self._iterate()
            self.error = self.error or _failure(outcome, self._updates)
        except KeyboardInterrupt:  # of a callback
            self._halted = True
        except Exception as error:
            self.error = self.error or error
        self._display.close()
        fitting.deadline = np.inf
        self._let_go()
        if self.error is None:
            self._updates.pause()
        self._approx.report = self._report()
        self.result = self._approx
        if self.error is None:
            for name in self._updates.fitting.unmoved if self._approx.report.iterations else ():
                self.say(
                    f"more_obj_params names {name!r}, and no iteration has moved it: the log density does not depend "
                    "on it, so that there is nothing to learn. Have it read there, or leave it out.",
                    NbinferWarning,
                )
            for each in self._approx.report.problems if self._judged else ():
                self.say(each.message, ConvergenceWarning)

    def _iterate(self) -> Outcome:
        """Advance from one iteration that Python has to see to the next."""
        fitting, outcome, file = self._updates.fitting, Outcome(), self._checkpoint
        ended = False
        if file is not None:
            file.reached(int(fitting.fit.done), self.say)
        while fitting.fit.done < self._until and not self._halted and not ended:
            self._is_whole = False
            target = self._next(int(fitting.fit.done))
            outcome = self._updates.advance(target, self._display)
            if outcome.error is not None:
                break
            if fitting.fit.done < target and time.monotonic() > fitting.deadline:
                self._is_late = self._halted = True
                break
            if file is not None:
                file.reached(int(fitting.fit.done), self.say)
            self._updates.set_more()
            called, ends = self._called(int(fitting.fit.done)), self._updates.ends()
            ended = called or ends
            if file is not None and not self._halted:
                self._is_whole = True
                file.look(self.say)
        return outcome

    def _let_go(self) -> None:
        """Leave the file, if there is one, and say what has ended the fit."""
        file, done = self._checkpoint, int(self._updates.fitting.fit.done)
        if self._is_late:
            how = "refine" if file is None else "nb.resume"
            self.say(
                f"max_seconds={self._seconds:g} has ended the fit: {done - self._begun} of {self._until - self._begun} "
                f"iterations are there; {how} goes on.",
                NbinferWarning,
            )
        if file is None:
            return
        if file.catching_up and self.error is None and not self._halted:
            self.error = file.ended_early()
        try:
            file.close(self._is_whole and self.error is None, self.error is None and not self._halted, self.say)
        except Exception as error:
            self.error = self.error or error

    def _next(self, done: int) -> int:
        """Return the next iteration after which something is due."""
        due = [self._updates.due(done, self._until)]
        if self._checkpoint is not None:
            due.append(self._checkpoint.next(done))
        return min([*due, *((done // every + 1) * every for every in map(_period, self._callbacks))])

    def _called(self, done: int) -> bool:
        """Call the callbacks that are due; tell whether one ends the fit."""
        due = [callback for callback in self._callbacks if done % _period(callback) == 0]
        if not due or self._halted:
            return False
        fitting = self._updates.fitting
        losses = fitting.hist if fitting.keeps_losses else None
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
        thorough = self._judged and self.error is None and not self._halted
        try:
            return self._found(thorough)
        except Exception as error:  # of the model by all data, which no iteration has seen
            if not thorough or not self._updates.fitting.feeds:
                raise
            found, what = self._found(False), f"{type(error).__name__}: {error}"
            unknown = problem(
                Kind.UNKNOWN,
                f"How good the fit is is not known, for by all data in the place of batches the model raises {what}",
            )
            return replace(found, note="", more=(*found.more, unknown))

    def _found(self, thorough: bool) -> FitReport:
        """Return what is to be known, without evaluations of the density unless it is to be thorough."""
        fit, approx = self._updates.fitting.fit, self._approx
        verdict = self._updates.verdict(thorough)
        rules = [c.converged for c in self._callbacks if hasattr(c, "converged")]
        rules += [] if verdict.converged is None else [verdict.converged]
        done = int(fit.done)
        khat, note = np.nan, "the approximation has no density"
        if not thorough:
            note = "the fit was interrupted; approx.khat finds it"
        elif done == self._begun:
            note = "no iteration was made; approx.khat finds it"
        elif approx.has_logq:
            judged = approx.judged_after(self._updates.fitting)
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
            rates=verdict.rates,
            state=verdict.state,
            gap=verdict.gap,
            gap_error=verdict.gap_error,
            more=verdict.problems,
            force=verdict.force,
            falls=still_falls(self._updates.fitting.hist),
        )


def _failure(outcome: Outcome, updates: ObjectiveUpdates) -> BaseException | None:
    if outcome.error is not None and outcome.point is not None:
        where = updates.fitting.bound.describe(outcome.point.position)
        outcome.error.add_note(f"in iteration {int(updates.fitting.fit.done)} at {where}; the approximation is kept")
        updates.fitting.feeds.explain(outcome.error, updates.fitting.bound.definition)
    return outcome.error


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

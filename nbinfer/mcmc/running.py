"""What `sample` and `resume` do once their chains are ready."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from nbinfer.diagnostics import check
from nbinfer.diagnostics.report import least, said_of
from nbinfer.engine.driver import Outcome
from nbinfer.engine.progress import Display
from nbinfer.engine.task import Task
from nbinfer.errors import ConvergenceWarning, NbinferWarning, ResumeError, SamplingError
from nbinfer.mcmc.arguments import Limits
from nbinfer.mcmc.length import Goal, expected, next_look
from nbinfer.mcmc.sampling import Sampling, divergence_error
from nbinfer.trace import Trace
from nbinfer.trace.merge import joined

if TYPE_CHECKING:
    from concurrent.futures import Executor


#: What may end a run with a goal that nothing else ends.
_ENDS = ("target_ess", "max_draws")


class Running(Task[Trace]):
    """Draw, and look at what was drawn; warnings point at the caller of who makes this.

    Parameters
    ----------
    sampling : Sampling
    cores : int
        Chains that run at the same time.
    display : Display
    limits : Limits
    executor : Executor, optional
        What draws the chains. Default: threads of this process.
    before : Trace, optional
        Draws of the same chains that these follow.
    """

    def __init__(
        self,
        sampling: Sampling,
        cores: int,
        display: Display,
        limits: Limits,
        executor: Executor | None = None,
        before: Trace | None = None,
    ) -> None:
        super().__init__()
        self._sampling, self._cores, self._display, self._limits = sampling, cores, display, limits
        self._executor, self._before, self._enough = executor, before, "finished"
        self._begin = time.perf_counter()

    def work(self) -> None:
        sampling, seconds = self._sampling, self._limits.max_seconds
        deadline = np.inf if seconds is None else time.monotonic() + seconds
        sampling.chains.deadline = deadline
        outcome = sampling.catch_up(self._cores)
        if outcome is None:
            if sampling.news:
                self.say(f"the run goes on with other versions, {'; '.join(sampling.news)}; so far draws are equal.",
                         NbinferWarning)  # fmt: skip
            sampling.limit(deadline, self._limits.max_evals)
            sampling.chains.on_divergence, sampling.chains.on_look = self._on_divergence(), self._hand_on
            outcome = self._run_chains()
        trace = self._trace()
        trace.interrupted |= self.error is not None
        ended = self._ended(trace)
        if ended in (*Limits._fields, *_ENDS):
            trace.attrs["ended_by"] = ended
        self.result = trace
        self.error = self.error or _failure(outcome, trace, sampling)
        if self.error is None and not self.left:
            self._report(trace, ended)
        self._close(trace, ended)

    def _run_chains(self) -> Outcome:
        """Draw until that is enough, or something else ends the run."""
        try:
            outcome = self._draw()
            goal = self._sampling.goal
            while goal is not None and outcome.error is None and not outcome.interrupted and self._is_short_of(goal):
                outcome = self._draw()
        finally:
            self._sampling.chains.stop[0] = 1
            self._display.close()
        return outcome

    def _is_short_of(self, goal: Goal) -> bool:
        """Look at the draws that there are; if they are too few, make room for more, and tell so."""
        sampling, found = self._sampling, least(self._trace())
        is_enough = found.ess >= goal.ess and found.agree
        ends = is_enough or sampling.draws >= goal.most
        ess = 0.0 if np.isnan(found.ess) else found.ess
        rhat = "" if found.agree else f", R-hat {found.rhat:.3f}"
        draws = sampling.draws if ends else expected(goal, sampling.draws, ess)
        self._display.expect(sampling.tune + draws, f"ESS {math.floor(ess)} of {goal.ess:g}{rhat}")
        if ends:
            self._enough = _ENDS[0 if is_enough else 1]
            return False
        try:
            sampling.extend(next_look(goal, sampling.draws))
        except Exception as error:  # a disk is full; what there is remains
            self.error = self.error or error
            return False
        return True

    def _draw(self) -> Outcome:
        if self._executor is not None:
            from nbinfer.mcmc.elsewhere import draw_elsewhere

            return draw_elsewhere(self._sampling, self._executor, self._display)
        return self._sampling.run(self._cores, self._display)

    def _hand_on(self, last: bool = False) -> bool:
        """Have the store see what is finished; tell whether it has failed, which ends the run."""
        try:
            self._sampling.look(last)
        except Exception as error:
            self.error = self.error or error
            self._sampling.chains.on_look = None
            return True
        return False

    def _close(self, trace: Trace, ended: str) -> None:
        """Let the store know; one that was refused stays as it is."""
        if isinstance(self.error, ResumeError):
            self._sampling.store.discard()
            return
        if self._sampling.chains.on_look is not None:
            self._hand_on(last=True)
        try:
            self._sampling.close(trace, "error" if self.error else ended)
            if self._before is None:
                trace.lies_in(self._sampling.store.file)
                trace.groups |= self._sampling.store.groups_beside()
        except Exception as error:
            self.error = self.error or error

    def _trace(self) -> Trace:
        trace = self._sampling.trace(self._sampling.seconds_before + time.perf_counter() - self._begin)
        if self._before is None:
            return trace
        whole = joined([self._before, trace])
        whole.attrs |= {name: trace.attrs[name] for name in ("target_ess",) if name in trace.attrs}
        return whole

    def _ended(self, trace: Trace) -> str:
        """Say what has ended the run: "finished", the name of what has, or "interrupted"."""
        if not trace.interrupted:
            return self._enough
        if self._sampling.is_at_limit:
            return "max_evals"
        is_late = time.monotonic() > self._sampling.chains.deadline
        return "max_seconds" if is_late and not self._asked else "interrupted"

    def _report(self, trace: Trace, ended: str) -> None:
        """Say what is to be said about a trace."""
        goal = self._sampling.goal
        if goal is not None and ended in (*Limits._fields, "max_draws"):
            value = goal.most if ended == "max_draws" else getattr(self._limits, ended)
            go_on = "; nb.resume goes on" if self._sampling.store.outlives and ended != "max_draws" else ""
            said = (
                f"{ended}={value:g} has ended the run before draws='auto' had enough: {said_of(least(trace), goal.ess)}"
            )
            self.say(f"{said}{go_on}.", NbinferWarning)
        elif ended in Limits._fields:
            done = sorted({int(draws) for draws in trace.draws_done})
            count = f"{done[0]} to {done[-1]}" if len(done) > 1 else f"{done[0]}"
            most = self._sampling.store.rows_in("posterior")
            value = getattr(self._limits, ended)
            go_on = "; nb.resume goes on" if self._sampling.store.outlives else ""
            self.say(f"{ended}={value:g} has ended the run: {count} of {most} draws are there{go_on}.", NbinferWarning)
        trace.report = check(trace, model=self._sampling.model)
        for problem in trace.report.problems:
            self.say(problem.message, ConvergenceWarning)

    def stop(self) -> None:
        self._sampling.chains.stop[0] = 1

    def leave(self) -> None:
        if self.result is None:  # workers may still finish a draw that does not count
            self.result = self._trace()
        self.error = self.error or _failure(Outcome(), self.result, self._sampling)
        if self.error is None and self.result.report is None:
            self.say("interrupted before the diagnostics; nbinfer.diagnostics.check(trace) makes them", NbinferWarning)
        self._close(self.result, "interrupted")

    def _on_divergence(self) -> Callable[[int, int], bool] | None:
        def warn(chain: int, divergences: int) -> bool:
            self.say(f"chain {chain}: {divergences} divergences so far.", ConvergenceWarning)
            return False

        return warn if any(getattr(method, "on_error", "") == "warn" for method in self._sampling.methods) else None


def _failure(outcome: Outcome, trace: Trace, sampling: Sampling) -> BaseException | None:
    """Return what stopped a run, or None if that was nothing worse than Ctrl-C."""
    error = sampling.error_of(outcome)
    if error is not None:
        return error
    diverged = divergence_error(trace) if sampling.chains.stops_at_divergence else None
    if diverged is not None:
        return diverged
    if trace.interrupted and not trace.draws_done.any():
        limit = trace.attrs.get("ended_by")
        by = f" by {limit}" if limit else ""
        go_on = "; nb.resume goes on" if sampling.store.outlives else ""
        return SamplingError(
            f"stopped{by} during warm-up, before a draw was kept{go_on}. Statistics of warm-up: error.trace"
        )
    return None

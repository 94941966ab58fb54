"""A run whose units are worked on in other processes: by whatever executor the caller has.

A unit goes out as a piece of work and comes back as what it has left. If a worker dies, its units are sent again: they
are functions of what they were sent, so nothing but time is lost.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from typing import Any

import numpy as np

from nbinfer.engine.driver import Outcome
from nbinfer.engine.jobs import Jobs
from nbinfer.engine.progress import Display
from nbinfer.errors import SamplingError

_POLL = 0.05  # seconds between two looks
_GRACE = 1.0  # seconds for workers that were interrupted, too, to hand in what they have
_TRIES = 3  # times that a unit is sent

Work = Callable[[Any], Any]


def check_executor(executor: Any) -> Executor:
    """Require something that takes work; it is given some to see whether it does."""
    if isinstance(executor, type) or not callable(getattr(executor, "submit", None)):
        raise TypeError(
            "executor must be a concurrent.futures.Executor, for example ProcessPoolExecutor(), or have a submit like "
            f"one, got {executor!r}."
        )
    try:
        future = executor.submit(int)
    except RuntimeError as error:
        raise ValueError(
            f"executor must take work, and {type(executor).__name__} takes none any more ({error}); make a new one."
        ) from error
    if not isinstance(future, Future):
        raise TypeError(
            f"executor must have a submit that returns a concurrent.futures.Future; that of {type(executor).__name__} "
            f"returns {type(future).__name__}. A client of Dask has one in client.get_executor()."
        )
    return executor  # type: ignore[no-any-return]


def run_elsewhere(
    jobs: Jobs,
    executor: Executor,
    work: Work,
    pieces: Sequence[Any],
    take: Callable[[int, Any], BaseException | None],
    display: Display,
) -> Outcome:
    """Have units worked on by an executor, to the end of the run.

    Parameters
    ----------
    jobs : Jobs
        What the units are part of; their stop word and deadline hold.
    executor : Executor
    work : callable
        From a piece to what comes back; a function at the top of a module.
    pieces : sequence
        What is sent, of each unit.
    take : callable
        Given the number of a unit and what came back; returns what went wrong there, or None.
    display : Display

    Returns
    -------
    outcome : Outcome
    """
    try:
        return run_elsewhere_for_now(jobs, executor, work, pieces, take, display)
    finally:
        jobs.stop[0] = 1
        display.close()


def run_elsewhere_for_now(
    jobs: Jobs,
    executor: Executor,
    work: Work,
    pieces: Sequence[Any],
    take: Callable[[int, Any], BaseException | None],
    display: Display,
) -> Outcome:
    """Have units worked on as `run_elsewhere` does, but leave display and stop word for what comes after."""
    outcome, sent = Outcome(), _Sent(executor, work, pieces)
    try:
        sent.send_all()
        while sent.futures and not jobs.stop[0] and outcome.error is None:
            for k, future in sent.done(_POLL):  # all of them: a chain that has failed hides no other one
                error = sent.error_of(k, future) or take(k, future.result())
                outcome.error = outcome.error or error
            display.update(jobs.progress)
            if jobs.look() or time.monotonic() > jobs.deadline + _GRACE:
                jobs.stop[0] = 1
        for k, future in sent.last(_GRACE):
            take(k, future.result())
    except BaseException:
        jobs.stop[0] = 1
        raise
    finally:
        sent.close()
    return outcome


def that_travels(error: BaseException) -> BaseException:
    """Return an exception, or what stands for one that cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def unsendable(error: BaseException) -> TypeError:
    """Return what to raise where something cannot be sent."""
    return TypeError(
        f"executor sends the model to other processes, and that cannot be done: {error}. Functions must be at the top "
        "of a module, neither lambdas nor in other functions."
    )


class _Sent:
    """Units that are under way.

    Parameters
    ----------
    executor : Executor
    work : callable
    pieces : sequence
    """

    def __init__(self, executor: Executor, work: Work, pieces: Sequence[Any]) -> None:
        self._executor, self._own, self._work, self._pieces = executor, executor, work, pieces
        self._tries = np.zeros(len(pieces), np.int64)
        self.futures: dict[Future[Any], int] = {}

    def send_all(self) -> None:
        """Send each unit for the first time."""
        for k in range(len(self._pieces)):
            self._send(k)

    def done(self, seconds: float) -> list[tuple[int, Future[Any]]]:
        """Wait for some time at most; return the units that came back, and send again those whose worker has died."""
        found = []
        for future in wait(self.futures, seconds, FIRST_COMPLETED).done:
            k = self.futures.pop(future)
            if self._has_died(future) and self._tries[k] < _TRIES:
                self._send(k)
            else:
                found.append((k, future))
        return sorted(found, key=lambda pair: pair[0])

    def last(self, seconds: float) -> list[tuple[int, Future[Any]]]:
        """Send nothing more, and return the units that come back in some time."""
        running = [future for future in self.futures if not future.cancel()]
        found = [(self.futures[future], future) for future in wait(running, seconds).done if not _failed(future)]
        return sorted(found, key=lambda pair: pair[0])

    def error_of(self, k: int, future: Future[Any]) -> BaseException | None:
        """Return what a unit has failed with where it was sent, or on its way; None if it came back."""
        if self._has_died(future):
            return SamplingError(f"workers of the executor have died {_TRIES} times over the same part of the run, the "
                                 f"last time with: {future.exception()}")  # fmt: skip
        error = _failed(future)
        if error is not None and "pickle" in str(error):
            return unsendable(error)
        return error

    def close(self) -> None:
        """End the executor that took the place of a broken one."""
        for future in self.futures:
            future.cancel()
        if self._executor is not self._own:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def _send(self, k: int) -> None:
        self._tries[k] += 1
        try:
            future = self._executor.submit(self._work, self._pieces[k])
        except BrokenExecutor:
            if self._executor is not self._own:
                self._executor.shutdown(wait=False)
            self._executor = _like(self._own)
            future = self._executor.submit(self._work, self._pieces[k])
        self.futures[future] = k

    @staticmethod
    def _has_died(future: Future[Any]) -> bool:
        return isinstance(_failed(future), BrokenExecutor)


def _failed(future: Future[Any]) -> BaseException | None:
    """Return what a future that is done has failed with."""
    try:
        return future.exception()
    except CancelledError as error:
        return error


def _like(executor: Executor) -> Executor:
    """Return a pool of processes in the place of a broken one, which takes no work any more."""
    if not hasattr(executor, "_processes"):
        raise SamplingError(f"executor, a {type(executor).__name__}, has broken and takes no work any more; make a new "
                            "one.")  # fmt: skip
    from concurrent.futures import ProcessPoolExecutor

    names = ("max_workers", "mp_context", "initializer", "initargs", "max_tasks_per_child")
    options = {name: getattr(executor, f"_{name}") for name in names if hasattr(executor, f"_{name}")}
    return ProcessPoolExecutor(**options)

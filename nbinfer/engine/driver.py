"""The driver of a run: starts workers, watches them, and leaves the work to the kernels.

Workers are plain threads inside one C call each, without the GIL. They share nothing but the jobs' cache lines, so that
neither Numba's thread pool nor its state is touched and a run may start from any thread and from a forked child.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from nbinfer.arguments import MOST, count
from nbinfer.compile import address_of
from nbinfer.engine.failures import Point, is_arithmetic, replayed
from nbinfer.engine.job import Status
from nbinfer.engine.jobs import Jobs
from nbinfer.engine.progress import Display
from nbinfer.engine.team import work

_POLL = 0.05  # seconds between two looks at the run
_FIRST_POLLS = 0.002  # a short run should not wait for a long look


def available_cores() -> int:
    """Return the number of cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def cores_for(cores: Any, name: str = "cores") -> int:
    """Return on how many cores to run, checked; None is all there are."""
    if cores is None:
        return available_cores()
    count(name, cores, 1, MOST)
    return int(cores)


class Outcome:
    """How a run ended.

    Attributes
    ----------
    interrupted : bool
        Whether it stopped before its end.
    error : BaseException or None
        What stopped it, if something did: the user's own exception, or a status turned into one.
    job : int or None
        Index of the job that the error came from.
    point : Point or None
        Where it happened.
    """

    def __init__(self) -> None:
        self.interrupted = False
        self.error: BaseException | None = None
        self.job: int | None = None
        self.point: Point | None = None


def run(jobs: Jobs, until: int, cores: int, display: Display) -> Outcome:
    """Advance all jobs to piece `until`, or until their stop word is set.

    Parameters
    ----------
    jobs : Jobs
        Wired and begun.
    until : int
        Pieces to reach, warm-up included.
    cores : int
        Threads at most.
    display : Display
        Shown the progress lines.

    Returns
    -------
    outcome : Outcome
        Everything finished is where the jobs write it, whatever happened.
    """
    try:
        return run_for_now(jobs, until, cores, display)
    finally:
        jobs.stop[0] = 1
        display.close()


def run_for_now(jobs: Jobs, until: int, cores: int, display: Display) -> Outcome:
    """Advance all jobs as `run` does, but leave display and stop word for what comes after."""
    outcome = Outcome()
    team = jobs.team(until)
    threads = [
        threading.Thread(target=_work, args=(team, jobs, outcome), name=f"nbinfer-{i}", daemon=True)
        for i in range(max(1, min(cores, max(len(jobs), int(team["rows"][0])))))
    ]
    interval = _FIRST_POLLS
    try:
        threads = _started(threads)
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(min(interval, max(jobs.deadline - time.monotonic(), _FIRST_POLLS)))
            interval = min(2.0 * interval, _POLL)
            display.update(jobs.progress)
            look(jobs, outcome)
        look(jobs, outcome)
        display.update(jobs.progress)
    except BaseException:
        jobs.stop[0] = 1
        raise
    outcome.interrupted = bool((jobs.progress["done"] < until).any())
    look_at_statuses(jobs, outcome)
    return outcome


def run_here(jobs: Jobs, until: int) -> Outcome:
    """Advance all jobs to piece `until` in this thread."""
    team = jobs.team(until)
    jobs.stop[0] = 0
    work(address_of(team))
    outcome = Outcome()
    look(jobs, outcome)
    outcome.interrupted = bool((jobs.progress["done"] < until).any())
    look_at_statuses(jobs, outcome)
    return outcome


def run_alone(jobs: Jobs, advance: Callable[[int, int], int], until: int, display: Display) -> Outcome:
    """Advance one job to piece `until` in this thread, moment by moment, or until its stop word is set.

    How many pieces a moment has is found out: one at first, twice as many while they take less than `_POLL`.

    Parameters
    ----------
    jobs : Jobs
        One job, wired and begun.
    advance : callable
        Its C function.
    until : int
        Pieces to reach.
    display : Display
        Shown the progress line; it is left open.

    Returns
    -------
    outcome : Outcome
    """
    outcome = Outcome()
    address, job, pieces = address_of(jobs.state), jobs[0], 1
    while job.done < until and not jobs.stop[0] and not _failed(jobs).size:
        begin = time.monotonic()
        job.status = advance(address, min(until, int(job.done) + pieces))
        if time.monotonic() - begin < _POLL:
            pieces *= 2
        display.update(jobs.progress)
        look(jobs, outcome)
    outcome.interrupted = bool(job.done < until)
    look_at_statuses(jobs, outcome)
    return outcome


def _started(threads: list[threading.Thread]) -> list[threading.Thread]:
    """Start threads, as many as the system has; those that run do the work of all."""
    for i, thread in enumerate(threads):
        try:
            thread.start()
        except RuntimeError:
            if i == 0:
                raise
            return threads[:i]
    return threads


def _work(team: Any, jobs: Jobs, outcome: Outcome) -> None:
    """Run one worker; the arguments keep alive what its addresses lead to."""
    try:
        work(address_of(team))
    except Exception as error:  # of kernels in plain Python: others may wait for what is not done
        outcome.error = outcome.error or error
        jobs.stop[0] = 1


def _failed(jobs: Jobs) -> np.ndarray:
    """Return the jobs that a failure has ended."""
    return np.flatnonzero(jobs.every.status > Status.STOPPED)


def look(jobs: Jobs, outcome: Outcome) -> None:
    """Look for failures, for exceptions in the user's functions, and for what else is new."""
    if _failed(jobs).size:
        jobs.stop[0] = 1
    for job in jobs.bound.failed_chains if outcome.error is None else ():
        point = Point(jobs.bound.failure(job), jobs.bound.failed_discrete(job))
        error = replayed(jobs.bound, *point)
        jobs.bound.clear_failure(job)
        if error is not None and not is_arithmetic(error):
            outcome.error, outcome.job, outcome.point = error, job, point
            jobs.stop[0] = 1
            break
    try:
        stops = jobs.look()
    except Exception as error:  # those who work are to end first
        outcome.error, stops = outcome.error or error, True
    if stops or time.monotonic() > jobs.deadline:
        jobs.stop[0] = 1
    if jobs.snapshots is not None:
        jobs.snapshots.look()


def look_at_statuses(jobs: Jobs, outcome: Outcome) -> None:
    """Make an error of the first status that ended a job, unless there is one."""
    for job in map(int, _failed(jobs)[:1] if outcome.error is None else ()):
        outcome.job = job
        outcome.error, outcome.point = jobs.failure(job)

"""Progress where there is no screen: lines of a log, and a function of the user's."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from nbinfer.engine.task import place_above
from nbinfer.errors import NbinferWarning, unseen

#: Seconds between two calls of a function, at least; and before the first line, and between two.
_CALLED, _WRITTEN = 0.1, 10.0
#: Lines get rarer as a run gets longer: that part of its time until the next, so that a day has about a hundred.
_RARER = 1 / 15


class Job(NamedTuple):
    """One of the jobs of a run, such as a chain.

    Attributes
    ----------
    label : str
        What it is called: "chain 0"; nothing of what has no jobs.
    done : int
        Pieces that it has made, warm-up included.
    text : str
        What its bar would say beside that.
    """

    label: str
    done: int
    text: str


class Moment(NamedTuple):
    """How far a run is: what a function given as `progressbar` gets.

    Attributes
    ----------
    jobs : tuple of Job
        All of them, finished or not.
    total : int or None
        Pieces that each is to make; None where nobody knows.
    unit : str
        What a piece is called: "draw", "it".
    seconds : float
        Since the run began.
    last : bool
        Whether the run has ended.
    text : str
        What is said of all jobs together, such as the effective sample size of a run with ``draws="auto"``.
    """

    jobs: tuple[Job, ...]
    total: int | None
    unit: str
    seconds: float
    last: bool
    text: str = ""

    @property
    def done(self) -> int:
        """Pieces that all jobs have made together."""
        return sum(job.done for job in self.jobs)


class _Reported:
    """Hand on how far a run is, now and then, and at its end."""

    def __init__(self, total: int | None, unit: str, every: float) -> None:
        self._total, self._unit, self._began = total, unit, time.monotonic()
        self._next = self._began + every
        self._seen: Callable[[], Iterable[Job]] = tuple
        self._words = ""

    def see(self, jobs: Callable[[], Iterable[Job]]) -> None:
        """Take note of how far it is; `jobs` is asked when somebody is told."""
        self._seen = jobs
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._tell(self._moment(last=False))

    def expect(self, total: int, words: str) -> None:
        """Take note that each job is to make another number of pieces than was thought, and of what else to say."""
        self._total, self._words = total, words

    def close(self) -> None:
        """Tell how it ended."""
        self._tell(self._moment(last=True))

    def _moment(self, last: bool) -> Moment:
        seconds = time.monotonic() - self._began
        return Moment(tuple(self._seen()), self._total, self._unit, seconds, last, self._words)

    def _tell(self, moment: Moment) -> float:
        """Tell somebody; return after how many seconds it is time again."""
        raise NotImplementedError


class Called(_Reported):
    """Call a function of the user's; one that raises is not called again."""

    def __init__(self, function: Callable[[Moment], Any], total: int | None, unit: str) -> None:
        super().__init__(total, unit, 0.0)
        self._function: Callable[[Moment], Any] | None = function
        self._place = place_above()  # it is told from another thread

    def _tell(self, moment: Moment) -> float:
        if self._function is None:
            return np.inf
        try:
            self._function(moment)
        except Exception as error:
            self._function = None
            with unseen():
                warnings.warn_explicit(dropped("progressbar", error), NbinferWarning, *self._place)
        return _CALLED


class Written(_Reported):
    """Write lines to standard error: plain, flushed, none of a run that is over before the first is due."""

    def __init__(self, total: int | None, unit: str, file: Any = None) -> None:
        super().__init__(total, unit, _WRITTEN)
        self._file, self._told = file, False

    def _tell(self, moment: Moment) -> float:
        if moment.last and not self._told:
            return np.inf
        self._told = True
        try:
            file = sys.stderr if self._file is None else self._file
            file.write(f"{line_of(moment)}\n")
            file.flush()
        except Exception:  # whatever is wrong with the log, the run goes on
            return np.inf
        return rare(moment.seconds)


def dropped(name: str, error: Exception) -> str:
    """Say that what has raised an error does so no more."""
    return f"{name} raised {type(error).__name__}: {error}. It is not called again; the run goes on."


def rare(seconds: float) -> float:
    """Return how many seconds a log has rest for, after so many of the run."""
    return max(_WRITTEN, _RARER * seconds)


def head_of(moment: Moment) -> str:
    """Write how far all jobs of a run are together."""
    jobs, total = moment.jobs, (moment.total or 0) * len(moment.jobs)
    name = "" if not jobs else called_together([job.label for job in jobs]) if len(jobs) > 1 else jobs[0].label
    units = f"{moment.unit}s" if len(moment.unit) > 2 and max(total, moment.done) != 1 else moment.unit
    of_all = f" of {total}" if total else ""
    return f"{name}{': ' if name else ''}{moment.done}{of_all} {units} {time_of(moment)}"


def time_of(moment: Moment) -> str:
    """Write how long a run has taken, and may still take, and what is said of all of it."""
    text, total = f"after {_lasting(moment.seconds)}", (moment.total or 0) * len(moment.jobs)
    if total and moment.done and not moment.last:
        text += f", about {_lasting(moment.seconds * (total / moment.done - 1.0))} left"
    return f"{text}; {moment.text}" if moment.text else text


def line_of(moment: Moment) -> str:
    """Write how far a run is in one line, with what its slowest job says of itself."""
    slowest = min(moment.jobs, key=lambda job: job.done, default=Job("", 0, ""))
    text = f"{slowest.label}: {slowest.text}" if len(moment.jobs) > 1 and slowest.text else slowest.text
    return head_of(moment) + (f"; {text}" if text else "")


def called_together(labels: Sequence[str]) -> str:
    """Return what jobs are called together: "4 chains" of "chain 0" to "chain 3"."""
    return f"{len(labels)} {labels[0].split()[0]}s"


def _lasting(seconds: float) -> str:
    """Write a time: with two digits where it is short, and in minutes or hours where it is long."""
    for size, unit, from_ in ((3600.0, "h", 7200.0), (60.0, "min", 300.0)):
        if seconds >= from_:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.2g} s" if seconds < 9.5 else f"{seconds:.0f} s"


class Reports:
    """The display of a run that hands on what its jobs say of themselves.

    Parameters
    ----------
    to : Called or Written
    labels : sequence of str
        What each job is called.
    describe : callable
        From a progress line to a few words.
    """

    def __init__(self, to: Called | Written, labels: Sequence[str], describe: Callable[[Any], str]) -> None:
        self._to, self._labels, self._describe = to, labels, describe

    def update(self, progress: np.ndarray) -> None:
        """Take note of all progress lines."""
        self._to.see(lambda: self._jobs(progress))

    def expect(self, total: int, words: str) -> None:
        """Take note that each job is to make another number of pieces than was thought, and of what else to say."""
        self._to.expect(total, words)

    def close(self) -> None:
        """Tell how it ended."""
        self._to.close()

    def _jobs(self, progress: np.ndarray) -> Iterable[Job]:
        for label, line in zip(self._labels, progress, strict=True):
            yield Job(label, int(line["done"]), self._describe(line))


class ReportsOfAll(Reports):
    """The display of a run of many jobs, which are told of as one: as far as the slowest of them.

    Parameters
    ----------
    to : Called or Written
    label : str
        What they are called together.
    describe : callable
        From all progress lines to a few words.
    """

    def __init__(self, to: Called | Written, label: str, describe: Callable[[np.ndarray], str]) -> None:
        super().__init__(to, [label], describe)

    def _jobs(self, progress: np.ndarray) -> Iterable[Job]:
        yield Job(self._labels[0], int(progress["done"].min()), self._describe(progress))


class Counts:
    """What `Counter` is, without a screen."""

    def __init__(self, to: Called | Written) -> None:
        self._to = to

    def update(self, count: int, text: str) -> None:
        """Take note of a count, and a text beside it."""
        self._to.see(lambda: [Job("", count, text)])

    def close(self) -> None:
        """Tell how it ended."""
        self._to.close()

"""A run that has begun is never lost: to Ctrl-C at any line, other signals, warnings as errors, functions that hang."""

import contextvars
import dataclasses
import os
import signal
import sys
import threading
import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.engine.task import Task, finished
from nbinfer.errors import ConvergenceWarning, NbinferWarning, SamplingError
from tests.engine.interrupts import Presses
from tests.mcmc.models import eight_schools

pytestmark = pytest.mark.usefixtures("listening")


def press(times=1):
    for _ in range(times):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


# Every line of a run


def eight(**options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nb.sample(eight_schools(), 40, 20, chains=2, random_seed=7, progressbar=False, **options)


def outcome(presses, whole):
    """Run with presses and tell what came of it; anything but a loss is checked against the whole run."""
    with presses:
        try:
            trace, said = eight(), "trace"
        except SamplingError as error:
            trace, said = error.trace, "nothing drawn"
        except KeyboardInterrupt:
            return "lost"
    missing = trace.draws_done < 40
    assert trace.interrupted == missing.any()
    assert (said == "nothing drawn") == (not trace.draws_done.any())
    for chain, done in enumerate(trace.draws_done):
        np.testing.assert_array_equal(trace["eta"][chain, :done], whole["eta"][chain, :done])
    return said


@pytest.mark.nojit
@pytest.mark.parametrize("every", [24, pytest.param(1, marks=pytest.mark.slow)])
def test_ctrl_c_at_any_line_after_the_start_keeps_the_draws(every):
    whole = eight()
    with Presses() as seen:
        eight()
    places = list(seen.places)
    assert len(places) >= 150, "the tracer is blind"
    files = {text.split(":")[0] for _, text in places}
    assert files >= {"/engine/task.py", "/engine/driver.py", "/trace/trace.py", "/diagnostics/report.py"}
    tried, lost = 0, []
    for i, place in enumerate(places[::every]):
        ways = [(1, 1), (3, 1), (3, 3)] if place[0] else [((1, 1), (3, 1))[i % 2]]
        for times, gap in ways:
            presses = Presses(place, times, gap)
            if outcome(presses, whole) == "lost":
                lost.append((place, times, gap))
            tried += presses.hit
    assert not lost
    assert tried >= 150 / every


# What a task keeps


class Plain(Task):
    """Work in plain Python; `worth` is what it has at any time."""

    def __init__(self, work, worth="draws"):
        super().__init__()
        self.function, self.worth, self.stopped = work, worth, threading.Event()

    def work(self):
        self.result = self.function(self)

    def stop(self):
        self.stopped.set()

    def leave(self):
        self.result = self.result or self.worth


def until_stopped(task):
    task.stopped.wait(60)
    return "what is finished"


def test_the_result_is_returned_and_no_thread_stays():
    assert finished(Plain(lambda task: 7)) == 7
    assert not [t for t in threading.enumerate() if t.name == "nbinfer-run"]


def test_one_press_ends_the_work():
    assert finished(Plain(lambda task: press() or until_stopped(task))) == "what is finished"


@pytest.mark.parametrize("times", [2, 3, 5])
def test_more_presses_leave_work_that_hangs(times):
    free = threading.Event()

    def hang(task):
        press()
        task.stopped.wait(60)
        press(times - 1)
        free.wait(60)

    assert finished(Plain(hang)) == "draws"
    free.set()


def test_a_press_before_the_start_is_nobodys_business(monkeypatch):
    task = Plain(lambda task: 7)
    monkeypatch.setattr(task._thread, "start", lambda: press() or signal.sigtimedwait([], 1))
    with pytest.raises(KeyboardInterrupt):
        finished(task)
    assert task.stopped.is_set()


@pytest.mark.parametrize("kind", [TimeoutError, SystemExit])
def test_what_another_signal_raises_comes_with_the_draws(kind):
    def handler(*_):
        raise kind("late")

    def work(task):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        return until_stopped(task)

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with pytest.raises(kind, match="late") as caught:
            finished(Plain(work))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert caught.value.trace == "what is finished"


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    code: int


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), SystemExit(3), Frozen(2)], ids=repr)
def test_an_error_of_the_work_comes_with_what_is_finished(error):
    def work(task):
        raise error

    with pytest.raises(type(error)) as caught:
        finished(Plain(work))
    assert caught.value is error
    assert caught.value.trace == "draws"


def saying(task):
    task.say("odd", ConvergenceWarning)
    task.say("odd", ConvergenceWarning)
    return "whole"


def test_warnings_are_issued_once_at_the_callers_line():
    with pytest.warns(ConvergenceWarning, match="odd") as caught:
        assert finished(Plain(saying)) == "whole"
    (warning,) = caught
    assert warning.filename == __file__


def test_warnings_of_a_run_within_the_package_are_at_the_users_line():
    names = {"finished": finished, "Plain": Plain, "saying": saying, "__name__": "nbinfer.predictive.prior"}
    exec("def ours():\n    return finished(Plain(saying))", names)
    with pytest.warns(ConvergenceWarning, match="odd") as caught:
        names["ours"]()
    assert caught[0].filename == __file__


def test_a_warning_that_is_an_error_comes_with_the_draws():
    with pytest.raises(ConvergenceWarning, match="odd") as caught:
        finished(Plain(saying))
    assert caught.value.trace == "whole"


def test_a_hook_that_fails_ends_nothing(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("main thread is not in main loop")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", fail)
        assert finished(Plain(saying)) == "whole"


def test_the_work_sees_the_callers_context():
    var = contextvars.ContextVar("var", default=0)
    var.set(5)
    with np.errstate(divide="raise"):
        assert finished(Plain(lambda task: (var.get(), np.geterr()["divide"]))) == (5, "raise")


def test_it_works_in_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(finished(Plain(lambda task: 7))))
    thread.start()
    thread.join()
    assert found == [7]


@pytest.mark.nojit  # long as plain Python
def test_ctrl_c_in_the_diagnostics_keeps_the_draws(monkeypatch):
    room = sys.modules["nbinfer.mcmc.running"]
    check, free = room.check, threading.Event()

    def pressed(trace, **options):
        press()
        free.wait(60)
        return check(trace, **options)

    monkeypatch.setattr(room, "check", pressed)
    with pytest.warns(NbinferWarning, match="before the diagnostics"):
        trace = nb.sample(eight_schools(), 20, 20, chains=2, random_seed=7, progressbar=False)
    assert np.isfinite(trace["eta"]).all()
    assert not trace.interrupted
    assert trace.report is None
    free.set()


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("refused", ["nbinfer-1", "nbinfer-0"])
def test_a_system_without_threads_to_spare(refused, monkeypatch):
    """One worker does the work of all; without any, the error says so and has the trace."""
    whole, start = eight(cores=2), threading.Thread.start

    def limited(thread):
        if thread.name == refused:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    if refused == "nbinfer-1":
        assert eight(cores=2)["eta"].tobytes() == whole["eta"].tobytes()
    else:
        with pytest.raises(RuntimeError, match="new thread") as caught:
            eight(cores=2)
        assert caught.value.trace.interrupted


class Hangs:
    """A density in Python that stops answering, as a server may."""

    def __init__(self, after):
        self.calls, self.after, self.free = 0, after, threading.Event()

    def __call__(self, x):
        self.calls += 1
        if self.calls == self.after:
            press()
            while not self.free.wait(0.2) and self.calls == self.after:
                press()
        return -0.5 * float(x @ x)


def test_a_density_that_hangs_is_left_behind():
    density = Hangs(after=400)
    model = nb.Model.flat(density, dim=2, compile=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trace = nb.sample(model, 1000, 10, step=nb.Metropolis(), chains=1, random_seed=1, progressbar=False)
    density.free.set()
    assert trace.interrupted
    assert trace.report is None
    done = trace.draws_done[0]
    assert 0 < done < 1000
    assert np.isfinite(trace["x"][0, :done]).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_of_a_fork_runs_tasks():
    finished(Plain(lambda task: 7))
    child = os.fork()
    if child == 0:
        os._exit(finished(Plain(lambda task: 7)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7

"""When a view looks, what it may cost, and what happens if it fails."""

import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.engine.progress import Silent
from nbinfer.engine.task import Task, finished
from nbinfer.errors import NbinferWarning
from nbinfer.live import display
from nbinfer.live.asked import Asked
from nbinfer.live.display import Live
from tests.mcmc.models import eight_schools


class Time:
    """A clock, a processor that is busy only where a view draws, and the share that others leave to the process."""

    def __init__(self, monkeypatch, share=1.0):
        self.now = self.busy = 100.0
        monkeypatch.setattr(display.time, "process_time", lambda: share * self.now)
        monkeypatch.setattr(display.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(display.time, "thread_time", lambda: self.busy)


class View:
    """One whose scenes take so long."""

    def __init__(self, clock, takes, waits=False, fails=None):
        self.clock, self.takes, self.waits, self.fails = clock, takes, waits, fails
        self.cost, self.shown, self.is_seen = 0.0, [], True

    def begin(self, scene):
        self.cost = self.takes

    def show(self, scene, last):
        if self.fails is not None:
            raise self.fails
        self.clock.now += self.takes
        self.clock.busy += self.takes
        self.shown.append((scene, last))

    def idle(self):
        return self.is_seen

    def pause(self, seconds):
        return 0.1


class Waiting(Task):
    def __init__(self):
        super().__init__()
        self.said = []

    def say(self, message, category):
        self.said.append(message)


def lines(*done):
    found = np.zeros(len(done), [("done", "i8")])
    found["done"] = done
    return found


def scene_of(progress):
    return int(progress["done"].max())


def watched(view, **options):
    live, task = Live(Silent(), scene_of, view, Asked("log", **options)), Waiting()
    live.attend(task, lines(0, 0))
    return live, task


def ran(live, clock, seconds, each=1):
    """Run for so long, with a draw every hundredth of a second."""
    began, done = clock.now, 0
    while clock.now < began + seconds:
        done += each
        live.update(lines(done, done // 2))
        clock.now += 0.01
    live.close()
    live.meanwhile()
    return clock.now - began


@pytest.mark.parametrize("share", [1.0, 0.1])
@pytest.mark.parametrize("takes", [0.0001, 0.01, 0.3])
def test_a_view_takes_less_than_two_percent(takes, share, monkeypatch):
    clock = Time(monkeypatch, share)
    view = View(clock, takes)
    live, _ = watched(view, refresh_every=1)
    seconds = ran(live, clock, 200.0)
    while_it_ran = len(view.shown) - 1
    assert while_it_ran * takes < 0.02 * seconds * share
    assert while_it_ran >= min(200.0 / 0.12, 200.0 * share / (70.0 * takes)) - 1


def test_it_looks_every_so_many_iterations_and_once_at_the_end(monkeypatch):
    clock = Time(monkeypatch)
    view = View(clock, 0.0)
    live, _ = watched(view, refresh_every=100, skip_first=250)
    ran(live, clock, 10.0)
    seen = [scene for scene, _ in view.shown]
    assert seen[0] == 251
    assert min(np.diff(seen[:-1])) >= 100
    assert [last for _, last in view.shown] == [False] * (len(seen) - 1) + [True]
    assert seen[-1] == 1000


def test_pictures_are_for_the_thread_that_waits(monkeypatch):
    clock = Time(monkeypatch)
    view = View(clock, 0.0, waits=True)
    live, task = watched(view, refresh_every=1)
    for done in range(1, 50):
        live.update(lines(done))
        clock.now += 0.05
    assert view.shown == []
    task.meanwhile()
    assert view.shown == [(49, False)]
    live.close()
    assert len(view.shown) == 1
    task.meanwhile()
    task.meanwhile()
    assert view.shown == [(49, False), (49, True)]


def test_one_that_raises_is_dropped_with_one_warning(monkeypatch):
    clock = Time(monkeypatch)
    view = View(clock, 0.0, fails=ValueError("no ink"))
    live, task = watched(view, refresh_every=1)
    ran(live, clock, 5.0)
    assert task.said == ["live_plot raised ValueError: no ink. It is not called again; the run goes on."]


def test_whoever_has_seen_enough_is_left_alone(monkeypatch):
    clock = Time(monkeypatch)
    view = View(clock, 0.0)
    live, _ = watched(view, refresh_every=1)
    view.is_seen = False
    live.update(lines(1))
    ran(live, clock, 1.0)
    assert view.shown == []


def test_the_waiting_thread_does_what_it_is_asked_to():
    class Work(Task):
        def work(self):
            self.result = "done"

    called, task = [], Work()
    task.meanwhile = lambda: called.append(task.result)
    assert finished(task) == "done"
    assert called[-1] == "done"


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("place", ["log", "terminal", "notebook"])
def test_a_view_that_fails_ends_no_run(place, monkeypatch):
    def broken(*_):
        raise RuntimeError("no view of mine")

    monkeypatch.setattr("nbinfer.live.draws.Draws.__call__", broken)
    monkeypatch.setattr("nbinfer.live.asked._place", lambda *_: place)
    options = dict(chains=2, random_seed=3, progressbar=False)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        trace = nb.sample(eight_schools(), 20, 10, live_plot=True, **options)
    said = [w for w in found if "live_plot raised RuntimeError: no view of mine" in str(w.message)]
    assert [w.category for w in said] == [NbinferWarning]
    assert said[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = nb.sample(eight_schools(), 20, 10, **options)
    assert trace["eta"].tobytes() == whole["eta"].tobytes()

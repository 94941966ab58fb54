"""Progress without a screen: lines that a log can hold, and functions that are told."""

import io
import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.engine import reported
from nbinfer.engine.chain import Progress
from nbinfer.engine.chains import display_of_chains
from nbinfer.engine.progress import counter_for, display_for
from nbinfer.engine.reported import Called, Counts, Job, Moment, Reports, Written, line_of
from nbinfer.errors import NbinferWarning
from tests.mcmc.models import eight_schools


class Clock:
    """Time that passes when it is told to."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(reported.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def progress(*done):
    lines = np.zeros(len(done), Progress)
    lines["done"], lines["gradients"], lines["step_size"] = done, np.multiply(done, 7), 0.5
    return lines


def written(clock, file, seconds, every, **sizes):
    """Write lines of a run that takes so long, and is looked at so often."""
    display = Reports(Written(100, "draw", file), ["chain 0", "chain 1"], lambda line: f"at {line['done']}")
    began = clock.now
    while clock.now < began + seconds:
        share = (clock.now - began) / seconds
        display.update(progress(int(100 * share), int(50 * share)))
        clock.now += every
    display.update(progress(100, 100))
    display.close()
    return file.getvalue()


def test_lines_are_plain_and_at_most_every_ten_seconds(clock):
    text = written(clock, io.StringIO(), 61.0, 0.05)
    rows = text.splitlines()
    assert not set(text) & {"\r", "\x1b", "\b"}
    assert rows[0].startswith("2 chains: 24 of 200 draws after 10 s, about 74 s left; chain 1: at 8")
    assert rows[-1] == "2 chains: 200 of 200 draws after 61 s; chain 0: at 100"
    assert len(rows) == 7
    assert text.endswith("\n")


def test_a_short_run_writes_nothing(clock):
    assert written(clock, io.StringIO(), 9.9, 0.05) == ""


def test_a_day_has_about_a_hundred_lines(clock):
    assert 80 < len(written(clock, io.StringIO(), 86400.0, 5.0).splitlines()) < 130


def test_lines_are_flushed(clock):
    class Log(io.StringIO):
        flushed = 0

        def flush(self):
            self.flushed += 1

    log = Log()
    text = written(clock, log, 35.0, 1.0)
    assert log.flushed == len(text.splitlines()) == 4


def test_a_log_that_fails_is_left_alone(clock):
    class Full(io.StringIO):
        tries = 0

        def write(self, text):
            self.tries += 1
            raise OSError(28, "No space left on device")

    log = Full()
    written(clock, log, 100.0, 1.0)
    assert log.tries <= 2


def test_what_a_line_says():
    jobs = (Job("chain 3", 40, "warm-up"),)
    assert line_of(Moment(jobs, 100, "draw", 20.0, False)) == (
        "chain 3: 40 of 100 draws after 20 s, about 30 s left; warm-up"
    )
    counted = Moment((Job("", 7, "logp -2"),), None, "evaluation", 3.0, False)
    assert line_of(counted) == "7 evaluations after 3 s; logp -2"
    assert line_of(Moment((Job("ADVI", 0, ""),), 9, "it", 12.0, False)) == "ADVI: 0 of 9 it after 12 s"


@pytest.mark.parametrize("chains", [1, 3, 20])
def test_a_run_that_gets_longer_says_so_once(chains, clock):
    file = io.StringIO()
    display = display_for(
        True, [f"chain {i}" for i in range(chains)], 100, "draw", lambda line: "fine", lambda _: "all"
    )
    display._to = Written(100, "draw", file)
    display.update(progress(*[40] * chains))
    display.expect(250, "ESS 90 of 400")
    clock.now += 10.0
    display.update(progress(*[100] * chains))
    (row,) = file.getvalue().splitlines()
    many = f"{chains} chains: {100 * chains} of {250 * chains}"
    head = {1: "chain 0: 100 of 250", 20: "20 chains: 100 of 250"}.get(chains, many)
    tail = {1: "fine", 3: "chain 0: fine", 20: "all"}[chains]
    assert row == f"{head} draws after 10 s, about 15 s left; ESS 90 of 400; {tail}"


def test_a_function_is_told(clock):
    told = []
    display = Reports(Called(told.append, 100, "draw"), ["chain 0", "chain 1"], lambda line: "words")
    for done in range(0, 100, 10):
        display.update(progress(done, done))
        clock.now += 0.04
    display.update(progress(100, 90))
    display.close()
    assert [moment.last for moment in told] == [False] * (len(told) - 1) + [True]
    assert len(told) == 5  # every tenth of a second, and the end
    assert told[-1].jobs == (Job("chain 0", 100, "words"), Job("chain 1", 90, "words"))
    assert (told[-1].done, told[-1].total, told[-1].unit) == (190, 100, "draw")
    assert told[-1].seconds == pytest.approx(0.4)


def test_a_function_that_raises_is_dropped():
    calls = []

    def function(moment):
        calls.append(moment)
        raise ValueError("not today")

    display = Reports(Called(function, 10, "draw"), ["chain 0"], lambda line: "")
    with pytest.warns(NbinferWarning, match="progressbar raised ValueError: not today. It is not called again"):
        display.update(progress(1))
    display.update(progress(2))
    display.close()
    assert len(calls) == 1


def test_counters_without_a_screen():
    told = []
    counter = counter_for(told.append, "evaluation")
    assert isinstance(counter, Counts)
    counter.update(3, "logp -1")
    counter.close()
    assert told[-1].jobs == (Job("", 3, "logp -1"),)
    assert told[-1].total is None
    assert isinstance(counter_for(True, "evaluation"), Counts)


def test_a_function_stands_above_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    display = display_of_chains(lambda moment: None, [0], 10, 20)
    display.update(progress(3))
    display.close()
    assert screen.getvalue() == ""


@pytest.mark.nojit  # long as plain Python
def test_runs_and_fits_tell_and_are_the_same():
    model, told = eight_schools(), []
    options = dict(chains=2, random_seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = nb.sample(model, 20, 10, progressbar=False, **options)
        trace = nb.sample(model, 20, 10, progressbar=told.append, **options)
        assert told[-1].done == 60
        assert told[-1].last
        broken = nb.sample(model, 20, 10, progressbar=lambda: None, **options)
        nb.find_map(model, progressbar=told.append)
        assert told[-1].unit == "evaluation"
        nb.fit(20, model=model, random_seed=1, progressbar=told.append)
    assert told[-1].done == told[-1].total == 20
    assert trace["eta"].tobytes() == broken["eta"].tobytes() == whole["eta"].tobytes()


@pytest.mark.parametrize("wrong", ["yes", 1, None])
def test_what_is_no_function(wrong):
    with pytest.raises(TypeError, match="progressbar must be True or False, or a function that is told of progress"):
        nb.sample(eight_schools(), 10, 10, progressbar=wrong)

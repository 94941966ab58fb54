"""The display: all chains on a terminal, not a character elsewhere."""

import io
import sys
import threading
import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.engine.chain import Progress
from nbinfer.engine.chains import describe, describe_all, display_of_chains
from nbinfer.engine.progress import Bars, Counter, OneBar, Silent, counter_for
from nbinfer.engine.reported import Reports
from tests.mcmc.models import eight_schools


def lines(*rows):
    progress = np.zeros(len(rows), Progress)
    for line, (draw, gradients, divergences, step_size) in zip(progress, rows, strict=True):
        line["done"], line["gradients"], line["divergences"], line["step_size"] = (
            draw,
            gradients,
            divergences,
            step_size,
        )
    return progress


def bars_of_chains(numbers, tune, total, file):
    return Bars([f"chain {n}" for n in numbers], total, "draw", lambda line: describe(line, tune), file)


def test_a_line_says_phase_divergences_step_size_and_cost():
    warm, later = lines((50, 500, 0, 0.25), (150, 1050, 3, 0.5))
    assert describe(warm, 100) == "warm-up, step 0.25, 10.0 gradients/draw"
    assert describe(later, 100) == "3 divergences, step 0.5, 7.0 gradients/draw"


def test_draws_that_a_settled_chain_did_not_need_cost_nothing():
    (line,) = lines((150, 350, 0, 0.5))
    line["skipped"] = 80
    assert describe(line, 100) == "0 divergences, step 0.5, 5.0 gradients/draw"


def test_all_chains_are_shown():
    screen = io.StringIO()
    bars = bars_of_chains([3, 4], tune=100, total=200, file=screen)
    bars.update(lines((50, 500, 0, 0.25), (150, 1050, 3, 0.5)))
    bars.update(lines((200, 1400, 1, 0.25), (200, 1400, 3, 0.5)))
    bars.close()
    shown = screen.getvalue()
    assert "chain 3" in shown
    assert "chain 4" in shown
    assert "200/200" in shown
    assert "3 divergences" in shown


def test_off_is_not_a_byte(capsys):
    display = display_of_chains(False, [0], 10, 20)
    assert isinstance(display, Silent)
    display.update(lines((5, 5, 0, 0.1)))
    display.close()
    assert capsys.readouterr() == ("", "")


def test_a_short_run_writes_no_line(capsys):
    display = display_of_chains(True, [0], 10, 20)
    assert isinstance(display, Reports)
    display.update(lines((5, 5, 0, 0.1)))
    display.close()
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_bars(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", Terminal())
    for chains, kind in ((16, Bars), (17, OneBar)):
        display = display_of_chains(True, range(chains), 10, 20)
        assert isinstance(display, kind)
        display.close()


def test_many_chains_have_one_bar():
    screen = io.StringIO()
    bar = OneBar("1000 chains", 200, "draw", lambda progress: describe_all(progress, 100), screen)
    bar.update(lines((50, 500, 0, 0.25), (150, 1050, 3, 0.5)))
    bar.close()
    shown = screen.getvalue()
    assert "1000 chains" in shown
    assert "50/200" in shown
    assert "1 in warm-up, mean 100, 3 divergences, step 0.38, 7.8 gradients/draw" in shown


def test_bars_that_end_elsewhere_say_why_to_their_end():
    file = io.StringIO()
    bars = Bars(["chain 0", "chain 1"], 30, "draw", lambda line: "fine", file)
    bars.update(np.array([(30,), (29,)], [("done", "i8")]))
    bars.expect(60, "ESS 90 of 400")
    bars.update(np.array([(60,), (60,)], [("done", "i8")]))
    bars.expect(60, "ESS 410 of 400")
    bars.close()
    first, second = file.getvalue().split("\r")[-2:]
    assert "60/60" in first
    assert "ESS 410 of 400, fine" in first
    assert "60/60" in second
    assert "ESS" not in second


def test_a_counter_counts_on_one_line(capsys):
    screen = io.StringIO()
    counter = Counter("evaluation", file=screen)
    counter.update(3, "logp -2")
    counter.update(8, "logp -1")
    counter.close()
    assert "8evaluation" in screen.getvalue()
    assert "logp -1" in screen.getvalue()
    silent = counter_for(True, "evaluation")
    silent.update(3, "logp -2")
    silent.close()
    assert capsys.readouterr() == ("", "")


# The screen never ends a run


class Minimal:
    """A stream as hosts of embedded Python have it."""

    def write(self, text):
        return len(text)

    def flush(self):
        pass


class Terminal(Minimal):
    def __init__(self, error=None, after=0):
        self.error, self.left = error, after

    def isatty(self):
        return True

    def write(self, text):
        self.left -= 1
        if self.error is not None and self.left < 0:
            raise self.error
        return len(text)


class Unsure(Minimal):
    def isatty(self):
        raise OSError("no such device")


class Unflushed(Terminal):
    def flush(self):
        raise BrokenPipeError(32, "Broken pipe")


class Unencoded(Terminal):
    @property
    def encoding(self):
        raise RuntimeError("no encoding")


class Ascii(Terminal):
    encoding = "ascii"

    def write(self, text):
        return len(text.encode("ascii"))


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


def closing():
    stream = io.StringIO()
    stream.isatty = lambda: stream.close() or True
    return stream


ERRORS = [
    OSError(28, "No space left on device"),
    BrokenPipeError(32, "Broken pipe"),
    ValueError("I/O operation on closed file"),
    ValueError("something else"),
    UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range(128)"),
    RuntimeError("main thread is not in main loop"),
    AttributeError("'NoneType' object has no attribute 'write'"),
]
SCREENS = {
    "none": lambda: None,
    "an object": object,
    "minimal": Minimal,
    "closed": closed,
    "closing": closing,
    "unsure": Unsure,
    "unflushed": Unflushed,
    "unencoded": Unencoded,
    "ascii": Ascii,
} | {
    f"{type(error).__name__} {i} after {n}": lambda error=error, n=n: Terminal(error, n)
    for i, error in enumerate(ERRORS)
    for n in (0, 1, 2, 5, 8)
}


@pytest.mark.either
@pytest.mark.parametrize("screen", SCREENS)
def test_no_screen_ends_a_run(screen, monkeypatch):
    monkeypatch.setattr(sys, "stderr", SCREENS[screen]())
    monkeypatch.setattr("nbinfer.engine.progress._REDRAW", 0.0)
    display = display_of_chains(True, [0, 1, 2], 100, 200)
    counter = counter_for(True, "evaluation")
    for draw in (50, 120, 200):
        display.update(lines(*[(draw, 500, 0, 0.25)] * 3))
        counter.update(draw, "logp -1")
    display.close()
    counter.close()
    free = []
    thread = threading.Thread(target=lambda: free.append(tqdm_lock()))
    thread.start()
    thread.join()
    assert free == [True], "tqdm stays locked for every other bar"


def tqdm_lock():
    """Tell whether tqdm can be used from this thread."""
    from tqdm import tqdm

    locks = tqdm.get_lock().locks
    held = [lock for lock in locks if lock.acquire(timeout=0.1)]
    for lock in held:
        lock.release()
    return len(held) == len(locks)


def test_a_screen_without_tqdm_stays_dark(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setitem(sys.modules, "tqdm", None)
    display = display_of_chains(True, [0], 100, 200)
    display.update(lines((50, 500, 0, 0.25)))
    display.close()


def test_a_bar_that_fails_halfway_says_nothing_more(monkeypatch):
    """Not even when it is collected, where nobody could catch what it raises."""
    monkeypatch.setattr("nbinfer.engine.progress._REDRAW", 0.0)
    terminal = Terminal()
    bars = bars_of_chains([0, 1], 100, 200, file=terminal)
    terminal.error = OSError(28, "No space left on device")
    bars.update(lines((50, 500, 0, 0.25), (50, 500, 0, 0.25)))
    terminal.error, terminal.left = None, 0
    bars.update(lines((90, 500, 0, 0.25), (90, 500, 0, 0.25)))
    bars.close()
    del bars
    assert terminal.left == 0


@pytest.mark.nojit  # long as plain Python
@pytest.mark.filterwarnings("default::nbinfer.errors.ConvergenceWarning")
def test_draws_are_the_same_on_a_broken_screen(monkeypatch):
    options = dict(chains=2, random_seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = nb.sample(eight_schools(), 20, 10, progressbar=False, **options)
    for name in ("none", "closed", "OSError 0 after 2", "ValueError 2 after 0", "UnicodeEncodeError 4 after 5"):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", SCREENS[name]())
            patch.setattr(warnings, "showwarning", _python_shows)
            trace = nb.sample(eight_schools(), 20, 10, **options)  # it has warnings to show, too
        assert trace["eta"].tobytes() == whole["eta"].tobytes()
        assert not trace.report.ok


def _python_shows(message, category, filename, lineno, file=None, line=None):
    """Write to the screen as Python does; pytest replaces this."""
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))

"""The display: all chains on a terminal, not a character elsewhere."""

import io

import numpy as np
import pytest

from nbinfer.mcmc.chain import Progress
from nbinfer.mcmc.progress import Bars, Counter, Silent, counter_for, describe, display_for


def lines(*rows):
    progress = np.zeros(len(rows), Progress)
    for line, (draw, gradients, divergences, step_size) in zip(progress, rows, strict=True):
        line["draw"], line["gradients"], line["divergences"], line["step_size"] = (
            draw,
            gradients,
            divergences,
            step_size,
        )
    return progress


def test_a_line_says_phase_divergences_step_size_and_cost():
    warm, later = lines((50, 500, 0, 0.25), (150, 1050, 3, 0.5))
    assert describe(warm, 100) == "warm-up, step 0.25, 10.0 gradients/draw"
    assert describe(later, 100) == "3 divergences, step 0.5, 7.0 gradients/draw"


def test_all_chains_are_shown():
    screen = io.StringIO()
    bars = Bars([3, 4], tune=100, total=200, file=screen)
    bars.update(lines((50, 500, 0, 0.25), (150, 1050, 3, 0.5)))
    bars.update(lines((200, 1400, 1, 0.25), (200, 1400, 3, 0.5)))
    bars.close()
    shown = screen.getvalue()
    assert "chain 3" in shown
    assert "chain 4" in shown
    assert "200/200" in shown
    assert "3 divergences" in shown


@pytest.mark.parametrize("wanted", [True, False])
def test_nothing_is_shown_where_nobody_looks(wanted, capsys):
    display = display_for(wanted, [0], 10, 20)
    assert isinstance(display, Silent)
    display.update(lines((5, 5, 0, 0.1)))
    display.close()
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_bars(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", Terminal())
    display = display_for(True, [0], 10, 20)
    assert isinstance(display, Bars)
    display.close()


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

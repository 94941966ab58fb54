"""What a trace prints: one screen, with what matters."""

import numpy as np

import nbinfer.diagnostics
from nbinfer.trace import Trace
from tests.trace.helpers import make

EQUAL, RAGGED = [10, 10, 10], [10, 7, 4]


def test_repr_fits_on_a_screen_and_says_what_matters():
    arrays = {f"v{i}": np.zeros((4, 100, i + 1)) for i in range(300)}
    trace = Trace(arrays, {"lp": np.zeros((4, 100))}, tune_done=[50] * 4, attrs={"seed": 1})
    trace.report = f"1 problem found:\n- 12 of 400 draws diverged. {'Words. ' * 20}\nA note."
    text = str(trace)
    assert "4 chains × 100 draws, after 50 of warm-up (not kept)" in text
    assert "v3 " in text
    assert "(4,)" in text
    assert "280 more variables" in text
    *_, head, problem, rest = text.splitlines()
    assert (head, problem[:27], rest[:4]) == ("1 problem found:", "- 12 of 400 draws diverged.", "  Wo")
    assert "<li>12 of 400 draws diverged." in trace._repr_html_()
    assert len(text.splitlines()) <= 30
    assert max(map(len, text.splitlines())) <= 100


def test_repr_says_how_far_each_chain_came():
    text = repr(make(done=RAGGED, interrupted=True, tune=4))
    assert "3 chains × up to 10 draws, after 4 of warm-up (kept)" in text
    assert "Interrupted: draws 10 (chain 0), 7 (chain 1), 4 (chain 2)" in text
    assert "Unequal chains" in repr(make(done=RAGGED))
    own = Trace({"mu": np.zeros((2, 5))}, tune_done=[30, 31])
    assert "2 chains × 5 draws, after 30 to 31 of warm-up" in repr(own)
    assert "Interrupted" not in repr(make())
    in_warmup = Trace({"mu": np.full((2, 5), np.nan)}, draws_done=[0, 0], tune_done=[30, 31], interrupted=True)
    assert "Interrupted: warm-up iterations 30 (chain 0), 31 (chain 1)" in repr(in_warmup)
    many = Trace({"mu": np.zeros((50, 5))}, draws_done=[5] * 49 + [2], interrupted=True)
    assert "between 2 and 5 draws a chain" in repr(many)
    assert "(numbers 4, 5)" in repr(make(chains=2, first_chain=4))
    assert "1 chain × 1 draw\n" in repr(make(chains=1, draws=1))


def test_html_is_escaped():
    trace = Trace({"<b>": np.zeros((1, 2))}, {"a&b": np.zeros((1, 2))})
    html = trace._repr_html_()
    assert "&lt;b&gt;" in html
    assert "a&amp;b" in html
    assert "<b>" not in html


def test_summary_is_that_of_the_diagnostics(monkeypatch):
    monkeypatch.setattr(nbinfer.diagnostics, "summary", lambda *args, **kwargs: (args, kwargs), raising=False)
    trace = make()
    assert trace.summary(digits=3) == ((trace,), {"digits": 3})

"""Ctrl-C at any line of a fit returns the approximation as it is then, and the fit can go on."""

import warnings

import numpy as np
import pytest

import nbinfer as nb
from tests.engine.interrupts import Presses
from tests.variational.targets import several


def callback(approx, losses, i):
    """Have the fit come up to Python now and then."""


callback.every = 40


def run():
    inference = nb.ADVI(model=several(), random_seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        approx = inference.fit(100, callbacks=[callback], progressbar=False)
    return inference, approx


def outcome(presses, whole):
    """Run with presses; tell whether the fit was lost. What is not is checked against the whole one."""
    with presses:
        try:
            inference, approx = run()
        except KeyboardInterrupt:
            return "lost"
    done = len(approx.hist)
    np.testing.assert_array_equal(approx.hist, whole.hist[:done])
    if done < 100:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inference.refine(100 - done, progressbar=False)
    np.testing.assert_array_equal(approx.mean, whole.mean)
    return "kept"


@pytest.mark.nojit
@pytest.mark.usefixtures("listening")
def test_ctrl_c_at_any_line_after_the_start_keeps_the_fit():
    _, whole = run()
    with Presses() as seen:
        run()
    places = list(seen.places)
    assert len(places) >= 80, "the tracer is blind"
    files = {text.split(":")[0] for _, text in places}
    assert files >= {"/engine/task.py", "/engine/driver.py", "/variational/running.py", "/diagnostics/psis.py"}
    tried, lost = 0, []
    for i, place in enumerate(places):
        times, gap = [(1, 1), (3, 1), (3, 3)][i % 3]
        presses = Presses(place, times, gap)
        if outcome(presses, whole) == "lost":
            lost.append((place, times, gap))
        tried += presses.hit
    assert not lost
    assert tried >= 80

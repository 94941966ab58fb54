"""Ctrl-C at any line of a fit returns the approximation as it is then, and the fit can go on."""

import warnings

import numpy as np
import pytest

import nbinfer as nb
from tests.engine.interrupts import Presses
from tests.variational.streamed import Y, conjugate
from tests.variational.targets import several


def callback(approx, losses, i):
    """Have the fit come up to Python now and then."""


callback.every = 40


def advi():
    return nb.ADVI(model=several(), random_seed=1)


def svgd():
    return nb.SVGD(9, model=several(), random_seed=1, cores=2)


def svgd_on_batches():
    return nb.SVGD(5, 0.1, model=conjugate(nb.Minibatch(Y.astype(">f8"), 10)), random_seed=1, cores=2)


#: What is fitted, for so many iterations, and files that its lines must be seen in.
FITS = {
    "advi": (advi, 100, {"/engine/driver.py", "/diagnostics/psis.py"}),
    "svgd": (svgd, 100, {"/engine/driver.py", "/variational/stein/operator.py", "/variational/stein/crew.py"}),
    "svgd, batches that Python reads": (svgd_on_batches, 6, {"/variational/feeding.py", "/variational/stein/crew.py"}),
}


def run(make, n):
    inference = make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        approx = inference.fit(n, callbacks=[callback], progressbar=False)
    return inference, approx


def outcome(presses, make, n, whole):
    """Run with presses; tell whether the fit was lost. What is not is checked against the whole one."""
    with presses:
        try:
            inference, approx = run(make, n)
        except KeyboardInterrupt:
            return "lost"
    done = len(approx.hist)
    np.testing.assert_array_equal(approx.hist, whole.hist[:done])
    if done < n:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inference.refine(n - done, progressbar=False)
    np.testing.assert_array_equal(approx.mean, whole.mean)
    return "kept"


@pytest.mark.nojit
@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize(
    ("name", "every"), [("advi", 12), *(pytest.param(name, 1, marks=pytest.mark.slow) for name in FITS)]
)
def test_ctrl_c_at_any_line_after_the_start_keeps_the_fit(name, every):
    make, n, wanted = FITS[name]
    _, whole = run(make, n)
    with Presses() as seen:
        run(make, n)
    places = list(seen.places)
    assert len(places) >= 80, "the tracer is blind"
    files = {text.split(":")[0] for _, text in places}
    assert files >= {"/engine/task.py", "/variational/running.py", *wanted}
    tried, lost = 0, []
    for i, place in enumerate(places[::every]):
        times, gap = [(1, 1), (3, 1), (3, 3)][i % 3]
        presses = Presses(place, times, gap)
        if outcome(presses, make, n, whole) == "lost":
            lost.append((place, times, gap))
        tried += presses.hit
    assert not lost
    assert tried >= 80 / every

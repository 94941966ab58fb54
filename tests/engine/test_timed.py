"""Steps that are timed: the same draws, and seconds that fit each other and the run."""

import time

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.engine.timed import TIMED
from nbinfer.mcmc.resume import resume

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
quiet = {"chains": 2, "random_seed": 1, "progressbar": False}
NAMES = ("process_time_diff", "perf_counter_diff", "perf_counter_start")


def logp(p, d):
    return -0.5 * np.sum(p.x**2) - 0.5 * (p.y - p.x[0]) ** 2 + 0.1 * p.k


def model():
    return nb.Model({"x": nb.real(2), "y": nb.real(), "k": nb.binary()}, logp=logp)


STEPS = {
    "nuts": lambda timed: nb.NUTS(["x", "y"], timed=timed),
    "hmc": lambda timed: nb.HamiltonianMC(["x", "y"], timed=timed),
    "part": lambda timed: [nb.NUTS("x", timed=timed), nb.Slice("y")],
}


@pytest.mark.parametrize("name", STEPS)
def test_draws_are_the_same_and_seconds_fit_each_other(name):
    draws = 200 if JIT else 20
    before = time.perf_counter()
    timed = nb.sample(model(), draws, draws, step=STEPS[name](True), discard_tuned_samples=False, **quiet)
    after = time.perf_counter()
    plain = nb.sample(model(), draws, draws, step=STEPS[name](False), discard_tuned_samples=False, **quiet)
    np.testing.assert_array_equal(timed["x"], plain["x"])
    assert set(timed.sample_stats) - set(plain.sample_stats) == set(NAMES) == set(TIMED.statistics)
    for stats in (timed.warmup_sample_stats, timed.sample_stats):
        process, wall, start = (stats[name] for name in NAMES)
        assert process.shape == wall.shape == start.shape == (2, draws)
        assert process.dtype == wall.dtype == start.dtype == np.float64
        assert (wall > 0.0).all()
        assert (process >= 0.0).all()
        assert before < start.min() < (start + wall).max() < after
        assert (np.diff(start, axis=1) >= wall[:, :-1] - 1e-8).all()  # a transition begins after the one before
    assert timed.metric is not None


@pytest.mark.nojit  # long as plain Python
@pytest.mark.filterwarnings("ignore:max_evals:nbinfer.errors.NbinferWarning")
def test_a_run_that_is_taken_up_again_has_other_seconds(tmp_path):
    path, step = tmp_path / "run.nc", nb.NUTS(timed=True)
    only = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * np.sum(p.x**2))
    nb.sample(only, 40, 20, step=step, trace=path, max_evals=200, **quiet)
    trace = resume(path, model=only, progressbar=False)
    assert trace["x"].shape == (2, 40, 2)
    np.testing.assert_array_equal(trace["x"], nb.sample(only, 40, 20, step=step, **quiet)["x"])


@pytest.mark.parametrize("method", [nb.NUTS, nb.HamiltonianMC])
def test_timed_is_true_or_false(method):
    with pytest.raises(TypeError, match="timed must be True or False, got 'time'"):
        method(timed="time")

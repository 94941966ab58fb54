"""What `bench.warmup` counts, and that its models are the ones that its data come from."""

import numpy as np
import pytest
from scipy import stats

from bench import common, warmup
from nbinfer.trace import Trace


def trace(draws=400):
    x, steps = np.random.default_rng(0).normal(size=(2, draws)), np.full((2, draws), 3)
    warm = np.full((2, 20), np.iinfo(np.int64).min)
    warm[0, :20] = warm[1, :5] = 7
    return Trace({"x": x}, {"n_steps": steps}, warmup_sample_stats={"n_steps": warm}, tune_done=[20, 5])


def test_gradients_of_ragged_warm_ups():
    assert common.gradients_of_warm_up(trace()) == 25 * 7
    assert common.gradients(trace()) == 25 * 7 + 2 * 400 * 3


@pytest.mark.nojit  # long as plain Python
def test_gradients_until_there_are_enough_effective_draws():
    run = trace(1000)
    needed = (warmup.gradients_needed(run, ["x"]) - 25 * 7) / 6  # draws of each chain
    assert 150 < needed < 300
    assert warmup.least_ess(run, ["x"], int(needed)) >= warmup.ESS
    short = trace(100)
    assert warmup.gradients_needed(short, ["x"]) == pytest.approx(
        25 * 7 + 600 * warmup.ESS / warmup.least_ess(short, ["x"], 100)
    )


def test_intervals_hold_nine_in_ten():
    run, truth = trace(1000), {"x": 0.0}
    (held,), (mean,), (sd,) = warmup.intervals(run, truth)
    assert held
    assert (mean, sd) == (run["x"].mean(), run["x"].std())
    assert not warmup.intervals(run, {"x": 1.8})[0].any()
    assert warmup.intervals(run, {"x": 1.5})[0].all()


def _line(v, d):
    prior = stats.norm.logpdf(v["a"], 0, 10) + stats.norm.logpdf(v["b"]) + stats.halfnorm.logpdf(v["s"], scale=2)
    return prior + stats.norm.logpdf(d["y"], v["a"] + v["b"] * np.arange(20, 40), v["s"]).sum()


def _groups(v, d):
    prior = stats.norm.logpdf(v["mu"], 0, 2) + stats.halfnorm.logpdf(v["tau"]) + stats.norm.logpdf(v["z"]).sum()
    return prior + stats.norm.logpdf(d["y"], v["mu"] + v["tau"] * v["z"], 1).sum()


def _counts(v, d):
    prior = stats.norm.logpdf(v["level"]) + stats.halfnorm.logpdf(v["scale"], scale=0.5)
    rates = np.exp(v["level"] + v["scale"] * np.cumsum(v["z"]))
    return prior + stats.norm.logpdf(v["z"]).sum() + stats.poisson.logpmf(d["y"], rates).sum()


@pytest.mark.nojit
@pytest.mark.parametrize("name", ["line", "groups", "counts"])
def test_models_are_those_of_their_data(name):
    model, draw = getattr(warmup, name)()
    reference = {"line": _line, "groups": _groups, "counts": _counts}[name]
    for seed in range(3):
        truth, data = draw(np.random.default_rng(seed))
        model.set_data(**data)
        found = model.logp_unconstrained(model.unconstrain(truth)) - model.log_jacobian(model.unconstrain(truth))
        assert found == pytest.approx(reference(truth, data), rel=1e-9)

"""Runs of many chains: superchains, files, runs that are gone on with, beside other options."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.diagnostics import rhat
from tests.mcmc.kept import assert_same
from tests.mcmc.models import eight_schools

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
TUNE, DRAWS = (60, 20) if JIT else (4, 4)
QUIET = {"progressbar": False, "random_seed": 2}


def sampled(step=None, chains=32, draws=DRAWS, tune=TUNE, model=None, **options):
    return nb.sample(model or eight_schools(), draws, tune, step=step, chains=chains, **QUIET | options)


def test_chains_of_a_superchain_begin_at_one_point():
    trace = sampled(nb.Metropolis(), 12, 1, 0, superchains=3)
    free = sampled(nb.Metropolis(), 12, 1, 0)
    assert trace.attrs["superchains"] == [0, 4, 8]
    starts = trace["mu"][trace.sample_stats["accepted"][:, 0].reshape(12, -1)[:, 0] == 0, 0]
    assert len(np.unique(starts)) <= 3
    assert "superchains" not in free.attrs


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("step", [nb.ChEES(), nb.MAMS()])
def test_the_report_has_the_nested_rhat(step):
    trace = sampled(step, superchains=4)
    found = np.max([np.max(rhat(trace[name], superchains=4)) for name in trace.varnames])
    summary = nb.summary(trace)
    np.testing.assert_allclose(summary["rhat"].max(), found, rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"superchains": 5}, "chains must be a multiple of superchains, and more, got 32 and 5; pass chains="),
        ({"superchains": 32}, "chains must be a multiple of superchains, and more, got 32 and 32"),
        ({"superchains": 1}, "superchains must be at least 2, got 1"),
        (
            {"superchains": 4, "start": [{"mu": 0.0}] * 32},
            r"start must be one mapping, or one per superchain \(4\), got",
        ),
    ],
)
def test_superchains_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        sampled(nb.ChEES(), **options)


def test_a_start_for_each_superchain():
    start = [{"mu": float(k)} for k in range(4)]
    trace = sampled(nb.ChEES(path_length=1e-9, adapt_step_size=False, step_scale=1e-9), 32, 1, 0, superchains=4,
                    start=start)  # fmt: skip
    np.testing.assert_allclose(trace["mu"][:, 0], np.repeat(np.arange(4.0), 8), atol=1e-6)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("init", ["adapt_diag", "jitter+adapt_diag"])
def test_the_usual_ways_to_begin(init):
    assert np.isfinite(sampled(nb.ChEES(), 16, init=init)["mu"]).all()


@pytest.mark.nojit
def test_draws_go_to_a_file_and_the_run_goes_on_from_there(tmp_path):
    path, step = tmp_path / "run.nc", nb.ChEES()
    expected = sampled(step, superchains=4)
    limit = int(0.8 * sum(expected.attrs["gradients"]))
    with pytest.warns(nb.errors.NbinferWarning, match="max_evals"):
        short = sampled(step, superchains=4, trace=path, max_evals=limit, cores=2)
    assert short.interrupted
    resumed = nb.resume(path, eight_schools(), progressbar=False)
    assert_same(resumed, expected)
    assert resumed.attrs["superchains"] == [0, 8, 16, 24]
    assert_same(nb.load(path), expected)


@pytest.mark.nojit
def test_chains_that_go_on_from_a_trace_keep_their_superchains():
    trace = sampled(nb.ChEES(), superchains=4)
    longer = sampled(nb.ChEES(), 32, DRAWS, 4, trace=trace)
    assert longer.attrs["superchains"] == [0, 8, 16, 24]
    assert longer["mu"].shape == (32, 2 * DRAWS)
    with pytest.raises(ValueError, match="superchains must be those of the trace that chains go on from, 4, got 8"):
        sampled(nb.ChEES(), 32, DRAWS, 4, trace=trace, superchains=8)


@pytest.mark.nojit
def test_beside_another_step():
    trace = sampled([nb.ChEES(["mu", "eta"]), nb.Slice("tau")], 16, cores=2)
    assert trace["mu"].tobytes() == sampled([nb.ChEES(["mu", "eta"]), nb.Slice("tau")], 16, cores=1)["mu"].tobytes()
    assert not JIT or 2.0 < trace["tau"].mean() < 6.0
    assert trace.metric.n == 9
    assert (trace.metric.scale == trace.metric.scale[0]).all()
    assert not JIT or 0.5 < trace.metric.scale[0, 1] < 2.0


@pytest.mark.nojit
def test_warm_up_is_short_where_nothing_is_said():
    trace = nb.sample(eight_schools(), 4, step=nb.MAMS(), chains=16, **QUIET)
    assert (trace.attrs["tune"], trace.attrs["usual_tune"]) == (100, 100)
    both = nb.sample(eight_schools(), 1, 1, step=[nb.ChEES(["mu", "eta"]), nb.Slice("tau")], chains=16, **QUIET)
    assert both.attrs["usual_tune"] == 1000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chains": 10**10}, "10000000000 chains take at least"),
        ({"chains": 10**10, "step": nb.ChEES()}, "10000000000 chains take at least"),
        ({"draws": 10**13}, r"10000000000000 draws of 4 chains take at least .*trace='run.nc'"),
        ({"tune": 10**13}, "of 4 chains take at least"),
    ],
)
def test_what_no_memory_holds_is_refused_before_anything_starts(options, message):
    with pytest.raises(MemoryError, match=message):
        nb.sample(eight_schools(), **{"draws": 1, "tune": 0} | options, **QUIET)

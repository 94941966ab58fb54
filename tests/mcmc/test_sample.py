"""`sample` as users meet it: what it returns, what it promises about seeds and cores, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import ConvergenceWarning, SamplingError
from nbinfer.mcmc.hamiltonian.nuts import NUTS
from tests.mcmc.models import eight_schools, raising, slow

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
DRAWS = 200 if JIT else 12


def run(model=None, draws=DRAWS, tune=DRAWS, **options):
    return nb.sample(model or eight_schools(), draws, tune, **({"random_seed": 7, "progressbar": False} | options))


def test_a_trace_has_the_shapes_names_and_statistics_that_were_promised():
    trace = run(chains=3)
    assert trace["mu"].shape == (3, DRAWS)
    assert trace["theta"].shape == (3, DRAWS, 8)
    assert np.isfinite(trace["theta"]).all()
    np.testing.assert_allclose(trace["theta"], trace["mu"][..., None] + trace["tau"][..., None] * trace["eta"])
    assert (trace["tau"] > 0).all()
    for name, dtype in NUTS.statistics.items():
        assert trace.sample_stats[name].shape == trace.warmup_sample_stats[name].shape == (3, DRAWS)
        assert trace.sample_stats[name].dtype == dtype
    assert not trace.sample_stats["tune"].any()
    assert trace.warmup_sample_stats["tune"].all()
    assert trace.warmup_posterior == {}
    assert trace.attrs["seed"] == 7
    assert set(trace.observed_data) == set()
    np.testing.assert_array_equal(
        trace.get_sampler_stats("mean_tree_accept"), trace.get_sampler_stats("acceptance_rate")
    )


def test_everything_is_frozen_when_warm_up_ends():
    trace = run(chains=2)
    size = trace.sample_stats["step_size"]
    assert (size == size[:, :1]).all()
    assert (trace.warmup_sample_stats["step_size"].std(axis=1) > 0).all()


def test_statistics_agree_with_each_other():
    trace = run(chains=2)
    s = trace.sample_stats
    assert ((s["n_steps"] >= 2 ** (s["tree_depth"] - 1)) & (s["n_steps"] < 2 ** s["tree_depth"])).all()
    assert ((s["acceptance_rate"] >= 0) & (s["acceptance_rate"] <= 1)).all()
    assert (s["energy"] >= -s["lp"]).all()
    assert (np.abs(s["energy_error"]) <= np.abs(s["max_energy_error"]) + 1e-12).all()
    q = eight_schools().unconstrain({k: trace[k][1, 5] for k in ("mu", "tau", "eta")})
    assert s["lp"][1, 5] == pytest.approx(eight_schools().logp_unconstrained(q), rel=1e-9)


@pytest.mark.parametrize("cores", [2, 3, 4])
def test_the_number_of_cores_changes_no_bit(cores):
    one, many = run(cores=1), run(cores=cores)
    for name in one.posterior:
        assert one[name].tobytes() == many[name].tobytes()
    for name in NUTS.statistics:
        assert one.sample_stats[name].tobytes() == many.sample_stats[name].tobytes()


def test_a_chain_is_the_same_alone_and_among_four():
    four, alone = run(chains=4), run(chains=1, chain_idx=2)
    assert alone.chain_ids == [2]
    assert four["eta"][2].tobytes() == alone["eta"][0].tobytes()


def test_chains_and_seeds_differ():
    four = run(chains=4)
    assert len({chain.tobytes() for chain in four["mu"]}) == 4
    assert run(chains=1, random_seed=8)["mu"][0].tobytes() != four["mu"][0].tobytes()


def test_seeds_one_per_chain():
    trace = run(chains=2, random_seed=[7, 9])
    assert trace["mu"][0].tobytes() == run(chains=1)["mu"][0].tobytes()
    assert trace.attrs["seed"] == [7, 9]


PROCESS = """
import json, sys, warnings
warnings.simplefilter("ignore")
from tests.mcmc.models import eight_schools
import nbinfer as nb
draws, tune, cores = map(int, sys.argv[1:])
trace = nb.sample(eight_schools(), draws, tune, random_seed=7, chains=2, cores=cores, progressbar=False)
print(json.dumps([trace["eta"].tolist(), "numba" in sys.modules]))
"""


def in_a_process(draws, tune, cores=1, **environment):
    arguments = [sys.executable, "-c", PROCESS, str(draws), str(tune), str(cores)]
    done = subprocess.run(arguments, capture_output=True, text=True, env=os.environ | environment, check=True)
    eta, numba = json.loads(done.stdout)
    return np.array(eta), numba


@pytest.mark.skipif(not JIT, reason="compares with the compiled run")
def test_two_processes_draw_the_same_and_need_no_numba():
    here = run(chains=2)["eta"]
    there, imported = in_a_process(DRAWS, DRAWS, cores=2)
    assert there.tobytes() == here.tobytes()
    assert not imported


@pytest.mark.skipif(not JIT, reason="compares with the compiled run")
def test_compiled_is_plain_python():
    # Sums are made in another order, so that the chains part company in the last digits, then further.
    plain, _ = in_a_process(15, 10, NUMBA_DISABLE_JIT="1")
    np.testing.assert_allclose(run(draws=15, tune=10, chains=2)["eta"], plain, rtol=1e-6, atol=1e-9)


def test_warm_up_draws_are_kept_on_request():
    trace = run(chains=2, tune=DRAWS + 1, discard_tuned_samples=False)
    assert trace.warmup_posterior["eta"].shape == (2, DRAWS + 1, 8)
    assert np.isfinite(trace.warmup_posterior["eta"]).all()


def test_only_the_names_asked_for_are_kept():
    assert set(run(trace=["theta", "mu"]).posterior) == {"theta", "mu"}


def test_no_warm_up_keeps_the_first_step_size():
    trace = run(tune=0, chains=1, nuts_kwargs={"step_scale": 0.3})
    assert trace.sample_stats["step_size"][0, 0] == pytest.approx(0.3 / 10**0.25)


def test_a_fixed_step_size_stays():
    trace = run(chains=1, nuts_kwargs={"step_scale": 0.3, "adapt_step_size": False})
    sizes = np.concatenate([trace.warmup_sample_stats["step_size"], trace.sample_stats["step_size"]], axis=1)
    assert (sizes == sizes[0, 0]).all()
    assert sizes[0, 0] == pytest.approx(0.3 / 10**0.25)


def test_a_given_start_is_where_chains_begin():
    start = {"mu": 3.0, "tau": 2.0, "eta": np.linspace(-1, 1, 8)}
    options = dict(start=start, tune=0, chains=1, nuts_kwargs={"step_scale": 1e-9, "max_treedepth": 1})
    trace = run(draws=4, **options)
    assert trace["mu"][0, 0] == pytest.approx(3.0, abs=1e-6)
    assert trace["tau"][0, 0] == pytest.approx(2.0, abs=1e-6)
    np.testing.assert_allclose(trace["eta"][0, 0], start["eta"], atol=1e-6)


@pytest.mark.skipif(not JIT, reason="needs long chains")
@pytest.mark.parametrize(
    "options",
    [
        {"init": "jitter+adapt_diag"},
        {"init": "adapt_diag"},
        {"nuts_kwargs": {"metric": "dense"}},
        {"nuts_kwargs": {"metric": "unit"}},
        {"nuts_kwargs": {"integrator": "two-stage"}},
        {"nuts_kwargs": {"integrator": "threestage", "step_rand": 0.1}},
        {"step": nb.NUTS(accept_statistic="symmetric", target_accept=0.9)},
        {"step_kwargs": {"nuts": {"target_accept": 0.9}}},
    ],
)
def test_every_option_samples_the_same_posterior(options):
    trace = run(draws=4000, tune=1000, **options)
    s = nb.summary(trace)
    z = (s["mean", "mu"] - 4.39, s["mean", "theta[0]"] - 6.25)
    assert abs(z[0]) < 5 * s["mcse_mean", "mu"] + 0.02
    assert abs(z[1]) < 5 * s["mcse_mean", "theta[0]"] + 0.05
    assert s["rhat", "mu"] < 1.02


@pytest.mark.skipif(not JIT, reason="needs long chains")
@pytest.mark.parametrize("metric", ["fisher", "diag", "dense"])
def test_the_metric_and_the_step_size_reach_their_targets_on_a_gaussian(metric):
    scales = np.array([1e-3, 1.0, 30.0])

    def logp(p, d):
        return -0.5 * np.sum((p.x / d.s) ** 2)

    def logp_grad(p, d, grad):
        for i in range(3):
            grad.x[i] -= p.x[i] / d.s[i] ** 2
        return -0.5 * np.sum((p.x / d.s) ** 2)

    model = nb.Model(parameters={"x": nb.real(3)}, logp=logp, logp_grad=logp_grad, data={"s": scales})
    trace = run(model, draws=2000, tune=1500, nuts_kwargs={"metric": metric})
    np.testing.assert_allclose(trace["x"].reshape(-1, 3).std(0), scales, rtol=0.1)
    assert trace.sample_stats["acceptance_rate"].mean() == pytest.approx(0.8, abs=0.06)
    assert trace.sample_stats["n_steps"].mean() < 8  # the scales are learnt


@pytest.fixture
def listening():
    """Have Ctrl-C raise, also where the tests run in the background: a shell has it ignored there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_when(condition):
    """Raise KeyboardInterrupt in the main thread as Ctrl-C would, once the condition holds."""
    import _thread

    def wait():
        deadline = time.monotonic() + 60
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.005)
        _thread.interrupt_main()

    threading.Thread(target=wait, daemon=True).start()


def watched(monkeypatch):
    """Replace the display by one that tells the test where the slowest chain is."""
    seen = {}

    class Spy:
        def update(self, progress):
            seen["least"] = int(progress["done"].min())

        def close(self):
            seen["closed"] = True

    monkeypatch.setattr(sys.modules["nbinfer.mcmc.sample"], "display_of_chains", lambda *arguments: Spy())
    return seen


@pytest.mark.skipif(not JIT, reason="needs a run that can be timed by its draws")
def test_ctrl_c_keeps_what_is_finished(monkeypatch, listening):
    seen = watched(monkeypatch)
    interrupt_when(lambda: seen.get("least", 0) > 60)
    trace = run(slow(), draws=10_000_000 // 100, tune=50, chains=3, cores=2)
    assert trace.interrupted
    assert seen["closed"]
    done = trace.draws_done
    assert (done > 0).all()
    assert (done < 100_000).all()
    for chain, n in enumerate(done):
        assert np.isfinite(trace["x"][chain, :n]).all()
        assert np.isnan(trace["x"][chain, n:]).all()
    whole = run(slow(), draws=int(done.min()), tune=50, chains=3, cores=1)
    assert whole["x"][0].tobytes() == trace["x"][0, : done.min()].tobytes()
    assert "draws" in str(trace.report)


@pytest.mark.skipif(not JIT, reason="needs a run that can be timed by its draws")
def test_ctrl_c_in_warm_up_says_so(monkeypatch, listening):
    seen = watched(monkeypatch)
    interrupt_when(lambda: seen.get("least", 0) > 0)
    with pytest.raises(SamplingError, match="stopped during warm-up") as caught:
        run(slow(), draws=10, tune=1_000_000, chains=1)
    assert 0 < caught.value.trace.tune_done[0] < 1_000_000


def test_the_users_exception_reaches_them_with_the_point_and_the_draws():
    with pytest.raises(RuntimeError, match="beyond the limit") as caught:
        run(raising(), draws=2000, tune=100 if JIT else 10, chains=2)
    assert any("chain" in note for note in caught.value.__notes__)
    assert caught.value.trace["x"].shape == (2, 2000)


def arithmetic(p, d):
    if p.x > 1.0:
        raise ZeroDivisionError("a failure of arithmetic")
    return -0.5 * p.x**2


def arithmetic_grad(p, d, grad):
    grad.x[()] -= p.x
    return arithmetic(p, d)


@pytest.mark.skipif(not JIT, reason="inner functions are compiled")
def test_failures_of_arithmetic_are_divergences():
    import numba

    inner = numba.njit(arithmetic)

    def logp_grad(p, d, grad):
        grad.x[()] -= p.x
        return inner(p, d)

    model = nb.Model(parameters={"x": nb.real()}, logp=arithmetic, logp_grad=logp_grad)
    trace = run(model, start={"x": 0.0}, chains=2)
    assert trace.sample_stats["diverging"].sum() > 0
    assert (trace["x"] <= 1.0).all()
    assert not trace.interrupted


def test_divergences_are_reported_once_with_a_remedy():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trace = run(raising_at_zero(), chains=2, start={"x": 1.0})
    messages = [
        str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning) and "diverged" in str(w.message)
    ]
    assert len(messages) == 1
    assert "target_accept" in messages[0]
    assert not trace.report.ok
    assert caught[0].filename == __file__


def test_on_error_raise_stops_at_a_divergence():
    with pytest.raises(SamplingError, match="first divergence") as caught:
        run(raising_at_zero(), draws=100_000, tune=5, chains=2, start={"x": 1.0}, nuts_kwargs={"on_error": "raise"})
    assert caught.value.trace.sample_stats["diverging"].any()


@pytest.mark.nojit
@pytest.mark.parametrize("cores", [1, 4])
def test_on_error_raise_stops_at_the_first_even_if_the_run_is_short(cores):
    options = dict(tune=5, start={"x": 1.0}, nuts_kwargs={"on_error": "raise"}, cores=cores)
    with pytest.raises(SamplingError, match=r"draw \d+ of chain \d, near x = [\d.e-]+; finished") as caught:
        run(raising_at_zero(), **options)
    trace = caught.value.trace
    where = [
        np.flatnonzero(flags[:n]) for flags, n in zip(trace.sample_stats["diverging"], trace.draws_done, strict=True)
    ]
    assert any(len(found) and found[0] == n - 1 for found, n in zip(where, trace.draws_done, strict=True))
    assert all(len(found) <= 1 for found in where)
    with pytest.raises(SamplingError, match=r"first divergence, .* near x = ") as caught:
        for _ in nb.iter_sample(
            500, nb.NUTS(on_error="raise"), {"x": 1.0}, tune=5, model=raising_at_zero(), random_seed=7
        ):
            pass
    flags = caught.value.trace.sample_stats["diverging"][0]
    assert flags[-1]
    assert flags.sum() == 1


@pytest.mark.nojit
def test_chains_that_never_move_are_a_problem():
    model = nb.Model({"x": nb.real(3)}, logp=lambda p, d: -0.5 * np.sum(p.x**2), derived={"one": lambda p, d: 1.0})
    step = nb.Metropolis(S=np.full(3, 1e6), tune=False)
    trace = run(model, tune=0, step=step, start={"x": np.ones(3)})
    assert "x[0], x[1] and x[2] never moved in any chain" in str(trace.report)
    assert run(model, draws=1000, tune=500).report.ok  # and what is derived may be constant


def half(p, d):
    return -0.5 * p.x**2 if p.x > 0.0 else np.nan


def half_grad(p, d, grad):
    grad.x[()] -= p.x
    return half_value(p.x)


def half_value(x):
    return -0.5 * x * x if x > 0.0 else np.nan


def raising_at_zero():
    def logp_grad(p, d, grad):
        grad.x[()] -= p.x
        return -0.5 * p.x * p.x if p.x > 0.0 else np.nan

    return nb.Model(parameters={"x": nb.real()}, logp=half, logp_grad=logp_grad)


def test_a_start_that_is_not_finite_is_named():
    with pytest.raises(SamplingError, match=r"starting point of chain 0.*logp"):
        run(raising_at_zero(), chains=1, start={"x": -1.0})


@nb.custom_vjp(lambda x: (1.0 / x,))
def steep(x):
    return abs(x)


def cusp(p, d):
    lp = -(p.a**2)
    for i in range(4):
        lp -= steep(p.b[i] - d.peak[i])
    return lp


def nan_in_a_matrix(p, d, grad):
    grad.b[1, 0] += 0.0 * np.inf
    return -(p.a**2)


@pytest.mark.nojit
def test_a_start_whose_derived_gradient_is_not_finite_names_the_parameter():
    model = nb.Model({"a": nb.real(), "b": nb.real(4)}, logp=cusp, data={"peak": np.array([1.0, 1.0, 0.0, 0.0])})
    message = (
        r"^the gradient of logp is not finite at the starting point of chain 0 \(logp = -2; .* is -?inf for b\[2\]"
    )
    with pytest.raises(SamplingError, match=message):
        run(model, init="adapt_diag")


def test_a_start_whose_written_gradient_is_not_finite_names_the_parameter():
    model = nb.Model({"a": nb.real(), "b": nb.real((2, 2))}, logp_grad=nan_in_a_matrix)
    with pytest.raises(
        SamplingError, match=r"the gradient of logp is not finite .*; the gradient is nan for b\[1, 0\]"
    ):
        run(model, init="adapt_diag")


def test_jittered_starts_are_tried_again():
    trace = run(raising_at_zero(), chains=4)  # half of all jittered starts are bad
    assert (trace["x"] > 0).all()


def test_the_with_block_gives_the_model():
    with eight_schools():
        assert nb.sample(10, 10, chains=1, random_seed=1, progressbar=False)["mu"].shape == (1, 10)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"draws": 0}, ValueError, "draws must be at least 1, got 0"),
        ({"draws": 2.5}, TypeError, "draws must be an int, got 2.5"),
        ({"tune": -1}, ValueError, "tune must be at least 0, got -1"),
        ({"chains": 0}, ValueError, "chains must be at least 1, got 0"),
        ({"chains": True}, TypeError, "chains must be an int"),
        ({"cores": 0}, ValueError, "cores must be at least 1"),
        ({"cores": 1, "njobs": 1}, ValueError, "same option"),
        ({"chain_idx": -1}, ValueError, "chain_idx"),
        ({"init": "advi_map"}, NotImplementedError, "comes with variational inference; choose 'auto'"),
        ({"init": "best"}, NotImplementedError, "is not known; choose 'auto'"),
        ({"init": 3}, TypeError, "init must be a str"),
        ({"nuts_kwargs": {"target_accept": 1.0}}, ValueError, "target_accept must lie between 0 and 1, got 1.0"),
        ({"nuts_kwargs": {"target_accept": "high"}}, ValueError, "target_accept"),
        ({"nuts_kwargs": {"metric": "full"}}, ValueError, "unknown metric 'full'; choose 'fisher'"),
        ({"nuts_kwargs": {"integrator": "euler"}}, ValueError, "unknown integrator"),
        ({"nuts_kwargs": {"max_treedepth": 0}}, ValueError, "max_treedepth must be an int from 1"),
        ({"nuts_kwargs": {"k": 0.4}}, ValueError, r"k must lie in \(0.5, 1\]"),
        ({"nuts_kwargs": {"step_rand": 1.5}}, ValueError, "step_rand"),
        ({"nuts_kwargs": {"on_error": "shout"}}, ValueError, "unknown on_error"),
        ({"nuts_kwargs": {"speed": 2}}, TypeError, "speed"),
        ({"nuts_kwargs": {}, "step_kwargs": {}}, ValueError, "not both"),
        ({"step_kwargs": {"slice": {}}}, ValueError, "options for 'slice'"),
        ({"step": "nuts"}, TypeError, "step must be a configured step method or several of them, got str"),
        ({"step": nb.NUTS(), "nuts_kwargs": {"k": 0.9}}, ValueError, "set them on the steps that you pass"),
        ({"trace": ["nu"]}, ValueError, "trace names 'nu', which the model lacks; it has mu, tau, eta, theta"),
        ({"trace": "mu"}, TypeError, "trace must be a list of names"),
        ({"start": {"nu": 1.0}}, ValueError, "nu"),
        ({"start": {"eta": np.zeros(3)}}, ValueError, "eta"),
        ({"start": {"tau": -1.0}}, ValueError, "tau"),
        ({"start": [{}]}, ValueError, r"one per chain \(4\), got 1"),
        ({"start": 3.0}, TypeError, "start must be a mapping"),
        ({"random_seed": "x"}, TypeError, "random_seed"),
    ],
)
def test_bad_arguments_are_refused_with_a_remedy(options, error, message):
    with pytest.raises(error, match=message):
        run(**options)


def test_something_that_is_no_model_is_refused():
    with pytest.raises(TypeError, match=r"model must be an nbinfer\.Model, got function"):
        nb.sample(lambda x: x)


def test_no_model_at_all_is_refused():
    with pytest.raises(TypeError, match="model"):
        nb.sample(draws=10)

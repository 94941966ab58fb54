"""`sample` as users meet it: what it returns, and what it promises about seeds, cores and options."""

import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import ConvergenceWarning
from nbinfer.mcmc.hamiltonian.nuts import NUTS
from tests.mcmc.models import DRAWS, eight_schools, half_line, run

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


@pytest.mark.nojit  # long as plain Python
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


@pytest.mark.nojit  # long as plain Python
def test_everything_is_frozen_when_warm_up_ends():
    trace = run(chains=2)
    size = trace.sample_stats["step_size"]
    assert (size == size[:, :1]).all()
    assert (trace.warmup_sample_stats["step_size"].std(axis=1) > 0).all()


@pytest.mark.nojit  # long as plain Python
def test_statistics_agree_with_each_other():
    trace = run(chains=2)
    s = trace.sample_stats
    assert ((s["n_steps"] >= 2 ** (s["tree_depth"] - 1)) & (s["n_steps"] < 2 ** s["tree_depth"])).all()
    assert ((s["acceptance_rate"] >= 0) & (s["acceptance_rate"] <= 1)).all()
    assert (s["energy"] >= -s["lp"]).all()
    assert (np.abs(s["energy_error"]) <= np.abs(s["max_energy_error"]) + 1e-12).all()
    q = eight_schools().unconstrain({k: trace[k][1, 5] for k in ("mu", "tau", "eta")})
    assert s["lp"][1, 5] == pytest.approx(eight_schools().logp_unconstrained(q), rel=1e-9)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("cores", [2, 3, 4])
def test_the_number_of_cores_changes_no_bit(cores):
    one, many = run(cores=1), run(cores=cores)
    for name in one.posterior:
        assert one[name].tobytes() == many[name].tobytes()
    for name in NUTS.statistics:
        assert one.sample_stats[name].tobytes() == many.sample_stats[name].tobytes()


@pytest.mark.nojit  # long as plain Python
def test_a_chain_is_the_same_alone_and_among_four():
    four, alone = run(chains=4), run(chains=1, chain_idx=2)
    assert alone.chain_ids == [2]
    assert four["eta"][2].tobytes() == alone["eta"][0].tobytes()


@pytest.mark.nojit  # long as plain Python
def test_chains_and_seeds_differ():
    four = run(chains=4)
    assert len({chain.tobytes() for chain in four["mu"]}) == 4
    assert run(chains=1, random_seed=8)["mu"][0].tobytes() != four["mu"][0].tobytes()


@pytest.mark.nojit  # long as plain Python
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


def test_a_derived_number_that_is_an_integer_by_chance_is_no_integer():
    model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2, derived={"above": lambda p, d: max(0, p.x)})
    trace = run(model, 50, 50, chains=2)
    assert trace["above"].dtype == np.float64
    np.testing.assert_array_equal(trace["above"], np.maximum(trace["x"], 0.0))


@pytest.mark.nojit  # long as plain Python
def test_warm_up_draws_are_kept_on_request():
    trace = run(chains=2, tune=DRAWS + 1, discard_tuned_samples=False)
    assert trace.warmup_posterior["eta"].shape == (2, DRAWS + 1, 8)
    assert np.isfinite(trace.warmup_posterior["eta"]).all()


@pytest.mark.nojit  # long as plain Python
def test_only_the_names_asked_for_are_kept():
    assert set(run(trace=["theta", "mu"]).posterior) == {"theta", "mu"}


def test_no_warm_up_keeps_the_first_step_size():
    trace = run(tune=0, chains=1, nuts_kwargs={"step_scale": 0.3})
    assert trace.sample_stats["step_size"][0, 0] == pytest.approx(0.3 / 10**0.25)


@pytest.mark.nojit  # long as plain Python
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


def test_divergences_are_reported_once_with_a_remedy():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trace = nb.sample(half_line(), DRAWS, DRAWS, chains=2, start={"x": 1.0}, random_seed=7, progressbar=False)
    messages = [
        str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning) and "diverged" in str(w.message)
    ]
    assert len(messages) == 1
    assert "declare 'x' as nb.positive()" in messages[0]
    assert not trace.report.ok
    assert caught[0].filename == __file__


@pytest.mark.nojit
def test_chains_that_never_move_are_a_problem():
    model = nb.Model({"x": nb.real(3)}, logp=lambda p, d: -0.5 * np.sum(p.x**2), derived={"one": lambda p, d: 1.0})
    step = nb.Metropolis(S=np.full(3, 1e6), tune=False)
    trace = run(model, tune=0, step=step, start={"x": np.ones(3)})
    assert "x[0], x[1] and x[2] never moved in any chain" in str(trace.report)
    assert run(model, draws=1000, tune=500).report.ok  # and what is derived may be constant


@pytest.mark.nojit  # long as plain Python
def test_the_with_block_gives_the_model():
    with eight_schools():
        assert nb.sample(10, 10, chains=1, random_seed=1, progressbar=False)["mu"].shape == (1, 10)

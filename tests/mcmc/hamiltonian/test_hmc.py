"""Hamiltonian Monte Carlo: it leaves exact targets invariant, what is not it does not, and it says what it did."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT, address_of
from nbinfer.engine.job import Status
from nbinfer.mcmc.adaptation import step_size, warmup
from nbinfer.mcmc.hamiltonian import common as hamiltonian
from nbinfer.mcmc.hamiltonian import hmc, integrators, tree
from nbinfer.mcmc.hamiltonian.hmc import HamiltonianMC
from nbinfer.mcmc.metric import kernel as metric
from tests.laws.kit import BareChains, Target, gaussian_target, student, wall
from tests.laws.law import assert_caught, assert_invariant, mutant, one_now
from tests.laws.targets import AR1_SCALES, EXACT, ExactTarget, ar1_covariance
from tests.mcmc.models import eight_schools

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
TARGETS = {
    "ar1": {"scaling": AR1_SCALES**2, "is_cov": True, "step_scale": 0.4},
    "student": {"metric": "unit", "step_scale": 1.6},
    "uniform": {"metric": "unit", "step_scale": 1.5},
    "beta": {"metric": "unit", "step_scale": 0.9},
    "dirichlet": {"metric": "unit", "step_scale": 1.0},
}


def fixed(name, module=hmc, **options):
    """A step whose trajectories err enough for the accept step to matter."""
    return module.HamiltonianMC(**({"adapt_step_size": False, "path_length": 2.0} | TARGETS[name] | options))


@pytest.mark.parametrize("name", TARGETS)
def test_one_transition_leaves_the_target_invariant(name):
    assert_invariant(fixed(name), EXACT[name](), moves=0.5)


@pytest.mark.parametrize(
    "options",
    [
        {"integrator": "twostage", "step_scale": 0.9},
        {"integrator": "threestage", "step_scale": 1.3},
        {"scaling": ar1_covariance(), "is_cov": True, "step_scale": 1.4},
        {"scaling": np.linalg.inv(ar1_covariance() + 1e-4 * np.eye(5)), "is_cov": False, "step_scale": 0.5},
        {"step_rand": 0.5, "path_length": 1.0},
        {"step_rand": None, "max_steps": 1},
    ],
)
def test_every_option_leaves_the_target_invariant(options):
    assert_invariant(fixed("ar1", **options), EXACT["ar1"](), moves=0.3)


@pytest.mark.parametrize("method", [nb.NUTS, nb.HamiltonianMC])
def test_the_first_step_size_is_that_of_the_docstring(method):
    """step_scale / dim**0.25, where nothing is adapted or there is no warm-up; else the search begins there."""
    both = {"x": nb.real(16), "y": nb.real()}
    model = nb.Model(both, logp=lambda p, d: -0.5 * np.sum(p.x**2) - 0.5 * p.y**2)
    runs = {"adapt_step_size": False, "tune": 3}, {"adapt_step_size": True, "tune": 0}, {"tune": 3}
    for options in runs:
        tune = options.pop("tune")
        step = [method("x", step_scale=0.4, **options), nb.Metropolis("y")]
        trace = nb.sample(model, 3, tune, step=step, discard_tuned_samples=False, random_seed=1, progressbar=False)
        if options:
            np.testing.assert_allclose(trace.sample_stats["step_size"], 0.2)
        else:
            doublings = np.log2(trace.warmup_sample_stats["step_size"][:, 0] / 0.2)
            np.testing.assert_allclose(doublings, np.round(doublings), atol=1e-9)


def half_or_more(step_size, rng):
    return step_size * rng.uniform(0.5, 1.5)


def by_numpy(step_size):
    return step_size * np.random.uniform(0.5, 1.5)  # noqa: NPY002 - what users of PyMC write


@pytest.mark.parametrize("step_rand", [by_numpy, half_or_more])
def test_a_function_of_the_step_size_leaves_the_target_invariant(step_rand):
    np.random.seed(1)  # noqa: NPY002
    step = fixed("student", step_rand=step_rand, path_length=1.0)
    assert_invariant(step, EXACT["student"](), count=10_000 if JIT else 100)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("method", [nb.NUTS, nb.HamiltonianMC])
def test_a_function_replaces_the_step_size(method):
    """The function that returns what it is given is no function at all; one that halves it is U(1/2, 1/2)."""
    for function, factors in ((lambda size: size, None), (lambda size: 0.5 * size, (0.5, 0.5))):
        given, known = (
            nb.sample(eight_schools(), 20, 30, step=method(step_rand=rand), chains=2, random_seed=1, progressbar=False)
            for rand in (function, factors)
        )
        np.testing.assert_array_equal(given["mu"], known["mu"])
        np.testing.assert_array_equal(given.sample_stats["n_steps"], known.sample_stats["n_steps"])


@pytest.mark.nojit  # long as plain Python
def test_a_function_of_a_generator_makes_reproducible_runs():
    def run(**options):
        step = nb.HamiltonianMC(step_rand=half_or_more, max_steps=8)
        return nb.sample(eight_schools(), 10, 10, step=step, chains=2, progressbar=False, **options)["mu"]

    np.testing.assert_array_equal(run(random_seed=1), run(random_seed=1, cores=1))
    assert not np.array_equal(run(random_seed=1), run(random_seed=2))


@pytest.mark.parametrize("method", [nb.NUTS, nb.HamiltonianMC])
@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda size: -size, ValueError, "step_rand must return a step size, positive and finite, got -"),
        (lambda size: None, ValueError, "step_rand must return a step size, positive and finite, got None"),
        (lambda size: 1 / 0, ZeroDivisionError, "division by zero"),
    ],
)
def test_what_a_function_of_the_step_size_must_return(method, function, error, message):
    with pytest.raises(error, match=message):
        nb.sample(eight_schools(), 10, 10, step=method(step_rand=function), random_seed=1, progressbar=False)


_DECIDES = "math.exp(min(0.0, -error))\n    accepted"
MUTANTS = {
    "the wrong sign of the change": (_DECIDES, _DECIDES.replace("-error", "error")),
    "0.98 of the change of the energy": (_DECIDES, _DECIDES.replace("-error", "-0.98 * error")),
    "every end accepted": ("accepted = uniform(chain.words) < accept", "accepted = uniform(chain.words) < 1.1"),
    "a step size that depends on the position": (
        "hamiltonian.enter(chain_address, own, own.points)",
        (
            "hamiltonian.enter(chain_address, own, own.points)"
            " / (1.0 + integrators.floats_at(chain.position, chain.n)[0] ** 2)"
        ),
    ),
    "a wrong last half kick": (
        "return logp, _kick(n, target, metric.inv_mass, kick)",
        "return logp, _kick(n, target, metric.inv_mass, 0.5 * kick)",
    ),
    "momenta of the inverse of the mass": ("momentum_out[i] *= root[i]", "momentum_out[i] /= root[i]"),
}
#: The mass is 4, so that it counts; the step is long, so that acceptance does.
SHARP = {"metric": None, "scaling": np.full(3, 4.0), "step_scale": 3.6, "path_length": 7.0}
MANY = 2_500_000  # what two per cent take


@pytest.mark.slow
@pytest.mark.nojit
def test_the_law_holds_where_it_is_sharp():
    assert_invariant(fixed("student", **SHARP), EXACT["student"](), count=MANY)


@pytest.mark.nojit
@pytest.mark.parametrize("name", one_now(MUTANTS))
def test_the_law_catches(name, tmp_path):
    module = mutant(tmp_path, *MUTANTS[name], step_size, metric, integrators, tree, warmup, hamiltonian, hmc)
    count = MANY if name.startswith("0.98") else None
    assert_caught(fixed("student", module, **SHARP), EXACT["student"](), count=count)


def test_statistics_agree_with_each_other():
    chains = BareChains(Target(student, 3), HamiltonianMC(), tune=200 if JIT else 20, draws=300 if JIT else 20).run()
    s, x = {k: v[0] for k, v in chains.stats.items()}, chains.x[0]
    assert list(s) == list(HamiltonianMC.statistics)
    np.testing.assert_allclose(s["acceptance_rate"], np.exp(np.minimum(-s["energy_error"], 0.0)), rtol=1e-12)
    moved = np.any(np.diff(x, axis=0) != 0, axis=1)
    np.testing.assert_array_equal(s["accepted"][1:], moved)
    assert 0.3 < s["accepted"].mean() < 1.0 or not JIT
    lp = [chains._target.value_and_grad(q)[0] for q in x]
    np.testing.assert_allclose(s["lp"], lp, rtol=1e-12)
    assert (s["energy"] >= -s["lp"]).all()
    # Step sizes vary by 15 %; a trajectory is as long as it should be, less a step at most.
    used = s["path_length"] / s["n_steps"]
    assert (s["step_size"] == s["step_size_bar"]).all()
    assert (np.abs(used / s["step_size"] - 1.0) <= 0.15).all()
    assert np.ptp(used) > 0
    assert ((s["path_length"] <= 2.0 + 1e-12) & (s["path_length"] > 2.0 - used) | (s["n_steps"] == 1)).all()
    assert not s["tune"].any()
    assert chains.warm_stats["tune"].all()


def test_the_step_size_reaches_the_target_acceptance():
    chains = BareChains(gaussian_target(np.diag([0.01, 1.0, 100.0])), HamiltonianMC(), tune=1000, draws=1000)
    if JIT:
        assert chains.run().stats["acceptance_rate"].mean() == pytest.approx(0.65, abs=0.08)


@pytest.mark.nojit
@pytest.mark.parametrize("target", [0.6, 0.8, 0.95])
@pytest.mark.parametrize("name", ["independent", "correlated", "student"])
def test_the_target_acceptance_is_met_within_a_few_per_cent(name, target):
    places = np.arange(10)
    covariance = np.eye(10) if name == "independent" else 0.9 ** np.abs(places[:, None] - places)
    density = Target(student, 10) if name == "student" else gaussian_target(covariance)
    chains = BareChains(density, HamiltonianMC(target_accept=target), tune=1000, draws=1000, numbers=range(8))
    mean = chains.run().stats["acceptance_rate"].mean()
    assert mean == pytest.approx(target, abs=max(0.04 * target, 0.01) if target < 0.9 else 0.01)


def test_max_steps_holds():
    step = HamiltonianMC(adapt_step_size=False, step_scale=0.01, path_length=5.0, max_steps=7, metric="unit")
    chains = BareChains(Target(student, 1), step, draws=20).run()
    assert (chains.stats["n_steps"] == 7).all()


def test_a_wall_is_a_divergence_and_no_draw_lies_beyond():
    step = HamiltonianMC(adapt_step_size=False, step_scale=0.5, path_length=1.5, metric="unit")
    chains = BareChains(Target(wall, 1), step, draws=500 if JIT else 50, starts=[np.ones(1)]).run()
    s = {k: v[0] for k, v in chains.stats.items()}
    assert (chains.x > 0).all()
    assert s["diverging"].any()
    assert not s["accepted"][s["diverging"]].any()
    assert (s["acceptance_rate"][s["diverging"]] == 0).all()
    assert int(chains.blocks[0].divergences) == s["diverging"].sum()
    half_normal = ExactTarget(wall, lambda rng, count: np.abs(rng.normal(size=(count, 1))), 1)
    assert_invariant(step, half_normal)


def test_a_rise_by_more_than_emax_is_a_divergence_that_biases_nothing():
    step = HamiltonianMC(adapt_step_size=False, step_scale=1.5, metric="unit", Emax=0.05)
    s = {k: v[0] for k, v in BareChains(Target(student, 3), step, draws=100).run().stats.items()}
    assert s["diverging"].any()
    np.testing.assert_array_equal(s["diverging"], s["energy_error"] > 0.05)
    assert_invariant(fixed("student", Emax=0.05), EXACT["student"](), moves=0.5)


def test_a_stopped_transition_leaves_the_chain_as_it_was():
    chains = BareChains(Target(student, 3), HamiltonianMC(), draws=5)
    state, own = chains.blocks.state[0], chains.own().address
    chains.blocks.stop[0] = 1
    position = chains.blocks[0].position.copy()
    assert hmc.step(address_of(state), own) == Status.STOPPED
    assert (chains.blocks[0].position == position).all()
    assert np.isnan(chains.x).all()


PROCESS = """
import json, sys
from nbinfer.mcmc.hamiltonian.hmc import HamiltonianMC
from tests.laws.kit import BareChains, Target, student
print(json.dumps(BareChains(Target(student, 3), HamiltonianMC(), tune=15, draws=10).run().x.tolist()))
"""


@pytest.mark.nojit
def test_compiled_is_plain_python():
    done = subprocess.run(
        [sys.executable, "-c", PROCESS], capture_output=True, text=True, check=True,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    compiled = BareChains(Target(student, 3), HamiltonianMC(), tune=15, draws=10).run().x
    np.testing.assert_allclose(compiled, json.loads(done.stdout), rtol=1e-6, atol=1e-9)


@pytest.mark.nojit
def test_a_model_is_sampled_whatever_the_number_of_cores():
    one, two = (
        nb.sample(eight_schools(), 1000, 500, step=nb.HamiltonianMC(), cores=cores, random_seed=4, progressbar=False)
        for cores in (1, 2)
    )
    assert one["eta"].tobytes() == two["eta"].tobytes()
    summary = nb.summary(one)
    assert abs(summary["mean", "mu"] - 4.39) < 5 * summary["mcse_mean", "mu"] + 0.02
    np.testing.assert_array_equal(one.get_sampler_stats("accept"), one.sample_stats["acceptance_rate"].ravel())


def pair(p, d):
    return -0.5 * (p.x**2 - 1.6 * p.x * p.y + p.y**2) / 0.36


@pytest.mark.nojit
def test_a_step_for_one_variable_beside_nuts_for_another():
    model = nb.Model({"x": nb.real(), "y": nb.real()}, logp=pair)
    steps = [nb.HamiltonianMC("x"), nb.NUTS("y")]
    trace = nb.sample(model, 2000, 500, step=steps, random_seed=2, progressbar=False)
    x, y = trace["x"].ravel(), trace["y"].ravel()
    assert [x.std(), y.std(), np.corrcoef(x, y)[0, 1]] == pytest.approx([1.0, 1.0, 0.8], abs=0.1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"path_length": 0.0}, ValueError, "path_length must be positive and finite, got 0.0"),
        ({"path_length": np.inf}, ValueError, "path_length must be positive and finite, got inf"),
        ({"max_steps": 0}, ValueError, "max_steps must be an int from 1"),
        ({"max_steps": 2.0}, ValueError, "max_steps must be an int from 1"),
        ({"step_rand": lambda: 1.0}, TypeError, r"step_rand must take the step size, f\(step_size\), or"),
        ({"step_rand": "unif"}, TypeError, "step_rand must be None, a number, .* or a function, got 'unif'"),
        ({"step_rand": (1.2, 0.8)}, ValueError, "step_rand must be None, a number in"),
        ({"integrator": "euler"}, ValueError, "unknown integrator 'euler'; choose 'leapfrog'"),
        ({"metric": "full"}, ValueError, "unknown metric 'full'; choose 'fisher'"),
        ({"target_accept": 1.0}, ValueError, "target_accept must lie between 0 and 1"),
    ],
)
def test_bad_settings_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        HamiltonianMC(**options)

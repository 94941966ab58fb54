"""What use of the project has found: each test failed once."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import SamplingError
from tests.mcmc.models import raising

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
FEW = {"chains": 2, "random_seed": 3, "progressbar": False}


def standard(p, d):
    return -0.5 * np.sum(p.x**2)


def standard_grad(p, d, grad):
    grad.x[:] -= p.x
    return -0.5 * np.sum(p.x**2)


def normal(shape=(), **more):
    return nb.Model(parameters={"x": nb.real(shape)}, logp=standard, **more)


def test_a_derived_number_that_is_an_integer_by_chance_is_no_integer():
    trace = nb.sample(normal(derived={"above": lambda p, d: max(0, p.x)}), 50, 50, **FEW)
    assert trace["above"].dtype == np.float64
    np.testing.assert_array_equal(trace["above"], np.maximum(trace["x"], 0.0))


def grows(p, d):
    return np.zeros(2) if p.x < 0.3 else np.zeros(3)


@pytest.mark.parametrize("tune", [0, 20])
def test_a_derived_quantity_that_changes_its_shape_stops_the_run(tune):
    with pytest.raises(SamplingError, match="another shape") as caught:
        nb.sample(normal(derived={"grows": grows}), 500, tune, start={"x": 0.0}, **FEW)
    assert caught.value.trace["x"].shape == (2, 500)


def test_the_users_exception_tells_the_point():
    with pytest.raises(RuntimeError, match="beyond the limit") as caught:
        nb.sample(raising(), 2000, 100 if JIT else 5, **FEW)
    (note,) = [note for note in caught.value.__notes__ if "in chain" in note]
    assert float(note.split("x = ")[1].split(";")[0]) > 2.0


@pytest.mark.skipif(not JIT, reason="needs long chains")
@pytest.mark.parametrize("integrator", ["leapfrog", "twostage", "threestage"])
@pytest.mark.parametrize("dim", [1, 10])
def test_every_integrator_gets_the_spread_of_a_normal(integrator, dim):
    model = normal(dim, logp_grad=standard_grad)
    trace = nb.sample(model, 2000, 1000, nuts_kwargs={"integrator": integrator}, **FEW)
    s = nb.summary(trace)
    assert (s["ess_tail"] > 400).all()
    assert np.nanmax(s["rhat"]) < 1.02
    assert np.mean(trace["x"] ** 2) == pytest.approx(1.0, abs=0.12)


@pytest.mark.skipif(not JIT, reason="needs long chains")
def test_a_unit_metric_takes_steps_as_long_as_the_parameters_are_large():
    model = nb.Model(parameters={"x": nb.real()}, logp=lambda p, d: -0.5 * (p.x / 1e6) ** 2)
    trace = nb.sample(model, 2000, 1000, nuts_kwargs={"metric": "unit"}, **FEW)
    assert trace["x"].std() == pytest.approx(1e6, rel=0.15)
    assert trace.sample_stats["n_steps"].mean() < 20


STALE = """
import sys, json, warnings
warnings.simplefilter("ignore")
import numba, numpy as np, nbinfer as nb
PRECISION = 1.0
@numba.njit
def inner(x):
    return -0.5 * PRECISION * x * x
def logp(p, d):
    return inner(p.x)
def logp_grad(p, d, grad):
    grad.x[()] -= PRECISION * p.x
    return inner(p.x)
spreads = []
for PRECISION in (1.0, 16.0):
    derived = {"g": lambda p, d: PRECISION + 0.0 * p.x}
    model = nb.Model(parameters={"x": nb.real()}, logp=logp, logp_grad=logp_grad, derived=derived)
    trace = nb.sample(model, 1000, 500, chains=1, random_seed=1, progressbar=False)
    spreads += [float(trace["x"].std()), float(trace["g"].mean())]
print(json.dumps(spreads))
"""


def in_process(text):
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, env=dict(os.environ), check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(not JIT, reason="about machine code")
def test_a_changed_global_of_a_compiled_helper_reaches_the_draws():
    spread_1, g_1, spread_16, g_16 = in_process(STALE)
    assert (g_1, g_16) == (1.0, 16.0)
    assert spread_1 == pytest.approx(1.0, rel=0.15)
    assert spread_16 == pytest.approx(0.25, rel=0.15)


LARGE = """
import json, warnings
warnings.simplefilter("ignore")
import numpy as np, nbinfer as nb
X = np.random.default_rng(0).normal(size=(2000, 100))
def fitted(p, d):
    return (X @ p.b)[:2]
def logp(p, d):
    return -0.5 * np.sum(p.b ** 2)
def logp_grad(p, d, grad):
    grad.b[:] -= p.b
    return -0.5 * np.sum(p.b ** 2)
model = nb.Model(parameters={"b": nb.real(100)}, logp=logp, logp_grad=logp_grad, derived={"fitted": fitted})
trace = nb.sample(model, 20, 20, chains=1, random_seed=1, progressbar=False)
print(json.dumps(float(np.abs(trace["fitted"] - (trace["b"] @ X.T)[..., :2]).max())))
"""


@pytest.mark.skipif(not JIT, reason="about machine code")
def test_code_that_means_something_in_one_process_only_is_not_kept():
    assert in_process(LARGE) < 1e-9
    assert in_process(LARGE) < 1e-9  # once a crash


def peak(p, d):
    return np.inf if 0.5 < p.x < 1.0 or p.k == 2 else -0.5 * p.x**2 - 0.1 * p.b


def peak_grad(p, d, grad):
    grad.x[()] -= p.x
    return peak(p, d)


def peaked():
    return nb.Model({"x": nb.real(), "b": nb.binary(), "k": nb.categorical(3)}, logp=peak, logp_grad=peak_grad)


@pytest.mark.parametrize(
    "step",
    [
        nb.NUTS(),
        nb.HamiltonianMC(),
        nb.Metropolis(blocked=True),
        [nb.Slice("x"), nb.Metropolis("k")],
        nb.EllipticalSlice(prior_cov=[[1.0]]),
        nb.DEMetropolisZ(scaling=0.1),
        nb.DEMetropolis(),
        nb.StretchMove(),
        [nb.CategoricalGibbsMetropolis(["k", "b"])],
        [nb.CategoricalGibbsMetropolis(["k"], proposal="proportional"), nb.BinaryMetropolis("b")],
    ],
    ids=lambda step: type(step[0] if isinstance(step, list) else step).__name__,
)
def test_an_infinite_density_is_no_place_to_stay(step):
    draws, warm = (300, 100) if JIT else (20, 10)
    start = [{"x": x} for x in (0.3, 0.1, -1.0, 1.2)]
    trace = nb.sample(peaked(), draws, warm, step=step, start=start, random_seed=3, progressbar=False)
    assert np.isfinite(trace.sample_stats["lp"]).all()
    assert not ((trace["x"] > 0.5) & (trace["x"] < 1.0)).any()
    assert not (trace["k"] == 2).any()
    assert not JIT or trace["x"].std(axis=1).min() > 0.1  # they move on


@pytest.mark.nojit
def test_a_gibbs_draw_of_no_density_ends_the_run_and_names_it():
    def logp(p, d):
        return -0.5 * p.x**2 - 0.5 * p.y**2 if p.y < 2.0 else -np.inf

    def draw(p, d, rng):
        return rng.normal() + 1.0

    model = nb.Model({"x": nb.real(), "y": nb.real()}, logp=logp)
    with pytest.raises(SamplingError, match=r"'y'.*density") as caught:
        nb.sample(model, 500, 0, step=nb.GibbsStep("y", draw), **FEW)
    trace = caught.value.trace
    assert trace["y"][0, : trace.draws_done[0]].max() < 2.0

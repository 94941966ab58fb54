"""Steps in the hands of the caller, draw by draw: `iter_sample` and steppers."""

import itertools

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import SamplingError
from tests.laws.mixed import mixture

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


def wide_logp(p, d):
    return -0.5 * (p.x[0] / 100.0) ** 2 - 0.5 * p.x[1] ** 2 if p.x[1] > -5.0 else -np.inf


def wide_grad(p, d, grad):
    grad.x[0] -= p.x[0] / 1e4
    grad.x[1] -= p.x[1]
    return wide_logp(p, d)


def wide():
    return nb.Model({"x": nb.real(2)}, logp=wide_logp, logp_grad=wide_grad)


STEPS = [nb.CategoricalGibbsMetropolis("z"), nb.Slice("x")]


@pytest.mark.nojit  # long as plain Python
def test_traces_grow_and_are_those_of_sample():
    traces = list(nb.iter_sample(30, STEPS, tune=20, chain=1, model=mixture(), random_seed=4))
    whole = nb.sample(mixture(), 30, 20, chains=2, step=STEPS, random_seed=4, progressbar=False)
    assert [len(trace) for trace in traces] == list(range(1, 31))
    for name in ("x", "z"):
        np.testing.assert_array_equal(traces[-1][name][0], whole[name][1])
        np.testing.assert_array_equal(traces[4][name][0], whole[name][1, :5])
    assert traces[-1]["z"].dtype == np.int64


def test_a_population_needs_sample():
    with pytest.raises(ValueError, match="draws one chain, and this step needs several; use sample"):
        next(nb.iter_sample(5, nb.StretchMove(), model=wide()))
    with pytest.raises(ValueError, match="a stepper has one; use sample"):
        nb.DEMetropolis().on(wide())


def beyond(p, d):
    if p.x[0] > 2.0:
        raise ValueError("beyond")
    return -0.5 * np.sum(p.x**2)


def beyond_grad(p, d, grad):
    grad.x[:] -= p.x
    return beyond(p, d)


def raises_beyond():
    return nb.Model({"x": nb.real(2)}, logp=beyond, logp_grad=beyond_grad)


@pytest.mark.parametrize("tune", [0, 3])
def test_an_exception_of_a_function_has_the_point_and_the_draws_before(tune):
    traces = []
    with pytest.raises(ValueError, match="beyond") as caught:
        traces.extend(nb.iter_sample(500, nb.Metropolis(), tune=tune, model=raises_beyond(), random_seed=6))
    (note,), trace = caught.value.__notes__, caught.value.trace
    assert note.startswith("in chain 0 at x = [")
    assert note.endswith("; finished draws: error.trace")
    assert float(note.split("[")[1].split()[0].rstrip(",")) > 2.0
    assert trace["x"].shape == (1, len(traces) + 1, 2)  # where it raised is no place to go to; the draw ends elsewhere
    assert (trace["x"][..., 0] <= 2.0).all()
    with pytest.raises(ValueError, match="beyond") as of_sample:
        nb.sample(raises_beyond(), 500, tune, chains=1, step=nb.Metropolis(), random_seed=6, progressbar=False)
    assert of_sample.value.__notes__ == caught.value.__notes__
    np.testing.assert_array_equal(of_sample.value.trace["x"][:, : len(trace)], trace["x"])


@pytest.mark.either
@pytest.mark.filterwarnings("ignore::nbinfer.errors.PerformanceWarning")
def test_a_density_that_draws_random_numbers_is_told():
    model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * (p.x + 1e-3 * np.random.normal()) ** 2)  # noqa: NPY002
    with pytest.warns(nb.errors.NbinferWarning, match="at the same point: it draws random numbers") as caught:
        nb.sample(model, 5, 5, chains=1, progressbar=False)
    assert all(warning.filename == __file__ for warning in caught)


@pytest.mark.nojit  # long as plain Python
def test_an_exception_in_warm_up_leaves_an_empty_trace():
    with pytest.raises(ValueError, match="beyond") as caught:
        list(nb.iter_sample(5, nb.Slice(), {"x": [1.99, 0.0]}, tune=500, model=raises_beyond(), random_seed=1))
    assert len(caught.value.trace) == 0
    assert "in chain 0 at x = [" in caught.value.__notes__[0]


def test_an_exception_under_a_stepper_has_the_point():
    stepper = nb.Slice().on(raises_beyond(), random_seed=1)
    with pytest.raises(ValueError, match="beyond") as caught:
        [stepper.step({"x": [1.99, 0.0]}) for _ in range(500)]
    assert caught.value.__notes__[0].startswith("in chain 0 at x = [2.")
    assert stepper.step({"x": [0.0, 0.0]})["x"].shape == (2,)  # it goes on from elsewhere


def test_a_stepper_repeats_the_chain_of_a_seed():
    one, two = (nb.CompoundStep(STEPS).on(mixture(), random_seed=2) for _ in range(2))
    assert [one.step() for _ in range(5)] == [two.step() for _ in range(5)]
    assert [set(s) for s in one.stats] == [{"proposed", "moves", "lp", "tune"}, {"n_evals", "lp", "tune"}]
    assert one.logp == pytest.approx(mixture().logp(one.point))
    assert one.stats[-1]["lp"] == one.logp


def test_steps_start_where_they_are_told():
    stepper = nb.Metropolis("x", scaling=1e-9).on(mixture(), random_seed=2)
    assert stepper.step({"x": 2.5, "z": 2})["x"] == pytest.approx(2.5, abs=1e-6)
    assert stepper.astep([-1.5])[0] == pytest.approx(-1.5, abs=1e-6)


@pytest.mark.either
@pytest.mark.parametrize(
    "move",
    [
        lambda s: s.astep([0.0, -6.0]),
        lambda s: s.step({"x": [0.0, -6.0]}),
        lambda s: s.step({"x": [0.0, 1.0, 2.0]}),
        lambda s: s.astep([0.0]),
    ],
    ids=["astep", "step", "step shape", "astep shape"],
)
def test_a_refused_point_leaves_the_stepper_as_it_was(move):
    stepper = nb.Slice().on(wide(), random_seed=3)
    stepper.step()
    position, logp = stepper.position, stepper.logp
    with pytest.raises((SamplingError, ValueError)):
        move(stepper)
    np.testing.assert_array_equal(stepper.position, position)
    assert stepper.logp == logp == pytest.approx(wide().logp(stepper.point))


def test_a_refused_point_leaves_discrete_values_as_they_were():
    stepper = nb.CompoundStep(STEPS).on(mixture(), random_seed=3)
    point = stepper.step()
    with pytest.raises(SamplingError, match="at the point to step from"):
        stepper.step({"x": 1e200, "z": (point["z"] + 1) % 3})
    assert stepper.point == point


TUNED = {
    "nuts": (nb.NUTS(), "step_size"),
    "dense": (nb.NUTS(metric="dense"), "step_size"),
    "hmc": (nb.HamiltonianMC(), "step_size"),
    "metropolis": (nb.Metropolis(tune_interval=10), "scaling"),
    "slice": (nb.Slice(), "n_evals"),
    "past": (nb.DEMetropolisZ(tune="scaling", tune_interval=10), "scaling"),
}


def tuned(stepper, name, draws):
    """Let a stepper adapt, then freeze it; return a statistic of each draw."""
    values = [stepper.step() and stepper.stats[0][name] for _ in range(draws)]
    stepper.stop_tuning()
    assert not stepper.tune
    return values + [stepper.step() and stepper.stats[0][name] for _ in range(20)]


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("kind", TUNED)
def test_reset_tuning_begins_anew(kind):
    """After a reset a step adapts as one that is new; random numbers do not repeat."""
    method, name = TUNED[kind]
    draws = 250 if JIT else 30
    old, start = method.on(wide(), tune=draws, random_seed=5), [30.0, 0.5]
    old.astep(start)
    first = tuned(old, name, draws)
    old.reset_tuning()
    assert old.tune
    first_field = old._sampling.chains._first_of_steps
    state = old._sampling.chains.state[0, first_field:]
    new = method.on(wide(), tune=draws, random_seed=5, start={"x": old.position})
    fresh = new._sampling.chains.state[0, first_field:]
    addresses = (state > 1 << 32) & (state < 1 << 48)
    np.testing.assert_array_equal(state[~addresses], fresh[~addresses])
    second = tuned(old, name, draws)
    assert second != first
    if name in ("step_size", "scaling"):
        assert len(set(second[draws:])) == 1


@pytest.mark.skipif(not JIT, reason="needs long chains")
def test_a_metric_is_learnt_again_after_a_reset():
    stepper = nb.NUTS().on(wide(), tune=400, random_seed=5)
    steps = []
    for _ in itertools.repeat(None, 2):
        for _ in itertools.repeat(None, 400):
            stepper.step()
        stepper.stop_tuning()
        steps.append(np.mean([stepper.step() and stepper.stats[0]["n_steps"] for _ in range(200)]))
        stepper.reset_tuning()
    assert max(steps) < 8  # without the scales it takes hundreds

"""What every kind of step holds to."""

import dataclasses
import inspect

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.diagnostics import ess_mean
from nbinfer.engine.step import Competence
from nbinfer.engine.written import text_of
from nbinfer.errors import NbinferWarning
from nbinfer.mcmc.assign import assign, separated

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


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


# ---- arguments that every step has

#: Arguments after `vars` in the order in which PyMC has them.
POSITIONAL = {
    nb.NUTS: "Emax target_accept gamma k t0 adapt_step_size max_treedepth on_error early_max_treedepth",
    nb.HamiltonianMC: "path_length step_rand",
    nb.Metropolis: "S proposal_dist scaling tune tune_interval model mode",
    nb.BinaryMetropolis: "scaling tune tune_interval model",
    nb.BinaryGibbsMetropolis: "order model",
    nb.CategoricalGibbsMetropolis: "proposal order model",
    nb.Slice: "w tune model",
    nb.EllipticalSlice: "prior_cov prior_chol model",
    nb.DEMetropolis: "S proposal_dist lamb scaling tune tune_interval model mode",
}


@pytest.mark.parametrize("method", POSITIONAL, ids=lambda method: method.__name__)
def test_arguments_after_vars_stand_in_the_order_of_the_documents(method):
    kinds = inspect.signature(method).parameters.values()
    assert [p.name for p in kinds if p.kind is p.POSITIONAL_OR_KEYWORD] == ["vars", *POSITIONAL[method].split()]


def test_positional_arguments_arrive():
    nuts = nb.NUTS(["x"], 500.0, 0.9, 0.1, 0.6, 5.0, False, 7, "warn", 6)
    assert (nuts.Emax, nuts.target_accept, nuts.max_treedepth, nuts.on_error) == (500.0, 0.9, 7, "warn")
    assert nb.HamiltonianMC("x", 1.5, 0.1).step_rand == 0.1
    model = peaked()
    assert nb.Metropolis("x", 2.0, "laplace", 0.5, False, 50, model).model is model
    assert nb.BinaryMetropolis("b", 0.5, False, 20, model) == nb.BinaryMetropolis("b", 0.5, False, 20)


def logp_of_two(p, d):
    return -0.5 * np.sum(p.x**2) - 0.5 * p.y**2


def two():
    return nb.Model({"x": nb.real(2), "y": nb.real()}, logp=logp_of_two)


EACH = [
    nb.NUTS(blocked=False),
    nb.HamiltonianMC(blocked=False),
    nb.Slice(blocked=False),
    nb.Metropolis(),
    nb.DEMetropolisZ(blocked=False),
    nb.DEMetropolis(blocked=False),
    nb.StretchMove(blocked=False),
    nb.EllipticalSlice(["y"], prior_cov=[[1.0]], blocked=False),
]


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("step", EACH, ids=lambda step: type(step).__name__)
def test_without_blocks_there_is_one_step_for_each_variable(step):
    found = separated(assign(two(), step))
    assert [names for method, names in found if method == step] == [["x"], ["y"]][-len(step.vars or "12") :]
    draws, warm = (2000, 500) if JIT else (30, 30)
    trace = nb.sample(two(), draws, warm, step=step, chains=6, random_seed=2, progressbar=False)
    if JIT:
        for x in (trace["x"][..., 0], trace["x"][..., 1], trace["y"]):
            assert abs(x.mean()) < 5.0 * x.std() / np.sqrt(ess_mean(x))
            assert 0.8 < x.std() < 1.2


@pytest.mark.parametrize("step", EACH[:4], ids=lambda step: type(step).__name__)
def test_blocked_is_true_or_false(step):
    with pytest.raises(TypeError, match="blocked must be True or False, got 1"):
        dataclasses.replace(step, blocked=1)


def test_variables_are_named_by_themselves():
    x, y = nb.real(2), nb.real()
    model = nb.Model({"x": x, "y": y}, logp=logp_of_two)
    for given in (model.parameters["y"], y, [model.parameters["y"]], (y,)):
        ((method, names), *_) = assign(model, nb.Slice(given))
        assert names == ["y"]
        assert method.vars in ("y", ["y"])
    ((_, names), *_) = assign(model, nb.Slice([model.parameters["y"], x]))
    assert names == ["x", "y"]
    assert nb.Slice(model.parameters["y"]).vars == "y"
    assert nb.Slice([model.parameters["x"], "y"]).vars == ["x", "y"]


def test_an_object_must_be_that_of_one_variable():
    both = nb.real()
    model = nb.Model({"x": both, "y": both}, logp=lambda p, d: -0.5 * p.x**2 - 0.5 * p.y**2)
    with pytest.raises(ValueError, match=r"of vars, real\(\), is 'x' and 'y' at once; pass a name: 'x'"):
        assign(model, nb.Slice(both))
    with pytest.raises(ValueError, match=r"real\(\), is not what a variable was made of; pass a name"):
        assign(model, nb.Slice([nb.real()]))


def test_a_step_knows_its_model():
    model, other = two(), two()
    assert assign(model, nb.Slice(model=model))[0][1] == ["x", "y"]
    with pytest.raises(ValueError, match="Slice was made for another model than that of the run"):
        assign(other, nb.Slice(model=model))
    with pytest.raises(TypeError, match="model must be a Model, got str"):
        nb.NUTS(model="model")
    assert nb.Slice(model=model).on(random_seed=1).astep([0.1, 0.2, 0.3]).shape == (3,)
    assert "model" not in repr(nb.Slice(model=model))
    assert text_of(nb.Slice(model=model)) == text_of(nb.Slice())


def test_a_mode_is_ignored_with_a_word():
    for method in (nb.Metropolis, nb.DEMetropolis, nb.DEMetropolisZ):
        with pytest.warns(NbinferWarning, match="mode is ignored: it chose Theano's way to compile") as caught:
            step = method(mode="FAST_RUN")
        assert caught[0].filename == __file__
        assert step == method()


@pytest.mark.parametrize("method", [nb.NUTS, nb.HamiltonianMC])
def test_the_type_of_numbers_is_float64(method):
    for dtype in ("float64", np.float64, float, np.dtype("f8"), "floatX", None):
        assert method(dtype=dtype) == method()
    for dtype in ("float32", np.float32, "flot64", 3):
        with pytest.raises(ValueError, match="dtype must be float64, in which every step computes, got "):
            method(dtype=dtype)


def test_competence_of_what_a_variable_is_made_of():
    assert nb.NUTS.competence(nb.real(3), True) == Competence.IDEAL
    assert nb.NUTS.competence(var=nb.real(3), has_grad=False) == Competence.INCOMPATIBLE
    assert nb.Slice.competence(nb.positive(), False) == Competence.PREFERRED
    assert nb.Metropolis().competence(nb.integer(0), False) == Competence.COMPATIBLE
    for method in (nb.NUTS, nb.Metropolis, nb.Slice, nb.BinaryMetropolis, nb.CategoricalGibbsMetropolis, nb.GibbsStep):
        with pytest.raises(TypeError, match=r"var must be a variable, .* or a support, .* got 'x'"):
            method.competence("x", True)

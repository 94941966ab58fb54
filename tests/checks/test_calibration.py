"""Simulations find what is wrong with a prior, a likelihood or a sampler, and nothing where all is well."""

import functools

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.checks.result import Calibration, shape_of
from nbinfer.errors import ModelError
from nbinfer.mcmc.hamiltonian import common, nuts, tree
from nbinfer.mcmc.metric import kernel as metric
from tests.checks import generative
from tests.laws.law import mutant

SHORT = {"draws": 20, "tune": 20, "chains": 1, "progressbar": False, "random_seed": 4}
LONG = {"progressbar": False, "random_seed": 20261130}
RIGHT = {"line": generative.line, "groups": generative.groups, "state": generative.state}
WRONG = {"likelihood": (generative.wrong_likelihood, "sigma"), "prior": (generative.wrong_prior, "share[0]")}


@pytest.mark.slow
@pytest.mark.nojit
@pytest.mark.parametrize("name", RIGHT)
def test_ranks_of_right_models_are_uniform(name):
    found = nb.sbc(RIGHT[name](), 400, **LONG)
    assert found.done == 400
    assert found.ok, found
    assert found.smallest > 0.01


@pytest.mark.slow
@pytest.mark.nojit
@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_belong_together_is_found(name):
    make, quantity = WRONG[name]
    found = nb.sbc(make(), 300, **LONG)
    assert found.smallest < 1e-6
    assert f"\n- {quantity}: p = " in str(found)


@pytest.mark.slow
@pytest.mark.nojit
def test_a_mutant_of_nuts_is_found(tmp_path):
    altered = "momentum_out[i] *= root[i]", "momentum_out[i] *= 0.5 * root[i]"
    broken = mutant(tmp_path, *altered, metric, tree, common, nuts)
    found = nb.sbc(generative.line(), 300, step=broken.NUTS(), **LONG)
    assert found.smallest < 1e-6


@pytest.mark.either
@pytest.mark.filterwarnings("error")
def test_what_comes_back():
    found = nb.sbc(generative.state(), 6, **SHORT)
    again = nb.sbc(generative.state(), 6, **SHORT | {"cores": 1})
    assert list(found.ranks) == ["z", "lp"]
    assert found.ranks["z"].shape == found.counts["z"].shape == (6,)
    assert found.ranks["z"].min() > 0.0
    assert found.ranks["z"].max() < 1.0
    assert found.counts["z"].max() <= 20
    assert found.tests == 2
    assert (found.simulations, found.done, found.failed, found.interrupted) == (6, 6, [], False)
    assert str(found).startswith("6 simulations, 2 quantities: no departure from uniform ranks")
    np.testing.assert_array_equal(found.ranks["z"], again.ranks["z"])


def test_some_quantities():
    found = nb.sbc(generative.state(), 2, var_names="z", **SHORT)
    assert list(found.ranks) == ["z"]


def test_quantities_that_are_left_out():
    found = nb.sbc(generative.state(), 2, var_names="~z", **SHORT)
    assert list(found.ranks) == ["lp"]


def test_data_are_not_those_of_the_model():
    model = generative.state()
    nb.sbc(model, 2, **SHORT)
    np.testing.assert_array_equal(model.data["y"], np.zeros(2))


def test_an_interruption_leaves_what_is_finished(monkeypatch):
    seen = []

    @functools.wraps(nb.sample)
    def sample(*given, **options):
        seen.append(given)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return nb.sample(*given, **options)

    monkeypatch.setattr("nbinfer.checks.calibration.sample", sample)
    found = nb.sbc(generative.state(), 6, **SHORT)
    assert found.interrupted
    assert found.done == 2
    assert "Interrupted: 2 of 6 simulations were made." in str(found)


def test_runs_that_cannot_start_are_told(monkeypatch):
    @functools.wraps(nb.sample)
    def sample(*given, **options):
        raise nb.errors.SamplingError("no start")

    monkeypatch.setattr("nbinfer.checks.calibration.sample", sample)
    found = nb.sbc(generative.state(), 3, **SHORT)
    assert not found.ok
    assert "nothing to say" in str(found)
    assert "3 runs could not start, and are left out; of 0: no start" in str(found)


def improper():
    return nb.Model({"mu": nb.real()}, likelihood={"y": generative.on_line}, data={"y": np.zeros(6)})


def of_two(p, d):
    return generative.of_line(p, d) - 0.1 * p.slope * p.level


def unknown():
    parameters = {"slope": nb.real(), "level": nb.real(), "sigma": nb.positive()}
    data = {"y": np.zeros(6), "x": generative.X}
    return nb.Model(parameters, prior=of_two, likelihood={"y": generative.on_line}, data=data)


def nameless():
    model = generative.line().definition
    data = {name: datum.value for name, datum in model.data.items()}
    return nb.Model(
        {"slope": nb.real(), "level": nb.real(), "sigma": nb.positive()},
        prior=generative.of_line, likelihood=generative.on_line, data=data, predict={"y": generative.draw_line},
    )  # fmt: skip


REFUSED = {
    "a prior that is none": (improper, "nothing is known that draws 'mu'"),
    "a prior that is no sum": (unknown, "sbc needs independent draws from the prior of the model"),
    "a likelihood without a name": (nameless, "likelihood is named after no entry of the data"),
    "weights": (lambda: generative.line(total_size={"y": 60}), "have weights (total_size)"),
    "gaps": (generative.with_gaps, "have gaps, 'y'; simulate complete data"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_models_that_draw_no_data_of_their_own_are_refused(case):
    make, message = REFUSED[case]
    with pytest.raises(ModelError) as caught:
        nb.sbc(make(), 2, **SHORT)
    assert message in str(caught.value)


def test_bad_arguments():
    model = generative.state()
    with pytest.raises(ValueError, match="simulations must be an int from 1"):
        nb.sbc(model, 0)
    with pytest.raises(ValueError, match="draws must be an int from 1"):
        nb.sbc(model, 2, draws=0)
    with pytest.raises(TypeError, match="progressbar must be True or False"):
        nb.sbc(model, 2, progressbar="yes")
    with pytest.raises(
        ModelError, match="var_names must name parameters or derived quantities of the model, z, lp; got 'zz'"
    ):
        nb.sbc(model, 2, var_names="zz")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"no_such": 1}, r"sbc\(\) has no option 'no_such'"),
        ({"seed": 1}, "did you mean 'random_seed'"),
        ({"live_plot": True}, "live_plot is of one run"),
        ({"tune": -1}, "tune must be"),
        ({"trace": "draws.h5"}, "trace is of one run"),
        ({"step": nb.Slice(), "target_accept": 0.9}, "target_accept=0.9 is an option of NUTS"),
    ],
)
def test_options_of_runs_are_checked_before_anything_is_drawn(options, message, monkeypatch):
    monkeypatch.setattr("nbinfer.checks.calibration.sample_prior_predictive", lambda *_, **__: pytest.fail("drew"))
    with pytest.raises((TypeError, ValueError), match=message):
        nb.sbc(generative.line(), 2, **options)


def test_words_for_shapes():
    rng = np.random.default_rng(1)
    shapes = {"too low": (4, 2), "too high": (2, 4), "too narrow": (0.5, 0.5), "too wide": (3, 3)}
    for words, parameters in shapes.items():
        assert words in shape_of(rng.beta(*parameters, 300))


def test_the_worst_are_listed():
    found, rng = Calibration(100), np.random.default_rng(2)
    for _ in range(100):
        found.add({"x": (np.append(rng.beta(9.0, 1.0, 10), rng.random(2)), np.ones(12))}, ())
    text = str(found.closed())
    assert text.count("ranks are high, so that draws are too low") == 8
    assert "- and 2 more" in text

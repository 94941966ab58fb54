"""Quantities of draws that exist: as if the run had stored them."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import ModelError
from nbinfer.trace import Trace

LABELS = ["a", "b", "c"]


def theta(p, d):
    return p.mu + np.exp(p.tau) * d.x


def large(p, d):
    return p.tau > 0.5


def noise(p, d, rng):
    return p.mu + rng.standard_normal()


def wrong(p, d):
    return np.zeros(1 + (p.mu > 0))


def prior(p, d):
    return -0.5 * (p.mu**2 + p.tau**2)


@pytest.fixture(scope="module")
def model():
    return nb.Model(
        {"mu": nb.real(), "tau": nb.positive()}, prior=prior, likelihood={"y": lambda p, d: -0.5 * (d.y - p.mu) ** 2},
        data={"y": np.zeros(3), "x": np.arange(3.0)}, derived={"theta": theta, "large": large},
        dims={"theta": ["part"]}, coords={"part": LABELS},
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(model):
    return nb.sample(model, 200, tune=100, chains=2, progressbar=False, random_seed=1)


@pytest.fixture
def bare(whole):
    trace = whole.copy()
    for name in ("theta", "large"):
        trace.remove_values(name)
    trace.dims, trace.coords = {}, {}
    return trace


pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("functions", [None, ["theta", "large"], {"theta": theta, "large": large}])
def test_it_is_what_the_run_would_have_stored(model, whole, bare, functions):
    bare.compute(model, functions, progressbar=False)
    for name in ("theta", "large"):
        assert bare[name].dtype == whole[name].dtype
        assert bare[name].tobytes() == whole[name].tobytes()
    assert bare.dims == {"theta": ["part"]}
    assert bare.summary(var_names="theta").rows == ("theta[a]", "theta[b]", "theta[c]")


def test_unequal_chains_stay_so(model, whole):
    trace = Trace({n: whole[n].copy() for n in ("mu", "tau")}, draws_done=[200, 150])
    trace.compute(model, "theta", progressbar=False)
    assert np.isnan(trace["theta"][1, 150:]).all()
    assert trace["theta"][1, :150].tobytes() == whole["theta"][1, :150].tobytes()


def test_random_functions_have_a_seed(model, bare):
    for name, seed in (("one", 1), ("other", 1), ("third", 2)):
        bare.compute(model, {"z": noise}, random_seed=seed, overwrite=True, progressbar=False)
        bare.posterior[name] = bare.posterior.pop("z")
    assert bare["one"].tobytes() == bare["other"].tobytes() != bare["third"].tobytes()


def test_names_of_new_axes(model, bare):
    bare.compute(model, {"twice": lambda p, d: 2.0 * d.x}, dims={"twice": ["part"]}, progressbar=False)
    assert bare.dims["twice"] == ["part"]
    assert list(bare.coords["part"]) == LABELS


def test_what_does_not_go_is_told_and_nothing_is_added(model, bare):
    names = bare.varnames
    bare.compute(model, {}, progressbar=False)
    for functions, kwargs, error, message in [
        ({"mu": theta}, {}, ValueError, "already has mu"),
        ({"mu": theta}, {"overwrite": True}, ValueError, "'mu', the name of a parameter"),
        ("thet", {}, ValueError, "functions names 'thet', and the model derives theta, large"),
        ({"z": 3}, {}, TypeError, r"functions\['z'\] must be a function"),
        ({"z": theta}, {"dims": {"z": ["part", "more"]}}, ModelError, "dims names 2 of 'z'"),
        ({"z": theta}, {"dims": {"w": ["part"]}}, ModelError, "dims names 'w'"),
        ({"z": theta}, {"dims": {"z": ["mu"]}}, ValueError, r"dims\['z'\] has 'mu', the name of a variable"),
        ({"z": wrong}, {}, ModelError, r"functions\['z'\] must return float64 of shape"),
    ]:
        with pytest.raises(error, match=message):
            bare.compute(model, functions, progressbar=False, **kwargs)
    with pytest.raises(TypeError, match="model must be a Model"):
        bare.compute({"z": theta})
    with pytest.raises(ModelError, match="Is it a trace of another model"):
        Trace({"x": np.zeros((1, 2))}).compute(model, {"z": theta}, progressbar=False)
    assert bare.varnames == names


def test_axes_are_checked_before_anything_is_computed(model, bare, monkeypatch):
    def run(*args, **kwargs):
        raise AssertionError

    monkeypatch.setattr("nbinfer.predictive.over.Work.run", run)
    with pytest.raises(ModelError, match="dims names 2 of 'z'"):
        bare.compute(model, {"z": theta}, dims={"z": ["part", "more"]}, progressbar=False)

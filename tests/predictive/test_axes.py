"""Predictions have the names and labels of their model, those for new data their own."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import ModelError
from nbinfer.trace import Trace


def mean(p, d):
    return p.mu + d.x


def predict(p, d, rng):
    return p.mu + d.x + rng.standard_normal(d.x.shape)


@pytest.fixture(scope="module")
def model():
    return nb.Model(
        {"mu": nb.real()}, logp=lambda p, d: -0.5 * p.mu**2, data={"x": np.arange(3.0), "y": np.zeros(3)},
        derived={"mean": mean}, predict={"y": predict}, dims={n: ["obs"] for n in ("x", "y", "mean")},
        coords={"obs": ["a", "b", "c"]},
    )  # fmt: skip


@pytest.fixture
def trace():
    return Trace({"mu": np.random.default_rng(1).normal(size=(2, 50))}, chain_ids=[2, 5])


def test_those_of_the_model(model, trace):
    group = nb.sample_posterior_predictive(trace, model, progressbar=False)
    assert group.dims == {"y": ["obs"]}
    assert group.coords["obs"].tolist() == ["a", "b", "c"]
    trace.add_group(group)
    assert trace.groups["posterior_predictive"].is_of([2, 5], 50)


@pytest.mark.parametrize(("coords", "labels"), [(None, None), ({"obs": [7.5, 8.5]}, [7.5, 8.5])])
def test_those_of_new_data(model, trace, coords, labels, tmp_path):
    group = nb.sample_posterior_predictive(
        trace, model, vars=["y", "mean"], data={"x": [1.0, 2.0]}, coords=coords, progressbar=False
    )
    assert group.dims == {"y": ["obs"], "mean": ["obs"], "x": ["obs"]}
    assert (group.coords["obs"].tolist() if "obs" in group.coords else None) == labels
    trace.add_group(group)
    trace.save(tmp_path / "trace.nc")
    loaded = nb.load(tmp_path / "trace.nc").groups["predictions"]
    assert loaded["y"].tobytes() == group["y"].tobytes()
    assert loaded.data["x"].tolist() == [1, 2]
    assert loaded.dims == group.dims


def test_as_long_as_before_the_labels_stay(model, trace):
    group = nb.sample_posterior_predictive(trace, model, data={"x": [5.0, 6.0, 7.0]}, progressbar=False)
    assert group.coords["obs"].tolist() == ["a", "b", "c"]


def test_what_does_not_fit_is_told_before_anything_is_computed(model, trace):
    for kwargs, message in [
        ({"data": {"x": [1.0]}, "coords": {"obs": [1, 2]}}, "axis 'obs' must have one length: coords labels 2"),
        ({"data": {"x": [1.0]}, "coords": {"obss": [1]}}, "coords labels 'obss', which is no axis.*mean 'obs'"),
        ({"coords": {"obs": [1, 2, 3]}}, "coords are labels of new data, and no data are given"),
    ]:
        with pytest.raises(ModelError, match=message):
            nb.sample_posterior_predictive(trace, model, progressbar=False, **kwargs)

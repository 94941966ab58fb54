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


def nothing(p, d):
    return 0.0


def of_each(p, d):
    return -0.5 * (d.y - p.mu) ** 2


def of_rows(p, d):
    return -0.5 * np.sum((d.y - p.mu) ** 2, axis=1)


@pytest.mark.either
@pytest.mark.parametrize(
    ("y", "term", "axes", "labels"),
    [
        ([1.0, 2.0, 3.0], of_each, ["obs"], ["a", "b", "c"]),
        (np.ones((3, 2)), of_each, ["obs", "kind"], ["a", "b", "c"]),
        (np.ones((3, 2)), of_rows, ["obs"], ["a", "b", "c"]),
        ([1.0, np.nan, 3.0], of_each, ["y_observed_at"], ["a", "c"]),
        ([[1.0, 2.0], [3.0, 4.0], [np.nan, 6.0]], of_each, ["y_observed_at"],
         ["(a, 0)", "(a, 1)", "(b, 0)", "(b, 1)", "(c, 1)"]),
    ],
    ids=["each", "cells", "rows", "gap", "gap in cells"],
)  # fmt: skip
def test_log_likelihoods_have_those_of_the_data(y, term, axes, labels, tmp_path):
    names = {"y": ["obs", "kind"][: np.ndim(y)]}
    gaps = {"y": nb.real()} if np.isnan(y).any() else None
    model = nb.Model({"mu": nb.real()}, prior=nothing, likelihood={"y": term}, data={"y": y}, missing=gaps, dims=names,
                     coords={"obs": ["a", "b", "c"]})  # fmt: skip
    trace = Trace({"mu": np.zeros((2, 50))} | ({"y_missing": np.zeros((2, 50, 1))} if gaps else {}))
    group = nb.compute_log_likelihood(trace, model, progressbar=False)
    assert group.dims == {"y": axes}
    assert group.coords[axes[0]].tolist() == labels
    trace.add_group(group)
    trace.save(tmp_path / "trace.nc")
    assert nb.load(tmp_path / "trace.nc").groups["log_likelihood"].dims == group.dims


def test_log_priors_have_those_of_the_parameter():
    model = nb.Model({"mu": nb.real(2), "sd": nb.positive()}, dims={"mu": ["kind"]}, coords={"kind": ["a", "b"]},
                     prior={"mu": lambda p, d: -p.mu**2, "sd": lambda p, d: -p.sd})  # fmt: skip
    group = nb.compute_log_prior(Trace({"mu": np.zeros((2, 50, 2)), "sd": np.ones((2, 50))}), model, progressbar=False)
    assert group.dims == {"mu": ["kind"]}
    assert group.coords["kind"].tolist() == ["a", "b"]


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

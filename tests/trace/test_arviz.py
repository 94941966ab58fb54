"""The conversion to ArviZ loses nothing."""

import sys

import numpy as np
import pytest

from nbinfer.trace import Trace, fill_unfinished
from tests.trace.helpers import make

GROUPS = ["posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats", "observed_data"]


@pytest.fixture
def tree_of():
    pytest.importorskip("xarray")
    return Trace.to_arviz


def test_every_array_comes_through(tree_of):
    trace = make(first_chain=2, tune=4, observed_data={"y": np.arange(3), "n": 5})
    tree = tree_of(trace)
    assert set(tree.children) == set(GROUPS)
    for group in GROUPS:
        arrays = getattr(trace, group)
        assert set(tree[group].data_vars) == set(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(tree[group][name].values, array)
            assert tree[group][name].dtype == array.dtype
    assert tree["sample_stats"]["diverging"].dtype == bool
    assert tree["posterior"]["theta"].dims[:2] == ("chain", "draw")
    assert tree["observed_data"]["y"].dims[0] not in ("chain", "draw")
    assert tree["posterior"].chain.values.tolist() == [2, 3, 4]


def test_groups_without_arrays_are_absent(tree_of):
    assert set(tree_of(Trace({"x": np.zeros((1, 3))})).children) == {"posterior"}


def test_names_and_labels_of_axes(tree_of):
    coords = {"row": ["u", "v"], "column": [1, 2, 3]}
    tree = tree_of(make(tune=2, dims={"theta": ["row", "column"]}, coords=coords))
    theta = tree["posterior"]["theta"]
    assert theta.dims == ("chain", "draw", "row", "column")
    assert theta.sel(row="v", column=2, chain=0, draw=0).item() == pytest.approx(0.004)


def test_attributes_are_on_the_groups(tree_of):
    seed = 2**100
    attrs = {"seed": seed, "sampling_time": 0.25, "model": None, "seeds": [1, 2], "both": [1, seed], "odd": {"a": 1}}
    attrs |= {"table": [[1, 2], [3, 4]], "ragged": [["a"], 1], "square": np.eye(2)}  # netCDF has no such attributes
    tree = tree_of(make(tune=2, attrs=attrs, observed_data={"y": [1]}))
    for group in [tree, *(tree[name] for name in GROUPS)]:
        assert group.attrs["inference_library"] == group.attrs["creation_library"] == "nbinfer"
        assert group.attrs["inference_library_version"] == group.attrs["creation_library_version"]
        assert group.attrs["sampling_time"] == 0.25
        assert group.attrs["seed"] == str(seed)  # more than a file could hold
        assert group.attrs["seeds"] == [1, 2]
        assert group.attrs["both"] == ["1", str(seed)]
        assert group.attrs["table"] == ["[1, 2]", "[3, 4]"]
        assert group.attrs["ragged"] == ["['a']", "1"]
        assert group.attrs["square"] == "[[1.0, 0.0], [0.0, 1.0]]"
        assert "model" not in group.attrs
    assert tree["posterior"].attrs["sample_dims"] == ["chain", "draw"]
    assert tree["posterior"].attrs["created_at"] == tree["sample_stats"].attrs["created_at"]


def test_an_interrupted_run_ends_where_its_longest_chain_does(tree_of):
    trace = make(done=[5, 3, 4], interrupted=True)
    tree = tree_of(trace)
    assert tree["posterior"].sizes["draw"] == 5
    assert np.isnan(tree["posterior"]["mu"].values[1, 3:]).all()
    assert tree["posterior"]["k"].encoding["_FillValue"] == np.iinfo(np.int64).min
    assert "_FillValue" not in tree_of(trace.cut())["posterior"]["k"].encoding
    assert tree_of(trace.cut())["posterior"].sizes["draw"] == 3


def test_of_warm_ups_that_end_at_different_times_it_has_the_last(tree_of):
    steps = fill_unfinished(np.arange(12).reshape(3, 4), np.array([4, 2, 3]))
    tree = tree_of(make(warmup_sample_stats={"n_steps": steps}, tune_done=[4, 2, 3]))
    assert tree["warmup_sample_stats"]["n_steps"].values.tolist() == [[2, 3], [4, 5], [9, 10]]
    assert "_FillValue" not in tree["warmup_sample_stats"]["n_steps"].encoding


def test_arviz_stacks_the_draws_as_the_trace_does(tree_of):
    arviz_base = pytest.importorskip("arviz_base")
    trace = make()
    stacked = arviz_base.extract(tree_of(trace), var_names="theta").transpose("sample", ...)
    np.testing.assert_array_equal(stacked.values, trace.get_values("theta"))


def test_fewer_draws_than_chains_are_no_reason_to_warn(tree_of):
    assert tree_of(make(chains=4, draws=2))["posterior"].sizes["draw"] == 2


def test_without_arviz_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    for convert in (Trace.to_arviz, Trace.to_xarray):
        with pytest.raises(ImportError, match=r"needs xarray, which is not installed; .*pip install nbinfer\[arviz\]"):
            convert(make())

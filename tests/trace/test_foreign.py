"""To xarray, ArviZ and pandas, there and back: nothing changes on the way."""

import sys

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import NbinferWarning
from nbinfer.trace import Trace, TraceGroup, from_arviz
from nbinfer.trace.groups import KINDS
from tests.trace.helpers import make

ARRAYS = ["posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats", "observed_data", "constant_data"]
ENGINES = ("h5netcdf", "netcdf4")
DAYS = np.array(["2020-01-01", "2020-01-03"], "M8[ns]")


def full(**kwargs):
    """Return a trace that has one of everything."""
    trace = make(
        tune=4, observed_data={"y": np.arange(3)}, constant_data={"X": np.ones((3, 2)), "n": np.array(5)},
        dims={"theta": ["day", "column"], "y": ["obs"], "X": ["obs"]},
        coords={"day": DAYS, "column": np.array(["u", "Ω", ""]), "obs": np.array([2.5, 3.5, 9.0])},
        attrs={"seed": 2**100, "sampling_time": 0.5, "none": None, "odd": {"a": 1}, "steps": ["nuts"], "flag": True},
        **kwargs,
    )  # fmt: skip
    chains, rows = trace["mu"].shape
    ids = trace.chain_ids
    y = np.arange(chains * rows * 3.0).reshape(chains, rows, 3)
    named = {"dims": {"y": ["obs"]}, "coords": {"obs": trace.coords["obs"]}}
    trace.add_group(TraceGroup("posterior_predictive", {"y": y, "z": y > 3}, chain_ids=ids, attrs={"seed": 1}, **named))
    trace.add_group(TraceGroup("log_likelihood", {"y": -y}, chain_ids=ids, **named))
    trace.add_group(TraceGroup("log_prior", {"mu": -y[..., 0]}, chain_ids=ids))
    new = {"dims": {"y": ["obs"], "X": ["obs"]}, "coords": {"obs": np.array(["a", "b"])}}
    data = {"X": np.zeros((2, 2))}
    trace.add_group(
        TraceGroup("predictions", {"y": y[:2, 1:4, :2]}, chain_ids=ids[:2], draw_ids=[1, 2, 3], data=data, **new)
    )
    trace.add_group(TraceGroup("prior", {"mu": np.ones((1, 50)), "k": np.zeros((1, 50), np.int64)}))
    trace.add_group(TraceGroup("prior_predictive", {"y": np.ones((1, 50, 3), np.int64)}, **named))
    return trace


def same_arrays(found, wanted):
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == np.asarray(array).dtype, name
        assert found[name].shape == np.shape(array), name
        assert found[name].tobytes() == np.asarray(array).tobytes(), name


def same_axes(found, wanted):
    assert {n: axes for n, axes in found.dims.items() if axes} == wanted.dims
    assert found.coords.keys() == wanted.coords.keys()
    for axis, labels in wanted.coords.items():
        assert found.coords[axis].dtype.kind == np.asarray(labels).dtype.kind, axis
        assert found.coords[axis].tolist() == np.asarray(labels).tolist(), axis


def same(found, wanted, attrs=True):
    for group in ARRAYS:
        same_arrays(getattr(found, group), getattr(wanted, group))
    same_axes(found, wanted)
    assert found.chain_ids == wanted.chain_ids
    assert found.draws_done.tolist() == wanted.draws_done.tolist()
    assert found.tune_done.tolist() == wanted.tune_done.tolist()
    assert found.interrupted == wanted.interrupted
    assert found.groups.keys() == wanted.groups.keys()
    for kind, group in wanted.groups.items():
        back = found.groups[kind]
        same_arrays(back, group)
        same_arrays(back.data, group.data)
        same_axes(back, group)
        assert back.chain_ids == group.chain_ids
        assert list(back.draw_ids) == list(group.draw_ids)
    for one, other in [(found, wanted), *((found.groups[k], wanted.groups[k]) for k in wanted.groups)] if attrs else []:
        assert one.attrs == other.attrs
        assert {n: type(v) for n, v in one.attrs.items()} == {n: type(v) for n, v in other.attrs.items()}


@pytest.fixture(autouse=True)
def _xarray():
    pytest.importorskip("xarray")


@pytest.mark.parametrize("kwargs", [{}, {"first_chain": 2}, {"done": [10, 7, 4], "interrupted": True}])
def test_there_and_back(kwargs):
    trace = full(**kwargs)
    same(from_arviz(trace.to_arviz()), trace)


def test_every_group_is_there_with_its_labels():
    tree = full().to_arviz()
    assert set(tree.children) == {*ARRAYS, *KINDS, "predictions_constant_data"}
    assert tree["posterior"]["theta"].sel(day="2020-01-03", column="Ω", chain=1, draw=2).item() == 1002.004
    assert tree["predictions"]["y"].dims == ("chain", "draw", "obs")
    assert tree["predictions"]["obs"].values.tolist() == tree["predictions_constant_data"]["obs"].values.tolist()
    assert tree["predictions"]["draw"].values.tolist() == [1, 2, 3]
    assert tree["observed_data"]["y"].sel(obs=3.5).item() == 1
    assert tree["prior"].sizes == {"chain": 1, "draw": 50}


def test_nothing_is_copied():
    trace = full()
    assert np.shares_memory(trace.to_arviz()["posterior"]["theta"].values, trace["theta"])
    assert np.shares_memory(trace.to_xarray("log_likelihood")["y"].values, trace.groups["log_likelihood"]["y"])
    assert np.shares_memory(from_arviz(trace.to_arviz())["theta"], trace["theta"])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kwargs", [{}, {"done": [10, 7, 4], "interrupted": True}])
def test_through_a_file_of_xarray(tmp_path, engine, kwargs):
    pytest.importorskip({"netcdf4": "netCDF4"}.get(engine, engine))
    trace = full(**kwargs)
    trace.to_arviz().to_netcdf(tmp_path / "tree.nc", engine=engine)
    found = from_arviz(tmp_path / "tree.nc")
    same(found, trace, attrs=False)
    assert found.attrs["seed"] == 2**100
    assert found.attrs["odd"] == {"a": 1}
    assert found.attrs["none"] is None
    assert found.attrs["sampling_time"] == 0.5
    (tmp_path / "tree.nc").unlink()  # nothing holds it


def test_arviz_takes_it():
    arviz_base = pytest.importorskip("arviz_base")
    tree = arviz_base.convert_to_datatree(full().to_arviz())
    assert arviz_base.extract(tree, group="posterior_predictive", var_names="y").sizes["sample"] == 30
    stats = pytest.importorskip("arviz_stats")
    if hasattr(stats, "summary"):
        assert len(stats.summary(tree, var_names=["theta"])) == 6


def test_what_arviz_makes_is_taken():
    arviz_base = pytest.importorskip("arviz_base")
    rng = np.random.default_rng(1)
    tree = arviz_base.from_dict(
        {"posterior": {"mu": rng.normal(size=(2, 5)), "theta": rng.normal(size=(2, 5, 3))},
         "log_likelihood": {"y": rng.normal(size=(2, 5, 4))}, "observed_data": {"y": np.arange(4.0)}},
        dims={"theta": ["school"]}, coords={"school": ["a", "b", "c"]},
    )  # fmt: skip
    trace = from_arviz(tree)
    assert trace.dims == {"theta": ["school"]}
    assert trace.coords["school"].tolist() == ["a", "b", "c"]
    assert trace["theta"].tobytes() == tree["posterior"]["theta"].values.tobytes()
    assert trace.groups["log_likelihood"]["y"].shape == (2, 5, 4)
    assert trace.attrs["creation_library"] == "ArviZ"
    assert trace.summary(kind="stats").rows == ("mu", "theta[a]", "theta[b]", "theta[c]")


class InferenceData:
    """As ArviZ before 1.0 has it."""

    def __init__(self, tree):
        self._datasets = {name: node.to_dataset() for name, node in tree.children.items()}

    def groups(self):
        return list(self._datasets)

    def __getitem__(self, name):
        return self._datasets[name]


def test_other_forms_are_taken():
    trace = full()
    tree = trace.to_arviz()
    same(from_arviz(InferenceData(tree)), trace, attrs=False)
    dataset = trace.to_xarray().transpose("day", "draw", "column", "chain")
    same_arrays(from_arviz(dataset).posterior, trace.posterior)


def test_a_file_of_ours_is_loaded(tmp_path):
    trace = make(tune=2, done=[10, 7, 4])
    trace.save(tmp_path / "trace.nc")
    found = from_arviz(tmp_path / "trace.nc")
    same(found, trace, attrs=False)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kwargs", [{}, {"done": [10, 7, 4], "interrupted": True}])
def test_xarray_may_read_a_file_of_ours(tmp_path, engine, kwargs):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip({"netcdf4": "netCDF4"}.get(engine, engine))
    trace = full(**kwargs)
    trace.save(tmp_path / "trace.nc")
    with xarray.open_datatree(tmp_path / "trace.nc", engine=engine) as tree:
        found = from_arviz(tree.load())
        some = from_arviz(tree.isel(draw=slice(0, 4)).load())
    same(found, trace, attrs=False)
    assert found.attrs == trace.attrs
    assert some["mu"].shape == (3, 4)


def test_thinned_groups_keep_their_draws():
    trace = full()
    tree = trace.to_arviz()
    every = type(tree).from_dict({name: tree[name].to_dataset().isel(draw=slice(1, None, 3)) for name in
                                  ("posterior", "log_likelihood")})  # fmt: skip
    found = from_arviz(every)
    assert found.groups["log_likelihood"].is_of(found.chain_ids, 3)
    some = type(tree).from_dict(
        {"posterior": trace.to_xarray(), "log_likelihood": every["log_likelihood"].to_dataset()}
    )
    assert from_arviz(some).groups["log_likelihood"].draw_ids == [1, 4, 7]


def test_what_cannot_be_taken_is_told():
    xarray = pytest.importorskip("xarray")
    with pytest.raises(TypeError, match=r"source must be an xarray.DataTree or Dataset, .* got dict"):
        from_arviz({})
    with pytest.raises(FileNotFoundError, match="source: there is no file"):
        from_arviz("/nowhere.nc")
    tree = make().to_arviz()
    with pytest.raises(ValueError, match="must have a group 'posterior', got '/', 'sample_stats'"):
        from_arviz(type(tree).from_dict({"sample_stats": tree["sample_stats"].to_dataset()}))
    with pytest.raises(ValueError, match=r"posterior\['mu'\] must have axes chain and draw, got draw; .*expand_dims"):
        from_arviz(make().to_xarray().isel(chain=0))
    dataset = make().to_xarray().assign(text=(("chain", "draw"), np.full((3, 10), "a")))
    with pytest.warns(NbinferWarning, match="left out variables of posterior that are no numbers: text"):
        assert "text" not in from_arviz(dataset)
    pairs = make(dims={"theta": ["row"]}).to_xarray().assign_coords(row=np.array([1, 2], "m8[D]"))
    with pytest.warns(NbinferWarning, match="left out labels that are no numbers, texts or dates: row"):
        assert from_arviz(pairs).coords == {}
    strange = xarray.DataTree.from_dict({"posterior": make().to_xarray(), "more": make().to_xarray()})
    with pytest.warns(NbinferWarning, match="left out groups: more"):
        from_arviz(strange)
    with pytest.raises(ValueError, match="unknown group 'prior'; choose 'posterior', 'sample_stats'"):
        make().to_xarray("prior")


# Tables


def test_a_table_of_draws():
    pandas = pytest.importorskip("pandas")
    trace = full(done=[10, 7, 4], first_chain=1)
    table = trace.to_dataframe()
    assert isinstance(table, pandas.DataFrame)
    assert len(table) == 21
    names = [f"theta[{day}, {column}]" for day in ("2020-01-01", "2020-01-03") for column in ("u", "Ω", "")]
    assert list(table.columns) == ["chain", "draw", "mu", *names, "k"]
    assert table["chain"].tolist() == [1] * 10 + [2] * 7 + [3] * 4
    assert table["draw"].tolist() == [*range(10), *range(7), *range(4)]
    assert table["k"].dtype == np.int64
    np.testing.assert_array_equal(table["theta[2020-01-03, u]"], trace.get_values("theta")[:, 1, 0])
    more = make().to_dataframe("k", statistics=True)
    assert list(more.columns) == [
        "chain", "draw", "k", "lp", "acceptance_rate", "diverging", "tree_depth", "accepted[0]", "accepted[1]",
    ]  # fmt: skip
    assert more["diverging"].dtype == bool


def test_what_makes_no_table_is_told(monkeypatch):
    pytest.importorskip("pandas")
    with pytest.raises(KeyError, match=r"var_names: the trace has no variable 'thet'.* Did you mean 'theta'"):
        make().to_dataframe("thet")
    twice = Trace({"lp": np.zeros((1, 2))}, {"lp": np.zeros((1, 2))})
    with pytest.raises(ValueError, match="two columns would be called 'lp'"):
        twice.to_dataframe(statistics=True)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_dataframe needs pandas"):
        make().to_dataframe()


def test_users_find_it():
    assert nb.from_arviz is from_arviz
    assert nb.TraceGroup is TraceGroup

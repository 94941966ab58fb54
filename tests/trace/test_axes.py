"""Names of axes travel from the model to whatever a trace becomes."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.trace import Trace
from tests.trace.helpers import make

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")  # runs are short

LABELS = ["u", "v", "w"]


def prior(p, d):
    return -0.5 * np.sum(p.x**2)


def likelihood(p, d):
    return -0.5 * (d.y - p.x - d.shift) ** 2


def twice(p, d):
    return 2.0 * p.x


@pytest.fixture(scope="module")
def model():
    return nb.Model(
        {"x": nb.real(3)}, prior=prior, likelihood={"y": likelihood}, derived={"twice": twice},
        data={"y": [1.0, 2.0, 3.0], "shift": 0.5}, dims={n: ["part"] for n in ("x", "y", "twice")},
        coords={"part": LABELS},
    )  # fmt: skip


def is_named(trace):
    assert trace.dims == {"x": ["part"], "y": ["part"], "twice": ["part"]}
    assert trace.coords["part"].tolist() == LABELS
    assert trace.coords["part"].dtype.kind == "U"
    assert list(trace.observed_data) == ["y"]
    assert trace.constant_data["shift"] == 0.5
    return True


def test_runs_pass_them_on(model, tmp_path):
    run = dict(tune=5, chains=2, progressbar=False, random_seed=1)
    assert is_named(nb.sample(model, 5, **run))
    assert all(is_named(trace) for trace in nb.iter_sample(2, model=model, tune=2))
    trace = nb.sample(model, 5, trace=nb.HDF5(tmp_path / "run.nc"), **run)
    assert is_named(trace)
    assert is_named(nb.load(tmp_path / "run.nc"))
    nb.sample(model, 5, trace=nb.Text(tmp_path / "texts"), **run)
    assert is_named(nb.load(tmp_path / "texts"))
    assert is_named(nb.resume(tmp_path / "run.nc", model, draws=8, progressbar=False))
    assert is_named(nb.load(tmp_path / "run.nc"))


def test_fits_pass_them_on(model):
    assert is_named(nb.fit(50, model=model, progressbar=False, random_seed=1).sample(10))


def test_the_table_has_labels(model):
    trace = nb.sample(model, 20, tune=5, chains=2, progressbar=False, random_seed=1)
    table = trace.summary()
    assert table.rows == tuple(f"{name}[{label}]" for name in ("x", "twice") for label in LABELS)
    assert table["mean", "x[v]"] == table["mean", "x[1]"] == table["mean", "x"][1]
    assert table.row("twice[w]")["mean"] == table["mean", "twice"][2]


def test_labels_of_all_kinds_in_the_table():
    dims, coords = {"theta": ["row", "day"]}, {"day": np.array(["2020-01-01", "2020-01-02", "2020-02-01"], "M8[ns]")}
    rows = make(dims=dims, coords=coords).summary("theta").rows
    assert rows[:2] == ("theta[0, 2020-01-01]", "theta[0, 2020-01-02]")
    shifted = make(dims=dims, coords={"row": [1, 2]}).summary(var_names="theta", kind="stats")
    assert shifted.rows[0] == "theta[1, 0]"
    assert shifted["mean", "theta[1, 0]"] == shifted["mean", "theta"][0, 0]  # the label counts
    assert make(dims=dims).summary(var_names="theta").rows[1] == "theta[0,1]"


def test_what_does_not_fit_a_trace_is_refused():
    with pytest.raises(ValueError, match=r"dims names a, b, c of 'theta', which has 2 axes"):
        make(dims={"theta": ["a", "b", "c"]})
    with pytest.raises(ValueError, match=r"coords\['a'\] must have as many labels as 'theta' is long, 2, got 3"):
        make(dims={"theta": ["a"]}, coords={"a": LABELS})
    with pytest.raises(ValueError, match=r"dims\['theta'\] has 'mu', the name of a variable beside it"):
        make(dims={"theta": ["mu"]})
    with pytest.raises(ValueError, match=r"coords\['a'\] must be numbers, texts or dates"):
        make(dims={"theta": ["a"]}, coords={"a": [(1, 2), (3, 4)]})
    trace = make(dims={"theta": ["a"]})
    with pytest.raises(ValueError, match=r"dims\['theta'\] has 'a', the name of a variable beside it"):
        trace.add_values({"a": trace["mu"]})
    with pytest.raises(ValueError, match=r"coords\['a'\] must have as many labels as 'theta' is long, 5, got 2"):
        make(dims={"theta": ["a"]}, coords={"a": ["u", "v"]}).add_values({"theta": np.zeros((3, 10, 5, 1))}, True)
    assert list(trace.posterior) == ["mu", "theta", "k"]
    with pytest.raises(ValueError, match="as 'y' is long, 2"):
        Trace({"x": np.zeros((1, 2))}, observed_data={"y": [1, 2]}, dims={"y": ["a"]}, coords={"a": LABELS})


@pytest.mark.parametrize(
    "labels", [[2.5, np.inf], [True, False], ["a", ""], np.array(["2020-01-01", "1066-10-14"], "M8[D]")]
)
@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_labels_in_files(tmp_path, labels, engine):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip({"netcdf4": "netCDF4"}.get(engine, engine))
    make(dims={"theta": ["row"]}, coords={"row": labels}).save(tmp_path / "trace.nc")
    with xarray.open_datatree(tmp_path / "trace.nc", engine=engine) as tree:
        found = tree["posterior"]["row"].values
    assert found.dtype.kind == np.asarray(labels).dtype.kind
    np.testing.assert_array_equal(found, np.asarray(labels))
    np.testing.assert_array_equal(nb.load(tmp_path / "trace.nc").coords["row"], np.asarray(labels))


def test_labels_of_pandas_in_files(tmp_path):
    pandas = pytest.importorskip("pandas")
    for labels in (pandas.Index(["u", "v"]), pandas.Categorical(["u", "v"]), pandas.date_range("2020", periods=2)):
        trace = make(dims={"theta": ["row"]}, coords={"row": labels})
        trace.add_group(nb.TraceGroup("prior", {"x": np.zeros((1, 3, 2))}, dims={"x": ["row"]}, coords={"row": labels}))
        trace.save(tmp_path / "trace.nc", overwrite=True)
        found = nb.load(tmp_path / "trace.nc")
        np.testing.assert_array_equal(found.coords["row"], trace.coords["row"])
        np.testing.assert_array_equal(found.groups["prior"].coords["row"], trace.coords["row"])

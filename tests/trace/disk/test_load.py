"""Traces through files: nothing is lost, and what is no trace is told."""

import mmap
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

import nbinfer as nb
from nbinfer.diagnostics import check
from nbinfer.errors import BackendError
from nbinfer.trace import Metric, Trace
from tests.trace.disk.helpers import GROUPS, assert_same
from tests.trace.helpers import make


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trace.nc"


def through(trace, path):
    trace.save(path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    return nb.load(path)


# There and back


def test_every_group_comes_back(path):
    trace = make(first_chain=2, tune=4, observed_data={"y": np.arange(3), "n": 5, "z": np.zeros((2, 0))})
    found = through(trace, path)
    assert_same(found, trace)
    assert found.chain_ids == [2, 3, 4]
    assert not found.interrupted
    assert repr(found) == repr(trace)


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?", ">f8"])
def test_every_type_comes_back(path, dtype):
    values = np.random.default_rng(1).integers(0, 2**60, (2, 5)).astype(dtype)
    if values.dtype.kind == "f":
        values[0, :4] = np.nan, np.inf, -0.0, 5e-324
    elif values.dtype.kind in "iu":
        values[0, :2] = np.iinfo(values.dtype).min, np.iinfo(values.dtype).max
    found = through(Trace({"x": values}), path)["x"]
    assert found.dtype == values.dtype
    assert found.tobytes() == values.tobytes()


@pytest.mark.parametrize("dtype", ["f2", "c16"])
def test_types_that_netcdf_lacks_are_refused(path, dtype):
    with pytest.raises(TypeError, match=r"cannot hold 'x', an array of (float16|complex128); it holds booleans"):
        Trace({"x": np.zeros((2, 3), dtype)}).save(path)
    assert not any(path.parent.iterdir())


@pytest.mark.parametrize("name", ["a.b", "a b", "Ω", "_u", "a:b", "a[0]", "1x", "x__y_log__", "x_dim_0"])
def test_names_come_back(path, name):
    trace = Trace({name: np.ones((1, 2, 3))})
    assert_same(through(trace, path), trace)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a/b"], "a slash"), (["a\n"], "a slash or a character"), (["a "], "ends in a blank"), ([""], "is no name"),
        (["."], "is no name"), (["chain"], "is that of an axis"), (["_nc4_non_coord_x"], "netCDF's own"),
        (["x", "x_dim_0"], "an axis of 'x'"),
    ],
)  # fmt: skip
def test_names_that_netcdf_forbids_are_refused(path, names, message):
    with pytest.raises(ValueError, match=message):
        Trace({name: np.ones((1, 2)) for name in names}).save(path)
    assert not any(path.parent.iterdir())


def test_what_else_a_trace_knows_comes_back(path):
    attrs = {
        "seed": 2**100, "text": "ü" * 100_000, "none": None, "flag": True, "list": [1, 2.5, "x", None],
        "nested": [["a"], 1],
        "array": np.arange(3.0), "nan": np.nan, "number": np.int32(3), "mapping": {"a": [1]}, "object": Ellipsis,
    }  # fmt: skip
    dims, coords = {"theta": ["row", "column"]}, {"row": ["u", "ü" * 300], "column": [1, 2, 3]}
    trace = make(tune=2, attrs=attrs, dims=dims, coords=coords)
    found = through(trace, path)
    assert_same(found, trace)
    assert found.dims == dims
    assert {axis: labels.tolist() for axis, labels in found.coords.items()} == coords
    assert found.attrs["object"] == "Ellipsis"
    assert found.attrs["array"].tolist() == [0, 1, 2]
    assert np.isnan(found.attrs["nan"])
    for name in ("seed", "text", "none", "flag", "list", "number", "mapping", "created_at"):
        assert found.attrs[name] == trace.attrs[name]


@pytest.mark.parametrize("several", [False, True])
def test_metrics_come_back(path, several):
    rng = np.random.default_rng(1)
    one = Metric(rng.random((3, 2)), [np.eye(2)[:k] for k in (0, 1, 2)], [np.arange(1.0, k + 1) for k in (0, 1, 2)],
                 {"theta": ((2,), 2)}, [0, 1, 2], capacity=2)  # fmt: skip
    matrix = Metric(rng.random((3, 1)), (), (), {"mu": ((), 1)}, [0, 1, 2], 1, False, rng.random((3, 1, 1)))
    trace = make(metric=(one, matrix) if several else one)
    found = through(trace, path).metric
    assert isinstance(found, tuple) is several
    for a, b in zip(found, trace.metric, strict=True) if several else [(found, one)]:
        assert repr(a) == repr(b)
        assert a.labels == b.labels
        for chain in range(3):
            assert a.inv_mass(chain).tobytes() == b.inv_mass(chain).tobytes()


def test_the_report_comes_back_and_spares_the_work(path, monkeypatch):
    trace = Trace({"x": np.random.default_rng(1).normal(size=(2, 50, 2))}, {"diverging": np.ones((2, 50), bool)})
    trace.report = check(trace)
    assert trace.report.problems
    found = through(trace, path)
    assert str(found.report) == str(trace.report)
    assert found.report.problems == trace.report.problems
    monkeypatch.setattr("nbinfer.diagnostics.quantities.Workspace", None)
    assert str(nb.summary(found)) == str(nb.summary(trace))


def test_chains_of_unequal_length_end_in_fill_values(path):
    trace = make(done=[5, 3, 4], tune=4, tune_done=[4, 2, 3], interrupted=True)
    found = through(trace, path)
    assert found.draws_done.tolist() == [5, 3, 4]
    assert found.tune_done.tolist() == [4, 2, 3]
    assert found.interrupted
    for name, array in trace.posterior.items():
        np.testing.assert_array_equal(found[name], array[:, :5])
    assert np.isnan(found.warmup_posterior["mu"][1, 2:]).all()


def test_a_million_numbers_of_data(path):
    data = np.random.default_rng(1).normal(size=1_000_000)
    assert through(make(observed_data={"y": data}), path).observed_data["y"].tobytes() == data.tobytes()


def test_what_is_loaded_is_a_trace_like_any_other(path):
    trace = make()
    found = through(trace, path)
    found.add_values({"new": np.zeros((3, 10))})
    other = path.with_name("other.nc")
    found[2:6].save(other)
    np.testing.assert_array_equal(nb.load(other)["theta"], trace["theta", 2:6])
    assert "new" in nb.load(other)
    assert nb.merge_traces([nb.load(path), make(first_chain=7)]).nchains == 6


def test_arrays_are_maps_of_the_file(path):
    make(tune=3).save(path)
    base = nb.load(path)["theta"]
    while not isinstance(base, memoryview):
        base = base.base
    assert isinstance(base.obj, mmap.mmap)


def test_saving_again(path):
    make().save(path)
    old = nb.load(path)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        make(chains=1).save(path)
    make(chains=1).save(path, overwrite=True)
    assert nb.load(path).nchains == 1
    assert old["mu"][2, 3] == 2003.0  # of the file that is gone
    old.save(path, overwrite=True)  # over what it may be read from
    assert_same(nb.load(path), old)


# What is no trace


def test_no_file(path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        nb.load(path)
    path.with_name("trace.nc.part").touch()
    with pytest.raises(FileNotFoundError, match=r"trace\.nc\.part is one that is being made"):
        nb.load(path)


@pytest.mark.parametrize(("content", "message"), [(b"", "it is empty"), (b"PK\x03\x04" * 99, "it is no HDF5 file")])
def test_files_of_other_kinds(path, content, message):
    path.write_bytes(content)
    with pytest.raises(BackendError, match=message):
        nb.load(path)
    with pytest.raises(BackendError, match=message):
        nb.trace.disk.HDF5Store.reopen(path)
    assert path.read_bytes() == content


def test_files_of_other_programs(path):
    import h5py

    with h5py.File(path, "w") as file:
        file["posterior/x"] = np.zeros((4, 10))
    with pytest.raises(BackendError, match=r"was not written by nbinfer; xarray.open_datatree may open it"):
        nb.load(path)


@pytest.mark.parametrize(("version", "word"), [(0, "older"), (99, "newer")])
def test_files_of_other_versions(path, version, word):
    import h5py

    make().save(path)
    with h5py.File(path, "r+") as file:
        file.attrs["nbinfer_file_version"] = version
    with pytest.raises(BackendError, match=f"has version {version} of the layout, .* use a {word} one"):
        nb.load(path)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.7, 0.999])
def test_files_that_are_cut_short(path, share):
    make(draws=1000, observed_data={"y": np.zeros(1000)}).save(path)
    os.truncate(path, int(share * path.stat().st_size))
    with pytest.raises(BackendError, match=r"cannot be read|cut short"):
        nb.load(path)


@pytest.mark.either
def test_files_that_are_damaged_are_told_or_read(path):
    """No byte that is changed ends the process, raises what a user cannot read, or takes an array away."""
    trace = make(tune=2, draws=4)
    trace.save(path)
    whole = path.read_bytes()
    rng, told, shapes = np.random.default_rng(1), [], form(nb.load(path))
    for at in rng.integers(0, len(whole), 300):
        changed = bytearray(whole)
        changed[at : at + 4] = rng.bytes(len(changed[at : at + 4]))
        path.write_bytes(bytes(changed))
        try:
            assert form(nb.load(path)) == shapes
        except BackendError as error:
            told.append(str(error))
    assert len(told) > 5
    assert all("trace.nc" in message for message in told)


def form(trace):
    """Return the names, shapes and types of all arrays."""
    return {(g, n): (a.shape, a.dtype) for g in GROUPS for n, a in getattr(trace, g).items()}


def test_an_array_that_begins_elsewhere_is_told(path):
    make().save(path)
    with h5py.File(path) as file:
        offset = file["posterior/mu"].id.get_offset()
    content = path.read_bytes()
    path.write_bytes(content.replace(offset.to_bytes(8, "little"), (offset + 64).to_bytes(8, "little")))
    with pytest.raises(BackendError, match=r"damaged: 'mu' of posterior is not what it was made as"):
        nb.load(path)


def test_a_file_that_another_program_has_written_anew_is_read(path):
    trace = make(tune=2)
    trace.save(path)
    with h5py.File(path) as old, h5py.File(path.with_name("new.nc"), "w", track_order=True) as new:
        new.create_group("first")["x"] = np.arange(100)  # so that all else lies elsewhere
        new.attrs.update(old.attrs)
        for name in old:
            old.copy(name, new)
    assert_same(nb.load(path.with_name("new.nc")), trace)


def test_damaged_texts_are_told(path):
    make().save(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"interrupted", b"interrup*ed"))
    with pytest.raises(BackendError, match=r"trace\.nc is damaged: what it says about the run cannot be read"):
        nb.load(path)


def test_a_state_without_draws(path):
    store = nb.trace.disk.HDF5Store(path, 1, 0, 10)
    with store.made():
        store.words("progress", 8)[...] = 3
        store.notes["recipe"] = "fit"
    store.close(finished=False)
    with pytest.raises(BackendError, match="holds the state of a run without draws"):
        nb.load(path)
    store = nb.trace.disk.HDF5Store.reopen(path).extended(20)
    assert store.words("progress", 8).tolist() == [[3] * 8]
    assert store.notes == {"recipe": "fit"}
    store.close()


def test_a_folder(tmp_path):
    with pytest.raises(BackendError, match=r"is no trace: there is no trace\.json in it"):
        nb.load(tmp_path)


def test_a_saved_trace_is_no_run_to_go_on_with(path):
    make().save(path)
    with pytest.raises(BackendError, match="holds a trace and no run that could go on"):
        nb.trace.disk.HDF5Store.reopen(path)
    nb.load(path)


LOCKING = """
import fcntl, pathlib, sys
import nbinfer as nb
from tests.trace.disk.helpers import about, begun, fill
path = pathlib.Path(sys.argv[1])
store = begun(path)
fill(store, [13, 13])
with open(path) as reader:
    fcntl.flock(reader, fcntl.LOCK_SH)  # as the library does when it reads
    assert nb.load(path)["x"].shape == (2, 10, 2)
    store.describe(about(store, attrs={"sampling_time": 2.5}))
    store.close()
import h5py
with h5py.File(path) as file:
    print(file["posterior"].attrs["sampling_time"])
"""


@pytest.mark.parametrize("locking", ["TRUE", "FALSE", "BEST_EFFORT"])
def test_whatever_the_library_thinks_of_locks(path, locking):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "HDF5_USE_FILE_LOCKING": locking}
    command = [sys.executable, "-c", LOCKING, str(path)]
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout == "2.5\n"


def test_a_file_that_may_only_be_read(path):
    make().save(path)
    path.chmod(0o444)
    assert nb.load(path).nchains == 3

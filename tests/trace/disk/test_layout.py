"""Files as others see them: h5py, xarray with both of its engines, netCDF-C, ArviZ."""

import warnings

import numpy as np
import pytest

from nbinfer.errors import NbinferWarning
from nbinfer.trace import Trace
from nbinfer.trace.disk import HDF5, HDF5Store
from tests.trace.disk.helpers import GROUPS, begun, fill
from tests.trace.helpers import make

ENGINES = ("h5netcdf", "netcdf4")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.nc"


def opened(path, engine):
    """Return what xarray makes of a file, all of it read."""
    pytest.importorskip({"netcdf4": "netCDF4"}.get(engine, engine))
    xarray = pytest.importorskip("xarray")
    with xarray.open_datatree(path, engine=engine) as tree:
        return tree.load()


@pytest.mark.parametrize("engine", ENGINES)
def test_xarray_sees_what_to_arviz_makes(path, engine):
    pytest.importorskip("arviz_base")
    coords = {"row": ["u", "Ω"], "column": [1, 2, 3]}
    trace = make(
        first_chain=2, tune=4, observed_data={"y": np.arange(3), "n": 5}, constant_data={"X": np.eye(2)},
        dims={"theta": ["row", "column"]},
        coords=coords, attrs={"sampling_time": 2.5, "seed": 2**100, "gradients": [1, 2, 3], "names": ["a", "b"]},
    )  # fmt: skip
    trace.save(path)
    tree, wanted = opened(path, engine), trace.to_arviz()
    for group in GROUPS:
        assert list(tree[group].data_vars) == list(wanted[group].data_vars)
        for name, array in wanted[group].data_vars.items():
            assert tree[group][name].dtype == array.dtype
            assert tree[group][name].dims == array.dims
            assert tree[group][name].values.tobytes() == array.values.tobytes()
        for name, labels in wanted[group].coords.items():
            assert tree[group].coords[name].values.tolist() == labels.values.tolist()
    for where, wants in ((tree, wanted), *((tree[group], wanted[group]) for group in GROUPS)):
        assert {name for name in wants.attrs if not np.array_equal(where.attrs.get(name), wants.attrs[name])} <= {
            "creation_library_language",
            "nbinfer_attrs",
        }
    assert tree["posterior"]["theta"].sel(row="Ω", column=2, chain=2, draw=0).item() == pytest.approx(2000.004)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_group_can_be_averaged(path, engine):
    store = begun(path)
    fill(store, [13, 13])
    store.close()
    tree = opened(path, engine)
    for group in ("posterior", "sample_stats"):
        assert tree[group].mean(("chain", "draw"))
        assert all(array.dtype.kind in "fib" for array in tree[group].data_vars.values())
    assert tree["posterior"]["k"].dtype == np.int64
    assert tree["sample_stats"]["diverging"].dtype == bool


@pytest.mark.either
@pytest.mark.parametrize("engine", ENGINES)
def test_a_reader_may_look_at_any_time(path, engine):
    store = begun(path)
    for done in range(0, 14, 4):
        fill(store, [done, done])
        assert opened(path, engine)["sampling_state"]["progress"].values[:, 0].tolist() == [done, done]
    store.close()


def test_arviz_reads_it(path):
    arviz_base = pytest.importorskip("arviz_base")
    pytest.importorskip("h5netcdf")
    make().save(path)
    tree = arviz_base.convert_to_datatree(opened(path, "h5netcdf"))
    assert arviz_base.extract(tree, var_names="theta").sizes["sample"] == 30


def test_netcdf_can_add_a_group(path):
    netcdf = pytest.importorskip("netCDF4")
    make(observed_data={"y": np.arange(3)}).save(path)
    with netcdf.Dataset(path, "a") as file:
        group = file.createGroup("log_likelihood")
        group.createDimension("draw", 2)
        group.createVariable("y", "f8", ("draw",))[:] = 1.0
    assert opened(path, "netcdf4")["log_likelihood"]["y"].values.tolist() == [1, 1]
    from nbinfer import load

    with pytest.warns(NbinferWarning, match="a group 'log_likelihood' that is none of a trace, and is left out"):
        assert load(path).nchains == 3


def test_old_libraries_can_read_it(path):
    import h5py

    make().save(path)
    with h5py.File(path) as file:
        assert file.id.get_create_plist().get_version()[0] == 0

        def look(name, item):
            if isinstance(item, h5py.Dataset):
                assert item.dtype.kind in "iufO"
                assert "_FillValue" not in item.attrs
                assert item.id.get_create_plist().get_layout() == h5py.h5d.CONTIGUOUS

        file.visititems(look)


def test_arrays_begin_where_their_type_may(path):
    store = begun(path)
    for arrays in store.extents.values():
        assert all(extent.offset % 64 == 0 for extent in arrays.values())
    store.close()


def test_no_bytes_are_wasted(path):
    draws = np.random.default_rng(1).normal(size=(4, 20_000, 5))
    Trace({"x": draws}).save(path)
    assert path.stat().st_size < 1.1 * draws.nbytes


def test_metadata_of_ten_megabytes(path):
    text = "x" * 10_000_000
    make(attrs={"text": text}).save(path)
    from nbinfer import load

    assert load(path).attrs["text"] == text
    assert len(opened(path, "h5netcdf").attrs["text"]) == len(text)


@pytest.mark.either
@pytest.mark.parametrize("engine", ENGINES)
def test_many_variables(path, engine):
    count = 2000 if engine == "netcdf4" else 50  # the other's time grows with the square
    store = HDF5Store(path, 2, 0, 5)
    for k in range(count):
        store.array("posterior", f"x{k}", (), float)[...] = k
    store.words("progress", 8)[:, 0] = 5
    with store.made():
        store.describe(Trace(store.groups["posterior"] and {}, draws_done=[5, 5]))
    store.close()
    tree = opened(path, engine)
    assert len(tree["posterior"].data_vars) == count
    assert tree["posterior"][f"x{count - 1}"].values.tolist() == [[count - 1.0] * 5] * 2


def test_names_are_checked_before_a_run():
    with pytest.raises(ValueError, match=r"cannot hold the variable 'draw': its name is that of an axis. Rename it"):
        HDF5("run.nc").admit(["x", "draw"])
    with warnings.catch_warnings(record=True) as caught:
        HDF5("run.nc").admit(["x", "x_dim", "x_dim_a", "y_dim_0"])
    assert not caught

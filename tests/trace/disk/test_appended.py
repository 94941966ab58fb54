"""Groups in files: added in place, and whatever ends the process, a file is as before or has all of them."""

import os
import shutil

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import BackendError, NbinferWarning
from nbinfer.trace import TraceGroup
from nbinfer.trace.disk import overlay
from nbinfer.trace.disk.lock import Lock
from tests.trace.disk.helpers import about, assert_same, begun, fill
from tests.trace.helpers import make
from tests.trace.test_foreign import full, same

ENGINES = ("h5netcdf", "netcdf4")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trace.nc"


@pytest.fixture(autouse=True)
def _xarray():
    pytest.importorskip("xarray")


def group_of(trace, kind="posterior_predictive", shift=0.5):
    return TraceGroup(kind, {"y": trace["theta"][:, :, 0] + shift}, chain_ids=trace.chain_ids)


def opened(path, engine):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip({"netcdf4": "netCDF4"}.get(engine, engine))
    with xarray.open_datatree(path, engine=engine) as tree:
        return tree.load()


@pytest.mark.parametrize("kwargs", [{}, {"first_chain": 2}, {"done": [10, 7, 4], "interrupted": True}])
def test_saved_with_the_trace(path, kwargs):
    trace = full(**kwargs)
    trace.save(path)
    found = nb.load(path)
    same(found, trace)
    assert not found.groups["posterior_predictive"]["y"].flags.owndata  # read when it is used
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.either
def test_added_one_by_one(path):
    trace = full()
    bare = trace.copy()
    bare.groups = {}
    bare.save(path)
    loaded = nb.load(path)
    before = loaded["theta"].copy()
    for group in trace.groups.values():
        loaded.add_group(group)
        same(nb.load(path), loaded)
    same(nb.load(path), trace)
    np.testing.assert_array_equal(loaded["theta"], before)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    second = nb.load(path)
    with pytest.raises(ValueError, match="already has a group 'prior'"):
        second.add_group(trace.groups["prior"])


@pytest.mark.either
@pytest.mark.parametrize("engine", ENGINES)
def test_others_read_them(path, engine):
    trace = full()
    bare = trace.copy()
    bare.groups = {}
    bare.save(path)
    loaded = nb.load(path)
    for group in trace.groups.values():
        loaded.add_group(group)
    tree, wanted = opened(path, engine), trace.to_arviz()
    for name in wanted.children:
        assert list(tree[name].data_vars) == list(wanted[name].data_vars)
        for variable, array in wanted[name].data_vars.items():
            assert tree[name][variable].dims == array.dims
            assert tree[name][variable].dtype == array.dtype
            assert tree[name][variable].values.tobytes() == array.values.tobytes()
        for axis, labels in wanted[name].coords.items():
            assert tree[name].coords[axis].values.tolist() == labels.values.tolist()
    assert tree["predictions"]["y"].sel(obs="b", draw=2).shape == (2,)


def test_netcdf_can_still_add_a_group(path):
    netcdf = pytest.importorskip("netCDF4")
    make().save(path)
    loaded = nb.load(path)
    loaded.add_group(group_of(loaded))
    with netcdf.Dataset(path, "a") as file:
        group = file.createGroup("more")
        group.createDimension("draw", 2)
    loaded.add_group(group_of(loaded, "log_likelihood"))
    assert set(nb.load(path).groups) == {"posterior_predictive", "log_likelihood"}
    assert "more" in opened(path, "netcdf4").children


@pytest.mark.parametrize("engine", ENGINES)
def test_groups_of_others_are_loaded(path, engine):
    trace = full()
    make(tune=4).save(path)
    pytest.importorskip({"netcdf4": "netCDF4"}.get(engine, engine))
    dataset = trace.to_xarray("posterior_predictive")
    encoding = {"y": {"zlib": True}} if engine == "netcdf4" else None
    dataset.to_netcdf(path, mode="a", group="posterior_predictive", engine=engine, encoding=encoding)
    found = nb.load(path).groups["posterior_predictive"]
    wanted = trace.groups["posterior_predictive"]
    assert found["y"].tobytes() == wanted["y"].tobytes()
    assert found["z"].dtype == bool
    assert found.coords["obs"].tolist() == wanted.coords["obs"].tolist()
    assert found.dims["y"] == ["obs"]


def test_the_trace_of_a_run_is_in_its_file(path):
    model = nb.Model({"theta": nb.real(2)}, logp=lambda p, d: -0.5 * np.sum(p.theta**2))
    run = dict(progressbar=False, random_seed=1, chains=2)
    trace = nb.sample(model, 300, tune=100, trace=nb.HDF5(path), **run)
    y = trace["theta"] + 1.0
    trace.add_group(TraceGroup("log_likelihood", {"y": y}))
    trace.add_group(TraceGroup("prior", {"y": y[:1]}))
    assert nb.load(path).groups["log_likelihood"]["y"].tobytes() == y.tobytes()
    with pytest.warns(NbinferWarning, match="loses the groups log_likelihood, which are of fewer draws"):
        more = nb.resume(path, model, draws=320, progressbar=False)
    assert more["theta"].shape == (2, 320, 2)
    assert list(nb.load(path).groups) == list(more.groups) == ["prior"]
    more.add_group(TraceGroup("prior", {"y": y[:1] + 1.0}), overwrite=True)
    assert nb.load(path).groups["prior"]["y"].tobytes() == (y[:1] + 1.0).tobytes()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_that_this_process_has_open_is_read_and_added_to(path, engine):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip({"netcdf4": "netCDF4"}.get(engine, engine))
    make().save(path)
    with xarray.open_datatree(path, engine=engine) as tree:
        trace = nb.load(path)
        trace.add_group(group_of(trace))
        assert list(nb.load(path).groups) == ["posterior_predictive"]
        np.testing.assert_array_equal(tree["posterior"]["theta"].values, trace["theta"])


def test_only_the_trace_itself_is_in_the_file(path):
    make().save(path)
    trace = nb.load(path)
    for other in (trace[2:], trace.copy(), make()):
        other.add_group(group_of(other))
    assert not nb.load(path).groups


def test_replacing(path):
    trace = full()
    trace.save(path)
    loaded = nb.load(path)
    old = loaded.groups["predictions"]["y"]
    before = old.copy()
    loaded.add_group(TraceGroup("predictions", {"z": np.arange(4.0).reshape(2, 2)}), overwrite=True)
    found = nb.load(path)
    assert list(found.groups["predictions"]) == ["z"]
    assert not found.groups["predictions"].data
    np.testing.assert_array_equal(old, before)  # whoever still has it sees it unchanged
    assert_same(found, trace)
    assert set(found.groups) == set(trace.groups)
    assert "predictions_constant_data" not in opened(path, "h5netcdf").children


def test_what_stands_against_it_is_told(path, monkeypatch, tmp_path):
    trace = make()
    trace.save(path)
    loaded, group = nb.load(path), group_of(trace)
    lock = Lock(path)
    with pytest.raises(BackendError, match="is written to by another run of this process"):
        loaded.add_group(group)
    lock.release()
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        with pytest.raises(PermissionError, match=r"cannot be written to.*trace.save\(path\)"):
            loaded.add_group(group)
    with pytest.raises(ValueError, match="cannot hold the variable 'a/b'"):
        loaded.add_group(TraceGroup("prior", {"a/b": np.zeros((1, 2))}))
    with pytest.raises(TypeError, match="cannot hold 'y', an array of complex128"):
        loaded.add_group(TraceGroup("prior", {"y": np.zeros((1, 2), complex)}))
    assert not loaded.groups
    assert not nb.load(path).groups
    make(first_chain=3).save(path, overwrite=True)
    with pytest.raises(BackendError, match="holds another run by now"):
        loaded.add_group(group)
    path.rename(tmp_path / "elsewhere.nc")
    with pytest.raises(FileNotFoundError, match=r"was moved or removed; trace.save\(path\)"):
        loaded.add_group(group)


def test_a_run_that_is_not_finished_takes_none(path):
    store = begun(path, draws=10, tune=3)
    fill(store, [9, 9])
    running = nb.load(path)
    with pytest.raises(BackendError, match="is written to by another run"):
        running.add_group(TraceGroup("prior", {"y": np.zeros((1, 2))}))
    store.describe(about(store))
    store.close(finished=False)
    with pytest.raises(BackendError, match=r"a run that has not come to its end; nbinfer\.resume"):
        nb.load(path).add_group(TraceGroup("prior", {"y": np.zeros((1, 2))}))


def test_a_full_disk_changes_nothing(path, monkeypatch):
    make().save(path)
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(overlay, "allocate", full_disk)
    loaded = nb.load(path)
    with pytest.raises(OSError, match="No space left"):
        loaded.add_group(group_of(loaded))
    assert path.read_bytes() == before
    assert not loaded.groups
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def killed_at(count, path, group, overwrite, torn):
    """Add a group in a process that dies at one of its writes, or in the middle of it; return whether it did."""
    child = os.fork()
    if child == 0:
        calls = 0
        names = ("pwrite", "fsync", "ftruncate")
        real = {name: getattr(os, name) for name in names}

        def dying(name):
            def call(*args):
                nonlocal calls
                calls += 1
                if calls == count:
                    if torn and name == "pwrite":
                        real[name](args[0], bytes(args[1])[: len(args[1]) // 2], args[2])
                    os._exit(7)
                return real[name](*args)

            return call

        for name in names:
            setattr(os, name, dying(name))
        try:
            nb.load(path).add_group(group, overwrite)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.either
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize(("overwrite", "torn"), [(False, False), (True, True)])
def test_killed_at_any_write(path, overwrite, torn):
    trace = make(chains=1, observed_data={"y": [1]})
    if overwrite:
        trace.add_group(group_of(trace, "log_likelihood"))
    trace.save(path)
    group = group_of(trace, "log_likelihood", shift=7.0)
    copy, outcomes, died = path.with_name("copy.nc"), [], True
    while died:
        shutil.copy(path, copy)
        died = killed_at(len(outcomes) + 1, copy, group, overwrite, torn)
        found = nb.load(copy)  # mends it
        assert_same(found, trace)
        values = found.groups["log_likelihood"]["y"] if "log_likelihood" in found.groups else None
        is_new = values is not None and np.array_equal(values, group["y"])
        old = trace.groups["log_likelihood"]["y"] if overwrite else None
        assert is_new or (values is None if old is None else np.array_equal(values, old))
        found.add_group(TraceGroup("prior", {"y": np.ones((1, 2))}))  # it takes more
        outcomes.append(is_new)
    assert outcomes == sorted(outcomes)
    assert not outcomes[0]
    assert outcomes.count(True) > 1  # killed after what makes it count, and not killed at all
    assert list(opened(copy, "h5netcdf")["posterior"].data_vars) == list(trace.posterior)
    assert {entry.name for entry in path.parent.iterdir()} <= {path.name, copy.name, "copy.nc.lock"}


def test_a_journal_of_another_file_means_nothing(path):
    make().save(path)
    before = path.read_bytes()
    journal = path.with_name(path.name + ".journal")
    overlay._keep(path, [(0, b"\x01" * 8, b"\x02" * 8)])
    assert nb.load(path).nchains == 3
    assert path.read_bytes() == before
    assert not journal.exists()
    journal.write_bytes(b"torn")
    assert nb.load(path).nchains == 3
    assert not journal.exists()


def test_many_groups_leave_no_growing_trail(path):
    make().save(path)
    size = path.stat().st_size
    trace = nb.load(path)
    for _ in range(5):
        trace.add_group(TraceGroup("prior", {"y": np.ones((1, 2))}), overwrite=True)
    assert path.stat().st_size < size + 200_000

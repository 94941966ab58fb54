"""Runs whose draws go to a file: the same draws, whatever ends the run."""

import _thread
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import BackendError
from nbinfer.trace.disk import HDF5Store
from nbinfer.trace.store import SKIPPED
from tests.mcmc.models import half_line, run
from tests.trace.disk.helpers import assert_same

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.nc"


def left(path):
    return sorted(entry.name for entry in path.parent.iterdir())


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("cores", [1, 2])
def test_a_file_has_the_draws_that_memory_has(path, cores):
    wanted = run(chains=3, discard_tuned_samples=False, chain_idx=2)
    trace = run(chains=3, discard_tuned_samples=False, chain_idx=2, cores=cores, trace=str(path))
    assert left(path) == ["run.nc"]
    for found in (trace, nb.load(path)):
        assert_same(found, wanted)
        assert not found.interrupted
        assert str(found.report) == str(wanted.report)
        assert str(found.summary()) == str(wanted.summary())
        assert repr(found.metric) == repr(wanted.metric)
        for name in wanted.attrs.keys() - {"created_at", "sampling_time"}:
            assert found.attrs[name] == wanted.attrs[name]
    assert nb.load(path).attrs["sampling_time"] == trace.attrs["sampling_time"] > 0
    store = HDF5Store.reopen(path)
    assert store.is_finished
    store.close()


@pytest.mark.nojit  # long as plain Python
def test_others_see_how_long_it_took(path):
    import h5py

    trace = run(trace=path)
    with h5py.File(path) as file:
        for group in (file, file["posterior"]):
            assert group.attrs["sampling_time"] == trace.attrs["sampling_time"]
            assert group.attrs["gradients"].tolist() == trace.attrs["gradients"]


@pytest.mark.nojit  # long as plain Python
def test_variables_and_thinning(path):
    wanted = run()
    trace = run(trace=nb.HDF5(path, vars=["mu", "theta"], thin=3))
    assert list(nb.load(path).posterior) == ["mu", "theta"]
    for found in (trace, nb.load(path)):
        np.testing.assert_array_equal(found["theta"], wanted["theta"][:, 2::3])
        np.testing.assert_array_equal(found.sample_stats["lp"], wanted.sample_stats["lp"][:, 2::3])
        assert found.tune_done.tolist() == wanted.tune_done.tolist()


@pytest.mark.nojit
def test_a_warm_up_that_ends_early(path):
    wanted, trace = (run(tune="auto", chains=2, trace=where) for where in (None, path))
    assert_same(trace, wanted)
    assert nb.load(path).tune_done.tolist() == wanted.tune_done.tolist()
    np.testing.assert_array_equal(nb.load(path)["mu"], wanted["mu"])


def test_data_of_the_model_come_along(path):
    def logp(p, d):
        return -0.5 * p.x**2

    model = nb.Model({"x": nb.real()}, logp=logp, data={"y": np.arange(3)}, predict={"y": lambda p, d, rng: d.y})
    nb.sample(model, 10, 10, trace=path, progressbar=False)
    assert nb.load(path).observed_data["y"].tolist() == [0, 1, 2]


def test_where_the_skipped_draws_are_counted():
    from nbinfer.engine.chain import Progress

    assert Progress.fields["skipped"][1] == 8 * SKIPPED
    assert Progress.fields["done"][1] == 0


@pytest.mark.parametrize(
    ("trace", "error", "message"),
    [
        ("nowhere/run.nc", FileNotFoundError, "there is no folder"),
        (
            "there.nc",
            FileExistsError,
            r"exists; choose another name: nb.HDF5\(.*, overwrite=True\) replaces it, nb.resume",
        ),
        ("run.txt", ValueError, r"named \.nc or \.h5 or \.hdf5 at its end, got 'run.txt'"),
        (nb.HDF5("run.nc", vars=["nu"]), ValueError, "trace names 'nu', which the model lacks"),
        ("mu", TypeError, r"the name of a file such as 'run\.nc'"),
    ],
)
def test_what_stands_against_it_is_said_before_anything_is_done(tmp_path, monkeypatch, trace, error, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.nc").touch()
    monkeypatch.setattr(sys.modules["nbinfer.mcmc.sample"], "assign", None)
    with pytest.raises(error, match=message):
        run(trace=trace)
    assert [entry.name for entry in tmp_path.iterdir()] == ["there.nc"]


def test_a_name_that_netcdf_forbids_is_refused_before_anything_is_done(path):
    model = nb.Model({"draw": nb.real()}, logp=lambda p, d: -0.5 * p.draw**2)
    with pytest.raises(ValueError, match="cannot hold the variable 'draw'"):
        nb.sample(model, 10, 10, trace=path)
    assert left(path) == []


def test_a_run_that_cannot_start_leaves_nothing(path):
    model = nb.Model({"x": nb.real()}, logp=lambda p, d: np.nan)
    with pytest.raises(nb.errors.SamplingError):
        nb.sample(model, 10, 10, trace=path, progressbar=False)
    assert left(path) == []


@pytest.mark.nojit  # long as plain Python
def test_two_runs_on_one_file(path):
    store = nb.HDF5(path).open(1, 0, 1)
    with pytest.raises(BackendError, match="another run of this process"):
        run(trace=path)
    store.discard()
    run(trace=path)


@pytest.mark.nojit  # long as plain Python
def test_a_folder_that_vanishes_takes_no_draws_away(tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    folder.mkdir()
    module = sys.modules["nbinfer.mcmc.running"]
    check = module.check
    monkeypatch.setattr(module, "check", lambda trace, **more: shutil.rmtree(folder, True) or check(trace, **more))
    with pytest.raises(BackendError, match="was moved or removed") as caught:
        run(trace=folder / "run.nc")
    assert not folder.exists()
    np.testing.assert_array_equal(caught.value.trace["mu"], run()["mu"])


def test_a_function_that_raises_leaves_what_is_finished(path):
    def logp(p, d):
        if p.x > 2.2:
            raise ValueError("enough")
        return -0.5 * p.x**2

    model = nb.Model({"x": nb.real()}, logp=logp)
    with pytest.raises(ValueError, match="enough") as caught:
        nb.sample(model, 3000, 5, step=nb.Metropolis(), chains=2, random_seed=1, trace=path, progressbar=False)
    assert left(path) == ["run.nc"]
    found = nb.load(path)
    assert found.interrupted is caught.value.trace.interrupted
    assert found.draws_done.tolist() == caught.value.trace.draws_done.tolist()
    np.testing.assert_array_equal(found["x"], caught.value.trace["x"])
    store = HDF5Store.reopen(path)
    assert store.is_finished is not found.interrupted
    store.close()


@pytest.mark.nojit
def test_an_interruption_leaves_what_is_finished(path, listening):
    model = half_line()

    def press():
        while not path.exists() or not nb.load(path).draws_done.any():
            time.sleep(0.001)
        _thread.interrupt_main()

    thread = threading.Thread(target=press)
    thread.start()
    file = nb.HDF5(path, thin=100)
    trace = nb.sample(model, 40_000_000, 50, chains=2, random_seed=5, trace=file, progressbar=False)
    thread.join()
    found = nb.load(path)
    assert trace.interrupted
    assert found.interrupted
    assert_same(found, trace)
    assert trace["x"].shape[1] == trace.draws_done.max() < 400_000
    for chain, done in enumerate(trace.draws_done):
        assert np.isfinite(trace["x"][chain, :done]).all()
        assert np.isnan(trace["x"][chain, done:]).all()


CHILD = """
import sys
import nbinfer as nb
from tests.mcmc.models import half_line
nb.sample(half_line(), 100_000, 50, chains=2, random_seed=5, trace=sys.argv[1], progressbar=False)
"""


@pytest.mark.nojit
def test_a_run_that_is_killed_keeps_what_it_has_counted(tmp_path):
    wanted = nb.sample(half_line(), 100_000, 50, chains=2, random_seed=5, progressbar=False)
    rng, seen = random.Random(1), []
    for k in range(3):
        path = tmp_path / f"{k}.nc"
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], env=environment)
        while not path.exists() and child.poll() is None:
            time.sleep(0.001)
        time.sleep(0.1 * rng.random())
        child.send_signal(signal.SIGKILL)
        child.wait()
        trace = nb.load(path)
        seen += trace.draws_done.tolist()
        for chain, done in enumerate(trace.draws_done):
            for name in wanted.posterior:
                assert trace[name][chain, :done].tobytes() == wanted[name][chain, :done].tobytes()
            for name in wanted.sample_stats:
                assert trace[name][chain, :done].tobytes() == wanted[name][chain, :done].tobytes()
    assert max(seen) > 0

"""Runs that write to a file, are killed, and are gone on with."""

import contextlib
import errno
import os
import shutil
import signal
import warnings

import numpy as np
import pytest

import nbinfer as nb
from bench.kill import CASES, sampled, survives
from nbinfer.compile import JIT
from nbinfer.errors import BackendError, NbinferWarning, ResumeError, SamplingError
from nbinfer.mcmc.resuming import counted_in
from nbinfer.mcmc.running import Running
from nbinfer.trace.disk import HDF5Store
from tests.mcmc.kept import assert_same
from tests.mcmc.test_resume import DRAWS, TUNE, continuous, draw_s

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


def options(**changed):
    return {"draws": DRAWS, "tune": TUNE, "chains": 2, "random_seed": 4, "progressbar": False, **changed}


def ended(path, step, limit=150, **changed):
    """A file of a run that was ended before its time."""
    with contextlib.suppress(SamplingError), warnings.catch_warnings():
        warnings.simplefilter("ignore", NbinferWarning)
        nb.sample(continuous(), trace=path, step=step, max_evals=limit, **options(**changed))


def counted(path):
    store = HDF5Store.reopen(path)
    done = counted_in(store).done
    store.discard()
    return done


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("limit", [1, 150])
def test_a_file_is_gone_on_with(tmp_path, limit):
    path, m, step = tmp_path / "run.nc", continuous(), nb.Slice()
    ended(path, step, limit)
    assert (counted(path) < TUNE + DRAWS).all()
    expected = nb.sample(m, step=step, **options())
    resumed = nb.resume(path, m, progressbar=False)
    assert_same(resumed, expected)
    assert str(resumed.report) == str(expected.report)
    assert_same(nb.load(path), expected)
    with pytest.raises(ResumeError, match="the run is finished"):
        nb.resume(str(path), m, progressbar=False)
    longer = nb.resume(path, m, DRAWS + 9, cores=1, progressbar=False)
    assert_same(longer, nb.sample(m, step=step, **options(draws=DRAWS + 9)))
    assert_same(nb.load(path), longer)


@pytest.mark.nojit  # long as plain Python
def test_settled_steps_come_from_a_file(tmp_path):
    path = tmp_path / "run.nc"
    trace = nb.sample(continuous(), trace=path, step=nb.NUTS(integrator="twostage", max_treedepth=6), **options())
    loaded = nb.load(path)
    assert (loaded.step_size == trace.step_size).all()
    again = loaded.settled_step()
    assert (again.integrator, again.max_treedepth) == ("twostage", 6)
    assert again.step_scale == trace.settled_step().step_scale
    assert (again.kinetic.inv_mass == trace.settled_step().kinetic.inv_mass).all()


def test_a_file_that_is_refused_stays_as_it_is(tmp_path):
    path, m = tmp_path / "run.nc", continuous()
    ended(path, [nb.GibbsStep("s", draw_s), nb.Slice("x")])
    before = path.read_bytes()
    other = nb.Model({"x": nb.real(3), "s": nb.real()}, logp=lambda p, d: 0.0)
    with pytest.raises(ResumeError, match="model is not that of the run"):
        nb.resume(path, other, progressbar=False)
    with pytest.raises(ResumeError, match="holds what no file keeps, draw_s"):
        nb.resume(path, m, progressbar=False)
    store = HDF5Store.reopen(path)
    with pytest.raises(BackendError, match="written to by another run"):
        nb.resume(path, m, progressbar=False)
    store.discard()
    assert path.read_bytes() == before
    with pytest.raises(FileNotFoundError, match="there is no file"):
        nb.resume(tmp_path / "none.nc", m)
    nb.resume(path, m, step=nb.GibbsStep("s", draw_s), progressbar=False)


@pytest.mark.nojit  # long as plain Python
def test_draws_that_differ_leave_the_file_as_it_is(tmp_path):
    path, m = tmp_path / "run.nc", continuous()
    ended(path, nb.Slice(), 400)
    store = HDF5Store.reopen(path)
    store.groups["warmup_sample_stats"]["lp"][1, 0] += 1.0
    recipe = store.notes["recipe"].replace('"numpy": "', '"numpy": "0.')
    store.notes["recipe"] = recipe
    store.close(finished=False)
    slots = HDF5Store.reopen(path)
    slots.words("marks", 8)[:, 0] = 1  # the snapshot from before the first draw
    slots.discard()
    before = path.read_bytes()
    with pytest.raises(ResumeError, match=r"'lp' of chain 1, warmup_sample_stats row 0; versions differ, numpy 0\."):
        nb.resume(path, m, progressbar=False)
    assert path.read_bytes() == before


@pytest.mark.parametrize("draws", [None, DRAWS + 3])
def test_one_that_dies_after_it_was_gone_on_with_tells_of_no_end(tmp_path, monkeypatch, draws):
    import h5py

    path, m = tmp_path / "run.nc", continuous()
    if draws is None:
        ended(path, nb.Slice(), 1500 if JIT else 800)
        assert nb.load(path).attrs["ended_by"] == "max_evals"
    else:
        nb.sample(m, trace=path, step=nb.Slice(), **options())
        assert nb.load(path).report is not None
    left = dying(monkeypatch, path)
    expected = nb.resume(path, m, draws, progressbar=False)
    found = nb.load(left)
    assert found.interrupted
    assert "ended_by" not in found.attrs
    assert np.isnan(found.attrs["sampling_time"])
    assert found.report is None
    with h5py.File(left) as file:
        assert np.isnan(file["posterior"].attrs["sampling_time"])
    store = HDF5Store.reopen(left)
    assert not store.is_finished
    assert "ended" not in store.notes
    store.discard()
    assert_same(nb.resume(left, m, progressbar=False), expected)


def dying(monkeypatch, path):
    """Have the next run leave what it leaves if it dies before its first draw."""
    left, draw = path.with_name("left.nc"), Running._draw

    def copied_first(*arguments):
        shutil.copy(path, left)
        return draw(*arguments)

    monkeypatch.setattr(Running, "_draw", copied_first)
    return left


@pytest.mark.skipif(not JIT, reason="plain Python is too slow to be killed often")
@pytest.mark.parametrize(
    ("name", "kills"),
    [
        ("NUTS", 2),
        pytest.param("NUTS and Gibbs", 2, marks=pytest.mark.slow),
        pytest.param("Slice", 2, marks=pytest.mark.slow),
        pytest.param("DEMetropolisZ", 3, marks=pytest.mark.slow),
    ],
)
def test_a_run_that_is_killed_loses_nothing(tmp_path, name, kills):
    """Whatever the moments are; `bench.kill` has a hundred."""
    draws = 20_000
    whole = sampled(CASES[name]._replace(draws=draws))
    assert survives(name, draws, whole, tmp_path, np.random.default_rng(len(name)).uniform(0.7, 1.5, kills))


@pytest.mark.skipif(not JIT, reason="plain Python is too slow to be killed often")
def test_a_run_that_is_terminated_loses_nothing(tmp_path):
    """SIGTERM, as batch queues send it: no handler stands between it and the process."""
    draws = 20_000
    whole = sampled(CASES["Slice"]._replace(draws=draws))
    moments = np.random.default_rng(15).uniform(0.7, 1.5, 2)
    assert survives("Slice", draws, whole, tmp_path, moments, signal.SIGTERM)


@pytest.mark.nojit  # long as plain Python
def test_more_draws_than_the_disk_has_room_for(tmp_path, monkeypatch):
    path, m = tmp_path / "run.nc", continuous()
    ended(path, nb.Slice(), 1500 if JIT else 800)
    before = nb.load(path)

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match="No space left on device") as caught:
        nb.resume(path, m, DRAWS + 5, progressbar=False)
    monkeypatch.undo()
    for trace in (caught.value.trace, nb.load(path)):
        assert trace.draws_done.tolist() == before.draws_done.tolist()
        assert trace["x"].tobytes() == before["x"].tobytes()
    assert_same(
        nb.resume(path, m, DRAWS + 5, progressbar=False), nb.sample(m, step=nb.Slice(), **options(draws=DRAWS + 5))
    )

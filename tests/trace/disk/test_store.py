"""The store that is a file: what is on the disk at any moment, who may write, and how a run goes on."""

import errno
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from nbinfer.errors import BackendError
from nbinfer.trace import load
from nbinfer.trace.disk import HDF5, HDF5Store
from tests.trace.disk.helpers import about, assert_same, begun, fill, value


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.nc"


def names(path):
    return sorted(entry.name for entry in path.parent.iterdir())


# While it is made


def test_the_name_appears_when_the_file_is_ready_and_words_stay_where_they_are(path):
    store = HDF5Store(path, 2, 3, 10)
    block = store.words("block", 11)
    block[...] = np.arange(11)
    assert names(path) == ["run.nc.lock", "run.nc.part"]
    for k in range(50):  # more than fits into what was mapped at first
        store.array("posterior", f"x{k}", (500,), float)
    store.describe(about_nothing(store))
    store.ready()
    assert names(path) == ["run.nc", "run.nc.lock"]
    block[1] = 5
    again = store.words("block", 11)
    assert again.ctypes.data == block.ctypes.data
    store.close()
    assert names(path) == ["run.nc"]
    assert HDF5Store.reopen(path).words("block", 11).tolist() == [list(range(11)), [5] * 11]


def about_nothing(store):
    store.words("progress", 8)
    return about(store)


def test_a_part_that_a_dead_process_has_left_is_in_nobodys_way(path):
    path.with_name("run.nc.part").write_bytes(b"half")
    path.with_name("run.nc.lock").write_text("process 1")
    begun(path).close()
    assert names(path) == ["run.nc"]


@pytest.mark.parametrize("moment", ["array", "ready"])
def test_a_failure_leaves_nothing_behind(path, moment, monkeypatch):
    store = HDF5Store(path, 2, 3, 10)

    def fail(*args):
        raise RuntimeError("no")

    monkeypatch.setattr(store, "_complete" if moment == "ready" else "_made", fail)
    with pytest.raises(RuntimeError, match="no"), store.made():
        store.array("posterior", "x", (), float) if moment == "array" else None
    assert names(path) == []
    begun(path).close()


FULL = """
import resource, sys
import numpy as np
from nbinfer.trace.disk import HDF5Store
resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))
store = HDF5Store(sys.argv[1], 4, 0, 100_000)
try:
    with store.made():
        store.array("posterior", "x", (10,), float)
except OSError as error:
    print(error.errno, error)
"""


def test_a_disk_without_room_is_noticed_before_the_first_draw(path):
    """A limit on the size of files stands for a full disk: the same call fails, with another number."""
    found = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True).stdout
    assert found.startswith(f"{errno.EFBIG} ")
    assert "at least 32,8" in found
    assert str(path) in found
    assert names(path) == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="blocks are written there")
def test_all_of_the_file_is_allocated(path):
    store = begun(path, draws=100_000)
    assert path.stat().st_blocks * 512 >= path.stat().st_size
    store.close()
    assert path.stat().st_blocks * 512 >= path.stat().st_size


# What is refused


def test_what_stands_against_a_file_is_said_before_anything_is_done(path, tmp_path):
    begun(path).close()
    with pytest.raises(FileExistsError, match=r"choose another name: nb.HDF5\(.*, overwrite=True\) replaces it"):
        HDF5(path).check()
    HDF5(path, overwrite=True).check()
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere for run.nc"):
        HDF5(tmp_path / "nowhere" / "run.nc").check()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        HDF5(tmp_path).check()


@pytest.mark.skipif(os.getuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="cannot be written to"):
        HDF5(tmp_path / "run.nc").check()


def test_a_folder_is_asked_whether_it_can_be_written_to(path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *args: False)
    with pytest.raises(PermissionError, match="cannot be written to"):
        HDF5(path).check()


def test_a_file_that_appears_in_between_is_not_overwritten(path):
    store = HDF5Store(path, 2, 3, 10)
    path.write_text("precious")
    with pytest.raises(FileExistsError), store.made():
        store.describe(about_nothing(store))
    assert path.read_text() == "precious"
    assert names(path) == ["run.nc"]


def test_overwriting_keeps_the_old_file_until_the_new_one_is_ready(path):
    path.write_text("old")
    store = HDF5Store(path, 2, 3, 10, overwrite=True)
    assert path.read_text() == "old"
    with pytest.raises(RuntimeError), store.made():
        raise RuntimeError
    assert path.read_text() == "old"
    begun(path, overwrite=True).close()
    assert load(path).chain_ids == [5, 6]


@pytest.mark.parametrize(("options", "error"), [({"thin": 0}, ValueError), ({"overwrite": "yes"}, TypeError)])
def test_options_are_checked(path, options, error):
    with pytest.raises(error, match=next(iter(options))):
        HDF5(path, **options)


def test_what_comes_too_late_is_refused(path):
    store = begun(path)
    with pytest.raises(BackendError, match="has no 'y' in posterior, and nothing can be added"):
        store.array("posterior", "y", (), float)
    with pytest.raises(BackendError, match="has 16 words of 'block' for each chain, not 17"):
        store.words("block", 17)
    store.close()


# One writer


def test_two_runs_on_one_file_are_refused_in_threads_too(path):
    store = begun(path)
    found = []

    def other():
        try:
            HDF5Store.reopen(path)
        except BackendError as error:
            found.append(str(error))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert found == [f"{path} is written to by another run of this process; wait for its end."]
    with pytest.raises(BackendError, match="another run of this process"):
        HDF5Store(path.parent / "." / "run.nc", 2, 3, 10, overwrite=True)
    store.close()
    HDF5Store.reopen(path).close()


OTHER = """
import sys
from nbinfer.trace.disk import HDF5Store
try:
    HDF5Store.reopen(sys.argv[1]).close()
    print("opened")
except Exception as error:
    print(type(error).__name__, error)
"""


def in_another_process(path):
    return subprocess.run([sys.executable, "-c", OTHER, str(path)], capture_output=True, text=True, check=True).stdout


def test_another_process_is_refused_by_name_until_the_run_ends(path):
    store = begun(path)
    load(path)  # closes descriptors of the file
    assert in_another_process(path) == (
        f"BackendError {path} is written to by process {os.getpid()}; wait for its end, or choose another name.\n"
    )
    store.close()
    assert in_another_process(path) == "opened\n"
    assert names(path) == ["run.nc"]


def test_a_store_that_nobody_closes_gives_the_right_back(path):
    store = begun(path)
    del store
    HDF5Store.reopen(path).close()


def test_a_child_by_fork_does_not_give_it_back(path):
    store = begun(path)
    child = os.fork()
    if child == 0:
        store.discard()
        os._exit(0)
    os.waitpid(child, 0)
    assert names(path) == ["run.nc", "run.nc.lock"]
    assert in_another_process(path).startswith("BackendError")
    store.close()


# What is in it


@pytest.mark.parametrize("thin", [1, 3])
def test_finished_rows_are_read_while_the_run_goes_on(path, thin):
    store = begun(path, thin=thin)
    assert load(path)["x"].shape == (2, 0, 2)
    fill(store, [4, 9])
    trace = load(path)
    assert trace.draws_done.tolist() == [1 // thin, 6 // thin]
    assert trace.tune_done.tolist() == [3, 3]
    assert trace.interrupted
    assert trace["x"].shape == (2, 6 // thin, 2)
    assert trace["x"][1, -1].tolist() == [value(1, 6 // thin - 1), value(1, 6 // thin - 1) + 0.5]
    assert np.isnan(trace["x"][0, 1 // thin :]).all()
    assert (trace["k"][0, 1 // thin :] == np.iinfo(np.int64).min).all()
    fill(store, [13, 13])
    assert load(path)["x"].shape == (2, 10 // thin, 2)
    assert trace["x"].shape == (2, 6 // thin, 2)
    assert (store.groups["posterior"]["x"][:, : 10 // thin] == load(path)["x"]).all()  # no NaN got into the file
    store.close()


def test_a_trace_cannot_write_to_the_file(path):
    store = begun(path)
    fill(store, [13, 13])
    for trace in (load(path), about(store)):
        with pytest.raises(ValueError, match="read-only"):
            trace["x"][0, 0] = 1.0
    store.close()


def test_draws_that_warm_up_has_skipped(path):
    store = begun(path)
    store.words("progress", 8)[:, 6] = [2, 0]
    fill(store, [4, 9])
    assert load(path).tune_done.tolist() == [1, 3]
    store.close()


def test_the_end_is_written_into_the_file(path):
    store = begun(path, data={"y": np.arange(3)})
    fill(store, [13, 13])
    run_id = store.run_id
    assert not store.is_finished
    size = path.stat().st_size
    attrs = {"sampling_time": 2.5, "seed": 3, "gradients": [30, 40], "new": "one"}
    trace = about(store, interrupted=False, attrs=attrs, observed_data={"y": np.arange(3)})
    store.notes["recipe"] = "x" * 3000
    store.describe(trace)
    store.close()
    assert path.stat().st_size == size
    found = load(path)
    assert_same(found, trace)
    assert {name: found.attrs[name] for name in attrs} == attrs
    assert not found.interrupted
    store = HDF5Store.reopen(path)
    assert store.is_finished
    assert store.run_id == run_id
    assert store.notes["recipe"] == "x" * 3000
    store.close(finished=False)
    assert not HDF5Store.reopen(path).is_finished


def test_notes_that_outgrow_their_room_make_the_file_anew(path):
    store = begun(path, notes={"recipe": "short"})
    fill(store, [13, 13])
    trace = about(store)
    store.notes["recipe"] = "long " * 1_000_000
    store.close()
    assert names(path) == ["run.nc"]
    assert_same(load(path), trace)
    assert trace["x"][1, 3, 0] == value(1, 3)  # of the file that is gone
    store = HDF5Store.reopen(path)
    assert len(store.notes["recipe"]) == 5_000_000
    assert store.is_finished
    store.close()


@pytest.mark.parametrize("move", [True, False])
def test_a_file_that_is_moved_or_removed_during_a_run_is_told(path, move):
    store = begun(path)
    fill(store, [13, 13])
    path.rename(path.with_name("other.nc")) if move else path.unlink()
    trace = about(store, interrupted=False, attrs={"sampling_time": 2.5})
    store.describe(trace)
    with pytest.raises(BackendError, match=r"was moved or removed while draws went there; trace.save writes them"):
        store.close()
    trace.save(path)
    assert_same(load(path), trace)
    if move:
        assert_same(load(path.with_name("other.nc")), trace)
    assert names(path) == ["other.nc", "run.nc"] if move else ["run.nc"]


def test_closing_again_does_nothing(path):
    store = begun(path)
    store.close(finished=False)
    store.close()
    assert not HDF5Store.reopen(path).is_finished


# Going on


def test_a_reopened_store_is_as_it_was_left(path):
    store = begun(path, thin=2, notes={"recipe": "r"}, data={"y": np.arange(3.0)})
    fill(store, [5, 9])
    run_id = store.run_id
    store.close(finished=False)
    store = HDF5Store.reopen(path)
    assert (store.chains, store.tune, store.draws, store.thin, store.run_id) == (2, 3, 10, 2, run_id)
    assert store.notes["recipe"] == "r"
    assert store.words("block", 11).tolist() == [[7] * 11] * 2
    assert store.words("progress", 8)[:, 0].tolist() == [5, 9]
    x = store.array("posterior", "x", (2,), float)
    assert x.shape == (2, 5, 2)
    assert x.flags.writeable
    with store.made():  # as of a new one
        pass
    fill(store, [13, 13])
    wanted = about(store, interrupted=False, observed_data={"y": np.arange(3.0)})
    store.describe(wanted)
    store.close()
    assert_same(load(path), wanted)


@pytest.mark.parametrize("thin", [1, 3])
def test_more_draws_than_planned(path, thin):
    store = begun(path, thin=thin, notes={"recipe": "r"}, data={"y": np.arange(3.0)})
    fill(store, [13, 13])
    old, run_id = about(store), store.run_id
    store.close()
    with pytest.raises(ValueError, match=r"draws must be at least 10, which .* has room for, got 9"):
        HDF5Store.reopen(path).extended(9)
    store = HDF5Store.reopen(path).extended(20)
    assert names(path) == ["run.nc", "run.nc.lock"]
    assert (store.draws, store.run_id, store.is_finished) == (20, run_id, False)
    assert store.notes["recipe"] == "r"
    assert store.words("block", 11).tolist() == [[7] * 11] * 2
    assert (load(path)["x"] == old["x"]).all()
    fill(store, [23, 23])
    assert load(path)["x"].shape == (2, 20 // thin, 2)
    assert load(path).observed_data["y"].tolist() == [0, 1, 2]
    assert load(path).chain_ids == [5, 6]
    store.close()
    assert old["x"][0, 1, 0] == value(0, 1)


def test_more_draws_than_the_disk_has_room_for_leave_the_old_file(path, monkeypatch):
    store = begun(path)
    fill(store, [13, 13])
    store.close()
    before = path.read_bytes()

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match=r"No space left on device: the draws need at least .* bytes"):
        HDF5Store.reopen(path).extended(20)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert names(path) == ["run.nc"]
    HDF5Store.reopen(path).close()


def test_a_file_that_others_have_added_to_is_not_copied(path):
    import h5py

    begun(path).close()
    with h5py.File(path, "r+") as file:
        file["mine/z"] = np.arange(3)
    assert load(path)["x"].shape == (2, 0, 2)
    with pytest.raises(BackendError, match="holds mine/z, which nbinfer did not write"):
        HDF5Store.reopen(path).extended(20)
    HDF5Store.reopen(path).close()


def test_a_run_that_left_nothing_is_told_apart(path):
    with pytest.raises(FileNotFoundError, match="a run that ended before its first draw leaves none"):
        HDF5Store.reopen(path)


def test_many_variables_take_few_descriptors(path):
    store = HDF5Store(path, 4, 0, 100)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for k in range(300):
        store.array("posterior", f"x{k}", (), float)[...] = k
    if before:
        assert len(os.listdir("/proc/self/fd")) < before + 20
    store.describe(about_nothing(store))
    store.ready()
    store.close()
    assert (HDF5Store.reopen(path).extended(200).groups["posterior"]["x299"][:, :100] == 299).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_by_fork_may_write_once_its_parent_is_done(path):
    store = begun(path)
    read, write = os.pipe()
    child = os.fork()
    if not child:  # made while the parent's run goes on, and so with a copy of what it knows of its files
        os.read(read, 1)
        code = 1
        try:
            HDF5Store.reopen(path).discard()
            code = 0
        finally:
            os._exit(code)
    store.close(finished=False)
    os.write(write, b"x")
    assert os.waitpid(child, 0)[1] == 0
    os.close(read)
    os.close(write)

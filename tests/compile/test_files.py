"""Files of the cache are whole and this user's own, or are not there; and nothing about them ever ends a run."""

import contextlib
import logging
import os
import subprocess
import sys

import pytest

from nbinfer.compile import entries, files, objects
from nbinfer.compile.store import Place

#: Rights mean nothing to root.
needs_rights = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="whoever may do anything cannot be kept from a file"
)
needs_modes = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="folders have no modes here")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Return the folder of a cache that was not looked at before."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("NBINFER_CACHE_DIR", str(folder))
    monkeypatch.setattr(files, "_REMEMBERED", {})
    monkeypatch.setattr(files, "_TOLD", [])
    files.cache_root.cache_clear()
    yield folder
    files.cache_root.cache_clear()


def test_what_was_written_is_read(root):
    path = root / "models" / "a" / "model.py"
    assert files.read(path) is None
    files.write(path, b"text\n")
    assert files.read(path) == b"text\n"
    assert path.read_bytes().startswith(b"# ")  # Python reads it too
    files.write(path, b"")
    assert files.read(path) == b""
    assert [p.name for p in path.parent.iterdir()] == ["model.py"]
    assert path.parent.stat().st_mode & 0o777 == 0o700 or os.name == "nt"
    assert path.stat().st_mode & 0o077 == 0 or os.name == "nt"


DAMAGE = {
    "cut": lambda content: content[:-3],
    "empty": lambda content: b"",
    "one bit": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "zeros": lambda content: bytes(len(content)),
    "more": lambda content: content + b"x",
    "head": lambda content: b"#" + content,
    "no line": lambda content: b"x" * 7,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_not_there_and_is_repaired(root, damage):
    path = root / "models" / "facts" / "a.json"
    files.write_json(path, {"a": [1, None]})
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    assert files.read_json(path) is None
    files.write_json(path, {"a": 2})
    assert files.read_json(path) == {"a": 2}


def test_a_file_under_another_name_is_not_that_file(root):
    files.write(root / "a" / "x", b"1")
    files.write(root / "a" / "y", b"2")
    os.replace(root / "a" / "x", root / "a" / "y")
    assert files.read(root / "a" / "y") is None


def test_machine_code_is_read_as_it_was_written(root):
    objects.write(Place("engine", "f"), "symbol", b"\0code\n", ["NRT_x"])
    assert objects.read(Place("engine", "f")) == ("symbol", b"\0code\n", ["NRT_x"])


def in_the_way(root):
    root.write_text("x")


def in_the_way_of_a_part(root):
    root.mkdir(mode=0o700)
    (root / "models").write_text("x")


def a_folder_for_a_file(root):
    (root / "models" / "a").mkdir(parents=True, mode=0o700)


def a_pipe_for_a_file(root):
    (root / "models").mkdir(parents=True, mode=0o700)
    os.mkfifo(root / "models" / "a")


def a_link_to_itself(root):
    root.mkdir(mode=0o700)
    (root / "models").symlink_to(root / "models")


@pytest.mark.skipif(os.name == "nt", reason="no pipes and links")
@pytest.mark.parametrize(
    "obstacle", [in_the_way, in_the_way_of_a_part, a_folder_for_a_file, a_pipe_for_a_file, a_link_to_itself]
)
def test_what_cannot_be_written_is_remembered(root, obstacle, caplog):
    obstacle(root)
    path = root / "models" / "a"
    assert files.read(path) is None
    files.write(path, b"1")
    files.write(path, b"2")
    assert files.read(path) == b"2"
    with files.alone(path) as alone:
        assert alone
    if obstacle is not a_pipe_for_a_file:  # which a file may replace
        assert len(caplog.records) == 1  # said once
        assert "Set NBINFER_CACHE_DIR to a private folder" in caplog.text


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError(27, "File too large")])
def test_a_full_disk_leaves_nothing_behind(root, error, monkeypatch):
    def full(*names):
        raise error

    monkeypatch.setattr(os, "replace", full)
    files.write(root / "a" / "b", b"1")
    assert files.read(root / "a" / "b") == b"1"
    assert list((root / "a").iterdir()) == []


def test_without_a_home_nothing_is_kept(root, monkeypatch, caplog):
    monkeypatch.delenv("NBINFER_CACHE_DIR")
    monkeypatch.setattr(files, "_user_cache", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    path = files.cache_root() / "models" / "a"
    files.write(path, b"1")
    assert files.read(path) == b"1"
    assert "no home" in caplog.text


@needs_rights
def test_a_folder_without_rights(root):
    path = root / "models" / "a"
    files.write(path, b"1")
    path.chmod(0)
    assert files.read(path) is None
    files.write(path, b"2")
    assert files.read(path) == b"2"
    path.parent.chmod(0o500)
    files.write(path, b"3")
    assert files.read(path) == b"2"  # what is on disk counts
    path.parent.chmod(0o700)


@needs_modes
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_loosened_root_is_not_used(root, mode, caplog):
    files.write(root / "a" / "b", b"1")
    root.chmod(mode)
    files.cache_root.cache_clear()
    assert files.read(files.cache_root() / "a" / "b") is None
    assert "must belong to you" in caplog.text


@needs_modes
def test_a_loosened_folder_is_emptied_of_our_files_and_used_again(root, caplog):
    path, other, users = root / "models" / "a", root / "models" / "below" / "a", root / "models" / "notes"
    files.write(path, b"1")
    files.write(other, b"1")
    users.write_text("not ours")
    path.parent.chmod(0o777)
    assert files.read(other) == b"1"  # nobody could write to that one, and it tells its own name and folder
    assert files.read(path) is None
    assert "is not trusted" in caplog.text
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert users.read_text() == "not ours"
    files.write(path, b"2")
    assert files.read(path) == b"2"


@needs_modes
def test_a_file_that_others_may_write_to_is_not_read(root):
    path = root / "models" / "a"
    files.write(path, b"1")
    path.chmod(0o666)
    assert files.read(path) is None
    files.write(path, b"1")
    assert files.read(path) == b"1"


@needs_modes
def test_what_somebody_else_owns_is_not_read(root, monkeypatch):
    path = root / "models" / "a"
    files.write(path, b"1")
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    assert (files.read(path) is None) == (path.stat().st_uid != 0)  # root may do anything anyway


# ---- one process compiles, the others wait


_HOLD = """
import sys, time
from pathlib import Path
from nbinfer.compile import files
with files.alone(Path(sys.argv[1])) as alone:
    print(alone, flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(files.fcntl is None, reason="no locks here")
def test_a_lock_is_taken_by_one_and_freed_by_whoever_dies(root):
    path = root / "models" / "density.object"
    with subprocess.Popen([sys.executable, "-c", _HOLD, path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "True\n"
        with files.alone(path) as alone:
            assert not alone
        with files.alone(root / "models" / "another") as alone:
            assert alone
        other.kill()
    with files.alone(path) as alone:
        assert alone
        with files.alone(path) as again:
            assert not again
    with files.alone(path) as alone:
        assert alone
    assert list(path.parent.iterdir()) == []


@pytest.mark.skipif(files.fcntl is None, reason="no locks here")
def test_a_file_system_without_locks(root, monkeypatch):
    def refuse(*arguments):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(files, "fcntl", type("fcntl", (), {"flock": refuse, "LOCK_EX": 2, "LOCK_NB": 4}))
    for _ in range(2):
        with files.alone(root / "a") as alone:
            assert alone


def test_whoever_waits_says_so_and_reads_what_the_other_made(root, monkeypatch, caplog):
    class Waiting(entries.Entry):
        """An entry that another process makes while this one waits."""

        looks = 0

        def _loaded(self):
            self.looks += 1
            return 7 if self.looks > 2 else None

        def _compile(self):
            raise AssertionError

    monkeypatch.setattr(files, "alone", lambda path: contextlib.nullcontext(False))
    monkeypatch.setattr(entries, "_PATIENCE", -1.0)
    monkeypatch.setattr(entries, "home", lambda function: "nbinfer")
    monkeypatch.setattr(entries, "_WAITED", [])
    with caplog.at_level(logging.WARNING):
        assert Waiting(lambda n: n, "int64(int64)", Place("engine", "x"))._address() == 7
    assert "another process compiles the engine" in caplog.text

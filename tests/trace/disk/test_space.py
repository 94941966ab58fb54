"""A file as memory: it grows, and what is there stays."""

import mmap
import os

import numpy as np
import pytest

from nbinfer.errors import BackendError
from nbinfer.trace.disk.space import Extent, Space


@pytest.fixture
def file(tmp_path):
    with open(tmp_path / "space", "w+b", buffering=0) as file:
        yield file


def floats(offset, count):
    return Extent(offset, (count,), np.dtype(float))


@pytest.mark.parametrize("elsewhere", [False, True])
def test_arrays_keep_their_place_while_the_file_grows(file, elsewhere, monkeypatch):
    if elsewhere:  # no system call reserves space there
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    space, arrays, at = Space(file), [], 64
    for k in range(40):
        extent = floats(at, 10_000 * (k % 5 + 1))
        arrays.append((extent, space.array(extent)))
        arrays[-1][1][...] = k
        at += extent.size + 8
    whole = Space(file, mmap.ACCESS_READ)
    for k, (extent, array) in enumerate(arrays):
        assert (array == k).all()
        assert (whole.array(extent) == k).all()
        assert array.ctypes.data % 8 == 0
    assert len(space._maps) < 20


def test_what_was_written_before_stays(file):
    file.write(b"head" * 4)
    space = Space(file)
    space.array(floats(64, 1000))[...] = 1.0
    space.reserve(0, space.length)
    file.seek(0)
    assert file.read(16) == b"head" * 4


def test_a_copy_is_written_to_alone(file):
    Space(file).array(floats(0, 100))[...] = 1.0
    for access, writeable in ((mmap.ACCESS_COPY, True), (mmap.ACCESS_READ, False)):
        array = Space(file, access).array(floats(0, 100))
        assert array.flags.writeable is writeable
        if writeable:
            array[...] = 2.0
    assert (Space(file, mmap.ACCESS_READ).array(floats(0, 100)) == 1.0).all()


def test_what_lies_beyond_the_end_is_told(file):
    Space(file).array(floats(0, 100))
    file.truncate(400)
    with pytest.raises(BackendError, match="is cut short: it ends at 400 bytes, not 800"):
        Space(file, mmap.ACCESS_READ).array(floats(0, 100))


def test_no_bytes_are_an_array_too(file):
    assert Space(file).array(Extent(0, (4, 0), np.dtype(bool))).shape == (4, 0)


@pytest.mark.parametrize("memory", [0, 1 << 20, 1 << 40])
def test_pages_may_be_set_up_at_once(file, memory, monkeypatch):
    space = Space(file)
    array = space.array(floats(0, 50_000))
    array[...] = 3.0
    monkeypatch.setattr("nbinfer.trace.disk.space.memory_of_the_machine", lambda: memory)
    space.warm()
    assert (array == 3.0).all()

"""Texts in a file: one of two versions can be read at any moment."""

from pathlib import Path

import numpy as np
import pytest

from nbinfer.errors import BackendError
from nbinfer.trace.disk import notes

PATH = Path("run.nc")


def room(length):
    return np.zeros(notes.room_for(length), np.uint8)


def test_the_newest_is_read():
    memory = room(100)
    for k in range(5):
        assert notes.write(memory, notes.packed({"k": str(k), "Ω": "ü" * k}))
        assert notes.read(memory, PATH) == {"k": str(k), "Ω": "ü" * k}


def test_whatever_is_half_written_does_not_count():
    """Each byte that a new version writes, up to its number, leaves the old one to be read."""
    before, after = room(60), None
    notes.write(before, notes.packed({"k": "old"}))
    after = before.copy()
    notes.write(after, notes.packed({"k": "new"}))
    changed = np.flatnonzero(before != after)
    rng = np.random.default_rng(1)
    for _ in range(200):
        torn = before.copy()
        some = rng.permutation(changed)[: rng.integers(0, len(changed))]
        torn[some] = after[some]
        assert notes.read(torn, PATH) in ({"k": "old"}, {"k": "new"})
    assert notes.read(after, PATH) == {"k": "new"}


def test_what_is_too_long_changes_nothing():
    memory = room(20)
    assert notes.write(memory, b'{"k": "old"}')
    before = memory.copy()
    assert not notes.write(memory, notes.packed({"k": "x" * 100}))
    assert (memory == before).all()


def test_nothing_is_no_text():
    with pytest.raises(BackendError, match=r"run\.nc is damaged"):
        notes.read(room(20), PATH)

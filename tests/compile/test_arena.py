"""Arenas: arrays that lie apart, memory that is taken again, growth, and lengths that nobody can mean."""

import ctypes
import gc
import itertools

import numpy as np
import pytest

from nbinfer.compile import JIT, empty, entry, kernel, zeros
from nbinfer.compile.arena import ALLOCATE, CHUNK, OLDER, Arenas, begin, mark, release
from nbinfer.compile.memory import register

#: How often arrays are made in one evaluation.
SEVERAL = 40


@kernel
def _arrays(arena, n):
    """Make arrays of all kinds; return their sum."""
    x = zeros(arena, n, np.float64)
    counts = empty(arena, (n, 3), np.int64)
    odd = zeros(arena, (n,), np.bool_)
    one = zeros(arena, (), np.float64)
    for i in range(n):
        x[i] += i
        odd[i] = i % 2 == 1
        for j in range(3):
            counts[i, j] = j
    one[()] = 0.5
    return np.sum(x) + np.sum(counts) + np.sum(odd) + one[()]


@entry("float64(intp, intp)")
def several(arena, n):
    """Make arrays again and again, without a thought of giving back."""
    arena = begin(arena)
    total = 0.0
    try:
        for _ in range(SEVERAL):
            total += _arrays(arena, n)
    except Exception:
        total = -1.0
    return total


@entry("float64(intp, intp)")
def in_turns(arena, n):
    """The same, in turns that give back what they took."""
    arena = begin(arena)
    total = 0.0
    for _ in range(SEVERAL):
        before = mark(arena)
        total += _arrays(arena, n)
        release(arena, before)
    return total


@entry("float64(intp, intp)")
def dirty(arena, n):
    """Fill an array, give it back, and add up what the next one that is to be zeros holds."""
    arena = begin(arena)
    before = mark(arena)
    x = empty(arena, n, np.float64)
    for i in range(n):
        x[i] = 1.0
    release(arena, before)
    return np.sum(zeros(arena, n, np.float64))


def expected(n):
    return n * (n - 1) / 2 + 3 * n + n // 2 + 0.5


@pytest.mark.parametrize("n", [0, 1, 5, 300])
def test_arrays_lie_apart_and_are_what_they_should_be(n):
    arenas = Arenas(2)
    for address in arenas.addresses:
        for _ in range(3):
            assert several(int(address), n) == SEVERAL * expected(n)


def test_what_is_given_back_is_taken_again():
    arenas = Arenas(1)
    address = int(arenas.addresses[0])
    once = 100 + 3 * 100 + 16 + 4  # each array is rounded up to 32 bytes
    for evaluate, wanted in ((in_turns, once), (several, SEVERAL * once)):
        for _ in range(2):
            assert evaluate(address, 100) == SEVERAL * expected(100)
        assert arenas.words(0) == wanted


def test_zeros_are_zeros_where_something_else_was():
    assert dirty(int(Arenas(1).addresses[0]), 50) == 0.0


def test_evaluations_end_up_in_one_chunk_that_no_longer_grows():
    arenas = Arenas(1)
    address, row = int(arenas.addresses[0]), arenas.rows[0]
    several(address, 200)
    assert row[OLDER] > 0
    several(address, 200)
    chunk = row[CHUNK]
    several(address, 200)
    several(address, 20)
    assert row[OLDER] == 0
    assert row[CHUNK] == chunk


@pytest.mark.parametrize("n", [-1, -7, 2**59, 2**60, 2**61, 2**62, -(2**61)])
def test_lengths_that_nobody_can_mean_are_an_exception(n):
    arenas = Arenas(1)
    address = int(arenas.addresses[0])
    assert several(address, n) == -1.0
    assert several(address, 3) == SEVERAL * expected(3)


def test_where_there_is_no_room_for_twice_as_much_what_is_needed_will_do():
    import nbinfer.compile.arena as module

    arenas, asked = Arenas(1), []
    address, row = int(arenas.addresses[0]), arenas.rows[0]

    def at_most(old, size):
        asked.append(size)
        return module._HEAP.allocate(old, size) or 0 if size < 8000 else 0

    form = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(at_most)
    row[ALLOCATE] = ctypes.cast(form, ctypes.c_void_p).value if JIT else register(at_most)
    assert several(address, 100) == SEVERAL * expected(100)
    assert max(asked) >= 8000
    assert row[OLDER] > 8000


def test_memory_goes_back_to_the_heap_with_its_owner(monkeypatch):
    import nbinfer.compile.arena as module

    freed = []
    monkeypatch.setattr(module._HEAP, "free", freed.append)
    arenas = Arenas(3)
    several(int(arenas.addresses[0]), 200)
    several(int(arenas.addresses[2]), 5)
    chunks = set(arenas.rows[:, CHUNK].tolist()) - {0}
    del arenas
    gc.collect()
    assert len(chunks) == 2
    assert chunks < set(freed)


@pytest.mark.skipif(JIT, reason="compiled code does not leave addresses of arrays")
def test_two_arrays_that_are_alive_never_share_memory():
    arenas = Arenas(1)
    address = begin(int(arenas.addresses[0]))
    made = [empty(address, shape, np.float64) for shape in (3, (2, 5), 0, (7,), (100, 100), ())]
    places = sorted((x.ctypes.data, x.nbytes) for x in made if x.size)
    assert all(start % 32 == 0 for start, _ in places)
    assert all(a + size <= b for (a, size), (b, _) in itertools.pairwise(places))

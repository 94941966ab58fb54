"""Memory that an evaluation takes and never gives back: it is all free again when the next one begins.

Generated code takes its arrays from an *arena*, by the twins `empty` and `zeros` of `nbinfer.compile.memory`, each in a
few instructions: the next free place moves on by the array's size. Temporaries of a loop's turn, or of a kernel, end
with `release`, which moves that place back to where `mark` found it. Nothing is freed one by one, and no array owns
memory or counts references.

An arena grows by itself. What does not fit goes to another chunk from the heap, twice as large if there is room; the
next evaluation begins with one chunk that holds what the last ones needed. So evaluations that need what others before
them needed never ask the heap, and how much that is, an evaluation tells (`Arenas.words`).

A kernel that serves users' own code, too, takes `None` for an arena there, and `room` from the heap: which of the two
is known when it is compiled.

An arena is a row of words, known by its address, and serves one thread at a time. Where there is no heap, as on a
device, the words `NEXT` and `STOP` say all.
"""

from __future__ import annotations

import ctypes
import sys
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile.entries import entry
from nbinfer.compile.forks import cached_property
from nbinfer.compile.kernels import JIT, kernel
from nbinfer.compile.memory import GROW, NEXT, STOP, address_of, aligned, call_step, empty, ints_at, register

#: Words of an arena, after those that the twins read: where the chunk begins, the highest that `NEXT` has been before a
#: release, the chunk, bytes in use in older chunks, and the C functions that get memory and free it.
FIRST, HIGH, CHUNK, OLDER, ALLOCATE, FREE = range(3, 9)
WORDS = 16

#: Bytes of the smallest chunk, and those of one that nobody can mean.
_LEAST, _MOST = 1024, 1 << 46
#: A chunk begins with the address of the one before it; what is taken begins at a multiple of this.
_ALIGNMENT = 32


@kernel
def room(arena: int | None, count: int) -> NDArray[np.float64]:
    """Take room for so many numbers; from the heap, where there is no arena."""
    if arena is None:
        return np.empty(count)
    return empty(arena, count, np.float64)


@kernel
def mark(arena: int | None) -> int:
    """Return what `release` takes to free whatever is taken from here on."""
    if arena is None:
        return 0
    return ints_at(arena, WORDS)[NEXT]  # type: ignore[no-any-return]


@kernel
def release(arena: int | None, place: int) -> None:
    """Free what was taken since the `mark`; what lies in older chunks stays until the next evaluation."""
    if arena is None:
        return
    words = ints_at(arena, WORDS)
    words[HIGH] = max(words[HIGH], words[NEXT])
    if words[FIRST] <= place <= words[NEXT]:
        words[NEXT] = place


@kernel
def begin(arena: int) -> int:
    """Free everything; return the arena."""
    words = ints_at(arena, WORDS)
    words[HIGH] = max(words[HIGH], words[NEXT])
    if words[OLDER] != 0:
        call_step(words[GROW], arena, 0)
    words[NEXT] = words[FIRST]
    return arena


@kernel
def _add_chunk(arena: int, size: int) -> int:
    """Go on in a new chunk of so many bytes; return where it begins, 0 if there is no memory."""
    words = ints_at(arena, WORDS)
    chunk = call_step(words[ALLOCATE], 0, size + 2 * _ALIGNMENT)
    if chunk == 0:
        return 0
    ints_at(chunk, 1)[0] = words[CHUNK]
    first = (chunk + 2 * _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT
    words[CHUNK], words[FIRST], words[NEXT], words[HIGH], words[STOP] = chunk, first, first, first, first + size
    return first


@kernel
def _merge(arena: int) -> int:
    """Put one chunk in place of all, none of which is in use; return where it begins."""
    words = ints_at(arena, WORDS)
    size = words[OLDER] + words[HIGH] - words[FIRST]
    while words[CHUNK] != 0:
        before = ints_at(words[CHUNK], 1)[0]
        call_step(words[FREE], words[CHUNK], 0)
        words[CHUNK] = before
    words[FIRST], words[NEXT], words[HIGH], words[STOP], words[OLDER] = 0, 0, 0, 0, 0
    return _add_chunk(arena, size)


@entry("int64(intp, intp)")
def grow(arena: int, size: int) -> int:
    """C function: take so many bytes from a new chunk, or merge all chunks for 0; return where they begin, or 0."""
    if size == 0:
        return _merge(arena)
    if size < 0 or size > _MOST:
        return 0
    words = ints_at(arena, WORDS)
    used = max(words[HIGH], words[NEXT]) - words[FIRST] + _ALIGNMENT
    first = _add_chunk(arena, max(size, 2 * (words[STOP] - words[FIRST]), _LEAST))
    if first == 0:  # there may be room for what is needed, and no more
        first = _add_chunk(arena, size)
    if first != 0:
        words[OLDER] += used if used > _ALIGNMENT else 0
        words[NEXT] = first + size
    return first


class Arenas:
    """Arenas that take memory from the heap.

    Parameters
    ----------
    count : int
        How many.

    Attributes
    ----------
    rows : ndarray of int64, shape (count, 16)
        Their words, one row for each.
    """

    def __init__(self, count: int) -> None:
        self.rows = aligned(count, WORDS, np.int64)
        self.rows[:, GROW] = grow.address
        self.rows[:, ALLOCATE], self.rows[:, FREE] = _HEAP.allocate_address, _HEAP.free_address
        weakref.finalize(self, _free_all, self.rows).atexit = False

    @property
    def addresses(self) -> np.ndarray:
        """The addresses by which code knows them, shape (count,)."""
        return address_of(self.rows) + self.rows.strides[0] * np.arange(len(self.rows))

    def words(self, number: int) -> int:
        """Return how many words of 8 bytes the largest evaluation so far has needed."""
        row = self.rows[number]
        return int(row[OLDER] + max(row[HIGH], row[NEXT]) - row[FIRST]) // 8


class ArenaPool:
    """Arenas for calls from Python, of which several may be under way: each has one of its own meanwhile."""

    def __init__(self) -> None:
        self._free: list[tuple[int, Arenas]] = []

    def take(self) -> tuple[int, Arenas]:
        """Return the address of an arena that nobody uses, and who owns it, to be given back."""
        try:
            return self._free.pop()
        except IndexError:
            arenas = Arenas(1)
            return int(arenas.addresses[0]), arenas

    def give(self, arena: tuple[int, Arenas]) -> None:
        """Take an arena back."""
        self._free.append(arena)


class _Heap:
    """The C library's ``realloc(pointer, bytes)``, which allocates where there is no pointer, and ``free(pointer)``."""

    def __init__(self) -> None:
        library = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
        self.allocate, self.free = library.realloc, library.free
        self.allocate.argtypes, self.allocate.restype = [ctypes.c_void_p, ctypes.c_size_t], ctypes.c_void_p
        self.free.argtypes, self.free.restype = [ctypes.c_void_p], None

    @cached_property
    def allocate_address(self) -> int:
        return self._address(self.allocate) if JIT else register(lambda old, size: self.allocate(old, size) or 0)

    @cached_property
    def free_address(self) -> int:
        return self._address(self.free) if JIT else register(lambda pointer, _: self.free(int(pointer)) or 0)

    @staticmethod
    def _address(function: Any) -> int:
        return ctypes.cast(function, ctypes.c_void_p).value or 0


_HEAP = _Heap()


def _free_all(rows: np.ndarray) -> None:
    for chunk in rows[:, CHUNK].tolist():
        while chunk:
            before = ctypes.c_int64.from_address(chunk).value
            _HEAP.free(chunk)
            chunk = before

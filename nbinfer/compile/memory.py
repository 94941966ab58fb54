"""Views of memory by address, atomic words, calls of C functions: plain Python here, compiled form in `lowered`.

Every pointer crosses a boundary as an integer. Arrays made from an address own nothing and carry no reference count:
whoever made the memory keeps it alive.
"""

from __future__ import annotations

import ctypes
import functools
import math
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile.kernels import JIT, twin

#: With the JIT off, the "addresses" of functions are keys into this registry. Keys look like no real address.
FUNCTIONS: dict[int, Callable[..., Any]] = {}

#: What `record_at` returns: fields by name, whose types the record's dtype knows and Python's type system does not.
Record: TypeAlias = Any

_MASK = (1 << 64) - 1
_LINE = 64  # bytes that processors fetch together
_SWAPPING = threading.Lock()


def register(function: Callable[..., Any]) -> int:
    """Give a Python function an address (JIT off only)."""
    key = -(1 << 48) - len(FUNCTIONS)
    FUNCTIONS[key] = function
    return key


#: Of memory that may be written to.
_FROM_BUFFER, _ADDRESS = ctypes.c_char.from_buffer, ctypes.addressof


def address_of(array: np.ndarray) -> int:
    """Return the address of an array's first element; the caller keeps the array alive."""
    try:
        # Five times as fast as what follows.
        return _ADDRESS(_FROM_BUFFER(array))  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):  # it is empty or read-only, or of what is no plain memory
        pass
    if not array.flags.c_contiguous:
        raise ValueError("address_of needs a C-contiguous array, got strides %r" % (array.strides,))
    return int(array.ctypes.data)


def aligned(rows: int, words: int, dtype: Any = np.float64) -> np.ndarray:
    """Make a zeroed array of 8-byte items whose rows start at cache lines, so that chains do not share any."""
    per_line = _LINE // 8
    words = -(-max(words, 1) // per_line) * per_line
    memory = np.zeros(rows * words + per_line, dtype)
    start = (-memory.ctypes.data % _LINE) // 8
    return memory[start : start + rows * words].reshape(rows, words)


def _view(address: int, count: int, dtype: Any) -> np.ndarray:
    kind = np.dtype(dtype)
    if count == 0:
        return np.empty(0, kind)
    memory = (ctypes.c_char * (int(count) * kind.itemsize)).from_address(int(address))
    return np.frombuffer(memory, kind)


@twin
def floats_at(address: int, count: int) -> NDArray[np.float64]:
    """View `count` float64 at `address`."""
    return _view(address, count, np.float64)


@twin
def singles_at(address: int, count: int) -> NDArray[np.float32]:
    """View `count` float32 at `address`."""
    return _view(address, count, np.float32)


@twin
def ints_at(address: int, count: int) -> np.ndarray:
    """View `count` int64 at `address`."""
    return _view(address, count, np.int64)


@twin
def words_at(address: int, count: int) -> NDArray[np.uint64]:
    """View `count` uint64 at `address`."""
    return _view(address, count, np.uint64)


@twin
def bytes_at(address: int, count: int) -> np.ndarray:
    """View `count` bytes at `address`."""
    return _view(address, count, np.uint8)


@twin
def part(array: np.ndarray, start: int, shape: tuple[int, ...]) -> np.ndarray:
    """View a part of a contiguous array, counted flat, as `shape`: less to compile than a slice, and unchecked."""
    return array.reshape(-1)[start : start + math.prod(shape)].reshape(shape)


@twin
def read_at(array: np.ndarray, index: int) -> Any:
    """Read an element of a flat array: a quarter of the code of ``array[index]``, and unchecked, not even below 0."""
    return array[index]


@twin
def add_at(array: np.ndarray, index: int, value: float) -> None:
    """Add to an element of a flat array of float64; as `read_at`."""
    array[index] += value


@twin
def readonly(thing: Any) -> Any:
    """View an array, or each array in a tuple, so that nobody can write to it: compiled code that tries is refused."""
    if isinstance(thing, tuple):
        parts = [readonly.py_func(item) for item in thing]
        return type(thing)(*parts) if hasattr(thing, "_fields") else tuple(parts)
    if isinstance(thing, np.ndarray):
        thing = thing.view()
        thing.flags.writeable = False
    return thing


@twin
def record_at(address: int, dtype: np.dtype) -> Record:
    """View one record of the structured `dtype` at `address`; its fields read and write by name."""
    return _view(address, 1, dtype).view(np.recarray)[0]


#: Words of an arena (see `nbinfer.compile.arena`): the next free place, where its memory stops, and the C function that
#: takes memory where that is not enough.
NEXT, STOP, GROW = range(3)


@twin
def empty(arena: int, shape: Any, dtype: Any) -> np.ndarray:
    """Take an array of a shape, a number or a tuple, from an arena; what is in it may be anything."""
    lengths = shape if isinstance(shape, tuple) else (shape,)
    count = math.prod(map(int, lengths))
    size = -1 if min(lengths, default=0) < 0 else -(-count * np.dtype(dtype).itemsize // 32) * 32
    words = ints_at.py_func(arena, 3)
    place = int(words[NEXT])
    if 0 <= size <= words[STOP] - place:
        words[NEXT] += size
    else:
        place = call_step.py_func(words[GROW], arena, size)
        if place == 0:
            raise MemoryError("an array is too large, or has a negative length")
    return _view(place, count, dtype).reshape(lengths)


@twin
def zeros(arena: int, shape: Any, dtype: Any) -> np.ndarray:
    """Take an array of zeros from an arena."""
    array = empty.py_func(arena, shape, dtype)
    array[...] = 0
    return array


@twin
def load_acquire(address: int) -> int:
    """Read an int64 that another thread publishes; what it wrote before is visible afterwards."""
    return int(_view(address, 1, np.int64)[0])


@twin
def store_release(address: int, value: int) -> None:
    """Publish an int64: everything written before becomes visible to whoever reads it with `load_acquire`."""
    _view(address, 1, np.int64)[0] = value


@twin
def compare_and_swap(address: int, expected: int, value: int) -> bool:
    """Replace an int64 by `value` if it is `expected`; tell whether that happened."""
    word = _view(address, 1, np.int64)
    with _SWAPPING:  # Python may change threads between any two lines
        if word[0] != expected:
            return False
        word[0] = value
    return True


@twin
def call_density(function: int, n: int, position: int, grad: int, context: int) -> float:
    """Call ``double density(int64 n, intp q, intp grad, intp context)``; `grad` 0 asks for the value alone."""
    logp: float = FUNCTIONS[int(function)](n, position, grad, context)
    return logp


@twin
def call_record(function: int, n: int, position: int, row: int, context: int) -> int:
    """Call ``int64 record(int64 n, intp q, intp row, intp context)``."""
    status: int = FUNCTIONS[int(function)](n, position, row, context)
    return status


@twin
def call_step(function: int, chain: int, own: int) -> int:
    """Call ``int64 step(intp chain, intp own)``, or what else has this form."""
    # A plain function may be called where code is compiled, too.
    known = FUNCTIONS.get(int(function)) or ctypes.CFUNCTYPE(*[ctypes.c_int64] * 3)(int(function))
    status: int = known(chain, own)
    return status


@twin
def call_phase(function: int, context: int, row: int, piece: int) -> int:
    """Call ``int64 phase(intp context, int64 row, int64 piece)``."""
    status: int = FUNCTIONS[int(function)](context, row, piece)
    return status


@twin
def attempt(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """Call a function; return whether it raised, and what it returned, which is anything if it did.

    It stands in place of ``try`` in code for a GPU, whose compiler knows none; there is no other form of it.
    """
    try:
        return False, function(*arguments)
    except Exception:
        return True, -math.inf


@twin
def multiply_add(a: float, b: float, c: float) -> Any:
    """Return ``a * b + c``, rounded once: less a rounded product it is what rounding took from that."""
    if not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c)) or a * b == 0.0:
        return np.float64(a * b + c)
    from fractions import Fraction  # takes its time

    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    try:
        return np.float64(float(exact))
    except OverflowError:
        return np.float64(math.inf if exact > 0 else -math.inf)


@twin
def multiply_wide(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Multiply two uint64 into the high and the low word of the 128-bit product."""
    product = int(a) * int(b)
    return np.uint64(product >> 64), np.uint64(product & _MASK)


@twin
def add_wrapping(a: np.uint64, b: np.uint64) -> np.uint64:
    """Add two uint64 modulo 2**64."""
    return np.uint64((int(a) + int(b)) & _MASK)


@twin
def generator_at(words: int, functions: int) -> np.random.Generator:
    """Make a NumPy Generator over Philox words in memory (see `nbinfer.random`).

    The compiled form draws from the words and advances them. The plain form starts at the words' counter and leaves
    them alone: a function that gets a generator gets a fresh stream for each draw, so nothing is lost.
    """
    state = words_at.py_func(words, 6)
    return np.random.Generator(np.random.Philox(counter=state[:4].copy(), key=state[4:6].copy()))


class _Rest:
    """A C function ``int64 f(intp, intp)`` that leaves the processor to other threads for a moment."""

    @functools.cached_property
    def address(self) -> int:
        if not JIT:
            return register(lambda a, b: time.sleep(0))
        library, name = ("kernel32", "SwitchToThread") if sys.platform == "win32" else (None, "sched_yield")
        self._function = getattr(ctypes.CDLL(library), name)
        return ctypes.cast(self._function, ctypes.c_void_p).value or 0


rest = _Rest()

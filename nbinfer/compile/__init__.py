"""Compilation: the decorators, the cache of machine code, and everything that touches memory by address.

Engine and models reach the processor in one way. Functions marked `kernel` hold the algorithms; functions marked
`entry` are C functions made from them, known to each other by address. The machine code of an entry is kept on disk and
loaded by llvmlite alone, so that a process which compiles nothing never imports Numba. With ``NUMBA_DISABLE_JIT=1``
everything here runs as plain Python: an address of a function is then a key into a registry, and views use ctypes.
"""

from nbinfer.compile.elementwise import Elementwise, elementwise, fragment
from nbinfer.compile.entries import Entry, entry
from nbinfer.compile.kernels import JIT, Kernel, kernel
from nbinfer.compile.memory import (
    Record,
    add_at,
    add_wrapping,
    address_of,
    aligned,
    attempt,
    bytes_at,
    call_density,
    call_phase,
    call_record,
    call_step,
    compare_and_swap,
    empty,
    floats_at,
    generator_at,
    ints_at,
    load_acquire,
    multiply_add,
    multiply_wide,
    part,
    read_at,
    readonly,
    record_at,
    singles_at,
    store_release,
    words_at,
    zeros,
)

__all__ = [
    "JIT",
    "Elementwise",
    "Entry",
    "Kernel",
    "Record",
    "add_at",
    "add_wrapping",
    "address_of",
    "aligned",
    "attempt",
    "bytes_at",
    "call_density",
    "call_phase",
    "call_record",
    "call_step",
    "compare_and_swap",
    "elementwise",
    "empty",
    "entry",
    "floats_at",
    "fragment",
    "generator_at",
    "ints_at",
    "kernel",
    "load_acquire",
    "multiply_add",
    "multiply_wide",
    "part",
    "read_at",
    "readonly",
    "record_at",
    "singles_at",
    "store_release",
    "words_at",
    "zeros",
]

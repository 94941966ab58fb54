"""The short way to compiled code, for arguments of types and shapes that were met before."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.autodiff.compiled import ARENA, FIRST, STATUS
from nbinfer.compile import JIT, address_of
from nbinfer.compile.arena import ArenaPool

if TYPE_CHECKING:
    from nbinfer.autodiff.compiled import Compiled

#: What goes to compiled code as it is: dtypes of arrays and types of numbers, with the letter of `struct`.
_ARRAYS = frozenset(np.dtype(kind) for kind in (np.float64, np.int64, np.bool_))
_NUMBERS: dict[type, str] = {float: "d", np.float64: "d", int: "q", bool: "q"}
#: Of these there is a derivative.
_FLOATS = (float, np.float64)

#: Shapes that are remembered of one function.
MOST = 64


#: Takes the arguments of a call; None if it takes the long way.
Shortcut = Callable[[Sequence[Any]], "tuple[float, Any] | None"]


def shortcut(compiled: Compiled, args: Sequence[Any], active: Sequence[int], several: bool) -> Shortcut | None:
    """Return the short way for arguments of types and shapes like these; None if there is none, as for lists.

    Parameters
    ----------
    compiled : Compiled
        The function for these arguments.
    args : sequence
        Arguments as the user gives them.
    active : sequence of int
        Positions of those by which to differentiate, in the user's order.
    several : bool
        Whether the gradient is a tuple.
    """
    if not JIT:
        return None
    for k, x in enumerate(args):
        is_array = type(x) is np.ndarray and x.dtype in _ARRAYS and x.ndim > 0
        if not (is_array or type(x) in _NUMBERS):
            return None
        if k in active and not (x.dtype == np.float64 if is_array else type(x) in _FLOATS):
            return None
    return _short_call(compiled, args, active, several)


class _Words:
    """The table of words that compiled code reads, see `nbinfer.autodiff.compiled`, and what of it changes."""

    def __init__(self, compiled: Compiled, args: Sequence[Any], active: Sequence[int]) -> None:
        self.words: list[Any] = [0] * FIRST
        self.letters = "q" * FIRST
        #: Position of an argument, and its place in the table.
        self.arrays: list[tuple[int, int]] = []
        self.numbers: list[tuple[int, int]] = []
        for k, x in enumerate(args):
            (self.arrays if isinstance(x, np.ndarray) else self.numbers).append((k, len(self.words)))
            self._add(0, np.shape(x), _NUMBERS.get(type(x), "q"))
        #: Place of a gradient in the table, and its shape.
        self.gradients: list[tuple[int, tuple[int, ...]]] = []
        for k in sorted(active):
            self.gradients.append((len(self.words), np.shape(args[k])))
            self._add(0, np.shape(args[k]))
        for array in compiled.captured:
            self._add(address_of(array), array.shape)

    def _add(self, first: int, shape: tuple[int, ...], letter: str = "q") -> None:
        self.words += [first, *shape]
        self.letters += letter + "q" * len(shape)


def _lending(call: Callable[[Any], float], arenas: ArenaPool | None) -> Callable[[Any], float]:
    """Let a function that takes a table have an arena, if it needs one."""
    if arenas is None:
        return call

    def lent(table: Any) -> float:
        arena = arenas.take()
        table[ARENA] = arena[0]
        value = call(table)
        arenas.give(arena)
        return value

    return lent


def _short_call(compiled: Compiled, args: Sequence[Any], active: Sequence[int], several: bool) -> Shortcut:
    # A closure: its variables are found in half the time of attributes.
    layout = _Words(compiled, args, active)
    start, arrays, numbers, outputs = layout.words, layout.arrays, layout.numbers, layout.gradients
    pack, new_table = struct.Struct(f"={layout.letters}").pack_into, ctypes.c_int64 * len(start)
    call = _lending(ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p)(compiled.address), compiled.arenas)
    order = [sorted(active).index(k) for k in active]
    zeros, plain = np.zeros, not several and np.ndim(args[active[0]]) > 0

    def short(args: Sequence[Any]) -> tuple[float, Any] | None:
        words = start.copy()
        gradients = []
        try:
            for k, place in arrays:
                words[place] = address_of(args[k])
            for k, place in numbers:
                words[place] = args[k]
            for place, shape in outputs:
                gradient = zeros(shape)
                words[place] = address_of(gradient)
                gradients.append(gradient)
            table = new_table()
            pack(table, 0, *words)
        except (ValueError, struct.error):  # an array that is not contiguous, an integer of many digits
            return None
        value = call(table)
        if table[STATUS]:  # it raised: the long way says what
            return None
        if plain:
            return value, gradient
        found = [gradients[k] if gradients[k].ndim else float(gradients[k]) for k in order]
        return value, tuple(found) if several else found[0]

    return short

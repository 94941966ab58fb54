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

#: What goes to compiled code as it is: dtypes of arrays and types of numbers, with what writes them.
_ARRAYS = frozenset(np.dtype(kind) for kind in (np.float64, np.int64, np.bool_))
_NUMBERS: dict[type, Callable[..., None]] = dict.fromkeys((float, np.float64), struct.Struct("=d").pack_into)
_NUMBERS |= dict.fromkeys((int, bool), struct.Struct("=q").pack_into)
#: Of these there is a derivative.
_FLOATS = (float, np.float64)

#: Found faster than an attribute of a module.
_ARRAY = np.ndarray

#: Shapes that are remembered of one function.
MOST = 64


#: Takes the arguments of a call; None if these are others, or if the call takes the long way.
Shortcut = Callable[[Sequence[Any]], "tuple[float, Any] | None"]


def nowhere(args: Sequence[Any]) -> None:
    """Be the short way of nothing."""


def shortcut(compiled: Compiled, args: Sequence[Any], active: Sequence[int], several: bool) -> Shortcut:
    """Return the short way for arguments of types and shapes like these; `nowhere` if there is none, as for lists.

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
        return nowhere
    for k, x in enumerate(args):
        is_array = type(x) is np.ndarray and x.dtype in _ARRAYS and x.ndim > 0
        if not (is_array or type(x) in _NUMBERS):
            return nowhere
        if k in active and not (x.dtype == np.float64 if is_array else type(x) in _FLOATS):
            return nowhere
    return _short_call(compiled, args, active, several)


class _Words:
    """The table of words that compiled code reads, see `nbinfer.autodiff.compiled`, and what of it changes."""

    def __init__(self, compiled: Compiled, args: Sequence[Any], active: Sequence[int]) -> None:
        self.words = [0] * FIRST
        #: Position of an argument, and its place in the table, dtype and shape.
        self.arrays: list[tuple[int, int, np.dtype, tuple[int, ...]]] = []
        #: The same of a number: its place in bytes, its type, and what writes it there.
        self.numbers: list[tuple[int, int, type, Callable[..., None]]] = []
        for k, x in enumerate(args):
            if isinstance(x, np.ndarray):
                self.arrays.append((k, len(self.words), x.dtype, x.shape))
            else:
                self.numbers.append((k, 8 * len(self.words), type(x), _NUMBERS[type(x)]))
            self._add(0, np.shape(x))
        #: Place of a gradient in the table, and its shape.
        self.gradients: list[tuple[int, tuple[int, ...]]] = []
        for k in sorted(active):
            self.gradients.append((len(self.words), np.shape(args[k])))
            self._add(0, np.shape(args[k]))
        for array in compiled.captured:
            self._add(address_of(array), array.shape)

    def _add(self, first: int, shape: tuple[int, ...]) -> None:
        self.words += [first, *shape]

    def table(self) -> tuple[Any, int, list[np.ndarray]]:
        """Return a new table, its address, and memory for gradients."""
        table = (ctypes.c_int64 * len(self.words))(*self.words)
        gradients = [np.zeros(shape) for _, shape in self.gradients]
        for (place, _), gradient in zip(self.gradients, gradients, strict=True):
            table[place] = address_of(gradient)
        return table, ctypes.addressof(table), gradients


def _lending(call: Callable[[int], float], arenas: ArenaPool) -> Callable[[Any, int], float]:
    """Let a function that takes the address of a table have an arena."""

    def lent(table: Any, address: int) -> float:
        arena = arenas.take()
        table[ARENA] = arena[0]
        value = call(address)
        arenas.give(arena)
        return value

    return lent


def _copies(active: Sequence[int], several: bool) -> Callable[[list[np.ndarray]], Any]:
    """Return what makes of gradients, which lie in order, what the user gets."""
    order = [sorted(active).index(k) for k in active]

    def copies(gradients: list[np.ndarray]) -> Any:
        found = [gradients[k].copy() if gradients[k].ndim else float(gradients[k]) for k in order]
        return tuple(found) if several else found[0]

    return copies


def _short_call(compiled: Compiled, args: Sequence[Any], active: Sequence[int], several: bool) -> Shortcut:
    # A closure: its variables are found in half the time of attributes.
    layout = _Words(compiled, args, active)
    count, arrays, numbers, new_table = len(args), layout.arrays, layout.numbers, layout.table
    call = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_ssize_t)(compiled.address)
    call_with_arena = None if compiled.arenas is None else _lending(call, compiled.arenas)
    copies, plain = _copies(active, several), not several and np.ndim(args[active[0]]) > 0
    # Tables that no call uses, of which several may be under way. One that a call left in the middle is not given back.
    free: list[tuple[Any, int, list[np.ndarray]]] = []

    def short(args: Sequence[Any]) -> tuple[float, Any] | None:
        try:
            table, address, gradients = lent = free.pop()
        except IndexError:
            table, address, gradients = lent = new_table()
        try:
            if len(args) != count:
                raise ValueError
            for k, place, dtype, shape in arrays:
                x = args[k]
                if type(x) is not _ARRAY or (x.dtype is not dtype and x.dtype != dtype) or x.shape != shape:
                    raise ValueError
                table[place] = address_of(x)
            for k, place, kind, write in numbers:
                x = args[k]
                if type(x) is not kind:
                    raise ValueError
                write(table, place, x)
        except (ValueError, struct.error):  # other arguments, not contiguous ones, an integer of many digits
            free.append(lent)
            return None
        for gradient in gradients:
            gradient.fill(0.0)
        value = call(address) if call_with_arena is None else call_with_arena(table, address)
        if table[STATUS]:  # it raised: the long way says what
            return None
        free.append(lent)
        return value, gradients[0].copy() if plain else copies(gradients)

    return short

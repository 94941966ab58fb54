"""Generated code that Python calls: a C function over a table of addresses, sizes and numbers, kept on disk."""

from __future__ import annotations

import linecache
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nbinfer.autodiff.generated import Generated
from nbinfer.autodiff.store import Found
from nbinfer.compile import JIT, Entry, address_of
from nbinfer.compile.arena import ArenaPool, begin
from nbinfer.compile.forks import cached_property
from nbinfer.compile.modules import generated_module
from nbinfer.compile.python_functions import python_function
from nbinfer.compile.quiet import quiet_function
from nbinfer.compile.users import compilable
from nbinfer.errors import CompileError

_HEAD = '''"""Value and gradient of a function, written by nbinfer; named by a hash of its content, never edited."""

import math

import numpy as np

from nbinfer.compile import floats_at, ints_at, kernel, part
from nbinfer.compile.arena import begin


'''

#: Words of the table before the arguments: 0, or 1 if the function raised, and an arena if it needs one.
STATUS, ARENA, FIRST = range(3)


class Compiled:
    """A generated function for arguments of given types.

    Parameters
    ----------
    found : Found
        The code.
    like : sequence
        Arguments: numbers and C-contiguous arrays of float64, int64 and bool. Their types and ranks count.
    derive : callable
        Generates the code anew, to compile what was read from disk.
    """

    def __init__(self, found: Found, like: Sequence[Any], derive: Callable[[], Generated]) -> None:
        self.generated = found.generated
        self._found = found
        self._derive = derive
        self.arenas = ArenaPool() if self.generated.takes_memory else None
        self._like = [*like, *map(np.ascontiguousarray, self.generated.arrays.values())]

    def __call__(self, args: Sequence[Any]) -> float:
        """Call the function; it adds to the gradients among its arguments."""
        everything = [*args, *self._like[len(args) :]]
        if not JIT:
            return float(self._plain(*everything))
        table = np.zeros(self._words, np.int64)
        _fill(table, everything)
        value = self._called(table)
        if table[STATUS]:
            self._plain(*everything)  # raises what the user should see
            raise RuntimeError(f"{self.generated.name} fails in compiled code, and does not in plain Python")
        return value

    def _called(self, table: np.ndarray) -> float:
        if self.arenas is None:
            return float(self._entry(address_of(table)))
        arena = self.arenas.take()
        table[ARENA] = arena[0]
        value = self._entry(address_of(table))
        self.arenas.give(arena)
        return float(value)

    @property
    def captured(self) -> list[np.ndarray]:
        """Arrays that the function takes after all others."""
        return self._like[len(self._like) - len(self.generated.arrays) :]

    @property
    def address(self) -> int:
        """Of the C function."""
        return self._entry.address

    @cached_property
    def _whole(self) -> Generated:
        """The function with its globals."""
        return self._derive() if self._found.is_read else self.generated

    @cached_property
    def _plain(self) -> Callable[..., Any]:
        return plain_function(self._whole)

    @cached_property
    def _words(self) -> int:
        return FIRST + sum(1 + np.ndim(x) for x in self._like)

    @cached_property
    def _entry(self) -> Entry:
        views, word = [f"begin(t[{ARENA}])" if self.arenas else "0"], FIRST
        for x in self._like:
            views.append(_view(x, word))
            word += 1 + np.ndim(x)
        call = ",\n            ".join(views)
        shell = f'''

def call(address):
    """C function: take the arguments from the table, add the gradients, return the value."""
    t = ints_at(address, {word} + 0 * address)
    f = floats_at(address, {word} + 0 * address)
    failed = False
    value = math.nan
    try:
        value = {self.generated.name}(
            {call},
        )
    except Exception:
        failed = True
    if failed:
        t[{STATUS}] = 1
    return value
'''
        text = _HEAD + self.generated.marked + shell
        module = generated_module(text, self._found.content, self.generated.globals, {"call": "float64(intp)"})
        entry = module.entry("call")
        self._load(entry, module.module.__dict__)
        return entry

    def _load(self, entry: Entry, names: dict[str, Any]) -> None:
        """Load or compile; what Numba says of a user's function becomes one message."""

        def prepare() -> None:
            seen: dict[int, Any] = {}
            names.update((name, compilable(thing, seen=seen)) for name, thing in self._whole.globals.items())

        try:
            entry.load(prepare)
            return
        except Exception as error:
            from nbinfer.compile.readable import readable

            functions = [(n, f) for n, f in self._whole.globals.items() if hasattr(python_function(f), "__code__")]
            message = readable(error, functions, {}, "Use what Numba supports of Python and NumPy, loops included.")
            if message is None:
                raise
        raise CompileError(message)


def _view(x: Any, word: int) -> str:
    """Write how the C function reaches an argument whose words begin at `word`."""
    if not isinstance(x, np.ndarray):
        return {float: "f[{0}]", int: "t[{0}]", bool: "t[{0}] != 0"}[type(x)].format(word)
    sizes = [f"t[{word + 1 + axis}]" for axis in range(x.ndim)]
    count = " * ".join(sizes) or "1"
    kind = x.dtype.kind
    if kind == "b":
        flat = f"ints_at(t[{word}], ({count} + 7) // 8).view(np.bool_)"
    else:
        flat = f"{'floats_at' if kind == 'f' else 'ints_at'}(t[{word}], {count})"
    if kind != "b" and x.ndim == 1:
        return flat
    return f"part({flat}, 0, ({''.join(size + ', ' for size in sizes)}))"


def _fill(table: np.ndarray, args: Sequence[Any]) -> None:
    numbers = table.view(np.float64)
    word = FIRST
    for x in args:
        if isinstance(x, np.ndarray):
            table[word] = address_of(x)
            table[word + 1 : word + 1 + x.ndim] = x.shape
            word += 1 + x.ndim
        else:
            (numbers if isinstance(x, float) else table)[word] = x
            word += 1


def plain_function(generated: Generated) -> Callable[..., Any]:
    """Return generated code as a plain Python function with the arithmetic of compiled code."""
    file = f"<generated {generated.name}>"
    names: dict[str, Any] = {"np": np, "math": math, **generated.globals}
    linecache.cache[file] = (len(generated.source), None, generated.source.splitlines(True), file)
    function, arenas = quiet_function(generated.source, file, generated.name, names), ArenaPool()

    def call(*args: Any) -> Any:
        arena = arenas.take()
        try:
            return function(begin.py_func(arena[0]), *args)
        finally:
            arenas.give(arena)

    return call

"""Lists that loops and branches change: memory, and where their length is not known, a number that counts their items.

A list to which a loop appends once in each turn needs no counter: the turn says where an item goes. What does more than
that, under a condition, several times, before an end that comes early, is found out while the program is built; it is
then built again, with a counter for that list, which branches and loops merge and carry like a variable.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from nbinfer.autodiff.bounds import trips
from nbinfer.autodiff.closures import Frame
from nbinfer.autodiff.indexing import part_of, view
from nbinfer.autodiff.ir import For, Value
from nbinfer.autodiff.lazy import is_number
from nbinfer.autodiff.merging import Merging
from nbinfer.autodiff.reader import Environment
from nbinfer.autodiff.sequences import List, capacity, levels, put, room, turn_of
from nbinfer.autodiff.syntax import grown, in_place


class Growing(Merging):
    """A builder that changes lists in loops and branches."""

    #: The functions that are being read, from the outermost to the innermost.
    frames: list[Frame]

    def append_to(self, x: List, value: Any) -> None:
        """Append to a list in a loop or a branch."""
        x.rows = levels(value)
        if x.counter:
            self._append_counted(x, value)
            return
        loop, around = self.block.loop, self.block.parent
        if x.array is not None and not x.growing and self.block is x.block:
            length = self.dims_of(x.array)[0]
            x.before, x.array = x.array, None
            self._make(x, [value], [])
            put(self, x.array, length, value)
            x.array, x.before = _first(self, x.array, self.scalar("add", length, self.constant(1))), None
            return
        if not x.growing or loop is None or around is not x.block or loop.leaves is not None or x.array is not None:
            self.learn(("counted", x.key), True)
            raise self.error(
                "a list is changed in a branch, a loop or a function that does not know it; let that return what is new"
            )
        held = x.held
        with self.at(around):
            size = self.scalar("add", trips(self, loop), self.constant(len(held)))
        x.array = room(self, size, [value, *held], around)
        with self.at(around):
            for k, item in enumerate(held):
                put(self, x.array, self.constant(k), item)
        put(self, x.array, self.scalar("add", turn_of(self, loop), self.constant(len(held))), value)

    # Lists that are counted -------------------------------------------------------------------------------------------

    def begin_to_grow(self, statements: Sequence[ast.stmt], env: Environment, in_loop: bool = False) -> list[List]:
        """Prepare the lists that a loop or a branch changes; return those that it appends to."""
        found = []
        written = [value for value in map(env.get, in_place(statements)) if isinstance(value, List)]
        for x in written:
            if x.array is None and not x.growing and self.facts.get(("memory", x.key)):
                self._put_in_memory(x)
        for value in dict.fromkeys(env.get(name) for name in grown(statements)):
            if not isinstance(value, List) or value.counter:
                continue
            if self.facts.get(("counted", value.key)):
                value.before, value.array, value.loops, value.appends = value.array, None, None, 0
                value.counter = f"number of items of {value.key}"
                held = self.constant(len(value.held))
                env[value.counter] = held if value.before is None else self.dims_of(value.before)[0]
            elif not in_loop or value.block is not self.block:
                continue
            value.growing = True
            found.append(value)
        return found

    def finish_growing(self, lists: Sequence[List], env: Environment) -> None:
        """Give lists the length that they have after a loop or a branch."""
        for x in lists:
            x.growing = False
            if not x.counter:
                continue
            length = env.pop(x.counter)
            x.array = x.before if x.array is None else _first(self, x.array, length)
            x.counter, x.before = "", None
            if x.appends > self.facts.get(("appends", x.key), 1):
                self.learn(("appends", x.key), x.appends)

    def so_far(self, x: List) -> Value:
        """Return the array that a list is while it is being counted."""
        length = self.frames[-1].env.get(x.counter)
        if length is None:
            raise self.error("a list is read in a loop that appends to it; fill an array, or keep what is needed")
        if x.array is None:
            like = part_of(self, x.before, self.constant(0)) if x.before is not None else self.constant(0.0)
            self._make(x, x.held[:1] or [like], self._loops_around(x))
        return _first(self, x.array, length)

    def _append_counted(self, x: List, value: Any) -> None:
        env = self.frames[-1].env
        length = env.get(x.counter)
        if length is None:
            raise self.error(
                "a list is changed in a function inside of a loop; let the function return what is appended"
            )
        loops = self._loops_around(x)
        if x.array is None:
            self._make(x, [value], loops)
        if x.loops != loops:
            raise self.error("a list gets items in several loops, one within the other; append in one of them")
        put(self, x.array, length, value)
        env[x.counter] = self.scalar("add", length, self.constant(1))
        x.appends += 1

    def _loops_around(self, x: List) -> list[For]:
        """List the loops between a line and the list that it changes."""
        found = []
        block = self.block
        while block is not x.block and block.parent is not None:
            found += [] if block.loop is None else [block.loop]
            block = block.parent
        return found

    def _make(self, x: List, items: list[Any], loops: list[For]) -> None:
        """Make memory for all that loops may append, and put there what the list holds before them."""
        before, around = x.before, x.block
        most = capacity(self, around)
        with self.at(around):
            size = self.scalar("mul", most, self.constant(self.facts.get(("appends", x.key), 1)))
            size = self.scalar("add", size, self.constant(len(x.held)) if before is None else self.dims_of(before)[0])
        x.array, x.loops = room(self, size, [*items, *x.held], around, ("kind", x.key)), loops
        with self.at(around):
            for k, held in enumerate(x.held):
                put(self, x.array, self.constant(k), held)
            if before is not None:
                self.assign(_first(self, x.array, self.dims_of(before)[0]), before)

    # Lists whose items change -----------------------------------------------------------------------------------------

    def _put_in_memory(self, x: List) -> None:
        """Make an array of a list of numbers."""
        x.array = room(self, self.constant(len(x.held)), x.held, self.block, ("kind", x.key))
        for k, number in enumerate(x.held):
            put(self, x.array, self.constant(k), number)

    def ask_for_memory(self, x: List) -> None:
        """Note that a list of numbers is to be an array before a loop or a branch."""
        if x.held and all(map(is_number, x.held)) and not x.outside:
            self.learn(("memory", x.key), True)


def counters(env: Environment) -> list[str]:
    """Return the variables that count the items of lists."""
    return [value.counter for value in dict.fromkeys(env.values()) if isinstance(value, List) and value.counter in env]


def _first(b: Growing, array: Any, length: Value) -> Value:
    return view(b, array, [slice(None, length, None), *[slice(None, None, None)] * (array.ndim - 1)])

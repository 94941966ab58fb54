"""Gives names to values, so that what is written to an array in place is seen under each of its names, as in NumPy.

Arguments may not be written to, and memory that the program allocates is written to as it is. The result of an
expression is stored only where that pays, or where it is written to: if that is found out when another name already
stands for the expression, the program is built again with the expression stored at its first name.
"""

from __future__ import annotations

from typing import Any

from nbinfer.autodiff.expressions import Expressions
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.lazy import EXPENSIVE, Held, Lazy, is_array, is_live, is_result, owner
from nbinfer.autodiff.sequences import List, Table
from nbinfer.autodiff.source import Uses


class Binding(Expressions):
    """A builder that knows names."""

    #: Whether the value is wanted alone: then nothing that only values show may be left out.
    values_alone = False

    def uses_of(self, name: str) -> Uses:
        """Return how the function that is being read uses a name."""
        raise NotImplementedError

    def is_alone(self, name: str) -> bool:
        """Tell whether what a name means has no other name, as far as the text of its function shows."""
        raise NotImplementedError

    def bind(self, name: str, value: Any) -> Any:
        """Give a value a name; expressions that are used often, or that read what may change, are stored."""
        return self._bind(name, self.uses_of(name), value)

    def _bind(self, name: str, uses: Uses, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self._bind(f"{name}_{k}", Uses(), item) for k, item in enumerate(value))
        if isinstance(value, List) and value.array is None and not value.growing:
            value.items[:] = self._bind(name, uses, tuple(value.items))
        if isinstance(value, Table):
            bound = self._bind(name, uses, tuple(value.items.values()))
            value.items.update(zip(value.items, bound, strict=True))
        if isinstance(value, Value) and value.constant is None and not value.access:
            value.hint = name if value.hint in ("v", "a", "s", "pack", "product") else value.hint
        if not is_array(value):
            return value
        if isinstance(value, Value) and value.storage is not None:
            value.storage.named = True
        if is_result(value) and self._is_written(value, uses):
            array = self.alloc(self.dims_of(value), value.kind, "empty", name)
            self.assign(array, value)
            return array
        if isinstance(value, Lazy):
            often = uses.statements > 1 or uses.in_loop or uses.subscripted
            costly = value.cost >= EXPENSIVE or (value.positional and uses.subscripted)
            settled = self.settled(value, name)
            if settled is not value:
                return settled
            if often and costly and not is_live(value):
                return self.stored(value, name)
            value.hint = name
        return value

    def _is_written(self, value: Any, uses: Uses) -> bool:
        """Tell whether an expression that gets a name is to be memory of its own."""
        held = held_by(value)
        in_place = uses.grows or uses.written
        if held is not None:
            held.names += 1
            if in_place:
                self._make_memory(held)
            return False
        key = self.key("name")
        if in_place or self.facts.get(key):
            return True
        source: Any = owner(value)
        held = Held(key, self.block)
        if isinstance(source, Lazy):
            source.held = held
            source = source.stored_as
        if source is not None:
            source.storage.held = held
        return False

    def change(self, value: Any) -> None:
        """Note that the result of an expression is written to: it must be memory from its first name on."""
        held = held_by(value)
        if held is not None:
            self._make_memory(held)

    def _make_memory(self, held: Held) -> None:
        own: Held | None = held
        while own is not None:
            if own.fixed:
                raise self.error("a branch, a call or a list has this by another name; write to a copy, by np.copy")
            self.learn(own.key, True)
            own = own.other

    def replace(self, name: str, value: Any) -> None:
        """Allow ``+=`` and its like to give a name to a new expression: nobody else sees what changes."""
        if not is_result(value):
            thing = "a view" if isinstance(value, Lazy) and is_live(value) else "an argument"
            raise self.error(f"cannot write to {name!r} in place: it is {thing}; write {name} = ... instead")
        held = held_by(value)
        if held is not None and (held.names > 1 or held.block is not self.block):
            self.change(value)


def held_by(x: Any) -> Held | None:
    """Return the names of the result of an expression."""
    source = owner(x)
    found: Held | None = source.held if isinstance(source, Lazy) else source.storage.held
    return found

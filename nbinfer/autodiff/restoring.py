"""Writes what keeps memory for the reverse sweep, and what puts it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbinfer.autodiff.analysis import Analysis
from nbinfer.autodiff.bounds import distance
from nbinfer.autodiff.ir import For, If, Op, Storage, Store, Value
from nbinfer.autodiff.writer import Writer, by_root, shifted, taken


class Restoring(Writer):
    """Keeps what is overwritten.

    What a loop changes is kept in the cheapest way that will do. *Apart*: if no iteration meets another's elements, one
    copy from before the loop holds what each found. *Listed*: each store notes the element that it overwrites, and each
    iteration begins in reverse by putting these back, the last one first, so that it finds what it found forward; it
    puts them back once more at its end if it has computed them anew. *Copied*: at the start of each iteration.

    Attributes
    ----------
    saved : set of (Op, Storage)
        Memory that was copied before an operation.
    listing : dict
        The loop that is being written and that a store lists what it overwrites for.
    """

    def __init__(self, analysis: Analysis, vectors: bool) -> None:
        super().__init__(analysis, vectors)
        self.saved: set[tuple[Op, Storage]] = set()
        self.listing: dict[Store, For] = {}

    @staticmethod
    def copy_name(storage: Storage, op: Op) -> str:
        """Return the name of a copy of memory made before an operation."""
        return f"saved_{storage.root.name}_{op.order}"

    @staticmethod
    def tape_name(storage: Storage, op: For) -> str:
        """Return the name of the tape of copies that a loop makes."""
        return f"tape_{storage.root.name}_{op.index.name}"

    @staticmethod
    def sizes(array: Value) -> str:
        """Write the shape of an array."""
        return f"({', '.join(f'{array.name}.shape[{axis}]' for axis in range(array.ndim))},)"

    def copy(self, array: Value, target: str, source: str) -> None:
        """Write loops over an array that copy: Numba takes long to compile an assignment of slices."""
        counters = [f"c{axis}" for axis in range(array.ndim)]
        for axis, counter in enumerate(counters):
            self.line("    " * axis + f"for {counter} in range({array.name}.shape[{axis}]):")
        index = ", ".join(counters)
        self.line("    " * array.ndim + f"{target.format(index)} = {source.format(index)}")

    def _save(self, op: Store | For | If, plan: Any) -> None:
        for storage in by_root(self.analysis.hazards(op.block).get(op, ())):
            if isinstance(op, For) and storage in plan.copies:
                continue  # the reverse of the loop puts it back
            self.saved.add((op, storage))
            name = self.copy_name(storage, op)
            if isinstance(op, Store):
                self.line(f"{name} = {self.element(op.array, op.index)}")
            else:
                array = self.analysis.changed(op, storage)
                self.line(f"{name} = {taken(self.sizes(array), array.kind)}")
                self.copy(array, f"{name}[{{}}]", f"{array.name}[{{}}]")
                self.notes.append(f"{storage.root.hint}: copied before it is overwritten")

    def _restore(self, op: Op, storage: Storage) -> None:
        name = self.copy_name(storage, op)
        if isinstance(op, Store):
            self.line(f"{self.element(op.array, op.index)} = {name}")
        elif isinstance(op, (For, If)):
            array = self.analysis.changed(op, storage)
            self.copy(array, f"{array.name}[{{}}]", f"{name}[{{}}]")

    # What a loop changes ------------------------------------------------------------------------------------------

    def ways(self, op: For, storages: set[Storage]) -> dict[str, list[Storage]]:
        """Sort memory by the way in which it is kept."""
        found: dict[str, list[Storage]] = {"apart": [], "listed": [], "copied": []}
        for storage in by_root(storages):
            apart, listed = self.analysis.apart(op, storage), self.analysis.listed(op, storage)
            found["apart" if apart else "listed" if listed else "copied"].append(storage)
        return found

    def make_room(self, op: For, storages: set[Storage]) -> None:
        """Make room for what is kept, and tell what that is."""
        ways, over = self.ways(op, storages), f"the loop over {op.index.hint}"
        for storage in ways["apart"]:
            array, name = self.analysis.changed(op, storage), self.tape_name(storage, op)
            self.line(f"{name} = {taken(self.sizes(array), array.kind)}")
            self.copy(array, f"{name}[{{}}]", f"{array.name}[{{}}]")
            self.notes.append(f"{array.hint}: copied before {over}")
        for storage in ways["listed"]:
            for store in self.analysis.listed(op, storage):
                self._make_list(op, store)
            self.notes.append(f"{storage.root.hint}: elements noted before {over} overwrites them")
        for storage in ways["copied"]:
            array = self.analysis.changed(op, storage)
            shape = f"({self.rows(op)}, {self.sizes(array)[1:-2]})"
            self.make_tape(f"{self.tape_name(storage, op)} = {taken(shape, array.kind)}", [op], array)
            self.notes.append(f"{array.hint}: copied at the start of each iteration of {over}")

    def keep(self, op: For, storages: set[Storage], counter: str) -> None:
        """Begin an iteration of a loop forward."""
        ways = self.ways(op, storages)
        for storage in ways["listed"]:
            for store in self.analysis.listed(op, storage):
                self.listing[store] = op
                if store.block is not op.body:
                    self.line(f"{self._listed(store)}_done[{counter}] = False")
        for storage in ways["copied"]:
            array = self.analysis.changed(op, storage)
            self.copy(array, f"{self.tape_name(storage, op)}[{counter}, {{}}]", f"{array.name}[{{}}]")

    def end_keeping(self, op: For) -> None:
        """End an iteration."""
        self.listing = {store: loop for store, loop in self.listing.items() if loop is not op}

    def recall(self, op: For, storages: Sequence[Storage], counter: str) -> None:
        """Put copied memory back as an iteration found it, or as the loop did if no counter is given."""
        for storage in storages:
            array, row = self.analysis.changed(op, storage), counter and counter + ", "
            self.copy(array, f"{array.name}[{{}}]", f"{self.tape_name(storage, op)}[{row}{{}}]")

    # Lists of overwritten elements --------------------------------------------------------------------------------

    @staticmethod
    def _listed(store: Store) -> str:
        assert store.array.storage is not None
        return f"undo_{store.array.storage.root.name}_{store.order}"

    @staticmethod
    def _known(index: Value, op: For) -> str:
        """Write an index in terms of what is known at the start of an iteration, '' if it is not."""
        if index.constant is not None or index.block.depth < op.body.depth:
            return index.name
        shift = distance(index, op.index)
        return "" if shift is None else shifted(op.index, shift)

    def _make_list(self, op: For, store: Store) -> None:
        name = self._listed(store)
        self.make_tape(f"{name} = {taken(self.rows(op), store.array.kind)}", [op])
        for axis, index in enumerate(store.index):
            if not self._known(index, op):
                self.make_tape(f"{name}_at_{axis} = {taken(self.rows(op), 'i')}", [op])
        if store.block is not op.body:
            self.make_tape(f"{name}_done = {taken(self.rows(op), 'b')}", [op])

    def note(self, store: Store) -> None:
        """Write what notes the element that a store overwrites, if the loop around lists it."""
        op = self.listing.get(store)
        if op is None:
            return
        name, counter = self._listed(store), self.counter(op)
        self.line(f"{name}[{counter}] = {self.element(store.array, store.index)}")
        for axis, index in enumerate(store.index):
            if not self._known(index, op):
                self.line(f"{name}_at_{axis}[{counter}] = {index.name}")
        if store.block is not op.body:
            self.line(f"{name}_done[{counter}] = True")

    def undo(self, op: For, storages: Sequence[Storage], counter: str) -> None:
        """Put back what an iteration overwrote."""
        for store in (store for storage in storages for store in reversed(self.analysis.listed(op, storage))):
            name = self._listed(store)
            index = [self._known(i, op) or f"{name}_at_{axis}[{counter}]" for axis, i in enumerate(store.index)]
            condition = f"if {name}_done[{counter}]: " if store.block is not op.body else ""
            self.line(f"{condition}{store.array.name}[{', '.join(index)}] = {name}[{counter}]")

"""What programs do to memory: which arrays are written once, and which writes destroy what the reverse sweep reads."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from nbinfer.autodiff.bounds import distance, end, end_of_access, place
from nbinfer.autodiff.ir import Block, Call, For, If, Load, Op, Require, Storage, Store, Value, blocks_of


class Memory:
    """Facts about stores.

    Attributes
    ----------
    live : set of Op
        Operations on which some result depends.
    """

    def __init__(self) -> None:
        self.live: set[Op] = set()
        self._written: dict[Block, frozenset[Storage]] = {}
        self._asserts: dict[Block, bool] = {}
        self._hazards: dict[Block, dict[Op, set[Storage]]] = {}

    def needs(self, op: Op) -> set[Any]:
        """Return what the reverse of an operation reads."""
        raise NotImplementedError

    def written(self, block: Block) -> frozenset[Storage]:
        """Return the memory that a block writes to."""
        if block not in self._written:
            found: set[Storage] = set()
            for op in block.ops:
                if isinstance(op, Store):
                    assert op.array.storage is not None
                    found.add(op.array.storage)
                for inner in blocks_of(op):
                    found |= self.written(inner)
            self._written[block] = frozenset(found)
        return self._written[block]

    def asserts(self, block: Block) -> bool:
        """Tell whether a block checks what the user asserts, or draws random numbers."""
        if block not in self._asserts:
            own = any(is_asserted(op) for op in block.ops)
            self._asserts[block] = own or any(self.asserts(inner) for op in block.ops for inner in blocks_of(op))
        return self._asserts[block]

    def _forget_dead_accesses(self) -> None:
        """Forget what was written and read by operations on which nothing depends."""
        self._written.clear()
        for storage in {arg.storage for op in self.live for arg in op.args if arg.storage is not None}:
            storage.stores = [op for op in storage.stores if op in self.live]
            storage.reads = [op for op in storage.reads if op in self.live]

    # What is not overwritten --------------------------------------------------------------------------------------

    def written_once(self, loop: For, storage: Storage) -> bool:
        """Tell whether a loop writes each element at most once, and reads it only after that."""
        return self._prove(loop, storage, self.live, True)

    def final(self, loop: For, storage: Storage, reads: Set[Op]) -> bool:
        """Tell whether a loop writes to no element any more that one of these operations has read.

        Then memory after the loop holds what they saw, and need not be restored for any iteration: an element that is
        added to, like one that is overwritten, need not be known for the reverse of that.
        """
        return self._prove(loop, storage, reads, False)

    def _prove(self, loop: For, storage: Storage, reads: Set[Op], once: bool) -> bool:
        """Prove that no element is written to after it is read, nor written to twice if that is asked, too.

        Along one axis all stores are at ``index + c``, all loads at ``index + d`` with d < c, or d = c and later in the
        iteration, all counted from the same end; and the same holds within each inner loop that writes to this memory
        and reads it.
        """
        places = self._places(loop, storage, reads)
        if places is None:
            return False
        for inner in loops_in(loop.body):
            concerned = once or any(isinstance(op, Load) and op.block.inside(inner.body) for op in places)
            if concerned and storage in self.written(inner.body) and not self._prove(inner, storage, reads, once):
                return False
        stores = [op for op in places if isinstance(op, Store)]
        for axis in range(len(next(iter(places.values()), ()))):
            found = {op: _distance(index[axis], loop) for op, index in places.items()}
            distances = {found[op] for op in stores}
            at = distances.pop() if len(distances) == 1 else None
            if at is None or not end(loop, at):
                continue
            if all(self._read_later(op, found[op], at, loop, stores) for op in found if isinstance(op, Load)):
                return True
        return False

    @staticmethod
    def _read_later(read: Load, from_counter: int | None, at: int, loop: For, stores: list[Store]) -> bool:
        if from_counter is None:
            return False
        if from_counter != at:
            earlier = (from_counter < at) == (loop.step.constant > 0)
            return earlier and end_of_access(read, loop, from_counter) == end(loop, at)
        # In one iteration: order counts, except where both stand in one inner loop, which has its own proof.
        for store in stores:
            if _child_loop(read, loop) is not None and _child_loop(read, loop) is _child_loop(store, loop):
                continue
            if read.order < store.order:
                return False
        return True

    def apart(self, loop: For, storage: Storage) -> bool:
        """Tell whether each iteration of a loop touches elements of its own only: it found them as before the loop."""
        places = self._places(loop, storage, self.live)
        if places is None:
            return False
        for axis in range(len(next(iter(places.values()), ()))):
            distances = {_distance(index[axis], loop) for index in places.values()}
            at = distances.pop() if len(distances) == 1 else None
            if at is not None and end(loop, at):
                return True
        return False

    def listed(self, loop: For, storage: Storage) -> list[Store]:
        """Return the stores of a loop to memory if each can list what it overwrites, in their order; otherwise none.

        That takes stores that run at most once in an iteration, through arrays that are there before the loop.
        """
        stores = [op for op in storage.stores if op.block.inside(loop.body)]
        if any(op.array.block.depth >= loop.body.depth or loop_around(op.block) is not loop for op in stores):
            return []
        return sorted(stores, key=lambda op: op.order)

    def _places(self, loop: For, storage: Storage, reads: Set[Op]) -> dict[Load | Store, list[Value | None]] | None:
        """Return where a loop touches memory, by axes of one array; None if it does so in other ways.

        Of what is read element by element, only `reads` count.
        """
        accesses: list[Any] = [op for op in storage.stores if op.block.inside(loop.body)]
        counted = (op for op in storage.reads if op in reads or not isinstance(op, Load))
        accesses += [op for op in counted if op.block.inside(loop.body)]
        if not all(isinstance(op, (Load, Store)) for op in accesses):
            return None
        arrays = {op.array for op in accesses}
        if len(arrays) == 1 and arrays.pop().block.depth < loop.body.depth:
            return {op: op.index for op in accesses}
        return {op: place(op) for op in accesses}

    def needs_clearing(self, store: Store) -> bool:
        """Tell whether an earlier store may have written the same element: its adjoint must then not be seen again."""
        storage = store.array.storage
        assert storage is not None
        if not storage.mutable and not any(op.sign for op in storage.stores):
            return False
        if len(storage.stores) != 1:
            return True
        block: Block | None = store.block
        while block is not storage.block:
            if block is None or block.loop is None or not self.written_once(block.loop, storage):
                return True
            block = block.parent
        return False

    def changed(self, op: For | If, storage: Storage) -> Value:
        """Return the array, all of the memory or a view of it, outside of which a loop or a branch changes nothing."""
        inner = blocks_of(op)
        arrays = {s.array for s in storage.stores if any(map(s.block.inside, inner))}
        array = arrays.pop() if len(arrays) == 1 else storage.root
        return array if op.block.inside(array.block) else storage.root

    # Hazards ------------------------------------------------------------------------------------------------------

    def _content_needs(self, op: Op) -> set[Storage]:
        """Return the memory whose content the reverse of an operation reads."""
        found = {w for w in self.needs(op) if isinstance(w, Storage)}
        for block in blocks_of(op):
            if not isinstance(op, For):
                for inner in block.ops:
                    found |= self._content_needs(inner)
        return found

    def hazards(self, block: Block) -> dict[Op, set[Storage]]:
        """Return, by operation, the memory it overwrites although an earlier one reads the old content in reverse."""
        if block not in self._hazards:
            found: dict[Op, set[Storage]] = {}
            read: set[Storage] = set()
            for op in block.ops:
                writes: set[Storage] = set()
                if isinstance(op, Store):
                    assert op.array.storage is not None
                    writes.add(op.array.storage)
                for inner in blocks_of(op):
                    writes |= self.written(inner)
                if writes & read:
                    found[op] = writes & read
                read |= self._content_needs(op)
            self._hazards[block] = found
        return self._hazards[block]


def _distance(index: Value | None, loop: For) -> int | None:
    return None if index is None else distance(index, loop.index)


def is_asserted(op: Op) -> bool:
    """Tell whether an operation counts although nothing depends on it."""
    return (isinstance(op, Require) and op.error != "IndexError") or (isinstance(op, Call) and op.draws)


def loops_in(block: Block) -> list[For]:
    """Return the outermost loops in a block, those in branches included."""
    found: list[For] = []
    for op in block.ops:
        if isinstance(op, For):
            found.append(op)
        else:
            for inner in blocks_of(op):
                found += loops_in(inner)
    return found


def loop_around(block: Block) -> For | None:
    """Return the innermost loop whose body a block is, or is a part of."""
    while block.loop is None and block.parent is not None:
        block = block.parent
    return block.loop


def _child_loop(op: Op, loop: For) -> For | None:
    """Return the outermost loop inside `loop` around an operation."""
    result: For | None = None
    block: Block | None = op.block
    while block is not None and block is not loop.body:
        if block.loop is not None:
            result = block.loop
        block = block.parent
    return result

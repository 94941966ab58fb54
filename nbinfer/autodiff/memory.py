"""What programs do to memory: which arrays are written once, and which writes destroy what the reverse sweep reads."""

from __future__ import annotations

from typing import Any

from nbinfer.autodiff.bounds import distance, end, end_of_access
from nbinfer.autodiff.ir import Alloc, Block, For, Load, Op, Storage, Store, blocks_of


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
        self._once: dict[tuple[For, Storage], bool] = {}
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

    # Written once -------------------------------------------------------------------------------------------------

    def written_once(self, loop: For, storage: Storage) -> bool:
        """Tell whether a loop writes each element at most once, and reads it only after that.

        Then memory after the loop holds what each iteration saw, and need not be restored for any of them. The proof:
        along one axis all stores are at ``index + c``, all loads at ``index + d`` with d < c, or d = c and later in the
        iteration, all counted from the same end; and the same holds within each inner loop that writes to this memory.
        """
        key = (loop, storage)
        if key not in self._once:
            self._once[key] = self._prove_once(loop, storage)
        return self._once[key]

    def _prove_once(self, loop: For, storage: Storage) -> bool:
        stores = [op for op in storage.stores if op.block.inside(loop.body)]
        reads = [op for op in storage.reads if op.block.inside(loop.body) and op in self.live]
        accesses: list[Any] = [*stores, *reads]
        if not all(isinstance(op, (Load, Store)) and isinstance(op.array.op, Alloc) for op in accesses):
            return False
        if any(isinstance(op, Store) and op.sign for op in stores):
            return False
        for inner in _inner_loops(loop.body):
            if storage in self.written(inner.body) and not self.written_once(inner, storage):
                return False
        forward = loop.step.constant > 0
        for axis in range(storage.root.ndim):
            offsets = {distance(op.index[axis], loop.index) for op in accesses if isinstance(op, Store)}
            at = offsets.pop() if len(offsets) == 1 else None
            if at is None or not end(loop, at):
                continue
            if all(self._read_later(op, axis, at, loop, stores, forward) for op in reads):
                return True
        return False

    @staticmethod
    def _read_later(read: Any, axis: int, at: int, loop: For, stores: list[Op], forward: bool) -> bool:
        offset = distance(read.index[axis], loop.index)
        if offset is None:
            return False
        if offset != at:
            return (offset < at) == forward and end_of_access(read, loop, offset) == end(loop, at)
        # In one iteration: order counts, except where both stand in one inner loop, which has its own proof.
        for store in stores:
            if _child_loop(read, loop) is not None and _child_loop(read, loop) is _child_loop(store, loop):
                continue
            if read.order < store.order:
                return False
        return True

    def needs_clearing(self, store: Store) -> bool:
        """Tell whether an earlier store may have written the same element: its adjoint must then not be seen again."""
        storage = store.array.storage
        assert storage is not None
        if not storage.mutable and not any(isinstance(op, Store) and op.sign for op in storage.stores):
            return False
        if len(storage.stores) != 1 or not isinstance(store.array.op, Alloc):
            return True
        block: Block | None = store.block
        while block is not storage.block:
            if block is None or block.loop is None or not self.written_once(block.loop, storage):
                return True
            block = block.parent
        return False

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


def _inner_loops(block: Block) -> list[For]:
    """Return the outermost loops in a block, those in branches included."""
    found: list[For] = []
    for op in block.ops:
        if isinstance(op, For):
            found.append(op)
        else:
            for inner in blocks_of(op):
                found += _inner_loops(inner)
    return found


def _child_loop(op: Op, loop: For) -> For | None:
    """Return the outermost loop inside `loop` around an operation."""
    result: For | None = None
    block: Block | None = op.block
    while block is not None and block is not loop.body:
        if block.loop is not None:
            result = block.loop
        block = block.parent
    return result

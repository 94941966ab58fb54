"""Elements that an index array names: read before a loop and added to after it, where they would keep it from vectors.

Two turns of a loop may add to one element, and the compiler cannot tell what a turn reads from what another writes; so
it keeps their order, and with it that of everything else in the loop. Where that costs much, the loop works on arrays
of its own, element by element, and loops before and after it gather and scatter.
"""

from __future__ import annotations

from nbinfer.autodiff.ir import Block, For, Load, Scalar, Value, blocks_of


def is_costly(block: Block) -> bool:
    """Tell whether a block calls a function that vector code is much faster at."""
    if any(isinstance(op, Scalar) and op.rule.is_function for op in block.ops):
        return True
    return any(is_costly(inner) for op in block.ops for inner in blocks_of(op))


def scattered(op: Load, loop: For) -> str:
    """Write the index of what is read in a loop, so that it holds in others of the same turns.

    It is '' unless an index array names the element, and nobody writes to either array.
    """
    if op.block is not loop.body or op.hoisted or not _is_fixed(op.array):
        return ""
    if all(_is_regular(i, loop) for i in op.index):
        return ""
    index = [_place(i, loop) for i in op.index]
    return ", ".join(index) if all(index) else ""


def _place(index: Value, loop: For) -> str:
    if _is_regular(index, loop):
        return index.name
    read = index.op
    if not isinstance(read, Load) or not _is_fixed(read.array) or not all(_is_regular(i, loop) for i in read.index):
        return ""
    return f"{read.array.name}[{', '.join(i.name for i in read.index)}]"


def _is_fixed(array: Value) -> bool:
    return array.storage is not None and not array.storage.mutable


def _is_regular(index: Value, loop: For) -> bool:
    return index is loop.index or index.constant is not None or index.block.depth < loop.body.depth

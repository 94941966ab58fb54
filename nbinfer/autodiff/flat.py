"""Arrays of short rows of known length, read as flat memory.

A loop over rows touches a few elements of each. By two indices the compiler cannot tell them apart from those of the
next row, since the length of a row is a number it does not know, and makes no vectors; by one index it can.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbinfer.autodiff.ir import Alloc, Load, Primitive, Value
from nbinfer.compile import kernel


@kernel
def flat(x: Any) -> Any:
    """View an array, one row after the other in memory, as a vector."""
    return x.reshape(x.size)


def is_flat(array: Value) -> bool:
    """Tell whether an array that the program made is read as flat memory: some elements have a known place in rows."""
    storage = array.storage
    if storage is None or storage.mutable or storage.root is not array or not isinstance(array.op, (Alloc, Primitive)):
        return False
    if array.ndim < 2 or None in storage.widths:
        return False
    return any(isinstance(op, Load) and op.array is array and _is_in_row(op.index) for op in storage.reads)


def flat_name(name: str) -> str:
    """Name the flat view of an array or of its adjoint."""
    return f"flat_{name}"


def flat_index(array: Value, index: Sequence[Value]) -> str:
    """Write the index of an element into flat memory; '' if the array has none, or its place in a row is not known."""
    if not is_flat(array) or not _is_in_row(index):
        return ""
    assert array.storage is not None
    shift, size = 0, 1
    for i, width in zip(reversed(index), reversed(array.storage.widths), strict=False):
        assert width is not None
        shift, size = shift + i.constant % width * size, size * width  # -1 is the last in its row
    return f"{index[0].name} * {size}" + (f" + {shift}" if shift else "")


def _is_in_row(index: Sequence[Value]) -> bool:
    return index[0].constant is None and all(i.constant is not None for i in index[1:])

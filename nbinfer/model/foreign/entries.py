"""C functions of ours around densities that are not ours; they know no model, so that no edit of one compiles them."""

from __future__ import annotations

from nbinfer.compile import call_density, entry, floats_at, ints_at


@entry("int64(int64, intp, intp, intp)")
def record_position(n: int, q: int, row: int, context: int) -> int:
    """Copy a flat position to its row."""
    position, out = floats_at(q, n), floats_at(row, n)
    for i in range(n):
        out[i] = position[i]
    return 0


@entry("float64(int64, intp, intp, intp)")
def never_null(n: int, q: int, grad: int, context: int) -> float:
    """Call a C function that does not know null; `context` holds its address, its context, room for a gradient."""
    row = ints_at(context, 3)
    return call_density(row[0], n, q, row[2] if grad == 0 else grad, row[1])

"""What an evaluation that raised leaves in its context."""

from __future__ import annotations

from typing import Any

from nbinfer.compile import floats_at, ints_at, kernel, store_release

#: Words of a context row: evaluations that raised; not 0 while the memory at FAILURE holds the point of the first.
STATUS, FAILED, FAILURE = 1, 2, 3


@kernel
def note_failure(context: int, position: Any, z: Any, discrete: int) -> None:
    """Count an evaluation that raised, and keep the point of the first: coordinates, then discrete values."""
    row = ints_at(context, FAILURE + 1)
    row[STATUS] += 1
    if row[FAILED] == 0:
        failure = floats_at(row[FAILURE], position.size + discrete)
        for i in range(position.size):
            failure[i] = position[i]
        for i in range(discrete):
            failure[position.size + i] = z[i]
        store_release(context + 8 * FAILED, row[STATUS])

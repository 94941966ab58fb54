"""What is bound where the machine code is not ours."""

from __future__ import annotations

import numpy as np

from nbinfer.compile import address_of, entry, floats_at
from nbinfer.model.bound import Bound, aligned
from nbinfer.model.definition import Definition


@entry("int64(int64, intp, intp, intp)")
def record_position(n: int, q: int, row: int, context: int) -> int:
    """Copy a flat position to its row."""
    position, out = floats_at(q, n), floats_at(row, n)
    for i in range(n):
        out[i] = position[i]
    return 0


class ForeignBound(Bound):
    """A density whose machine code and context are not ours; the status words are."""

    def __init__(self, definition: Definition, chains: int) -> None:
        super().__init__(definition, chains)
        self._status = aligned(chains + 1, 1, np.int64)

    def status(self, chain: int) -> int:
        return address_of(self._status[chain])

    @property
    def record(self) -> int:
        return record_position.address

    @property
    def failed_chains(self) -> list[int]:
        return []

    def failure(self, chain: int) -> np.ndarray | None:
        return None

    def clear_failure(self, chain: int) -> None:
        return None

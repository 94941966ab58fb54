"""What is bound where the machine code is not ours."""

from __future__ import annotations

import numpy as np

from nbinfer.compile import address_of, aligned
from nbinfer.model.bound import Bound
from nbinfer.model.definition import Definition
from nbinfer.model.foreign.entries import record_position


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

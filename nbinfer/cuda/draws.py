"""Draws on their way from a device: rows of some draws in its memory, and from there to the arrays of a trace.

There are two buffers of each column. While chains fill one, the host empties the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.cuda import backend
from nbinfer.trace.columns import Column

#: Rows of a buffer at most, and bytes of it in all that it should not be beyond.
MOST_ROWS, _MOST_BYTES = 100, 1 << 28


def rows_for(columns: Sequence[Column], chains: int) -> int:
    """Return how many rows buffers of all these columns should have room for."""
    return max(1, min(MOST_ROWS, _MOST_BYTES // max(1, chains * sum(map(_width, columns)))))


def _width(column: Column) -> int:
    return column.count * column.dtype.itemsize


class Draws:
    """Buffers for the rows of some draws of all chains.

    Parameters
    ----------
    columns : sequence of Column
    chains, rows : int
        How many rows of how many chains a buffer has room for.

    Attributes
    ----------
    nbytes : int
        What the buffers take of the device's memory.
    """

    def __init__(self, columns: Sequence[Column], chains: int, rows: int) -> None:
        self._columns, self._chains, self._rows = columns, chains, rows
        self._widths = list(map(_width, columns))
        sizes = [-(-chains * rows * width // 8) for width in self._widths]
        self._firsts = np.cumsum([0, *sizes])
        self.nbytes = 2 * 8 * int(self._firsts[-1])

    def make(self) -> None:
        """Take the memory, on the device and on the host."""
        size = max(int(self._firsts[-1]), 1)
        self._device = [backend.cuda.device_array(size, np.int64) for _ in range(2)]
        self._host = [backend.cuda.pinned_array(size, np.int64) for _ in range(2)]
        self.homes = [[self._homes(buffer, warm) for warm in (False, True)] for buffer in range(2)]

    def _homes(self, buffer: int, warm: bool) -> Any:
        """Return where each column's rows begin, 0 if they go nowhere, and bytes of a row: an array of the device."""
        first = backend.address_of(self._device[buffer])
        table = np.zeros((max(len(self._columns), 1), 2), np.int64)
        for k, column in enumerate(self._columns):
            table[k] = (first + 8 * self._firsts[k] if column.takes(warm) else 0), self._widths[k]
        return backend.cuda.to_device(table.reshape(-1))

    def send(self, buffer: int, stream: Any) -> None:
        """Have a buffer copied to the host once what was started before is done."""
        self._device[buffer].copy_to_host(self._host[buffer], stream=stream)

    def write(self, buffer: int, warm: bool, first: int, counts: NDArray[np.int64]) -> None:
        """Write rows that have arrived to the arrays of the trace.

        Parameters
        ----------
        buffer : int
            That they are in.
        warm : bool
            Whether they are of warm-up.
        first : int
            Which row of the arrays the first one is.
        counts : ndarray of int, shape (chain,)
            How many rows each chain has made: one that has ended makes fewer than others.
        """
        groups = [(count, np.flatnonzero(counts == count)) for count in np.unique(counts[counts > 0])]
        for k, column in enumerate(self._columns):
            if column.takes(warm):
                words: NDArray[Any] = self._host[buffer][self._firsts[k] : self._firsts[k + 1]].view(column.dtype)
                shape = (self._chains, self._rows, column.count)
                rows = words[: np.prod(shape)].reshape(shape)
                for count, chains in groups:
                    column.write(warm, first, rows[:, :count], chains)

"""Columns: where the parts of a row of numbers go in the arrays of a trace, and the kernel that takes them there.

A run writes each draw twice into flat rows of float64, quantities into one and statistics into another. A `Column` says
where one part of such a row goes. To kernels the columns of a chain are a table of integers, `FIELDS` for each column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import address_of, bytes_at, floats_at, ints_at, kernel

#: Rows of every chain: one array (chain, row, ...), or for each chain an array (row, ...) that lies anywhere. The rows
#: of a chain follow one another in memory without a gap, at an address that is a multiple of the size of an item.
Rows: TypeAlias = NDArray[Any] | Sequence[NDArray[Any]]

#: A column of a table: offset and count in the row, kind of the items, items from one row to the next, address of row 0
#: in warm-up and after it (0: goes nowhere).
FIELDS = 6
_KINDS = {"float64": 0, "int64": 1, "bool": 2}


class Window(list[NDArray[Any]]):
    """Rows of each chain of which there are only some: addresses are reckoned as if all were there.

    Parameters
    ----------
    rows : sequence of ndarray, shape (row, ...)
        Of each chain, at least one row.
    first : ndarray of int, shape (chain,)
        Which row of the chain its first one is.
    """

    def __init__(self, rows: Sequence[NDArray[Any]], first: NDArray[np.int64]) -> None:
        super().__init__(rows)
        self.first = first


class Column:
    """Where a part of a row goes: rows for warm-up (or none), and rows for the draws after it.

    Parameters
    ----------
    offset, count : int
        The part of the row.
    warm, main : Rows or None
        Where it goes; both of one type, which is float64, int64 or bool. None: nowhere.
    of : (int, int)
        Which of how many parts of this size that lie side by side in each row of the arrays.
    """

    def __init__(
        self, offset: int, count: int, warm: Rows | None, main: Rows | None, of: tuple[int, int] = (0, 1)
    ) -> None:
        self._rows = (warm, main)  # held: kernels know addresses only
        self._part, self._stride, self._skip = (offset, count), count * of[1], count * of[0]
        self.count = count

    def takes(self, warm: bool) -> bool:
        """Tell whether rows go anywhere: those of warm-up, or those after it."""
        rows = self._rows[0 if warm else 1]
        return rows is not None and bool(rows[0].size)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the items."""
        found = [rows[0].dtype for rows, warm in zip(self._rows, (True, False), strict=True)
                 if self.takes(warm) and rows is not None]  # fmt: skip
        return found[0] if found else np.dtype(np.float64)

    def write(self, warm: bool, first: int, values: NDArray[Any], chains: NDArray[np.int64]) -> None:
        """Write rows that come from elsewhere.

        Parameters
        ----------
        warm : bool
            Whether they are of warm-up.
        first : int
            Which row the first one is.
        values : ndarray, shape (chain, row, count)
            Of all chains.
        chains : ndarray of int
            Those of which rows are written.
        """
        rows, here = self._rows[0 if warm else 1], slice(self._skip, self._skip + self.count)
        assert rows is not None
        if isinstance(rows, np.ndarray) and rows.flags.c_contiguous:
            flat = rows.reshape(*rows.shape[:2], -1)
            flat[chains, first : first + values.shape[1], here] = values[chains]
            return
        for chain in map(int, chains):
            start = first - (int(rows.first[chain]) if isinstance(rows, Window) else 0)
            own = rows[chain].reshape(len(rows[chain]), -1)
            own[start : start + values.shape[1], here] = values[chain]

    def table(self, chains: int) -> NDArray[np.int64]:
        """Return the fields of each chain, shape (chains, FIELDS)."""
        table = np.zeros((chains, FIELDS), np.int64)
        table[:, :2], table[:, 3] = self._part, self._stride
        for field, rows in enumerate(self._rows, 4):
            if rows is not None and rows[0].size:
                table[:, 2] = _KINDS[rows[0].dtype.name]
                before = rows.first if isinstance(rows, Window) else 0
                table[:, field] = _addresses(rows) + (self._skip - self._stride * before) * rows[0].itemsize
        return table


def _addresses(rows: Rows) -> NDArray[np.int64]:
    """Return the address of each chain's row 0."""
    if isinstance(rows, np.ndarray):
        return address_of(rows[0]) + rows.strides[0] * np.arange(len(rows))
    return np.array([address_of(of_chain) for of_chain in rows], np.int64)


def tables(columns: Sequence[Column], chains: int) -> NDArray[np.int64]:
    """Return what `scatter` reads, a row for each chain; the columns must outlive it."""
    found = [column.table(chains) for column in columns]
    return np.stack(found, axis=1).reshape(chains, -1) if found else np.zeros((chains, 1), np.int64)


@kernel
def row_of(draw: int, tune: int, thin: int) -> int:
    """Return the row that a draw of a chain fills, counted from 0 in warm-up and anew after it; -1 if it is not kept.

    Warm-up is kept whole. Of the draws after it the last of each `thin` is: row k holds draw ``tune + (k + 1) * thin -
    1`` of the chain.
    """
    if draw < tune:
        return draw
    after = draw - tune
    if thin == 1:
        return after
    return after // thin if after % thin == thin - 1 else -1


@kernel
def scatter(row: int, columns: int, n_columns: int, warm: bool, index: int) -> None:
    """Copy one row, known by its address, to row `index` of the arrays for warm-up or of those after it."""
    table = ints_at(columns, n_columns * FIELDS)
    for c in range(n_columns):
        field = c * FIELDS
        offset, count, kind, stride = table[field], table[field + 1], table[field + 2], table[field + 3]
        base = table[field + 4] if warm else table[field + 5]
        if base == 0:
            continue
        source = floats_at(row + 8 * offset, count)
        if kind == 0:
            floats = floats_at(base + 8 * stride * index, count)
            for i in range(count):
                floats[i] = source[i]
        elif kind == 1:
            integers = ints_at(base + 8 * stride * index, count)
            for i in range(count):
                integers[i] = np.int64(source[i])
        else:
            flags = bytes_at(base + stride * index, count)
            for i in range(count):
                flags[i] = np.uint8(source[i] != 0.0)

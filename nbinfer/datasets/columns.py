"""Tables of text as arrays."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.datasets import get_data

_MISSING = "NA"


def columns(filename: str) -> list[NDArray[Any]]:
    """Return the columns of a data file of the package.

    Parameters
    ----------
    filename : str
        As of `nbinfer.get_data`.

    Returns
    -------
    columns : list of ndarray, shape (row,)
        Of int64 where all are whole numbers, of float64 with NaN for what is missing where all are numbers, else of
        str, empty for what is missing.
    """
    text = io.TextIOWrapper(get_data(filename), "utf-8", newline="")
    _, *rows = csv.reader(text)
    return [_column(cells) for cells in zip(*rows, strict=True)]


def _column(cells: Sequence[str]) -> NDArray[Any]:
    there = [cell for cell in cells if cell != _MISSING]
    for kind in (int, float):
        try:
            for cell in there:
                kind(cell)
        except ValueError:
            continue
        whole = kind is int and len(there) == len(cells)
        return np.array(cells, np.int64) if whole else np.array([c if c != _MISSING else "nan" for c in cells], float)
    return np.array([cell if cell != _MISSING else "" for cell in cells])

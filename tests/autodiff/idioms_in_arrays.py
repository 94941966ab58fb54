"""NumPy on whole arrays: made, shaped, joined, reduced, read and written by index."""

from __future__ import annotations

import numpy as np

REFUSED: dict[str, str] = {}


def sum_of_squares(x):
    return np.sum(x**2)

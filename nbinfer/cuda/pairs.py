"""Pairs of particles whose distances have the median: all of few particles, and some of many.

Particles are in an order, and each is paired with the next ones in it, around its end. Of all pairs each comes once;
for some the order is drawn, as on the processor, see `nbinfer.variational.stein.median`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import address_of, entry
from nbinfer.variational.stein.median import draw_order, pair_rank


@entry("int64(intp, int64, intp, int64, int64)")
def _draw(words: int, number: int, address: int, count: int, drawn: int) -> int:
    """Write an order of particles, as the processor draws it."""
    draw_order(words, number, address, count, drawn)
    return 0


class Pairs:
    """Which pairs there are, and which of their distances is the median.

    Parameters
    ----------
    n : int
        Particles.
    some : int
        How many pairs are drawn; 0: all are taken.
    words : ndarray of uint64
        Of the stream of random numbers.
    number : int
        Of the fit.

    Attributes
    ----------
    order : ndarray of int32
        Particles that are paired.
    count : int
        Pairs: the first of each turn around the order with the second, and so on; then each with the next but one.
    dtype : dtype
        Of distances, where pairs are drawn: float32, since they are some of many.
    low, high : int
        Ranks among the distances, from 0, between which the median of all n² is; -1: a zero of the diagonal.
    """

    def __init__(self, n: int, some: int, words: NDArray[Any], number: int) -> None:
        everything, whole = n * (n - 1) // 2, n * n
        self.low, self.high = (pair_rank.py_func(rank, n) for rank in ((whole - 1) // 2, whole // 2))
        order, drawn, self.count, self.dtype = np.arange(n), n, everything, np.float32 if some else None
        if some:
            drawn = min(n, some)
            self.count = drawn * min(-(-some // drawn), n - 1)
            self.low = self.high = int((self.low + 0.5) * (self.count / everything))
            own = words.view(np.uint64).copy()
            _draw(address_of(own), number, address_of(order), n, drawn)
        self.order: NDArray[np.int32] = order[:drawn].astype(np.int32)

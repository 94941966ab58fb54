"""Pairs of particles whose distances have the median: all of few particles, and some of many.

Particles are in some order, and each is paired with the next ones in it, around its end: of all pairs each comes once.
For some of them the order is drawn in each iteration, by the host, while the device is busy with those before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import address_of, entry, ints_at
from nbinfer.random import Purpose, bounded, start
from nbinfer.variational.stein.median import pair_rank

#: Up to so many particles the median is that of all pairs; of more, that of so many.
FEW, PAIRS = 1000, 2**17
#: Numbers of orders that are drawn at a time, at most.
_ROOM = 2**20

_PAIRS = int(Purpose.PAIRS)


@entry("int64(intp, int64, int64, int64, int64, intp)")
def draw_order(stream: int, iteration: int, number: int, count: int, drawn: int, address: int) -> int:
    """Put so many particles, drawn from all without repetition, first in the order of an iteration."""
    order = ints_at(address, count)
    for i in range(count):
        order[i] = i
    start(stream, iteration, number, _PAIRS)
    for i in range(drawn):
        j = i + bounded(stream, count - i)
        order[i], order[j] = order[j], order[i]
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
    count : int
        Pairs.
    drawn : int
        Particles that are paired.
    low, high : int
        Ranks among the distances, from 0, between which the median of all n² is; -1: a zero of the diagonal.
    batch : int
        Iterations whose orders are drawn at a time.
    """

    def __init__(self, n: int, some: int, words: NDArray[Any], number: int) -> None:
        everything, whole = n * (n - 1) // 2, n * n
        self.low, self.high = (pair_rank.py_func(rank, n) for rank in ((whole - 1) // 2, whole // 2))
        self.is_fixed = some == 0 or some >= everything
        self.count, self.drawn, self.batch = everything, n, 1
        self._words, self._number = words.view(np.uint64).copy(), number
        if not self.is_fixed:
            self.drawn = min(n, some)
            self.count = self.drawn * -(-some // self.drawn)
            self.low = self.high = int((self.low + 0.5) * (self.count / everything))
            self.batch = max(1, min(32, _ROOM // self.drawn))
        self._order = np.arange(n)

    def orders(self, done: int, count: int) -> NDArray[np.int32]:
        """Return the orders of some iterations, shape (batch, drawn); only the first `count` are drawn.

        Parameters
        ----------
        done : int
            The first iteration.
        count : int
        """
        found = np.zeros((self.batch, self.drawn), np.int32)
        for k in range(count):
            if not self.is_fixed:
                where = address_of(self._order)
                draw_order(address_of(self._words), done + k, self._number, len(self._order), self.drawn, where)
            found[k] = self._order[: self.drawn]
        return found


def pairs_of(n: int, kernel: Any, words: NDArray[Any], number: int) -> Pairs:
    """Return the pairs of n particles that a kernel wants.

    Parameters
    ----------
    n : int
    kernel : RadialKernel
    words, number : object
        As of `Pairs`.
    """
    wanted = getattr(kernel, "pairs_of", lambda n: 0 if n <= FEW else PAIRS)
    return Pairs(n, wanted(n), words, number)

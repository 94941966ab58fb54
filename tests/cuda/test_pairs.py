"""Pairs whose distances have the median: all of few particles, and those of the processor of many."""

import numpy as np
import pytest

from nbinfer.cuda.pairs import Pairs
from nbinfer.random import Purpose, generator

WORDS = np.zeros(14, np.uint64)
WORDS[4:6] = 3, 5


@pytest.mark.parametrize("n", [2, 5, 6])
def test_all_pairs_come_once(n):
    pairs = Pairs(n, 0, WORDS, 0)
    p = np.arange(pairs.count)
    met = {tuple(sorted((int(k % n), int((k % n + k // n + 1) % n)))) for k in p}
    assert len(met) == pairs.count == n * (n - 1) // 2


def test_drawn_pairs_are_those_of_the_processor():
    pairs = Pairs(30, 60, WORDS, 0)
    rng, order = generator(WORDS[4:6], 0, 0, Purpose.PAIRS), list(range(30))
    for i in range(30):
        j = i + (int(rng.bit_generator.random_raw()) * (30 - i) >> 64)
        order[i], order[j] = order[j], order[i]
    assert pairs.order.tolist() == order
    assert (pairs.count, pairs.low) == (60, pairs.high)

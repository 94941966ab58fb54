"""The benchmark of GPUs: floors and estimates are what they are said to be."""

import numpy as np
import pytest

from bench.cuda import PAIRS, Cost, can_measure, estimate, floor_of


def test_floors():
    found = [1e3 * floor_of(n, dim, np.float32) for n, dim, _ in PAIRS]
    assert found == pytest.approx([0.0658, 6.58, 30.5, 658], rel=2e-3)
    assert floor_of(10_000, 10, np.float64) == 2 * floor_of(10_000, 10, np.float32)


def test_an_estimate_of_nothing_but_what_must_be_is_the_floor():
    assert estimate(1000, Cost(22.0, 0, 0)) == floor_of(1000, 10, np.float32)


def test_without_a_gpu_it_says_why_nothing_is_measured():
    reason = can_measure()
    assert reason == "" or "pip install" in reason or "driver" in reason or "GPU" in reason

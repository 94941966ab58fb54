"""Functions of the last axis: plain, as numbers, and where there is nothing to find."""

import math

import numpy as np
import pytest
import scipy.special

from nbinfer.vectormath import pick, row_logsumexp, row_sum

ROWS = np.array([[0.3, -2.0, 1.1], [800.0, 0.0, -800.0], [-math.inf] * 3, [math.nan] * 3])


@pytest.mark.parametrize("k", [0, 2, 1.0])
def test_pick(k):
    np.testing.assert_array_equal(pick(ROWS, k), ROWS[:, int(k)])
    assert pick(ROWS[0], k) == pick.py_func(ROWS[0], k) == ROWS[0, int(k)]


def test_pick_broadcasts():
    np.testing.assert_array_equal(pick(ROWS, [2, 0, 1, 1]), [1.1, 800.0, -math.inf, math.nan])
    np.testing.assert_array_equal(pick(ROWS[0], [[2, 0], [1, 1]]), [[1.1, 0.3], [-2.0, -2.0]])


@pytest.mark.parametrize("k", [-1, 3, 0.5, math.nan, math.inf])
def test_pick_finds_nothing(k):
    assert math.isnan(pick(ROWS[0], k))
    assert math.isnan(pick.py_func(ROWS[0], np.float64(k)))


def test_reductions():
    np.testing.assert_allclose(row_logsumexp(ROWS), scipy.special.logsumexp(ROWS, axis=-1))
    np.testing.assert_allclose([row_logsumexp.py_func(row) for row in ROWS], row_logsumexp(ROWS))
    np.testing.assert_allclose([row_sum.py_func(row) for row in ROWS], row_sum(ROWS))

"""Choices and whole numbers."""

import math

import numpy as np
import pytest

from nbinfer.vectormath import floor, is_whole, select, where_valid

WHOLE = [0.0, -0.0, 1.0, -7.0, 2.0**52 - 1.0, 2.0**52 + 1.0, 2.0**53 - 1.0, -(2.0**53) - 2.0, 1e300]
BROKEN = [0.5, -0.5, 1.0 + 2.0**-52, 1.0 - 2.0**-53, 2.0**51 + 0.5, 5e-324, math.inf, -math.inf, math.nan]


@pytest.mark.parametrize("tell", [is_whole, is_whole.py_func], ids=["plain", "numbers"])
def test_is_whole(tell):
    assert all(tell(x) for x in WHOLE)
    assert not any(tell(x) for x in BROKEN)
    assert tell(3)
    assert tell(-(2**60) - 1)


def test_floor():
    for x in [*WHOLE, *BROKEN[:6], -2.5, 2.5]:
        assert floor.py_func(x) == floor(x) == math.floor(x)
    assert [floor.py_func(x) for x in (math.inf, -math.inf)] == [math.inf, -math.inf]
    assert math.isnan(floor.py_func(math.nan))


def test_choices():
    x = np.array([1.0, math.nan, -math.inf, math.inf])
    np.testing.assert_array_equal(select(x > 0.0, x, 7.0), [1.0, 7.0, 7.0, math.inf])
    np.testing.assert_array_equal(where_valid(x == x, x), [1.0, -math.inf, -math.inf, math.inf])
    np.testing.assert_array_equal(where_valid(False, x), -math.inf)
    assert np.ndim(select(True, 1.0, 2.0)) == np.ndim(where_valid(True, 1.0)) == 0

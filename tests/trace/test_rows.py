"""Fill values say which rows no draw has reached."""

import numpy as np
import pytest

from nbinfer.trace import fill_unfinished, fill_value


@pytest.mark.parametrize("dtype", ["f4", "f8", "c16", "i1", "i8", "u2", "?"])
def test_the_fill_value_is_of_the_type_and_fills_only_what_is_unfinished(dtype):
    array = np.ones((3, 4, 2), dtype)
    assert fill_unfinished(array, np.array([4, 0, 2])) is array
    fill = np.array(fill_value(dtype)).astype(dtype)
    np.testing.assert_array_equal(array[1], np.full((4, 2), fill))
    np.testing.assert_array_equal(array[2, 2:], np.full((2, 2), fill))
    assert (array[0] == 1).all()
    assert (array[2, :2] == 1).all()


def test_integers_are_marked_by_their_smallest():
    assert fill_value(np.int64) == np.iinfo(np.int64).min


def test_there_is_none_for_text():
    with pytest.raises(TypeError, match="numbers or booleans"):
        fill_value("U3")

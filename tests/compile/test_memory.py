"""Elements of arrays, compiled: read and written flat, by indices, and checked where that is asked for."""

import numpy as np
import pytest

from nbinfer.compile import add_at, address_of, entry, floats_at, ints_at, kernel, part, read_at


@kernel
def through_all(x, k, i, j):
    add_at(x, i, 0.5 * read_at(x, j))
    rows = part(x, 1, (2, 3))
    rows[1, j] = rows[0, -1] + k[i]
    rows[-1, 0] -= x[-2]
    x[i] *= 3.0
    k[-1] = k[0] + i
    return rows[1, j] + x[i] + k[-1] + part(x, 2, ())[()]


def flat(x, k, i, j):
    return through_all(floats_at(x, 8), ints_at(k, 4), i, j)


compiled = entry("float64(intp, intp, int64, int64)")(flat)


@pytest.mark.parametrize(("i", "j"), [(0, 0), (2, 1), (3, 2)])
def test_compiled_code_and_plain_python_read_and_write_the_same(i, j):
    start = np.random.default_rng(3).normal(size=8), np.array([5, -3, 2, 7])
    one, other = [[a.copy() for a in start] for _ in range(2)]
    found = compiled(*map(address_of, one), i, j)
    assert found == through_all.py_func(*other, i, j)
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])


@kernel(boundscheck=True)
def checked(x, rows, i):
    return x[i] + rows[0, i]


@entry("float64(intp, int64)")
def caught(address, i):
    x = floats_at(address, 6)
    found = -1.0
    try:
        found = checked(x, part(x, 0, (2, 3)), i)
    except Exception:
        found = -2.0
    return found


@pytest.mark.nojit
@pytest.mark.parametrize("i", [3, 6, -4, -7])
def test_an_index_that_leaves_its_array_is_seen_where_that_is_asked_for(i):
    assert caught(address_of(np.arange(6.0)), i) == -2.0


def test_what_is_checked_and_within_is_read():
    assert caught(address_of(np.arange(6.0)), 2) == 4.0
    assert caught(address_of(np.arange(6.0)), -1) == 5.0 + 2.0

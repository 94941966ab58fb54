"""Products with logarithms: against mpmath, and where a factor is 0."""

import math

import pytest

from tests.vectormath.near import assert_accurate, assert_exact, assert_vectorised

INF, NAN = math.inf, math.nan

everywhere = pytest.mark.parametrize("name", ["xlogy", "xlog1py"])


@everywhere
def test_accuracy(name):
    assert_accurate(name)


@pytest.mark.nojit
@everywhere
def test_loops_become_vector_code(name):
    assert_vectorised(name)


@everywhere
def test_ends(name):
    zero = [((0.0, y), 0.0) for y in (0.0, -1.0, 1.0, -3.0, INF)]
    assert_exact(name, *zero, ((-0.0, -3.0), 0.0), ((0.0, NAN), NAN), ((NAN, 1.0), NAN), ((2.0, INF), INF))
    assert_exact(name, ((2.0, -3.0), NAN), ((2.0, 0.0 if name == "xlogy" else -1.0), -INF))

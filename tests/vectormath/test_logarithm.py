"""Logarithms: against mpmath, and exact where the value is."""

import math

import pytest

from tests.vectormath.near import assert_accurate, assert_exact, assert_vectorised

INF, NAN = math.inf, math.nan
SUBNORMAL = 5e-324


everywhere = pytest.mark.parametrize("name", ["log", "log2", "log10", "log1p"])


@everywhere
def test_accuracy(name):
    assert_accurate(name)


@pytest.mark.nojit
@everywhere
def test_loops_become_vector_code(name):
    assert_vectorised(name)


@pytest.mark.parametrize("name", ["log", "log2", "log10"])
def test_ends(name):
    zero, negative = [(0.0, -INF), (-0.0, -INF)], [(-SUBNORMAL, NAN), (-1.0, NAN), (-INF, NAN)]
    assert_exact(name, (1.0, 0.0), *zero, *negative, (INF, INF), (NAN, NAN))


def test_powers_are_exact():
    assert_exact("log2", *((math.ldexp(1.0, n), n) for n in range(-1074, 1024)))
    assert_exact("log10", *((float(f"1e{n}"), n) for n in range(-307, 309)))


def test_log1p_at_the_ends():
    small = [(s * x, s * x) for s in (-1.0, 1.0) for x in (0.0, SUBNORMAL, 1e-300, 1e-17)]
    beyond = [(-1.0 - 2.0**-52, NAN), (-INF, NAN), (NAN, NAN)]
    assert_exact("log1p", *small, (-1.0, -INF), *beyond, (INF, INF), (math.e - 1.0, 1.0))

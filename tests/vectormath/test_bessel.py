"""Bessel functions: against mpmath."""

import math

import mpmath
import numpy as np
import pytest

from nbinfer.vectormath import bessel
from tests.vectormath.near import assert_accurate, assert_exact, assert_vectorised

INF, NAN = math.inf, math.nan

everywhere = pytest.mark.parametrize("name", ["log_i0e", "i1_over_i0"])


@everywhere
def test_accuracy(name):
    assert_accurate(name)


@pytest.mark.nojit
@everywhere
def test_loops_become_vector_code(name):
    assert_vectorised(name)


def test_ends():
    assert_exact("log_i0e", (INF, -INF), (-INF, -INF), (NAN, NAN))
    assert_exact("i1_over_i0", (0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (1e300, 1.0), (NAN, NAN))
    with np.errstate(all="ignore"):
        assert bessel.log_i0e.py_func(0.0) == 0.0
        np.testing.assert_allclose(bessel.log_i0e.py_func(1e300), -0.5 * math.log(2.0 * math.pi) - 150 * math.log(10.0))


@pytest.mark.parametrize("x", [1e-9, 0.3, 0.99999, 1.0, 5.0, 11.9999, 12.0001, 50.0, 1e4])
def test_slopes(x):
    with mpmath.workprec(200), np.errstate(all="ignore"):
        ratio = mpmath.besseli(1, x) / mpmath.besseli(0, x)
        for sign in (1.0, -1.0):
            assert abs(bessel.log_i0e_slope.py_func(sign * x) / (sign * (ratio - 1)) - 1) < 2e-15
            assert abs(bessel.i1_over_i0_slope.py_func(sign * x) / (1 - ratio * ratio - ratio / x) - 1) < 5e-14


def test_slopes_at_the_ends():
    with np.errstate(all="ignore"):
        assert bessel.i1_over_i0_slope.py_func(0.0) == 0.5
        assert bessel.log_i0e_slope.py_func(0.0) == -1.0
        assert bessel.i1_over_i0_slope.py_func(INF) == bessel.log_i0e_slope.py_func(INF) == 0.0

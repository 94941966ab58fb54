"""The error function and the normal distribution: against mpmath, far tails included."""

import math

import mpmath
import numpy as np
import pytest

from bench.vectormath_special import SPECIAL
from nbinfer.vectormath import error
from tests.vectormath.near import assert_accurate, assert_exact, assert_vectorised

INF, NAN = math.inf, math.nan
SUBNORMAL = 5e-324

everywhere = pytest.mark.parametrize("name", ["erf", "erfc", "ndtr", "log_ndtr", "ndtri"])


@everywhere
def test_accuracy(name):
    assert_accurate(name)


@pytest.mark.nojit
@everywhere
def test_loops_become_vector_code(name):
    assert_vectorised(name)


def test_ends():
    small = [(s * x, s * x) for s in (-1.0, 1.0) for x in (0.0, SUBNORMAL)]
    assert_exact("erf", *small, (INF, 1.0), (-INF, -1.0), (1e300, 1.0), (NAN, NAN))
    assert_exact("erfc", (0.0, 1.0), (-0.0, 1.0), (SUBNORMAL, 1.0), (INF, 0.0), (-INF, 2.0), (1e300, 0.0), (NAN, NAN))
    assert_exact("ndtr", (0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (-1e300, 0.0), (NAN, NAN))
    assert_exact("log_ndtr", (-INF, -INF), (-1e200, -INF), (NAN, NAN))
    assert_exact("ndtri", (0.0, -INF), (0.5, 0.0), (1.0, INF), (-SUBNORMAL, NAN), (1.0 + 2.0**-52, NAN), (NAN, NAN))


def test_log_ndtr_near_1_ends_in_0():
    with np.errstate(all="ignore"):
        assert error.log_ndtr.py_func(INF) == 0.0
        assert -1e-300 < error.log_ndtr.py_func(38.0) < 0.0


def test_quantiles_are_found_again():
    p = np.array([1e-300, 1e-20, 1e-3, 0.0999999, 0.1, 0.3, 0.5, 0.6, 0.9, 0.99, 1.0 - 1e-12])
    with np.errstate(all="ignore"):
        found = np.array([error.ndtr.py_func(error.ndtri.py_func(x)) for x in p])
    np.testing.assert_allclose(found, p, rtol=1e-12)  # far out ndtr takes an ulp of x for many of its own


@pytest.mark.parametrize("x", [-1e150, -1e10, -40.0, -38.0, -5.0, -0.70001, -0.69999, -1e-9, 0.0, 0.5, 3.0, 37.0])
def test_slope_of_log_ndtr(x):
    with mpmath.workprec(150), np.errstate(all="ignore"):
        y = mpmath.mpf(x)
        series = -y - 1 / y + 2 / y**3 if y else 0
        exact = series if y < -1e5 else mpmath.npdf(y) / SPECIAL["ndtr"].truth(y)
        assert abs(error.mills.py_func(x) / exact - 1) < 2e-15


def test_slope_of_log_ndtr_at_the_ends():
    with np.errstate(all="ignore"):
        assert error.mills.py_func(-INF) == INF
        assert error.mills.py_func(INF) == 0.0
        assert math.isnan(error.mills.py_func(NAN))


@pytest.mark.parametrize("x", [0.0, 1e-9, 0.3, 0.49999, 0.5, 3.0, 30.0, 1e5, 1e300])
def test_scaled_erfc(x):
    with mpmath.workprec(150), np.errstate(all="ignore"):
        y = mpmath.mpf(x)
        exact = 1 / (y * mpmath.sqrt(mpmath.pi)) if y > 1e9 else mpmath.exp(y * y) * mpmath.erfc(y)
        assert abs(error.scaled_erfc.py_func(np.float64(x)) / exact - 1) < 2e-15

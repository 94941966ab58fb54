"""The exponential function and its kin: against mpmath, and exact where the value is."""

import math

import numpy as np
import pytest

from nbinfer.vectormath import exp, sinh
from tests.vectormath.near import assert_accurate, assert_exact, assert_vectorised, compiled

INF, NAN = math.inf, math.nan
SUBNORMAL = 5e-324


everywhere = pytest.mark.parametrize("name", ["exp", "exp2", "expm1", "sinh", "cosh", "tanh"])


@everywhere
def test_accuracy(name):
    assert_accurate(name)


@pytest.mark.nojit
@everywhere
def test_loops_become_vector_code(name):
    assert_vectorised(name)


def test_exp_at_the_ends():
    assert_exact("exp", (0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (NAN, NAN), (1e308, INF), (-1e308, 0.0))
    # The largest and the smallest argument with a finite and a positive value.
    assert_exact("exp", (709.7827128933841, INF), (-745.1332191019412, 0.0), (-745.1332191019411, SUBNORMAL))
    assert math.isfinite(exp.py_func(709.782712893384))


def test_powers_of_two_are_exact():
    assert_exact("exp2", *((n, math.ldexp(1.0, n)) for n in range(-1074, 1024)))
    assert_exact("exp2", (1024.0, INF), (-1076.0, 0.0), (INF, INF), (-INF, 0.0), (NAN, NAN))


def test_expm1_at_the_ends():
    small = [(s * x, s * x) for s in (-1.0, 1.0) for x in (0.0, SUBNORMAL, 1e-300, 1e-17)]
    assert_exact("expm1", *small, (INF, INF), (-INF, -1.0), (-60.0, -1.0), (800.0, INF), (NAN, NAN))


def test_hyperbolic_functions_at_the_ends():
    small = [(s * x, s * x) for s in (-1.0, 1.0) for x in (0.0, SUBNORMAL, 1e-300, 1e-17)]
    assert_exact("tanh", *small, (INF, 1.0), (-INF, -1.0), (20.0, 1.0), (-1e308, -1.0), (NAN, NAN))
    assert_exact("sinh", *small, (INF, INF), (-INF, -INF), (710.48, INF), (-711.0, -INF), (NAN, NAN))
    assert_exact("cosh", (0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, INF), (710.48, INF), (NAN, NAN))
    with np.errstate(all="ignore"):
        assert math.isfinite(sinh.py_func(710.475))


@pytest.mark.nojit
def test_exp_never_decreases():
    x = np.sort(np.concatenate([np.linspace(-746.0, 709.0, 20001), np.arange(-1076, 1023) * (0.5 * math.log(2.0))]))
    assert (np.diff(compiled("exp", x[:, None])) >= 0.0).all()

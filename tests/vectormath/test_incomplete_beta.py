"""Incomplete beta functions: against mpmath, in both tails, for small, large and very different parameters."""

import math

import numpy as np
import pytest

from nbinfer import vectormath
from nbinfer.compile import JIT
from nbinfer.vectormath import incomplete_beta
from tests.vectormath.incomplete import BETA, assert_tails
from tests.vectormath.near import compiled, plain

NAMES = ("betainc", "betaincc", "log_betainc", "log_betaincc")
INF, NAN = math.inf, math.nan


def point(a, b, z):
    """Return what lies z standard deviations from the mean, or near an end."""
    mean = a / (a + b)
    x = mean + z * math.sqrt(a * b / (a + b + 1.0)) / (a + b)
    if x <= 0.0:
        return mean * math.exp(z)
    return x if x < 1.0 else 1.0 - (1.0 - mean) * math.exp(-z)


@pytest.mark.parametrize("z", [-6.0, -2.0, -0.01, 0.3, 3.0, 8.0])
@pytest.mark.parametrize(
    ("a", "b"), [(1e-3, 0.5), (0.3, 0.3), (2.5, 0.4), (0.5, 9.0), (3.0, 4.0), (8.0, 8.0), (30.0, 12.0), (2.0, 1e5)]
)
def test_tails(a, b, z):
    assert_tails(incomplete_beta, BETA, (a, b), point(a, b, z), 5e-14)


@pytest.mark.parametrize("z", [-6.0, -0.01, 3.0])
@pytest.mark.parametrize(("a", "b", "tolerance"), [(500.0, 500.0, 2e-14), (1e5, 3e3, 1e-13), (1e8, 2e8, 1e-11)])
def test_tails_of_large_parameters(a, b, tolerance, z):
    """With sqrt(a) grows how much an ulp of x counts."""
    assert_tails(incomplete_beta, BETA, (a, b), point(a, b, z), tolerance)


@pytest.mark.parametrize("x", [1e-300, 1e-10, 1.0 - 1e-10, 1.0 - 2.0**-53])
@pytest.mark.parametrize(("a", "b"), [(0.5, 3.0), (12.0, 20.0)])
def test_far_tails(a, b, x):
    assert_tails(incomplete_beta, BETA, (a, b), x, 2e-14)


def test_steps_suffice_for_parameters_of_1e10():
    with np.errstate(all="ignore"):
        assert abs(incomplete_beta.log_tail.py_func(1e10, 1e10, 0.5, True) + math.log(2.0)) < 1e-9


def test_ends():
    arguments = [(2.5, 3.0, 0.0), (2.5, 3.0, 1.0)]
    arguments += [(0.0, 3.0, 0.5), (2.5, -1.0, 0.5), (2.5, 3.0, -1e-9), (2.5, 3.0, 1.0 + 1e-9), (2.5, 3.0, NAN)]
    arguments += [(NAN, 3.0, 0.5), (2.5, NAN, 0.5), (INF, 3.0, 0.5)]
    for name in NAMES:
        lower = not name.endswith("cc")
        below, above = (0.0, 1.0) if lower else (1.0, 0.0)
        if name.startswith("log"):
            below, above = (-INF, 0.0) if lower else (0.0, -INF)
        expected = np.array([below, above, *[NAN] * 8])
        np.testing.assert_array_equal(plain(name, np.array(arguments)), expected)
        if JIT:
            np.testing.assert_array_equal(compiled(name, np.array(arguments)), expected)
    with np.errstate(all="ignore"):
        for x in (0.0, 1.0):
            assert incomplete_beta.beta_density.py_func(2.5, 3.0, x) == 0.0
            assert incomplete_beta.beta_tail_by_a.py_func(2.5, 3.0, x, True) == 0.0
            assert incomplete_beta.beta_tail_by_b.py_func(2.5, 3.0, x, True) == 0.0
            assert incomplete_beta.beta_tail_by_x.py_func(2.5, 3.0, x, True) == 0.0


def test_all_forms_agree():
    rng = np.random.default_rng(8)
    a, b = np.exp(rng.uniform(-3.0, 6.0, (2, 60)))
    x = rng.uniform(0.0, 1.0, 60)
    rows = np.stack([a, b, x], axis=1)
    for name in NAMES:
        expected = getattr(vectormath, name)(a, b, x)
        np.testing.assert_allclose(plain(name, rows), expected, rtol=1e-11, atol=1e-300)
        if JIT:
            np.testing.assert_allclose(compiled(name, rows), expected, rtol=1e-11, atol=1e-300)


def test_logarithms_in_plain_python_outlast_the_values():
    for row in ((50.0, 3.0, 1e-9), (3.0, 50.0, 1.0 - 1e-9), (2.0, 3.0, 0.4)):
        for name in ("log_betainc", "log_betaincc"):
            value = getattr(vectormath, name)(*row)
            assert np.ndim(value) == 0
            assert math.isclose(value, plain(name, np.array([row]))[0], rel_tol=1e-11)

"""Incomplete gamma functions: against mpmath, in both tails and next to where algorithms change."""

import math

import numpy as np
import pytest

from nbinfer import vectormath
from nbinfer.compile import JIT
from nbinfer.vectormath import incomplete_gamma
from tests.vectormath.incomplete import GAMMA, assert_tails
from tests.vectormath.near import compiled, plain

NAMES = ("gammainc", "gammaincc", "log_gammainc", "log_gammaincc")
INF, NAN = math.inf, math.nan


@pytest.mark.parametrize("z", [-6.0, -2.0, -0.01, 0.0, 0.5, 3.0, 8.0])
@pytest.mark.parametrize("a", [1e-3, 0.3, 1.0, 2.5, 7.999, 8.0, 30.0])
def test_tails(a, z):
    x = a + z * math.sqrt(a)
    assert_tails(incomplete_gamma, GAMMA, (a,), x if x > 0.0 else a * math.exp(z), 5e-14 if a < 0.01 else 2e-14)


@pytest.mark.parametrize("z", [-6.0, -0.01, 3.0])
@pytest.mark.parametrize("a", [499.0, 500.0, 1e6, 1e9])
def test_tails_of_large_shapes(a, z):
    assert_tails(incomplete_gamma, GAMMA, (a,), a + z * math.sqrt(a), 1e-14)


@pytest.mark.parametrize("ratio", [0.3, 0.69999, 0.70001, 1.29999, 1.30001, 2.0])
def test_tails_next_to_the_uniform_expansion(ratio):
    assert_tails(incomplete_gamma, GAMMA, (600.0,), 600.0 * ratio, 1e-14)


@pytest.mark.parametrize(("a", "x"), [(0.5, 1e-300), (3.0, 1e-5), (40.0, 1e-3), (2.0, 700.0), (50.0, 5e3)])
def test_far_tails(a, x):
    assert_tails(incomplete_gamma, GAMMA, (a,), x, 1e-14)


def test_ends():
    arguments = np.array(
        [(2.5, 0.0), (2.5, INF), (0.0, 1.0), (-1.0, 1.0), (2.5, -1e-9), (NAN, 1.0), (2.5, NAN), (INF, 1.0)]
    )
    for name in NAMES:
        lower = not name.endswith("cc")
        below, above = (0.0, 1.0) if lower else (1.0, 0.0)
        if name.startswith("log"):
            below, above = (-INF, 0.0) if lower else (0.0, -INF)
        expected = np.array([below, above, *[NAN] * 6])
        np.testing.assert_array_equal(plain(name, arguments), expected)
        if JIT:
            np.testing.assert_array_equal(compiled(name, arguments), expected)
    with np.errstate(all="ignore"):
        for x in (0.0, INF):
            assert incomplete_gamma.gamma_density.py_func(2.5, x) == 0.0
            assert incomplete_gamma.gamma_tail_by_a.py_func(2.5, x, True) == 0.0
            assert incomplete_gamma.gamma_tail_by_x.py_func(2.5, x, True) == 0.0


def test_all_forms_agree():
    a, x = np.exp(np.random.default_rng(7).uniform(-3.0, 8.0, (2, 60)))
    rows = np.stack([a, x], axis=1)
    for name in NAMES:
        expected = getattr(vectormath, name)(a, x)
        np.testing.assert_allclose(plain(name, rows), expected, rtol=1e-11, atol=1e-300)
        if JIT:
            np.testing.assert_allclose(compiled(name, rows), expected, rtol=1e-11, atol=1e-300)


def test_logarithms_in_plain_python_outlast_the_values():
    for row in ((50.0, 0.01), (50.0, 5e3), (2.0, 1.0)):
        for name in ("log_gammainc", "log_gammaincc"):
            value = getattr(vectormath, name)(*row)
            assert np.ndim(value) == 0
            assert math.isclose(value, plain(name, np.array([row]))[0], rel_tol=1e-11)

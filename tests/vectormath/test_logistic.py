"""The logistic function and logarithms of sums: against mpmath, and exact where the value is."""

import math

import numpy as np
import pytest
import scipy.special

from bench.vectormath_truth import errors
from nbinfer import vectormath
from nbinfer.compile import JIT
from tests.vectormath.near import assert_accurate, assert_exact, assert_vectorised, compiled, plain

INF, NAN = math.inf, math.nan
LOG_2 = 0.6931471805599453


everywhere = pytest.mark.parametrize("name", ["expit", "logit", "log_expit", "log1pexp", "log1mexp", "logaddexp"])


@everywhere
def test_accuracy(name):
    assert_accurate(name)


@pytest.mark.nojit
@everywhere
def test_loops_become_vector_code(name):
    assert_vectorised(name)


def test_logistic_function_at_the_ends():
    assert_exact("expit", (0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (40.0, 1.0), (-1e308, 0.0), (NAN, NAN))
    assert_exact("logit", (0.5, 0.0), (0.0, -INF), (-0.0, -INF), (1.0, INF), (-1e-9, NAN), (1.0 + 1e-9, NAN))
    assert_exact("logit", (INF, NAN), (-INF, NAN), (NAN, NAN))


def test_logarithms_at_the_ends():
    assert_exact("log_expit", (0.0, -LOG_2), (INF, 0.0), (-INF, -INF), (-1e308, -1e308), (NAN, NAN))
    assert_exact("log1pexp", (0.0, LOG_2), (INF, INF), (-INF, 0.0), (1e308, 1e308), (-800.0, 0.0), (NAN, NAN))
    assert_exact("log1mexp", (0.0, -INF), (-0.0, -INF), (1e-300, NAN), (1.0, NAN), (INF, NAN), (NAN, NAN))
    assert_exact("log1mexp", (-5e-324, math.log(5e-324)), (-745.0, -5e-324))


def test_the_logarithm_of_a_difference_is_that_of_two_parts():
    """With the exponential rounded before it is subtracted, these are 2.1 to 2.2 units in the last place off."""
    x = np.array([-0.9944498475407968, -0.9962121937763062, -0.9819814083555768, -0.9815701590399132])[:, None]
    found = compiled("log1mexp", x) if JIT else plain("log1mexp", x)
    assert errors("log1mexp", x, found).max() < 1.5
    assert errors("log1mexp", x, plain("log1mexp", x)).max() < 1.5


def test_sums_at_the_ends():
    infinite = [((a, b), max(a, b)) for a in (-INF, 1.0, INF) for b in (-INF, 1.0, INF) if (a, b) != (1.0, 1.0)]
    assert_exact("logaddexp", *infinite, ((NAN, 1.0), NAN), ((1.0, NAN), NAN), ((-INF, NAN), NAN), ((0.0, 0.0), LOG_2))


def test_sums_of_arrays():
    x = np.array([-800.0, -1.0, 0.0, 1.0, 800.0])
    np.testing.assert_allclose(vectormath.logsumexp.py_func(x), scipy.special.logsumexp(x))
    assert vectormath.logsumexp.py_func(np.full(2, -np.inf)) == -np.inf

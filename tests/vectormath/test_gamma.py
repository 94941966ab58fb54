"""The gamma function and its derivatives: against mpmath, near zeros, poles and switches too."""

import math

import mpmath
import numpy as np
import pytest

from nbinfer.compile import JIT
from nbinfer.vectormath import gamma
from tests.vectormath.near import assert_accurate, assert_exact, assert_vectorised, compiled, plain

INF, NAN = math.inf, math.nan
EPSILON = 2.0**-52

everywhere = pytest.mark.parametrize("name", ["lgamma", "lgamma_positive", "digamma", "digamma_positive", "trigamma"])


@everywhere
def test_accuracy(name):
    assert_accurate(name)


@pytest.mark.nojit
@everywhere
def test_loops_become_vector_code(name):
    assert_vectorised(name)


POLES = (-1.0, -2.0, -171.0, -(2.0**53), -1e308, -INF)


def test_ends():
    assert_exact("lgamma", *((x, INF) for x in (0.0, -0.0, 1e306, INF, *POLES)), (NAN, NAN), (1.0, 0.0), (2.0, 0.0))
    assert_exact("digamma", (0.0, -INF), (-0.0, INF), (INF, INF), (NAN, NAN), *((x, NAN) for x in POLES))
    assert_exact("trigamma", (INF, 0.0), (NAN, NAN), *((x, INF) for x in (0.0, -0.0, 1e-155, *POLES)))


def test_plain_python_has_poles_where_compiled_code_has_them():
    assert [gamma.lgamma(x) for x in POLES] == [INF] * len(POLES)  # SciPy says -inf of -inf
    assert all(gamma.trigamma(x) == INF and math.isnan(gamma.digamma(x)) for x in POLES)
    assert gamma.lgamma(np.array([-INF, 1.0, INF])).tolist() == [INF, 0.0, INF]


def test_negative_numbers_make_the_positive_forms_nan():
    ends = [(x, NAN) for x in (-5e-324, -0.5, -2.0, -INF, NAN)]
    assert_exact("lgamma_positive", *ends, (0.0, INF), (INF, INF))
    assert_exact("digamma_positive", *ends, (0.0, -INF), (INF, INF))


def negative_points():
    """Return negative numbers, among them neighbours of poles and what lies just below 0."""
    rng = np.random.default_rng(3)
    poles = -np.floor(rng.uniform(0.0, 30.0, 50))
    near = np.concatenate([np.nextafter(poles, -INF), poles - np.exp(rng.uniform(-30.0, -1.0, 50))])
    return np.concatenate([-rng.uniform(0.0, 40.0, 200), near, -np.exp(rng.uniform(-700.0, 0.0, 50)), [-1e5 - 0.5]])


#: The results, and what reflection adds them up from.
REFLECTED = {
    "lgamma": (lambda x: mpmath.log(abs(mpmath.gamma(x))), lambda x: mpmath.loggamma(1 - x)),
    "digamma": (mpmath.digamma, lambda x: max(abs(mpmath.digamma(1 - x)), mpmath.mpf(1))),
    "trigamma": (lambda x: mpmath.psi(1, x), lambda x: mpmath.psi(1, 1 - x)),
}


@pytest.mark.parametrize("name", REFLECTED)
def test_reflection_is_as_good_as_its_terms(name):
    """Of two terms of opposite sign the result may keep few digits, but no more are lost."""
    x = negative_points()
    found = plain(name, x[:, None])
    result, term = REFLECTED[name]
    with mpmath.workprec(200):
        for at, value in zip(x.tolist(), found, strict=True):
            exact = result(mpmath.mpf(at))
            scale = max(abs(exact), abs(term(mpmath.mpf(at))))
            assert value == float(exact) or abs(value - exact) <= 4.0 * EPSILON * scale, at


def test_trigamma_of_negative_numbers_keeps_its_digits():
    """No difference: it is near 1 / r**2 where r is the distance to a pole."""
    x = np.concatenate([negative_points()[::4], [-13.69158053810173, -4.316330879462678, -0.7082023560098394]])
    found = compiled("trigamma", x[:, None]) if JIT else plain("trigamma", x[:, None])
    with mpmath.workprec(200):
        for at, value in zip(x.tolist(), found.tolist(), strict=True):
            exact = mpmath.psi(1, mpmath.mpf(at))
            assert value == float(exact) or abs(value - exact) <= 1.5 * math.ulp(value), at


@everywhere
def test_a_number_makes_a_number(name):
    assert isinstance(getattr(gamma, name)(1.5), float)


def test_tetragamma_is_the_derivative_of_trigamma():
    rng = np.random.default_rng(4)
    large = np.exp(rng.uniform(math.log(20.0), 200.0, 50))
    x = np.concatenate(
        [np.exp(rng.uniform(-200.0, 0.0, 50)), rng.uniform(0.0, 20.0, 200), large, -rng.uniform(0, 9, 50)]
    )
    with np.errstate(all="ignore"):
        for at in x:
            assert abs(gamma.tetragamma.py_func(at) / mpmath.psi(2, at) - 1) < 1e-12, at

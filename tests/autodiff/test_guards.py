"""Guards of log densities in derived gradients: one test of a sum says what a test of each term says."""

import math

import numpy as np
import pytest

from nbinfer.autodiff import value_and_grad
from nbinfer.distributions import exponential, gamma, normal
from nbinfer.vectormath import logaddexp, where_valid
from tests.autodiff.plain import assert_differentiates, plain_value_and_grad, source_of

NAN, INF = math.nan, math.inf


def guarded(x, c, y):
    """Conditions that change in the loop, that do not, and that are known."""
    each = np.sum(where_valid(y > 0.0, x[0] - np.log(y) ** 2))
    shared = np.sum(where_valid(c > 0.0, -x[1] * y))
    return each + shared + where_valid(True, np.log(x[2])) - x[0]


def observed(x, c, y):
    """A likelihood; `c` is the data's own weight."""
    return normal.logpdf(x[0], 0.0, 2.0) + np.sum(normal.logpdf(y, x[0], x[1])) + c * exponential.logpdf(x[2], 1.5)


def each_its_scale(x, c, y):
    return 0.5 * np.sum(normal.logpdf(0.3, x[0], y)) - x[1] * c + gamma.logpdf(x[2], 2.0, 1.0)


def in_branches(x, c, y):
    lp = where_valid(x[2] > 0.0, -x[2])
    for i in range(y.shape[0]):
        if y[i] > 1.0:
            lp += where_valid(c > 0.0, x[0] * y[i])
        elif y[i] > 0.5:
            lp -= x[1]
        else:
            lp += normal.logpdf(y[i], x[0], x[1])
    return lp


def mixture(x, c, y):
    """A guarded value that is no term of the sum: where one part is -inf, the other counts."""
    return np.sum(logaddexp(normal.logpdf(y, x[0], 1.0), gamma.logpdf(y, x[1], x[2]))) + where_valid(c > 0.0, x[0])


def subtracted(x, c, y):
    """A term whose -inf makes the result +inf."""
    return x[0] - 2.0 * where_valid(c > 0.0, x[1] * x[1]) + np.sum(where_valid(y > 0.0, -y * x[2]))


def unguarded_too(x, c, y):
    """What is NaN by itself stays NaN."""
    return np.sum(normal.logpdf(y, x[0], 1.0)) + np.log(x[1]) + where_valid(c > 0.0, x[2])


def nested(x, c, y):
    return where_valid(c > 0.0, np.sum(where_valid(y > 0.0, x[0] * y)) + np.log(x[1]) * x[2])


PROGRAMS = [guarded, observed, each_its_scale, in_branches, mixture, subtracted, unguarded_too, nested]
X, Y = np.array([0.4, 0.8, 1.3]), np.array([0.3, 0.7, 1.9])
PLACES = {
    "inside": (X, 1.0, Y),
    "condition": (X, -1.0, Y),
    "condition 0": (X, 0.0, Y),
    "condition NaN": (X, NAN, Y),
    "data NaN": (X, 1.0, np.array([0.3, NAN, 1.9])),
    "data outside": (X, 1.0, np.array([0.3, -0.7, 1.9])),
    "data 0": (X, 1.0, np.array([0.0, 0.7, 1.9])),
    "data infinite": (X, 1.0, np.array([0.3, INF, 1.9])),
    "no data": (X, 1.0, np.empty(0)),
    "no data, condition": (X, -1.0, np.empty(0)),
    "scale 0": (np.array([0.4, 0.0, 1.3]), 1.0, Y),
    "scale negative": (np.array([0.4, -0.8, 1.3]), 1.0, Y),
    "outside": (np.array([0.4, 0.8, -1.3]), 1.0, Y),
    "parameter NaN": (np.array([NAN, 0.8, 1.3]), 1.0, Y),
    "parameter infinite": (np.array([0.4, INF, 1.3]), 1.0, Y),
}


def value(f, place):
    with np.errstate(all="ignore"):
        return float(f(*PLACES[place]))


@pytest.mark.either
@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_value_is_that_of_the_program_wherever_it_is(f):
    expected = [value(f, place) for place in PLACES]
    assert math.isfinite(expected[0])
    assert not all(map(math.isfinite, expected))
    np.testing.assert_allclose([plain_value_and_grad(f, *args)[0] for args in PLACES.values()], expected, rtol=1e-13)


@pytest.mark.either
@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_gradient_is_that_of_the_program_inside(f):
    for place in ("inside", "no data"):
        assert_differentiates(f, *PLACES[place])


@pytest.mark.nojit
@pytest.mark.parametrize("f", [guarded, in_branches, mixture], ids=lambda f: f.__name__)
def test_compiled_value_is_that_of_the_program(f):
    vg = value_and_grad(f)
    expected = [value(f, place) for place in PLACES]
    np.testing.assert_allclose([vg(*args)[0] for args in PLACES.values()], expected, rtol=1e-13)


def test_loops_test_conditions_that_change_and_nothing_else():
    text = source_of(guarded, *PLACES["inside"])
    loops = [line for line in text.splitlines() if line.startswith(" " * 8)]
    assert not any("==" in line for line in loops)
    assert sum(" else " in line for line in loops) == 2  # the one of y > 0.0; the one of c > 0.0 stands after its loop
    assert sum("==" in line for line in text.splitlines()) == 1


def test_gradient_of_a_mixture_is_that_of_its_valid_part():
    gradient = plain_value_and_grad(mixture, X, 1.0, np.array([-0.5]))[1]  # where the gamma distribution has no density
    np.testing.assert_allclose(gradient, [-0.5 - X[0] + 1.0, 0.0, 0.0])


def test_infinities_of_either_sign_make_a_point_of_density_0():
    def f(x, y):
        return np.sum(where_valid(y > 0.0, x[0] / y)) + where_valid(x[1] > 0.0, x[1])

    y = np.array([1.0, 5e-324])
    assert plain_value_and_grad(f, np.array([1.0, 1.0]), y)[0] == INF
    assert plain_value_and_grad(f, np.array([1.0, -1.0]), y)[0] == -INF


def raised(a, step):
    """Writes to its argument, so that running it twice is not running it once."""
    total = 0.0
    for i in range(a.shape[0]):
        a[i] += step
        total += a[i]
    return total


@pytest.mark.parametrize("limit", [5.0, 0.0])
def test_what_an_early_return_computes_is_computed_once(limit):
    def f(x, y):
        a = np.zeros(2)
        if x[1] < limit:
            return raised(a, x[0]) + raised(a, step=x[1])
        return raised(a, x[0])

    x = np.array([0.3, 0.7])
    gradient = assert_differentiates(f, x, limit)
    np.testing.assert_allclose(gradient, [4.0, 2.0] if limit == 5.0 else [2.0, 0.0])

"""The densities of the benchmark of gradients: by hand, derived and by differences, at a point of small data sets."""

import numpy as np
import pytest

from bench.autodiff_models import cases
from nbinfer.autodiff import value_and_grad
from tests.often import often

CASES = cases(rows=12)

everywhere = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def by_hand(case):
    grad = np.zeros(case.position.size)
    return case.logp_grad.py_func(case.position, *case.data, grad), grad


@everywhere
def test_gradient_by_hand_is_that_of_the_density(case):
    value, grad = by_hand(case)
    assert value == pytest.approx(case.logp(case.position, *case.data), rel=1e-12)
    steps = 1e-5 * np.eye(case.position.size)
    # Of fourth order, so that rounding is all that is left.
    ends = [[case.logp(case.position + m * step, *case.data) for m in (-2, -1, 1, 2)] for step in steps]
    differences = np.array([(a - 8 * b + 8 * c - d) / 12e-5 for a, b, c, d in ends])
    np.testing.assert_allclose(grad, differences, rtol=0, atol=1e-7 * np.abs(differences).max())


@everywhere
def test_gradient_by_hand_adds(case):
    _, grad = by_hand(case)
    twice = grad.copy()
    case.logp_grad.py_func(case.position, *case.data, twice)
    np.testing.assert_allclose(twice, 2 * grad, rtol=1e-12)


@pytest.mark.parametrize("case", often(CASES, "logistic, X @ beta", "volatility, array", "negative binomial"))
def test_derived_gradient_is_the_one_by_hand(case):
    case = CASES[case]
    value, grad = by_hand(case)
    derived_value, derived = value_and_grad(case.logp)(case.position, *case.data)
    assert derived_value == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(derived, grad, rtol=0, atol=1e-10 * np.abs(grad).max())

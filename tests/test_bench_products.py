"""The density that the benchmark of products derives is what it claims."""

import numpy as np
from scipy import stats

from bench.products import case_of
from nbinfer.autodiff import value_and_grad


def test_gradient_is_the_formula():
    case = case_of(12, 3)
    X, y = case.data
    odds = X @ case.position
    value, grad = value_and_grad(case.logp)(case.position, X, y)
    np.testing.assert_allclose(value, stats.logistic.logcdf((2.0 * y - 1.0) * odds).sum(), rtol=1e-12)
    np.testing.assert_allclose(grad, X.T @ (y - stats.logistic.cdf(odds)), rtol=0, atol=1e-12)


def test_impossible_outcomes_have_no_density():
    case = case_of(12, 3)
    X, y = case.data
    value, _ = value_and_grad(case.logp)(case.position, X, np.where(y == 1.0, 0.5, y))
    assert value == -np.inf

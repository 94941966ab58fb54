"""The benchmark of regressions compares what is the same: fused and summed, value and gradient."""

import numpy as np
import pytest
from scipy import stats

from bench.glm import REGRESSIONS, case_of
from nbinfer.model.evaluate import plain_python
from tests.autodiff.plain import plain_value_and_grad


@pytest.mark.parametrize("name", REGRESSIONS)
def test_fused_and_summed_are_one_density(name):
    regression = REGRESSIONS[name]
    found = []
    for function in (regression.fused, regression.sum):
        case = case_of(regression, function, 12, 3)
        with plain_python():
            found.append(
                (function(case.position, *case.data), *plain_value_and_grad(function, case.position, *case.data))
            )
    (one, value, grad), (other, other_value, other_grad) = found
    assert one == pytest.approx(other, rel=1e-13)
    assert value == pytest.approx(one, rel=1e-13)
    assert other_value == pytest.approx(one, rel=1e-13)
    np.testing.assert_allclose(grad, other_grad, rtol=1e-11, atol=1e-12)


def test_logistic_regression_is_the_formula():
    case = case_of(REGRESSIONS["logistic"], REGRESSIONS["logistic"].sum, 12, 3)
    X, y = case.data
    odds = X @ case.position
    with plain_python():
        value, grad = plain_value_and_grad(case.logp, case.position, X, y)
    np.testing.assert_allclose(value, stats.logistic.logcdf((2.0 * y - 1.0) * odds).sum(), rtol=1e-12)
    np.testing.assert_allclose(grad, X.T @ (y - stats.logistic.cdf(odds)), rtol=0, atol=1e-12)

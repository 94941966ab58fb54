"""Weights of models: stacking against exact roots and the conditions of an optimum, pseudo-BMA against its formula."""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize

from nbinfer.diagnostics.weights import pseudo_bma, pseudo_bma_plus, stacking


def two_models(scale, bias, n=100, seed=0):
    rng = np.random.default_rng(seed)
    first = rng.normal(size=n)
    return np.stack([first, first + scale * (rng.normal(size=n) + bias)], axis=1)


def best_share(pointwise):
    """Return the second of two weights: the root of the slope, or an end."""
    excess = np.expm1(pointwise[:, 1] - pointwise[:, 0])

    def slope(w):
        return np.sum(excess / (1 + w * excess))

    if slope(0.0) <= 0:
        return 0.0
    return 1.0 if slope(1.0) >= 0 else brentq(slope, 0, 1, xtol=1e-15)


@pytest.mark.either
@pytest.mark.parametrize("scale", [1.0, 0.1, 1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("bias", [0.0, 0.1, 1.0])
def test_stacking_of_two_is_the_root(scale, bias):
    pointwise = two_models(scale, bias)
    weights = stacking(pointwise)
    np.testing.assert_allclose(weights, [1 - best_share(pointwise), best_share(pointwise)], atol=1e-9)
    np.testing.assert_allclose(stacking(pointwise[:, ::-1]), weights[::-1], atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_stacking_of_nearly_equal_models_where_the_best_is_a_mixture(seed):
    rng = np.random.default_rng(seed)
    slight = 1e-4 * rng.normal(size=100)
    slight -= slight.mean() + 0.5 * np.mean(slight**2) * (0.5 - rng.random())
    pointwise = np.stack([np.zeros(100), slight], axis=1)
    assert 0.01 < best_share(pointwise) < 0.99
    assert stacking(pointwise)[1] == pytest.approx(best_share(pointwise), abs=1e-6)


@pytest.mark.parametrize("scale", [3.0, 1.0, 0.3])
def test_stacking_of_several_is_that_of_a_reference_optimiser(scale):
    pointwise = scale * np.random.default_rng(3).normal(size=(200, 5))
    weights = stacking(pointwise)
    densities = np.exp(pointwise - pointwise.max(axis=1, keepdims=True))

    def loss(w):
        return -np.log(densities @ w).mean()

    def slope(w):
        return -(densities / (densities @ w)[:, None]).mean(axis=0)

    reference = minimize(
        loss,
        np.full(5, 0.2),
        jac=slope,
        method="SLSQP",
        bounds=[(0, 1)] * 5,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-16, "maxiter": 1000},
    ).x
    np.testing.assert_allclose(weights, reference, atol=1e-6)
    excess = -slope(weights) - 1.0  # at an optimum 0 where a weight is positive, and never above
    assert excess.max() < 1e-9
    np.testing.assert_allclose(weights * excess, 0.0, atol=1e-11)


def test_models_that_predict_the_same_share_a_weight():
    pointwise = np.random.default_rng(3).normal(size=(50, 3))[:, [0, 1, 0, 2, 0]]
    weights = stacking(pointwise)
    assert weights[0] == pytest.approx(weights[2], abs=1e-4)
    assert weights[0] == pytest.approx(weights[4], abs=1e-4)
    np.testing.assert_allclose(stacking(pointwise[:, [0, 2, 4]]), 1 / 3)
    assert stacking(pointwise[:, :1]).tolist() == [1.0]


def test_densities_of_any_size():
    pointwise = np.array([[-2000.0, 0.0], [0.0, -2000.0], [-1e5, -1e5]])
    np.testing.assert_allclose(stacking(pointwise), 0.5)


def test_pseudo_bma_is_its_formula():
    pointwise = np.random.default_rng(1).normal(size=(20, 3))
    expected = np.exp(pointwise.sum(axis=0))
    np.testing.assert_allclose(pseudo_bma(pointwise), expected / expected.sum())
    np.testing.assert_allclose(pseudo_bma(pointwise - 1e4), pseudo_bma(pointwise))


def test_the_bootstrap_is_between_the_best_and_all():
    pointwise = two_models(1.0, 0.1)
    weights, se = pseudo_bma_plus(pointwise, np.random.default_rng(1))
    assert weights.sum() == pytest.approx(1.0)
    assert 0.5 < weights[1] < pseudo_bma(pointwise)[1]
    np.testing.assert_allclose(se, np.sqrt(100 * pointwise.var(axis=0)), rtol=0.1)

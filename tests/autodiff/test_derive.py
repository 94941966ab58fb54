"""Gradients of models and flat functions, and pullbacks: terms weighted, gradients added, errors at the door."""

import math
from collections import namedtuple

import numpy as np
import pytest

from nbinfer.autodiff import Type
from nbinfer.autodiff.compiled import plain_function
from nbinfer.autodiff.derive import derive, derive_flat, derive_pullback
from nbinfer.distributions import half_cauchy, normal
from tests.autodiff.plain import plain_value_and_grad

RNG = np.random.default_rng(3)

SCHOOLS = {"y": np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), "sigma": np.array([15.0, 10, 16, 11, 9, 11, 10, 18])}


def prior(p, d):
    if p.tau <= 0.0:
        return -math.inf
    return normal.logpdf(p.mu, 0.0, 5.0) + half_cauchy.logpdf(p.tau, 5.0) + np.sum(normal.logpdf(p.eta, 0.0, 1.0))


def likelihood(p, d):
    return normal.logpdf(d.y, p.mu + p.tau * p.eta, d.sigma)


def logp(p, d):
    return prior(p, d) + np.sum(likelihood(p, d))


def model_types():
    vector = Type("float64", 1)
    return {"mu": Type("float64"), "tau": Type("float64"), "eta": vector, "z": Type("int64", 1)}, dict(
        y=vector, sigma=vector
    )


Parameters = namedtuple("Parameters", ["mu", "tau", "eta", "z"])
Gradients = namedtuple("Gradients", ["mu", "tau", "eta"])
Data = namedtuple("Data", ["y", "sigma"])
POINT = Parameters(1.0, 2.0, np.linspace(-1.0, 1.0, 8), np.arange(3))
DATA = Data(**SCHOOLS)


def empty_gradients():
    return Gradients(np.zeros(()), np.zeros(()), np.zeros(8))


@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 0.0), (0.0, 2.0), (0.5, 3.0)])
def test_terms_are_weighted(weights):
    generated = derive(*model_types(), prior=prior, terms={"y": likelihood})
    assert not generated.warnings
    grad = empty_gradients()
    value = plain_function(generated)(POINT, DATA, grad, np.array(weights))

    def weighted(x, p, d):
        q = Parameters(x[0], x[1], x[2:], POINT.z)
        return weights[0] * prior(q, DATA) + weights[1] * np.sum(likelihood(q, DATA))

    x = np.concatenate([[1.0, 2.0], POINT.eta])
    np.testing.assert_allclose(value, weighted(x, None, None))
    for k in range(10):
        e = np.zeros(10)
        e[k] = 1e-5
        difference = (weighted(x + e, None, None) - weighted(x - e, None, None)) / 2e-5
        found = [grad.mu, grad.tau, *grad.eta][k]
        np.testing.assert_allclose(found, difference, rtol=1e-6, atol=1e-8)


def test_gradient_is_added():
    generated = derive(*model_types(), logp=logp)
    once, twice = empty_gradients(), empty_gradients()
    run = plain_function(generated)
    run(POINT, DATA, once, np.ones(1))
    run(POINT, DATA, twice, np.ones(1))
    run(POINT, DATA, twice, np.ones(1))
    for a, b in zip(once, twice, strict=True):
        np.testing.assert_allclose(2.0 * a, b)


def test_outside_the_support():
    generated = derive(*model_types(), prior=prior, terms={"y": likelihood})
    outside = POINT._replace(tau=-1.0)
    run = plain_function(generated)
    assert run(outside, DATA, empty_gradients(), np.ones(2)) == -math.inf
    # A prior of weight 0 does not count, whatever it is.
    assert math.isfinite(run(outside, DATA, empty_gradients(), np.array([0.0, 1.0])))


def test_value_and_grad_of_named_tuples():
    value, gradient = plain_value_and_grad(logp, POINT._replace(z=None), DATA)
    np.testing.assert_allclose(value, logp(POINT, DATA))
    assert isinstance(gradient, Parameters)
    assert isinstance(gradient.mu, float)
    assert gradient.eta.shape == (8,)


def test_flat_function():
    def f(x, data):
        return np.sum(x * data[0]) ** 2 + data[1] * x[0]

    generated = derive_flat(f, [Type("float64", 1), Type("int64")])
    grad = np.ones(2)
    value = plain_function(generated)(np.array([1.0, 2.0]), grad, (np.array([3.0, 4.0]), 5))
    assert value == 126.0
    np.testing.assert_allclose(grad, [1.0 + 2 * 11 * 3 + 5, 1.0 + 2 * 11 * 4])


def test_pullback():
    def bound(p, d):
        return d.y * p.tau + p.mu**2

    generated = derive_pullback(bound, *model_types(), Type("float", 1))
    bar = np.arange(8.0)
    grad = empty_gradients()
    plain_function(generated)(POINT, DATA, bar, grad)
    np.testing.assert_allclose(grad.tau, bar @ DATA.y)
    np.testing.assert_allclose(grad.mu, 2.0 * bar.sum())


def test_pullback_of_a_number():
    def bound(p, d):
        return np.exp(p.mu) * p.tau

    grad = empty_gradients()
    plain_function(derive_pullback(bound, *model_types(), Type("float")))(POINT, DATA, 3.0, grad)
    np.testing.assert_allclose([grad.mu, grad.tau], [6.0 * math.e, 3.0 * math.e])


def test_pullback_of_what_broadcasts():
    def row(p, d):
        return d.y * p.tau

    bar = np.arange(16.0).reshape(2, 8)
    grad = empty_gradients()
    plain_function(derive_pullback(row, *model_types(), Type("float", 2)))(POINT, DATA, bar, grad)
    np.testing.assert_allclose(grad.tau, np.sum(bar * DATA.y))

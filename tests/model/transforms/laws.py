"""Laws that every transform obeys, as functions that raise AssertionError where one is broken."""

import math

import numpy as np
from scipy import special


def flat_size(support):
    return math.prod(support.shape)


def forward(function, support, u):
    x = np.full(flat_size(support), np.nan)
    with np.errstate(all="ignore"):
        log_jacobian = function(np.array(u, float), x, support.constants.copy())
    return x, log_jacobian


def pullback(function, support, u, x, grad_x):
    grad_u = np.full(support.size, np.nan)
    with np.errstate(all="ignore"):
        function(np.array(u, float), x, support.constants.copy(), grad_x, grad_u)
    return grad_u


def free(support, x):
    """Pick the elements of a value that determine the others."""
    value = x.reshape(support.shape)
    k = support.shape[-1] if support.shape else 0
    if support.name == "simplex":
        return value[..., :-1].ravel()
    if support.name == "cholesky_corr":
        return value[..., *np.tril_indices(k, -1)].ravel()
    if support.name == "covariance":
        return value[..., *np.tril_indices(k)].ravel()
    return x


def sensitivity(function, support, u, x, grad_x):
    grad_bounds = np.full(len(support.constants) // flat_size(support) * flat_size(support), np.nan)
    with np.errstate(all="ignore"):
        function(np.array(u, float), x, support.constants.copy(), grad_x, grad_bounds)
    return grad_bounds


def derivative(function, u, step=1e-5):
    """Differentiate by central differences of fourth order: one column for each coordinate."""
    columns = []
    for i in range(len(u)):
        e = np.zeros(len(u))
        e[i] = step
        columns.append(
            (8.0 * (function(u + e) - function(u - e)) - (function(u + 2 * e) - function(u - 2 * e))) / (12.0 * step)
        )
    return np.stack(columns, axis=-1)


def log_jacobian_is_the_log_determinant(function, support, u):
    jacobian = derivative(lambda v: free(support, forward(function, support, v)[0]), u)
    expected = np.linalg.slogdet(jacobian)[1]
    assert abs(forward(function, support, u)[1] - expected) < 1e-7 * (1.0 + abs(expected))


def every_direction_has_equal_mass(function, support, direction):
    """Integrate the density of the coordinates along a ray of the sphere: a chi distribution's constant."""
    k = support.shape[-1]
    radius, weight = np.polynomial.legendre.leggauss(80)
    radius, weight = 6.0 * (radius + 1.0), 6.0 * weight
    mass = 0.0
    for r, w in zip(radius, weight, strict=True):
        x, log_density = forward(function, support, r * direction - 1.0)
        np.testing.assert_allclose(x, direction, rtol=0.0, atol=1e-12)
        mass += w * r ** (k - 1) * math.exp(log_density)
    assert abs(mass / (2.0 ** (k / 2 - 1) * special.gamma(k / 2)) - 1.0) < 1e-10


def pullback_is_the_gradient(function, back, support, u, rng):
    """Compare with finite differences of a linear and quadratic function of the value plus log|J|."""
    n = flat_size(support)
    linear, quadratic = rng.normal(size=n), rng.normal(size=(n, n))

    def logp(v):
        x, log_jacobian = forward(function, support, v)
        return linear @ x + 0.5 * x @ quadratic @ x + log_jacobian

    x, _ = forward(function, support, u)
    grad_u = pullback(back, support, u, x, linear + 0.5 * (quadratic + quadratic.T) @ x)
    np.testing.assert_allclose(grad_u, derivative(logp, u), rtol=1e-7, atol=1e-7)


def settled_constants_are_those_of_fixed_bounds(settle, support):
    """Fill in the bounds alone: what is left out must come out as in a support whose bounds are numbers."""
    n = len(support.constants) // flat_size(support) * flat_size(support)
    constants = np.full(support.constants.size, np.nan)
    constants[:n] = support.constants[:n]
    with np.errstate(all="ignore"):
        assert settle(constants)
    if support.transform == "interval":
        a, b = constants[:n].reshape(2, -1)
        np.testing.assert_allclose(constants[n:], np.log(b - a).sum(), rtol=1e-14, atol=1e-14)


def sensitivity_is_the_gradient_by_the_bounds(forward_function, settle, function, support, u, rng):
    """Compare with finite differences of a linear and quadratic function of the value plus log|J|."""
    n = flat_size(support)
    linear, quadratic = rng.normal(size=n), rng.normal(size=(n, n))

    def logp(bounds):
        constants, x = np.full(support.constants.size, np.nan), np.empty(n)
        constants[: bounds.size] = bounds
        with np.errstate(all="ignore"):
            assert settle(constants)
            log_jacobian = forward_function(np.array(u, float), x, constants)
        return linear @ x + 0.5 * x @ quadratic @ x + log_jacobian

    x, _ = forward(forward_function, support, u)
    found = sensitivity(function, support, u, x, linear + 0.5 * (quadratic + quadratic.T) @ x)
    wanted = derivative(logp, support.constants[: found.size])
    np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-7 * (1.0 + np.abs(wanted).max()))

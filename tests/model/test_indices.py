"""Indices that leave their array: the user's IndexError, from every piece of a model that runs compiled."""

import functools

import numba
import numpy as np
import pytest

import nbinfer.model as nb
from nbinfer.compile import address_of

A = np.arange(3.0)


@numba.njit
def taken(a, i):
    return a[i]


def deeper(a, i):
    return taken(a, i)


def index(p, d, which):
    """Twice the first element, where `which` asks for it; it is 4 outside."""
    return int(2.0 * abs(p.x[0])) if d.which == which else 0


def logp(p, d):
    w = np.zeros(3)
    total = -0.5 * np.sum(p.x**2) + d.a[index(p, d, 0)] + d.a[-1 - index(p, d, 1)] + np.sum(d.M[:, index(p, d, 2)])
    w[index(p, d, 3)] = p.x[1]
    w[index(p, d, 4)] += 1.0
    total += np.sum(w) + deeper(d.a, index(p, d, 5)) + np.sum(d.M[index(p, d, 6)])
    for i in range(index(p, d, 7)):
        total += d.a[i]
    if index(p, d, 8) > 3:
        for i in range(d.g.shape[0]):
            total += d.a[d.g[i]]
    return total + d.a[p.k]


def without_derivative(p, d):
    """The same kinds where the gradient is one of differences."""
    square = np.sum(p.x**2) + 0.0 * np.median(p.x)
    return (
        -0.5 * square + d.a[index(p, d, 0)] + d.a[np.argmax(p.x) + index(p, d, 1)] + np.sum(d.a[d.g[: index(p, d, 2)]])
    )


def logp_grad(p, d, grad):
    for i in range(p.x.size):
        grad.x[i] -= p.x[i]
    grad.x[index(p, d, 1)] += 0.0
    return -0.5 * np.sum(p.x**2) + 0.0 * d.a[index(p, d, 0)]


def flat(x, data):
    return -0.5 * np.sum(x**2) + data[int(2.0 * abs(x[0]))]


def of_row(p, d):
    return d.a[index(p, d, 3)]


def of_element(p, d, i):
    return -0.5 * p.x[i] ** 2 + 0.0 * d.a[index(p, d, 4)]


def bound_of_b(p, d):
    return -5.0 + 0.0 * d.a[index(p, d, 2)]


def bounded_logp(p, d):
    return -0.5 * np.sum(p.x**2) - 0.5 * p.b**2


DATA = {"a": A, "M": np.ones((3, 3)), "g": np.array([0, 1, 2, 3]), "which": 0}
X, INSIDE, OUTSIDE = nb.real(3), np.array([0.3, 0.1, 0.2]), np.array([2.0, 0.1, 0.2])


@functools.cache
def density():
    return nb.Model({"x": X, "k": nb.integer(0, 9)}, logp=logp, data=DATA)


def assert_raises(bound, call, q, discrete=None):
    """Assert that a call fails, and that the failing point raises in plain Python."""
    assert call(q) == -np.inf
    failed = bound.failure(bound.chains)
    np.testing.assert_array_equal(failed, q)
    with pytest.raises(IndexError):
        bound.replay(failed, discrete=discrete)
    bound.clear_failure(bound.chains)


@pytest.mark.parametrize("which", range(9))
def test_density_and_gradient(which):
    density().set_data(which=which)
    bound = density().bind()
    gradient = lambda q: bound.value_and_grad(q)[0]  # noqa: E731
    value = lambda q: bound._by_terms.entry("value")(*arguments(bound, q), 0, bound.context(1))  # noqa: E731
    for call in (gradient, value):
        assert np.isfinite(call(INSIDE))
        assert_raises(bound, call, OUTSIDE)


def arguments(bound, q):
    return bound.dim, address_of(q)


def test_discrete_value():
    density().set_data(which=-1)
    bound = density().bind()
    outside = np.array([7])
    assert_raises(bound, lambda q: bound.value(q, outside), INSIDE, outside)
    assert np.isfinite(bound.value(INSIDE, np.array([2])))


@pytest.mark.parametrize("which", range(3))
def test_differences_and_rows_and_elements(which):
    model = nb.Model({"x": X}, logp=without_derivative, data=DATA | {"which": which})
    bound = model.bind()
    assert bound.has_gradient == "finite differences"
    assert np.isfinite(bound.value(INSIDE))
    assert_raises(bound, bound.value, OUTSIDE)


@pytest.mark.either
def test_written_gradient_row_element_and_bound():
    pieces = {"derived": {"row": of_row}, "conditional": of_element}
    bounded = {"x": X, "b": nb.lower(bound_of_b)}
    model = nb.Model({"x": X}, logp_grad=logp_grad, data=DATA, derived=pieces["derived"])
    for which in (0, 1):
        model.set_data(which=which)
        bound = model.bind()
        assert np.isfinite(bound.value(INSIDE))
        assert_raises(bound, bound.value, OUTSIDE)
    model.set_data(which=3)
    bound = model.bind()
    row = np.zeros(bound.row_size)
    record = bound._code.entry("record")
    assert record(*arguments(bound, INSIDE), address_of(row), bound.context(1)) == 0
    assert_raises(bound, lambda q: -np.inf * record(*arguments(bound, q), address_of(row), bound.context(1)), OUTSIDE)
    model = nb.Model(bounded, logp=bounded_logp, data=DATA | {"which": 2})
    bound = model.bind()
    assert np.isfinite(bound.value(np.append(INSIDE, 0.0)))
    assert_raises(bound, bound.value, np.append(OUTSIDE, 0.0))


def test_flat_density():
    bound = nb.Model.flat(flat, 3, A).bind()
    for call in (bound.value, lambda q: bound.value_and_grad(q)[0]):
        assert np.isfinite(call(INSIDE))
        assert_raises(bound, call, OUTSIDE)


@pytest.mark.parametrize("place", ["likelihood", "behind a guard", "njit helper"])
def test_index_from_data_is_refused_where_the_model_is_bound(place):
    def term(p, d):
        if place == "njit helper":
            return p.x[0] + np.sum(d.g) * taken(d.a, d.g[2])
        if place == "behind a guard" and p.x[0] <= 0.0:
            return -np.inf
        return np.sum(p.x[d.g])

    model = nb.Model({"x": X}, logp=term, data={"a": A, "g": np.array([0, 1, 3])})
    with pytest.raises(IndexError):
        model.bind()
    model.set_data(g=np.array([0, 1, 2]))
    model.bind()

"""Loops that read elements beside each other: what is due to the next one is passed on in a number."""

import numpy as np
import pytest

from nbinfer.autodiff import value_and_grad
from nbinfer.distributions import normal
from tests.autodiff.plain import assert_differentiates, source_of

X = np.random.default_rng(9).normal(size=7)


def views(x):
    return normal.logpdf(x[0], 0.0, 1.0) + np.sum(normal.logpdf(x[1:], 0.9 * x[:-1], 0.4))


def elements(x):
    lp = x[0] * 0.5
    for t in range(1, x.shape[0]):
        lp -= (x[t] - 0.7 * x[t - 1]) ** 2
    return lp


def two_apart(x):
    return -np.sum((x[2:] - 2.0 * x[1:-1] + x[:-2]) ** 2) - np.sum(x[2:] ** 2 * x[:-2])


def of_an_expression(x):
    h = np.exp(0.3 * x)
    lp = 0.0
    for t in range(h.shape[0] - 1):
        lp += np.sin(h[t + 1] - h[t]) * h[t]
    return lp


def parts_of_a_part(x):
    tail = x[1:]
    return np.sum(tail[1:] * np.sin(tail[:-1]) * x[2:])


def in_a_loop(x):
    lp = 0.0
    for k in range(3):
        for t in range(1, x.shape[0] - k):
            lp += x[k] * np.sin(x[t] * x[t - 1])
    return lp


def far_apart(x):
    lp = 0.0
    for t in range(3, x.shape[0]):
        lp += x[t] * x[t - 3]
    return lp


def from_the_end(x):
    """Elements whose distance is not what their indices say."""
    lp = 0.0
    for t in range(x.shape[0]):
        lp += np.sin(x[t] - x[t - 1])
    return lp


def downwards(x):
    lp = 0.0
    for t in range(x.shape[0] - 2, -1, -1):
        lp += x[t] * np.sin(x[t + 1])
    return lp


def with_a_step(x):
    return np.sum(x[1::2] * np.sin(x[:-1:2])) + np.sum(x[::-1] * x)


PASSED_ON = [views, elements, two_apart, of_an_expression, parts_of_a_part, in_a_loop]
OTHERS = [far_apart, from_the_end, downwards, with_a_step]


@pytest.mark.either
@pytest.mark.parametrize("f", [*PASSED_ON, *OTHERS], ids=lambda f: f.__name__)
def test_gradient(f):
    for x in (X, X[:3], X[:2]) if f not in (two_apart, parts_of_a_part, in_a_loop) else (X, X[:3]):
        if f is not with_a_step or x.size != 3:
            assert_differentiates(f, x)


@pytest.mark.parametrize("f", PASSED_ON, ids=lambda f: f.__name__)
def test_what_is_due_to_neighbours_is_passed_on(f):
    assert "near_" in source_of(f, X)


@pytest.mark.parametrize("f", OTHERS, ids=lambda f: f.__name__)
def test_loops_of_another_kind_add_to_each_element(f):
    assert "near_" not in source_of(f, X)


def test_one_element_is_no_sequence():
    assert_differentiates(elements, X[:1])
    assert_differentiates(views, X[:1])


@pytest.mark.nojit
def test_compiled_code_passes_on():
    def f(x):
        return views(x) + two_apart(x) * in_a_loop(x) + of_an_expression(x)

    vg = value_and_grad(f)
    for x in (X, X[:3]):
        np.testing.assert_allclose(vg(x)[1], assert_differentiates(f, x), rtol=1e-12)

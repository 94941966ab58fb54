"""What is dear is computed once, and kept where there is memory anyway."""

import math
import re

import numpy as np
import pytest

from nbinfer.autodiff import value_and_grad
from tests.autodiff.plain import assert_differentiates, source_of

X6 = np.linspace(-0.6, 0.7, 6)


def kernel_matrix(x, n):
    K = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            K[i, j] = math.exp(-x[1] * (x[i] - x[j]) ** 2)
    return np.log(np.sum(K @ K))


def forward_algorithm(x, n):
    a = np.zeros(2)
    b = np.zeros(2)
    for t in range(n):
        for k in range(2):
            total = 0.0
            for q in range(2):
                total += math.exp(a[q] + x[t])
            b[k] = math.log(total) - x[k] ** 2
        for k in range(2):
            a[k] = b[k]
    return a[0] * a[1]


def triangle(x, n):
    K = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            K[i, j] = math.exp(x[i] * x[j])
    return math.log(np.sum(K))


def in_a_branch(x, n):
    h = np.empty(n)
    for t in range(2, 2 * n + 2, 2):
        if x[t // 2 - 1] > 0.0:
            h[t // 2 - 1] = math.sin(math.exp(x[0] * t)) ** 2
        else:
            h[t // 2 - 1] = x[t // 2 - 1]
    return np.sum(h) ** 2


def of_its_own_result(x, n):
    h = np.empty(n + 1)
    h[0] = x[0]
    for t in range(n):
        h[t + 1] = math.exp(math.tanh(h[t] * x[t]))
    return h[n] ** 2


def without_arrays(x, n):
    lp = 0.0
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += math.exp(x[i] * x[j])
        lp += math.log(total)
    return lp


PROGRAMS = [kernel_matrix, forward_algorithm, triangle, in_a_branch, of_its_own_result, without_arrays]


@pytest.mark.either
@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_derivatives(f):
    for n in (6, 1) if f in (kernel_matrix, triangle) else (6, 1, 0):  # there is no logarithm of nothing
        assert_differentiates(f, X6, n)


def exponentials(source):
    """Count them, by whatever name."""
    return len(re.findall(r"\w*exp\(", source))


@pytest.mark.parametrize(
    ("f", "loops"),
    [(kernel_matrix, "i, j"), (forward_algorithm, "t, k, q"), (of_its_own_result, "t")],
)
def test_an_exponential_is_computed_once(f, loops):
    both = value_and_grad(f)
    source = both.derive(X6, 6).source
    assert exponentials(source) == 1
    assert f"exp: taped, computed once per iteration of the loop over {loops}" in both.explain()


def test_a_loop_of_changing_length_keeps_nothing():
    assert exponentials(source_of(triangle, X6, 6)) == 2
    assert "tape_" not in source_of(triangle, X6, 6)


def test_a_program_without_arrays_is_given_none():
    assert "np." not in source_of(without_arrays, X6, 6)


def test_tapes_are_made_before_the_loops_that_do_not_change_their_size():
    def f(x, n):
        lp = 0.0
        for _ in range(n):
            largest = -math.inf
            for j in range(n):
                v = x[j] * x[j]
                if v > largest:
                    largest = v
            lp += math.log(1.0 + largest)
        return lp

    source = source_of(f, X6, 6)
    assert "    tape_largest = _empty(arena, max(n, 0), np.float64)\n    for " in source
    assert_differentiates(f, X6, 6)

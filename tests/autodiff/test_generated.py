"""What is generated: one loop where one will do, no copy and no memory that can be spared, the same text each time."""

import linecache
import math
import re

import numpy as np
import pytest

from nbinfer.autodiff import Type, value_and_grad
from nbinfer.autodiff.compiled import plain_function
from nbinfer.autodiff.program import Leaf, Term, generate
from nbinfer.vectormath import log1pexp
from tests.autodiff.plain import assert_differentiates, plain_value_and_grad, source_of
from tests.autodiff.test_programs import f_gathers, f_index_guarded, f_overwritten_state

RNG = np.random.default_rng(3)
X6 = RNG.normal(size=6) * 0.7


def logistic(beta, X, y):
    eta = X @ beta
    return np.sum(y * eta - log1pexp(eta)) - 0.5 * np.sum(beta**2)


def logistic_by_parts(beta, X, y):
    return np.sum(y * (X @ beta) - np.log(1.0 + np.exp(X @ beta)))


def test_logistic_regression_is_two_products_and_one_loop():
    X, y = RNG.normal(size=(21, 3)), (RNG.uniform(size=21) < 0.5) * 1.0
    assert_differentiates(logistic, RNG.normal(size=3), X, y)
    source = source_of(logistic, np.zeros(3), X, y)
    assert (source.count("_matvec("), source.count("_matvec_reverse("), source.count("for ")) == (
        1,
        1,
        2,
    )  # and the prior
    assert "_log1pexp(" in source
    assert "_expit(" in source


@pytest.mark.parametrize("f", [logistic, logistic_by_parts])
def test_a_thread_among_many_allocates_nothing(f):
    leaves = (Leaf(Type("float", 1), "beta", "grad"), Leaf(Type("float", 2), "X"), Leaf(Type("float", 1), "y"))
    generated = generate("f", "beta, X, y, grad", [Term("logistic", f, leaves)], vectors=False)
    assert "np." not in generated.source
    assert not {"_matvec", "_empty", "_zeros_like"} & set(generated.globals)
    beta, X, y, grad = np.array([0.2, -0.3, 1.0]), RNG.normal(size=(20, 3)), np.arange(20) % 2 * 1.0, np.zeros(3)
    value, gradient = plain_value_and_grad(f, beta, X, y)
    assert plain_function(generated)(beta, X, y, grad) == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(grad, gradient, rtol=1e-13)


COUNTY = np.array([0, 2, 2, 1, 0, 2])


def multilevel(x, county, y, scale):
    return np.sum(y * x[county] - np.exp(x[county]) * scale[county, 0])


def test_gathers_leave_loops_that_call_functions():
    data = (COUNTY, X6, np.array([[1.3], [0.7], [2.1]]))
    assert_differentiates(multilevel, np.array([0.3, -0.2, 0.5]), *data)
    assert_differentiates(multilevel, np.array([0.3, -0.2, 0.5]), COUNTY[:0], X6[:0], data[2])
    source = source_of(multilevel, np.zeros(3), *data)
    (loop,) = re.findall(r"    for \w+ in range\(.*\):\n((?:        .*\n)*?.*_exp.*\n(?:        .*\n)*)", source)
    assert "x_bar[" not in loop  # it adds to arrays of its own, element by element
    assert "x[" not in loop
    assert re.search(r"    x_bar\[county\[(\w+)\]\] \+= late_x_county_i\[\1\]", source)


def test_gathers_by_what_the_function_writes_stay():
    def f(x, county, y):
        place = np.zeros(6, dtype=np.int64)
        for i in range(6):
            place[i] = 2 - county[i]
        lp = 0.0
        for i in range(6):
            lp += y[i] * math.exp(x[place[i]])
            place[5 - i] = 0
        return lp

    assert_differentiates(f, np.array([0.3, -0.2, 0.5]), COUNTY, X6)
    assert "late_" not in source_of(f, np.zeros(3), COUNTY, X6)


def test_sums_in_one_expression_allocate_nothing():
    def f(x):
        return np.sum(np.log(1.0 + x * x)) - 0.5 * np.sum(x**2) + np.sum(np.outer(x, x) @ x)

    assert "np." not in source_of(f, X6)


def test_deferred_sum_runs_its_loop_once():
    def f(x):
        lp = 0.0
        for i in range(x.shape[0]):
            lp += math.sin(x[i]) * x[i]
        return lp

    assert source_of(f, X6).count("for ") == 1


@pytest.mark.either
def test_long_sums():
    text = "def f(x):\n    lp = 0.0\n" + "    lp += x[0] * x[1]\n" * 1500 + "    return lp\n"
    linecache.cache["<long>"] = (len(text), None, text.splitlines(True), "<long>")
    names = {}
    exec(compile(text, "<long>", "exec"), names)
    np.testing.assert_allclose(plain_value_and_grad(names["f"], np.array([2.0, 3.0]))[1], [4500.0, 3000.0])


def test_same_text_each_time():
    first = source_of(f_gathers, X6, 6)
    assert first == source_of(f_gathers, X6, 6)
    assert first == value_and_grad(f_gathers).derive(X6 * 2.0, 6).source


def test_unit_axes_broadcast():
    def f(x, y):
        return np.sum((x - y) ** 2)

    assert_differentiates(f, np.array([0.3]), RNG.normal(size=4))
    assert_differentiates(f, RNG.normal(size=(3, 1)), RNG.normal(size=(3, 4)))


def test_shapes_are_checked_when_the_program_runs():
    def f(x, y):
        return np.sum(x * y)

    with pytest.raises(ValueError, match="shapes do not fit"):
        plain_value_and_grad(f, np.ones(3), np.ones(2))


def test_arguments_with_names_of_ours():
    def f(total, value, weight_0):
        return total * value + weight_0 * total**2

    assert_differentiates(f, 0.3, 2.0, 0.7)


def larger(a, b):
    return max(math.sin(a), b)


def test_arguments_with_names_of_generated_code():
    def f(x, x_grad, x_bar, range, max, np):
        lp = 0.0
        for i in (0, 1):
            lp += larger(x[i] * x_grad, max) * x_bar + range * np
        return lp

    assert_differentiates(f, X6, 0.3, 2.0, 0.7, 0.1, 0.2)


def test_recurrence_over_an_array_copies_nothing():
    assert "saved_" not in source_of(f_index_guarded, X6, 6)
    assert "tape_h" not in source_of(f_index_guarded, X6, 6)
    assert "tape_a" in source_of(f_overwritten_state, X6, 6)


def f_rows(x, n):
    P = np.empty((n, 3))
    P[0] = x[:3]
    for t in range(1, n):
        P[t] = np.tanh(P[t - 1] * x[t]) + P[t - 1, 0]
    return np.sum(P * P)


def test_recurrence_over_rows_copies_nothing():
    assert_differentiates(f_rows, X6, 6)
    assert "saved_" not in source_of(f_rows, X6, 6)
    assert "tape_P" not in source_of(f_rows, X6, 6)


def f_elements_apart(x, n):
    a, B = np.copy(x), np.outer(x, x)
    for i in range(n):
        a[i] = math.sin(a[i]) * x[0]
        B[i] *= np.cos(B[i]) + a[i]
    a[1:] *= np.sin(a[1:])
    a *= a
    return np.sum(a * x) + np.sum(B * B)


def test_elements_that_iterations_do_not_share_are_copied_once():
    assert_differentiates(f_elements_apart, X6, 6)
    lines = source_of(f_elements_apart, X6, 6).splitlines()
    made = [line for line in lines if "tape_" in line and "tape_v" not in line]  # numbers are taped, not memory
    assert not any("max(" in line for line in made)  # no copy for each iteration
    assert "max(" in source_of(f_overwritten_state, X6, 6)


def elements_of_their_own(x, y):
    z = np.zeros(6)
    z[::2] = x[0] * y[::2]
    for i in range(6):
        z[i] += x[i] * y[i]
    z[y > 0.0] = x[1]
    return np.sum(np.sin(z) * y)


def elements_passed_on(x, y):
    z = x * y
    for i in range(1, 6):
        z[i] += z[i - 1] * x[i]
    return np.sum(z * z)


@pytest.mark.parametrize(("f", "upward"), [(elements_of_their_own, True), (elements_passed_on, False)])
def test_loops_are_reversed_where_their_order_counts(f, upward):
    y = np.array([0.4, -0.2, 1.3, 0.7, -1.1, 0.2])
    assert_differentiates(f, X6, y)
    assert ("- 1, -1, -1)" not in source_of(f, X6, y)) == upward


def steps(x, y):
    z, i = 0.3, 0
    while i < 6 and z < 5.0:
        z = z * x[i] + y[i]
        i += 1
    return z


def test_tapes_of_a_loop_of_unknown_length_grow_together():
    assert_differentiates(steps, X6, X6**2)
    source = source_of(steps, X6, X6**2)
    assert source.count("= _grown(") > 1
    assert len(re.findall(r"if \w+ == tape_\w+\.shape\[0\]:", source)) == 1


def gathered(x, group):
    return np.sum(x[group] ** 2)


def test_checks_of_positions_take_no_branches():
    group = np.array([0, 5, -6, 2])
    assert_differentiates(gathered, X6, group)
    assert not re.search(r"\b(and|or)\b", source_of(gathered, X6, group))
    with pytest.raises(IndexError):
        plain_value_and_grad(gathered, X6, np.array([0, 6]))

"""Programs at the edges of the subset, against finite differences; the generated code runs as plain Python."""

import linecache
import math
import re
from collections import namedtuple

import numpy as np
import pytest

from nbinfer.autodiff import Type, value_and_grad
from nbinfer.autodiff.compiled import plain_function
from nbinfer.autodiff.derive import derive, derive_flat, derive_pullback
from nbinfer.autodiff.program import Leaf, Term, generate
from nbinfer.distributions import half_cauchy, normal
from nbinfer.vectormath import log1pexp
from tests.autodiff.plain import assert_differentiates, plain_value_and_grad, source_of

RNG = np.random.default_rng(3)
X6 = RNG.normal(size=6) * 0.7
M43 = RNG.normal(size=(4, 3))
WEIGHTS = np.array([0.5, -1.0, 2.0])
SCALE = 1.7


def guarded(x, s):
    if s <= 0.0:
        return -math.inf
    return -x * x / s - math.log(s)


def f_nested_loops(x, n):
    s = 0.0
    for i in range(n):
        a = x[0]
        for j in range(i + 1):
            a = math.sin(a) * x[1] + x[j % 3]
        s += a * a
    return s


def f_two_carried(x, n):
    a, b, lp = x[0], x[1], 0.0
    for _ in range(n):
        a, b = b, a * x[2] + math.cos(b)
        if a > 0.3:
            lp += a * b
        else:
            lp -= math.exp(-a)
    return lp * 0.5


def f_inlined_guard(x, n):
    lp = 0.0
    for i in range(n):
        lp += guarded(x[i], math.exp(x[0]))
    return lp


def f_overwritten_state(x, n):
    a = np.zeros(3)
    for k in range(3):
        a[k] = x[k]
    for _ in range(n):
        for k in range(3):
            a[k] = math.tanh(a[k] * x[k] + a[(k + 1) % 3])
    return a[0] * a[1] + a[2] ** 3


def f_overwritten_after_use(x, n):
    a = np.empty(n)
    for i in range(n):
        a[i] = x[i] ** 2
    s = 0.0
    for i in range(n):
        s += math.exp(a[i] * 0.1)
    for i in range(n):
        a[i] = a[i] * x[0]
    for i in range(n):
        s += math.sin(a[i])
    return s


def f_rows_overwritten_in_an_inner_loop(x, n):
    a = np.zeros(n)
    s = 0.0
    for i in range(n):
        for j in range(3):
            a[i] = x[j] * x[i] + 0.1 * j
            for _ in range(2):
                s += a[i] ** 2
    return s


def f_recurrence_along_rows(x, n):
    P = np.empty((3, n))
    for i in range(3):
        P[i, 0] = x[i]
        for k in range(1, n):
            P[i, k] = math.tanh(P[i, k - 1] * x[k])
    return np.sum(P * P)


def f_inactive_store_clears(x, n):
    a = np.zeros(2)
    s = 0.0
    for i in range(n):
        a[0] = x[i]
        s += a[0] ** 2
        a[0] = 1.0
        s += a[0] * x[0]
    return s


def f_early_return_of_a_helper(x, n):
    return guarded(x[0], n - 10.0) if n > 20 else guarded(x[0], n + 0.0)


def f_returns_in_branches(x, n):
    y = x[0] * x[1]
    if y > 100.0:
        return y
    elif y > 50.0:
        return -y
    z = y**3 + x[2]
    return z if z > 0 else -z


def f_guard(x, n):
    if x[0] > 1e6:
        return -np.inf
    return math.log(x[0] ** 2 + 1.0) * x[1]


def f_continue(x, n):
    s = 0.0
    for i in range(n):
        if i == 1:
            continue
        if x[i] > 0.0:
            s += x[i] ** 3
            continue
        s -= x[i] * x[0]
    return s


def f_loops_backwards(x, n):
    s = 0.0
    h = np.empty(n)
    h[n - 1] = x[n - 1]
    for k in range(n - 2, -1, -1):
        h[k] = x[k] * h[k + 1] + math.sin(h[k + 1])
    for k in range(4, 0, -2):
        s = s * x[k] + h[k]
    return s


def f_loop_that_never_runs(x, n):
    s = x[1]
    for i in range(n, n):
        s += x[0] * x[i]
    for _ in range(3, 0):
        s = s * s
    return s


def f_loop_over_a_tuple(x, n):
    s = 1.0
    for t in (x[0], x[1] ** 2, 3.0):
        s = s * t + t
    return s


def f_integers_carried(x, n):
    count, s = 0, 0
    for i in range(n):
        if i % 2 == 0:
            count += 1
            s += x[count] * count
        else:
            s += x[0] ** 2
    return s


def f_result_used_twice(x, n):
    lp = 0.0
    for i in range(n):
        lp += x[i] ** 2
    return lp + math.exp(-lp)


def f_array_in_a_loop(x, n):
    lp = 0.0
    for t in range(n):
        a = np.empty(3)
        for k in range(3):
            a[k] = x[k] * t + x[t % 5]
        lp += math.log(np.sum(np.exp(0.1 * a)))
    return lp


def f_accumulates(x, n):
    e = np.zeros(4)
    where = np.array((0, 1, 1, 3, 2, 0))
    for i in range(n):
        e[where[i]] += x[i] * x[0]
        e[0] -= x[i]
    return np.sum(e**2)


def f_grows_in_a_loop(x, n):
    mean = x[0] * M43[:, 0]
    for k in range(1, 3):
        mean += x[k] * M43[:, k]
    for k in range(2):
        mean *= x[k]
    return np.sum(mean**2)


def f_writes_to_an_expression(x, n):
    y = x * 2.0
    y[0] = y[1] * y[2]
    y[3:] -= x[0]
    z = M43 @ x[:3]
    for i in range(4):
        z[i] *= y[i]
    return np.sum(y**2) + np.sum(z)


def f_unusual_names(x, n):
    value, total, weight_0, math_, sum_ = x[0], x[1], x[2], x[3], x[4]
    tape_h = np.zeros(3)
    for index in range(3):
        tape_h[index] = value * total
        value = math.sin(value)
    return value * weight_0 + math_ * sum_ + np.sum(tape_h)


def f_index_wraps(x, n):
    a = x * 1.0
    s = 0.0
    for t in range(n):
        s += a[t - 1] ** 2
        a[t] = x[t] * a[t - 1]
    return s


def f_index_guarded(x, n):
    h = np.empty(n)
    for t in range(n):
        if t == 0:
            h[t] = x[t]
        else:
            h[t] = math.tanh(h[t - 1] * x[t])
    return np.sum(h)


def f_kinds_settle(x, n):
    a, b, c = 0, 0, 0
    for i in range(n):
        c += b
        b += a
        a += x[i]
        c = c * b
    return c + a


def f_same_on_both_sides(x, n):
    if x[0] > 0.0:
        v, w = n, 1.0
    else:
        v, w = n, 1.0
    return v * x[1] * w


def f_views_share_memory(x, n):
    a = np.zeros((2, 3))
    b = a.T
    c = a[:, None, 1:]
    d = np.asarray(a)
    for i in range(3):
        a[0, i] = x[i]
    b[1, 1] = x[4] * x[0]
    c[0, 0, 1] += x[5]
    d[1, 2] = x[3] ** 2
    return np.sum(a**3) + np.sum(b @ x[:2]) + np.sum(c * x[:2]) * b[1, 1]


def f_slices(x, n):
    a = np.zeros(n)
    a[:] = x[:n] * 2.0
    a[1 : n - 1] += x[1 : n - 1] ** 2
    a[2:] *= x[0]
    a[1:] = a[:-1]
    a[-1] = x[-1] * x[-2]
    return np.sum(a * a)


def f_matrix_writes(x, n):
    a = np.zeros((3, 3))
    a[0] = x[:3]
    a[1, :] = x[:3] ** 2
    a[:, 2] += x[3:]
    a[1:, 0] *= 2.0
    return np.sum(a * a * a) + a[1][2] * a[0, -1]


def f_broadcasting(x, n):
    D = (x[:, None] - M43[None, :, 0]) ** 2
    return -np.sum(np.exp(-D)) + np.sum(M43 * x[:3]) ** 2


def f_where(x, n):
    v = x[0] * x
    return np.sum(np.where(v > 0.0, np.sqrt(np.abs(v)) * x[1], v * x[2]))


def f_where_spares_the_other_side(x, n):
    return np.sum(np.where(x > 0.0, np.log(x), x))


def f_gathers(x, n):
    group = np.array((0, 1, 1, 2))
    alpha = x[0] + x[1] * x[3:]
    rows = M43[group]
    return np.sum(alpha[group] ** 2) + np.sum(rows * x[:3]) + np.sum(M43[group, 1] * x[group]) + x[group][2]


def f_axes(x, n):
    y = M43 * x[:3]
    s = np.sum(np.sum(y, axis=1) ** 2) + np.sum(np.mean(y, axis=0) ** 3) + np.sum(y.T.sum(axis=-1) * x[3:])
    return s + np.sum(np.prod(y, axis=1)) + np.sum(np.max(y, axis=0) ** 2)


def f_reductions(x, n):
    return np.prod(x) + np.max(x) * np.min(x) + np.var(x) + np.std(x) + x.mean() + np.dot(x, x) + np.linalg.norm(x)


def f_running(x, n):
    return np.sum(np.cumsum(x) ** 2) + np.sum(np.cumprod(x) * x) + np.sum(np.diff(x) ** 2)


def f_joined(x, n):
    y = np.concatenate((x, np.exp(x[:2])))
    return np.sum(y**2) + np.sum(np.arange(n) * x) + np.sum(np.eye(3) * x[:3]) + np.sum(np.clip(x, -0.5, 0.5))


def f_made_arrays(x, n):
    a = np.full(n, 2.0)
    b = np.ones_like(x)
    c = np.zeros((n, 2))
    for i in range(n):
        a[i] *= x[i]
        c[i, i % 2] = x[i] ** 2
    b[0] = x[0]
    c2 = c.copy()
    c2[0, 0] = 3.0
    return np.sum(a * b) + np.sum(c2) + c.size * x[0] + c.shape[1] * x[1] + len(c) * x[2]


def f_globals(x, n):
    return np.sum(WEIGHTS * x[:3]) * SCALE + WEIGHTS[1] * x[5]


def f_views(x, n):
    w = x[2:5]
    s = 0.0
    for i in range(M43.shape[0]):
        s += np.tanh(np.dot(M43[i], w))
    return s + np.sum(w[1:] ** 3) + np.sum(x[::-1] * x) + np.sum(x[::2])


def f_logical(x, n):
    s = 0.0
    for i in range(n):
        if (i > 0 and x[i - 1] > 0.0) or not x[i] < 0.2:
            s += x[i] ** 2
        elif -1.0 < x[i] <= 0.0 and i != 3:
            s -= x[i]
    return s


def f_constant(x, n):
    return 3.0


def f_unused_array(x, n):
    z = np.empty(n)
    for i in range(n):
        z[i] = x[i] * 2.0
    return x[0] ** 2


def f_sum_nested_in_if(x, n):
    lp = 0.0
    for i in range(n):
        if x[i] > 0:
            for j in range(3):
                lp += x[i] * x[j]
        else:
            lp -= x[i] ** 2
    return lp


def f_means(x, n):
    return np.mean(M43 @ x[:3]) + np.log(np.mean(x**2))


PROGRAMS = [f for name, f in list(globals().items()) if name.startswith("f_")]


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_program(f):
    x = np.abs(X6) if f is f_returns_in_branches else X6
    with np.errstate(all="ignore"):
        assert_differentiates(f, x, 6)


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
    (loop,) = re.findall(r"    for i in range\(.*\):\n((?:        .*\n)*?.*_exp.*\n(?:        .*\n)*)", source)
    assert "x_bar[" not in loop  # it adds to arrays of its own, element by element
    assert "x[" not in loop
    assert "    x_bar[county[i]] += late_x_county_i[i]" in source


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


# Models ---------------------------------------------------------------------------------------------------------------

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

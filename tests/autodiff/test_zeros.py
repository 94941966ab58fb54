"""Derivatives at zero, at infinity and behind guards: what is there is returned, what is not there does no harm."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nbinfer as nb
from nbinfer import vectormath
from nbinfer.autodiff import linalg, value_and_grad
from nbinfer.distributions import normal
from nbinfer.vectormath import expit, logsumexp, select
from tests.autodiff.plain import plain_value_and_grad, source_of

INF, NAN = math.inf, math.nan
LOG2 = math.log(2.0)
TIMES = np.array([0.0, 1.0, 2.0])
WHOLE = np.array([0, 1, 2])

#: Name, function, first argument, gradient, other arguments.
CASES: list[tuple[str, Callable[..., Any], Any, Any, tuple[Any, ...]]] = []


def case(function: Callable[..., Any], x: Any, gradient: Any, *data: Any) -> None:
    name = function.__name__ if function.__name__ != "<lambda>" else f"line {function.__code__.co_firstlineno}"
    CASES.append((name, function, np.asarray(x, float), gradient, data))


def at(x: Any, gradient: Any, *data: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        case(function, x, gradient, *data)
        return function

    return mark


# Powers: in all spellings ---------------------------------------------------------------------------------------------

case(lambda x: x[0] ** 0, [0.0], [0.0])
case(lambda x: np.sum(x**0), [0.0], [0.0])
case(lambda x: np.power(x[0], 0), [0.0], [0.0])
case(lambda x: x[0] ** 0.0, [0.0], [0.0])
case(lambda x: x[0] ** 1 + x[0] ** 2.0 + x[0] ** 3 + np.square(x[0]) + x[0] ** 2.5, [0.0], [1.0])
case(lambda x: np.sum(x[0] ** np.arange(3)), [0.0], [1.0])
case(lambda x, k: np.sum(x[0] ** k), [0.0], [1.0], WHOLE)
case(lambda x, k: np.sum(x[0] ** k), [-0.0], [1.0], WHOLE)
case(lambda x, k: np.sum(x[0] ** k), [-2.0], [-3.0], WHOLE)
case(lambda x, k: np.sum(np.power(x[0], k)), [0.0], [1.0], WHOLE)
case(lambda x, k: np.sum(np.float_power(x[0], k)), [0.0], [1.0], WHOLE)
case(lambda x, k: pow(x[0], k) + math.pow(x[0], 2), [0.0], [1.0], 1)
case(lambda x, nu: np.sum(x[0] ** nu), [0.0], [1.0], TIMES)
case(lambda x, nu: x[0] ** nu, [0.0], [0.0], 0.0)
case(lambda x, b: x[0] ** (1 + b), [0.0], [0.0], True)
case(lambda x: 0.0 ** x[0], [1.7], [0.0])
case(lambda x, t: np.sum(t ** x[0]), [1.7], [2.0**1.7 * LOG2], TIMES)
case(lambda x, t: np.sum(t ** x[0]), [-1.5], [0.0], np.array([INF, 1.0]))
case(lambda x, t: np.sum(x[0] ** t), [0.5], [1.0], np.array([INF, 1.0]))
case(lambda x: x[0] ** x[1], [0.0, 1.5], [0.0, 0.0])
case(lambda x, t: t ** ((x[0] - x[0]) * x[1]) + vectormath.xlogy(0.0 * x[0], t), [0.5, 2.0], [0.0, 0.0], INF)
case(lambda x, t: 1.0 ** (x[0] * t) + np.abs(x[0]) ** t, [0.5], [0.0], INF)
case(lambda x, k: np.sum(np.where(k > 0, x[0] ** k, 1.0)), [0.0], [0.0], np.array([-1, 2]))
case(lambda x, k: x[0] ** k, [1e200], [0.0], -3)


@at([0.0], [1.0], WHOLE)
def power_in_place(x, k):
    s = 0.0
    for i in range(3):
        y = x[0]
        y **= k[i]
        s += y
    return s


@at([0.0, 0.0], [1.0, 0.0], np.array([1.0, 2.0]))
def power_of_an_array_in_place(x, nu):
    y = np.empty(2)
    for i in range(2):
        y[i] = x[i]
    y **= nu
    return np.sum(y)


@at([0.0], [0.0], np.array([-1.0, 2.0]))
def power_chosen_in_a_loop(x, nu):
    s = 0.0
    for i in range(2):
        y = x[0] ** nu[i]
        s += np.where(nu[i] > 0.0, y, 1.0)
    return s


@at([0.0], [0.0])
def negative_powers_behind_a_guard(x):
    y = x[0] ** -1 + x[0] ** -2 + x[0] ** -3 + x[0] ** -0.5
    return np.where(x[0] > 0.0, y, 3.0)


# Roots and norms ------------------------------------------------------------------------------------------------------

case(lambda x: np.linalg.norm(x) ** 2, [0.0, 0.0], [0.0, 0.0])
case(lambda x: np.exp(-0.5 * np.sqrt(np.sum(x * x)) ** 2), [0.0, 0.0], [0.0, 0.0])
case(lambda x: np.std(x) ** 2, [2.0, 2.0], [0.0, 0.0])
case(lambda x: np.sqrt(x[0] ** 4 + x[1] ** 4), [0.0, 0.0], [0.0, 0.0])
case(lambda x: (x[0] * x[0]) ** 1.5 + np.sqrt(np.abs(x[0]) ** 3), [0.0], [0.0])
case(lambda x: np.hypot(x[0], x[1]) ** 2, [0.0, 0.0], [0.0, 0.0])
case(lambda x: math.asin(math.cos(x[0] ** 4)) + math.acos(math.cos(x[0] ** 4)), [0.0], [0.0])
case(lambda x: math.atan2(0.0 * x[0], 0.0 * x[1]) + math.atan2(x[0], INF), [0.3, 2.0], [0.0, 0.0])
case(lambda x: np.abs(x[0]) ** 1.5, [0.0], [0.0])


def _kernel(x, t):
    """Return a covariance: of distances that depend on a parameter, and that are 0 on the diagonal."""
    K = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            r = np.sqrt(x[1] * (t[i] - t[j]) ** 2)
            K[i, j] = (
                np.exp(-r) + np.exp(-(((t[i] - t[j]) ** 2 / x[1]) ** 0.5)) + np.exp(-(np.abs(t[i] - t[j]) ** x[1]))
            )
        K[i, i] += x[0]
    return np.sum(np.log(np.diag(np.linalg.cholesky(K))))


def _kernel_of_arrays(x, t):
    r = np.sqrt((t[:, None] - t[None, :]) ** 2 * x[1])
    return np.sum(x[0] ** 2 * (1.0 + np.sqrt(3.0) * r) * np.exp(-np.sqrt(3.0) * r))


@pytest.mark.parametrize("f", [_kernel, _kernel_of_arrays])
def test_kernels_with_a_diagonal_of_distances_zero(f):
    x, t = np.array([0.7, 1.3]), np.array([0.0, 1.0, 3.0])
    steps = 1e-6 * np.eye(2)
    slopes = [(f(x + h, t) - f(x - h, t)) / 2e-6 for h in steps]
    np.testing.assert_allclose(plain_value_and_grad(f, x, t)[1], slopes, rtol=1e-7)


# Guards ---------------------------------------------------------------------------------------------------------------

case(lambda x, t: np.sum(np.where(t > 0.0, x[0] * np.log(t), 0.0)), [1.5], [LOG2], TIMES)
case(lambda x, t: np.sum(select(t > 0.0, x[0] * np.log(t), 0.0)), [1.5], [LOG2], TIMES)
case(lambda x, t: select(t > 0.0, x[0] * np.log(t), 0.0), [1.5], [0.0], 0.0)
case(lambda x, t: np.sum(np.maximum(x[0] * np.log(t), -9.0)), [1.5], [LOG2], TIMES)
case(lambda x, t: np.sum(np.clip(x[0] * np.log(t), -9.0, 9.0)), [1.5], [LOG2], TIMES)
case(lambda x, t: np.sum(np.exp(x[0] * np.log(t))), [1.5], [LOG2 * 2.0**1.5], TIMES)
case(lambda x, t: np.fmax(x[0] * t / t, 2.0), [1.5], [0.0], 0.0)
case(lambda x: np.where(x[0] > 30.0, x[0], np.log1p(np.exp(x[0]))), [800.0], [1.0])
case(lambda x: np.sum(1.0 / (1.0 + np.exp(-x))), [-800.0, 800.0], [0.0, 0.0])
case(lambda x: np.exp(-1.0 / x[0] ** 2) + math.tanh(x[0] ** -2) + expit(1.0 / x[0] ** 2), [0.0], [0.0])
case(lambda x: np.arctan(1.0 / x[0] ** 2), [0.0], [0.0])
case(lambda x: np.sum(np.where(x > 0.0, 1.0 / x, 0.0)), [0.0, 1.0], [0.0, -1.0])
case(lambda x: np.where(x[0] == 0.0, 1.0, np.sin(x[0]) / x[0]), [0.0], [0.0])
case(lambda x: np.where(x[0] == 0.0, x[0], np.expm1(x[0]) / x[0]), [0.0], [1.0])
case(lambda x: np.where(x[0] > 0.0, vectormath.lgamma(x[0]) + vectormath.logit(x[0]), x[1]), [0.0, 1.0], [0.0, 1.0])
case(lambda x, X: np.sum(np.where(np.isnan(X[:, 0]), 0.0, X @ x)), [0.5, 0.2], [4.0, 6.0],
     np.array([[1.0, 2.0], [NAN, NAN], [3.0, 4.0]]))  # fmt: skip


@at([1.5], [LOG2], TIMES)
def chosen_in_a_loop(x, t):
    s = 0.0
    for i in range(3):
        s += np.where(t[i] > 0.0, x[0] * np.log(t[i]), 0.0)
    return s


@at([1.5], [LOG2], TIMES)
def taken_in_a_branch(x, t):
    s = 0.0
    for i in range(3):
        v = x[0] * np.log(t[i])
        if t[i] > 0.0:
            s += v
    return s


@at([1.5], [LOG2], TIMES)
def filled(x, t):
    v = np.empty(3)
    for i in range(3):
        v[i] = x[0] * np.log(t[i])
    return np.sum(np.where(t > 0.0, v, 0.0))


@at([1.5], [LOG2], TIMES)
def not_all_read(x, t):
    v, w = np.empty(3), x[0] * np.log(t)
    for i in range(3):
        v[i] = 0.25 * x[0] * np.log(t[i])
    s = 0.5 * np.sum(w[1:]) + v[1] + v[2]
    for i in range(1, 3):
        s += v[i]
    return s


@at([1.5], [5.0], np.array([[3.0, 4.0], [0.0, 0.0]]))
def norms(x, z):
    r = np.sqrt(np.sum((x[0] * z) ** 2, axis=1))
    return np.sum(np.where(r > 0.5, r, 1.0))


@at([1.5], [1.0], np.array([1.0, NAN, 3.0]))
def missing_values(x, y):
    r = np.empty(3)
    for i in range(3):
        r[i] = normal.logpdf(y[i], x[0], 1.0)
    return np.sum(np.where(np.isnan(y), 0.0, r))


@at([0.5, 0.2], [4.0, 6.0], np.array([[1.0, 2.0], [NAN, INF], [3.0, 4.0]]))
def missing_rows(x, X):
    s = 0.0
    for i in range(3):
        eta = 0.0
        for j in range(2):
            eta += X[i, j] * x[j]
        if not np.isnan(eta):
            s += eta
    return s


@at([1.5], [1.0], np.empty(0))
def loop_that_never_runs(x, t):
    a = x[0] * np.log(0.0)
    s = x[0]
    for i in range(t.shape[0]):
        s += a * t[i]
    return s


@at([1.5], [0.0], 0.0)
def ternary_after_all(x, t):
    a = x[0] * np.log(t)
    return a if t > 0.0 else 0.0


@at([1.5], [2.0], np.array([0.0, 1.0]))
def last_one_survives(x, t):
    v = 0.0
    for i in range(2):
        v = x[0] ** 2 * np.log(t[1 - i]) / 1.5
        if t[1 - i] == 0.0:
            v = 2.0 * x[0]
    return v


# Linear algebra behind guards -----------------------------------------------------------------------------------------

_NOT_FINITE = np.array([[INF, NAN], [1.0, 3.0]])
case(lambda x, A: np.where(np.isfinite((A @ x)[0]), 0.0, (A @ x)[1]), [1.5, 2.0], [1.0, 3.0], _NOT_FINITE)
case(lambda x, A: np.where(np.isfinite((x @ A.T)[0]), 0.0, (x @ A.T)[1]), [1.5, 2.0], [1.0, 3.0], _NOT_FINITE)


@at([1.5, 2.0], [1.0, 3.0], np.array([[1.0, INF], [3.0, NAN]]))
def vector_times_matrix(x, A):
    y = x @ A
    return y[0] + np.where(np.isfinite(y[1]), y[1], 0.0)


@at([1.5, 2.0], [2.0, 6.0], _NOT_FINITE)
def products_of_matrices(x, A):
    B, C = np.empty((2, 1)), np.empty((1, 2))
    for i in range(2):
        B[i, 0] = x[i]
        C[0, i] = x[i]
    P, Q = A @ B, C @ A.T
    return np.where(np.isfinite(P[0, 0]), P[0, 0], P[1, 0]) + np.where(np.isfinite(Q[0, 0]), Q[0, 0], Q[0, 1])


@at([1.0, 2.0], [0.0, 1.0], np.array([INF, 1.0]))
def products_with_a_matrix_of_parameters(x, t):
    M = np.empty((2, 2))
    for i in range(2):
        for j in range(2):
            M[i, j] = x[i]
    y, z = t @ M, M @ t
    return np.where(np.isfinite(y[0]), y[0], 0.0) + np.where(np.isfinite(z[0]), z[0], M[1, 0])


@at([0.5, 4.0], [1.0, 0.0])
def factors_and_solutions_that_fail(x):
    A = np.empty((2, 2))
    A[0, 0] = 1.0
    A[0, 1] = A[1, 0] = 2.0
    A[1, 1] = x[1]
    L = linalg.cholesky(A)
    found = np.linalg.slogdet(A)[1] + np.linalg.solve(A, np.ones(2))[0] + np.linalg.inv(A)[0, 0]
    found += L[1, 1] + linalg.solve_lower(A - A, np.ones(2))[1] + linalg.solve_upper(A - A, np.ones(2))[0]
    return np.where(np.isfinite(found), found, x[0])


# Sums of logarithms ---------------------------------------------------------------------------------------------------

_ONE = [-INF, -INF, 1.0]
case(lambda x: np.logaddexp(np.logaddexp(x[0], x[1]), x[2]), _ONE, [0.0, 0.0, 1.0])
case(lambda x: vectormath.logaddexp(vectormath.logaddexp(x[0], x[1]), x[2]), _ONE, [0.0, 0.0, 1.0])
case(lambda x: logsumexp(x), _ONE, [0.0, 0.0, 1.0])
case(lambda x: np.max(x) + np.log(np.sum(np.exp(x - np.max(x)))), _ONE, [0.0, 0.0, 1.0])
case(lambda x: vectormath.logsumexp(vectormath.row_logsumexp(x)), [_ONE, [-INF] * 3], [[0.0, 0.0, 1.0], [0.0] * 3])
case(lambda x: logsumexp(logsumexp(x, axis=1)), [_ONE, [-INF] * 3], [[0.0, 0.0, 1.0], [0.0] * 3])
case(lambda x: np.sum(np.logaddexp(np.log(x * x), 0.0)), [0.0, 1.0], [0.0, 1.0])
case(lambda x, t: logsumexp(x[0] * np.log(t)), [1.0], [2.0 / 3.0 * LOG2], TIMES)


@at(_ONE, [0.0, 0.0, 1.0])
def added_one_by_one(x):
    a = -math.inf
    for i in range(3):
        a = np.logaddexp(a, x[i])
    return a


@at([0.3, 0.1], [2.0, 1.0], np.array([[0.0, -INF], [-INF, 0.0]]))
def hidden_states_that_cannot_be_reached(x, log_transitions):
    here, new = np.empty(2), np.empty(2)
    here[0], here[1] = x[0], -np.inf
    for _ in range(2):
        for k in range(2):
            a = -np.inf
            for j in range(2):
                a = np.logaddexp(a, here[j] + (1.0 + x[1]) * log_transitions[j, k])
            new[k] = a + 0.5 * (x[0] + x[1])
        for k in range(2):
            here[k] = new[k]
    return np.logaddexp(here[0], here[1])


# Products -------------------------------------------------------------------------------------------------------------

case(lambda x: np.prod(x), [0.0, 2.0, 3.0], [6.0, 0.0, 0.0])
case(lambda x: np.sum(np.cumprod(x)), [0.0, 2.0, 3.0], [9.0, 0.0, 0.0])
case(lambda x: max(x[0], x[0]) + 0.0 * min(x[0], 0.0), [0.0], [1.0])


@pytest.mark.either
@pytest.mark.parametrize(("f", "x", "gradient", "data"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_gradient(f, x, gradient, data):
    with np.errstate(all="ignore"):
        value, found = plain_value_and_grad(f, x, *data)
    assert math.isfinite(value)
    np.testing.assert_allclose(found, gradient, rtol=1e-12, atol=1e-15)


def everything(x, y, t, k, A):
    """One of each kind, so that there is one compilation."""
    s = power_in_place(x, k) + np.sum(x[0] ** k) + x[0] ** 0 + np.sum(np.float_power(x[0], k))
    s += chosen_in_a_loop(y, t) + filled(y, t) + norms(y, A) + 0.5 * np.linalg.norm(x) ** 2 + np.sum(t ** y[0])
    z = A @ (y[0] * np.ones(2))
    s += np.sum(np.where(z > 0.5, np.sqrt(z), 1.0)) + np.fmax(np.fmin(negative_powers_behind_a_guard(x), 3.0), -3.0)
    rows = logsumexp(np.log(A * y[0]), axis=1)
    total = logsumexp(y[0] / x)
    s += logsumexp(rows) + np.sum(np.where(np.isfinite(rows), rows, 0.0)) + (total if np.isfinite(total) else 0.0)
    return s + np.logaddexp(np.logaddexp(np.log(x[0]), -math.inf), y[0])


@pytest.mark.nojit
def test_compiled_gradient_is_that_of_plain_python():
    args = np.zeros(1), np.array([1.5]), TIMES, WHOLE, np.array([[3.0, 4.0], [0.0, 0.0]])
    value, gradient = plain_value_and_grad(everything, *args)
    found, slopes = value_and_grad(everything)(*args)
    assert math.isclose(found, value, rel_tol=1e-13)
    assert np.all(np.isfinite(gradient))
    np.testing.assert_allclose(slopes, gradient, rtol=1e-13)


def polynomial(p, d):
    s = 0.0
    for k in range(3):
        s += d.c[k] * p.x**k + np.where(k >= 0, 0.0, p.x ** (k - 3))
    return normal.logpdf(p.x, 0.0, 1.0) - 0.5 * (s - 1.0) ** 2


@pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
def test_density_at_zero_is_not_that_of_an_exception():
    model = nb.Model({"x": nb.real()}, logp=polynomial, data={"c": np.array([0.7, 1.0, 0.5])})
    trace = nb.sample(model, 20, 20, chains=1, start={"x": 0.0}, random_seed=1, progressbar=False)
    assert np.all(np.isfinite(trace["x"]))


# What it costs --------------------------------------------------------------------------------------------------------


def regression(x, X, y):
    s = 0.0
    for i in range(y.shape[0]):
        eta = x[0]
        for j in range(X.shape[1]):
            eta += X[i, j] * x[j + 1]
        s += y[i] * eta - np.log1p(np.exp(eta)) + normal.logpdf(y[i], eta, math.exp(x[1]))
    return s


def test_an_adjoint_that_cannot_die_is_not_compared():
    text = source_of(regression, np.zeros(3), np.ones((4, 2)), np.ones(4))
    assert not any("_bar != 0.0" in line for line in text.splitlines() if line.startswith(" " * 8))


def extremes(x, t):
    return np.maximum(x[0], t[0]) + np.minimum(t[1], x[0]) + np.max(x * t) + np.min(t) + np.sum(np.clip(x, t[0], t[1]))


@pytest.mark.parametrize("t", [(1.0, 2.0), (NAN, 2.0), (1.0, NAN), (NAN, NAN)])
def test_largest_and_smallest_of_nan_is_nan(t):
    x = np.array([0.5, 1.5])
    np.testing.assert_allclose(plain_value_and_grad(extremes, x, np.array(t))[0], extremes(x, np.array(t)))


def rounded(x):
    return np.floor(x[0]) + np.ceil(x[1]) + np.trunc(x[2]) + np.rint(x[3]) + np.copysign(x[4], np.trunc(x[5]))


@pytest.mark.parametrize("x", [[-0.3] * 6, [0.5, 1.5, 2.5, 3.5, 1.0, -0.2], [1e300] * 6, [INF] * 6, [NAN] * 6])
@pytest.mark.filterwarnings("ignore::nbinfer.autodiff.DerivativeWarning")
def test_rounding_is_that_of_numpy(x):
    x = np.array(x)
    np.testing.assert_array_equal(plain_value_and_grad(rounded, x)[0], rounded(x))

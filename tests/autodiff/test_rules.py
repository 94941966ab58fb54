"""Scalar rules against finite differences, special functions against SciPy, linear algebra against NumPy."""

import math

import numpy as np
import pytest
import scipy.special
from scipy.special import digamma

from nbinfer import vectormath
from nbinfer.autodiff import linalg, products
from nbinfer.autodiff.rules import CHOICES, RULES
from nbinfer.autodiff.spellings import FUNCTIONS
from nbinfer.compile.arena import Arenas
from tests.autodiff.plain import assert_differentiates, plain_value_and_grad

#: Where each function is tried: inside its domain, away from kinks.
POINTS = {
    "asin": (0.3,),
    "acos": (-0.4,),
    "exp": (0.7,),
    "log1p": (-0.3,),
    "log1mexp": (-0.7,),
    "lgamma": (0.4,),
    "lgamma_positive": (0.4,),
    "digamma": (2.3,),
    "log_binomial": (7.3, 2.4),
    "minus_deviance": (0.7, 1.9, 1.3),
    "minus_deviance_log": (2.0, 1.3),
    "stirling_rest_whole": (9.3,),
    "log_polya": (9.3, 0.7, 12.2, 1.9),
    "log_polya_rest": (9.2, 1.9),
    "log_ndtr": (-2.3,),
    "betainc": (2.3, 1.4, 0.6),
    "betaincc": (2.3, 1.4, 0.6),
    "log_betainc": (2.3, 1.4, 0.6),
    "log_betaincc": (2.3, 1.4, 0.6),
    "atan2": (0.6, -1.3),
    "hypot": (0.6, -1.3),
    "pow": (1.3, 2.2),
    "mod": (7.3, 2.0),
    "copysign": (0.7, -1.2),
}
SMOOTH = sorted({name for name in FUNCTIONS.values() if name in RULES and RULES[name].partials} - CHOICES)


def function_of(name):
    """Return a function of an array that applies the first function known under a rule."""
    function = next(f for f, rule in FUNCTIONS.items() if rule == name and f is not math.pow)
    count = len(RULES[name].partials)
    if count == 1:

        def apply(x):
            return function(x[0])
    elif count == 2:

        def apply(x):
            return function(x[0], x[1])
    elif count == 3:

        def apply(x):
            return function(x[0], x[1], x[2])
    else:

        def apply(x):
            return function(x[0], x[1], x[2], x[3])

    return apply


@pytest.mark.either
@pytest.mark.parametrize("name", SMOOTH)
def test_partials(name):
    count = len(RULES[name].partials)
    x = np.array(POINTS.get(name, (0.7, 1.9)[:count]))
    assert_differentiates(function_of(name), x)


@pytest.mark.parametrize(
    ("x", "slope"), [(-1e100, 1e100), (-1e5, 1e5 + 1e-5), (0.0, math.sqrt(2.0 / math.pi)), (40.0, 0.0), (1e100, 0.0)]
)
def test_slope_of_log_ndtr_in_both_tails(x, slope):
    def f(x):
        return vectormath.log_ndtr(x[0])

    np.testing.assert_allclose(plain_value_and_grad(f, np.array([x]))[1], slope, rtol=1e-14)


def test_slope_of_lbeta_does_not_cancel():
    def f(x):
        return vectormath.lbeta(x[0], x[1])

    slopes = plain_value_and_grad(f, np.array([1e10, 1.0]))[1]
    np.testing.assert_allclose(slopes, [-1e-10, -0.5772156649015329 - math.log(1e10)], rtol=1e-9)


def test_functions_of_scipy():
    def f(x):
        some = scipy.special.gammaln(x[0]) + digamma(x[1]) * scipy.special.betaln(x[0], x[1])
        return some + np.sum(scipy.special.log_ndtr(x) + scipy.special.xlogy(x, x)) + scipy.special.logsumexp(x)

    assert_differentiates(f, np.array([1.4, 0.3]))


def test_no_trial_has_no_derivative():
    def f(x, k):
        return np.sum(vectormath.xlogy(k, x) + vectormath.xlog1py(2.0 - k, -x))

    value, gradient = plain_value_and_grad(f, np.array([0.0, 0.5, 1.0]), np.array([0.0, 1.0, 2.0]))
    assert math.isclose(value, 2.0 * math.log(0.5))
    np.testing.assert_array_equal(gradient, [-2.0, 0.0, 2.0])


def test_functions_of_math():
    def f(x):
        return math.lgamma(x[0]) + math.erf(x[1]) * math.erfc(x[1])

    assert_differentiates(f, np.array([-1.4, 0.3]))


@pytest.mark.parametrize("exponent", [-3, -2, -1, 0, 1, 2, 3, 0.5, 2.0, 2.5, -1.5])
def test_constant_powers(exponent):
    def f(x):
        return x[0] ** exponent + np.sum(x**exponent)

    assert_differentiates(f, np.array([0.7, 1.9]))


def test_power_of_a_negative_base():
    def f(x):
        return x[0] ** 3 + x[0] ** -3

    assert_differentiates(f, np.array([-0.7]))


def test_power_at_zero_has_no_nan():
    def f(x):
        return x[0] ** 2 + x[1] ** x[2]

    np.testing.assert_array_equal(plain_value_and_grad(f, np.array([0.0, 0.0, 2.0]))[1], [0.0, 0.0, 0.0])


@pytest.mark.parametrize("larger", [np.maximum, np.fmax, max])
def test_the_larger(larger):
    def f(x):
        return larger(x[0], x[1]) * 3.0 + larger(x[1], 0.1)

    assert_differentiates(f, np.array([0.7, -1.9]))
    assert_differentiates(f, np.array([0.7, 1.9]))


def test_fmax_takes_the_other_number_for_nan():
    def f(x):
        return np.fmax(np.log(x[0]), x[1]) + np.fmax(x[1], np.log(x[0]))

    value, gradient = plain_value_and_grad(f, np.array([-1.0, 3.0]))
    assert value == 6.0
    np.testing.assert_array_equal(gradient, [0.0, 2.0])


def test_nan_becomes_minus_infinity_in_a_deferred_sum():
    def f(x):
        return np.sum(np.fmax(np.log(x), -np.inf)) + x[0]

    assert plain_value_and_grad(f, np.array([1.0, -1.0]))[0] == -math.inf
    assert_differentiates(f, np.array([1.0, 2.0]))


def test_what_is_not_chosen_has_no_derivative():
    def f(x, c):
        safe = vectormath.select(x > 0.0, x, 1.0)
        density = np.exp(vectormath.where_valid(x[0] < 0.0, np.log(4.0 + x[1])))
        return np.sum(vectormath.select(c, np.log(safe), x * x)) + density

    c = np.array([True, True, False])
    assert_differentiates(f, np.array([-0.2, 0.7, 1.9]), c)
    for x in ([0.0, 0.0, 3.0], [-1.0, -9.0, 3.0]):  # log(-5) is NaN
        value, gradient = plain_value_and_grad(f, np.array(x), c)
        assert value == 9.0
        np.testing.assert_array_equal(gradient, [0.0, 0.0, 6.0])


@pytest.mark.either
def test_rows_differentiate():
    def f(x, k):
        rows = np.outer(x, x)
        one = vectormath.pick(x, 1) + vectormath.row_sum(x) * vectormath.row_logsumexp(x)
        each = np.sum(vectormath.pick(rows, k) * vectormath.row_logsumexp(rows))
        return one + each + np.sum(vectormath.pick(x, k) * vectormath.row_sum(rows))

    assert_differentiates(f, np.array([0.3, -2.0, 1.1]), np.array([2, 0, 0]))
    assert_differentiates(f, np.array([0.3, -2.0, 1.1]), np.array([2.0, 0.0, 0.0]))

    def beyond(x, k):
        return vectormath.where_valid(x[0] > 0.0, vectormath.pick(x, k))

    for k in (3, -1, 0.5, math.nan):
        value, gradient = plain_value_and_grad(beyond, np.array([0.3, -2.0, 1.1]), k)
        assert value == -math.inf
        np.testing.assert_array_equal(gradient, 0.0)


def test_bools_are_numbers_in_arithmetic():
    def f(x, m):
        return np.sum(x * m) + (m[0] + m[1]) * x[0] - np.sum(m)

    assert_differentiates(f, np.array([0.7, -1.9]), np.array([True, False]))


@pytest.mark.either
def test_logsumexp_differentiates():
    def whole(x):
        return vectormath.logsumexp(x * x)

    def rows(x):
        return np.sum(vectormath.logsumexp(np.outer(x, x)) * 0.5)

    assert_differentiates(whole, np.array([0.3, -2.0, 1.1]))
    assert_differentiates(rows, np.array([0.3, -2.0, 1.1]))


def test_logsumexp_where_nothing_is_possible():
    def f(x):
        return vectormath.logsumexp(x - np.inf) + x[0]

    assert plain_value_and_grad(f, np.array([0.3, -2.0]))[0] == -math.inf


# Linear algebra -------------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(5)
A = RNG.normal(size=(4, 4))
SPD = A @ A.T + 4.0 * np.eye(4)
B = RNG.normal(size=(4, 3))
ARENAS = Arenas(1)
ARENA = int(ARENAS.addresses[0])


def test_values_against_numpy():
    np.testing.assert_allclose(linalg.cholesky.py_func(SPD), np.linalg.cholesky(SPD))
    x, product = np.empty(4), np.zeros((4, 3))
    np.testing.assert_allclose(linalg.solve_into.py_func(ARENA, x, A, B[:, 0]), np.linalg.solve(A, B[:, 0]))
    np.testing.assert_allclose(
        linalg.solve_transposed_into.py_func(ARENA, x, A, B[:, 0]), np.linalg.solve(A.T, B[:, 0])
    )
    np.testing.assert_allclose(linalg.matmul.py_func(ARENA, product, A, B), A @ B)
    sign, logdet = np.linalg.slogdet(A)
    assert linalg.determinant_sign.py_func(ARENA, A) == sign
    np.testing.assert_allclose(linalg.log_determinant.py_func(ARENA, A), logdet)
    for triangle, one, transposed in (
        (np.tril(SPD), linalg.solve_lower, linalg.solve_lower_transposed_into),
        (np.triu(SPD), linalg.solve_upper, linalg.solve_upper_transposed_into),
    ):
        np.testing.assert_allclose(one.py_func(triangle, B[:, 0]), np.linalg.solve(triangle, B[:, 0]))
        np.testing.assert_allclose(
            transposed.py_func(ARENA, x, triangle, B[:, 0]), np.linalg.solve(triangle.T, B[:, 0])
        )


@pytest.mark.parametrize("shape", [(5, 3, 2), (6, 2, 9), (2, 9, 3), (9, 8, 8)])
def test_products_of_matrices_in_each_order_of_loops(shape):
    n, inner, m = shape
    A, B, bar = RNG.normal(size=(n, inner)), RNG.normal(size=(inner, m)), RNG.normal(size=(n, m))
    bar[0, 0] = 0.0
    A_bar, B_bar = np.ones_like(A), np.ones_like(B)
    np.testing.assert_allclose(products.matmul(ARENA, np.zeros((n, m)), A, B), A @ B)
    products.matmul_reverse_left(ARENA, A_bar, bar, B)
    products.matmul_reverse_right(ARENA, B_bar, A, bar)
    np.testing.assert_allclose(A_bar, 1.0 + bar @ B.T)
    np.testing.assert_allclose(B_bar, 1.0 + A.T @ bar)


def test_an_adjoint_of_0_absorbs_an_infinite_factor():
    A, B, bar = np.array([[np.inf, 1.0], [2.0, 3.0]]), np.array([[1.0, np.inf], [2.0, 3.0]]), np.zeros((2, 2))
    bar[1, 0] = 1.0
    A_bar, B_bar = np.zeros((2, 2)), np.zeros((2, 2))
    products.matmul_reverse_left(ARENA, A_bar, bar, B)
    products.matmul_reverse_right(ARENA, B_bar, A, bar)
    np.testing.assert_array_equal(A_bar, [[0.0, 0.0], [1.0, 2.0]])
    np.testing.assert_array_equal(B_bar, [[2.0, 0.0], [3.0, 0.0]])


def test_failure_is_nan_and_never_an_exception():
    with np.errstate(all="ignore"):
        assert np.isnan(linalg.cholesky.py_func(-SPD)).all()
        assert np.isnan(linalg.cholesky.py_func(np.full((2, 2), np.nan))).all()
        assert np.isnan(linalg.solve_into.py_func(ARENA, np.empty(2), np.zeros((2, 2)), np.ones(2))).all()
    assert linalg.determinant_sign.py_func(ARENA, np.zeros((2, 2))) == 0.0
    assert linalg.log_determinant.py_func(ARENA, np.zeros((2, 2))) == -math.inf


def matrix_of(x):
    M = np.empty((4, 4))
    for i in range(4):
        for j in range(4):
            M[i, j] = x[4 * i + j]
    return M


def f_cholesky(x):
    M = matrix_of(x)
    L = np.linalg.cholesky(M @ M.T + np.eye(4))
    return np.sum(np.log(np.diag(L))) + np.sum(L * L * L)


def f_cholesky_reads_the_lower_triangle(x):
    return np.sum(np.linalg.cholesky(matrix_of(x) + 9.0 * np.eye(4)))


def f_solve(x):
    M = matrix_of(x)
    return np.sum(np.linalg.solve(M, M[0] * 2.0) ** 2)


def f_solve_columns(x):
    M = matrix_of(x)
    return np.sum(np.linalg.solve(M, M[:, 1:] * 2.0) ** 2)


def f_inverse(x):
    return np.sum(np.linalg.inv(matrix_of(x)) ** 3)


def f_slogdet(x):
    sign, logdet = np.linalg.slogdet(matrix_of(x))
    return logdet * sign


def f_triangular(x):
    M = matrix_of(x)
    return np.sum(linalg.solve_lower(M, x[:4]) ** 2) + np.sum(linalg.solve_upper(M, x[4:8]) ** 2)


def f_products(x):
    M = matrix_of(x)
    v = x[2:6]
    quadratic = v @ M @ v
    return quadratic + np.sum((M @ v) ** 2) + np.sum((v @ M) ** 3) + np.sum((M.T @ v) ** 3) + np.sum((M @ M) ** 2)


def f_traces(x):
    M = matrix_of(x)
    return np.trace(M @ M) + np.sum(np.diag(x[:4]) @ M) + np.sum(np.outer(x[:4], x[4:8]) * M)


@pytest.mark.either
@pytest.mark.parametrize(
    "f",
    [
        f_cholesky,
        f_cholesky_reads_the_lower_triangle,
        f_solve,
        f_solve_columns,
        f_inverse,
        f_slogdet,
        f_triangular,
        f_products,
        f_traces,
    ],
)
def test_linear_algebra_differentiates(f):
    from nbinfer.autodiff.check import compare

    x = (A + 3.0 * np.eye(4)).ravel()
    value, _ = plain_value_and_grad(f, x)
    np.testing.assert_allclose(value, f(x), rtol=1e-10)
    check = compare(f, lambda x: plain_value_and_grad(f, x), x, ())
    assert check.ok, check

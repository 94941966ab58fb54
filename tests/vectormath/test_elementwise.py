"""Functions of numbers that take arrays too: the same in plain Python, in compiled code and under derivation."""

import math

import numpy as np
import pytest

from nbinfer import vectormath
from nbinfer.compile import kernel
from nbinfer.vectormath import Elementwise

FUNCTIONS = [f for f in vars(vectormath).values() if isinstance(f, Elementwise)]
ONE = [f for f in FUNCTIONS if f.cores == (0,)]
X = np.array([0.1, 0.7, 1.0, 2.5, 9.9, 40.0])


def test_a_second_argument_is_not_where_the_result_goes():
    x = np.ones(2)
    with pytest.raises(TypeError, match=r"exp\(\) takes 1 argument, got 2"):
        vectormath.exp(np.zeros(2), x)
    assert np.all(x == 1.0)


def test_every_function_is_public():
    assert {f.py_func.__name__ for f in FUNCTIONS} < set(vectormath.__all__)


@pytest.mark.parametrize("function", ONE, ids=lambda f: f.py_func.__name__)
def test_plain_python_takes_arrays(function):
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(function(X), [function.py_func(x) for x in X], rtol=1e-11)
    assert np.ndim(function(0.5)) == 0


@pytest.mark.parametrize("function", [vectormath.exp, vectormath.logaddexp], ids=["one", "two"])
def test_plain_python_is_silent(function):
    assert math.isnan(function(*[math.nan] * function.py_func.__code__.co_argcount))


def test_compiled_code_takes_numbers_and_arrays():
    @kernel
    def total(x):
        whole, rows, column = vectormath.expit(x), vectormath.expit(x[:, ::2]), vectormath.logaddexp(x, x[:, :1])
        return vectormath.expit(x[0, 0]) + np.sum(whole) + np.sum(rows) + np.sum(column) + np.sum(column[0])

    x = np.linspace(-3.0, 4.0, 12).reshape(3, 4)
    assert math.isclose(total(x), total.py_func(x), rel_tol=1e-14)


@pytest.mark.nojit
def test_callers_that_reorder_sums_do_not_reorder_polynomials():
    exp, log1p = vectormath.exp.numbers, vectormath.log1p.numbers

    def fill(x, out):
        for i in range(x.size):
            out[i] = exp(x[i]) + log1p(abs(x[i]) * 1e-9)

    x = np.random.default_rng(1).normal(size=1000) * 20.0
    strict, loose = np.empty(1000), np.empty(1000)
    kernel(fill)(x, strict)
    kernel(fill, reassociate=True)(x, loose)
    np.testing.assert_array_equal(loose, strict)

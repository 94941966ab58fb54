"""What large terms leave when they cancel: against mpmath, where they are as large as they get."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from nbinfer.vectormath import (
    log_polya,
    log_polya_rest,
    minus_deviance,
    minus_deviance_log,
    stirling_rest,
    stirling_rest_whole,
)
from tests.vectormath.near import assert_vectorised

loggamma, log = mpmath.loggamma, mpmath.log
PLACES = [(3.0, 2.5, 1.0), (1e15, 1e15 + 3e7, 1.0), (7.0, 1e100, 1e-99), (0.5, 1e-8, 1e8), (1e200, 2e200, 0.5)]


@pytest.mark.nojit
@pytest.mark.parametrize("name", ["minus_deviance", "minus_deviance_log", "stirling_rest", "stirling_rest_whole"])
def test_loops_become_vector_code(name):
    assert_vectorised(name)


@pytest.mark.parametrize(("k", "rate", "x"), PLACES)
def test_minus_deviance(k, rate, x):
    with mpmath.workdps(460):
        m = mpf(rate) * mpf(x)
        exact, difference = mpf(k) * log(m / k) + k - m, abs(m - k)
    bound = 1e-14 * (abs(float(exact)) + 1.0) + 1e-15 * float(difference)
    for value in (minus_deviance(k, rate, x), minus_deviance.py_func(k, rate, x)):
        assert abs(value - float(exact)) < bound


def test_minus_deviance_of_nothing():
    for function in (minus_deviance, minus_deviance.py_func):
        with np.errstate(all="ignore"):
            assert function(0.0, np.float64(2.5), 2.0) == -5.0
            assert function(0.0, np.float64(0.0), 2.0) == 0.0
            assert function(3.0, np.float64(0.0), 2.0) == -np.inf
    assert minus_deviance_log(0, -800.0) == pytest.approx(0.0, abs=1e-300)
    assert minus_deviance_log(2, -800.0) == pytest.approx(-1600.0 + 2.0 - 2.0 * np.log(2.0), rel=1e-14)
    assert minus_deviance_log(10**15, np.log(1e15)) == pytest.approx(0.0, abs=1e-13)


@pytest.mark.parametrize("x", [0.0, 1e-300, 0.3, 1.0, 5.0, 7.0, 8.0, 1e3, 1e15, 1e200])
def test_stirling_rest(x):
    with mpmath.workdps(460):
        exact = float(loggamma(mpf(x) + 1) - (mpf(x) * log(mpf(x)) if x else 0) + mpf(x))
    with np.errstate(all="ignore"):
        assert stirling_rest(x) == pytest.approx(exact, rel=2e-14, abs=2e-15)
        assert stirling_rest.py_func(x) == pytest.approx(exact, rel=5e-15, abs=2e-15)
        if x == int(x):
            assert stirling_rest_whole(x) == pytest.approx(exact, rel=5e-15)
            assert stirling_rest_whole.py_func(x) == pytest.approx(exact, rel=5e-15)


@pytest.mark.parametrize(("k", "alpha", "n", "total"), [(3, 0.7, 10, 2.5), (5, 1e12, 10, 3e12), (0, 1e200, 3, 2e200)])
def test_urn(k, alpha, n, total):
    with mpmath.workdps(460):
        a, A = mpf(alpha), mpf(total)
        part = loggamma(k + a) - loggamma(a) - loggamma(k + 1) + k * log(n) + a * log(A) - (k + a) * log(n + A)
        rest = loggamma(n + 1) - n * log(n) + n - loggamma(A + n) + (A + n) * log(A + n) - A - n
        rest += loggamma(A) - A * log(A) + A
    assert log_polya(k, alpha, n, total) == pytest.approx(float(part), rel=1e-13, abs=1e-13)
    assert log_polya.py_func(k, alpha, n, total) == pytest.approx(float(part), rel=1e-13, abs=1e-13)
    assert log_polya_rest(n, total) == pytest.approx(float(rest), rel=1e-13, abs=1e-13)

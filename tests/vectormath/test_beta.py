"""The beta function and binomial coefficients: against mpmath, where arguments differ by orders of magnitude too."""

import math

import mpmath
import numpy as np
import pytest

from nbinfer.vectormath import beta, lbeta, log_binomial
from tests.vectormath.near import assert_accurate, assert_exact, assert_vectorised

INF, NAN = math.inf, math.nan

everywhere = pytest.mark.parametrize("name", ["lbeta", "log_binomial"])


@everywhere
def test_accuracy(name):
    assert_accurate(name)


@pytest.mark.nojit
@everywhere
def test_loops_become_vector_code(name):
    assert_vectorised(name)


@pytest.mark.parametrize("b", [1e-300, 1e-5, 0.5, 3.0, 9.0, 1e5, 1e10, 1e150, 1e300])
@pytest.mark.parametrize("a", [1e-300, 1e-5, 1.0, 7.9999, 8.0, 1e5, 1e15])
def test_arguments_of_different_size(a, b):
    with np.errstate(all="ignore"), mpmath.workprec(2200):
        exact = mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(mpmath.mpf(a) + mpmath.mpf(b))
        scale = max(abs(exact), 1.0, min(a, b, 8.0) * math.log(a + b))
        assert abs(beta.lbeta_part.py_func(np.float64(a), np.float64(b)) - exact) < 2e-15 * scale


def test_ends():
    assert_exact("lbeta", ((0.0, 2.0), INF), ((3.0, 0.0), INF), *(((x, 2.0), NAN) for x in (-1e-300, -2.5, NAN)))
    outside = [((4.0, -1e-9), -INF), ((4.0, 5.0), -INF), ((-2.0, 1.0), -INF)]
    assert_exact("log_binomial", *outside, ((NAN, 2.0), NAN), ((3.0, NAN), NAN))


def test_binomials_of_integers():
    n, k = np.array([(n, k) for n in range(40) for k in range(n + 1)]).T
    exact = np.log([float(math.comb(*pair)) for pair in zip(n.tolist(), k.tolist(), strict=True)])
    np.testing.assert_allclose(log_binomial(n, k), exact, rtol=1e-13, atol=1e-13)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(list(map(log_binomial.py_func, n, k)), exact, rtol=2e-15, atol=2e-15)


def test_plain_python_agrees():
    a, b = np.exp(np.random.default_rng(5).uniform(-5.0, 15.0, (2, 300)))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(list(map(lbeta.py_func, a, b)), lbeta(a, b), rtol=1e-9, atol=1e-13)
    assert math.isnan(lbeta(-0.5, 2.0))
    assert log_binomial(4, 5) == -INF


def test_difference_of_digammas():
    rng = np.random.default_rng(6)
    with np.errstate(all="ignore"), mpmath.workprec(200):
        for a, b in np.exp(rng.uniform(-10.0, 25.0, (300, 2))):
            exact = mpmath.digamma(a) - mpmath.digamma(mpmath.mpf(a) + mpmath.mpf(b))
            found = beta.digamma_difference.py_func(a, b)
            assert abs(found - exact) < 4e-15 * max(abs(exact), 1.0 / a if a < 8.0 else 0.0), (a, b)


def test_slopes_of_binomials():
    def exact(n, k):
        return mpmath.log(mpmath.binomial(n, k))

    with np.errstate(all="ignore"):
        for n, k in ((7.3, 2.4), (5.0, 0.0), (5.0, 5.0), (1e4, 3.0), (1e4, 9999.5)):
            by_n, by_k = beta.log_binomial_by_n.py_func(n, k), beta.log_binomial_by_k.py_func(n, k)
            assert math.isclose(by_n, mpmath.diff(lambda n, k=k: exact(n, k), n), rel_tol=1e-12, abs_tol=1e-14)
            assert math.isclose(by_k, mpmath.diff(lambda k, n=n: exact(n, k), k), rel_tol=1e-12, abs_tol=1e-14)
        for n, k in ((4.0, 5.0), (4.0, -1.0)):
            assert beta.log_binomial_by_n.py_func(n, k) == beta.log_binomial_by_k.py_func(n, k) == 0.0

"""The gamma function and its derivatives."""

import math

import numpy as np
import pytest
import scipy.special

from nbinfer import vectormath


@pytest.mark.parametrize("x", [-3.7, -0.5, 1e-3, 0.4, 1.0, 2.5, 9.9, 10.0, 47.0, 1e6])
def test_digamma_and_trigamma(x):
    np.testing.assert_allclose(vectormath.digamma.py_func(x), scipy.special.digamma(x), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(vectormath.trigamma.py_func(x), scipy.special.polygamma(1, x), rtol=1e-11)


def test_digamma_at_poles():
    assert math.isnan(vectormath.digamma.py_func(0.0))
    assert math.isnan(vectormath.digamma.py_func(-2.0))
    assert vectormath.trigamma.py_func(-2.0) == math.inf

"""The scaled complementary error function against mpmath."""

import numpy as np
import pytest
from mpmath import mp

from nbinfer.vectormath import log_erfcx
from nbinfer.vectormath.error import log_erfcx_slope


@pytest.mark.parametrize("x", [-1e3, -30.0, -5.0, -0.3, 0.0, 1e-9, 0.2, 0.49, 0.5, 3.0, 30.0, 1e4])
def test_log_erfcx(x):
    with mp.workdps(60):
        expected = pytest.approx(float(mp.mpf(x) ** 2 + mp.log(mp.erfc(x))), rel=1e-15, abs=1e-15)
    assert log_erfcx(x) == expected
    with np.errstate(all="ignore"):
        assert log_erfcx.py_func(x) == expected


def test_log_erfcx_far_out():
    with np.errstate(all="ignore"):
        found = [log_erfcx.py_func(x) for x in (1e200, np.inf, -1e200, -np.inf, np.nan)]
    np.testing.assert_allclose(found[0], -np.log(1e200 * np.sqrt(np.pi)), rtol=1e-15)
    np.testing.assert_array_equal(found[1:], [-np.inf, np.inf, np.inf, np.nan])
    np.testing.assert_allclose(log_erfcx(np.array([1e200, np.inf, -1e200, -np.inf, np.nan])), found, rtol=1e-15)


@pytest.mark.parametrize("x", [-1e3, -5.0, 0.0, 0.2, 3.0, 7.9, 8.0, 11.0, 30.0, 1e4, 1e7])
def test_log_erfcx_slope(x):
    with mp.workdps(60):
        z = mp.mpf(x)
        exact = 2 * z - 2 * mp.exp(-z * z) / mp.erfc(z) / mp.sqrt(mp.pi) if x < 1e6 else -1 / z
    with np.errstate(all="ignore"):
        assert log_erfcx_slope.py_func(x) == pytest.approx(float(exact), rel=4e-14)

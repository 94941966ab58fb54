"""Laws of the transform and of the effective sample size."""

import numpy as np
import pytest

from nbinfer.compile import JIT
from nbinfer.diagnostics import autocovariance, ess_mean
from tests.diagnostics.draws import autoregressive, plain_ess

SIZE = 1000 if JIT else 200


@pytest.mark.parametrize("n", [2, 8, 64])
def test_transform_is_that_of_numpy(n):
    rng = np.random.default_rng(n)
    z = rng.normal(size=n) + 1j * rng.normal(size=n)
    real, imag = z.real.copy(), z.imag.copy()
    angle = np.pi * np.arange(n // 2) / (n // 2)
    autocovariance.transform(real, imag, np.cos(angle), -np.sin(angle))
    np.testing.assert_allclose(real + 1j * imag, np.fft.fft(z), atol=1e-14 * n)


@pytest.mark.parametrize("shape", [(1, 4), (1, 5), (2, 6), (3, 9), (4, 20), (4, 64), (5, 129), (1, 400)])
@pytest.mark.parametrize("correlation", [-0.9, 0.0, 0.5, 0.97])
def test_effective_size_is_the_definition(shape, correlation):
    """Strong correlation goes beyond the lags that are summed directly: chains in pairs, odd ones alone."""
    x = autoregressive(np.random.default_rng(7), correlation, shape)
    assert ess_mean(x) == pytest.approx(plain_ess(x), rel=1e-11)


def test_direct_sums_and_transform_agree():
    slow = autoregressive(np.random.default_rng(8), 0.99, (3, SIZE))
    assert plain_ess(slow) < slow.size / (2 * autocovariance.DIRECT_LAGS)  # so that the transform is used
    assert ess_mean(slow) == pytest.approx(plain_ess(slow), rel=1e-11)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.8, -0.5])
def test_effective_size_of_autoregressive_chains(correlation):
    """The variance of the mean of such a chain is (1 + r)/(1 - r) times that of independent draws."""
    rng = np.random.default_rng(9)
    ratios = [ess_mean(autoregressive(rng, correlation, (4, SIZE))) / (4 * SIZE) for _ in range(10)]
    exact = (1 - correlation) / (1 + correlation)
    # Of n antithetic draws no more than n log10(n) are believed in.
    expected = min(exact, np.log10(4 * SIZE))
    assert abs(np.mean(ratios) - expected) < 4 * np.std(ratios, ddof=1) / np.sqrt(10) + 0.05 * expected


def test_power_of_these_tests():
    """Mutants: chains that are not split, a sequence that is not monotone."""
    x = autoregressive(np.random.default_rng(10), 0.9, (2, SIZE))
    assert plain_ess(x, split=False) != pytest.approx(ess_mean(x), rel=1e-6)
    assert plain_ess(x, monotone=False) != pytest.approx(ess_mean(x), rel=1e-6)

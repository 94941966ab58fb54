"""Does the acceptance fit its target?"""

import numpy as np
import pytest
from scipy.stats import beta

from nbinfer.diagnostics.acceptance import beta_cdf, misses_target


@pytest.mark.parametrize("a", [1.0, 2.5, 40.0, 81.0, 101.0])
@pytest.mark.parametrize("b", [1.0, 3.0, 21.0, 101.0])
def test_beta_distribution_is_that_of_scipy(a, b):
    for x in (1e-6, 0.1, 0.5, 0.8, 0.999):
        assert beta_cdf(x, a, b) == pytest.approx(beta.cdf(x, a, b), rel=1e-11, abs=1e-15)


@pytest.mark.parametrize(("mean", "n"), [(0.8, 1000), (0.88, 1000), (0.95, 100), (0.5, 5), (0.0, 30), (1.0, 30)])
def test_target_must_lie_in_the_central_interval(mean, n):
    bound = min(n, 100)
    low, high = beta(mean * bound + 1, (1 - mean) * bound + 1).interval(0.95)
    accept = np.full(n, mean)
    for target in (0.05, low - 1e-3, low + 1e-3, high - 1e-3, high + 1e-3, 0.99):
        if 0 < target < 1:
            assert misses_target(accept, target) == (not low <= target <= high)


@pytest.mark.parametrize("n", [100, 1000])
def test_targets_near_one_are_not_told_apart(n):
    for target in (0.99, 0.995, 0.999, 1.0 - 1e-9):
        assert not misses_target(np.full(n, 1.0), target)
        assert not misses_target(np.full(n, 0.995), target)
        assert misses_target(np.full(n, 0.93), target)
        assert not misses_target(np.full(n, 0.005), 1.0 - target)
        assert misses_target(np.full(n, 0.07), 1.0 - target)


def test_nothing_to_tell_from():
    assert not misses_target(np.empty(0), 0.8)
    assert not misses_target(np.full(10, np.nan), 0.8)

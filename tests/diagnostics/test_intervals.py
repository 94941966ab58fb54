"""The shortest interval."""

import numpy as np
import pytest

from nbinfer.diagnostics import hdi


def test_interval_of_a_falling_density_begins_at_the_smallest_draw():
    x = np.random.default_rng(1).exponential(size=(4, 100, 3))
    interval = hdi(x, 0.9)
    assert interval.shape == (3, 2)
    for i in range(3):
        ranked = np.sort(x[:, :, i].ravel())
        lengths = ranked[360:] - ranked[:40]
        best = np.argmin(lengths)
        np.testing.assert_array_equal(interval[i], [ranked[best], ranked[best + 360]])


def test_nothing_to_compute_from():
    assert np.isnan(hdi([1.0, np.nan, 2.0])).all()
    np.testing.assert_array_equal(hdi([5.0]), [5.0, 5.0])
    np.testing.assert_array_equal(hdi(np.ones((2, 10), int)), [1.0, 1.0])


@pytest.mark.parametrize("prob", [0, 1, 1.5, np.nan])
def test_probability(prob):
    with pytest.raises(ValueError, match="prob must lie between 0 and 1"):
        hdi(np.ones((2, 10)), prob)

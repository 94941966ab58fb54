"""E-BFMI of known energies."""

import numpy as np
import pytest

from nbinfer.diagnostics import bfmi


def test_independent_energies_give_two_and_a_random_walk_nothing():
    rng = np.random.default_rng(1)
    steps = rng.normal(size=(1, 20000))
    values = bfmi(np.concatenate([steps, np.cumsum(steps, axis=1)]))
    assert values[0] == pytest.approx(2, abs=0.1)
    assert values[1] < 0.01


def test_definition():
    energy = np.array([[1.0, 2.0, 4.0, 1.0, 0.0]])
    assert bfmi(energy) == pytest.approx([(1 + 4 + 9 + 1) / 4 / energy.var(ddof=1)])
    assert bfmi(energy[0]) == pytest.approx(bfmi(energy))


def test_cannot_be_computed():
    assert np.isnan(bfmi(np.ones((2, 10)))).all()
    assert np.isnan(bfmi(np.ones((2, 3)))).all()
    assert bfmi(np.ones((2, 0))).shape == (2,)
    values = bfmi([[1.0, np.nan, 2.0, 3.0], [1.0, np.inf, 2.0, 3.0], [1.0, 3.0, 2.0, 3.0]])
    np.testing.assert_array_equal(np.isnan(values), [True, True, False])
    with pytest.raises(ValueError, match=r"energy must have shape \(chain, draw\)"):
        bfmi(np.ones((2, 3, 4)))

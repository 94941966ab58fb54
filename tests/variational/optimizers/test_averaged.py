"""Adam with a mean of all squares, against its definition, and the rule that keeps book of another."""

import numpy as np
import pytest

from nbinfer.engine.state import Memory
from nbinfer.variational import optimizers
from nbinfer.variational.optimizers.descent import Extent
from nbinfer.variational.optimizers.watched import LENGTH, STRETCHES, Watched, stretches
from nbinfer.variational.values import shared
from tests.variational.optimizers.test_rules import START, slope, trajectory


def test_averaged_adam_is_as_defined():
    x, m, v = START.copy(), np.zeros(2), np.zeros(2)
    expected = []
    for t in range(1, 51):
        g = slope(x)
        m, v = 0.9 * m + 0.1 * g, v + 4 / (3 + t) * (g**2 - v)
        x = x - 0.05 * m / (1 - 0.9**t) / (np.sqrt(v) + 1e-8)
        expected.append(x)
    np.testing.assert_allclose(trajectory(optimizers.averaged_adam(learning_rate=0.05), 50), expected, rtol=1e-12)


def test_its_first_square_counts_as_one_and_is_forgotten():
    """One enormous gradient is outweighed: the mean has weights that grow as the cube of the step."""
    weights = np.array([1.0])
    for t in range(2, 1001):
        weights = np.append(weights * (1 - 4 / (3 + t)), 4 / (3 + t))
    assert weights.sum() == pytest.approx(1.0)
    assert weights[0] < 1e-10
    cubes = np.arange(1, 1001) * np.arange(2, 1002) * np.arange(3, 1003)
    np.testing.assert_allclose(weights, cubes / cubes.sum(), rtol=1e-9)


def test_its_settings_are_checked():
    with pytest.raises(ValueError, match="beta1 must lie between 0 and 1"):
        optimizers.averaged_adam(beta1=1.0)
    with pytest.raises(ValueError, match="epsilon must be positive"):
        optimizers.averaged_adam(epsilon=0.0)


def watched(inner):
    """Return updates of a watched rule, what moves, and the book."""
    x = shared(START)
    updates = Watched(inner.learning_rate, inner)([slope], [x])
    return updates, x, updates._own


@pytest.mark.parametrize("inner", [optimizers.adam(learning_rate=0.01), optimizers.momentum(learning_rate=0.01)])
def test_a_watched_rule_leads_where_it_did(inner):
    np.testing.assert_array_equal(trajectory(Watched(inner.learning_rate, inner), 60), trajectory(inner, 60))


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("steps", [25, LENGTH * STRETCHES - 1, LENGTH * STRETCHES, 3 * LENGTH * STRETCHES + 7])
def test_the_book_is_right(steps):
    updates, x, own = watched(optimizers.sgd(learning_rate=0.001))
    seen = []
    for _ in range(steps):
        updates()
        seen.append(x.get_value())
    means, spreads, length = stretches(own, 2)
    assert len(means) < STRETCHES
    assert len(means) * length + int(own.inside) == steps
    assert steps < LENGTH * STRETCHES or len(means) >= STRETCHES // 2
    parts = np.array(seen)[: len(means) * length].reshape(len(means), length, 2)
    np.testing.assert_allclose(means, parts.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(spreads, parts.var(axis=1) * length, rtol=1e-6, atol=1e-18)


def test_a_restart_forgets_all_but_where_it_is():
    inner = optimizers.apply_momentum(optimizers.adam(learning_rate=0.01))
    updates, x, own = watched(inner)
    for _ in range(30):
        updates()
    here = x.get_value()
    updates.rule.restart(own, Extent(2), 0.005)
    updates.rule.connect(own)
    assert (float(own.rate), int(own.filled), int(own.inside), int(own.descent.step)) == (0.005, 0, 0, 0)
    updates()
    other = shared(here)
    optimizers.apply_momentum(optimizers.adam(learning_rate=0.005))([slope], [other])()
    np.testing.assert_array_equal(x.get_value(), other.get_value())


def test_memory_that_is_cleared_is_as_it_began():
    updates, _, own = watched(optimizers.adam(learning_rate=0.01))
    for _ in range(30):
        updates()
    assert own.inner.first.any()
    assert isinstance(own, Memory)
    means = int(own.record["means"])
    own.clear()
    assert not own.inner.first.any()
    assert not own.means.any()
    assert own.descent.step == own.rate == 0
    assert int(own.record["means"]) == means

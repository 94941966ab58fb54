"""Ranks among thinned draws: uniform where value and draws are of one distribution, ties and all; p-values of that."""

import numpy as np
import pytest
from scipy import stats

from nbinfer.checks.ranks import places
from nbinfer.checks.uniformity import chi_square, kolmogorov, p_value
from nbinfer.compile import JIT

COUNT = 2000 if JIT else 150


def many(draw, rng, **options):
    """Rank many values among draws of the same kind."""
    return np.array([places(*draw(rng), rng, **options)[0] for _ in range(COUNT)])


def normals(rng):
    return rng.normal(size=(2, 20)), rng.normal()


def coins(rng):
    return rng.binomial(2, 0.3, (2, 20)), rng.binomial(2, 0.3)


def constants(rng):
    return np.ones((2, 20)), 1.0


def flags(rng):
    return rng.random((2, 20)) < 0.3, rng.random() < 0.3


@pytest.mark.either
@pytest.mark.parametrize("draw", [normals, coins, constants, flags])
def test_places_are_uniform(draw):
    assert p_value(many(draw, np.random.default_rng(5))) > 1e-3


def test_ties_that_are_not_broken_would_show():
    rng = np.random.default_rng(5)
    below = [np.mean(draws < value) for draws, value in (coins(rng) for _ in range(COUNT))]
    assert p_value(np.array(below)) < 1e-6


@pytest.mark.nojit  # long as plain Python
def test_numbers_that_differ_by_rounding_are_ties():
    draws = 1.0 + 1e-12 * np.random.default_rng(1).normal(size=(2, 20))
    rng = np.random.default_rng(2)
    found = np.array([places(draws, 1.0 + 1e-11, rng, 1e-9)[0] for _ in range(100)])
    assert 0.2 < found.mean() < 0.8
    assert places(draws, 1.0 + 1e-11, rng)[0] > 0.9


def test_draws_count_as_much_as_they_are_worth():
    rng = np.random.default_rng(3)
    slow = np.repeat(rng.normal(size=(4, 50)), 10, axis=1)
    found, counts = places(np.stack([rng.normal(size=(4, 500)), slow], axis=2), np.zeros(2), rng)
    assert found.shape == counts.shape == (2,)
    assert counts[0] > 1000
    assert counts[1] < 400


@pytest.mark.parametrize("n", [5, 40, 1000])
def test_p_values_are_those_of_scipy(n):
    rng = np.random.default_rng(n)
    for u in (rng.random(n), rng.beta(2.0, 1.5, n)):
        bins = min(max(n // 10, 2), 20)
        counts = np.histogram(u, bins, (0.0, 1.0))[0]
        assert chi_square(u) == pytest.approx(stats.chisquare(counts).pvalue, rel=1e-9)
        assert kolmogorov(u) == pytest.approx(stats.kstest(u, "uniform").pvalue, rel=0.15, abs=0.01)


def test_p_values_at_the_ends():
    assert kolmogorov((np.arange(1000) + 0.5) / 1000) == 1.0
    assert p_value(np.full(300, 0.999)) < 1e-100
    assert 0.0 < p_value(np.array([0.5])) <= 1.0


def test_p_values_are_uniform_or_larger():
    rng = np.random.default_rng(1)
    found = np.array([p_value(rng.random(100)) for _ in range(400)])
    for level in (0.02, 0.1, 0.3):
        assert np.mean(found < level) < level + 4.0 * np.sqrt(level * (1.0 - level) / 400)

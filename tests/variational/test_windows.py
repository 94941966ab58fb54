"""Windows of series that are known: what has settled, and what only looks as if it had."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.variational import windows
from nbinfer.variational.optimizers.watched import LENGTH, STRETCHES
from nbinfer.variational.windows import best_window, has_fallen, smallest_ess, split_rhat
from tests.variational.families.laws import faulty

#: From one look to the next, at least.
EVERY = 200


def stretches(series, length):
    """Return means and spreads of a series, shape (steps, n), and the length of stretches."""
    parts = series[: len(series) // length * length].reshape(-1, length, series.shape[1])
    means = parts.mean(axis=1)
    return means, ((parts - means[:, None]) ** 2).sum(axis=1), length


def stop(series, rule, module=windows):
    """Return the step at which the iterates of a rate are found to have settled; None: at none."""
    length, step = LENGTH, EVERY + EVERY // 2
    while step <= len(series):
        while step // length >= STRETCHES:
            length *= 2
        window = module.best_window(*stretches(series[:step], length), rule.min_window)
        if window is not None and rule.has_settled(window):
            return step
        step += max(EVERY, step // 10)
    return None


def autoregressive(rng, steps, n, memory=0.0):
    noise = rng.normal(size=(steps, n))
    series = np.empty_like(noise)
    last = rng.normal(size=n)
    for i in range(steps):
        last = series[i] = memory * last + np.sqrt(1.0 - memory**2) * noise[i]
    return series


def stops(slope, steps, n=1, memory=0.0, rule=None, module=windows):
    """Return where a hundred series end whose means move by so many standard deviations in each step."""
    found = []
    for seed in range(100):
        series = autoregressive(np.random.default_rng(seed), steps, n, memory)
        found.append(stop(series + slope * np.arange(steps)[:, None], rule or nb.RAABBVI(), module))
    return found


@pytest.mark.parametrize(("n", "memory"), [(1, 0.0), (20, 0.0), (2, 0.8)])
def test_flat_noise_has_settled(n, memory):
    found = stops(0.0, 10 * EVERY, n, memory)
    assert sum(step is not None for step in found) >= 95


@pytest.mark.nojit
def test_a_slope_has_not():
    found = stops(0.01, 5000)
    assert sum(step is not None for step in found) <= 5


@pytest.mark.nojit
def test_faults_stop_on_slopes_or_nowhere():
    class Inverted(nb.RAABBVI):
        def has_settled(self, window):
            return window.rhat > self.rhat and window.ess >= self.min_ess

    assert sum(step is not None for step in stops(0.0, 10 * EVERY, rule=Inverted())) < 95
    halves_alike = faulty(windows, ("0.5 * (halves[0][0] - halves[1][0]) ** 2", "0.0 * halves[0][0]"))
    without_size = nb.RAABBVI(min_ess=1.0)
    assert sum(step is not None for step in stops(0.01, 1000, rule=without_size, module=halves_alike)) > 5


def test_units_do_not_matter():
    series = autoregressive(np.random.default_rng(1), 1000, 3, 0.5)
    one, other = (best_window(*stretches(scale * series, 20), EVERY) for scale in (1.0, 1024.0))
    assert (one.rhat, one.ess, one.size) == (other.rhat, other.ess, other.size)
    np.testing.assert_array_equal(1024.0 * one.mean, other.mean)


def test_rhat_is_that_of_the_iterates():
    series = autoregressive(np.random.default_rng(2), 400, 3, 0.9)
    halves = series.reshape(2, 200, 3)
    within, between = halves.var(axis=1, ddof=1).mean(axis=0), 200 * halves.mean(axis=1).var(axis=0, ddof=1)
    expected = np.sqrt((199 / 200 * within + between / 200) / within).max()
    assert split_rhat(*stretches(series, 10)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.nojit
def test_effective_sizes_know_of_memory():
    rng = np.random.default_rng(3)
    sizes = [smallest_ess(*stretches(autoregressive(rng, 40_000, 1, 0.8), 1000)) for _ in range(20)]
    # ESS of an autoregressive series is its length times (1 - memory) / (1 + memory); the least over batches is lower
    assert 0.3 * 40_000 / 9 < np.mean(sizes) < 1.1 * 40_000 / 9


def test_a_window_is_the_end_of_a_series():
    series = autoregressive(np.random.default_rng(4), 600, 2)
    series[:300] += 100.0
    window = best_window(*stretches(series, 10), EVERY)
    assert 200 <= window.size <= 300
    np.testing.assert_allclose(window.mean, series[-window.size :].mean(axis=0), rtol=1e-10)
    assert window.batches.shape == (10, 2)
    np.testing.assert_allclose(window.batches[-1], series[-window.size // 10 :].mean(axis=0), atol=0.5)
    assert best_window(*stretches(series[:200], 10), EVERY) is None


def test_what_does_not_move_has_settled():
    series = np.column_stack([np.full(400, 2.0), autoregressive(np.random.default_rng(5), 400, 1)[:, 0]])
    window = best_window(*stretches(series, 10), EVERY)
    assert window.rhat < 1.1
    assert window.ess > 50
    jump = np.repeat([[0.0], [1.0]], 200, axis=0)
    assert split_rhat(*stretches(jump, 10)) == np.inf


def test_losses_have_fallen_or_not():
    found = {0.0: 0, 1e-3: 0}
    for seed in range(100):
        noise = np.random.default_rng(seed).standard_cauchy(size=3000)
        for slope in found:
            found[slope] += has_fallen(noise - slope * np.arange(3000))
    assert found[0.0] < 15
    assert found[1e-3] > 95
    assert not has_fallen(np.full(300, 2.0))
    assert not has_fallen(np.full(300, np.nan))
    assert has_fallen(np.zeros(20))  # too few to tell

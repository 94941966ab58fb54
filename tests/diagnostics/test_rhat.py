"""R-hat: published values, the definition, and what it must see."""

import numpy as np
import pytest

from nbinfer.diagnostics import rhat
from nbinfer.diagnostics.measure import measure
from tests.diagnostics.draws import ARRAYS, REFERENCE, THETA, autoregressive, plain_rhat, scores


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("array", ARRAYS)
def test_values_of_arviz_stats(array):
    expected = REFERENCE["arviz_stats_0_8"][array]
    records = measure(ARRAYS[array])
    assert rhat(ARRAYS[array]) == pytest.approx(expected["rhat_rank"], rel=1e-13, nan_ok=True)
    assert records["rhat_bulk"] == pytest.approx(expected["rhat_z_scale"], rel=1e-13, nan_ok=True)
    assert records["rhat_folded"] == pytest.approx(expected["rhat_folded"], rel=1e-13, nan_ok=True)


def test_value_of_posterior_in_r():
    assert rhat(THETA) == pytest.approx(REFERENCE["posterior_R"]["theta"]["rhat"], abs=1e-5)


@pytest.mark.parametrize("shape", [(2, 4), (2, 5), (3, 21), (4, 50)])
@pytest.mark.parametrize("ties", [False, True])
def test_definition(shape, ties):
    x = autoregressive(np.random.default_rng(1), 0.4, shape)
    x = np.round(2 * x) if ties else x
    assert rhat(x) == pytest.approx(plain_rhat(x), rel=1e-13)


def drift(rng):
    """All chains wander from the same place to the same other place."""
    return rng.normal(size=(4, 200)) + np.linspace(-2, 2, 200)


def scales(rng):
    """One chain sees a narrower distribution around the same centre."""
    return rng.normal(size=(4, 200)) * np.array([[1], [1], [1], [0.3]])


def heavy(rng):
    """Chains of infinite variance disagree in location."""
    return rng.standard_cauchy((4, 200)) + np.array([[0], [0], [0], [4]])


TROUBLES = {drift: "split", scales: "fold", heavy: "rank"}


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("seed", range(5))
def test_trouble_is_seen(trouble, seed):
    assert rhat(trouble(np.random.default_rng(seed))) > 1.05


@pytest.mark.parametrize(("trouble", "step"), TROUBLES.items())
def test_without_its_step_the_trouble_is_missed(trouble, step):
    """Mutants: R-hat that forgets to split, to fold or to rank would fail the test above."""
    missed = [plain_rhat(trouble(np.random.default_rng(seed)), **{step: False}) <= 1.05 for seed in range(5)]
    assert any(missed)


def test_chains_that_agree():
    assert rhat(np.random.default_rng(2).normal(size=(4, 1000))) < 1.01


def test_invariances():
    x = autoregressive(np.random.default_rng(3), 0.5, (4, 60))
    assert rhat(x[[2, 0, 3, 1]]) == pytest.approx(rhat(x), rel=1e-13)
    assert measure(np.exp(3 * x))["rhat_bulk"] == pytest.approx(measure(x)["rhat_bulk"], rel=1e-13)
    assert rhat(1e200 * x) == pytest.approx(rhat(x), rel=1e-13)


def test_cannot_be_computed():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(4, 40))
    assert np.isnan(rhat(x[:1]))
    assert np.isnan(rhat(x[0]))
    assert np.isnan(rhat(x[:, :3]))
    assert np.isnan(rhat(np.ones((4, 40))))
    x[0, 0] = np.inf
    assert np.isnan(rhat(x))


def test_stuck_chains():
    assert rhat(np.repeat([[1.0], [2.0]], 40, axis=1)) == np.inf


def test_two_values():
    """Folded draws of two equally frequent values do not vary; the other R-hat stands."""
    x = np.tile([0.0, 1.0], (4, 20))
    assert rhat(x) < 1.05
    assert rhat(np.where(np.arange(4)[:, None] < 2, 0.0, 1.0) * np.ones((4, 40))) == np.inf


@pytest.mark.nojit  # long as plain Python
def test_shapes():
    x = np.random.default_rng(5).normal(size=(3, 8, 2, 150))
    values = rhat(x)
    assert values.shape == (2, 150)
    assert values[1, 149] == rhat(x[:, :, 1, 149])  # beyond the first batch
    with pytest.raises(ValueError, match="x must have shape"):
        rhat(1.0)


# ---- superchains


def nested_by_numpy(x, superchains):
    """Definition 2.1 of Margossian et al. (2024), of an array of shape (chain, draw)."""
    groups = x.reshape(superchains, -1, x.shape[1])
    means = groups.mean(2)
    within = groups.var(2, ddof=1).mean(1) if x.shape[1] > 1 else 0.0
    among = means.var(1, ddof=1) if means.shape[1] > 1 else 0.0
    return np.sqrt(1.0 + means.mean(1).var(ddof=1) / np.mean(within + among))


@pytest.mark.parametrize("shape", [(32, 1), (32, 3), (32, 10), (12, 7), (8, 20)])
def test_nested_rhat_is_that_of_the_paper_of_normal_scores(shape):
    superchains = 4
    x = np.random.default_rng(1).normal(size=shape).cumsum(axis=1)
    half = shape[1] // 2
    parts = x if shape[1] < 4 else np.stack([x[:, :half], x[:, -half:]], axis=1).reshape(-1, half)

    folded = np.abs(parts - np.median(parts))
    expected = max(nested_by_numpy(scores(y), superchains) for y in (parts, folded))
    assert rhat(x, superchains=superchains) == pytest.approx(expected, rel=1e-12)


def test_nested_rhat_is_that_of_arviz():
    stats = pytest.importorskip("arviz_stats.base").array_stats
    x = np.random.default_rng(2).normal(size=(64, 10)).cumsum(axis=1)
    ids = np.repeat(np.arange(8), 8)
    assert rhat(x, superchains=8) == pytest.approx(stats.rhat_nested(x, superchain_ids=ids), rel=1e-12)


def test_superchains_that_remember_their_starts_are_seen_where_chains_are_too_short_for_it():
    rng = np.random.default_rng(3)
    start = np.repeat(rng.normal(0.0, 1.0, 16), 64)[:, None]
    forgot = rng.normal(size=(1024, 1))
    assert rhat(forgot, superchains=16) < 1.02
    assert rhat(0.3 * start + forgot, superchains=16) > 1.03
    assert np.isnan(rhat(forgot))


def test_superchains_that_cannot_be():
    x = np.zeros((12, 4))
    with pytest.raises(ValueError, match="superchains must divide the number of chains, 12, got 5"):
        rhat(x, superchains=5)
    with pytest.raises(ValueError, match="superchains must be"):
        rhat(x, superchains=0)
    with pytest.raises(ValueError, match="superchains of one draw each have no variance within"):
        rhat(x[:, :1], superchains=12)

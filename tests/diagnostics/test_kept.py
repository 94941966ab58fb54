"""Numbers of chains, whatever their lengths and whoever comes with them."""

import numpy as np
import pytest

from nbinfer.diagnostics import bfmi
from nbinfer.diagnostics.acceptance import misses_target
from nbinfer.diagnostics.kept import Kept

CHAINS, DRAWS = 30, 137


@pytest.fixture
def draws():
    return np.random.default_rng(1).normal(size=(CHAINS, DRAWS))


def masks():
    rng = np.random.default_rng(2)
    yield "all", np.ones((CHAINS, DRAWS), bool)
    yield "two lengths", np.arange(DRAWS) < np.where(np.arange(CHAINS) % 3, DRAWS, 40)[:, None]
    yield "any", rng.random((CHAINS, DRAWS)) < rng.random((CHAINS, 1))
    yield "narrower than the draws", rng.random((CHAINS, 50)) < 0.5


MASKS = dict(masks())


def mean(rows):
    return rows.mean(axis=1)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("reduce", [mean, bfmi])
def test_a_chain_comes_to_what_it_comes_to_alone(mask, reduce, draws):
    together = Kept(mask).each(reduce, draws)
    alone = [reduce(row[: mask.shape[1]][keep][None])[0] for row, keep in zip(draws, mask, strict=True)]
    np.testing.assert_array_equal(together, alone)  # bit for bit: reports quote them


def test_arrays_stay_side_by_side(draws):
    kept = Kept(MASKS["any"])
    found = kept.each(lambda x, y: (y - x).sum(axis=1), draws, draws + 1.0)
    np.testing.assert_allclose(found, kept.counts)


def test_spans():
    kept = Kept.span(np.array([0, 2, 1]), np.array([3, 2, 5]))
    assert kept.mask.astype(int).tolist() == [[1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [0, 1, 1, 1, 1]]
    assert kept.counts.tolist() == [3, 0, 4]
    assert Kept.span(0, np.zeros(2, int)).mask.shape == (2, 0)


@pytest.mark.parametrize("target", [0.2, 0.6, 0.8, 0.95])
@pytest.mark.parametrize("n", [3, 30, DRAWS])
def test_many_chains_miss_their_target_as_each_does_alone(target, n):
    rng = np.random.default_rng(3)
    accept = np.clip(rng.uniform(0.0, 1.0, (CHAINS, 1)) + rng.normal(0.0, 0.1, (CHAINS, n)), 0.0, 1.0)
    accept[rng.random(accept.shape) < 0.2] = np.nan
    accept[0] = np.nan
    alone = [misses_target(row, target)[0] for row in accept]
    assert misses_target(accept, target).tolist() == alone
    assert n == 3 or 0 < sum(alone) < CHAINS

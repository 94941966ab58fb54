"""Batch and match: the equations that an update solves, and mutants of it."""

import numpy as np
import pytest

from nbinfer.variational import matching
from nbinfer.variational.matching import Batch
from tests.variational.families.laws import faulty


def some(dim, draws, seed=0):
    """Return mean and factor of a normal distribution, and a batch that it has nothing to do with."""
    rng = np.random.default_rng(seed)
    factor = np.tril(rng.normal(size=(dim, dim)), -1) + np.diag(rng.uniform(0.5, 2.0, dim))
    mu = rng.normal(size=dim)
    return mu, factor, Batch(mu + rng.normal(size=(draws, dim)), rng.normal(size=(draws, dim)))


def moments(mu, sigma, batch, rate):
    """Return U and V of the paper."""
    z, g = batch.positions.mean(axis=0), batch.grads.mean(axis=0)
    C, G = (np.cov(x.T, bias=True).reshape(len(mu), len(mu)) for x in batch)
    part = rate / (1.0 + rate)
    return rate * G + part * np.outer(g, g), sigma + rate * C + part * np.outer(mu - z, mu - z)


def check_update(module=matching, dim=4, draws=8, rate=3.0):
    mu, factor, batch = some(dim, draws)
    U, V = moments(mu, factor @ factor.T, batch, rate)
    new_mu, new = module.match(mu, factor, batch, rate)
    assert (np.triu(new, 1) == 0.0).all()
    assert (np.diag(new) > 0.0).all()
    sigma = new @ new.T
    np.testing.assert_allclose(sigma @ U @ sigma + sigma, V, rtol=1e-10, atol=1e-10 * np.abs(V).max())
    expected = (mu + rate * (sigma @ batch.grads.mean(axis=0) + batch.positions.mean(axis=0))) / (1.0 + rate)
    np.testing.assert_allclose(new_mu, expected, rtol=1e-10, atol=1e-10)


CASES = [(4, 8, 3.0), (8, 3, 0.5), (5, 1, 1.0), (3, 20, 100.0), (1, 2, 0.1)]


@pytest.mark.parametrize(("dim", "draws", "rate"), CASES)
def test_an_update_solves_its_equation(dim, draws, rate):
    check_update(dim=dim, draws=draws, rate=rate)


MUTANTS = {
    "no part of the means": ("np.sqrt(rate / (1.0 + rate)) * mean", "np.sqrt(rate) * mean"),
    "the means count for nothing": ("np.sqrt(rate / (1.0 + rate)) * mean", "0.0 * mean"),
    "the root has another sign": ("0.5 + np.sqrt(values**2 + 0.25)", "-0.5 + np.sqrt(values**2 + 0.25)"),
    "a variance for a standard deviation": ("1.0 / np.sqrt(0.5 +", "1.0 / (0.5 +"),
    "the mean moves all the way": ("mu + rate / (1.0 + rate) * (factor", "mu + (factor"),
    "the factor transposed": ("batch.grads @ factor\n    wide", "batch.grads @ factor.T\n    wide"),
    "no covariance of draws": ("np.sqrt(rate / len(z)) *", "np.sqrt(1.0 / len(z)) *"),
}


@pytest.mark.parametrize("fault", sorted(MUTANTS))
def test_a_fault_in_an_update_is_found(fault):
    with pytest.raises(AssertionError):
        check_update(faulty(matching, MUTANTS[fault]))


def low_rank(dim=6, rank=2, seed=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=dim), rng.uniform(0.5, 2.0, dim), rng.normal(size=(dim, rank))


def gap(sigma, scale, directions):
    """Return the divergence of the normal distribution with this covariance from the factor model."""
    model = np.diag(scale**2) + directions @ directions.T
    volumes = np.linalg.slogdet(model)[1] - np.linalg.slogdet(sigma)[1]
    return 0.5 * (np.trace(np.linalg.solve(model, sigma)) - len(sigma) + volumes)


@pytest.mark.parametrize("draws", [3, 9])
def test_a_patched_update_is_the_projection_of_the_whole_one(draws, monkeypatch):
    """With cycles enough: no other factor model nearby is closer to what the whole update gives."""
    monkeypatch.setattr(matching, "_CYCLES", 500)
    mu, scale, directions = low_rank()
    rng = np.random.default_rng(1)
    batch = Batch(mu + rng.normal(size=(draws, 6)), rng.normal(size=(draws, 6)))
    new_mu, new_scale, new = matching.match_patched(mu, scale, directions, batch, 0.7)
    factor = np.linalg.cholesky(np.diag(scale**2) + directions @ directions.T)
    whole_mu, whole = matching.match(mu, factor, batch, 0.7)
    np.testing.assert_allclose(new_mu, whole_mu, rtol=1e-9)
    sigma = whole @ whole.T
    best = gap(sigma, new_scale, new)
    assert best < gap(sigma, scale, directions)
    for _ in range(50):
        moved = new_scale * np.exp(1e-3 * rng.normal(size=6)), new + 1e-3 * rng.normal(size=new.shape)
        assert gap(sigma, *moved) > best - 1e-8


def test_a_mismatch_is_that_of_the_gradients():
    mu, scale, directions = low_rank()
    sigma = np.diag(scale**2) + directions @ directions.T
    factor = np.linalg.cholesky(sigma)
    rng = np.random.default_rng(2)
    z, g = mu + rng.normal(size=(7, 6)), rng.normal(size=(7, 6))
    apart = g + np.linalg.solve(sigma, (z - mu).T).T
    expected = np.einsum("bi,ij,bj->", apart, sigma, apart) / apart.size
    assert matching.mismatch(mu, factor, Batch(z, g)) == pytest.approx(expected, rel=1e-10)
    assert matching.mismatch_patched(mu, scale, directions, Batch(z, g)) == pytest.approx(expected, rel=1e-10)
    exact = -np.linalg.solve(sigma, (z - mu).T).T
    assert matching.mismatch(mu, factor, Batch(z, exact)) < 1e-25
    assert matching.mismatch_patched(mu, scale, directions, Batch(z, exact)) < 1e-25

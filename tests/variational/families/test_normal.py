"""Divergences of normal distributions: against sums of both directions, and of one family against another."""

import numpy as np
import pytest

from nbinfer.variational.families.family import Extent, inverse_softplus
from nbinfer.variational.families.full_rank import FullRankFamily
from nbinfer.variational.families.low_rank import LowRankFamily
from nbinfer.variational.families.mean_field import MeanFieldFamily
from nbinfer.variational.families.normal import between_independent, between_normals

N = 4


def kl(mean, cov, other_mean, other_cov):
    """Return the divergence in one direction."""
    precision, apart = np.linalg.inv(other_cov), other_mean - mean
    determinants = np.linalg.slogdet(other_cov)[1] - np.linalg.slogdet(cov)[1]
    return 0.5 * (np.trace(precision @ cov) + apart @ precision @ apart - len(mean) + determinants)


def expected(mean, cov, other_mean, other_cov):
    return kl(mean, cov, other_mean, other_cov) + kl(other_mean, other_cov, mean, cov)


def normal(rng):
    a = rng.normal(size=(N, N))
    return rng.normal(size=N), a @ a.T + np.eye(N)


def test_both_directions_are_added():
    rng = np.random.default_rng(1)
    one, other = normal(rng), normal(rng)
    assert between_normals(*one, *other) == pytest.approx(expected(*one, *other), rel=1e-12)
    assert between_normals(*one, *one) == pytest.approx(0.0, abs=1e-12)
    sd, other_sd = np.sqrt(np.diag(one[1])), np.sqrt(np.diag(other[1]))
    found = between_independent(one[0], sd, other[0], other_sd)
    assert found == pytest.approx(expected(one[0], np.diag(sd**2), other[0], np.diag(other_sd**2)), rel=1e-12)


def test_small_distances_are_what_they_are_called():
    """A standard deviation that is off by e is at sqrt(2) e, a mean by e of one at e, whatever the unit."""
    for unit in (1e-3, 1.0, 1e3):
        one = np.array([2.0]), np.array([unit])
        assert between_independent(*one, one[0], one[1] * 1.001) ** 0.5 == pytest.approx(0.001 * 2**0.5, rel=2e-3)
        assert between_independent(*one, one[0] + 0.001 * unit, one[1]) ** 0.5 == pytest.approx(0.001, rel=1e-6)


def test_what_is_singular_is_far_away():
    assert between_normals(np.zeros(2), np.zeros((2, 2)), np.zeros(2), np.eye(2)) == np.inf


@pytest.mark.parametrize(
    ("family", "extent"),
    [
        (MeanFieldFamily(), Extent(N)),
        (MeanFieldFamily(), Extent(N, 2)),
        (FullRankFamily(), Extent(N)),
        (FullRankFamily(), Extent(N, 2)),
        (LowRankFamily(2), Extent(N)),
    ],
    ids=["mean field", "mean field by row", "full rank", "full rank by row", "low rank"],
)
def test_families_know_their_divergence(family, extent):
    rng = np.random.default_rng(2)
    first = family.first_values(extent, np.zeros(N), np.ones(N))
    one, other = (
        {
            name: np.reshape(first[name], shape) + 0.3 * rng.normal(size=shape)
            for name, shape in family.shapes(extent).items()
        }
        for _ in range(2)
    )
    moments = [part for p in (one, other) for part in (family.mean(p), family.cov(p))]
    assert family.divergence(one, other) == pytest.approx(expected(*moments), rel=1e-9)
    assert family.divergence(other, one) == pytest.approx(family.divergence(one, other), rel=1e-9)


def test_several_directions_may_be_turned_and_one_may_not():
    assert LowRankFamily(1).is_identified(Extent(N))
    assert not LowRankFamily(2).is_identified(Extent(N))
    assert MeanFieldFamily().is_identified(Extent(N))
    rho, u = inverse_softplus(np.ones(N)), np.random.default_rng(3).normal(size=(N, 2))
    turn = np.array([[-0.6, -0.8], [0.8, -0.6]])
    one, other = ({"mu": np.zeros(N), "rho": rho, "U": each} for each in (u, u @ turn))
    assert LowRankFamily(2).divergence(one, other) == pytest.approx(0.0, abs=1e-12)
    average = one | {"U": 0.5 * (u + u @ turn)}
    assert LowRankFamily(2).divergence(one, average) > 0.1

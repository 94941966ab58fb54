"""Weights of a mixture: they are those of a target that is such a mixture, however its distributions are told apart."""

import numpy as np
import pytest
from scipy import special

from nbinfer.variational.families.pathfinder import Normal
from nbinfer.variational.pathfinder import mixture
from tests.laws.law import mutant

KEY = np.array([1, 2], np.uint64)


def normal(mean, scale=1.0, n=2):
    return Normal(np.full(n, float(mean)), np.full(n, scale), np.zeros((1, n)), np.eye(1))


def target(normals, weights):
    return lambda z: special.logsumexp([np.log(w) + q.logq(z) for q, w in zip(normals, weights, strict=True)], axis=0)


def weighed(normals, log_densities, draws=4000, module=mixture):
    z = module.candidates(normals, range(len(normals)), KEY, draws)
    return module.weights_of(normals, z, log_densities)


TWO = [normal(-0.8), normal(0.8, 0.5)]


def keeps_the_law(module=mixture):
    found = weighed(TWO, target(TWO, [0.2, 0.8]), module=module)
    return found.sum() == pytest.approx(1.0) and np.allclose(found, [0.2, 0.8], atol=0.02)


def test_weights_are_those_of_the_target():
    assert keeps_the_law()
    constant = weighed(TWO, lambda z: target(TWO, [0.2, 0.8])(z) - 1e5)
    np.testing.assert_allclose(constant, weighed(TWO, target(TWO, [0.2, 0.8])), rtol=1e-6)


def test_what_two_have_found_counts_once():
    found = weighed([TWO[0], TWO[1], TWO[1]], target(TWO, [0.2, 0.8]))
    assert found[0] == pytest.approx(0.2, abs=0.02)
    assert found[1] == pytest.approx(found[2], rel=1e-6)


def test_what_lies_elsewhere_weighs_nothing():
    found = weighed([*TWO, normal(60.0)], target(TWO, [0.2, 0.8]))
    assert found[2] < 1e-12


def test_without_any_density_all_weigh_alike():
    np.testing.assert_allclose(weighed(TWO, lambda z: np.full(len(z), -np.inf)), 0.5, atol=0.01)


def test_each_path_has_noise_of_its_own():
    first, second = np.split(mixture.candidates([TWO[0], TWO[0]], [0, 1], KEY, 10), 2)
    assert (first != second).all()
    np.testing.assert_array_equal(mixture.candidates([TWO[0]], [1], KEY, 10), second)


MUTANTS = {
    "densities of one path": ("np.log(shares.mean(axis=0))", "np.log(shares[0])"),
    "one round": ("_ROUNDS = 100", "_ROUNDS = 1"),
    "importance forgotten": ("@ importance", "@ np.ones_like(importance)"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_law_catches(tmp_path, name):
    assert not keeps_the_law(mutant(tmp_path, *MUTANTS[name], mixture))

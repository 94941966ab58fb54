"""The law of transitions with a metric of few directions, and mutants of it."""

import numpy as np
import pytest

from nbinfer.compile import JIT
from nbinfer.mcmc.adaptation import warmup
from nbinfer.mcmc.hamiltonian import common, hmc, integrators, nuts, tree, turning
from nbinfer.mcmc.metric import kernel, low_rank
from nbinfer.mcmc.metric.potential import QuadPotential
from tests.laws.kit import student
from tests.laws.law import COUNT, assert_caught, assert_invariant, mutant, one_now
from tests.laws.targets import ExactTarget


class Stretched(QuadPotential):
    """A fixed metric: scales (n,), eigenvalues (rank,), orthonormal directions (rank, n)."""

    def __init__(self, scale, values, vectors):
        super().__init__(len(scale))
        self.scale, self.values, self.vectors = scale, values, vectors

    def directions(self, n, tune):
        return n

    def initialise(self, metric, schedule, tune, position):
        super().initialise(metric, schedule, tune, position)
        low, n, rank = metric.low_rank, len(self.scale), len(self.values)
        metric.dense, low.rank = 3, rank
        low.scale[:] = self.scale
        low.vectors[..., : rank * n] = self.vectors.ravel()
        low.stretches[..., : 2 * rank] = np.concatenate([self.values - 1.0, self.values**-0.5 - 1.0])
        low.has_matrix = n <= low_rank.SMALL
        if n <= low_rank.SMALL:
            stretch = np.eye(n) + self.vectors.T @ ((self.values - 1.0)[:, None] * self.vectors)
            low.matrix[:] = (self.scale[:, None] * stretch * self.scale).ravel()


def stretched(n):
    """A metric far from the best one, so that it counts."""
    directions = np.linalg.qr(np.random.default_rng(1).normal(size=(n, 2)))[0].T
    return Stretched(np.linspace(0.5, 1.0, n), np.array([2.0, 0.4]), directions)


def target(n):
    """Independent Student's t."""
    return ExactTarget(student, lambda rng, count: rng.standard_t(5, (count, n)), n)


@pytest.mark.parametrize("n", [3, 12])
@pytest.mark.parametrize("integrator", ["leapfrog", "threestage"])
@pytest.mark.parametrize("method", [nuts.NUTS, hmc.HamiltonianMC])
def test_one_transition_leaves_the_target_invariant(method, integrator, n):
    step = method(metric=stretched(n), integrator=integrator, step_scale=1.2, adapt_step_size=False)
    assert_invariant(step, target(n), count=COUNT // 2, moves=0.3)


MUTANTS = {
    "the eigenvalue for its inverse root": ("low.stretches + 8 * low.rank, address", "low.stretches, address"),
    "momenta without directions": ("_stretch(low, n, low.stretches + 8", "_stretch(low, 0, low.stretches + 8"),
    "momenta of the inverse scale": ("values[i] /= scale[i]", "values[i] *= scale[i]"),
    "a velocity that a half kick leaves behind": ("speed[i] += kick * pull[i]", "speed[i] += 0.5 * kick * pull[i]"),
    "a velocity of one scale": ("out[i] *= scale[i]", "out[i] *= 1.0"),
}


@pytest.mark.skipif(not JIT, reason="the law needs more draws than plain Python makes")
@pytest.mark.parametrize("name", one_now(MUTANTS))
def test_the_law_catches(name, tmp_path):
    modules = (low_rank, kernel, integrators, turning, tree, warmup, common, hmc)
    broken = mutant(tmp_path, *MUTANTS[name], *modules)
    method = broken.HamiltonianMC(metric=stretched(12), step_scale=1.2, adapt_step_size=False)
    assert_caught(method, target(12), count=COUNT // 2)

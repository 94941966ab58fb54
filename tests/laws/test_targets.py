"""The exact targets are what they say: draws and densities of the same distribution."""

import numpy as np
import pytest

from nbinfer.compile import JIT
from tests.laws.targets import CONTINUOUS, EXACT, ising_probabilities, mixture_posterior


@pytest.mark.parametrize("name", [*CONTINUOUS, "mixture"])
def test_draws_and_density_agree(name):
    """Stein: E ∇logp = 0 and E x_i ∇_j logp = −δ_ij, for draws and a density of the same distribution only."""
    target, rng = EXACT[name](), np.random.default_rng(5)
    count = 20_000 if JIT else 2_000
    x, z = target.draw(rng, count)
    grads = []
    for q, d in zip(x, z, strict=True):
        target.discrete(0)[:] = d
        grads.append(target.value_and_grad(q)[1])
    scale = x.std(0)
    g, x = np.array(grads) * scale, (x - x.mean(0)) / scale
    products = x[:, :, None] * g[:, None, :]
    for sample, mean in [(g, np.zeros(target.dim)), (products, -np.eye(target.dim))]:
        error = sample.std(0) / np.sqrt(count)
        assert (np.abs(sample.mean(0) - mean) < 4.5 * error).all()


@pytest.mark.parametrize("name", CONTINUOUS)
def test_gradients_are_those_of_the_values(name):
    target = EXACT[name]()
    q = target.draw(np.random.default_rng(6), 1)[0][0]
    for i in range(target.dim):
        h = np.zeros(target.dim)
        h[i] = 1e-6 * max(abs(q[i]), 1e-2)
        slope = (target.value_and_grad(q + h)[0] - target.value_and_grad(q - h)[0]) / (2 * h[i])
        assert slope == pytest.approx(target.value_and_grad(q)[1][i], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("name", ["poisson", "category", "ising"])
def test_discrete_draws_and_density_agree(name):
    target = EXACT[name]()
    _, z = target.draw(np.random.default_rng(7), 20_000)
    states, counts = np.unique(z, axis=0, return_counts=True)
    everything = np.stack(np.meshgrid(*map(np.arange, target.highest + 1)), -1).reshape(-1, target.n_discrete)
    weights = {}
    for state in everything:
        target.discrete(0)[:] = state
        weights[tuple(state)] = np.exp(target.value_and_grad(np.zeros(0))[0])
    total = sum(weights.values())
    for state, seen in zip(states, counts, strict=True):
        p = weights[tuple(state)] / total
        assert abs(seen - 20_000 * p) < 4.5 * np.sqrt(20_000 * p * (1 - p)) + 1
    target.discrete(0)[0] = target.highest[0] + 1
    assert target.value_and_grad(np.zeros(0))[0] == -np.inf


def test_the_probabilities_of_the_issue():
    expected = [0.248105, 0.018428, 0.050092, 0.061182, 0.111481, 0.303037, 0.004544, 0.203132]
    np.testing.assert_allclose(ising_probabilities(), expected, atol=6e-7)
    p, mean, _ = mixture_posterior()
    np.testing.assert_allclose(p, [0.013204, 0.743844, 0.242953], atol=1e-6)
    assert p @ mean == pytest.approx(0.745897, abs=6e-7)

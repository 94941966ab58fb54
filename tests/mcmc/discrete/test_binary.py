"""Steps for variables of two values: exact transition matrices, invariance, errors."""

import itertools

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.mcmc.discrete import binary, sweep
from nbinfer.mcmc.discrete.binary import BinaryGibbsMetropolis, BinaryMetropolis
from nbinfer.mcmc.walks import metropolis
from tests.laws.law import assert_caught, assert_invariant, move_once, mutant, one_now
from tests.laws.targets import EXACT, ising_probabilities

PI = ising_probabilities()
BITS = (np.arange(8)[:, None] >> np.arange(3)) & 1
COUNT = 60_000 if JIT else 300


def flips_of(p_jump):
    """Transition matrix of Metropolis that flips each bit with probability p_jump."""
    matrix = np.zeros((8, 8))
    for a, b in itertools.permutations(range(8), 2):
        flipped = int(np.sum(BITS[a] != BITS[b]))
        matrix[a, b] = p_jump**flipped * (1 - p_jump) ** (3 - flipped) * min(1.0, PI[b] / PI[a])
    return matrix + np.diag(1.0 - matrix.sum(1))


def sweep_of(orders, transit_p):
    """Transition matrix of visits in an order, the mean over several orders."""

    def visit(i):
        matrix = np.zeros((8, 8))
        for a in range(8):
            b = a ^ (1 << i)
            matrix[a, b] = transit_p * min(1.0, PI[b] / PI[a])
        return matrix + np.diag(1.0 - matrix.sum(1))

    return np.mean([np.linalg.multi_dot([visit(i) for i in order]) for order in orders], axis=0)


def assert_matrix(method, target, exact, states, pi):
    """Compare the transitions from every state with the matrix, entry by entry."""
    np.testing.assert_allclose(pi @ exact, pi, atol=1e-12)
    for a, state in enumerate(states):
        discrete = np.repeat([state], COUNT, axis=0).astype(np.int64)
        moved = move_once(method, target, np.zeros((COUNT, 0)), discrete, seed=a + 1).new_discrete
        reached = np.array([np.all(moved == other, axis=1).mean() for other in states])
        error = np.sqrt(exact[a] * (1 - exact[a]) / COUNT)
        assert np.all(np.abs(reached - exact[a]) <= 4.5 * error + 1e-12), (a, reached, exact[a])


RANDOM = list(itertools.permutations(range(3)))


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize(
    ("method", "exact"),
    [
        (BinaryMetropolis(tune=False), flips_of(0.5)),
        (BinaryMetropolis(tune=False, scaling=0.4), flips_of(1 - 0.5**0.4)),
        (BinaryGibbsMetropolis(), sweep_of(RANDOM, 0.8)),
        (BinaryGibbsMetropolis(order=[2, 0, 1], transit_p=1.0), sweep_of([(2, 0, 1)], 1.0)),
    ],
    ids=["metropolis", "metropolis, fewer flips", "gibbs", "gibbs in a given order"],
)
def test_the_transition_matrix(method, exact):
    assert_matrix(method, EXACT["ising"](), exact, BITS, PI)


@pytest.mark.parametrize("method", [BinaryMetropolis(), BinaryGibbsMetropolis()])
def test_one_transition_leaves_the_target_invariant(method):
    assert_invariant(method, EXACT["ising"]())


MUTANTS = {
    "0.8 of the change of the log density": (
        "if math.log1p(-uniform(chain.words)) < change:",
        "if math.log1p(-uniform(chain.words)) < 0.8 * change:",
        "BinaryGibbsMetropolis",
    ),
    "a flip that is not taken back": (
        "        else:\n            z[at] = 2 * lowest[j] + 1 - z[at]",
        "        elif j > 0:\n            z[at] = 2 * lowest[j] + 1 - z[at]",
        "BinaryGibbsMetropolis",
    ),
    "the running log density is not updated": (
        "chain.logp, chain.gradient_known = chain.logp + change, 0",
        "chain.gradient_known = 0",
        "BinaryGibbsMetropolis",
    ),
    "flips that depend on the state": (
        "flipped[j] = 1 if uniform(chain.words) < p_jump else 0",
        "flipped[j] = 1 if uniform(chain.words) < p_jump * (1.0 + 0.5 * z[indices[j]]) else 0",
        "BinaryMetropolis",
    ),
}


@pytest.mark.skipif(not JIT, reason="the law needs more draws than plain Python makes")
@pytest.mark.parametrize("name", one_now(MUTANTS))
def test_the_law_catches(name, tmp_path):
    old, new, kind = MUTANTS[name]
    broken = mutant(tmp_path, old, new, sweep, metropolis, binary)
    assert_caught(getattr(broken, kind)(), EXACT["ising"]())


def spins(*shape):
    return nb.Model({"s": nb.binary(shape)}, logp=lambda p, d: 0.3 * np.sum(p.s))


@pytest.mark.parametrize(
    ("method", "options", "error", "message"),
    [
        (BinaryMetropolis, {"scaling": 1.5}, ValueError, "scaling of BinaryMetropolis must be at most 1"),
        (BinaryMetropolis, {"tune": 100}, TypeError, "an argument of sample"),
        (BinaryGibbsMetropolis, {"order": "backwards"}, ValueError, "'random' or a permutation, got 'backwards'"),
        (BinaryGibbsMetropolis, {"order": [0, 0, 1]}, ValueError, r"'random' or a permutation of 0 … k - 1, got"),
        (BinaryGibbsMetropolis, {"order": [0.0, 1.0]}, ValueError, "permutation"),
        (BinaryGibbsMetropolis, {"transit_p": 0.0}, ValueError, r"transit_p must lie in \(0, 1\], got 0.0"),
    ],
)
def test_bad_options(method, options, error, message):
    with pytest.raises(error, match=message):
        method(**options)


def test_an_order_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"permutation of 0 … 3, got \[1, 0\]"):
        nb.sample(spins(4), 10, 10, step=BinaryGibbsMetropolis(order=[1, 0]), progressbar=False)


@pytest.mark.parametrize("method", [BinaryMetropolis, BinaryGibbsMetropolis])
def test_other_variables_are_refused(method):
    model = nb.Model({"k": nb.integer(0, 5), "x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2 - p.k)
    for name, kind in (("k", r"integer\(0, 5\)"), ("x", r"real\(\)")):
        with pytest.raises(ValueError, match=f"{method.__name__} cannot sample '{name}', which is {kind}"):
            nb.sample(model, 10, 10, step=method(name), progressbar=False)


@pytest.mark.nojit  # long as plain Python
def test_an_integer_of_two_values_is_binary():
    model = nb.Model({"k": nb.integer(3, 4)}, logp=lambda p, d: 0.8 * p.k)
    trace = nb.sample(model, 1000, 10, step=BinaryGibbsMetropolis(), random_seed=1, progressbar=False)
    share = 1 / (1 + np.exp(-0.8))
    assert set(np.unique(trace["k"])) == {3, 4}
    assert abs((trace["k"] == 4).mean() - share) < 0.05

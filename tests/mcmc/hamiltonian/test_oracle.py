"""The tree against the recursion: the same transition from the same random numbers, and mutants that it tells apart."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from nbinfer.compile import JIT, address_of, entry, floats_at, ints_at
from nbinfer.mcmc.hamiltonian import tree, turning
from nbinfer.random import key_of, new_stream
from tests.laws.kit import Target, Trajectories, fill_normal, gaussian_target, student, transition_of, uniform, wall
from tests.laws.law import mutant
from tests.mcmc.hamiltonian.oracle import SCHEMES, Recursion

KEY = key_of(np.random.SeedSequence(99))


@entry("float64(int64, intp, intp, intp)")
def funnel(n, position, grad, context):
    """Neal's funnel: q[0] ~ N(0, 3), the others N(0, exp(q[0] / 2)); too narrow for any step size at its neck."""
    q = floats_at(position, n)
    precision, logp, slope = math.exp(-q[0]), -q[0] * q[0] / 18.0, -q[0] / 9.0
    for i in range(1, n):
        logp -= 0.5 * (q[0] + q[i] * q[i] * precision)
        slope -= 0.5 * (1.0 - q[i] * q[i] * precision)
        if grad != 0:
            floats_at(grad, n)[i] = -q[i] * precision
    if grad != 0:
        floats_at(grad, n)[0] = slope
    return logp


@entry("float64(int64, intp, intp, intp)")
def stopping(n, position, grad, context):
    """A flat density, where nothing turns; when its countdown comes to 0 it puts a 1 where the second word says."""
    words = ints_at(context, 2)
    words[0] -= 1
    if words[0] == 0:
        ints_at(words[1], 1)[0] = 1
    if grad != 0:
        floats_at(grad, n)[0] = 0.0
    return 0.0


class Stopping(Target):
    """A target that sets a word when it has been asked for so many gradients."""

    def __init__(self):
        super().__init__(stopping, 1)
        self._context = np.zeros(2, np.int64)

    def after(self, gradients, word):
        self._context[:] = gradients, address_of(word)


CORRELATED = np.array([[1.0, 0.9, 0.0, 0.2], [0.9, 1.5, 0.3, 0.0], [0.0, 0.3, 0.5, 0.1], [0.2, 0.0, 0.1, 2.0]])
MATRIX = np.array([[0.8, 0.5, 0.0, 0.0], [0.5, 1.2, 0.2, 0.0], [0.0, 0.2, 0.6, 0.0], [0.0, 0.0, 0.0, 3.0]])


class Case(NamedTuple):
    """What trajectories are compared on; they start at `start` times the absolute values of normal numbers."""

    target: Callable[[], Target]
    inv_mass: Any
    sizes: tuple[float, float]
    max_depth: int = 7
    start: float = 1.0
    draws: int = 60 if JIT else 10


CASES = {
    "standard normal": Case(lambda: gaussian_target(np.eye(5)), np.ones(5), (0.1, 1.5)),
    "dense metric": Case(lambda: gaussian_target(CORRELATED), MATRIX, (0.1, 0.8)),
    "diagonal metric": Case(lambda: Target(student, 3), [1.0, 0.5, 2.0], (0.1, 0.9)),
    "funnel": Case(lambda: Target(funnel, 3), np.ones(3), (0.3, 3.0), start=-2.0),
    "funnel, dense metric": Case(lambda: Target(funnel, 4), MATRIX, (0.5, 5.0), start=-2.0),
    "turns between halves": Case(lambda: gaussian_target(np.diag([1, 0.1])), np.ones(2), (0.3, 0.5), draws=40),
    "turns, dense metric": Case(lambda: gaussian_target(np.diag([1, 0.1])), np.eye(2), (0.3, 0.5), draws=40),
    "wall": Case(lambda: Target(wall, 1), np.ones(1), (0.1, 0.9)),
    "depth limit": Case(lambda: gaussian_target(np.eye(2) * 1e4), np.ones(2), (0.5, 1.0), max_depth=5),
    "far out": Case(lambda: gaussian_target(np.eye(2)), np.ones(2), (0.5, 1.5), start=300.0),
}


def compared(trees, recursion, q, draw, max_depth):
    """Make a transition both ways from the same numbers, and fail where they differ; return how it ended, and depth."""
    words = new_stream(KEY, draw)
    recursion.uniform = lambda: uniform(words)
    with np.errstate(all="ignore"):
        expected = recursion.transition(q, fill_normal(words, len(q)), max_depth)
    slot, found = trees.move(q, new_stream(KEY, draw), max_depth, recursion.step_size)
    own = trees.tree
    assert own["n_steps"] == recursion.n_steps
    if expected is None:
        assert slot == -1
        return "stopped", recursion.depth
    ending = "diverging" if own["diverging"] else "unfinished" if own["unfinished"] else "turning"
    assert (ending, own["depth"]) == (recursion.ending, recursion.depth)
    indices = ints_at(own["indices"], own["slots"])
    logps, energies = floats_at(own["logps"], own["slots"]), floats_at(own["energies"], own["slots"])
    assert indices[slot] == expected.index
    numbers = [logps[slot], energies[slot], own["accept_sum"], own["symmetric_sum"], own["max_energy_error"]]
    wanted = [expected.logp, expected.energy, recursion.accept_sum, recursion.symmetric_sum, recursion.max_error]
    np.testing.assert_allclose([*found, *numbers], [*expected.q, *wanted], rtol=1e-7, atol=1e-8)
    return ending, recursion.depth


def compare(name, integrator="leapfrog", **options):
    """Compare the transitions of one case; return how they ended, with the depths."""
    case, rng = CASES[name], np.random.default_rng(5)
    target, inv_mass = case.target(), np.asarray(case.inv_mass)
    trees, endings = Trajectories(target, inv_mass, integrator, **options), set()
    matrix = np.diag(inv_mass) if inv_mass.ndim == 1 else inv_mass
    for draw in range(case.draws):
        q, size = case.start * np.abs(rng.normal(size=target.dim)), rng.uniform(*case.sizes)
        recursion = Recursion(target.value_and_grad, matrix, size, None, integrator)
        endings.add(compared(trees, recursion, q, draw, case.max_depth))
    return endings


@pytest.mark.parametrize("integrator", SCHEMES)
@pytest.mark.parametrize("name", CASES)
def test_the_tree_is_the_recursion(name, integrator):
    endings = compare(name, integrator)
    how = {ending for ending, _ in endings}
    if name in ("funnel", "funnel, dense metric", "wall"):
        assert how >= {"turning", "diverging"}
    else:
        assert how == {"unfinished" if name == "depth limit" else "turning"}
    assert len(endings) > 1 or name == "depth limit"  # trees of several sizes were compared


@pytest.mark.parametrize("integrator", SCHEMES)
def test_a_stopped_tree_stops_where_the_recursion_does(integrator):
    endings, stages = set(), len(SCHEMES[integrator]) // 2
    for steps in (0, 1, 2, 5, 9, 14, 20):
        ours, theirs, word = Stopping(), Stopping(), np.zeros(1, np.int64)
        trees = Trajectories(ours, np.ones(1), integrator)
        ours.after(1 + steps * stages, trees.blocks.stop)
        theirs.after(1 + steps * stages, word)
        stopped = functools.partial(word.__getitem__, 0)
        recursion = Recursion(theirs.value_and_grad, np.eye(1), 0.1, None, integrator, stopped=stopped)
        endings.add(compared(trees, recursion, np.zeros(1), steps, 4))
    assert endings == {("stopped", 0), ("stopped", 1), ("stopped", 2), ("stopped", 3), ("unfinished", 4)}


MUTANTS = {
    "without the two extra checks": (
        "min(reach * left_a, reach * left_b))\n    least = min(least, min(reach * right_a, reach * right_b))",
        "1e300)",
    ),
    "without the two extra checks of a dense metric": ("if not (turning or single):", "if False:"),
    "a turn at one end only": ("min(reach * whole_a, reach * whole_b)", "reach * whole_a"),
    "half a step too short": ("reach = 0.5 * (tree.direction", "reach = 1e-9 * (tree.direction"),
    "a candidate with the wrong weight": ("exp(min(-error, _LARGEST", "exp(min(-0.5 * error, _LARGEST"),
    "a candidate with its acceptance": ("tree.subtree_weight < weight:", "tree.subtree_weight < accept:"),
    "the last point of a half": ("uniform(chain.words) * tree.subtree_weight < weight:", "uniform(chain.words) < 2.0:"),
    "halves chosen uniformly": (
        "uniform(chain.words) * tree.weight < tree.subtree_weight:",
        "uniform(chain.words) * (tree.weight + tree.subtree_weight) < tree.subtree_weight:",
    ),
    "a trajectory that forgets its first half's weight": (
        "tree.weight += tree.subtree_weight",
        "tree.weight = tree.subtree_weight",
    ),
    "the proposal of a half that turned": (
        "    if outcome != COMPLETE:\n        return outcome",
        "    if outcome != COMPLETE:\n        tree.proposal = tree.candidate\n        return outcome",
    ),
    "the other end": ("outcome = _extend(chain, metric, tree, near)", "outcome = _extend(chain, metric, tree, far)"),
    "a fall diverges": ("return not -np.inf < error <", "return not -tree.energy_limit < error <"),
    "a rise does not diverge": ("< tree.energy_limit", "< np.inf"),
    "a slot given back too early": ("    _hold(tree, slot)\n    return COMPLETE", "    return COMPLETE"),
    "subtrees joined once": ("while (number >> level) & 1:", "while level < (number & 1):"),
}


def agrees(name, transition):
    try:
        compare(name, transition=transition)
    except (AssertionError, IndexError):  # out of slots
        return False
    return True


@pytest.mark.skipif(JIT, reason="plain Python tells mutants apart as well, and need not compile each")
@pytest.mark.parametrize("name", MUTANTS)
def test_the_recursion_catches(name, tmp_path):
    broken = transition_of(mutant(tmp_path, *MUTANTS[name], turning, tree))
    assert not all(agrees(case, broken) for case in CASES)

"""The tree against the definition: a recursive transcription in NumPy that sees the same random numbers."""

import math

import numpy as np
import pytest

from nbinfer.compile import address_of, entry, record_at
from nbinfer.mcmc import tree as trees
from nbinfer.mcmc.chain import Chain
from nbinfer.mcmc.metric import Metric
from nbinfer.mcmc.nuts import NUTS
from nbinfer.mcmc.tree import Tree
from nbinfer.random import key_of, new_stream
from tests.mcmc.kit import BareChains, Target, fill_normal, gaussian_target, student, uniform, wall

KEY = key_of(np.random.SeedSequence(99))


@entry("int64(intp, intp, intp, intp, int64, float64, intp)")
def _transition(chain_address, metric, tree_address, words, max_depth, step_size, out_address):
    chain, tree = record_at(chain_address, Chain), record_at(tree_address, Tree)
    tree.step_size = step_size
    chain.words = words
    slot = trees.transition(chain, record_at(metric, Metric), tree, max_depth)
    trees.copy(trees.point(tree, chain.n, slot), out_address, 3 * chain.n)
    return slot


class Compiled:
    """One transition by the kernel."""

    def __init__(self, target, inv_mass=None):
        self.chains = BareChains(target, NUTS(metric="unit"))
        self.n = target.dim
        if inv_mass is not None:
            self.chains.own().metric.inv_mass[:] = inv_mass
            self.chains.own().metric.root[:] = inv_mass**-0.5

    def __call__(self, q, words, max_depth, step_size):
        logp, grad = self.chains._target.value_and_grad(q)
        self.chains.blocks.begin(0, q, logp, grad)
        own, out = self.chains.own(), np.zeros(3 * self.n)
        for name in ("inv_mass", "root"):
            getattr(own.metric, name)[:] = self.metric[name] if hasattr(self, "metric") else getattr(own.metric, name)
        tree = own.tree.record
        _transition(
            address_of(self.chains.blocks.state[0]), own.metric.address, own.tree.address,
            address_of(words), max_depth, step_size, address_of(out),
        )  # fmt: skip
        return out[: self.n], tree


class Definition:
    """The same in the words of the papers: recursion, lists of points; shared with the kernel are only the numbers."""

    def __init__(self, target, inv_mass, step_size, words):
        self.f, self.inv_mass, self.h, self.words = target.value_and_grad, inv_mass, step_size, words
        self.steps = 0

    def leapfrog(self, point, sign):
        q, p, g = point
        p = p + 0.5 * sign * self.h * g
        q = q + sign * self.h * self.inv_mass * p
        logp, g = self.f(q)
        p = p + 0.5 * sign * self.h * g
        return (q, p, g), logp - 0.5 * p @ (self.inv_mass * p)

    def turns(self, a, b, sign):
        """Whether the points a then b, both lists in building order, turn when joined."""
        spans = [(a[0], b[-1]), (a[0], b[0]), (a[-1], b[-1])]
        ways = [(y[0] - x[0] + 0.5 * sign * self.h * self.inv_mass * (x[1] + y[1])) * sign for x, y in spans]
        return any(way @ end[1] <= 0 for way, span in zip(ways, spans, strict=True) for end in span)

    def subtree(self, edge, sign, depth):
        """Return the points after `edge` and the weighted candidate, or None if the subtree is cut."""
        if depth == 0:
            point, h = self.leapfrog(edge, sign)
            self.steps += 1
            error = self.h0 - h
            if not abs(error) < 1000.0:
                return None
            if self.candidate is None or uniform(self.words) < math.exp(-error - np.logaddexp(self.weight, -error)):
                self.candidate = point
            self.weight = np.logaddexp(self.weight, -error)
            return [point]
        a = self.subtree(edge, sign, depth - 1)
        b = None if a is None else self.subtree(a[-1], sign, depth - 1)
        return None if b is None or self.turns(a, b, sign) else a + b

    def __call__(self, q, max_depth):
        z = fill_normal(self.words, len(q))
        p, (logp, g) = z * self.inv_mass**-0.5, self.f(q)
        self.h0 = logp - 0.5 * p @ (self.inv_mass * p)
        points, proposal, weight = [(q, p, g)], (q, p, g), 0.0
        for depth in range(max_depth):
            forward = uniform(self.words) < 0.5
            sign = 1.0 if forward else -1.0
            old = points if forward else points[::-1]
            self.candidate, self.weight = None, -np.inf
            new = self.subtree(old[-1], sign, depth)
            if new is None:
                return proposal[0], depth + 1
            if uniform(self.words) < math.exp(min(0.0, self.weight - weight)):
                proposal = self.candidate
            weight = np.logaddexp(weight, self.weight)
            points = points + new if forward else new[::-1] + points
            if self.turns(old, new, sign):
                return proposal[0], depth + 1
        return proposal[0], max_depth


TARGETS = {
    "student": lambda: (Target(student, 3), np.array([1.0, 0.5, 2.0])),
    "gaussian": lambda: (gaussian_target(np.diag([1.0, 4.0, 0.25])), np.ones(3)),
    "wall": lambda: (Target(wall, 1), np.ones(1)),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_transition_is_the_recursive_definition(name):
    target, inv_mass = TARGETS[name]()
    compiled = Compiled(target)
    compiled.metric = {"inv_mass": inv_mass, "root": inv_mass**-0.5}
    rng, depths = np.random.default_rng(5), set()
    for draw in range(60):
        q = np.abs(rng.normal(size=target.dim))
        size = float(rng.uniform(0.05, 0.9))
        definition = Definition(target, inv_mass, size, new_stream(KEY, draw))
        with np.errstate(invalid="ignore"):
            expected, depth = definition(q, 7)
        found, tree = compiled(q, new_stream(KEY, draw), 7, size)
        assert (int(tree["n_steps"]), int(tree["depth"])) == (definition.steps, depth)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
        depths.add(depth)
    assert len(depths) > 2  # trees of several sizes were compared


def test_slots_suffice_for_the_deepest_tree_and_are_given_back():
    target = gaussian_target(np.eye(2) * 1e8)  # so wide that no trajectory of this length turns
    compiled = Compiled(target)
    _, tree = compiled(np.zeros(2), new_stream(KEY), 10, 1.0)
    assert (int(tree["n_steps"]), int(tree["depth"]), int(tree["unfinished"])) == (1023, 10, 1)


def test_a_divergence_is_told_and_leaves_a_valid_point():
    compiled = Compiled(Target(wall, 1))
    diverged = 0
    for draw in range(200):
        q, tree = compiled(np.array([0.5]), new_stream(KEY, draw), 8, 0.3)
        assert q[0] > 0
        diverged += int(tree["diverging"])
    assert diverged > 20

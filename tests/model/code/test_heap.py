"""Derived gradients never ask the heap for memory: what is left is what users' own code allocates itself."""

import math

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import objects
from nbinfer.distributions import glm
from tests.often import often
from tests.posteriors import NAMES, load

RNG = np.random.default_rng(8)
DATA = {
    "X": RNG.normal(size=(20, 3)),
    "y": RNG.normal(size=20),
    "k": RNG.integers(0, 2, 20),
    "A": RNG.normal(size=(5, 5)) + 5.0 * np.eye(5),
}


def asked_for(entry):
    """Return the functions by which machine code asks the heap for memory."""
    entry.load()
    return [name for name in objects.read(entry.place)[2] if "lloc" in name]


def regressions(p, d):
    return (
        glm.linear(d.X[:, 0], d.X, p.b, 1.0)
        + glm.logistic(d.k, d.X, p.b)
        + glm.poisson(d.k, d.X, p.b)
        + glm.negative_binomial(d.k, d.X, p.b, 2.0, offset=d.y)
        + glm.ordered(d.k, d.X, p.b, np.array([0.0]))
        + glm.softmax(d.k, d.X, p.B)
    )


def linear_algebra(p, d):
    S = p.A @ p.A.T + d.A
    total = np.sum(np.linalg.cholesky(S)) + np.linalg.slogdet(S)[1] + np.linalg.det(d.A)
    total += np.sum(np.linalg.solve(S, p.c)) + np.sum(np.linalg.inv(S) @ p.A[:, :2]) + p.c @ S @ p.c
    return total + np.sum(np.exp(p.c) * d.y[:5])


def memory_in_loops(p, d):
    total, z = 0.0, p.c.copy()
    for i in range(3):
        w = d.A @ z
        z = np.tanh(w * p.c[i]) + z
        total -= np.sum(w * z)
    turns = 0
    while turns < 40 and z[0] * z[0] > math.exp(-50.0):
        z[0] = 0.5 * z[0] + 0.1 * p.c[1]
        turns += 1
    return total - np.sum(z * z) - np.sum(np.sort(p.c) * d.y[:5])


def allocates(p, d, grad):
    v = np.exp(p.c) * d.y[:5]
    grad.c[:] -= v
    return -np.sum(v)


PARAMETERS = {
    regressions: {"b": nb.real(3), "B": nb.real((3, 2))},
    linear_algebra: {"A": nb.real((5, 5)), "c": nb.real(5)},
    memory_in_loops: {"c": nb.real(5)},
}

#: Those that take long to compile stay out of quick runs.
SLOW = (regressions, linear_algebra)

compiled = pytest.mark.nojit
densities = pytest.mark.parametrize(
    "density", [pytest.param(f, marks=[pytest.mark.slow] * (f in SLOW), id=f.__name__) for f in PARAMETERS]
)


@compiled
@pytest.mark.parametrize("name", often(NAMES, "eight_schools_noncentered", "hmm_example", "garch11", "nes2000"))
def test_posteriors_take_their_memory_from_the_arena(name):
    bound = load(name).model.bind(1)
    assert bound.has_gradient == "derived"
    assert asked_for(bound._code.entry("density")) == []


@compiled
@densities
def test_what_derivations_know_takes_its_memory_from_the_arena(density):
    bound = nb.Model(PARAMETERS[density], logp=density, data=DATA).bind(1)
    assert bound.has_gradient == "derived"
    assert asked_for(bound._code.entry("density")) == []


@compiled
def test_what_the_user_wrote_may_allocate():
    bound = nb.Model({"c": nb.real(5)}, logp_grad=allocates, data=DATA).bind(1)
    assert asked_for(bound._code.entry("density")) != []


@densities
def test_memory_is_right_when_it_is_taken_again(density):
    """Each evaluation takes the memory of the one before; the first ones, at other places, grow it."""
    model = nb.Model(PARAMETERS[density], logp=density, data=DATA)
    bound = model.bind(2)
    points = [0.3 * np.random.default_rng(k).normal(size=bound.dim) for k in range(3)]
    first = [bound.value_and_grad(q) for q in points]
    words = bound.arena_words
    assert words > 0
    for _ in range(2):
        for q, (value, grad) in zip(points, first, strict=True):
            again = bound.value_and_grad(q)
            assert again[0] == value
            np.testing.assert_array_equal(again[1], grad)
            assert value == pytest.approx(model.logp_unconstrained(q), rel=1e-9)
    assert bound.arena_words == words

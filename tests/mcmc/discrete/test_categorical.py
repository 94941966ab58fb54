"""Gibbs sweeps over categories: exact transition matrices, invariance, errors."""

import math

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT, entry, floats_at, ints_at
from nbinfer.mcmc.discrete import categorical, sweep
from nbinfer.mcmc.discrete.categorical import CategoricalGibbsMetropolis
from tests.laws.law import assert_caught, assert_invariant, mutant, one_now
from tests.laws.targets import CATEGORIES, DENSITY, EXACT, ExactTarget
from tests.mcmc.discrete.test_binary import BITS, PI, RANDOM, assert_matrix, sweep_of

P = CATEGORIES


@entry(DENSITY)
def shifted_density(n, position, grad, context):
    """The density of `category_density`, at values from 7 on."""
    words = ints_at(context, 2)
    value = ints_at(words[0], 1)[0] - 7
    return math.log(floats_at(words[1], 5)[1 + value]) if 0 <= value < 4 else -np.inf


def uniform_matrix():
    """From j to any other k alike, accepted by min(1, p_k / p_j)."""
    matrix = np.minimum(1.0, P[None, :] / P[:, None]) / (len(P) - 1)
    np.fill_diagonal(matrix, 0.0)
    return matrix + np.diag(1.0 - matrix.sum(1))


def proportional_matrix():
    """From j to k with q = p_k / (1 - p_j), accepted by min(1, (1 - p_j) / (1 - p_k))."""
    q = P[None, :] / (1.0 - P[:, None])
    matrix = q * np.minimum(1.0, (1.0 - P[:, None]) / (1.0 - P[None, :]))
    np.fill_diagonal(matrix, 0.0)
    return matrix + np.diag(1.0 - matrix.sum(1))


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize(
    ("proposal", "exact"), [("uniform", uniform_matrix()), ("proportional", proportional_matrix())]
)
def test_the_transition_matrix(proposal, exact):
    states = np.arange(len(P))[:, None]
    assert_matrix(CategoricalGibbsMetropolis(proposal=proposal), EXACT["category"](), exact, states, P)


@pytest.mark.nojit  # long as plain Python
def test_two_categories_are_flips():
    method = CategoricalGibbsMetropolis(proposal="proportional")
    assert_matrix(method, EXACT["ising"](), sweep_of(RANDOM, 1.0), BITS, PI)


@pytest.mark.parametrize("proposal", ["uniform", "proportional"])
@pytest.mark.parametrize("target", ["mixture", "ising"])
def test_one_transition_leaves_the_target_invariant(proposal, target):
    assert_invariant(CategoricalGibbsMetropolis(proposal=proposal), EXACT[target](), moves=0.1)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("proposal", ["uniform", "proportional"])
def test_a_short_range_that_begins_anywhere(proposal):
    """The exact transition matrix of categories, on the same density from 7 on."""
    target = ExactTarget(shifted_density, None, 0, [len(P), *P], [7], [6 + len(P)])
    exact = {"uniform": uniform_matrix(), "proportional": proportional_matrix()}[proposal]
    assert_matrix(CategoricalGibbsMetropolis(proposal=proposal), target, exact, 7 + np.arange(len(P))[:, None], P)


MUTANTS = {
    "the Hastings term is forgotten": (
        "if not uniform(chain.words) * rest < others:",
        "if not uniform(chain.words) * rest < rest:",
        "proportional",
    ),
    "the Hastings term is upside down": (
        "if not uniform(chain.words) * rest < others:",
        "if not uniform(chain.words) * others < rest:",
        "proportional",
    ),
    "the current category among the proposals": (
        "z[at] = proposed if proposed < old else proposed + 1",
        "z[at] = proposed if proposed <= old else proposed + 1",
        "uniform",
    ),
    "a wrong exponent": (
        "if math.log1p(-uniform(chain.words)) < change:",
        "if math.log1p(-uniform(chain.words)) < 1.2 * change:",
        "uniform",
    ),
}


@pytest.mark.skipif(not JIT, reason="the law needs more draws than plain Python makes")
@pytest.mark.parametrize("name", one_now(MUTANTS))
def test_the_law_catches(name, tmp_path):
    old, new, proposal = MUTANTS[name]
    broken = mutant(tmp_path, old, new, sweep, categorical)
    assert_caught(broken.CategoricalGibbsMetropolis(proposal=proposal), EXACT["category"]())


def test_bad_options():
    with pytest.raises(ValueError, match="unknown proposal 'greedy'; choose 'uniform', 'proportional'"):
        CategoricalGibbsMetropolis(proposal="greedy")
    with pytest.raises(ValueError, match="permutation"):
        CategoricalGibbsMetropolis(order=[1, 1])


def test_integers_of_many_values_are_no_categories():
    model = nb.Model({"k": nb.integer(0, 50)}, logp=lambda p, d: -0.1 * p.k)
    with pytest.raises(
        ValueError,
        match=r"CategoricalGibbsMetropolis cannot sample 'k', which is integer\(0, 50\); leave it to nb\.Metropolis\.",
    ):
        nb.sample(model, 10, 10, step=CategoricalGibbsMetropolis("k"), progressbar=False)

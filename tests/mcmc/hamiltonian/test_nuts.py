"""NUTS: one transition from exact draws leaves exact draws, mutants break that, and whole runs reach their targets.

Each of many exact draws makes one transition. Where the target is left invariant, the mean change of any function is
zero; the change's own standard error says how near. A mutant is the source of the tree with one line altered; the law
must catch each. (Those of what NUTS shares with other steps are in test_hmc.)
"""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT, address_of, call_density, entry, record_at
from nbinfer.engine.chain import Chain
from nbinfer.engine.vectors import copy
from nbinfer.mcmc.hamiltonian import tree
from nbinfer.mcmc.hamiltonian.nuts import NUTS
from nbinfer.mcmc.hamiltonian.phase import point_at
from nbinfer.mcmc.hamiltonian.tree import Tree
from nbinfer.mcmc.metric.kernel import Metric
from nbinfer.random import start
from tests.laws.kit import BareChains, Target, gaussian_target, student
from tests.laws.law import assert_invariant, mutant, one_now
from tests.laws.targets import AR1_SCALES, EXACT
from tests.often import often

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
COUNT = 300_000 if JIT else 300
DIM = 3
quiet = {"chains": 2, "random_seed": 3, "progressbar": False}


def transitions(transition):
    """Make the C function that moves many points once each."""

    def move(chain_address, metric_address, tree_address, points_address, count):
        chain, own = record_at(chain_address, Chain), record_at(tree_address, Tree)
        for i in range(count):
            at = points_address + 8 * i * chain.n
            copy(chain.n, at, chain.position)
            chain.logp = call_density(chain.density, chain.n, chain.position, chain.grad, chain.context)
            start(chain.words, i, 0, 1024)
            slot = transition(chain, record_at(metric_address, Metric), own, 6)
            copy(chain.n, point_at(own.points, chain.n, slot), at)
        return 0

    return entry("int64(intp, intp, intp, intp, int64)")(move)


def move_once(target, exact, module=tree, step_size=0.6, integrator="leapfrog"):
    chains = BareChains(target, NUTS(metric="unit", integrator=integrator))
    own = chains.own()
    own.tree.step_size = step_size
    moved = exact.copy()
    transitions(module.transition)(
        address_of(chains.blocks.state[0]), own.metric.address, own.tree.address,
        address_of(moved), len(moved),
    )  # fmt: skip
    return moved


def worst_z(before, after):
    """The largest |z| over the mean changes of functions that see location, spread, tails and dependence."""
    functions = [
        lambda x: x,
        lambda x: x**2,
        lambda x: np.minimum(x**4, 50.0),
        lambda x: np.abs(x) < 0.5,
        lambda x: np.prod(x, axis=1, keepdims=True),
        lambda x: np.sum(x**2, axis=1, keepdims=True) < 2.0,
    ]
    changes = np.concatenate([np.asarray(f(after), float) - f(before) for f in functions], axis=1)
    spread = changes.std(0)
    return np.max(np.abs(changes.mean(0)) / (np.where(spread == 0, np.inf, spread) / np.sqrt(len(changes))))


def exact_draws(name, seed=11):
    rng = np.random.default_rng(seed)
    if name == "student":
        return Target(student, DIM), rng.standard_t(5, (COUNT, DIM))
    covariance = np.array([[1.0, 0.6, 0.0], [0.6, 1.0, -0.3], [0.0, -0.3, 0.5]])
    return gaussian_target(covariance), rng.multivariate_normal(np.zeros(DIM), covariance, COUNT)


@pytest.mark.parametrize("integrator", ["leapfrog", "twostage", "threestage"])
@pytest.mark.parametrize("name", ["gaussian", "student"])
def test_one_transition_leaves_the_target_invariant(name, integrator):
    target, exact = exact_draws(name)
    moved = move_once(target, exact, step_size=0.6 if integrator == "leapfrog" else 1.0, integrator=integrator)
    assert np.mean(np.any(moved != exact, axis=1)) > 0.8  # it did move
    assert worst_z(exact, moved) < 4.0


MUTANTS = {
    "a wrong exponent in the weights": (
        "weight = math.exp(min(-error, _LARGEST_EXPONENT))",
        "weight = math.exp(min(-0.5 * error, _LARGEST_EXPONENT))",
    ),
    "weights with the wrong sign at the top": (
        "if uniform(chain.words) * tree.weight < tree.subtree_weight:",
        "if uniform(chain.words) * tree.subtree_weight < tree.weight:",
    ),
    "the last point instead of a weighted one": (
        "uniform(chain.words) * tree.subtree_weight < weight:",
        "uniform(chain.words) < 1.1:",
    ),
    "a biased choice within a half": (
        "uniform(chain.words) * tree.subtree_weight < weight:",
        "uniform(chain.words) < accept:",
    ),
    "the proposal of a half that turned": (
        "    if outcome != COMPLETE:\n        return outcome",
        "    if outcome != COMPLETE:\n        tree.proposal = tree.candidate\n        return outcome",
    ),
}


@pytest.mark.skipif(not JIT, reason="the law needs more draws than plain Python makes")
@pytest.mark.parametrize("name", one_now(MUTANTS))
def test_the_law_catches(name, tmp_path):
    broken = mutant(tmp_path, *MUTANTS[name], tree)
    zs = [
        worst_z(exact, move_once(target, exact, broken)) for target, exact in map(exact_draws, ("gaussian", "student"))
    ]
    assert max(zs) > 6.0


EXACTLY = {
    "ar1": {"scaling": AR1_SCALES**2, "is_cov": True, "step_scale": 0.3},
    "student": {"metric": "unit", "step_scale": 0.9},
    "uniform": {"metric": "unit", "step_scale": 1.2},
    "beta": {"metric": "unit", "step_scale": 0.7},
    "dirichlet": {"metric": "unit", "step_scale": 0.8},
    "mixture": {"metric": "unit", "step_scale": 0.7},
}


@pytest.mark.parametrize("name", EXACTLY)
def test_nuts_leaves_exact_targets_invariant(name):
    assert_invariant(NUTS(adapt_step_size=False, max_treedepth=5, **EXACTLY[name]), EXACT[name](), moves=0.7)


def standard(p, d):
    return -0.5 * np.sum(p.x**2)


def standard_grad(p, d, grad):
    grad.x[:] -= p.x
    return -0.5 * np.sum(p.x**2)


@pytest.mark.skipif(not JIT, reason="needs long chains")
@pytest.mark.parametrize("integrator", ["leapfrog", "twostage", "threestage"])
@pytest.mark.parametrize("dim", often([1, 10], 10))
def test_every_integrator_gets_the_spread_of_a_normal(integrator, dim):
    model = nb.Model({"x": nb.real(dim)}, logp=standard, logp_grad=standard_grad)
    trace = nb.sample(model, 2000, 1000, nuts_kwargs={"integrator": integrator}, **quiet)
    s = nb.summary(trace)
    assert (s["ess_tail"] > 400).all()
    assert np.nanmax(s["rhat"]) < 1.02
    assert np.mean(trace["x"] ** 2) == pytest.approx(1.0, abs=0.12)


@pytest.mark.skipif(not JIT, reason="needs long chains")
def test_a_unit_metric_takes_steps_as_long_as_the_parameters_are_large():
    model = nb.Model(parameters={"x": nb.real()}, logp=lambda p, d: -0.5 * (p.x / 1e6) ** 2)
    trace = nb.sample(model, 2000, 1000, nuts_kwargs={"metric": "unit"}, **quiet)
    assert trace["x"].std() == pytest.approx(1e6, rel=0.15)
    assert trace.sample_stats["n_steps"].mean() < 20

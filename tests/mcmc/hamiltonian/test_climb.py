"""A made-up start climbs before warm-up where that leads up steeply; any other start stays where it is."""

import functools

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import address_of
from nbinfer.engine.driver import run_here
from nbinfer.engine.job import Status
from nbinfer.mcmc.assign import assign, separated
from nbinfer.mcmc.hamiltonian import common
from nbinfer.mcmc.hamiltonian.climb import climb
from nbinfer.mcmc.hamiltonian.init import initialised
from nbinfer.mcmc.sampling import Sampling
from nbinfer.random import seed_sequences
from tests.laws.kit import BareChains, Target, gaussian_target, student

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
QUIET = {"progressbar": False, "random_seed": 5}


def steep(p, d):
    """Correlated, and a thousand standard deviations away."""
    return -0.5 * ((p.x - p.y - 300.0) / 0.3) ** 2 - 0.5 * (p.y - 1000.0) ** 2


@functools.cache
def model():
    return nb.Model({"x": nb.real(), "y": nb.real()}, logp=steep)


@functools.cache
def easy():
    return nb.Model({"x": nb.real(5)}, logp=lambda p, d: -0.5 * np.sum(p.x**2))


def mixed_logp(p, d):
    return steep(p, d) + (0.3 if p.z else -0.3) * np.tanh(p.x - 1300.0)


@functools.cache
def mixed():
    return nb.Model({"x": nb.real(), "y": nb.real(), "z": nb.binary()}, logp=mixed_logp)


class Begun:
    """Chains after their first transition: what their first steps' searches have evaluated, and where they led."""

    def __init__(self, model, step=None, tune=10, numbers=(0, 1), **options):
        settings = {"draws": 2, "tune": tune, "numbers": list(numbers), "sequences": seed_sequences(5, len(numbers))}
        self.sampling = Sampling(model, separated(assign(model, step)), **settings, **options)
        self.chains = self.sampling.chains
        self.start = self.chains.every.logp.copy()
        run_here(self.chains, 1)
        k = next(k for k, step in enumerate(self.chains.steps) if step.method.uses_gradient)
        own = self.chains.own(k)
        self.search = (own.own if self.chains.steps[k].site.is_part else own).search

    @property
    def climbed(self):
        return (self.search.evaluations > 0).tolist()


@pytest.mark.parametrize("step", [None, nb.NUTS(metric="unit"), nb.HamiltonianMC()], ids=["default", "unit", "HMC"])
def test_a_made_up_start_climbs(step):
    begun = Begun(model(), step)
    assert begun.climbed == [True, True]
    assert (begun.start < -100_000.0).all()
    assert (begun.search.logp > -2.0 * 2).all()
    assert (begun.search.evaluations <= 100).all()
    assert (begun.chains.every.logp > -30.0).all()


STAYS = {
    "a point for all": {"start": {"x": 1.0, "y": 2.0}},
    "a point for each": {"start": [{"x": 1.0}, {"y": 2.0}]},
    "the initial point": {"start": {}},
    "no jitter": {"jitter": False},
    "another initialiser": {"climb": False},
    "no warm-up": {"tune": 0},
}


@pytest.mark.parametrize("why", STAYS)
def test_other_starts_stay(why):
    assert Begun(model(), **STAYS[why]).climbed == [False, False]


@pytest.mark.parametrize(
    ("init", "climbs"),
    [("auto", True), ("jitter+adapt_diag", False), ("adapt_diag", False), ("map", False), ("nuts", False)],
)
def test_only_the_default_initialiser_lets_chains_climb(init, climbs):
    assert initialised(init, model(), seed_sequences(1, 2), [0, 1], 20, False).climb is climbs


def test_the_run_of_an_initialiser_and_a_stepper_begin_where_they_did(monkeypatch):
    monkeypatch.setattr(common, "climb", None)  # whoever asks for its address fails
    with pytest.raises(AttributeError, match="address"):
        nb.sample(easy(), 2, 2, chains=2, **QUIET)
    nb.sample(easy(), 2, 2, chains=2, init="nuts", n_init=20, **QUIET)
    stepper = nb.NUTS().on(easy(), random_seed=1)
    stepper.step()
    stepper.reset_tuning()
    stepper.step()


def test_what_gains_less_than_a_nat_per_coordinate_is_left_alone():
    """Easy posteriors are drawn as if there were no search; its evaluations are counted."""
    still, climbed = Begun(easy(), climb=False), Begun(easy())
    assert (climbed.start > -2.5).all()
    np.testing.assert_array_equal(still.chains.every.position, climbed.chains.every.position)
    spent = climbed.chains.progress["gradients"] - still.chains.progress["gradients"]
    np.testing.assert_array_equal(spent, climbed.search.evaluations)
    assert (spent > 0).all()


@pytest.mark.parametrize(
    "target", [gaussian_target(np.diag([1e-4, 1.0, 25.0])), Target(student, 3)], ids=["normal", "Student"]
)
def test_the_chain_knows_where_it_is(target):
    chains = BareChains(target, starts=[np.array([30.0, -200.0, 60.0])])
    chain, own = chains.blocks[0], chains.own()
    before, spent = float(chain.logp), int(chain.gradients)
    assert climb(address_of(chains.blocks.state[0]), own.search.address) == Status.OK
    logp, grad = target.value_and_grad(chain.position)
    assert chain.logp == logp > before + 3.0
    np.testing.assert_array_equal(chain.grad, grad)
    assert chain.gradient_known == 1
    assert chain.gradients == spent + own.search.evaluations
    assert own.search.gain <= 3.0  # nothing steep is left


def test_a_chain_that_is_stopped_does_not_climb():
    chains = BareChains(Target(student, 3), starts=[np.full(3, 200.0)])
    chains.blocks.stop[0] = 1
    assert climb(address_of(chains.blocks.state[0]), chains.own().search.address) == Status.STOPPED
    np.testing.assert_array_equal(chains.blocks[0].position, 200.0)


@pytest.mark.parametrize(
    "step",
    [[nb.NUTS("x"), nb.Slice("y")], [nb.Slice("y"), nb.HamiltonianMC(["x"])], nb.BinaryMetropolis("z")],
    ids=["NUTS first", "HMC last", "beside a discrete variable"],
)
def test_a_part_climbs_given_the_rest(step):
    begun = Begun(mixed() if isinstance(step, nb.BinaryMetropolis) else model(), step)
    assert begun.climbed == [True, True]
    assert (begun.search.logp > begun.start + 10.0).all()
    chains = begun.chains
    for chain in range(2):
        logp = begun.sampling.bound.value(chains[chain].position, chains[chain].discrete.copy())
        assert chains[chain].logp == pytest.approx(logp, rel=1e-12)


def draws(**options):
    return nb.sample(model(), 20, 30, **(QUIET | {"chains": 4} | options))


@pytest.mark.nojit  # long as plain Python
def test_starts_depend_on_the_chain_alone():
    together = draws(cores=1)
    assert together.warmup_sample_stats["lp"][:, 0].min() > -30.0
    several = draws(cores=2)
    for name in ("x", "y"):
        np.testing.assert_array_equal(together[name], several[name])
    assert together.attrs["gradients"] == several.attrs["gradients"]
    alone = draws(chains=1, chain_idx=2)
    np.testing.assert_array_equal(alone["x"][0], together["x"][2])
    *_, iterated = nb.iter_sample(20, model=model(), tune=30, random_seed=5)
    np.testing.assert_array_equal(iterated["x"][0], together["x"][0])

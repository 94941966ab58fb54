"""What an ensemble learns: the right step size, length and metric, whoever works on it, and nothing after warm-up."""

import threading

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT, address_of
from nbinfer.engine.team import work
from nbinfer.mcmc.adaptation.step_size import LARGEST_STEP
from tests.laws.kit import BareChains, Target, gaussian_target, student
from tests.laws.targets import AR1_SCALES, EXACT
from tests.mcmc.models import eight_schools

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
BOTH = [nb.ChEES(), nb.MAMS()]
TUNE, DRAWS = (200, 40) if JIT else (6, 3)


def run(step, target, chains=64, tune=TUNE, draws=DRAWS, **options):
    return BareChains(target, step, tune=tune, draws=draws, numbers=range(chains), **options).run()


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("step", BOTH)
@pytest.mark.parametrize("workers", [2, 5])
def test_the_number_of_workers_changes_no_bit(step, workers):
    chains, tune = (131, 20) if JIT else (17, 2)  # blocks of two, the last of one
    one = run(step, EXACT["student"](), chains, tune)
    several = BareChains(EXACT["student"](), step, tune=tune, draws=DRAWS, numbers=range(chains))
    team = several.blocks.team(tune + DRAWS)
    threads = [threading.Thread(target=work, args=(address_of(team),)) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert several.x.tobytes() == one.x.tobytes()


@pytest.mark.nojit
@pytest.mark.parametrize("step", BOTH)
def test_scales_and_acceptance_are_learnt(step):
    chains = run(step, EXACT["ar1"](), chains=256)
    own, s = chains.own(), chains.stats
    np.testing.assert_allclose(own.scale, AR1_SCALES, rtol=0.1)
    accept = s["acceptance_rate"]
    wanted = 1.0 / (1.0 / np.maximum(accept, 0.01)).mean() if isinstance(step, nb.ChEES) else accept.mean()
    assert abs(wanted - step.target_accept) < 0.12
    assert 1.5 < s["n_steps"].mean() < 40.0


@pytest.mark.nojit
def test_lengths_of_a_standard_normal_are_those_of_half_a_turn():
    """A path of π/2 makes an independent draw of a normal; lengths are uniform from 0 to twice their mean."""
    chains = run(nb.ChEES(target_accept=0.9), gaussian_target(np.eye(20)), chains=256)
    assert 0.8 < np.exp(chains.own().log_length_bar) < 2.2


class ByChange(nb.MAMS):
    """A mutant, which learns lengths by change alone."""

    by_rate = False


def in_first_lengths(kind, begins):
    """Return the mean length learnt of N(0, I), in that of the most change per length; paths begin as long as is said.

    Where the speed is 1, the squared radius of m + 1 coordinates swings with the frequency √(2/m), and on average
    sin²(t/√(2m)) of it has changed after t. Lengths are uniform from 0 to twice their mean L, so that the change per
    length is greatest at L = π/4 √(2m), and the change at 1.43, 3.47, ... times that.
    """

    class Begins(kind):
        def initialise(self, own, *place):
            super().initialise(own, *place)
            own.length *= begins

    chains = run(Begins(adapt_step_size=False), gaussian_target(np.eye(20)), chains=128, tune=100, draws=1)
    rounded_up = 0.5 * chains.stats["step_size"].mean()
    return (np.exp(chains.own().log_length_bar) + rounded_up) / (0.25 * np.pi * np.sqrt(2.0 * 19.0))


@pytest.mark.nojit
@pytest.mark.parametrize("begins", [1.0, 4.0])
def test_mams_learns_the_length_of_the_most_change_per_length(begins):
    """Wherever it begins, several turns away too."""
    assert 0.85 < in_first_lengths(nb.MAMS, begins) < 1.15


@pytest.mark.nojit
def test_by_change_alone_lengths_are_others():
    assert in_first_lengths(ByChange, 1.0) > 1.25


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("step", BOTH)
def test_nothing_is_learnt_after_warm_up(step):
    chains = BareChains(Target(student, 3), step, tune=4, draws=8, numbers=range(16)).run(4)
    before = chains.own().scale.copy(), *(chains.own().record[name] for name in ("length", "count"))
    chains.run()
    after = chains.own().scale.copy(), *(chains.own().record[name] for name in ("length", "count"))
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert len(np.unique(chains.stats["step_size"])) == 1


def one_draw(step):
    """Compare what is learnt of one draw, by sums over blocks, with the formulas of the papers."""
    count = 131 if JIT else 40  # blocks of two, the last of one
    chains = BareChains(Target(student, 3), step, tune=9, draws=1, numbers=range(count)).run(1)
    every = chains.blocks.own(0)
    points = every.point.reshape(count, 4, 3)
    end, momentum, _, origin = points.transpose(1, 0, 2)
    a, path, leader = every.accept, every.path, chains.own()
    assert a.min() < 0.95
    middle = (a[:, None] * end).sum(0) / a.sum()
    change = ((end - middle) ** 2).sum(1) - ((origin - origin.mean(0)) ** 2).sum(1)
    slopes = change * path * ((end - middle) * momentum).sum(1)
    accept = 1.0 / (1.0 / np.maximum(a, 0.01)).mean()
    if isinstance(step, nb.MAMS):
        slopes, accept = slopes - 0.25 * change**2, a.mean()
    slope = (a * slopes).sum() / a.sum()
    np.testing.assert_allclose(leader.slope / leader.weight, slope, rtol=1e-9)
    np.testing.assert_allclose(leader.scale, origin.std(0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(leader.slope_square, 0.05 * slope**2, rtol=1e-9)
    begins = 1.0 if isinstance(step, nb.ChEES) else np.sqrt(3.0)
    longer, size = begins * np.exp(0.05 * np.sign(slope)), np.exp(leader.averaging.log_step)
    np.testing.assert_allclose(leader.length, max(longer, size), rtol=1e-9)  # a path has one step at least
    np.testing.assert_allclose(leader.averaging.error_bar, (step.target_accept - accept) / 11.0, rtol=1e-9)


@pytest.mark.parametrize("step", [nb.ChEES(step_scale=1.2), nb.MAMS(step_scale=1.7)])
def test_what_is_learnt_of_one_draw(step):
    one_draw(step)


def test_what_is_learnt_by_change_alone_is_something_else():
    with pytest.raises(AssertionError, match="Not equal"):
        one_draw(ByChange(step_scale=1.7))


def test_all_paths_of_a_draw_are_equally_long():
    chains = run(nb.ChEES(), Target(student, 3), chains=16)
    assert (chains.stats["path_length"] == chains.stats["path_length"][0]).all()
    assert len(np.unique(chains.stats["path_length"][0])) > 1


def test_an_option_fixes_what_is_else_learnt():
    step = nb.MAMS(path_length=3.0, adapt_step_size=False, step_scale=1.0, random_length=False)
    chains = run(step, Target(student, 3), chains=16)
    size = 3**0.25  # coordinates share one speed
    np.testing.assert_allclose(chains.stats["step_size"], size)
    np.testing.assert_allclose(chains.stats["path_length"], np.ceil(3.0 / size) * size)


@pytest.mark.parametrize("kind", [nb.ChEES, nb.MAMS])
def test_too_few_chains_and_what_else_is_refused(kind):
    label = kind.__name__
    with pytest.raises(
        ValueError, match=f"{label} needs at least 16 chains, from which it learns, got 4; pass chains="
    ):
        nb.sample(eight_schools(), step=kind(), progressbar=False)
    mixed = nb.Model({"x": nb.real(2), "k": nb.binary()}, logp=lambda p, d: -0.5 * np.sum(p.x**2))
    with pytest.raises(ValueError, match=f"{label} is for models whose variables are all continuous"):
        nb.sample(mixed, step=kind(), chains=16, progressbar=False)
    with pytest.raises(ValueError, match="iter_sample draws one chain, and this step needs several; use sample"):
        next(nb.iter_sample(3, kind(), model=eight_schools()))
    for option, value in {"target_accept": 1.0, "path_length": 0.0, "learning_rate": -1.0, "max_steps": 0}.items():
        with pytest.raises(ValueError, match=option):
            kind(**{option: value})


def test_one_coordinate_has_nothing_to_turn_to():
    one = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2)
    with pytest.raises(ValueError, match=r"MAMS turns velocities, and x has one coordinate, .*; take ChEES"):
        nb.sample(one, step=nb.MAMS(), chains=16, progressbar=False)


@pytest.mark.nojit
@pytest.mark.parametrize("step", BOTH)
def test_a_model_of_many_chains(step):
    options = {"step": step, "chains": 48, "random_seed": 2, "progressbar": False}
    trace = nb.sample(eight_schools(), DRAWS, TUNE, **options)
    again = nb.sample(eight_schools(), DRAWS, TUNE, cores=1, **options)
    assert trace["mu"].tobytes() == again["mu"].tobytes()
    assert trace["mu"].shape == (48, DRAWS)
    if JIT:
        assert abs(trace["mu"].mean() - 4.4) < 0.5
        assert trace.report is not None
        assert trace.sample_stats["step_size"].max() < (LARGEST_STEP if isinstance(step, nb.ChEES) else np.inf)

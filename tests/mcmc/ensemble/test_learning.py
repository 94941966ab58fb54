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


@pytest.mark.parametrize("step", BOTH)
@pytest.mark.parametrize("workers", [2, 5])
def test_the_number_of_workers_changes_no_bit(step, workers):
    one = run(step, EXACT["student"](), 70, 20)
    several = BareChains(EXACT["student"](), step, tune=20, draws=DRAWS, numbers=range(70))
    team = several.blocks.team(20 + DRAWS)
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


@pytest.mark.parametrize("step", BOTH)
def test_nothing_is_learnt_after_warm_up(step):
    chains = BareChains(Target(student, 3), step, tune=4, draws=8, numbers=range(16)).run(4)
    before = chains.own().scale.copy(), *(chains.own().record[name] for name in ("length", "count"))
    chains.run()
    after = chains.own().scale.copy(), *(chains.own().record[name] for name in ("length", "count"))
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert len(np.unique(chains.stats["step_size"])) == 1


def test_what_is_learnt_of_one_draw():
    """Sums over blocks are those of the formulas of the papers."""
    chains = BareChains(Target(student, 3), nb.ChEES(step_scale=1.2), tune=9, draws=1, numbers=range(40)).run(1)
    every = chains.blocks.own(0)
    points = every.point.reshape(40, 4, 3)
    end, momentum, _, origin = points.transpose(1, 0, 2)
    a, path, leader = every.accept, every.path, chains.own()
    assert a.min() < 0.9
    middle = (a[:, None] * end).sum(0) / a.sum()
    change = ((end - middle) ** 2).sum(1) - ((origin - origin.mean(0)) ** 2).sum(1)
    slope = (path * a * change * ((end - middle) * momentum).sum(1)).sum() / a.sum()
    np.testing.assert_allclose(leader.slope / leader.weight, slope, rtol=1e-9)
    np.testing.assert_allclose(leader.scale, origin.std(0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(leader.slope_square, 0.05 * slope**2, rtol=1e-9)
    longer, size = np.exp(0.05 * np.sign(slope)), np.exp(leader.averaging.log_step)
    np.testing.assert_allclose(leader.length, max(longer, size), rtol=1e-9)  # a path has one step at least
    harmonic = 1.0 / (1.0 / np.maximum(a, 0.01)).mean()
    np.testing.assert_allclose(leader.averaging.error_bar, (0.651 - harmonic) / 11.0, rtol=1e-9)


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

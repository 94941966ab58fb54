"""Warm-up ends where metric and step size stand still, and nowhere else."""

import numpy as np
import pytest

from nbinfer.compile import JIT, address_of, entry, record_at
from nbinfer.mcmc.adaptation import settling, warmup
from nbinfer.mcmc.adaptation.settling import Settling
from nbinfer.mcmc.adaptation.warmup import Schedule
from nbinfer.mcmc.hamiltonian.hmc import HamiltonianMC
from nbinfer.mcmc.hamiltonian.nuts import NUTS
from nbinfer.mcmc.metric.kernel import Metric
from tests.laws.kit import BareChains, Target, gaussian_target, student
from tests.laws.law import mutant

DIM = 4
KINDS = ("fisher", "fisher_diag", "dense", "diag")


def entries(module):
    """Make C functions of what is tested; `module` is `settling` or a mutant."""

    def doubt(own, metric):
        return module.doubt(record_at(own, Settling), record_at(metric, Metric))

    def keep(own, metric):
        module.keep(record_at(own, Settling), record_at(metric, Metric))
        return 0

    return (
        entry("float64(intp, intp)")(doubt),
        entry("int64(intp, intp)")(keep),
        module.watch,
    )


ENTRIES = entries(settling)


@entry("int64(intp, intp, int64, int64, intp, intp, float64)")
def learn(schedule, metric, draw, moved, position, grad, logp):
    warmup.learn(record_at(schedule, Schedule), record_at(metric, Metric), draw, moved != 0, position, grad, logp)
    return 0


# By what factor two metrics differ


def some_metric(metric, rng, rank, spread):
    """Write a random metric, with directions that it no longer has if it is a diagonal; return its inverse mass."""
    scale, vectors = np.exp(spread * rng.normal(size=DIM)), np.linalg.qr(rng.normal(size=(DIM, DIM)))[0]
    sizes, left = np.exp(2.0 * spread * rng.normal(size=DIM)), rank or 2
    metric.inv_mass[:], metric.dense = scale**2, 3 if rank else 0
    low = metric.low_rank
    low.rank, low.vectors[: left * DIM], low.stretches[:left] = left, vectors[:left].ravel(), sizes[:left] - 1.0
    vectors, sizes = vectors[:rank], sizes[:rank]
    inner = np.eye(DIM) + vectors.T @ np.diag(sizes - 1.0) @ vectors
    return scale[:, None] * inner * scale


def doubts(ranks, seed, functions=ENTRIES):
    """The doubt between two random metrics, and what NumPy says of it."""
    doubt, keep, _ = functions
    own, rng = (
        BareChains(Target(student, DIM), NUTS(metric="fisher"), tune=100, settles=True).own(),
        np.random.default_rng(seed),
    )
    before = some_metric(own.metric, rng, ranks[0], 0.5)
    keep(own.settling.address, own.metric.address)
    after = some_metric(own.metric, rng, ranks[1], 0.5)
    wanted = np.abs(np.log(np.linalg.eigvals(np.linalg.solve(before, after)).real)).max()
    return doubt(own.settling.address, own.metric.address), wanted


RANKS = [(0, 0), (0, 2), (3, 0), (2, 3), (4, 4)]


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("seed", range(5))
def test_doubt_is_the_most_extreme_eigenvalue(ranks, seed):
    found, wanted = doubts(ranks, seed)
    assert wanted * 0.95 < found < wanted * (1.0 + 1e-9)  # an iteration comes from below


def test_a_metric_does_not_doubt_itself():
    doubt, keep, _ = ENTRIES
    own = BareChains(Target(student, DIM), NUTS(metric="fisher"), tune=100, settles=True).own()
    some_metric(own.metric, np.random.default_rng(0), 3, 1.0)
    assert doubt(own.settling.address, own.metric.address) == np.inf  # there is none to compare with
    keep(own.settling.address, own.metric.address)
    assert abs(doubt(own.settling.address, own.metric.address)) < 1e-12


# When it ends


class Shown:
    """A warm-up that is shown draws of a Gaussian, whose scale may change; it is over after `end` of them."""

    def __init__(
        self, kind="fisher", functions=ENTRIES, tune=1000, scale=lambda draw: 1.0, logp=None, moved=None, diverges=None
    ):
        self.own = own = BareChains(Target(student, DIM), NUTS(metric=kind), tune=tune, settles=True).own()
        self.averaging, rng = own.averaging, np.random.default_rng(3)
        self.end, self.frozen_at = None, None
        for draw in range(tune):
            x = rng.normal(size=DIM)
            g, level = -x, -0.5 * x @ x
            x[0], g[0] = x[0] * scale(draw), g[0] / scale(draw)
            level = level if logp is None else level + logp(draw)
            self.averaging.log_step = self.log_step(draw, rng)
            moves = moved is None or moved(draw)
            metric = own.schedule.address, own.metric.address
            learn(*metric, draw, moves, address_of(x), address_of(g), level)
            own.settling.logp, own.settling.moved = level, moves
            own.settling.diverging = diverges is not None and diverges(draw)
            if functions[2](own.settling.address, draw + 1):
                self.end = draw + 1
                break
            if own.settling.frozen and self.frozen_at is None:
                self.frozen_at, self.metric = draw + 1, own.metric.inv_mass.copy()

    @staticmethod
    def log_step(draw, rng):
        return 0.1 * rng.normal()


@pytest.mark.parametrize("kind", ["fisher_diag", "fisher"])
def test_a_gaussian_settles_as_soon_as_it_may(kind):
    run = Shown(kind)
    assert run.frozen_at == 120
    assert run.end == 200
    np.testing.assert_array_equal(run.own.metric.inv_mass, run.metric)
    np.testing.assert_allclose(run.metric, 1.0, atol=1e-9)


def wider_from_then_on(draw):
    return 1.0 if draw < 120 else 3.0


@pytest.mark.parametrize("kind", ["fisher_diag", "fisher"])
def test_what_has_settled_learns_no_more(kind):
    run = Shown(kind, scale=wider_from_then_on)
    assert run.frozen_at == 120
    np.testing.assert_array_equal(run.own.metric.inv_mass, run.metric)


def way_in(draw):
    return min(0.0, 0.1 * (draw - 350))


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("kind", KINDS)
def test_what_still_changes_has_not_settled(kind):
    assert not (Shown(kind, scale=lambda draw: 1.02 ** min(draw, 400)).frozen_at or 1000) < 400
    assert not (Shown(kind, logp=way_in).frozen_at or 1000) < 350


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("kind", KINDS)
def test_a_chain_that_does_not_move_is_not_done(kind):
    assert Shown(kind, moved=lambda draw: draw < 60).end is None


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("kind", KINDS)
def test_a_divergence_asks_for_more(kind):
    run = Shown(kind, diverges=lambda draw: 90 < draw < 200)
    assert 200 < run.frozen_at < run.end < 1000


class Drifting(Shown):
    """A step size that goes on growing until draw 300, whatever the metric does."""

    @staticmethod
    def log_step(draw, rng):
        return 0.02 * min(draw, 300)


def test_the_step_size_has_the_draws_that_it_takes():
    run = Drifting()
    assert run.frozen_at == 120
    assert 300 < run.end < 1000
    mean = np.mean([0.02 * min(draw, 300) for draw in range(120, run.end)])
    assert run.averaging.log_step_bar == pytest.approx(mean)


MUTANTS = {
    "the wrong power": (
        "own.rank, n, -0.5 * sign, own.trial)\n        for",
        "own.rank, n, 0.5 * sign, own.trial)\n        for",
    ),
    "directions no longer in use": ("own.rank = low.rank if metric.dense == DIRECTIONS else 0", "own.rank = low.rank"),
    "one side only": ("_largest(own, metric, low, rank, n, -1.0))", "0.0)"),
    "no doubt": ("doubt(own, metric) <= _DOUBT", "True"),
    "no trend": ("same: bool = abs(own.level - own.level_before) <= limit", "same = True"),
    "whoever does not move": ("own.moves >= _MOVED * own.count", "True"),
    "divergences are nothing": ("own.divergences == 0.0", "True"),
    "nothing is least": ("draws >= _LEAST", "True"),
    "what has settled learns on": ("        schedule.final_start = draws\n", ""),
    "any step size": ("abs(change) <= _STEP_DOUBT", "True"),
    "an old average": ("    averaging.log_step_bar = own.log_step\n", ""),
}


@pytest.mark.skipif(JIT, reason="plain Python tells mutants apart as well, and need not compile each")
@pytest.mark.parametrize("name", MUTANTS)
def test_the_laws_catch(name, tmp_path):
    functions = entries(mutant(tmp_path, *MUTANTS[name], settling))
    sound = all(0.95 * w < f < w * (1 + 1e-9) for f, w in (doubts(r, s, functions) for r in RANKS for s in range(3)))
    sound = sound and Shown(functions=functions).frozen_at == 120
    sound = (
        sound
        and not (Shown("fisher_diag", functions, scale=lambda draw: 1.02 ** min(draw, 400)).frozen_at or 1000) < 400
    )
    wider = Shown("fisher_diag", functions, scale=wider_from_then_on)
    sound = sound and np.array_equal(wider.own.metric.inv_mass, wider.metric)
    sound = sound and not (Shown("fisher_diag", functions, logp=way_in).frozen_at or 1000) < 350
    sound = sound and Shown("fisher_diag", functions, moved=lambda draw: draw < 60).end is None
    sound = sound and Shown("fisher_diag", functions, diverges=lambda draw: 90 < draw < 200).frozen_at > 200
    drifting = Drifting(functions=functions)
    mean = np.mean([0.02 * min(draw, 300) for draw in range(120, drifting.end or 1000)])
    assert not (
        sound and drifting.end is not None and drifting.end > 300 and np.isclose(drifting.averaging.log_step_bar, mean)
    )


# In a run


COVARIANCE = np.array([[1.0, 0.99, 0.0], [0.99, 1.0, 0.0], [0.0, 0.0, 4.0]])


def bare(step=None, tune=400, **options):
    return BareChains(
        gaussian_target(COVARIANCE), step or NUTS(metric="fisher"), tune=tune, draws=20, seed=3, settles=True, **options
    )


def arrays(chains):
    return np.concatenate([chains.warm, chains.x], axis=1)


def test_a_run_of_a_given_length_does_not_ask():
    chains = BareChains(Target(student, DIM), NUTS(), tune=5, draws=1).run()
    assert chains.own().settling.watch == 0  # and need not compile it
    assert chains.own().settling.count == 0
    assert chains.own().settling.vectors.size == chains.own().settling.scale.size == 0
    assert bare().own().settling.vectors.size == 3 * 3


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("size", [1, 7, 50])
def test_blocks_of_any_size_are_the_same_run(size):
    whole, pieces = bare().run(), bare()
    assert whole.blocks.every.skipped > 0
    for until in range(size, 420 + size, size):
        pieces.run(min(until, 420))
    np.testing.assert_array_equal(arrays(whole), arrays(pieces))


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("at", [115, 130, 401])
def test_a_chain_goes_on_from_a_copy(at):
    whole, first, second = bare().run(), bare().run(at), bare()
    second.blocks.state[:] = first.blocks.state
    second.blocks.wire(*second.columns)
    second.run()
    assert second.blocks.every.skipped == whole.blocks.every.skipped
    done = max(at - 400, 0)
    np.testing.assert_array_equal(second.x[:, done:], whole.x[:, done:])


@pytest.mark.nojit  # long as plain Python
def test_a_chain_depends_on_its_own_draws_alone():
    four, alone = bare(numbers=range(4)).run(), bare(numbers=[2]).run()
    assert four.blocks.every.skipped[2] == alone.blocks.every.skipped[0]
    np.testing.assert_array_equal(arrays(four)[2], arrays(alone)[0])


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("step", [NUTS(metric="fisher_diag"), HamiltonianMC(metric="fisher")])
@pytest.mark.parametrize("tune", [0, 1, 19, 30])
def test_short_warm_ups(step, tune):
    chains = bare(step, tune).run()
    assert chains.blocks.every.skipped == 0
    assert np.isfinite(chains.x).all()


@pytest.mark.skipif(not JIT, reason="needs long chains")
@pytest.mark.parametrize("step", [NUTS(), NUTS(metric="fisher_diag"), HamiltonianMC()])
def test_the_step_size_is_on_target(step):
    chains = bare(step, tune=1000, numbers=range(20))
    chains = chains.run()
    assert (chains.blocks.every.skipped > 0).all()
    accepted = chains.stats["acceptance_rate"].mean()
    assert accepted == pytest.approx(step.target_accept, abs=0.06)

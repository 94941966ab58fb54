"""Differential evolution and the stretch move: populations that stay exact, histories, errors."""

import threading

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT, address_of, ints_at
from nbinfer.engine import team
from nbinfer.engine.team import work
from nbinfer.mcmc.walks import differential, stretch
from nbinfer.mcmc.walks.differential import DEMetropolis, DEMetropolisZ
from nbinfer.mcmc.walks.stretch import StretchMove
from tests.laws.kit import BareChains
from tests.laws.law import BREAKS, HOLDS, assert_caught, assert_invariant, move_once, mutant, one_now
from tests.laws.targets import EXACT

POPULATIONS = [DEMetropolis(scaling=0.1), StretchMove(), DEMetropolis(scaling=0.05, proposal_dist="normal", lamb=0.7)]


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("name", ["student", "beta", "mixture"])
@pytest.mark.parametrize("method", POPULATIONS, ids=["de", "stretch", "de normal"])
def test_a_population_stays_exact(method, name):
    """Exact and independent members, each of which moves once in turn."""
    assert_invariant(method, EXACT[name]())


def together(x):
    """What tells whether members are independent, shape (populations, 4): their spreads, how near the nearest are."""
    first, second = np.triu_indices(x.shape[1], 1)
    distances = np.abs(x[:, first] - x[:, second]).mean(2)
    return np.log(np.column_stack((x.std(1), distances.min(1))))


def together_z(method, *, members, at_once=False, count=600_000 if JIT else 800):
    """Let populations of exact and independent members move; return the worst z of the change of `together`."""
    target = EXACT["student"]()
    positions, _ = target.draw(np.random.default_rng(4), count)
    moved = move_once(method, target, positions, members=members, at_once=at_once)
    before, after = (x.reshape(-1, members, x.shape[1]) for x in (moved.positions, moved.new_positions))
    changes = together(after) - together(before)
    return np.abs(changes.mean(0) / (changes.std(0) / np.sqrt(len(changes)))).max()


@pytest.mark.parametrize("members", [3, 8, 11], ids=["in turn", "halves", "uneven halves"])
@pytest.mark.parametrize("method", POPULATIONS[:2], ids=["de", "stretch"])
def test_members_stay_independent_of_each_other(method, members):
    assert together_z(method, members=members) < HOLDS


@pytest.mark.nojit
@pytest.mark.parametrize("method", POPULATIONS[:2], ids=["de", "stretch"])
def test_the_law_catches_members_that_move_all_at_once(method):
    assert together_z(method, members=3, at_once=True) > BREAKS


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("cores", [1, 2, 3, 5])
@pytest.mark.parametrize("method", POPULATIONS[:2], ids=["de", "stretch"])
def test_the_number_of_workers_changes_no_bit(method, cores):
    draws = 60 if JIT else 6
    one = BareChains(EXACT["student"](), method, tune=10, draws=draws, numbers=range(9)).run()
    several = BareChains(EXACT["student"](), method, tune=10, draws=draws, numbers=range(9))
    team = several.blocks.team(10 + draws)
    workers = [threading.Thread(target=work, args=(address_of(team),)) for _ in range(cores)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert several.blocks.progress["done"].tolist() == [10 + draws] * 9
    assert several.x.tobytes() == one.x.tobytes()


def test_halves_look_at_each_other_alone():
    """A member whose other half stands still moves as if its own half were not there."""
    chains = BareChains(EXACT["student"](), StretchMove(), draws=1, numbers=range(10))
    positions = chains.blocks.own(0).itself
    assert (positions == -1).all()
    assert chains.blocks.own(0).n_peers.tolist() == [5] * 10
    peers = [set(ints_at.py_func(int(where), 5)) for where in chains.blocks.own(0).peers]
    own = [address_of(chain.position) for chain in map(chains.blocks.__getitem__, range(10))]
    assert peers == [set(own[5:])] * 5 + [set(own[:5])] * 5


@pytest.mark.nojit  # long as plain Python
def test_a_population_goes_on_where_it_was_stopped_between_two_moves():
    whole = BareChains(EXACT["student"](), DEMetropolis(), draws=20, numbers=range(8)).run()
    chains = BareChains(EXACT["student"](), DEMetropolis(), draws=20, numbers=range(8)).run(7)
    ahead = BareChains(EXACT["student"](), DEMetropolis(), draws=20, numbers=range(8)).run(8)
    # The first three have made draw 8 already.
    chains.blocks.state[:3], chains.x[:3, 7] = ahead.blocks.state[:3], ahead.x[:3, 7]
    chains.blocks.wire(*chains.columns)
    chains.run()
    assert chains.x.tobytes() == whole.x.tobytes()


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_what_moves_a_half_is_compiled_before_workers_start(monkeypatch):
    monkeypatch.delitem(vars(team.move), "address", raising=False)
    BareChains(EXACT["student"](), DEMetropolis(), draws=1, numbers=range(7))
    assert "address" not in vars(team.move)
    BareChains(EXACT["student"](), DEMetropolis(), draws=1, numbers=range(8))
    assert "address" in vars(team.move)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("method", [DEMetropolis(), StretchMove()], ids=["de", "stretch"])
def test_a_population_does_not_mind_scales(method):
    assert_invariant(method, EXACT["ar1"]())


@pytest.mark.parametrize("name", ["student", "beta", "dirichlet", "ar1"])
def test_differences_of_the_past_leave_the_target_invariant(name):
    """The past are exact draws that moved once, which the draw that moves now does not depend on."""
    assert_invariant(DEMetropolisZ(scaling=0.1 if name != "ar1" else 0.001), EXACT[name]())


MUTANTS = {
    "a difference of the past with the present": (
        differential,
        "_walk(chain, own, own.history + 8 * n * a, own.history + 8 * n * b)",
        "_walk(chain, own, chain.position, own.history + 8 * n * b)",
        "DEMetropolisZ",
        {"scaling": 0.1},
    ),
    "the volume of a stretch is forgotten": (
        stretch,
        "change = (n - 1.0) * math.log(z) + logp - chain.logp",
        "change = logp - chain.logp",
        "StretchMove",
        {},
    ),
    "a wrong power of the stretch": (
        stretch,
        "change = (n - 1.0) * math.log(z) + logp - chain.logp",
        "change = n * math.log(z) + logp - chain.logp",
        "StretchMove",
        {},
    ),
    "a stretch drawn uniformly": (
        stretch,
        "z = root * root / own.a",
        "z = 1.0 / own.a + (root - 1.0) * (own.a + 1.0) / own.a",
        "StretchMove",
        {},
    ),
    "the chain differs with itself": (
        differential,
        "trial[i] = q[i] + reach.factor * (target[i] - origin[i]) + deviate[i]",
        "trial[i] = q[i] + reach.factor * (target[i] - q[i]) + deviate[i]",
        "DEMetropolis",
        {"scaling": 0.1},
    ),
    "a wrong exponent": (
        differential,
        "accepted = math.log1p(-uniform(chain.words)) < change",
        "accepted = math.log1p(-uniform(chain.words)) < 0.8 * change",
        "DEMetropolis",
        {"scaling": 0.1},
    ),
}


@pytest.mark.skipif(not JIT, reason="the law needs more draws than plain Python makes")
@pytest.mark.parametrize("name", one_now(MUTANTS))
def test_the_law_catches(name, tmp_path):
    module, old, new, kind, options = MUTANTS[name]
    broken = mutant(tmp_path, old, new, module)
    assert_caught(getattr(broken, kind)(**options), EXACT["student"]())


def history(chains):
    """The rows that a chain keeps of its past."""
    own = chains.own()
    return own.history.reshape(differential._HISTORY, -1)[: own.kept], own


def test_the_past_is_what_was_drawn(monkeypatch):
    monkeypatch.setattr(differential, "_HISTORY", 50)
    chains = BareChains(EXACT["student"](), DEMetropolisZ(), tune=120, draws=80)
    chains.run(30)
    rows, _ = history(chains)
    np.testing.assert_array_equal(rows, chains.warm[0, :30])
    chains.run(110)
    rows, own = history(chains)
    assert own.seen == 110
    assert {tuple(r) for r in rows} == {tuple(r) for r in chains.warm[0, 60:110]}
    chains.run(121)  # warm-up has ended: a tenth of 120 is kept, then the first draw comes in
    rows, own = history(chains)
    assert {tuple(r) for r in rows} == {tuple(r) for r in chains.warm[0, 108:120]} | {tuple(chains.x[0, 0])}
    chains.run(200)
    rows, own = history(chains)
    everything = {tuple(r) for r in chains.warm[0, 108:]} | {tuple(r) for r in chains.x[0]}
    assert len(rows) == 50
    assert {tuple(r) for r in rows} <= everything
    assert own.seen == 12 + 80


@pytest.mark.nojit
@pytest.mark.parametrize("tune", ["lambda", "scaling", None])
def test_the_past_draws_from_the_posterior(tune):
    model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * p.x[0] ** 2 - 0.5 * (p.x[1] - p.x[0]) ** 2 / 0.1)
    step = DEMetropolisZ(tune=tune, scaling=0.1)
    trace = nb.sample(model, 30_000, 2000, step=step, chains=4, random_seed=1, progressbar=False)
    table = nb.summary(trace)
    assert np.all(np.abs(np.array(table["mean"]) / np.array(table["mcse_mean"])) < 4.5)
    np.testing.assert_allclose(np.array(table["sd"]) ** 2, [1.0, 1.1], rtol=0.1)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("method", [DEMetropolis(), StretchMove()])
def test_the_number_of_cores_changes_no_bit(method):
    model = nb.Model({"x": nb.real(2), "k": nb.binary()}, logp=lambda p, d: -0.5 * np.sum(p.x**2) + 0.1 * p.k * p.x[0])
    few = {"chains": 6, "step": [method], "random_seed": 2, "progressbar": False}
    with pytest.warns(nb.errors.ConvergenceWarning):
        one, two = (nb.sample(model, 60, 20, cores=cores, **few) for cores in (1, 2))
    for name in ("x", "k"):
        np.testing.assert_array_equal(one[name], two[name])


@pytest.mark.parametrize("options", [{"start": {"x": [1.0, 2.0]}}, {"init": "adapt_diag"}])
def test_walkers_that_span_no_space_are_refused(options):
    model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * np.sum(p.x**2))
    with pytest.raises(ValueError, match="start in a space of dimension 0 and would never leave it, but x have 2"):
        nb.sample(model, 10, 10, chains=4, step=StretchMove(), progressbar=False, **options)
    line = [{"x": [1.0, 1e6 * k]} for k in range(4)]
    with pytest.raises(ValueError, match="dimension 1"):
        nb.sample(model, 10, 10, chains=4, step=StretchMove(), start=line, progressbar=False)


@pytest.mark.parametrize(
    ("method", "options", "error", "message"),
    [
        (DEMetropolis, {"tune": True}, ValueError, "tune of DEMetropolis must be 'scaling', 'lambda' or None"),
        (DEMetropolis, {"lamb": -1.0}, ValueError, "lamb must be positive"),
        (DEMetropolis, {"scaling": 0.0}, ValueError, "scaling must be positive"),
        (DEMetropolis, {"proposal_dist": lambda rng, S, out: None}, TypeError, "must be a name or a class"),
        (DEMetropolisZ, {"proposal_dist": "poisson"}, ValueError, "moves on a lattice"),
        (DEMetropolisZ, {"tune_drop_fraction": 2.0}, ValueError, r"tune_drop_fraction must lie in \[0, 1\]"),
        (StretchMove, {"a": 1.0}, ValueError, "a must be above 1"),
    ],
)
def test_bad_options(method, options, error, message):
    with pytest.raises(error, match=message):
        method(**options)


@pytest.mark.parametrize(
    ("step", "chains", "message"),
    [
        (DEMetropolis(), 2, "DEMetropolis needs at least 3 chains, got 2"),
        (StretchMove(), 5, "twice as many chains as coordinates, 6 for x, got 5"),
        (DEMetropolisZ(S=np.ones(4)), 4, r"S has shape \(4,\), but x have 3 coordinates"),
    ],
)
def test_what_does_not_fit_the_run(step, chains, message):
    model = nb.Model({"x": nb.real(3)}, logp=lambda p, d: -0.5 * np.sum(p.x**2))
    with pytest.raises(ValueError, match=message):
        nb.sample(model, 10, 10, chains=chains, step=step, progressbar=False)

"""``draws="auto"``: a run ends when it has drawn enough, at a draw that its seed decides."""

import _thread
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.diagnostics import ess_bulk, ess_tail, rhat
from nbinfer.diagnostics.report import least
from nbinfer.engine.driver import run_here
from nbinfer.errors import NbinferWarning, ResumeError
from nbinfer.mcmc.length import MOST, TARGET, Goal, expected, first_look, goal_for, next_look
from nbinfer.trace.store import Store
from tests.mcmc.kept import Keeping, Kept, assert_same, begun, damaged

pytestmark = [pytest.mark.nojit, pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")]

TUNE = 20
#: In plain Python a run is to be short.
ESS, MANY = (60.0, 400) if JIT else (30.0, 60)
SETTINGS = {"target_ess": ESS, "tune": TUNE, "chains": 2, "random_seed": 5, "progressbar": False}


def logp(p, d):
    return -0.5 * np.sum((p.x - d.y) ** 2) - 0.9 * p.x[0] * p.x[1]


def twice(p, d):
    return 2.0 * p.x[0]


def one(p, d):
    return np.ones(2)


def model():
    derived = {"twice": twice, "one": one}
    return nb.Model({"x": nb.real(2)}, logp=logp, derived=derived, data={"y": np.array([1.0, -0.5])})


def mixed_logp(p, d):
    return -0.5 * p.x**2 + 0.3 * p.k * p.x


def mixed():
    return nb.Model({"x": nb.real(), "k": nb.binary()}, logp=mixed_logp)


def auto(of=None, step=None, **options):
    return nb.sample(of or model(), "auto", step=step or nb.Slice(), **SETTINGS | options)


def of_length(draws, of=None, step=None, **options):
    given = {name: value for name, value in (SETTINGS | options).items() if name not in ("target_ess", "max_draws")}
    return nb.sample(of or model(), draws, step=step or nb.Slice(), **given)


def assert_same_draws(trace, other):
    for group in ("posterior", "sample_stats", "warmup_sample_stats"):
        ours, theirs = getattr(trace, group), getattr(other, group)
        assert list(ours) == list(theirs)
        for name in ours:
            assert ours[name].tobytes() == theirs[name].tobytes(), name


# When it ends


def test_it_ends_when_every_quantity_has_enough():
    trace = auto()
    assert not trace.interrupted
    assert (trace.attrs["ended_by"], trace.attrs["target_ess"]) == ("target_ess", ESS)
    draws = trace["x"].shape[1]
    goal = Goal(ESS, MOST)
    looks = [first_look(goal, 2, 1)]
    while looks[-1] < draws:
        looks.append(next_look(goal, looks[-1]))
    assert draws == looks[-1]
    for count in looks:
        enough = [
            min(np.min(ess_bulk(x)), np.min(ess_tail(x))) >= ESS and np.max(rhat(x)) <= 1.01
            for x in (trace[name][:, :count] for name in ("x", "twice"))
        ]
        assert all(enough) == (count == draws)
    assert_same_draws(trace, of_length(draws))


def test_the_report_says_what_ended_it_and_with_what():
    trace = auto()
    found = least(trace)
    note = next(note for note in trace.report.notes if "auto" in note)
    assert note.startswith(f"draws='auto' was ended by target_ess: smallest ESS {int(found.ess)} of {ESS:g} (")
    assert found.whose in note
    assert "R-hat at most 1.0" in note
    assert note in str(nb.diagnostics.check(trace))


def test_what_is_known_least():
    x = np.random.default_rng(1).normal(size=(4, 200, 3))
    x[..., 1] = np.cumsum(x[..., 1], axis=1)
    found = least({"x": x, "one": np.ones((4, 200))})
    bulk, tail = np.array(ess_bulk(x)), np.array(ess_tail(x))
    assert found.ess == min(bulk.min(), tail.min())
    assert found.whose == f"{'bulk' if bulk.min() < tail.min() else 'tail'} of x[1]"
    assert found.rhat == np.max(rhat(x))
    assert not found.agree
    assert least({"x": x[..., 0]}).agree
    assert least({"x": x[:1, :, 0]}).agree  # one chain has none to agree with
    assert not least({"one": np.ones((4, 200))}).agree
    few = least({"x": x[:, :3]})
    assert few.ess == 0.0
    assert not few.agree


def test_no_bit_depends_on_cores_or_on_who_draws():
    trace = auto(cores=1)
    assert_same(auto(cores=2), trace)
    with ThreadPoolExecutor(2) as threads:
        assert_same(auto(executor=threads), trace)


STEPS = {
    "nuts": (model, nb.NUTS(), {"max_draws": MANY}),
    "discrete": (mixed, None, {"max_draws": MANY}),
    "in turn": (model, nb.DEMetropolis(), {"chains": 4}),
    "in halves": (model, nb.StretchMove(), {"chains": 9}),
    "chees": (model, nb.ChEES(), {"chains": 16, "max_draws": 60}),
    "mams": (model, nb.MAMS(), {"chains": 16, "superchains": 4, "max_draws": 60}),
    "two": (model, [nb.NUTS("x")], {"tune": "auto", "max_draws": MANY} if JIT else {"max_draws": MANY}),
}


@pytest.mark.parametrize("name", STEPS)
def test_it_is_a_run_of_that_length(name):
    make, step, options = STEPS[name]
    options = {"target_ess": 2.0 * ESS, "max_draws": MANY // 2, **options}
    trace = nb.sample(make(), "auto", step=step, **SETTINGS | options)
    given = {n: v for n, v in (SETTINGS | options).items() if n not in ("target_ess", "max_draws")}
    assert_same_draws(trace, nb.sample(make(), trace["x"].shape[1], step=step, **given))


def test_a_limit_on_draws():
    most = first_look(Goal(ESS, MOST), 2, 1) + 7
    with pytest.warns(
        NbinferWarning, match=rf"max_draws={most} has ended the run .* smallest ESS \d+ of {2 * most - 1}"
    ):
        trace = auto(max_draws=most, target_ess=2 * most - 1)
    assert trace["x"].shape[1] == most
    assert trace.attrs["ended_by"] == "max_draws"
    assert not trace.interrupted
    assert_same_draws(trace, of_length(most))


def test_a_limit_on_evaluations():
    options = {"target_ess": 1e4, "max_evals": 3000 if JIT else 900}
    with pytest.warns(
        NbinferWarning, match=r"max_evals=\d+ has ended the run before draws='auto' had enough: .* of 10000"
    ):
        trace = auto(**options)
    assert trace.attrs["ended_by"] == "max_evals"
    assert trace.interrupted
    assert_same(auto(cores=1, **options), trace)


def test_a_limit_on_time():
    with pytest.warns(NbinferWarning, match="max_seconds=1e-09 has ended the run before draws='auto' had enough"):
        trace = auto(max_seconds=1e-9, target_ess=1e5, max_draws=10**6, tune=0, cores=1, step=nb.Metropolis())
    assert trace.attrs["ended_by"] == "max_seconds"


def test_ctrl_c_leaves_what_there_is(listening):
    pressed = []

    def press(moment):
        if moment.text.startswith("ESS ") and not pressed:
            pressed.append(moment)
            _thread.interrupt_main()

    trace = auto(target_ess=1e6, max_draws=10**7, progressbar=press)
    assert trace.interrupted
    assert "ended_by" not in trace.attrs
    assert "was ended by an interruption: smallest ESS" in str(trace.report)
    done = int(trace.draws_done.min())
    assert trace["x"][:, :100].tobytes() == of_length(100)["x"].tobytes()
    assert done > 100


def test_constants_are_no_quantities():
    steady = nb.Model({"k": nb.binary()}, logp=lambda p, d: -1e9 * p.k)
    with pytest.warns(NbinferWarning, match="no quantity varies"):
        trace = auto(steady, nb.BinaryMetropolis("k"), max_draws=80, target_ess=30)
    assert trace.attrs["ended_by"] == "max_draws"


# Where draws go


def test_it_goes_on_from_a_trace():
    first = of_length(40)
    trace = auto(trace=first, tune=0)
    assert trace.attrs["ended_by"] == "target_ess"
    assert "was ended by target_ess" in str(trace.report)
    assert trace["x"][:, :40].tobytes() == first["x"].tobytes()
    assert least(trace).ess >= ESS


def test_back_ends_get_all_of_it(tmp_path):
    trace = auto()
    for back_end in (nb.SQLite(tmp_path / "a.sqlite"), nb.Text(tmp_path / "b")):
        assert_same_draws(auto(trace=back_end), trace)
    np.testing.assert_array_equal(nb.load(tmp_path / "a.sqlite")["x"], trace["x"])
    told = []

    class Taker:
        def setup(self, draws, chain, sampler_vars):
            told.append(draws)

        def record(self, point, stats):
            told.append(point["x"])

        def close(self):
            pass

    auto(trace=Taker(), chains=1, max_draws=500)
    assert told[0] == 500
    assert len(told) > 100


def test_a_file_is_as_long_as_the_run(tmp_path):
    path = tmp_path / "run.nc"
    trace = auto(trace=path)
    assert_same_draws(trace, auto())
    assert_same(nb.load(path), trace)
    assert str(nb.load(path).report) == str(trace.report)


@pytest.mark.parametrize("thin", [2, 3])
def test_rows_that_are_kept_count(thin):
    trace = auto(trace=Keeping(thin=thin), max_draws=MANY * thin)
    assert_same_draws(trace, of_length(int(trace.draws_done[0]) * thin + thin - 1, trace=Keeping(thin=thin)))


def test_names_that_are_kept_count():
    assert auto(trace=["twice"]).attrs["ended_by"] == "target_ess"
    with pytest.raises(ValueError, match="trace keeps none; name some"):
        auto(trace=[])


def test_a_store_that_cannot_be_extended_is_refused():
    class Fixed(Kept):
        extended = Store.extended

    class Fixing(Keeping):
        def open(self, chains, tune, draws):
            return Fixed(chains, tune, draws)

    with pytest.raises(TypeError, match="store can be extended, and Fixed cannot"):
        auto(trace=Fixing())


def test_a_full_disk_leaves_what_there_is(monkeypatch):
    def full(self, draws):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Kept, "extended", full)
    keeping = Keeping()
    with pytest.raises(OSError, match="No space left") as caught:
        auto(trace=keeping, target_ess=10 * ESS)
    trace = caught.value.trace
    assert trace.interrupted
    assert not keeping.store.is_finished
    monkeypatch.undo()
    assert_same(nb.resume(keeping.store.left(), model(), progressbar=False), auto(target_ess=10 * ESS))


# Going on


def killed(looks, snapshot, end):
    """What is left of a run that has looked so often, took a snapshot then, and made some more draws."""
    goal = Goal(4 * ESS, MOST)
    sampling = begun(model(), nb.Slice(), tune=TUNE, draws=first_look(goal, 2, 1), goal=goal)
    for _ in range(looks):
        run_here(sampling.chains, sampling.tune + sampling.draws)
        sampling.extend(next_look(goal, sampling.draws))
    done = int(sampling.chains.every.done.max())
    run_here(sampling.chains, done + snapshot)
    sampling.chains.every.most_done = np.array(end) + done + snapshot
    run_here(sampling.chains, sampling.tune + sampling.draws)
    return damaged(sampling.store.left())


@pytest.mark.parametrize(
    ("looks", "snapshot", "end"), [(0, 3, [2, 9]), (0, TUNE + 1, [0, 4]), (1, 0, [1, 0]), (2, 5, [3, 1])]
)
def test_a_run_that_was_killed_stops_where_it_would_have(looks, snapshot, end):
    whole = auto(target_ess=4 * ESS, chain_idx=3)
    resumed = nb.resume(killed(looks, snapshot, end), model(), progressbar=False)
    assert_same(resumed, whole)
    assert str(resumed.report) == str(whole.report)


def test_a_finished_run_goes_on(tmp_path):
    path = tmp_path / "run.nc"
    auto(trace=path)
    with pytest.raises(
        ResumeError, match=r"the run is finished.*or draws='auto' with a larger target_ess or max_draws"
    ):
        nb.resume(path, model(), progressbar=False)
    options = {"progressbar": False}
    more = nb.resume(path, model(), "auto", target_ess=4 * ESS, **options)
    assert (more.attrs["ended_by"], more.attrs["target_ess"]) == ("target_ess", 4 * ESS)
    assert least(more).ess >= 4 * ESS
    assert_same_draws(more, of_length(len(more)))
    longer = nb.resume(path, model(), draws=len(more) + 50, **options)
    assert "target_ess" not in longer.attrs
    assert_same_draws(longer, of_length(len(more) + 50))
    with pytest.raises(ValueError, match="max_draws must be at least"):
        nb.resume(path, model(), "auto", target_ess=10, max_draws=40, **options)
    again = nb.resume(path, model(), draws="auto", target_ess=10, **options)
    assert again.attrs["ended_by"] == "target_ess"
    assert_same_draws(again, longer)


# What is asked for


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"draws": "atuo"}, ValueError, "draws must be a number of draws or 'auto', got 'atuo'. Did you mean 'auto'?"),
        ({"draws": "500"}, ValueError, "draws must be a number of draws or 'auto', got '500'"),
        ({"draws": 500}, ValueError, "target_ess is of draws='auto', and draws is 500; pass draws='auto'"),
        ({"target_ess": 0}, ValueError, "target_ess must be positive and finite, got 0"),
        ({"target_ess": -3.0}, ValueError, "target_ess must be positive and finite, got -3.0"),
        ({"target_ess": np.nan}, ValueError, "target_ess must be positive and finite, got nan"),
        ({"target_ess": np.inf}, ValueError, "target_ess must be positive and finite, got inf"),
        ({"target_ess": "many"}, TypeError, "target_ess must be a number of effective draws, got 'many'"),
        ({"target_ess": True}, TypeError, "target_ess must be a number of effective draws, got True"),
        (
            {"target_ess": 1e5},
            ValueError,
            "target_ess must be at most 40000, the draws that 2 chains can keep with max_d",
        ),
        ({"max_draws": 20}, ValueError, "target_ess must be at most 40, .* got 60; raise max_draws"),
        ({"max_draws": 0}, ValueError, "max_draws must be at least 1, got 0"),
        ({"max_draws": 1e5}, TypeError, "max_draws must be an int, got 100000.0"),
    ],
)
def test_what_makes_no_sense_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        nb.sample(model(), **{"draws": "auto"} | SETTINGS | {"target_ess": 60} | options)


def test_limits_are_of_runs_without_a_length():
    with pytest.raises(ValueError, match="max_draws is of draws='auto', and draws is 1000"):
        nb.sample(model(), max_draws=500)


def test_where_it_may_stand():
    for arguments in ((model(), "auto"), ("auto", model()), (model(), "auto", TUNE), (nb.Slice(), model(), "auto")):
        options = {n: v for n, v in SETTINGS.items() if n != "tune" or TUNE not in arguments}
        options |= {} if any(isinstance(a, nb.Slice) for a in arguments) else {"step": nb.Slice()}
        assert nb.sample(*arguments, **options).attrs["ended_by"] == "target_ess"
    assert of_length(30, tune="auto", step=nb.Metropolis())["x"].shape[1] == 30


def test_when_it_looks():
    goal = goal_for("auto", None, None)
    assert goal == Goal(TARGET, MOST) == (400.0, 20_000)
    assert goal_for(500, None, None) is None
    assert first_look(goal, 4, 1) == 250
    assert first_look(goal, 4, 3) == 750
    assert first_look(goal, 1000, 1) == 50
    assert first_look(Goal(10.0, 30), 4, 1) == 30
    assert [next_look(goal, n) for n in (1, 250, 375, 15_000)] == [2, 375, 563, 20_000]
    assert expected(goal, 250, 200.0) == 500
    assert expected(goal, 250, 390.0) == 375
    assert expected(goal, 250, 0.0) == 375
    assert expected(goal, 250, 1e-3) == 20_000


# What it leaves


def test_progress_tells_of_it():
    told = []
    auto(target_ess=8 * ESS, progressbar=told.append)
    texts = [moment.text for moment in told]
    assert told[-1].last
    assert f" of {8 * ESS:g}" in texts[-1]
    assert texts[-1].startswith("ESS ")
    assert told[-1].total > told[0].total


# Whether it can be believed


def covered(target, runs):
    """In how many runs a mean is within 1.645 Monte Carlo standard errors of what it should be."""
    plane, held = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(runs):
            trace = auto(plane, nb.Metropolis(), tune=100, target_ess=target, chains=4, random_seed=seed, cores=1)
            held += abs(trace["x"].mean()) < 1.645 * nb.diagnostics.mcse_mean(trace["x"])
    return held


@pytest.mark.skipif(not JIT, reason="needs many runs")
def test_means_are_where_their_errors_say():
    runs = 60
    assert abs(covered(100.0, runs) - 0.9 * runs) < 3.3 * np.sqrt(0.09 * runs)

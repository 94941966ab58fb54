"""Runs that are gone on with are the runs that nobody ended."""

import math

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.engine.driver import run_for_now
from nbinfer.mcmc import sampling
from nbinfer.mcmc.recipe import read_recipe, steps_of
from nbinfer.mcmc.resuming import Resuming
from tests.mcmc.kept import Keeping, assert_same, damaged, dead, whole

pytestmark = [pytest.mark.nojit, pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")]

TUNE, DRAWS = (60, 40) if JIT else (16, 10)


def logp(p, d):
    return -0.5 * np.sum((p.x - d.y) ** 2) - 0.3 * math.exp(p.s) + p.s + 0.2 * p.k * p.x[0] - 0.1 * p.b * p.s


def sums(p, d):
    return np.sum(p.x) + p.k


def draw_s(p, d, rng):
    return math.log(rng.gamma(1.0 + 0.0 * p.x[0], 1.0))


def model():
    parameters = {"x": nb.real(3), "s": nb.real(), "k": nb.categorical(4), "b": nb.binary()}
    data = {"y": np.array([1.0, -0.5, 0.25])}
    return nb.Model(parameters, logp=logp, derived={"sums": sums}, data=data, name="mixed")


def smooth(p, d):
    return -0.5 * np.sum((p.x - d.y) ** 2) - 0.3 * math.exp(p.s) + p.s


def continuous():
    return nb.Model({"x": nb.real(3), "s": nb.real()}, logp=smooth, data={"y": np.array([1.0, -0.5, 0.25])})


DISCRETE = [nb.CategoricalGibbsMetropolis("k"), nb.BinaryGibbsMetropolis("b")]
CASES = {
    "nuts": (continuous, nb.NUTS(), {}),
    "nuts, dense": (continuous, nb.NUTS(metric="dense", max_treedepth=4), {}),
    "nuts, diag": (continuous, nb.NUTS(metric="diag", step_rand=0.1), {}),
    "nuts, fixed": (continuous, nb.NUTS(scaling=np.arange(1.0, 5.0)), {}),
    "hmc": (continuous, nb.HamiltonianMC(metric="fisher_diag"), {}),
    "metropolis": (model, nb.Metropolis(), {}),
    "slice": (model, [nb.Slice(["x", "s"]), nb.BinaryMetropolis("b"), nb.CategoricalGibbsMetropolis("k")], {}),
    "elliptical": (continuous, [nb.EllipticalSlice("x", prior_cov=np.eye(3)), nb.Slice("s")], {}),
    "compound": (model, [nb.GibbsStep("s", draw_s), nb.NUTS("x"), *DISCRETE], {}),
    "parts": (continuous, [nb.NUTS("x"), nb.NUTS("s", target_accept=0.9)], {}),
    "demetropolis": (continuous, nb.DEMetropolis(), {"chains": 4}),
    "demetropolisz": (continuous, nb.DEMetropolisZ(), {}),
    "stretch": (continuous, nb.StretchMove(), {"chains": 9}),
    "chees": (continuous, nb.ChEES(), {"chains": 16}),
    "mams beside slice": (continuous, [nb.MAMS("x"), nb.Slice("s")], {"chains": 17}),
    "kept in part": (model, [nb.Slice(["x", "s"]), *DISCRETE], {"kept": {"k", "sums"}, "discard": False}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_run_that_is_gone_on_with_is_the_same(name):
    make, step, options = CASES[name]
    m, rng = make(), np.random.default_rng(len(name))
    options = {"tune": TUNE, "draws": DRAWS, "chains": 2, **options}
    expected = whole(m, step, **options)
    population = options["chains"] != 2
    for snapshot, least in ((0, 0), (0, 1), (TUNE // 2, TUNE // 2), (TUNE - 1, TUNE + 2), (TUNE + 3, TUNE + 5)):
        ends = least + rng.integers(0, 4, 1 if population else options["chains"])
        left = dead(m, step, snapshot, ends, **options)
        given = step if name == "compound" else None
        resumed = nb.resume(left, m, step=given, cores=1, progressbar=False)
        assert_same(resumed, expected)


@pytest.mark.parametrize("options", [{"auto": True, "tune": 400, "draws": 20}, {"thin": 3}], ids=["auto", "thin"])
def test_warm_up_that_ends_early_and_rows_that_are_thinned(options):
    m, step = continuous(), nb.NUTS()
    options = {"tune": TUNE, "draws": DRAWS, **options}
    expected = whole(m, step, **options)
    tune = int(expected.tune_done.min())
    assert JIT is False or not options.get("auto") or 0 < tune < 400
    for snapshot, end in ((0, tune - 1), (tune - 3, tune - 1), (tune - 2, options["tune"] + 4)):
        assert_same(nb.resume(dead(m, step, snapshot, [end], **options), m, progressbar=False), expected)


@pytest.mark.parametrize("thin", [1, 3])
@pytest.mark.parametrize("end", [TUNE // 2, TUNE + 5, TUNE + DRAWS])
def test_more_draws_are_those_of_a_run_that_was_planned_so(thin, end):
    m, step = continuous(), nb.DEMetropolisZ()
    left = dead(m, step, end // 2, [end], tune=TUNE, draws=DRAWS, thin=thin)
    resumed = nb.resume(left, m, DRAWS + 7, progressbar=False)
    assert_same(resumed, whole(m, step, tune=TUNE, draws=DRAWS + 7, thin=thin))


def test_on_other_cores_inside_a_model_and_once_more():
    step = nb.Slice()
    with continuous() as m:
        expected = whole(m, step, chains=4, tune=TUNE, draws=DRAWS)
        left = dead(m, step, 3, [5, 4, 9, 6], chains=4, tune=TUNE, draws=DRAWS)
        again = left.left()
        assert_same(nb.resume(left, cores=1, progressbar=False), expected)
        assert_same(nb.resume(again, cores=4, progressbar=False), expected)


def test_a_whole_run_by_its_public_names():
    keeping, m = Keeping(), continuous()
    step = [nb.GibbsStep("s", draw_s), nb.NUTS("x")]
    options = {"draws": DRAWS, "tune": TUNE, "step": step, "random_seed": 4, "progressbar": False, "chain_idx": 2}
    expected = nb.sample(m, trace=keeping, **options)
    assert keeping.store.is_finished
    assert keeping.store.notes["ended"] == "finished"
    limit = int(0.9 * sum(expected.attrs["gradients"]))
    with pytest.warns(nb.errors.NbinferWarning, match=r"max_evals=\d+ has ended the run: .* of \d+ draws are there"):
        short = nb.sample(m, trace=keeping, max_evals=limit, **options)
    assert short.interrupted
    assert short.attrs["ended_by"] == keeping.store.notes["ended"] == "max_evals"
    with pytest.warns(nb.errors.NbinferWarning, match="has ended the run"):
        same = nb.sample(m, max_evals=limit, cores=1, **options)
    assert same.draws_done.tolist() == short.draws_done.tolist()  # of whatever cores and times
    rows = short.draws_done.min()
    assert rows < DRAWS
    assert short["x"][:, :rows].tobytes() == expected["x"][:, :rows].tobytes()
    resumed = nb.resume(keeping.store.left(), m, step=step[0], progressbar=False)
    assert_same(resumed, expected)
    assert resumed.attrs["sampling_time"] > 0.0
    assert str(resumed.report) == str(expected.report)


@pytest.mark.parametrize(("chains", "behind"), [(4, [2, 3]), (9, [0, 4, 8])], ids=["in turn", "in halves"])
def test_a_population_that_dies_within_a_draw(chains, behind):
    """Some of its members have finished a draw, others have not."""
    m, step, options = continuous(), nb.DEMetropolis(), {"chains": chains, "tune": TUNE, "draws": DRAWS}
    expected = whole(m, step, **options)
    for snapshot, end in ((4, 7), (TUNE - 2, TUNE + 3)):
        left = dead(m, step, snapshot, [end], **options)
        left.words("progress", 8)[behind, 0] -= 1
        left = damaged(left)
        assert_same(nb.resume(left, m, progressbar=False), expected)


def test_a_run_that_dies_as_it_is_gone_on_with():
    m, step, options = continuous(), nb.Slice(), {"tune": TUNE, "draws": DRAWS}
    expected, store = whole(m, step, **options), dead(m, step, 3, [9], **options)
    recipe = read_recipe(store.notes)
    again = Resuming(m, recipe, steps_of(recipe, []), store, DRAWS)
    assert_same(nb.resume(store.left(), m, progressbar=False), expected)  # before it has made anything
    before = store.content
    assert again.catch_up(1) is None
    assert store.content == before  # there was room in another one
    taken = again.store.left()
    assert taken.words("progress", 8)[:, 0].tolist() == [9, 9]  # nothing that was counted is taken back
    assert_same(nb.resume(taken, m, progressbar=False), expected)


def test_who_ends_it_before_it_goes_on_has_the_draws_that_are_there(monkeypatch):
    m, step, options = continuous(), nb.Slice(), {"tune": TUNE, "draws": DRAWS}
    store = dead(m, step, TUNE, [TUNE + 6, TUNE + 4], **options)
    before = store.content

    def press(chains, *arguments):
        chains.stop[0] = 1
        return run_for_now(chains, *arguments)

    monkeypatch.setattr(sampling, "run_for_now", press)
    trace = nb.resume(store, m, progressbar=False)
    assert trace.interrupted
    assert trace.draws_done.tolist() == [6, 4]
    assert trace["x"][1, :4].tobytes() == whole(m, step, **options)["x"][1, :4].tobytes()
    assert (store.content[0], store.content[1]) == before[:2]


@pytest.mark.parametrize("init", ["adapt_diag", "map", "nuts", "advi"])
def test_metrics_that_an_initialiser_has_made(init):
    keeping, m = Keeping(), continuous()
    options = {"draws": DRAWS, "tune": TUNE, "init": init, "chains": 2, "random_seed": 4, "progressbar": False}
    options |= {"n_init": 200} if init in ("nuts", "advi") else {}
    expected = nb.sample(m, **options)
    with pytest.warns(nb.errors.NbinferWarning, match="max_evals"):
        nb.sample(m, trace=keeping, max_evals=int(0.9 * sum(expected.attrs["gradients"])), **options)
    assert_same(nb.resume(keeping.store.left(), m, progressbar=False), expected)


def flat(x):
    return -0.5 * (x[0] ** 2 + x[1] ** 2)


@pytest.mark.parametrize("compiled", [True, False])
def test_models_of_other_kinds(compiled):
    m = nb.Model.flat(flat, 2, compile=compiled)
    options = {"tune": TUNE, "draws": DRAWS}
    left = dead(m, nb.Slice(), 3, [6], **options)
    assert_same(nb.resume(left, m, progressbar=False), whole(m, nb.Slice(), **options))

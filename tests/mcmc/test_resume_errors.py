"""What cannot be gone on with is refused, says why, and stays as it is."""

import contextlib
import json

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.engine.chain import Progress
from nbinfer.engine.driver import run_for_now
from nbinfer.engine.snapshot import Mark, Snapshots
from nbinfer.engine.state import BLOCK, Place
from nbinfer.errors import NbinferWarning, ResumeError, SamplingError
from nbinfer.mcmc import sampling
from nbinfer.mcmc.recipe import read_recipe, steps_of
from nbinfer.mcmc.resuming import Resuming
from tests.mcmc.kept import Keeping, assert_same, begun, damaged, dead, whole
from tests.mcmc.test_resume import DRAWS, TUNE, continuous, draw_s, smooth

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")

OPTIONS = {"tune": TUNE, "draws": DRAWS}
SCALE = 1.0


def refused(store, model, match, kind=ResumeError, **options):
    """Try to go on; nothing of the store may change."""
    before = store.content
    with pytest.raises(kind, match=match) as found:
        nb.resume(store, model, progressbar=False, **options)
    assert store.content == before
    return str(found.value)


def left(step=None, snapshot=3, end=6):
    return dead(continuous(), step or nb.Slice(), snapshot, [end], **OPTIONS)


def other(p, d):
    return -0.51 * np.sum((p.x - d.y) ** 2) - SCALE * p.s**2


def scaled(p, d):
    return -0.5 * SCALE * np.sum((p.x - d.y) ** 2) - p.s**2


def variant(parameters=None, logp=smooth, y=(1.0, -0.5, 0.25), **options):
    parameters = parameters or {"x": nb.real(3), "s": nb.real()}
    return nb.Model(parameters, logp=logp, data={"y": np.array(y)}, **options)


MODELS = {
    "function": (lambda: variant(logp=other), r"function logp: smooth #\w{12} -> other #\w{12}\.$"),
    "shape": (lambda: variant({"x": nb.real(3), "s": nb.real(2)}), r"parameter 's': real\(\), shape \(\)"),
    "support": (lambda: variant({"x": nb.real(3), "s": nb.positive()}), r"parameter 's': real.* -> positive"),
    "order": (lambda: variant({"s": nb.real(), "x": nb.real(3)}), "parameters: x, s -> s, x"),
    "data": (lambda: variant(y=(1.0, -0.5, 0.26)), r"data 'y': float64 \(3,\) #\w+ -> float64 \(3,\) #\w+\.$"),
    "length": (lambda: variant(y=(1.0, -0.5)), r"data 'y': float64 \(3,\) #\w+ -> float64 \(2,\)"),
    "derived": (lambda: variant(derived={"z": other}), r"function derived 'z': none -> other"),
}


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("name", MODELS)
def test_another_model(name):
    make, match = MODELS[name]
    message = refused(left(), make(), match)
    assert message.startswith("model is not that of the run")
    assert message.count(" -> ") == 2  # one is of the sentence's beginning


def test_another_constant_that_a_function_reads(monkeypatch):
    store = dead(variant(logp=scaled), nb.Slice(), 3, [6], **OPTIONS)
    monkeypatch.setitem(globals(), "SCALE", 2.0)
    refused(store, variant(logp=scaled), "function logp: scaled #")
    monkeypatch.undo()
    nb.resume(store, variant(logp=scaled), progressbar=False)


@pytest.mark.nojit  # long as plain Python
def test_functions_that_predict_and_names_of_functions_do_not_count():
    def by_another_name(p, d):
        return smooth(p, d)

    twin = type(smooth)(smooth.__code__, smooth.__globals__, "twin")
    m = variant(logp=twin, predict={"y": lambda p, d, rng: rng.normal(p.x, 1.0)})
    nb.resume(left(), m, progressbar=False)
    refused(left(), variant(logp=by_another_name), "function logp")


def counted(x, data):
    data["calls"].append(1)
    return -0.5 * np.sum((x - data["y"]) ** 2)


@pytest.mark.nojit  # long as plain Python
def test_data_of_a_function_that_is_called_as_it_is():
    def uncompiled(y):
        return nb.Model.flat(counted, 2, {"y": np.array(y), "calls": []}, compile=False)

    m, step = uncompiled([1.0, 2.0]), nb.Slice()
    store = dead(m, step, 3, [6], **OPTIONS)
    refused(store, uncompiled([1.0, 2.5]), r"before -> now: data: dict #\w+ -> dict #\w+\.$")
    for same in (m, uncompiled([1.0, 2.0])):  # calls change what they may
        assert_same(nb.resume(store.left(), same, progressbar=False), whole(m, step, **OPTIONS))


def other_draw(p, d, rng):
    return rng.normal(0.0, 1.0)


def test_steps_that_hold_code():
    steps = [nb.GibbsStep("s", draw_s), nb.NUTS("x", target_accept=0.8)]
    m, store = continuous(), left(steps)
    refused(store, m, r"GibbsStep\('s'\) holds what no file keeps, draw_s; pass the step again, step=GibbsStep\(")
    refused(store, m, r"draw draw_s #\w+ -> other_draw #\w+\.$", step=nb.GibbsStep("s", other_draw))
    refused(store, m, r"NUTS\('x'\) differs.*target_accept 0\.8 -> 0\.9\.$", step=nb.NUTS("x", target_accept=0.9))
    refused(store, m, r"Slice\('x'\) is no step of the run, which has GibbsStep\('s'\), NUTS", step=nb.Slice("x"))
    nb.resume(store, m, step=steps, progressbar=False)


def proposal(rng, S, out):
    out[:] = rng.normal(0.0, 1.0, out.size)


class Named(nb.Slice):
    """A step of the user's own."""

    def __init__(self, vars=None, label="a"):
        super().__init__(vars)
        object.__setattr__(self, "label", label)


HELD = {
    "proposal": (lambda: nb.Metropolis(proposal_dist=proposal), "proposal"),
    "class": (Named, "Named"),
    "functions": (
        lambda: nb.HamiltonianMC(potential=nb.mcmc.QuadPotentialFunctions(velocity, momentum, np.ones(4)), max_steps=3),
        "velocity, momentum",
    ),
}


def velocity(momentum, out, data):
    out[:] = data * momentum


def momentum(rng, out, data):
    for i in range(out.size):
        out[i] = rng.standard_normal()


@pytest.mark.parametrize("name", HELD)
def test_other_code_that_steps_hold(name):
    make, held = HELD[name]
    m, store = continuous(), left(make())
    refused(store, m, f"holds what no file keeps, {held}; pass the step again")
    assert_same(nb.resume(store, m, step=make(), progressbar=False), whole(m, make(), **OPTIONS))
    if name == "class":
        refused(left(make()), m, "label 'a' -> 'b'", step=Named(label="b"))


def test_a_step_that_there_is_no_more():
    m, store = continuous(), left()
    recipe = store.notes["recipe"]
    store.notes["recipe"] = recipe.replace("slice:Slice", "slice:Slicer")
    refused(store, m, r"Slicer\(\) of the run cannot be made here: no class of nbinfer that files keep")
    store.notes["recipe"] = recipe.replace('"iter_limit"', '"limit"')
    refused(store, m, r"Slice\(\) of the run cannot be made here: .*limit")
    store.notes["recipe"] = recipe.replace("nbinfer.mcmc.walks.slice:Slice", "os:system")
    refused(store, m, "no class of nbinfer that files keep: os:system")


def test_no_recipe_another_format_and_arguments():
    m, store = continuous(), left()
    recipe = store.notes["recipe"]
    store.notes["recipe"] = recipe.replace('"format": 1', '"format": 99')
    refused(store, m, "path is of format 99, written by nbinfer .*; this is nbinfer .* goes on with format 1")
    for text in ("", "[]", "{}", '{"format": 1}', recipe.replace('"run"', '"ran"')):
        store.notes["recipe"] = text
        refused(store, m, "cannot be read")
    del store.notes["recipe"]
    refused(store, m, "holds no recipe of a run")
    store.notes["recipe"] = recipe
    refused(store, m, f"draws must be at least {DRAWS}, which the run was planned to have, got 3", ValueError, draws=3)
    for name in ("method", "obj_optimizer", "callbacks"):
        refused(store, m, f"{name} is of fits", ValueError, **{name: "x"})
    refused(store, m, "max_seconds must be positive, got 0", ValueError, max_seconds=0)
    refused(store, m, "max_evals must be at least 1, got 0", ValueError, max_evals=0)


@pytest.mark.nojit  # long as plain Python
def test_a_run_that_is_finished_says_so():
    m, store = continuous(), left(end=TUNE + DRAWS)
    unmarked = store.left()  # it died before it could say so
    assert_same(nb.resume(unmarked, m, progressbar=False), whole(m, nb.Slice(), **OPTIONS))
    assert unmarked.is_finished
    store.is_finished = True
    message = refused(store, m, f"the run is finished, 2 chains of {DRAWS} draws; pass draws= more than that")
    assert "draws=" in message
    refused(store, m, "the run is finished", draws=DRAWS)
    assert_same(nb.resume(store, m, DRAWS + 3, progressbar=False), whole(m, nb.Slice(), tune=TUNE, draws=DRAWS + 3))


def torn(store, slots, chain=0):
    words = store._words["slots"]
    halves = words[chain].reshape(2, -1)
    newest = int(store._words["marks"][chain, 0]) - 1
    for back in slots:
        halves[newest if back == 0 else 1 - newest, 5] ^= 1 << 17


@pytest.mark.nojit  # long as plain Python
def test_a_torn_snapshot_is_passed_over():
    m, store = continuous(), left()
    torn(store, [0])
    assert_same(nb.resume(store, m, progressbar=False), whole(m, nb.Slice(), **OPTIONS))
    store = left()
    torn(store, [0, 1], chain=1)
    refused(store, m, "both snapshots of chain 4 are damaged")


@pytest.mark.nojit  # long as plain Python
def test_a_snapshot_that_is_ahead_of_the_counter():
    """A disk that lost its power has kept the snapshot, and of counter and draws what was there before."""
    m, step = continuous(), nb.Slice()
    expected, store = whole(m, step, **OPTIONS), left(end=6)
    store.words("progress", 8)[:, 0] = [2, 6]  # snapshots are of 0 and 3
    store = damaged(store)
    recipe = read_recipe(store.notes)
    again = Resuming(m, recipe, steps_of(recipe, []), store.left(), DRAWS)
    assert again.catch_up(1) is None
    taken = again.store.left()
    slots = taken.words("slots", 2 * (again.chains.state.shape[1] + 1)).reshape(2, 2, -1)
    for chain, newest in enumerate(taken.words("marks", 8)[:, 0]):
        slots[chain, 1 if newest == 1 else 0, 3:] = 7  # it dies while it writes the next one
    torn(without := store.left(), [1])
    for one in (store, taken):
        assert_same(nb.resume(one, m, progressbar=False), expected)
    refused(without, m, "both snapshots of chain 3 are damaged, or ahead of its draws")


def version(store, name, value):
    recipe = json.loads(store.notes["recipe"])
    recipe["versions"][name] = value
    store.notes["recipe"] = json.dumps(recipe)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("name", ["numpy", "scipy", "numba", "llvmlite", "nbinfer", "processor"])
def test_after_an_upgrade_draws_are_equal_or_the_difference_is_named(name):
    m, store = continuous(), left(end=3)  # the newest snapshot leaves nothing to compare, the older one does
    version(store, name, "0.0.1")
    wrong = store.left()
    wrong.groups["warmup_sample_stats"]["lp"][1, 1] += 1e-12
    match = rf"draws come out another way.*'lp' of chain 4, warmup_sample_stats row 1; .*{name} 0\.0\.1 -> "
    refused(wrong, m, match)
    with pytest.warns(
        NbinferWarning, match=rf"goes on with other versions, {name} 0\.0\.1 -> .*so far draws are equal"
    ):
        resumed = nb.resume(store, m, progressbar=False)
    assert_same(resumed, whole(m, nb.Slice(), **OPTIONS))
    assert json.loads(store.notes["recipe"])["versions"][name] != "0.0.1"  # from now on it is of these


def test_who_ends_it_before_draws_were_compared_leaves_the_versions_as_they_were(monkeypatch):
    m, store = continuous(), left(end=3)
    version(store, "numpy", "0.0.1")

    def press(chains, *arguments):
        chains.stop[0] = 1
        return run_for_now(chains, *arguments)

    monkeypatch.setattr(sampling, "run_for_now", press)
    with pytest.raises(SamplingError, match="during warm-up"):
        nb.resume(store, m, progressbar=False)
    assert json.loads(store.notes["recipe"])["versions"]["numpy"] == "0.0.1"  # the next one compares


def test_another_python():
    store = left()
    version(store, "python", "3.7.1")
    refused(store, continuous(), r"made with Python 3\.7, this is Python 3\.\d+")


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("group", ["warmup_posterior", "posterior", "sample_stats"])
def test_draws_that_were_changed(group):
    m = continuous()
    store = dead(m, nb.Slice(), TUNE - 4, [TUNE + 5], discard=False, **OPTIONS)
    array = next(iter(store.groups[group].values()))
    row = TUNE - 2 if group == "warmup_posterior" else 2
    array[(1, row, *[0] * (array.ndim - 2))] += 1
    refused(store, m, f"of chain 4, {group} row {row}; the file is damaged")


def spans(place, inside=""):
    """First word and number of words of everything in a block that is no address, by name."""
    found = {inside + name: (place.at + place.state.offset(name), 1) for name in place.state.fields}
    for name, part in place.parts.items():
        if isinstance(part, Place):
            found |= spans(part, f"{inside}{name}.")
        elif part.space == BLOCK:
            found[inside + name] = (part.at, part.size)
    return found


MUTANTS = {
    "nuts": (
        nb.NUTS(metric="diag"),
        {"averaging.log_step", "averaging.count", "metric.inv_mass", "metric.estimators", "grad"},
    ),
    "metropolis": (nb.Metropolis(tune_interval=5), {"own.scaling.factor", "own.scaling.count", "position", "logp"}),
    "demetropolisz": (nb.DEMetropolisZ(tune_interval=5), {"history", "kept", "reach.accepted", "position"}),
    "slice": (nb.Slice(), {"widths", "position"}),
}


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("name", MUTANTS)
def test_state_that_is_not_restored_shows(name, monkeypatch):
    """Mutants: what a chain or its steps keep, left as a new run has it."""
    step, wanted = MUTANTS[name]
    m, options = continuous(), {"tune": 20, "draws": 10}
    expected, store = whole(m, step, **options), dead(m, step, 12, [16], **options)
    chains = begun(m, step, **options).chains
    places = spans(chains._header)
    for place in chains._places:
        places |= {n: p for n, p in spans(place).items() if n not in places}
    taken, caught, forgotten = Snapshots.left, set(), []

    def forgets(self, unit, *counted):
        newest, oldest = (taken(self, unit, *counted)[k] for k in (0, -1))
        newest.blocks[:, forgotten[-1]] = oldest.blocks[:, forgotten[-1]]
        return [newest]

    monkeypatch.setattr(Snapshots, "left", forgets)
    for field in (*wanted, "most_evaluations"):
        at, size = places[field]
        forgotten.append(slice(at, at + size))
        try:
            assert_same(nb.resume(store.left(), m, progressbar=False), expected)
        except (AssertionError, ResumeError):
            caught.add(field)
    assert caught == wanted


@pytest.mark.nojit  # long as plain Python
def test_max_seconds_ends_a_run_and_it_goes_on():
    m, keeping, draws = continuous(), Keeping(), 100_000 if JIT else 300
    options = {"draws": draws, "tune": 0, "step": nb.Metropolis(), "random_seed": 1, "progressbar": False}
    options |= {"chains": 2, "cores": 1}
    with pytest.warns(NbinferWarning, match=r"max_seconds=1e-09 has ended the run: .* nb\.resume goes on"):
        short = nb.sample(m, trace=keeping, max_seconds=1e-9, **options)
    assert short.attrs["ended_by"] == keeping.store.notes["ended"] == "max_seconds"
    assert short.interrupted
    store = keeping.store.left()
    store._words["marks"].view(Mark)[0, 0]["seconds"] = 100.0
    resumed = nb.resume(store, m, progressbar=False)
    assert_same(resumed, nb.sample(m, **options))
    assert 100.0 < resumed.attrs["sampling_time"] < 200.0


@pytest.mark.nojit  # long as plain Python
def test_a_limit_in_warm_up():
    m, keeping = continuous(), Keeping()
    options = {"step": nb.Slice(), "random_seed": 1, "progressbar": False, "chains": 2}
    with pytest.raises(SamplingError, match=r"stopped by max_evals during warm-up.*nb\.resume goes on"):
        nb.sample(m, DRAWS, TUNE, trace=keeping, max_evals=50, **options)
    store = keeping.store.left()
    lines = store.words("progress", 8).view(Progress)[:, 0]
    assert (lines["done"] < TUNE).all()
    with pytest.raises(SamplingError, match="stopped by max_evals"):
        nb.resume(store, m, max_evals=50, progressbar=False)
    again = store.left()
    assert (again.words("progress", 8).view(Progress)[:, 0]["done"] > lines["done"] - 1).all()
    assert_same(nb.resume(again, m, progressbar=False), nb.sample(m, DRAWS, TUNE, **options))


@pytest.mark.nojit  # long as plain Python
@pytest.mark.filterwarnings("ignore:max_evals=60")
def test_ended_again_and_again_it_gets_on():
    m, step = continuous(), nb.NUTS()
    expected, store = whole(m, step, **OPTIONS), left(step, 0, 0)
    done = []
    for _ in range(3):
        store = store.left()
        with contextlib.suppress(SamplingError):
            nb.resume(store, m, progressbar=False, max_evals=60)
        done.append(store.words("progress", 8)[:, 0].min())
    assert 0 < done[0] < done[1] < done[2]
    assert_same(nb.resume(store.left(), m, progressbar=False), expected)

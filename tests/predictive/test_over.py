"""Functions at every draw of a trace: equal to plain Python, on any number of cores; what fails is named."""

import zlib

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import CompileError, ModelError
from nbinfer.predictive import over, sweep
from nbinfer.predictive.over import over_draws
from nbinfer.predictive.sweep import CHUNK
from nbinfer.random import Purpose, generator, key_of
from tests.variational.families.laws import faulty

CHAINS, DRAWS, SEED = 3, 3 * CHUNK + 5, 11
COUNTS = np.arange(2, 6)
#: Rows of chain 1 end here.
SHORT = CHUNK + 3


def logp(p, d):
    return -0.5 * (p.mu**2 + np.sum(p.eta**2)) - p.tau


def noisy(p, d, rng):
    return p.mu + p.tau * p.eta + d.sigma * rng.normal(0.0, 1.0, 4)


def counted(p, d, rng):
    return rng.poisson(p.tau) + p.k


def table(p, d, rng):
    values = np.zeros((2, d.counts.size), np.int64)
    for i in range(2):
        for j in range(d.counts.size):
            values[i, j] = rng.binomial(d.counts[j], 0.3) + p.flags[i, 0]
    return values


def truths(p, d):
    return p.eta > p.mu


def truth(p, d):
    return p.mu > 0.0


def sometimes_whole(p, d):
    return max(0, p.mu)


FUNCTIONS = {
    "noisy": noisy, "counted": counted, "table": table, "truths": truths, "truth": truth, "whole": sometimes_whole,
}  # fmt: skip
KINDS = {"noisy": "float64", "counted": "int64", "table": "int64", "truths": "bool", "truth": "bool"}


@pytest.fixture(scope="module")
def model():
    supports = {
        "mu": nb.real(), "k": nb.integer(0, 9), "tau": nb.positive(), "eta": nb.real(4), "flags": nb.binary((2, 2)),
    }  # fmt: skip
    data = {"sigma": np.array([1.0, 2.0, 3.0, 4.0]), "counts": COUNTS}
    return nb.Model(supports, logp=logp, data=data, name="many")


@pytest.fixture(scope="module")
def trace():
    rng, shape = np.random.default_rng(0), (CHAINS, DRAWS)
    done = np.array([DRAWS, SHORT, DRAWS])
    values = {
        "flags": rng.integers(0, 2, (*shape, 2, 2)),
        "eta": rng.normal(size=(*shape, 4)),
        "mu": rng.normal(size=shape) + 1.0,
        "tau": rng.exponential(size=shape),
        "k": rng.integers(0, 10, shape),
    }
    return nb.Trace(values, draws_done=done, chain_ids=[4, 2, 7], interrupted=True)


@pytest.fixture(scope="module")
def found(model, trace):
    return over_draws(model, trace, FUNCTIONS, random_seed=SEED, cores=2, progressbar=False)


def in_python(model, trace, name, row, draw, seed=SEED):
    values = {key: trace[key][row, draw] for key in model.parameters}
    number, key = zlib.crc32(name.encode()) >> 1, key_of(np.random.SeedSequence(seed))
    rng = generator(key, draw, trace.chain_ids[row], Purpose.PREDICT, number)
    f = FUNCTIONS[name]
    return f(*model.definition.arguments(values), *([rng] if f in (noisy, counted, table) else []))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_draw_is_what_plain_python_makes_of_it(model, trace, found, name):
    assert found[name].shape[:2] == (CHAINS, DRAWS)
    for row in range(CHAINS):
        for draw in range(int(trace.draws_done[row])):
            expected = in_python(model, trace, name, row, draw)
            np.testing.assert_allclose(found[name][row, draw], expected, rtol=1e-14, atol=1e-300)


@pytest.mark.parametrize("name", KINDS)
def test_dtypes_are_those_of_the_values(found, name):
    assert found[name].dtype == KINDS[name]


def test_rows_that_no_draw_has_reached_are_filled(found):
    assert np.isnan(found["noisy"][1, SHORT:]).all()
    assert (found["table"][1, SHORT:] == np.iinfo(np.int64).min).all()
    assert not np.isnan(found["noisy"][[0, 2]]).any()


@pytest.mark.parametrize("cores", [1, 3])
def test_no_number_depends_on_cores_or_on_what_else_is_computed(model, trace, found, cores):
    alone = {name: FUNCTIONS[name] for name in ("table", "noisy")}
    again = over_draws(model, trace, alone, random_seed=SEED, cores=cores, progressbar=False)
    for name in alone:
        np.testing.assert_array_equal(again[name], found[name])


def test_a_chain_alone_is_that_chain_among_others(model, trace, found):
    alone = nb.Trace({key: trace[key][2:] for key in trace.posterior}, chain_ids=[7])
    again = over_draws(model, alone, {"noisy": noisy}, random_seed=SEED, progressbar=False)
    np.testing.assert_array_equal(again["noisy"][0], found["noisy"][2])


def test_another_seed_and_every_draw_give_other_numbers(model, trace, found):
    other = over_draws(model, trace, {"noisy": noisy}, random_seed=SEED + 1, progressbar=False)["noisy"]
    assert not np.any(other[0] == found["noisy"][0])
    centre = trace["mu"][..., None] + trace["tau"][..., None] * trace["eta"]
    noise = ((found["noisy"] - centre) / [1.0, 2.0, 3.0, 4.0])[[0, 2]]
    assert len(np.unique(noise.round(9))) == noise.size


def test_arrays_lie_in_memory_as_they_like(model, trace, found):
    odd = {
        "eta": np.asfortranarray(trace["eta"]),
        "mu": np.repeat(trace["mu"], 2, axis=1)[:, ::2],
        "tau": trace["tau"].copy(),
        "k": trace["k"].astype(np.int32),
        "flags": np.moveaxis(np.moveaxis(trace["flags"], 3, 0).copy(), 0, 3),
    }
    again = nb.Trace(odd, draws_done=trace.draws_done, chain_ids=trace.chain_ids)
    values = over_draws(model, again, {"noisy": noisy, "table": table}, random_seed=SEED, progressbar=False)
    np.testing.assert_array_equal(values["noisy"], found["noisy"])
    np.testing.assert_array_equal(values["table"], found["table"])


def test_a_default_is_no_generator(model, trace):
    functions = {f"above_{limit}": lambda p, d, limit=limit: p.mu > limit for limit in (0.0, 1.0)}
    values = over_draws(model, trace, functions, progressbar=False)
    np.testing.assert_array_equal(values["above_1.0"][0], trace["mu"][0] > 1.0)


def test_a_generator_may_have_a_default(model, trace):
    values = over_draws(model, trace, {"z": lambda p, d, rng=None: rng.normal()}, random_seed=1, progressbar=False)
    assert np.unique(values["z"][0]).size == DRAWS


# ---- what fails


def picky(p, d):
    if p.mu > 3.0:
        raise ValueError("mu is too large")
    return p.mu


def growing(p, d):
    return np.zeros(2 + (p.mu > 3.0))


@pytest.fixture(scope="module")
def one_bad_draw(trace):
    values = {name: array.copy() for name, array in trace.posterior.items()}
    values["mu"] = np.clip(values["mu"], -2.0, 2.0)
    values["mu"][2, 40] = 4.0
    return nb.Trace(values, chain_ids=[4, 2, 7])


@pytest.mark.either
def test_what_a_function_raises_comes_out_with_the_draw(model, one_bad_draw):
    with pytest.raises(ValueError, match="mu is too large") as caught:
        over_draws(model, one_bad_draw, {"picky": picky}, label="predict {!r}".format, progressbar=False)
    assert "in predict 'picky' at draw 40 of chain 7, where mu = 4" in caught.value.__notes__[0]


def test_an_error_has_no_mask_for_a_trace(model, one_bad_draw):
    with pytest.raises(ValueError, match="mu is too large") as caught:
        over_draws(model, one_bad_draw, {"picky": picky}, progressbar=False)
    assert not hasattr(caught.value, "trace")


def test_random_numbers_that_follow_no_seed_are_refused(model, trace):
    functions = {"y": lambda p, d: np.random.normal()}  # noqa: NPY002
    with pytest.raises(ModelError, match=r"predict 'y' must draw from rng.*got numbers of np\.random"):
        over_draws(model, trace, functions, label="predict {!r}".format, progressbar=False)


def test_another_shape_is_told_with_the_draw(model, one_bad_draw):
    message = r"predict 'y' must return float64 of shape \(2,\) at every draw.* shape \(3,\) at draw 40 of chain 7"
    with pytest.raises(ModelError, match=message):
        over_draws(model, one_bad_draw, {"y": growing}, label="predict {!r}".format, progressbar=False)


def test_what_cannot_be_compiled_is_told(model, trace):
    if JIT:
        with pytest.raises(CompileError, match="gradient"):
            over_draws(model, trace, {"slope": lambda p, d: np.gradient(d.sigma)}, progressbar=False)
        with pytest.raises(CompileError, match="choice"):
            over_draws(model, trace, {"y": lambda p, d, rng: rng.choice(d.sigma, 2, False)}, progressbar=False)


@pytest.mark.parametrize(
    ("value", "message"),
    [((1.0, 2.0), "'f' must return a number or one array, got tuple"), (None, "got None"), (1j, "got complex")],
)
def test_what_is_no_number_is_told(model, trace, value, message):
    with pytest.raises(ModelError, match=message):
        over_draws(model, trace, {"f": lambda p, d: value}, progressbar=False)


def test_a_trace_of_another_model_is_told(model, trace):
    other = nb.Trace({"mu": trace["mu"], "tau": trace["tau"], "eta": trace["eta"][..., :2], "flags": trace["flags"]})
    with pytest.raises(
        ModelError, match=r"all parameters of model 'many'; it lacks 'k'; 'eta' has shape \(2,\) and not"
    ):
        over_draws(model, other, FUNCTIONS)


def test_other_bad_arguments_are_told(model, trace):
    with pytest.raises(TypeError, match="trace must be a Trace"):
        over_draws(model, {"mu": 1.0}, FUNCTIONS)
    with pytest.raises(ValueError, match="cores must be an int from 1"):
        over_draws(model, trace, FUNCTIONS, cores=0)
    with pytest.raises(ModelError, match="got none that is finished"):
        over_draws(model, trace[:0], FUNCTIONS)
    flat = nb.Model.flat(lambda x: -(x[0] ** 2), 1)
    with pytest.raises(ModelError, match="has no named parameters"):
        over_draws(flat, trace, FUNCTIONS)
    floats = nb.Trace({**trace.posterior, "k": trace["k"] + 0.5})
    with pytest.raises(ModelError, match=r"trace\['k'\] must hold integers"):
        over_draws(model, floats, FUNCTIONS)


# ---- mutants

MUTANTS = {
    "the first chain for all": ("row * arrays[field + 1]", "0 * arrays[field + 1]"),
    "another draw": ("draw * arrays[field + 2]", "max(draw - 1, 0) * arrays[field + 2]"),
    "parameters over one another": ("        at += count", "        at += 1"),
    "one stream for all draws": ("start(sweep.words, item[3], item[2]", "start(sweep.words, 0, item[2]"),
    "one stream for all chains": ("start(sweep.words, item[3], item[2]", "start(sweep.words, item[3], 0"),
    "another place": ("item[4] * outputs", "item[1] * outputs"),
    "chunks left out": ("sweep.done * sweep.n_jobs + sweep.number", "sweep.done + sweep.number"),
}


@pytest.mark.skipif(JIT, reason="in plain Python nothing is compiled anew")
@pytest.mark.parametrize("name", MUTANTS)
def test_a_faulty_sweep_is_caught(model, trace, found, monkeypatch, name):
    monkeypatch.setattr(over, "Sweeping", faulty(sweep, MUTANTS[name]).Sweeping)
    again = over_draws(model, trace, {"noisy": noisy}, random_seed=SEED, cores=2, progressbar=False)
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(again["noisy"], found["noisy"])

"""Laws of the trace: every way to look at it shows the same draws, and only finished ones."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

from nbinfer.errors import NbinferError
from nbinfer.trace import OLD_STATISTICS, MultiTrace, Trace, UnknownNameError, fill_unfinished, fill_value
from tests.trace.helpers import make, number

EQUAL, RAGGED = [10, 10, 10], [10, 7, 4]


def is_fill(array):
    return np.isnan(array) if array.dtype.kind == "f" else array == fill_value(array.dtype)


# Whole arrays


def test_arrays_are_adopted_not_copied():
    mu, lp, warm, data, done = np.zeros((2, 5)), np.ones((2, 5)), np.ones((2, 3)), np.arange(4), np.array([5, 5])
    trace = Trace({"mu": mu}, {"lp": lp}, warmup_posterior={"mu": warm}, observed_data={"y": data}, draws_done=done)
    assert trace["mu"] is mu
    assert trace.mu is mu
    assert trace["lp"] is lp
    assert trace.warmup_posterior["mu"] is warm
    assert trace.observed_data["y"] is data
    assert trace.draws_done is done


def test_what_there_is():
    trace = make(first_chain=2, tune=4)
    assert trace.nchains == 3
    assert trace.chains == trace.chain_ids == [2, 3, 4]
    assert trace.varnames == ["mu", "theta", "k"]
    assert trace.stat_names == ["lp", "acceptance_rate", "diverging", "tree_depth", "accepted"]
    assert trace.draws_done.tolist() == [10] * 3
    assert trace.tune_done.tolist() == [4] * 3
    assert not trace.interrupted
    assert trace.report is None
    assert MultiTrace is Trace


def test_attributes_of_the_schema():
    attrs = make(attrs={"seed": 3, "sampling_time": 0.5}).attrs
    assert attrs["inference_library"] == attrs["creation_library"] == "nbinfer"
    assert attrs["sample_dims"] == ["chain", "draw"]
    assert (attrs["seed"], attrs["sampling_time"]) == (3, 0.5)
    assert np.datetime64(attrs["created_at"].removesuffix("+00:00")) > np.datetime64("2020-01-01")


def test_rows_nobody_finished_read_as_declared_fill():
    trace = make(done=RAGGED)
    for array in [*trace.posterior.values(), *trace.sample_stats.values()]:
        for chain, done in enumerate(RAGGED):
            assert is_fill(array[chain, done:]).all()
    assert not is_fill(trace["k"][1, :7]).any()


@pytest.mark.parametrize("name", ["mu", "chains", "report", "copy", "points", "_hidden", "not an identifier"])
def test_item_access_works_for_every_name(name):
    trace = Trace({name: np.arange(6.0).reshape(2, 3)}, {name: np.zeros((2, 3))})
    assert trace[name][1, 2] == 5
    assert name in trace
    assert trace.chains == [0, 1]  # attributes stay what they are
    assert "mu" in str(trace) or name in str(trace)


def test_variables_come_before_statistics_and_stored_names_before_old_spellings():
    zeros, ones, twos = (np.full((1, 2), value) for value in (0.0, 1.0, 2.0))
    trace = Trace({"energy": zeros}, {"energy": ones, "accept": twos, "acceptance_rate": ones, "tree_depth": twos})
    assert trace["energy"] is zeros
    assert trace.get_sampler_stats("energy").tolist() == [1, 1]
    assert trace["accept"] is twos
    assert trace["depth"] is twos
    assert "depth" in trace
    assert "depth" not in trace.stat_names


def test_completion_offers_the_names():
    assert {"mu", "lp", "get_values"} <= set(dir(make()))
    assert {"mu", "lp"} <= set(make()._ipython_key_completions_())


# Points


@pytest.mark.parametrize("done", [EQUAL, RAGGED, [3, 4, 10]])
def test_it_is_the_sequence_of_the_points_of_the_highest_chain(done):
    trace = make(done=done)
    assert len(trace) == done[-1]
    assert [point["mu"] for point in trace] == [number(2, draw) for draw in range(done[-1])]
    assert [trace[i]["mu"] for i in range(-len(trace), len(trace))] == [p["mu"] for p in trace] * 2
    assert trace[-1]["theta"].shape == (2, 3)
    assert trace[np.int64(0)]["k"] == 2000
    for outside in (len(trace), -len(trace) - 1):
        with pytest.raises(IndexError, match=f"draw {outside} is out of range: chain 2 has {done[-1]} finished"):
            trace[outside]


def test_the_highest_number_need_not_come_last():
    trace = Trace({"mu": np.array([[1.0, 2.0], [3.0, np.nan]])}, draws_done=[2, 1], chain_ids=[7, 3])
    assert len(trace) == 2
    assert trace[0] == {"mu": 1.0}
    assert trace.point(-1, chain=3) == {"mu": 3.0}


@pytest.mark.parametrize("done", [EQUAL, RAGGED])
@pytest.mark.parametrize("chains", [None, 1, [2, 0]])
def test_points_are_the_rows_of_the_values(done, chains):
    trace = make(done=done)
    points = list(trace.points(chains))
    for name in trace.varnames:
        np.testing.assert_array_equal(np.array([p[name] for p in points]), trace.get_values(name, chains=chains))


def test_a_point_is_a_copy():
    trace = make()
    trace[0]["theta"][...] = 99
    assert not (trace["theta"] == 99).any()


# Values


@pytest.mark.parametrize("done", [EQUAL, RAGGED, [0, 2, 3]])
@pytest.mark.parametrize("burn", [0, 3, 30])
@pytest.mark.parametrize("thin", [1, 4])
@pytest.mark.parametrize("chains", [None, 0, [2, 1]])
def test_values_are_lists_of_finished_draws(done, burn, thin, chains):
    trace = make(done=done)
    wanted = range(3) if chains is None else np.atleast_1d(chains)
    for get, name in [(trace.get_values, "theta"), (trace.get_values, "k"), (trace.get_sampler_stats, "accepted")]:
        expected = [trace[name][chain, : done[chain]][burn::thin] for chain in wanted]
        parts = get(name, burn, thin, combine=False, chains=chains, squeeze=False)
        assert all(np.array_equal(part, other) for part, other in zip(parts, expected, strict=True))
        np.testing.assert_array_equal(get(name, burn, thin, chains=chains), np.concatenate(expected))


def test_squeeze_unpacks_a_list_of_one():
    trace = make()
    assert isinstance(trace.get_values("mu", combine=False), list)
    assert trace.get_values("mu", combine=False, chains=1).shape == (10,)
    assert [a.shape for a in trace.get_values("mu", combine=False, chains=[1], squeeze=False)] == [(10,)]
    assert [a.shape for a in trace.get_values("mu", squeeze=False)] == [(30,)]


def test_lists_are_views_and_combined_values_are_new():
    trace = make()
    assert all(np.shares_memory(part, trace["mu"]) for part in trace.get_values("mu", combine=False))
    assert not np.shares_memory(trace.get_values("mu"), trace["mu"])
    assert not np.shares_memory(trace.get_values("mu", chains=0), trace["mu"])


@pytest.mark.parametrize("old", sorted(OLD_STATISTICS))
def test_old_spellings_name_stored_statistics(old):
    new = OLD_STATISTICS[old]
    assert new not in OLD_STATISTICS
    trace = Trace({}, {new: np.arange(4.0).reshape(1, 4)})
    np.testing.assert_array_equal(trace.get_sampler_stats(old), np.arange(4))
    np.testing.assert_array_equal(trace.get_sampler_stats(new), np.arange(4))
    assert trace.stat_names == [new]


# Slices

SLICES = [
    slice(None),
    slice(3, None),
    slice(3, None, 2),
    slice(None, 5),
    slice(2, 9, 3),
    slice(30, None),
    slice(-3, None),
    slice(None, -2),
    slice(None, None, -1),
    slice(-2, 1, -2),
]


@pytest.mark.parametrize("done", [EQUAL, RAGGED, [0, 0, 0], [0, 5, 10]])
@pytest.mark.parametrize("rows", SLICES, ids=str)
def test_a_slice_takes_from_each_chain_what_a_list_would_give(done, rows):
    trace = make(done=done, tune=4)
    shorter = trace[rows]
    for name, array in [*trace.posterior.items(), *trace.sample_stats.items()]:
        expected = [array[chain, : done[chain]][rows] for chain in range(3)]
        np.testing.assert_array_equal(trace[name, rows], shorter[name])
        for chain, part in enumerate(expected):
            count = shorter.draws_done[chain]
            np.testing.assert_array_equal(shorter[name][chain, :count], part)
            assert is_fill(shorter[name][chain, count:]).all()
            assert shorter[name].dtype == array.dtype
    assert shorter.chains == trace.chains
    assert shorter.warmup_posterior.keys() == trace.warmup_posterior.keys()
    assert shorter.tune_done.tolist() == [4] * 3


@pytest.mark.parametrize("done", [EQUAL, RAGGED])
@pytest.mark.parametrize("rows", [slice(3, None), slice(2, 9, 3)], ids=str)
def test_a_slice_is_a_view(done, rows):
    trace = make(done=done)
    assert np.shares_memory(trace[rows]["theta"], trace["theta"])
    assert np.shares_memory(trace["theta", rows], trace["theta"])
    assert np.shares_memory(trace[rows]["lp"], trace["lp"])


def test_a_slice_is_a_trace_of_its_own():
    trace = make(interrupted=True, attrs={"seed": 1})
    trace.report = "all is well"
    shorter = trace[2:]
    shorter.remove_values("mu")
    shorter.attrs["seed"] = 2
    assert "mu" in trace
    assert trace.attrs["seed"] == 1
    assert shorter.report is None  # the verdict was on other draws
    assert shorter.interrupted


def test_a_slice_grows_like_the_run_it_watches():
    """The first rows of a run under way can be looked at while later ones are still being written."""
    mu, done = np.full((1, 3), np.nan), np.zeros(1, np.int64)
    trace = Trace({"mu": mu}, draws_done=done)
    for draw in range(3):
        mu[0, draw] = draw
        done += 1
        assert trace[: draw + 1].get_values("mu").tolist() == list(range(draw + 1))
        assert len(trace) == draw + 1


@pytest.mark.parametrize("done", [EQUAL, RAGGED, [0, 3, 4]])
def test_cut_leaves_the_common_length(done):
    trace = make(done=done)
    cut = trace.cut()
    assert cut["theta"].shape == (3, min(done), 2, 3)
    assert cut.draws_done.tolist() == [min(done)] * 3
    assert not is_fill(cut["mu"]).any()
    assert min(done) == 0 or np.shares_memory(cut["mu"], trace["mu"])


@pytest.mark.parametrize("tuned", [[4, 4, 4], [4, 2, 3], [4, 0, 3]])
def test_cut_leaves_the_last_of_warm_up(tuned):
    steps = fill_unfinished(np.arange(12).reshape(3, 4), np.array(tuned))
    warm = {"warmup_posterior": {"k": steps}, "warmup_sample_stats": {"n_steps": steps}}
    cut, least = make(tune_done=tuned, **warm).cut(), min(tuned)
    assert cut.tune_done.tolist() == [least] * 3
    for array in (cut.warmup_posterior["k"], cut.warmup_sample_stats["n_steps"]):
        assert array.tolist() == [list(range(4 * c + n - least, 4 * c + n)) for c, n in enumerate(tuned)]
    assert len(set(tuned)) > 1 or np.shares_memory(array, steps)


# Adding and removing


@pytest.mark.parametrize("done", [EQUAL, RAGGED])
@pytest.mark.parametrize("dtype", [float, np.int32, bool])
def test_what_is_added_comes_back(done, dtype):
    trace = make(done=done)
    whole = (np.arange(60).reshape(3, 10, 2) % 7).astype(dtype)
    flat = np.concatenate([whole[chain, :count] for chain, count in enumerate(done)])
    trace.add_values({"whole": whole, "flat": flat})
    for name in ("whole", "flat"):
        np.testing.assert_array_equal(trace.get_values(name), flat)
        assert trace[name].dtype == dtype
        assert all(is_fill(trace[name][chain, count:]).all() for chain, count in enumerate(done))
    assert (trace["whole"] is whole) == (done == EQUAL)
    assert (whole == np.arange(60).reshape(3, 10, 2) % 7).all() or dtype is bool  # what came is not changed


@pytest.mark.parametrize("shape", [(4, 10), (3, 9), (29,), (31, 3), (10, 3), ()])
def test_values_of_the_wrong_length_are_refused_whole(shape):
    trace = make()
    with pytest.raises(ValueError, match=r"values of 'bad' must have shape \(3, 10, ...\) or \(30, ...\), got"):
        trace.add_values({"good": np.zeros(30), "bad": np.zeros(shape)})
    assert trace.varnames == ["mu", "theta", "k"]


def test_names_that_exist_are_replaced_on_request_only():
    trace = make()
    with pytest.raises(ValueError, match="already has mu, k; pass overwrite=True"):
        trace.add_values({"mu": np.zeros(30), "k": np.zeros(30), "new": np.zeros(30)})
    assert "new" not in trace
    trace.add_values({"mu": np.zeros(30)}, overwrite=True)
    assert not trace["mu"].any()


def test_removed_is_gone_from_all_groups():
    trace = make(tune=3)
    trace.remove_values("mu")
    assert trace.varnames == ["theta", "k"]
    assert not trace.warmup_posterior
    with pytest.raises(UnknownNameError, match="no variable 'mu'"):
        trace.remove_values("mu")


# Copies and pickles


@pytest.mark.parametrize("make_copy", [copy.copy, copy.deepcopy, Trace.copy, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_hold_the_same_and_go_their_own_way(make_copy):
    trace = make(done=RAGGED, tune=2, attrs={"seed": 5}, interrupted=True, observed_data={"y": np.arange(3)})
    trace.report = "fine"
    other = make_copy(trace)
    assert type(other) is Trace
    for group in ("posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats", "observed_data"):
        for name, array in getattr(trace, group).items():
            np.testing.assert_array_equal(getattr(other, group)[name], array)
    assert other.draws_done.tolist() == RAGGED
    assert (other.attrs, other.interrupted, other.report) == (trace.attrs, True, "fine")
    other.add_values({"new": np.zeros(21)})
    assert "new" not in trace


# What is refused


@pytest.mark.parametrize(
    "look",
    [
        lambda trace: trace["theeta"],
        lambda trace: trace["theeta", 1:],
        lambda trace: trace.get_values("theeta"),
    ],
)
def test_an_unknown_name_brings_the_known_and_a_close_one(look):
    with pytest.raises(
        KeyError, match=r"the trace has no variable.* 'theeta'; it has mu, theta, k.*mean 'theta'"
    ) as info:
        look(make())
    assert isinstance(info.value, NbinferError)


def test_unknown_attributes_and_statistics():
    trace = make()
    with pytest.raises(AttributeError, match=r"no variable or statistic 'theeta'.*Did you mean 'theta'"):
        trace.theeta  # noqa: B018
    with pytest.raises(AttributeError):
        trace._repr_latex_()
    assert not hasattr(trace, "__array_interface__")
    with pytest.raises(KeyError, match=r"no statistic 'energi'; it has lp, acceptance_rate.*\.$"):
        trace.get_sampler_stats("energi")
    with pytest.raises(KeyError, match="no statistic 'mu'"):
        trace.get_sampler_stats("mu")
    with pytest.raises(KeyError, match="no variable 'lp'"):
        trace.get_values("lp")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"burn": -1}, ValueError, "burn must be at least 0, got -1"),
        ({"thin": 0}, ValueError, "thin must be at least 1, got 0"),
        ({"thin": -2}, ValueError, "thin must be at least 1, got -2"),
        ({"burn": 1.5}, TypeError, "burn must be an integer, got 1.5"),
        ({"chains": 7}, ValueError, "chains must be among 0, 1, 2, got 7"),
        ({"chains": [0, 3, -1]}, ValueError, "chains must be among 0, 1, 2, got 3, -1"),
        ({"chains": []}, ValueError, "chains must be among 0, 1, 2, got none"),
    ],
)
def test_bad_selections(arguments, error, message):
    trace = make()
    for get, name in [(trace.get_values, "mu"), (trace.get_sampler_stats, "lp")]:
        with pytest.raises(error, match=message):
            get(name, **arguments)


@pytest.mark.parametrize("key", [1.5, None, ("mu", 1), ("mu", slice(1), 2), ["mu"]])
def test_bad_keys(key):
    with pytest.raises(TypeError, match="indexed by a name, a name and a slice"):
        make()[key]


def test_bad_points():
    trace = make()
    with pytest.raises(ValueError, match="chain must be among 0, 1, 2, got 5"):
        trace.point(0, chain=5)
    with pytest.raises(ValueError, match="chains must be among 0, 1, 2, got 5"):
        trace.points(5)
    with pytest.raises(TypeError, match="idx must be an integer"):
        trace.point("0")
    with pytest.raises(IndexError, match="chain 2 has 0 finished draws"):
        make(done=[1, 1, 0])[0]


Z = np.zeros((2, 5))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"posterior": {}}, ValueError, "at least one array"),
        (
            {"posterior": {"mu": np.zeros(5)}},
            ValueError,
            r"posterior\['mu'\] must have shape \(chain, draw, ...\), got",
        ),
        ({"posterior": {"mu": np.array([["a"]])}}, TypeError, "must be numbers or booleans"),
        ({"posterior": {"mu": Z, "nu": np.zeros((2, 4))}}, ValueError, "same chains and draws.*'nu'"),
        ({"posterior": {"mu": Z}, "sample_stats": {"lp": Z.T}}, ValueError, "same chains and draws"),
        ({"posterior": {"mu": Z}, "warmup_sample_stats": {"lp": np.zeros((3, 5))}}, ValueError, "must have 2 chains"),
        ({"posterior": {"mu": Z}, "draws_done": [5]}, ValueError, "draws_done must be 2 integers"),
        ({"posterior": {"mu": Z}, "draws_done": [5, 6]}, ValueError, "between 0 and the 5 rows"),
        ({"posterior": {"mu": Z}, "draws_done": [5, -1]}, ValueError, "draws_done must be between 0"),
        ({"posterior": {"mu": Z}, "tune_done": [1.0, 2.0]}, ValueError, "tune_done must be 2 integers"),
        ({"posterior": {"mu": Z}, "tune_done": [-1, 2]}, ValueError, "tune_done must be 0 or more"),
        ({"posterior": {"mu": Z}, "chain_ids": [1, 1]}, ValueError, "2 different integers"),
        ({"posterior": {"mu": Z}, "chain_ids": [0]}, ValueError, "2 different integers"),
        ({"posterior": {"mu": Z}, "chain_ids": ["a", "b"]}, TypeError, "chain_ids must be an integer"),
    ],
)
def test_what_does_not_fit_together(arguments, error, message):
    with pytest.raises(error, match=message):
        Trace(**arguments)


def test_nothing_heavy_is_imported():
    code = (
        "import sys, numpy as np\nfrom nbinfer.trace import Trace, merge_traces, trace_cov\n"
        "t = Trace({'x': np.zeros((2, 5))}); repr(t); t['x', 1:]; t[2:]; t.points(); t.get_values('x')\n"
        "print([m for m in ('numba', 'scipy', 'h5py', 'pandas', 'xarray', 'arviz_base') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

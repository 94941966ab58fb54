"""Laws of putting traces together: no draw is lost, none is made up, and chains keep their numbers."""

import numpy as np
import pytest

from nbinfer.trace import Trace, fill_value, merge_traces
from tests.trace.helpers import make

NAMES = ["mu", "theta", "k"]


def chains_of(trace, name):
    values = trace.get_values(name, combine=False, squeeze=False)
    return dict(zip(trace.chains, (part.tolist() for part in values), strict=True))


@pytest.mark.parametrize("done", [[10, 10], [3, 10], [0, 6]])
@pytest.mark.parametrize("order", [1, -1])
def test_merged_chains_are_those_of_the_parts(done, order):
    parts = [make(chains=2, done=done), make(chains=1, draws=12, first_chain=5), make(chains=2, first_chain=3)]
    merged = merge_traces(parts[::order])
    assert merged.chains == [0, 1, 3, 4, 5]  # by number, however they came
    assert merged.draws_done.tolist() == [*done, 10, 10, 12]
    for name in NAMES:
        expected = {}
        for part in parts:
            expected |= chains_of(part, name)
        assert chains_of(merged, name) == expected
    for name in parts[0].stat_names:
        assert merged.sample_stats[name].dtype == parts[0].sample_stats[name].dtype
    assert merged["mu"].shape == (5, 12)
    assert np.isnan(merged["mu"][0, done[0] :]).all()
    assert (merged["k"][0, done[0] :] == fill_value(int)).all()


def test_a_merge_is_new_memory():
    part = make()
    assert not np.shares_memory(merge_traces([part])["mu"], part["mu"])


def test_appended_draws_follow_in_their_chain():
    trace, more = make(chains=3, done=[10, 7, 4]), make(chains=2, first_chain=1, draws=5)
    before, old = {name: chains_of(trace, name) for name in NAMES}, trace["mu"]
    trace.append(more)
    assert trace.draws_done.tolist() == [10, 12, 9]
    for name in NAMES:
        after, added = chains_of(trace, name), chains_of(more, name)
        assert after == {chain: rows + added.get(chain, []) for chain, rows in before[name].items()}
    assert old.shape == (3, 10)  # what was taken before is as it was


def test_appended_chains_of_new_numbers_are_added():
    trace = make(chains=1)
    trace.append(make(chains=1, first_chain=4))
    assert trace.chains == [0, 4]


@pytest.mark.parametrize("cut", [0, 3, 10])
def test_slices_append_to_the_whole(cut):
    whole = make(tune=4)
    first, rest = whole[:cut], whole[cut:]
    rest.warmup_posterior, rest.warmup_sample_stats, rest.tune_done = {}, {}, np.zeros(3, np.int64)
    first.append(rest)
    for group in ("posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats"):
        assert getattr(first, group).keys() == getattr(whole, group).keys()
        for name, array in getattr(whole, group).items():
            np.testing.assert_array_equal(getattr(first, group)[name], array)
    assert first.tune_done.tolist() == [4, 4, 4]


def test_statistics_and_warmup_that_only_some_have_are_left_out():
    nuts, other = make(chains=1, tune=3), make(chains=1, first_chain=1, tune=3, warmup_posterior={})
    other.sample_stats = {"lp": other["lp"]}
    merged = merge_traces([nuts, other])
    assert merged.stat_names == ["lp"]
    assert not merged.warmup_posterior
    assert merged.warmup_sample_stats["lp"].shape == (2, 3)
    assert merged.tune_done.tolist() == [3, 3]


def test_types_widen():
    ints, floats = Trace({"x": np.array([[1]])}), Trace({"x": np.array([[0.5]])}, chain_ids=[1])
    assert merge_traces([ints, floats])["x"].tolist() == [[1.0], [0.5]]


def test_attributes_on_which_all_agree_remain():
    parts = [
        make(chains=1, first_chain=i, attrs={"seed": i, "sampling_time": 2.0, "model": "m", "created_at": f"202{i}"})
        for i in range(3)
    ]
    attrs = merge_traces(parts).attrs
    assert attrs["model"] == "m"
    assert attrs["sampling_time"] == 6.0
    assert attrs["created_at"] == "2022"
    assert "seed" not in attrs


def test_an_interrupted_part_makes_an_interrupted_whole():
    assert merge_traces([make(chains=1), make(chains=1, first_chain=1, interrupted=True)]).interrupted
    assert not merge_traces([make()]).interrupted


def test_labels_and_data_come_along():
    parts = [
        make(chains=1, dims={"theta": ["a", "b"]}, observed_data={"y": np.array([1.0, np.nan])}),
        make(chains=1, first_chain=1, coords={"a": [1, 2]}, observed_data={"y": np.array([1.0, np.nan]), "z": [1]}),
    ]
    merged = merge_traces(parts)
    assert merged.dims == {"theta": ["a", "b"]}
    assert merged.coords["a"].tolist() == [1, 2]
    assert merged.observed_data.keys() == {"y", "z"}


def test_chain_numbers_must_differ():
    with pytest.raises(ValueError, match=r"different chain numbers, but more than one has 1, 2\. Sample with another"):
        merge_traces([make(), make(chains=2, first_chain=1)])


@pytest.mark.parametrize("join", [lambda a, b: merge_traces([a, b]), Trace.append], ids=["merge", "append"])
def test_what_differs_is_refused_and_nothing_half_done(join):
    trace = make(chains=1)
    for other, message in [
        (Trace({"mu": np.zeros((1, 2)), "nu": np.zeros((1, 2))}, chain_ids=[1]), "same variables.* theta, k, nu"),
        (
            Trace({"mu": np.zeros((1, 2, 3)), "theta": np.zeros((1, 2, 2, 3)), "k": np.zeros((1, 2))}, chain_ids=[1]),
            r"'mu' must have the same shape in all traces, got \(\) and \(3,\)",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            join(trace, other)
    with pytest.raises(ValueError, match="observed data 'y' must be the same"):
        join(make(chains=1, observed_data={"y": [1]}), make(chains=1, first_chain=1, observed_data={"y": [2]}))
    one = make(chains=1, dims={"theta": ["a", "b"]}, coords={"a": ["Lund", "Oslo"]})
    with pytest.raises(
        ValueError, match="coords 'a' must be the same in all traces, got Lund, Oslo and Oslo, Lund: rows"
    ):
        join(one, make(chains=1, first_chain=1, coords={"a": ["Oslo", "Lund"]}))
    with pytest.raises(
        ValueError, match="the axes of 'theta' must have the same names in all traces, got a, b and b, a"
    ):
        join(one, make(chains=1, first_chain=1, dims={"theta": ["b", "a"]}))
    assert trace.draws_done.tolist() == [10]
    with pytest.raises(ValueError, match="at least one trace"):
        merge_traces([])

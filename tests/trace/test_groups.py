"""Groups beside the draws: what fits, and what becomes of them when the draws are cut or put together."""

import copy
import pickle

import numpy as np
import pytest

from nbinfer.errors import NbinferWarning
from nbinfer.trace import TraceGroup, merge_traces
from tests.trace.helpers import make


def group_of(trace, kind="posterior_predictive", **kwargs):
    """Return a group whose values tell which draw they are of."""
    return TraceGroup(kind, {"y": trace["theta"][:, :, 0] + 0.5}, chain_ids=trace.chain_ids, **kwargs)


def having(trace, *groups):
    for group in groups or [group_of(trace)]:
        trace.add_group(group)
    return trace


def is_of_its_draws(trace, kind="posterior_predictive"):
    values, theta = trace.groups[kind]["y"], trace["theta"][:, :, 0]
    assert values.shape == theta.shape
    for row, done in enumerate(trace.draws_done):
        np.testing.assert_array_equal(values[row, :done], theta[row, :done] + 0.5)
        assert np.isnan(values[row, done:]).all()
    assert trace.groups[kind].chain_ids == trace.chain_ids
    return True


def test_a_group_is_a_mapping():
    group = group_of(make(first_chain=2), dims={"y": ["part"]}, coords={"part": [1, 2, 3]}, data={"X": [1, 2]})
    assert list(group) == ["y"]
    assert len(group) == 1
    assert group.chain_ids == [2, 3, 4]
    assert list(group.draw_ids) == list(range(10))
    assert group.data["X"].tolist() == [1, 2]
    assert group.attrs["inference_library"] == "nbinfer"
    assert repr(group) == "TraceGroup 'posterior_predictive'\n  y  (3, 10, 3)  float64"
    with pytest.raises(KeyError, match="the group 'posterior_predictive' has no variable 'x'; it has y"):
        group["x"]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"kind": "posterior"}, "unknown kind 'posterior'; choose 'posterior_predictive', 'predictions'"),
        ({"values": {"y": np.zeros(3)}}, r"values\['y'\] must have shape \(chain, draw, ...\)"),
        ({"values": {"y": np.zeros((2, 3)), "z": np.zeros((2, 4))}}, "must have the same chains and draws"),
        ({"chain_ids": [0]}, "chain_ids must be 2 different integers"),
        ({"draw_ids": [1, 1, 2]}, "draw_ids must be 3 different integers"),
        ({"dims": {"y": ["a"]}}, "dims names a of 'y', which has 0 axes"),
        ({"values": {"y": np.zeros((2, 3, 4)), "a": np.zeros((2, 3))}, "dims": {"y": ["a"]}}, "a variable beside it"),
        ({"data": {"X": [1, 2], "a": 3}, "dims": {"X": ["a"]}}, r"dims\['X'\] has 'a', the name of a variable"),
        (
            {"values": {"y": np.zeros((2, 3, 4))}, "dims": {"y": ["a"]}, "coords": {"a": ["x", "y"]}},
            "is long, 4, got 2",
        ),
    ],
)
def test_what_is_no_group_is_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        TraceGroup(**{"kind": "posterior_predictive", "values": {"y": np.zeros((2, 3))}} | kwargs)


def test_there_is_one_of_each_kind():
    trace = having(make())
    with pytest.raises(ValueError, match="already has a group 'posterior_predictive'; pass overwrite=True"):
        trace.add_group(group_of(trace))
    other = group_of(trace)
    trace.add_group(other, overwrite=True)
    assert trace.groups["posterior_predictive"] is other
    assert "Groups: posterior_predictive (y)" in repr(trace)
    assert "Groups: posterior_predictive (y)" in trace._repr_html_()


@pytest.mark.parametrize("kind", ["posterior_predictive", "log_likelihood", "log_prior"])
def test_a_group_of_other_draws_is_refused(kind):
    with pytest.raises(ValueError, match=f"{kind!r} is of draws up to 9, and the trace has chains 0, 1, 2 of 5 draws"):
        make(draws=5).add_group(group_of(make(), kind))
    with pytest.raises(ValueError, match=r"is of chains 3, and the trace has chains 0, 1, 2 of 10"):
        make().add_group(group_of(make(first_chain=1), kind))
    with pytest.raises(TypeError, match=r"group must be a TraceGroup, such as .*, got dict"):
        make().add_group({})


def test_other_groups_may_have_other_draws():
    trace = make()
    for kind in ("predictions", "prior", "prior_predictive"):
        trace.add_group(TraceGroup(kind, {"y": np.zeros((1, 500))}))
    some = TraceGroup("log_likelihood", {"y": np.zeros((1, 2))}, chain_ids=[1], draw_ids=[3, 9])
    trace.add_group(some)
    assert list(trace.groups) == ["predictions", "prior", "prior_predictive", "log_likelihood"]


@pytest.mark.parametrize("rows", [slice(3, None), slice(None, None, 2), slice(None, 0, -3), slice(-2, None)])
@pytest.mark.parametrize("done", [None, [10, 7, 4]])
def test_a_shorter_trace_has_its_part(rows, done):
    trace = having(make(done=done))
    assert is_of_its_draws(trace[rows])
    assert is_of_its_draws(trace.cut())
    assert is_of_its_draws(trace)


def test_what_belongs_to_no_draw_is_not_cut():
    trace = make()
    prior = TraceGroup("prior", {"y": np.zeros((1, 4))})
    some = TraceGroup("log_likelihood", {"y": np.zeros((1, 2))}, chain_ids=[1], draw_ids=[3, 9])
    having(trace, prior, some)
    with pytest.warns(NbinferWarning, match="no group log_likelihood: they are of some draws only"):
        shorter = trace[2:]
    assert shorter.groups == {"prior": prior}


def test_copies_have_groups_of_their_own():
    trace = having(make())
    twin = copy.copy(trace)
    assert twin.groups["posterior_predictive"] is trace.groups["posterior_predictive"]
    twin.groups.clear()
    assert trace.groups
    back = pickle.loads(pickle.dumps(trace))
    assert is_of_its_draws(back)
    assert back.groups["posterior_predictive"].attrs == trace.groups["posterior_predictive"].attrs


def test_traces_that_are_put_together():
    first, second = (having(make(chains=2, first_chain=c, done=[d, 10])) for c, d in ((0, 10), (2, 7)))
    assert is_of_its_draws(merge_traces([second, first]))
    more = having(make(chains=2))
    more.append(first[:5])
    assert more["mu"].shape == (2, 15)
    assert is_of_its_draws(more)


def test_what_does_not_fit_together_is_left_out():
    prior = TraceGroup("prior", {"y": np.zeros((1, 4))})
    first, second = having(make(chains=1)), having(make(chains=1, first_chain=1), prior)
    with pytest.warns(NbinferWarning, match="no group posterior_predictive: not all traces have them"):
        merged = merge_traces([first, second])
    assert list(merged.groups) == ["prior"]
    first, second = (having(make(chains=1, first_chain=c)) for c in (0, 1))
    first.groups["posterior_predictive"].data["X"] = np.zeros(2)
    with pytest.warns(NbinferWarning, match="of different things"):
        assert not merge_traces([first, second]).groups

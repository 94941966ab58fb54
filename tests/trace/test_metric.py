"""A metric as people read it: the numbers are those of its formula, and it goes where its trace goes."""

import pickle

import numpy as np
import pytest

from nbinfer.trace import Metric, merge_traces
from tests.trace.helpers import make

VARIABLES = {"mu": ((), 1), "w": ((3,), 2), "L": ((2, 2), 4)}
N = 7


def a_metric(chains=(0, 1, 2), ranks=(2, 0, 7), seed=1, **changes):
    rng = np.random.default_rng(seed)
    directions = [np.linalg.qr(rng.normal(size=(N, N)))[0][:rank] for rank in ranks]
    eigenvalues = [10.0 ** rng.uniform(-2, 3, rank) for rank in ranks]
    scale = 10.0 ** rng.uniform(-2, 2, (len(ranks), N))
    return Metric(scale, directions, eigenvalues, VARIABLES, chains, 7, **changes)


def dense(metric, row):
    """The formula, written out."""
    s, u, values = metric.scale[row], metric.directions[row], metric.eigenvalues[row]
    return np.diag(s) @ (np.eye(N) + u.T @ np.diag(values - 1.0) @ u) @ np.diag(s)


def same(one, other):
    return (
        one.chain_ids == other.chain_ids
        and one.labels == other.labels
        and all(np.array_equal(one.inv_mass(chain), other.inv_mass(chain)) for chain in one.chain_ids)
    )


def test_the_inverse_mass_is_that_of_the_formula():
    metric = a_metric(chains=(4, 2, 9))
    for row, chain in enumerate(metric.chain_ids):
        np.testing.assert_allclose(metric.inv_mass(chain), dense(metric, row), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(metric.diagonal[row], np.diag(dense(metric, row)), rtol=1e-12)
    np.testing.assert_array_equal(metric.inv_mass(), metric.inv_mass(9))
    with pytest.raises(ValueError, match="chain must be among 4, 2, 9, got 3"):
        metric.inv_mass(3)


def test_rank_and_condition_number():
    metric = a_metric()
    assert metric.rank.tolist() == [2, 0, 7]
    for row, condition in enumerate(metric.condition_number):
        scaled = dense(metric, row) / np.outer(metric.scale[row], metric.scale[row])
        assert condition == pytest.approx(np.linalg.cond(scaled), rel=1e-8)
    wide = Metric(np.ones((1, 2)), [np.eye(2)[:1]], [np.array([25.0])], {"x": ((2,), 2)}, [0], 2)
    narrow = Metric(np.ones((1, 2)), [np.eye(2)[:1]], [np.array([0.04])], {"x": ((2,), 2)}, [0], 2)
    assert wide.condition_number == narrow.condition_number == pytest.approx([25.0])  # across it is 1


def test_a_matrix_has_scales_directions_and_eigenvalues_too():
    of_formula = a_metric()
    matrix = np.array([of_formula.inv_mass(chain) for chain in range(3)])
    scale = np.sqrt(np.diagonal(matrix, axis1=1, axis2=2))
    metric = Metric(scale, (), (), VARIABLES, range(3), N, matrix=matrix)
    assert metric.rank.tolist() == [N] * 3
    for row in range(3):
        np.testing.assert_array_equal(metric.inv_mass(row), matrix[row])
        np.testing.assert_allclose(dense(metric, row), matrix[row], rtol=1e-9, atol=1e-9 * matrix[row].max())
        sizes = np.abs(np.log(metric.eigenvalues[row]))
        assert (np.diff(sizes) <= 0.0).all()
    np.testing.assert_array_equal(metric.diagonal, np.diagonal(matrix, axis1=1, axis2=2))


def test_coordinates_have_names():
    metric = a_metric()
    assert metric.labels == ["mu", "w{0}", "w{1}", "L[0,0]", "L[0,1]", "L[1,0]", "L[1,1]"]
    assert metric.variables == ["mu", "w", "w", "L", "L", "L", "L"]


def test_it_shows_what_it_is():
    assert repr(a_metric()).startswith(
        "Metric: learnt, 3 chains, 7 coordinates (mu, w, L)\n  rank 0 to 7, condition number up to "
    )
    plain = Metric(np.ones((1, 1)), [np.zeros((0, 1))], [np.zeros(0)], {"x": ((), 1)}, [0], 0, is_learnt=False)
    assert repr(plain) == "Metric: given, 1 chain, 1 coordinates (x)\n  diagonal"


def test_it_goes_where_its_trace_goes():
    trace = make(metric=a_metric())
    for other in (pickle.loads(pickle.dumps(trace)), trace[2:], trace.copy(), trace.cut()):
        assert same(other.metric, trace.metric)
    assert make().metric is None


@pytest.mark.parametrize("as_matrix", [False, True])
def test_merged_chains_keep_theirs(as_matrix):
    def of(chains, ranks, seed):
        metric = a_metric(chains, ranks, seed)
        if not as_matrix:
            return metric
        matrix = np.array([metric.inv_mass(chain) for chain in chains])
        return Metric(metric.scale, (), (), VARIABLES, chains, 7, matrix=matrix)

    first, second = of((3, 4), (1, 2), 1), of((0, 1), (0, 7), 2)
    traces = [make(chains=2, first_chain=3, metric=first), make(chains=2, metric=second)]
    metric = merge_traces(traces).metric
    assert metric.chain_ids == (0, 1, 3, 4)
    for part in (first, second):
        for chain in part.chain_ids:
            np.testing.assert_array_equal(metric.inv_mass(chain), part.inv_mass(chain))
    pairs = [make(chains=2, first_chain=3, metric=(first, first)), make(chains=2, metric=(second, second))]
    both = merge_traces(pairs).metric
    assert isinstance(both, tuple)
    assert same(both[0], metric)
    assert same(both[1], metric)


def test_draws_that_follow_bring_their_metric():
    trace, later = make(metric=a_metric(seed=1)), make(metric=a_metric(seed=2))
    trace.append(later)
    assert same(trace.metric, later.metric)


def test_there_is_none_unless_all_chains_have_one_of_the_same_kind():
    ours = make(metric=a_metric())
    others = [
        None,
        a_metric((3, 4, 5), is_learnt=False),
        a_metric((7, 8, 9)),
        (a_metric((3, 4, 5)), a_metric((3, 4, 5))),
        Metric(np.ones((3, 1)), [np.zeros((0, 1))] * 3, [np.zeros(0)] * 3, {"x": ((), 1)}, (3, 4, 5)),
    ]
    for other in others:
        assert merge_traces([ours, make(first_chain=3, metric=other)]).metric is None


def test_arviz_has_rank_and_condition_number():
    pytest.importorskip("arviz_base")
    metric = a_metric()
    tree = make(tune=2, metric=metric).to_arviz()
    attrs = tree["sample_stats"].attrs
    assert attrs["metric_rank"] == [2, 0, 7]
    assert attrs["metric_condition_number"] == metric.condition_number.tolist()
    assert "metric_rank" not in tree["posterior"].attrs
    attrs = make(metric=(metric, metric)).to_arviz()["sample_stats"].attrs
    assert attrs["metric_rank_0"] == attrs["metric_rank_1"] == [2, 0, 7]
    assert "metric_rank" not in make().to_arviz()["sample_stats"].attrs

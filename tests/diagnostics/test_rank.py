"""Laws of order statistics and normal scores."""

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import rankdata

from nbinfer.compile import address_of, entry, floats_at, ints_at, words_at
from nbinfer.diagnostics.rank import fill_scores, fold, normal_quantile, normalise, quantile, shortest_interval, sort


@entry("int64(int64, intp, intp, intp, intp, intp)")
def sort_at(n, x, order, spare, spare_order, counts):
    sort(words_at(x, n), ints_at(order, n), words_at(spare, n), ints_at(spare_order, n), ints_at(counts, 2048))
    return 0


@entry("int64(int64, intp)")
def quantiles_at(n, p):
    values = floats_at(p, n)
    for i in range(n):
        values[i] = normal_quantile(values[i])
    return 0


def argsort(x):
    n = len(x)
    memory = [np.array(x, float), np.empty(n, int), np.empty(n), np.empty(n, int), np.empty(2048, int)]
    sort_at(n, *map(address_of, memory))
    return memory[1]


def test_normal_quantile_is_that_of_scipy():
    edges = [0.5, 0.075, 0.925, 1e-12, 1e-300, np.exp(-25), 5e-324, 1 - 1e-16]
    p = np.concatenate([edges, np.random.default_rng(1).random(2000), np.logspace(-300, -1, 500)])
    ours = p.copy()
    quantiles_at(len(p), address_of(ours))
    np.testing.assert_allclose(ours, ndtri(p), rtol=3e-15)  # a few units in the last place of either


@pytest.mark.parametrize(
    "x",
    [
        np.random.default_rng(2).normal(size=300),
        np.random.default_rng(3).integers(-3, 3, size=300).astype(float),
        np.array([3.0]),
        np.array([np.inf, -0.0, 0.0, -np.inf, 5e-324, -5e-324, 1e308, -1e308, 1.0, -1.0]),
        np.full(20, 7.0),
    ],
    ids=["normal", "ties", "one", "extremes", "constant"],
)
def test_sort_is_a_stable_argsort(x):
    order = argsort(x)
    expected = np.argsort(x + 0.0, kind="stable")
    np.testing.assert_array_equal(x[order], x[expected])
    if not (x == 0).any():  # -0.0 and 0.0 are equal numbers and different bits
        np.testing.assert_array_equal(order, expected)


@pytest.mark.parametrize("ties", [False, True])
def test_scores_are_normal_quantiles_of_mean_ranks(ties):
    rng = np.random.default_rng(4)
    x = rng.integers(0, 9, 101).astype(float) if ties else rng.normal(size=101)
    table, out = np.empty(2 * x.size + 1), np.empty(x.size)
    order = np.argsort(x)
    fill_scores(table)
    normalise(x[order], order, x.size, table, out)
    np.testing.assert_allclose(out, ndtri((rankdata(x) - 0.375) / (x.size + 0.25)), rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("n", [1, 2, 5, 100, 101])
def test_fold_sorts_the_distances_from_the_median(n):
    x = np.random.default_rng(n).integers(0, 30, n).astype(float)
    order = np.argsort(x)
    folded, places = np.empty(n), np.empty(n, int)
    fold(x[order], order, n, folded, places)
    distances = np.abs(x - np.median(x))
    np.testing.assert_array_equal(folded, np.sort(distances))
    np.testing.assert_array_equal(distances[places], folded)
    assert sorted(places) == list(range(n))


@pytest.mark.parametrize("p", [1e-9, 0.05, 0.5, 0.77, 0.95, 1 - 1e-9])
def test_quantile_is_that_of_numpy(p):
    for n in (1, 2, 3, 100):
        x = np.sort(np.random.default_rng(n).normal(size=n))
        assert quantile(x, p) == pytest.approx(np.quantile(x, p), rel=1e-15)


@pytest.mark.parametrize("prob", [0.1, 0.5, 0.95])
def test_no_interval_of_that_probability_is_shorter(prob):
    x = np.sort(np.random.default_rng(5).exponential(size=200))
    low, high = shortest_interval(x, prob)
    span = int(prob * 200)
    assert high - low == min(x[i + span] - x[i] for i in range(200 - span))
    assert low == x[0]  # an exponential density falls

"""The bandwidth that a GPU chooses: exactly the documents' median, by radix select."""

import math

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.cuda.backend import compiled, cuda
from nbinfer.cuda.bandwidth import NO_SPREAD, make_median
from nbinfer.variational.stein.kernels import median_bandwidth
from tests.cuda.swarms import fresh, swarm_of


def chosen(values, low, high, dtype=np.float64):
    squared = np.array(values, dtype)
    status, found = cuda.to_device(np.zeros(2, np.int64)), cuda.to_device(np.zeros(2, dtype))
    bits = squared.view(np.int32 if dtype is np.float32 else np.int64)
    compiled(make_median(dtype))[1, 32](
        cuda.to_device(squared), cuda.to_device(bits), low, high, dtype(1), status, found
    )
    return float(found.copy_to_host()[1]), int(status.copy_to_host()[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("m", [1, 2, 101])
def test_each_rank_is_found(m, dtype):
    rng = np.random.default_rng(m)
    values = np.exp(4.0 * rng.normal(size=m)).astype(dtype)
    values[m // 2 :] = values[: m - m // 2]  # each twice
    order = np.sort(values).astype(float)
    for low in {0, m // 3, m // 2, m - 1}:
        high = min(low + 1, m - 1)
        median, status = chosen(values, low, high, dtype)
        assert status == 0
        assert median == pytest.approx(0.5 * order[low] + 0.5 * order[high], rel=1e-15 if dtype is np.float64 else 1e-7)


def test_zeros_of_the_diagonal_count():
    assert chosen([3.0, 4.0], -1, 0) == (1.5, 0)


@pytest.mark.parametrize("values", [[0.0, 0.0, 0.0], [math.inf] * 3])
def test_no_spread_is_noted(values):
    assert chosen(values, 1, 1)[1] == NO_SPREAD


@pytest.mark.parametrize("n", [2, 3, 8])
def test_of_all_pairs_it_is_the_median_of_the_documents(n):
    x = np.random.default_rng(n).normal(size=(n, 2))
    swarm = fresh(swarm_of(n, 2, nb.RBF()), x)
    swarm.look()
    assert swarm.array("bandwidth")[0] == pytest.approx(median_bandwidth(x), rel=1e-14)


def test_of_drawn_pairs_it_is_their_quantile():
    x = np.random.default_rng(1).normal(size=(30, 2))
    swarm = fresh(swarm_of(30, 2, nb.RBF(pairs=60)), x)
    swarm.look()
    order, k = swarm._pairs.order, np.arange(60)
    squared = np.sort(((x[order[k % 30]] - x[order[(k % 30 + k // 30 + 1) % 30]]) ** 2).sum(axis=1))
    assert swarm.array("bandwidth")[1] == pytest.approx(squared[swarm._pairs.low], rel=1e-6)

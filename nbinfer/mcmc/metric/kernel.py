"""The metric: inverse mass matrix, momenta drawn from it, and what adapts it to the posterior.

A metric is an estimate of the posterior covariance: diagonal, dense, known by two functions alone, or a diagonal and
directions that it is stretched along (`nbinfer.mcmc.metric.low_rank`). It is learnt from the draws of warm-up, kept in
two estimators: the foreground, in use, and the background, which replaces it when a window ends, so that early draws
are forgotten. The diagonal one that minimises the Fisher divergence to a standard normal is the ratio of the spread of
the draws to the spread of the gradients [1]_.

References
----------
.. [1] A. Seyboldt, E. Carlson and B. Carpenter, "Preconditioning Hamiltonian Monte Carlo by minimizing Fisher
   divergence", arXiv:2603.18845.
"""

from __future__ import annotations

import enum
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import Record, call_record, floats_at, kernel, record_at
from nbinfer.engine.state import State, floats
from nbinfer.mcmc.metric import low_rank
from nbinfer.mcmc.metric.low_rank import LOW_RANK, LowRank
from nbinfer.random import fill_normal


class Adaptation(enum.IntEnum):
    """What the metric learns from."""

    NONE = 0
    VARIANCE = 1
    FISHER = 2
    DENSE = 3
    SLOPES = 4
    CALLED = 5  # by a function of the user's


#: What the inverse mass is known by: a diagonal, a matrix, two functions, or a diagonal and directions.
DIAGONAL, MATRIX, FUNCTIONS, DIRECTIONS = range(4)


def estimator_size(n: int, adaptation: Adaptation) -> int:
    """Return the number of float64 of one estimator."""
    if adaptation in (Adaptation.NONE, Adaptation.CALLED):
        return 0
    return n + n * n if adaptation == Adaptation.DENSE else 4 * n


def _entries(potential: Any, site: Any) -> int:
    return int(site.n * site.n if potential.dense == MATRIX else site.n)


#: A metric. Sizes are asked of the `QuadPotential` that made it.
METRIC = State(
    fields={
        "adaptation": "i8",
        "dense": "i8",  # `DIAGONAL`, `MATRIX`, `FUNCTIONS` or `DIRECTIONS`
        "n": "i8",
        "slope_count_0": "f8",
        "slope_count_1": "f8",
        "learnt": "f8",  # draws so far, where slopes are counted
        "velocity": "i8",  # C functions ``int64 f(int64 n, intp momentum, intp velocity, intp data)``
        "momentum": "i8",  # and ``int64 f(int64 n, intp stream, intp momentum, intp data)``; 0 is success
        "update": "i8",  # and ``int64 f(int64 n, intp position, intp grad, intp data)``, which learns from a draw
        "given": "i8",  # their last argument
        "keeps_first": "i8",  # whether the first inverse mass stays, and is not made of a gradient
        "foreground": "i8",  # which of the two is in use
        "count_0": "f8",
        "count_1": "f8",
        "failures": "i8",  # estimates that were not positive definite and therefore not used
    },
    parts={
        "inv_mass": floats(_entries),  # (n,) or (n, n)
        "root": floats(_entries),  # diagonal: 1/sqrt(inv_mass); dense: lower Cholesky factor of inv_mass
        "estimators": floats(lambda potential, site: 2 * estimator_size(site.n, potential.adaptation)),
        "slopes": floats(lambda potential, site: 2 * site.n if potential.adaptation == Adaptation.SLOPES else 0),
        "low_rank": LOW_RANK,
    },
    # dense: room for a factor that may not exist; functions: for a velocity
    work={"spare": floats(lambda potential, site: (0, site.n * site.n, site.n)[potential.dense])},
)
Metric = METRIC.record

_SMALLEST, _LARGEST = 1e-20, 1e20
_SINGULAR = 1e-13
_LEAST_DRAWS = 3  # before a spread means something
_SLOPES_FROM, _SLOPE_WINDOW = 150, 100  # draws before absolute gradients are trusted, and between two of their windows
_ADAPTS_FISHER, _ADAPTS_DENSE = int(Adaptation.FISHER), int(Adaptation.DENSE)
_ADAPTS_SLOPES, _ADAPTS_CALLED = int(Adaptation.SLOPES), int(Adaptation.CALLED)


@kernel
def _estimator(metric: Record, which: int) -> int:
    """Return where one estimator is: means of draws, squares, means of gradients, squares (dense: means, products)."""
    address: int = metric.estimators + 8 * _size(metric) * which
    return address


@kernel
def _size(metric: Record) -> int:
    size: int = metric.n + metric.n * metric.n if metric.adaptation == _ADAPTS_DENSE else 4 * metric.n
    return size


@kernel
def velocity(metric: Record, momentum_address: int, address: int) -> None:
    """Write the inverse mass times the momentum; both known by address."""
    n = metric.n
    momentum, velocity_out = floats_at(momentum_address, n), floats_at(address, n)
    if metric.dense == DIAGONAL:
        inv_mass = floats_at(metric.inv_mass, n)
        for i in range(n):
            velocity_out[i] = inv_mass[i] * momentum[i]
    elif metric.dense == FUNCTIONS:
        if call_record(metric.velocity, n, momentum_address, address, metric.given) != 0:
            for i in range(n):
                velocity_out[i] = np.nan
    elif metric.dense == DIRECTIONS:
        low_rank.velocity(record_at(metric.low_rank, LowRank), n, momentum_address, address)
    else:
        matrix = floats_at(metric.inv_mass, n * n)
        for i in range(n):
            total = 0.0
            for j in range(n):
                total += matrix[i * n + j] * momentum[j]
            velocity_out[i] = total


@kernel(reassociate=True)
def _squares(address: int, n: int) -> float:
    values, total = floats_at(address, n), 0.0
    for i in range(n):
        total += values[i] * values[i]
    return total


@kernel
def draw_momentum(metric: Record, stream: int, address: int) -> float:
    """Draw a momentum from N(0, M), write it to an address and return its kinetic energy."""
    n = metric.n
    if metric.dense == FUNCTIONS:
        return _momentum_by_function(metric, stream, address)
    fill_normal(stream, address, n)
    momentum_out = floats_at(address, n)
    kinetic = _squares(address, n)
    if metric.dense == DIAGONAL:
        root = floats_at(metric.root, n)
        for i in range(n):
            momentum_out[i] *= root[i]
    elif metric.dense == DIRECTIONS:
        low_rank.shape_momentum(record_at(metric.low_rank, LowRank), n, address)
    else:  # inv_mass = L L', so that solving L' p = z gives p the covariance M
        factor = floats_at(metric.root, n * n)
        for i in range(n - 1, -1, -1):
            total = momentum_out[i]
            for j in range(i + 1, n):
                total -= factor[j * n + i] * momentum_out[j]
            momentum_out[i] = total / factor[i * n + i]
    return 0.5 * kinetic


@kernel
def _momentum_by_function(metric: Record, stream: int, address: int) -> float:
    n = metric.n
    if call_record(metric.momentum, n, stream, address, metric.given) != 0:
        return np.nan
    velocity(metric, address, metric.spare)
    momentum, speed, kinetic = floats_at(address, n), floats_at(metric.spare, n), 0.0
    for i in range(n):
        kinetic += momentum[i] * speed[i]
    return 0.5 * kinetic


@kernel
def refresh_root(metric: Record) -> bool:
    """Recompute what `draw_momentum` needs; return False if the inverse mass is not positive definite."""
    n = metric.n
    if metric.dense != MATRIX:
        inv_mass, root = floats_at(metric.inv_mass, n), floats_at(metric.root, n)
        for i in range(n):
            root[i] = 1.0 / math.sqrt(inv_mass[i])
        return True
    matrix, root = floats_at(metric.inv_mass, n * n), floats_at(metric.root, n * n)
    for i in range(n * n):
        root[i] = matrix[i]
    return _cholesky(root, n)


@kernel
def _cholesky(matrix: NDArray[np.float64], n: int) -> bool:
    """Replace the lower triangle of a flat symmetric matrix by its Cholesky factor; return False if there is none."""
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i * n + j]
            for k in range(j):
                total -= matrix[i * n + k] * matrix[j * n + k]
            if i == j:
                # A pivot that is all rounding would make momenta out of noise.
                if not total > _SINGULAR * matrix[i * n + i] or total == np.inf:
                    return False
                matrix[i * n + i] = math.sqrt(total)
            else:
                matrix[i * n + j] = total / matrix[j * n + j]
    return True


@kernel
def initial_metric(metric: Record, grad_address: int) -> None:
    """Set the initial metric from the gradient at the starting point: the scale at which the density changes."""
    if metric.adaptation != _ADAPTS_FISHER or metric.keeps_first != 0:
        return
    inv_mass, grad = floats_at(metric.inv_mass, metric.n), floats_at(grad_address, metric.n)
    for i in range(metric.n):
        slope = abs(grad[i])
        inv_mass[i] = min(max(1.0 / slope, _SMALLEST), _LARGEST) if slope > 0.0 else 1.0
    refresh_root(metric)


@kernel
def learn_by_function(metric: Record, position: int, grad: int) -> bool:
    """Have the user's function learn from a draw, if that is how the metric learns; tell whether it is."""
    if metric.adaptation != _ADAPTS_CALLED:
        return False
    call_record(metric.update, metric.n, position, grad, metric.given)
    return True


@kernel
def learn(metric: Record, position: int, grad: int) -> None:
    """Take a draw and its gradient, known by their addresses, into both estimators."""
    n = metric.n
    metric.count_0 += 1.0
    metric.count_1 += 1.0
    for which in range(2):
        weight = 1.0 / (metric.count_0 if which == 0 else metric.count_1)
        if metric.adaptation == _ADAPTS_DENSE:
            _learn_dense(n, _estimator(metric, which), position, weight)
        else:
            at = _estimator(metric, which)
            _welford(n, at, at + 8 * n, position, weight)
            _welford(n, at + 16 * n, at + 24 * n, grad, weight)
    if metric.adaptation == _ADAPTS_SLOPES:
        _learn_slopes(metric, grad)


@kernel
def _learn_slopes(metric: Record, grad_address: int) -> None:
    """Take a gradient into two windows of sums of absolute values; the second replaces the first and starts anew."""
    n = metric.n
    used, following, grad = floats_at(metric.slopes, n), floats_at(metric.slopes + 8 * n, n), floats_at(grad_address, n)
    if metric.learnt > _SLOPE_WINDOW and metric.learnt % _SLOPE_WINDOW == _SLOPES_FROM % _SLOPE_WINDOW:
        metric.slope_count_0, metric.slope_count_1 = metric.slope_count_1, 1.0
        for i in range(n):
            used[i], following[i] = following[i], 1.0
    metric.learnt += 1.0
    metric.slope_count_0 += 1.0
    metric.slope_count_1 += 1.0
    for i in range(n):
        used[i] += abs(grad[i])
        following[i] += abs(grad[i])


@kernel(reassociate=True)
def _welford(n: int, mean_address: int, squares_address: int, value_address: int, weight: float) -> None:
    """Take one value into running means and sums of squared deviations."""
    mean, squares, value = floats_at(mean_address, n), floats_at(squares_address, n), floats_at(value_address, n)
    for i in range(n):
        deviation = value[i] - mean[i]
        mean[i] += weight * deviation
        squares[i] += (1.0 - weight) * deviation * deviation


@kernel
def _learn_dense(n: int, address: int, value_address: int, weight: float) -> None:
    """Take one value into running means and the lower triangle of the sums of products."""
    mean, products, value = floats_at(address, n), floats_at(address + 8 * n, n * n), floats_at(value_address, n)
    for i in range(n):
        for j in range(i + 1):
            products[i * n + j] += (1.0 - weight) * (value[i] - mean[i]) * (value[j] - mean[j])
    for i in range(n):
        mean[i] += weight * (value[i] - mean[i])


@kernel
def background_count(metric: Record) -> float:
    """Return the number of draws in the estimator that is not in use."""
    count: float = metric.count_1 if metric.foreground == 0 else metric.count_0
    return count


@kernel
def switch(metric: Record) -> None:
    """End a window: the background becomes the foreground and a new background begins."""
    estimator = floats_at(_estimator(metric, metric.foreground), _size(metric))
    for i in range(_size(metric)):
        estimator[i] = 0.0
    if metric.foreground == 0:
        metric.count_0 = 0.0
        metric.foreground = 1
    else:
        metric.count_1 = 0.0
        metric.foreground = 0


@kernel
def use_directions(metric: Record) -> bool:
    """Put what was learnt of directions to use; return whether the metric was of another kind before."""
    low, n = record_at(metric.low_rank, LowRank), metric.n
    inv_mass, scale = floats_at(metric.inv_mass, n), floats_at(low.scale, n)
    for i in range(n):
        inv_mass[i] = scale[i] * scale[i]
    refresh_root(metric)
    low_rank.choose_form(low, n)
    changed: bool = metric.dense != DIRECTIONS
    metric.dense = DIRECTIONS
    return changed


@kernel
def use_diagonal(metric: Record) -> bool:
    """Return to the diagonal, which has gone on learning; return whether the metric was of another kind before."""
    if metric.dense != DIRECTIONS:
        return False
    metric.dense = DIAGONAL
    refresh(metric)
    return True


@kernel
def refresh(metric: Record) -> bool:
    """Set the inverse mass from the foreground; return whether there were draws enough to do so."""
    n = metric.n
    count = metric.count_0 if metric.foreground == 0 else metric.count_1
    estimator = floats_at(_estimator(metric, metric.foreground), _size(metric))
    if metric.adaptation == _ADAPTS_DENSE:
        return _refresh_dense(metric, estimator, count)
    inv_mass = floats_at(metric.inv_mass, n)
    if metric.adaptation == _ADAPTS_FISHER:
        if count < _LEAST_DRAWS:
            return False
        for i in range(n):
            spread = estimator[3 * n + i]
            scale = math.sqrt(estimator[n + i] / spread) if spread > 0.0 else 0.0
            inv_mass[i] = min(max(scale, _SMALLEST), _LARGEST) if 0.0 < scale < np.inf else inv_mass[i]
    elif metric.adaptation == _ADAPTS_SLOPES and metric.learnt > _SLOPES_FROM:
        slopes = floats_at(metric.slopes, n)
        for i in range(n):
            scale = (metric.slope_count_0 / slopes[i]) ** 2 if slopes[i] > 0.0 else 0.0
            inv_mass[i] = min(max(scale, _SMALLEST), _LARGEST) if 0.0 < scale < np.inf else inv_mass[i]
    elif count < 1.0:
        return False
    else:
        for i in range(n):
            scale = estimator[n + i] / count
            inv_mass[i] = min(max(scale, _SMALLEST), _LARGEST) if 0.0 < scale < np.inf else inv_mass[i]
    return refresh_root(metric)


@kernel
def _refresh_dense(metric: Record, estimator: NDArray[np.float64], count: float) -> bool:
    """Set a dense inverse mass to the covariance; one that is not positive definite leaves the old one in use."""
    n = metric.n
    if count < _LEAST_DRAWS:
        return False
    products = estimator[n:]
    spare = floats_at(metric.spare, n * n)
    matrix, root = floats_at(metric.inv_mass, n * n), floats_at(metric.root, n * n)
    scale = 1.0 / (count - 1.0)
    for i in range(n):
        for j in range(i + 1):
            spare[i * n + j] = products[i * n + j] * scale
    if not _cholesky(spare, n):
        metric.failures += 1
        return False
    for i in range(n):
        for j in range(i + 1):
            covariance = products[i * n + j] * scale
            matrix[i * n + j] = covariance
            matrix[j * n + i] = covariance
            root[i * n + j] = spare[i * n + j]
    return True

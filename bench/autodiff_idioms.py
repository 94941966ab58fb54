"""Densities in everyday forms, each beside the loop that says the same: what a form costs is measured against that.

A density is a function of a flat position and arrays of data, as in `bench.autodiff_models`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Pair(NamedTuple):
    """A density in an everyday form and as a loop, where to evaluate both, and their data."""

    form: Callable[..., float]
    loop: Callable[..., float]
    position: np.ndarray
    data: tuple[np.ndarray, ...]


# ---- made, joined and shaped


def constants_array(x, y):
    knots, weights = np.linspace(-1.0, 1.0, 3), np.array([0.5, 1.0, 0.25])
    return -np.sum((y - np.sum(weights * np.exp(x[:3] * knots))) ** 2)


def constants_loop(x, y):
    total = 0.5 * math.exp(-x[0]) + math.exp(0.0 * x[1]) + 0.25 * math.exp(x[2])
    lp = 0.0
    for i in range(y.size):
        lp -= (y[i] - total) ** 2
    return lp


def columns_array(x, u, y):
    design = np.column_stack((np.ones(u.size), u, np.exp(x[3] * u)))
    return -np.sum((y - design @ x[:3]) ** 2)


def columns_loop(x, u, y):
    lp = 0.0
    for i in range(y.size):
        lp -= (y[i] - x[0] - u[i] * x[1] - math.exp(x[3] * u[i]) * x[2]) ** 2
    return lp


def stacked_array(x, u, y):
    both = np.stack((x[0] * u, x[1] * y))
    return -np.sum(both**2) - np.sum(np.tanh(both))


def stacked_loop(x, u, y):
    lp = 0.0
    for i in range(u.size):
        lp -= (x[0] * u[i]) ** 2 + math.tanh(x[0] * u[i])
    for i in range(u.size):
        lp -= (x[1] * y[i]) ** 2 + math.tanh(x[1] * y[i])
    return lp


def sum_to_zero_array(x, u, y):
    z = np.append(x, -np.sum(x))
    return -np.sum((y[: z.size] - np.exp(0.1 * z)) ** 2)


def sum_to_zero_loop(x, u, y):
    lp, total = 0.0, 0.0
    for i in range(x.size):
        lp -= (y[i] - math.exp(0.1 * x[i])) ** 2
        total += x[i]
    return lp - (y[x.size] - math.exp(-0.1 * total)) ** 2


def walk_array(x, y):
    z = np.concatenate(([0.0], x))
    return -np.sum(np.diff(z) ** 2) - np.sum((y[: x.size] - x) ** 2)


def walk_loop(x, y):
    lp = -(x[0] ** 2) - (y[0] - x[0]) ** 2
    for i in range(1, x.size):
        lp -= (x[i] - x[i - 1]) ** 2 + (y[i] - x[i]) ** 2
    return lp


def reshaped_array(x, g, y):
    table = x.reshape(-1, 4)
    return -np.sum((y - table[g, 1] - table[g, 2]) ** 2) - np.sum(table**2)


def reshaped_loop(x, g, y):
    lp = 0.0
    for i in range(y.size):
        lp -= (y[i] - x[4 * g[i] + 1] - x[4 * g[i] + 2]) ** 2
    for j in range(x.size):
        lp -= x[j] ** 2
    return lp


def repeated_array(x, y):
    mu = np.repeat(x, 50)
    return -np.sum((y[: mu.size] - mu) ** 2)


def repeated_loop(x, y):
    lp = 0.0
    for i in range(x.size):
        for j in range(50):
            lp -= (y[50 * i + j] - x[i]) ** 2
    return lp


# ---- reduced


def softmax_array(x, X, g):
    eta = X @ x.reshape(-1, 4)
    eta = eta - np.max(eta, axis=1, keepdims=True)
    probability = np.exp(eta) / np.sum(np.exp(eta), axis=1, keepdims=True)
    return np.sum(np.log(probability[np.arange(g.size), g]))


def softmax_loop(x, X, g):
    lp = 0.0
    eta = np.empty(4)
    for i in range(g.size):
        largest = -math.inf
        for k in range(4):
            eta[k] = 0.0
            for j in range(X.shape[1]):
                eta[k] += X[i, j] * x[4 * j + k]
            largest = max(largest, eta[k])
        total = 0.0
        for k in range(4):
            total += math.exp(eta[k] - largest)
        lp += eta[g[i]] - largest - math.log(total)
    return lp


def centred_array(x, X):
    z = X * x
    return -np.sum((z - np.mean(z, axis=1, keepdims=True)) ** 2)


def centred_loop(x, X):
    lp = 0.0
    for i in range(X.shape[0]):
        mean = 0.0
        for j in range(X.shape[1]):
            mean += X[i, j] * x[j]
        mean /= X.shape[1]
        for j in range(X.shape[1]):
            lp -= (X[i, j] * x[j] - mean) ** 2
    return lp


def sticks_array(x):
    v = 1.0 / (1.0 + np.exp(-x))
    w = v * np.concatenate((np.ones(1), np.cumprod(1.0 - v)[:-1]))
    return np.sum(np.log(w))


def sticks_loop(x):
    lp, left = 0.0, 1.0
    for i in range(x.size):
        v = 1.0 / (1.0 + math.exp(-x[i]))
        lp += math.log(v * left)
        left *= 1.0 - v
    return lp


def einsum_array(x, X, y):
    return -np.sum((y - np.einsum("ij,j->i", X, x)) ** 2) + np.einsum("i,ij,j->", x, X[: x.size], x)


def einsum_loop(x, X, y):
    lp = 0.0
    for i in range(y.size):
        eta = 0.0
        for j in range(x.size):
            eta += X[i, j] * x[j]
        lp -= (y[i] - eta) ** 2
    for i in range(x.size):
        for j in range(x.size):
            lp += x[i] * X[i, j] * x[j]
    return lp


# ---- chosen


def masked_array(x, g, y):
    return -np.sum((y[g == 1] - x[0]) ** 2) - np.sum((np.exp(x[1] * y)[g == 0]) ** 2)


def masked_loop(x, g, y):
    lp = 0.0
    for i in range(y.size):
        if g[i] == 1:
            lp -= (y[i] - x[0]) ** 2
        if g[i] == 0:
            lp -= math.exp(x[1] * y[i]) ** 2
    return lp


def placed_array(x, g, y):
    z = np.zeros(y.size)
    z[::2] = x[0] * y[::2]
    z[g == 1] = x[1]
    return -np.sum((y - z) ** 2)


def placed_loop(x, g, y):
    lp = 0.0
    for i in range(y.size):
        if g[i] == 1:
            lp -= (y[i] - x[1]) ** 2
        elif i % 2 == 0:
            lp -= (y[i] - x[0] * y[i]) ** 2
        else:
            lp -= y[i] ** 2
    return lp


def added_array(x, g, y):
    totals = np.zeros(x.size)
    np.add.at(totals, g, np.exp(x[g] * y))
    return -np.sum(totals**2)


def added_loop(x, g, y):
    totals = np.zeros(x.size)
    for i in range(y.size):
        totals[g[i]] += math.exp(x[g[i]] * y[i])
    lp = 0.0
    for j in range(x.size):
        lp -= totals[j] ** 2
    return lp


def pairs() -> dict[str, Pair]:
    """Return the pairs by name."""
    rng = np.random.default_rng(3)
    n = 1000
    u, y, X = rng.normal(size=n), rng.normal(size=n), rng.normal(size=(n, 8))
    g = rng.integers(0, 4, n)
    x, long = 0.3 * rng.normal(size=8), 0.3 * rng.normal(size=16)
    wide = 0.3 * rng.normal(size=n // 4)
    return {
        "linspace, np.array": Pair(constants_array, constants_loop, x, (y,)),
        "column_stack": Pair(columns_array, columns_loop, x[:4], (u, y)),
        "stack": Pair(stacked_array, stacked_loop, x[:2], (u, y)),
        "append": Pair(sum_to_zero_array, sum_to_zero_loop, wide, (u, y)),
        "concatenate, diff": Pair(walk_array, walk_loop, wide, (y,)),
        "reshape": Pair(reshaped_array, reshaped_loop, long, (g, y)),
        "repeat": Pair(repeated_array, repeated_loop, long, (y,)),
        "keepdims, softmax": Pair(softmax_array, softmax_loop, 0.1 * rng.normal(size=32), (X, g)),
        "keepdims, mean": Pair(centred_array, centred_loop, x, (X,)),
        "cumprod": Pair(sticks_array, sticks_loop, wide, ()),
        "einsum": Pair(einsum_array, einsum_loop, x, (X, y)),
        "mask": Pair(masked_array, masked_loop, x[:2], (g, y)),
        "z[mask] = v": Pair(placed_array, placed_loop, x[:2], (g, y)),
        "np.add.at": Pair(added_array, added_loop, x[:4], (g, y)),
    }

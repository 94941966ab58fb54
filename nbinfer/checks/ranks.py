"""Where a value lies among draws: ranks of draws thinned to what they are worth, ties broken at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer.diagnostics.measure import measure


def places(
    draws: ArrayLike, truth: ArrayLike, rng: np.random.Generator, tolerance: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return where true values lie among draws, in (0, 1), and how many draws that rests on.

    Of each quantity as many draws are taken, evenly spaced, as the smaller of its bulk and tail ESS says. With r of n
    of these below the value, which is one of all numbers from 0 to n, the place is (r + U) / (n + 1), U uniform on
    (0, 1): uniform exactly where the value and the draws are of one distribution, for any n, so that simulations with
    different n can stand side by side. A value that equals t draws is taken to be above any number of them from 0 to t.

    Parameters
    ----------
    draws : array_like, shape (chain, draw, *shape)
    truth : array_like, shape (*shape)
    rng : Generator
        Breaks ties.
    tolerance : float
        What counts as equal, relative to the size of the value.

    Returns
    -------
    places : ndarray, shape (*shape)
    counts : ndarray of int64, shape (*shape)
    """
    array, true = np.asarray(draws) + 0, np.asarray(truth) + 0  # truth values are numbers here
    flat, values = array.reshape(*array.shape[:2], -1), true.ravel()
    measured = measure(flat.astype(np.float64))
    worth = np.fmin(measured["ess_bulk"], measured["ess_tail"])
    found, counts = np.zeros(values.size), np.zeros(values.size, np.int64)
    for k, value in enumerate(values):
        column = flat[:, :, k].ravel()  # chain after chain
        counts[k] = n = _worth(worth[k], column.size)
        chosen = column[np.linspace(0, column.size - 1, n).astype(int)]
        near = np.abs(chosen - value) <= tolerance * max(1.0, abs(value))
        rank = np.sum((chosen < value) & ~near) + rng.integers(0, near.sum(), endpoint=True)
        found[k] = (rank + rng.random()) / (n + 1)
    return found.reshape(true.shape), counts.reshape(true.shape)


def _worth(ess: Any, most: int) -> int:
    """Return how many draws count; of those that never vary, one."""
    return int(np.clip(ess, 1, most)) if np.isfinite(ess) else 1

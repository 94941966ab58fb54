"""Have iterates settled? Split R-hat and effective sample sizes of windows, from means and spreads of stretches.

A window is the last stretches of a series; it has settled if its halves agree and its mean is worth enough independent
iterates (Welandawe et al. 2022, section 4). What matters is the size of changes against the noise of the series itself,
so that units do not: a slope is found however shallow it is, once a window is long enough to show it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Windows that are looked at, in stretches: the least, how many of them, and how much of a series the longest takes.
LEAST, NUMBER, SHARE = 20, 5, 0.95
#: Batches that the error of a mean is found from, at least.
BATCHES = 10
#: Standard errors by which losses have fallen for certain.
SURE = 2.0


class Window(NamedTuple):
    """The last iterates of a series, and whether they have settled.

    Attributes
    ----------
    mean : ndarray, shape (n,)
        Of the iterates.
    size : int
        How many.
    rhat : float
        The largest split R-hat of a parameter.
    ess : float
        The smallest effective sample size of a mean.
    batches : ndarray, shape (batches, n)
        Means of equal parts, one after the other.
    """

    mean: Floats
    size: int
    rhat: float
    ess: float
    batches: Floats


def best_window(means: Floats, spreads: Floats, length: int, least: int) -> Window | None:
    """Return the window whose R-hat is least.

    Parameters
    ----------
    means, spreads : ndarray, shape (stretches, n)
        Means, and sums of squared distances from them.
    length : int
        Iterates of a stretch.
    least : int
        Iterates of the shortest window.

    Returns
    -------
    window : Window or None
        None: there is none that is long enough.
    """
    longest, shortest = int(SHARE * len(means)), max(LEAST, -(-least // length))
    if longest < shortest:
        return None
    sizes = np.unique(2 * (np.linspace(shortest, longest, NUMBER).astype(int) // 2))
    found = [split_rhat(means[-size:], spreads[-size:], length) for size in sizes if size > 0]
    size = sizes[int(np.argmin(found))]
    means, spreads = means[-size:], spreads[-size:]
    per_batch = size // BATCHES
    batches = means[-per_batch * BATCHES :].reshape(BATCHES, per_batch, -1).mean(axis=1)
    return Window(means.mean(axis=0), int(size) * length, min(found), smallest_ess(means, spreads, length), batches)


def has_fallen(losses: Floats) -> bool:
    """Tell whether losses are lower in the last third of a series than in the third before.

    What is compared are medians of batches, since losses have heavy tails where a fit is far off.

    Parameters
    ----------
    losses : ndarray, shape (steps,)
        Those that are not finite count as large.
    """
    size = len(losses) // (3 * BATCHES)
    if size == 0:
        return True
    late = np.where(np.isfinite(losses), losses, np.inf)[-2 * BATCHES * size :].reshape(2, BATCHES, size)
    with np.errstate(invalid="ignore"):
        medians = np.median(late, axis=2)
        before, last = medians.mean(axis=1)
        return bool(before - last > SURE * np.sqrt(medians.var(axis=1, ddof=1).sum() / BATCHES))


def split_rhat(means: Floats, spreads: Floats, length: int) -> float:
    """Return the largest split R-hat of a parameter (Gelman et al. 2013, section 11.4)."""
    half = len(means) // 2
    halves = [(part.mean(axis=0), _spread(part, spread, length)) for part, spread in
              ((means[:half], spreads[:half]), (means[half:], spreads[half:]))]  # fmt: skip
    n = half * length
    within = (halves[0][1] + halves[1][1]) / (2 * (n - 1))
    between = 0.5 * (halves[0][0] - halves[1][0]) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(between > 0.0, between / within, 0.0)  # what does not move agrees with itself
    return float(np.sqrt((n - 1) / n + ratio.max()))


def smallest_ess(means: Floats, spreads: Floats, length: int) -> float:
    """Return the smallest effective sample size of a mean, by batches of one stretch, of two, of four and so on."""
    size = len(means)
    variance = _spread(means, spreads, length) / (size * length - 1)
    error, batch = np.zeros_like(variance), 1
    while size // batch >= BATCHES:  # the longer ones know of longer memory, the shorter ones know it better
        parts = means[-(size // batch) * batch :].reshape(size // batch, batch, -1).mean(axis=1)
        error = np.maximum(error, parts.var(axis=0, ddof=1) / len(parts))
        batch *= 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(error > 0.0, variance / error, np.inf).min())


def _spread(means: Floats, spreads: Floats, length: int) -> Floats:
    """Return sums of squared distances from the mean of all."""
    found: Floats = spreads.sum(axis=0) + length * len(means) * means.var(axis=0)
    return found

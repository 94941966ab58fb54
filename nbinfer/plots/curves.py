"""Curves of draws: densities, autocorrelations, ranks, and how far uniform numbers stray."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_CELLS = 512
#: A density is shown as far as so many times the distance of the 5 % and 95 % quantiles from the median.
_FAR = 5.0


def density(values: Floats) -> tuple[Floats, Floats]:
    """Estimate a density by a Gaussian kernel on a grid, reflected at the smallest and the largest value.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Finite.

    Returns
    -------
    x, density : ndarray, shape (512,)
        Empty if the values do not differ. What lies far out is not shown, and its part is missing from the area.
    """
    low, width = _shown(values)
    if not width > 0.0:
        return np.zeros(0), np.zeros(0)
    places = (values - low) / width
    counts, edges = np.histogram(places, _CELLS, (0.0, _CELLS))
    # A sequence and its mirror image, taken as periodic, is what reflection at both ends comes to.
    mirrored = np.fft.rfft(np.concatenate([counts, counts[::-1]]))
    frequency = np.arange(mirrored.size) * math.pi / _CELLS
    smooth = np.fft.irfft(mirrored * np.exp(-0.5 * (frequency * _bandwidth(places)) ** 2), 2 * _CELLS)
    return low + width * (edges[1:] - 0.5), np.maximum(smooth[:_CELLS], 0.0) / (values.size * width)


def _shown(values: Floats) -> tuple[float, float]:
    """Return where the first cell begins, and the width of cells; 0 if there is nothing to divide."""
    if not values.size:
        return 0.0, 0.0
    low, median, high = np.quantile(values, [0.05, 0.5, 0.95])
    with np.errstate(all="ignore"):
        reach = _FAR * (high - low) or np.inf
        low, high = max(values.min(), median - reach), min(values.max(), median + reach)
        width = float((high - low) / _CELLS)
        fine = bool(1e-300 < width < np.inf and low + width > low and high - width < high)
    return float(low), width if fine else 0.0


def _bandwidth(values: Floats) -> float:
    """Return Silverman's bandwidth (1986, equation 3.31)."""
    spread: float = np.std(np.clip(values, -_CELLS, 2 * _CELLS)).item()
    quartiles = np.quantile(values, [0.25, 0.75])
    between = float(quartiles[1] - quartiles[0]) / 1.34
    return float(0.9 * (min(spread, between) if between > 0.0 else spread) * values.size**-0.2)


def shares(values: Floats) -> tuple[Floats, Floats]:
    """Return the values that occur, and the share of each."""
    found, counts = np.unique(values, return_counts=True)
    return found, counts / max(values.size, 1)


def autocorrelation(values: Floats, lags: int) -> Floats:
    """Return autocorrelations of a chain at lags 0 ... `lags`; NaN if it does not vary or is not finite."""
    n, kept = values.size, min(lags + 1, values.size)
    with np.errstate(all="ignore"):
        span = np.ptp(values) if n else 0.0
        if not 0.0 < span < np.inf:
            return np.full(kept, np.nan)
        scaled = (values - values[0]) / span
    spectrum = np.fft.rfft(scaled - scaled.mean(), 1 << (2 * n - 1).bit_length())
    found = np.fft.irfft(spectrum.real**2 + spectrum.imag**2)
    return np.asarray(found[:kept] / found[0])


def ranks(values: ArrayLike) -> NDArray[np.int64]:
    """Return the ranks of values among all of them, from 0; ties have theirs in random order. The shape is kept."""
    array = np.asarray(values)
    flat = array.ravel()
    found = np.empty(flat.size, np.int64)
    found[np.lexsort((np.random.default_rng(20).random(flat.size), flat))] = np.arange(flat.size)
    return found.reshape(array.shape)


def band(n: float, cells: int, chains: int = 1, prob: float = 0.9, cumulative: bool = True) -> Floats:
    """Return how far the shares of uniform numbers in cells of equal probability stray from what is expected.

    A band of the width of the standard deviation times a factor, which is taken from 1000 simulations such that all
    points of all chains lie within it with probability `prob`.

    Parameters
    ----------
    n : float
        How many numbers a chain has, or is worth.
    cells : int
        Number of cells.
    chains : int
        Of more than one, the numbers are ranks among those of all.
    prob : float
        Probability, in (0, 1).
    cumulative : bool
        Whether shares are added up from the left, as in a distribution function.

    Returns
    -------
    width : ndarray, shape (cells,)
        The last one is 0 if shares are added up.
    """
    whole, share = max(int(n), 1), np.full(cells, 1.0 / cells)
    away = np.random.default_rng(20).multinomial(whole, share, (1000, chains)) / whole - share
    if cumulative:
        away, share = np.cumsum(away, axis=2), np.cumsum(share)
    left = 1.0
    if chains > 1:
        away, left = away - away.mean(axis=1, keepdims=True), (chains - 1) / chains
    sd = np.sqrt(np.maximum(share * (1.0 - share), 0.0) * left / whole)
    with np.errstate(all="ignore"):
        farthest = np.abs(away / sd)[:, :, sd > 1e-9].max(axis=(1, 2), initial=0.0)
    return np.asarray(np.quantile(farthest, prob) * sd * (sd > 1e-9))

"""Whether numbers in (0, 1) are uniform: two tests that see different departures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Numbers in a bin at least, and bins at most.
_IN_A_BIN, _BINS = 10, 20
#: Terms of Kolmogorov's series.
_TERMS = np.arange(1, 101)


def p_value(u: NDArray[np.float64]) -> float:
    """Return how often uniform numbers are as far from it: twice the smaller p-value of the two tests.

    Chi-square over equal bins sees any shape, the largest distance of the ECDF (Kolmogorov and Smirnov) sees shifts.
    Twice the smaller holds whatever their dependence.

    Parameters
    ----------
    u : ndarray, shape (n,)
        Numbers in (0, 1), independent.
    """
    return min(1.0, 2.0 * min(chi_square(u), kolmogorov(u)))


def chi_square(u: NDArray[np.float64]) -> float:
    """Return the p-value of counts in bins, at least ten in each on average, at most twenty bins."""
    from scipy.special import gammaincc

    bins = int(np.clip(len(u) // _IN_A_BIN, 2, _BINS))
    counts = np.bincount(np.minimum((u * bins).astype(int), bins - 1), minlength=bins)
    statistic = np.sum((counts - len(u) / bins) ** 2) * bins / len(u)
    return float(gammaincc(0.5 * (bins - 1), 0.5 * statistic))


def kolmogorov(u: NDArray[np.float64]) -> float:
    """Return the p-value of the largest distance between ECDF and diagonal (Stephens 1970, for any n)."""
    n, ordered = len(u), np.sort(u)
    steps = np.arange(n + 1) / n
    distance = max(np.max(steps[1:] - ordered), np.max(ordered - steps[:-1]))
    scaled = (np.sqrt(n) + 0.12 + 0.11 / np.sqrt(n)) * distance
    if scaled < 0.2:  # the series alternates, and its sum is 1 to all digits
        return 1.0
    return float(np.clip(2.0 * np.sum((-1.0) ** (_TERMS - 1) * np.exp(-2.0 * (_TERMS * scaled) ** 2)), 0.0, 1.0))

"""Whether the acceptance of a chain fits the target that its step size was tuned to."""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import partial

import numpy as np

from nbinfer.diagnostics.kept import Kept

#: A target nearer to 0 or 1 is not told from this: the interval of 100 draws that were all accepted ends short of 1.
_NEAREST = 0.01


def misses_target(accept: np.ndarray, target: float) -> np.ndarray:
    """Tell whether the mean acceptance of each chain speaks against a target.

    The target must lie in the central 95 % of a Beta(a n + 1, (1 - a) n + 1) distribution, where a is the mean and n
    the number of draws, at most 100: draws are not independent, and beyond that nobody minds. Targets above 0.99
    count as 0.99, those below 0.01 as 0.01.

    Parameters
    ----------
    accept : ndarray, shape (chain, draw)
        Acceptance of draws after tuning, in [0, 1]. One chain may come as shape (draw,).
    target : float
        In (0, 1).

    Returns
    -------
    misses : ndarray of bool, shape (chain,)
        False where there are no draws to tell from.
    """
    accept = np.atleast_2d(accept)
    return Kept(np.isfinite(accept)).each(partial(_misses, target=target), accept)


def _misses(accept: np.ndarray, target: float) -> np.ndarray:
    """Do the same for acceptances that are all finite."""
    chains, draws = accept.shape
    if not draws:
        return np.zeros(chains, bool)
    n = min(100, draws)
    target = min(max(target, _NEAREST), 1.0 - _NEAREST)

    def below(mean: float) -> float:
        good = n * min(max(mean, 0.0), 1.0)
        return beta_cdf(target, good + 1.0, n - good + 1.0)

    # It falls as the mean rises: two searches find the means that fit, and few are looked at.
    means = accept.mean(axis=1)
    order = np.argsort(means)
    ascending = means[order].tolist()
    first = bisect_left(ascending, True, key=lambda mean: below(mean) <= 0.975)
    end = bisect_left(ascending, True, lo=first, key=lambda mean: below(mean) < 0.025)
    misses = np.ones(chains, bool)
    misses[order[first:end]] = False
    return misses


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return the distribution function of Beta(a, b) at `x` in (0, 1), for moderate `a` and `b`.

    By the continued fraction of the incomplete beta function (Lentz's method, as in Press et al., "Numerical Recipes",
    section 6.4): SciPy has the function too, and takes longer to import than a whole run does.
    """
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - beta_cdf(1.0 - x, b, a)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d or tiny)
    value = d
    for m in range(1, 500):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / (1.0 + step * d or tiny)
            c = 1.0 + step / c or tiny
            value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return math.exp(scale) * value / a

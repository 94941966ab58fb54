"""Whether the acceptance of a chain fits the target that its step size was tuned to."""

from __future__ import annotations

import math

import numpy as np


def misses_target(accept: np.ndarray, target: float) -> bool:
    """Tell whether the mean acceptance of a chain speaks against a target.

    The target must lie in the central 95 % of a Beta(a n + 1, (1 - a) n + 1) distribution, where a is the mean and n
    the number of draws, at most 100: draws are not independent, and beyond that nobody minds.

    Parameters
    ----------
    accept : ndarray, shape (draw,)
        Acceptance of draws after tuning, in [0, 1].
    target : float
        In (0, 1).

    Returns
    -------
    misses : bool
        False if there are no draws to tell from.
    """
    accept = accept[np.isfinite(accept)]
    if not accept.size:
        return False
    n = min(100, accept.size)
    good = n * min(max(float(accept.mean()), 0.0), 1.0)
    below = beta_cdf(target, good + 1.0, n - good + 1.0)
    return not 0.025 <= below <= 0.975


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

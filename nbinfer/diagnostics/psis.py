"""Pareto smoothed importance sampling: how far draws of one distribution may stand for another.

The largest ratios of two densities follow a generalised Pareto distribution. Its shape, k-hat, tells how many moments
they have: below 0.7 a mean over draws, weighted by smoothed ratios, is worth something [1]_. The shape is estimated as
in [2]_, with the weak prior of [1]_.

References
----------
.. [1] A. Vehtari, D. Simpson, A. Gelman, Y. Yao and J. Gabry, "Pareto smoothed importance sampling", JMLR 25 (2024).
.. [2] J. Zhang and M. A. Stephens, "A new and efficient estimation method for the generalized Pareto distribution",
   Technometrics 51 (2009).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer.arguments import numbers

Floats = NDArray[np.float64]

#: Fewer draws say nothing.
FEWEST = 25
#: Above, weighted means are not to be trusted.
RELIABLE = 0.7
#: Ratios that differ by less are equal but for rounding.
_EQUAL = 1e-8
_SHORTEST_TAIL = 5
#: Parts of a tail, and by how much its shape may exceed theirs.
_SHORTEST_PART, _MUCH_HEAVIER = 36, 1.0


class Psis(NamedTuple):
    """Smoothed weights, and what they are worth.

    Attributes
    ----------
    khat : float
        Shape of the tail. -inf: the weights are equal, and the approximation exact; inf: there are none. NaN: no
        verdict.
    log_weights : ndarray, shape (draws,)
        Logarithms of the smoothed weights, whose sum is 1.
    note : str
        Why there is no verdict, or what else is to be known; '' as a rule.
    """

    khat: float
    log_weights: Floats
    note: str = ""


def psis(log_ratios: ArrayLike) -> Psis:
    """Smooth importance weights.

    Parameters
    ----------
    log_ratios : array_like, shape (draws,)
        Log density of the target less that of what was drawn from; constants do not matter. -inf has no weight.

    Returns
    -------
    found : Psis

    Raises
    ------
    ValueError
        If there are no ratios, or one is NaN or inf.

    Examples
    --------
    >>> psis(np.zeros(100)).khat
    -inf
    >>> psis(np.zeros(10)).note
    'k-hat needs at least 25 draws, got 10'
    """
    x = np.ravel(numbers("log_ratios", log_ratios))
    if not x.size or np.isnan(x).any() or (x == np.inf).any():
        raise ValueError("log_ratios must be one or more numbers below inf.")
    if x.max() == -np.inf:
        return Psis(np.inf, _normalised(np.zeros(x.size)), "no draw has any weight")
    x = x - x.max()
    if x.size < FEWEST:
        return Psis(np.nan, _normalised(x), f"k-hat needs at least {FEWEST} draws, got {x.size}")
    if -x.min() < _EQUAL:
        return Psis(-np.inf, _normalised(x), "exact: all draws have the same weight")
    with np.errstate(all="ignore"):
        khat, smoothed, note = _smoothed(x)
    return Psis(khat, _normalised(smoothed), note)


def leave_one_out(log_likelihood: Floats, reff: float) -> tuple[float, Floats]:
    """Return k-hat and log weights, whose sum is 1, of draws for the posterior without one observation.

    The tail is the one of [1]_, ties and all: whoever compares numbers finds those of other programs.

    Parameters
    ----------
    log_likelihood : ndarray, shape (draws,)
        Of the observation; finite.
    reff : float
        Effective draws per draw; the less, the longer the tail.

    Returns
    -------
    khat : float
        As in `Psis`.
    log_weights : ndarray, shape (draws,)
    """
    x = log_likelihood.min() - log_likelihood
    if -x.min() < _EQUAL:
        return -np.inf, _normalised(x)
    length = _tail_length(x.size, reff)
    with np.errstate(all="ignore"):
        tail = (_tail(x, length, ties=True) or _tail(x, length)) if x.size >= FEWEST else None
        return (np.nan, _normalised(x)) if tail is None else (tail.khat, _normalised(_smooth(x, tail)))


class _Tail(NamedTuple):
    """The largest ratios, in order, with the distribution of what they exceed the others by."""

    which: NDArray[np.int64]
    cut: float
    khat: float
    scale: float


def _smoothed(x: Floats) -> tuple[float, Floats, str]:
    """Return the shape of the tail, log ratios with the tail smoothed, and a note.

    A tail that reaches into a plateau, many ratios nearly alike, looks far heavier than its half does. Of a heavy tail
    all parts are as heavy.
    """
    longest = _tail_length(x.size)
    lengths = [longest, *(longest // share for share in (2, 4, 8) if longest // share >= _SHORTEST_PART)]
    tails = [tail for tail in (_tail(x, length) for length in lengths) if tail is not None]
    if not tails:
        return np.nan, x, "too few ratios differ for a verdict"
    lowest = min(tail.khat for tail in tails)
    tail = next(tail for tail in tails if tail.khat <= lowest + _MUCH_HEAVIER)
    whole = tail is tails[0] and len(tail.which) >= longest // 2
    note = "" if whole else f"many ratios are alike; the {len(tail.which)} largest decide"
    return tail.khat, _smooth(x, tail), note


def _tail_length(draws: int, reff: float = 1.0) -> int:
    return int(min(0.2 * draws, 3.0 * math.sqrt(draws / reff)))


def _tail(x: Floats, length: int, ties: bool = False) -> _Tail | None:
    """Return the tail of so many ratios, None if there are too few that differ.

    With `ties`, those that equal the largest one outside belong to it, up to its length.
    """
    outside = np.partition(x, x.size - length - 1)[x.size - length - 1]
    cut = max(float(outside), math.log(np.finfo(float).tiny))
    which = np.flatnonzero(x >= outside if ties else x > cut)
    which = which[np.argsort(x[which], kind="stable")][-length:]
    if len(which) < _SHORTEST_TAIL:
        return None
    excess = np.exp(x[which]) - math.exp(cut)
    least = excess[_quarter(len(which))] if ties else excess[0]
    if not excess[-1] > least > 0.0:
        return None
    tail = _Tail(which, cut, *_pareto(excess))
    return None if np.isnan(tail.khat) else tail


def _smooth(x: Floats, tail: _Tail) -> Floats:
    """Return log ratios, 0 at most, with the tail replaced by quantiles of its distribution."""
    smoothed = x.copy()
    if np.isfinite(tail.khat):
        p = (np.arange(len(tail.which)) + 0.5) / len(tail.which)
        smoothed[tail.which] = np.minimum(np.log(_quantile(p, tail.khat, tail.scale) + math.exp(tail.cut)), 0.0)
    return smoothed


def _pareto(excess: Floats) -> tuple[float, float]:
    """Return shape and scale of a generalised Pareto distribution, from sorted positive numbers (section 4 of [2]_)."""
    n = len(excess)
    prior, count = 3.0, 30 + int(math.sqrt(n))
    b = 1.0 - np.sqrt(count / (np.arange(1, count + 1) - 0.5))
    b = b / (prior * excess[_quarter(n)]) + 1.0 / excess[-1]
    k = np.log1p(-b[:, None] * excess).mean(axis=1)
    fit = n * (np.log(-(b / k)) - k - 1.0)
    weights = np.exp(fit - fit.max())
    weights /= weights.sum()
    keep = weights >= 10.0 * np.finfo(float).eps
    weights, b = weights[keep] / weights[keep].sum(), b[keep]
    mean = float(np.sum(b * weights))
    if not mean:  # no density is a number: ratios of all sizes that there are
        return np.nan, np.nan
    shape = float(np.log1p(-mean * excess).mean())
    scale = -shape / mean
    return (n * shape + 10.0 * 0.5) / (n + 10.0), scale


def _quarter(count: int) -> int:
    """Return where the first quartile of sorted numbers is."""
    return int(count / 4 + 0.5) - 1


def _quantile(p: Floats, shape: float, scale: float) -> Floats:
    """Return quantiles of a generalised Pareto distribution."""
    if abs(shape) < np.finfo(float).eps:
        return -scale * np.log1p(-p)
    found: Floats = scale * np.expm1(-shape * np.log1p(-p)) / shape
    return found


def _normalised(x: Floats) -> Floats:
    top = x.max()
    found: Floats = x - (top + math.log(np.sum(np.exp(x - top))))
    return found

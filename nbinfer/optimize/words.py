"""What searches and differences cannot know, in words: no maximum, no slope to follow, no curvature."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.errors import ModelError, NbinferWarning, calls_above, unseen
from nbinfer.optimize import curvature

#: How far from its start a coordinate goes that goes on and on: one of a parameter without bounds, and another.
_AWAY, _AWAY_WITHIN_BOUNDS = 1e6, 100.0
#: Evaluations of a search that ends where it began.
_AT_ONCE = 3
_NAMED = 3


def of_end(bound: Any, search: Any, start: NDArray[np.float64], coordinates: NDArray[np.int64], ended: str) -> str:
    """Say why a search ended before it was at a maximum.

    Parameters
    ----------
    bound : Bound
    search : object
        With its `best` point, the `slope` there, and the count of `evaluations`.
    start : ndarray, shape (dim,)
        Where it began.
    coordinates : ndarray of int64
        Those that moved.
    ended : str
        What ended it, in SciPy's words.
    """
    moved = np.abs(search.best - start) / np.maximum(1.0, np.abs(start))
    free = [p.q for p in bound.definition.layout.continuous if p.support.transform == "real"]
    limits = np.full(len(start), _AWAY_WITHIN_BOUNDS)
    for where in free:
        limits[where] = _AWAY
    gone = [int(i) for i in coordinates if moved[i] > limits[i]]
    if gone:
        reason = (
            f"it rises on and on in {_names(bound, gone)} and seems to have no maximum. Sample, or give a prior that "
            "keeps it from there"
        )
    elif ended.startswith("ABNORMAL"):
        reason = (
            "no step along the gradient finds a higher density. There is a kink, or the gradient is another function's "
            "(model.check_grad() compares it)"
        )
    else:
        reason = ended
    return (
        f"find_map returns the best point of {search.evaluations} evaluations, where the largest slope of the log "
        f"density is {search.slope:.2g}: {reason}."
    )


def of_start(bound: Any, search: Any, start: NDArray[np.float64], coordinates: NDArray[np.int64]) -> str:
    """Say that a search did not move from where the slope is zero, and the density no largest; '' if all is well.

    Parameters
    ----------
    bound, search, start, coordinates : object
        As in `of_end`.
    """
    if search.evaluations > _AT_ONCE or not np.array_equal(search.best, start):
        return ""
    try:
        found, _ = curvature.curvatures(bound, start, search.discrete, coordinates)
    except ModelError:  # an edge beside it
        return ""
    flat = [int(i) for i, value in zip(coordinates, found, strict=True) if value <= 0.0]
    if not flat:
        return ""
    return (
        f"find_map did not move: the slope is zero where it began, and in {_names(bound, flat)} the density does not "
        "fall from there. Begin elsewhere, start={...}, or see whether the density depends on it."
    )


def tell_of_flat(names: Sequence[str]) -> None:
    """Warn the caller's caller of coordinates in which there is no curvature."""
    if names:
        some = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
        said = (
            f"the log density has no curvature in {some} at this point: it is flat there, or has a kink, and the "
            "inverse of the Hessian is no covariance. Take another point, such as a draw, or see whether the density "
            "depends on it."
        )
        with unseen():
            warnings.warn(said, NbinferWarning, calls_above())


def _names(bound: Any, coordinates: Sequence[int]) -> str:
    names = [bound.definition.layout.coordinate_name(i) for i in coordinates[:_NAMED]]
    return ", ".join(names) + (", …" if len(coordinates) > _NAMED else "")

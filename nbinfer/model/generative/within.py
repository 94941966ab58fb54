"""Draws from a family within the support of a parameter, where that leaves out some of the family's values."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import kernel
from nbinfer.model.generative.families import FamilyCall
from nbinfer.model.support.checks import NO_END
from nbinfer.model.support.support import Support

#: Draws of a row before it is given up.
TRIES = 10_000

#: Supports whose values are rows that increase.
ORDERED = ("ordered", "positive_ordered")
#: Supports whose values are no product of intervals, and the family that lives there.
STRUCTURED = {"simplex": "dirichlet", "cholesky_corr": "lkj_cholesky", "covariance": "wishart", "unit_vector": ""}


@kernel
def is_inside(x: Any, at: int, row: int, low: Any, high: Any, increasing: bool) -> bool:
    """Tell whether a row of flat values lies between bounds, and increases if it has to."""
    inside = True
    for i in range(at, at + row):
        inside = inside and low[i] < x[i] and x[i] < high[i]
        inside = inside and (not increasing or i == at or x[i - 1] < x[i])
    return inside


@kernel
def all_inside(x: Any, row: int, low: Any, high: Any, increasing: bool) -> bool:
    """Tell whether all rows of an array lie between bounds.

    Parameters
    ----------
    x : ndarray
        One row after the other.
    row : int
        Length of a row.
    low, high : ndarray, shape (x.size,)
        Bounds, which are outside themselves.
    increasing : bool
        Whether each row must increase.
    """
    flat = x.reshape(-1)
    inside = True
    for at in range(0, flat.size, row):
        inside = inside and is_inside(flat, at, row, low, high, increasing)
    return inside


@kernel
def replace_outside(x: Any, again: Any, row: int, low: Any, high: Any, increasing: bool) -> None:
    """Replace rows that lie outside by those of another draw: each row is the first of its draws inside.

    Parameters
    ----------
    x, again : ndarray
        Draws; the first is changed.
    row : int
        Length of a row.
    low, high : ndarray, shape (x.size,)
        As of `all_inside`.
    increasing : bool
        Whether each row must increase.
    """
    flat, other = x.reshape(-1), again.reshape(-1)
    for at in range(0, flat.size, row):
        if not is_inside(flat, at, row, low, high, increasing):
            for i in range(at, at + row):
                flat[i] = other[i]


@kernel
def sorted_rows(x: Any) -> Any:
    """Return an array whose last axis is sorted."""
    rows = x.copy().reshape((-1, x.shape[-1]))
    for i in range(rows.shape[0]):
        rows[i] = np.sort(rows[i])
    return rows.reshape(x.shape)


class Cut(NamedTuple):
    """How a draw is brought into a support.

    Attributes
    ----------
    rejects : bool
        Whether draws are made until they lie inside.
    sorts : bool
        Whether rows are sorted.
    low, high : ndarray, shape (elements,)
        Bounds, which are outside themselves.
    row : int
        How many values, one after the other, are drawn anew together.
    increasing : bool
        Whether rows must increase.
    """

    rejects: bool
    sorts: bool
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    row: int
    increasing: bool


def cut_of(call: FamilyCall, support: Support, arguments: Sequence[Any], varies: Sequence[bool]) -> Cut:
    """Find out how draws of a family are brought into a support.

    Parameters
    ----------
    call : FamilyCall
        The family.
    support : Support
        Of the parameter.
    arguments : sequence
        Parameters of a draw, at some point.
    varies : sequence of bool
        Which of them depend on parameters of the model.
    """
    low, high = ends(support)
    known = [np.full(np.shape(a), np.nan) if v else np.asarray(a) for a, v in zip(arguments, varies, strict=True)]
    start, end = (_flat(bound, support, call.core) for bound in _family_ends(call, known))
    with np.errstate(invalid="ignore"):
        cuts = not np.all((start >= low) | (low == -np.inf)) or not np.all((end <= high) | (high == np.inf))
    gap = 0.5 if support.discrete else 0.0
    ordered = support.name in ORDERED
    alike = ordered and not call.core and all(np.ndim(a) == 0 for a in arguments)  # sorting loses nothing then
    increasing = ordered and not alike
    core = support.shape[len(support.shape) - (1 if increasing else call.core) :]
    return Cut(cuts or increasing, alike, low - gap, high + gap, int(np.prod(core, dtype=int)), increasing)


def ends(support: Support) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the least and the greatest value of each element; NaN where a function gives them."""
    count = int(np.prod(support.shape, dtype=int))
    low, high = np.full(count, -np.inf), np.full(count, np.inf)
    constants = support.constants
    if support.discrete or support.transform == "interval":
        low, high = constants[:count].copy(), constants[count : 2 * count].copy()
        if support.discrete:
            high[high == NO_END] = np.inf
    elif support.transform in ("positive", "positive_ordered"):
        low[:] = 0.0
    elif support.transform == "lower":
        low[:] = constants
    elif support.transform == "upper":
        high[:] = constants
    return low, high


def _family_ends(call: FamilyCall, arguments: Sequence[Any]) -> tuple[Any, Any]:
    """Return the ends of a family's support, NaN where they depend on what varies."""
    named = dict(zip(call.generator.check.names, arguments, strict=True))
    taken = inspect.signature(call.module.support).parameters
    variadic = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in taken.values())
    with np.errstate(all="ignore"):
        start, end = call.module.support(*(named.values() if variadic else (named.get(name, np.nan) for name in taken)))
    return start, end


def _flat(bound: Any, support: Support, core: int) -> NDArray[np.float64]:
    """Return the bound of each element of a value."""
    array = np.asarray(bound, np.float64)
    array = array.reshape(array.shape + (1,) * core) if array.ndim else array
    return np.broadcast_to(array, support.shape).reshape(-1)

"""Draws from an approximation, outside of the iterations of a fit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import address_of, entry, floats_at, ints_at, record_at
from nbinfer.random import Purpose, start
from nbinfer.variational.fitting import Fitting
from nbinfer.variational.job import GROUP_FIELDS, Fit, draw_all

Floats = NDArray[np.float64]

_PURPOSE = int(Purpose.APPROXIMATION)


@entry("int64(intp, int64, int64, intp, intp)")
def _draw(address: int, first: int, count: int, positions: int, densities: int) -> int:
    """Write positions and log densities of draws `first`, `first + 1`, ...; each has a stream of its own."""
    fit = record_at(address, Fit)
    groups = ints_at(fit.groups, GROUP_FIELDS * fit.n_groups)
    logq, position = floats_at(densities, count), floats_at(fit.position, fit.n)
    rows = floats_at(positions, count * fit.n)
    for k in range(count):
        start(fit.words, first + k, fit.number, _PURPOSE)
        logq[k] = draw_all(address, fit, groups)
        for i in range(fit.n):
            rows[k * fit.n + i] = position[i]
    return 0


class Draws(NamedTuple):
    """Draws of an approximation.

    Attributes
    ----------
    positions : ndarray, shape (draws, dim)
        Unconstrained.
    logq : ndarray, shape (draws,)
        Log density of the approximation; NaN where it has none.
    """

    positions: Floats
    logq: Floats


def draw(fitting: Fitting, key: np.ndarray, first: int, count: int) -> Draws:
    """Draw from an approximation.

    Parameters
    ----------
    fitting : Fitting
        Not running.
    key : ndarray
        Of the stream.
    first, count : int
        Number of the first draw, and how many: draw k is the same in whatever company.
    """
    found = Draws(np.zeros((count, int(fitting.fit.n))), np.zeros(count))
    words = fitting.fit.words.view(np.uint64)
    kept = words.copy()
    words[4:6] = key
    _draw(address_of(fitting.state), first, count, address_of(found.positions), address_of(found.logq))
    words[:] = kept
    if fitting.fit.broken:
        raise fitting.raised()
    return found

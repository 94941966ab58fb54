"""Where chains begin if nobody says: coordinates around the initial point, discrete values all over their support.

Where the density is zero there, a chain tries again. The first tries are alike; later ones go further out and closer
in, and order discrete values and crowd them in ways that constraints ask for: sums that are small, orders,
permutations, counts that may not fall below the data.

What a try draws depends on the seed, the number of the chain and that of the try alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.model.support.checks import NO_END
from nbinfer.random import Purpose, generator, uniforms

#: Tries before a chain gives up.
TRIES = 100
#: So many of the first are made alike, with each coordinate in U(-1, 1) and each discrete value uniform on its support.
ALIKE = 10
#: So many of the last are like the first, but with every discrete value the lowest or, by turns, the highest.
ENDS = 10
#: Later tries move coordinates by a thousandth of that to a hundred times that.
CLOSEST, FURTHEST = 1e-3, 100.0
#: A range of more values than data have rows is a stand-in for infinity, and nobody expects its middle.
_COUNTABLE = 100_000
#: Where integers have no upper end, first tries go so far from 0, and the last ones so far.
_NEAR, _FAR = 100.0, 1e6
#: Later tries raise uniform numbers to a power between this and its inverse, or further where there are many elements …
_CROWDING = 64.0
#: … and arrange those of a row in one of these ways: spread evenly or not, ordered or not, crowded or not.
_ARRANGEMENTS = [
    *[(False, 0, True)] * 3, (False, 1, True), (True, 0, True), (True, 0, False), (True, 1, False), (True, -1, False)
]  # fmt: skip


def coordinates(key: np.ndarray, number: int, attempt: int, groups: list[slice], dim: int) -> NDArray[np.float64]:
    """Return where a try of a chain puts the unconstrained coordinates.

    Parameters
    ----------
    key : ndarray
        Seed of the chain.
    number, attempt : int
        Of the chain, and of the try.
    groups : list of slice
        Coordinates that belong together, as those of one parameter do.
    dim : int
        Number of coordinates.

    Returns
    -------
    position : ndarray, shape (dim,)
    """
    if attempt >= TRIES - ENDS:
        attempt -= TRIES - ENDS
    rng = generator(key, attempt, number, Purpose.START)
    position: NDArray[np.float64] = rng.uniform(-1.0, 1.0, dim)
    if attempt < ALIKE:
        return position
    way = (attempt - ALIKE + 1) / (TRIES - ENDS - ALIKE)
    if attempt % 3 == 0:
        position *= CLOSEST**way
        return position
    reach = FURTHEST**way
    if attempt % 3 == 1:
        position *= reach
        return position
    for group in groups:  # all its elements on the same side
        position[group] = reach * rng.uniform(-1.0, 1.0) + 0.1 * position[group]
    return position


def first_coordinates(keys: Sequence[np.ndarray], numbers: Sequence[int], dim: int) -> NDArray[np.float64]:
    """Return the `coordinates` of the first try of each chain, shape (chain, dim)."""
    positions: NDArray[np.float64] = uniforms(keys, 0, numbers, Purpose.START, dim)
    positions *= 2.0
    positions -= 1.0
    return positions


def discrete_values(layout: Any, key: np.ndarray, number: int, attempt: int) -> NDArray[np.int64]:
    """Return what a try of a chain takes for the discrete values, one after the other.

    Each element is uniform on its support, and the chains of a run divide the support among them: by turning a uniform
    number round the unit circle, by one half from the first chain to the second, then by quarters, and so on. Two
    chains never begin at the same value of a binary variable.

    Parameters
    ----------
    layout : Layout
    key : ndarray
        Seed of the chain.
    number, attempt : int
        Of the chain, and of the try.

    Returns
    -------
    values : ndarray, shape (max(layout.discrete, 1),)
    """
    rng = generator(key, attempt, 0, Purpose.DISCRETE_START)  # the same for all chains: `number` tells them apart
    turn = _radical_inverse(number)
    values = np.zeros(max(layout.discrete, 1), np.int64)
    for p in layout.parameters.values():
        if p.support.discrete and attempt >= TRIES - ENDS:
            values[p.z] = _range(p.support, attempt)[attempt % 2]
        elif p.support.discrete:
            u = (rng.random(p.shape or (1,)) + turn) % 1.0
            power = 1.0
            if attempt >= ALIKE:
                even, order, crowded = _ARRANGEMENTS[rng.integers(len(_ARRANGEMENTS))]
                u = _arranged(u, even, order)
                strength = rng.uniform(-1.0, 1.0)
                power = max(_CROWDING, 4.0 * p.elements) ** strength if crowded else 1.0
            values[p.z] = _on_range(u.ravel(), power, *_range(p.support, attempt))
    return values


def _range(support: Any, attempt: int) -> NDArray[np.int64]:
    """Return the lowest and the highest values that a try may take: where there is no end, some, and then more."""
    lowest, highest = support.constants.reshape(2, -1).astype(np.int64)
    way = np.clip((attempt - ALIKE + 1) / (TRIES - ENDS - ALIKE), 0.0, 1.0)
    reach = np.maximum(lowest, 0) + int(_NEAR * (_FAR / _NEAR) ** way)
    return np.array([lowest, np.where(highest == NO_END, reach, highest)])


def _radical_inverse(number: int) -> float:
    """Return the binary digits of a number, read backwards after the point: 0, 1/2, 1/4, 3/4, 1/8 and so on."""
    value, place = 0.0, 0.5
    while number:
        value += place * (number & 1)
        number, place = number >> 1, place / 2.0
    return value


def _arranged(u: NDArray[np.float64], even: bool, order: int) -> NDArray[np.float64]:
    """Return uniform numbers spread evenly if asked for, and ascending (1) or descending (-1), in each row."""
    if even:
        u = (np.argsort(np.argsort(u, axis=-1), axis=-1) + u) / u.shape[-1]
    return np.sort(u, axis=-1)[..., ::order] if order else u


def _on_range(
    u: NDArray[np.float64], power: float, lowest: NDArray[np.int64], highest: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Map numbers in [0, 1) to integers; a power above 1 crowds them at the lowest, one below 1 at the highest.

    On a range that stands for infinity their distances from its value nearest to 0 are spread over all orders of
    magnitude.
    """
    width = highest - lowest + 1.0
    flat = lowest + np.floor(width * u**power).astype(np.int64)
    middle = np.clip(0, lowest, highest)
    below, above = middle - lowest, highest - middle
    both = (below > 0) & (above > 0)
    down = (both & (u < 0.5)) | (above == 0)
    share = np.where(both, np.abs(2.0 * u - 1.0), np.where(down, 1.0 - u, u)) ** power
    span = np.where(down, below, above)
    distance = np.floor((span + 2.0) ** share).astype(np.int64) - 1
    far = middle + np.where(down, -distance, distance)
    return np.clip(np.where(width <= _COUNTABLE, flat, far), lowest, highest)

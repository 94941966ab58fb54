"""Noise that stays the same for a whole fit: how it is made, and whether there is enough of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import numbers
from nbinfer.errors import ParametrizationError
from nbinfer.random import Purpose, generator
from nbinfer.variational.group import Group

Floats = NDArray[np.float64]

#: Draws by default: at least, and for each coordinate.
LEAST, EACH = 30, 12


def default_draws(dim: int) -> int:
    """Return how many draws a fit of so many coordinates takes by default."""
    return max(LEAST, EACH * dim)


def balanced(key: NDArray[np.uint64], first: int, n_draws: int, groups: Sequence[Group]) -> Floats:
    """Return rows of standard normal numbers, of which each counts with both signs, for so many draws.

    Their means are 0 by the signs. Their covariance is the identity matrix as far as the number of rows allows: a bound
    at this noise is exact where log p is quadratic.

    Parameters
    ----------
    key : ndarray
        Of the stream.
    first : int
        Iteration that the fit begins with.
    n_draws : int
        Even.
    groups : sequence of Group
        In the order of their noise.

    Raises
    ------
    ParametrizationError
        If there are too few draws for a family: at their noise its covariance could shrink to nothing.
    """
    pairs = n_draws // 2
    for group in groups:
        least = 2 * group.family.n_blended(group.extent)
        if n_draws < least:
            raise ParametrizationError(
                f"n_draws must be at least {least} for {group.short_name} of {', '.join(group.names or ())}, got "
                f"{n_draws}: where each coordinate is made of {least // 2} numbers, fewer pairs of draws do not bound "
                "the loss. Raise n_draws, or take mean_field."
            )
    width = _width(groups)
    rows = generator(key, first, 0, Purpose.NOISE).standard_normal((pairs, width))
    if pairs >= width:
        return np.ascontiguousarray(np.linalg.solve(np.linalg.cholesky(rows.T @ rows / pairs), rows.T).T)
    rows /= np.sqrt((rows * rows).mean(axis=0))
    return rows


def given(noise: Any, groups: Sequence[Group]) -> Floats:
    """Return noise that a user gave, one row for each draw.

    Parameters
    ----------
    noise : array_like
    groups : sequence of Group
        In the order of their noise.

    Raises
    ------
    ValueError
        If its shape is another, or a number is not finite.
    ParametrizationError
        If there are too few rows for a family, or they are too much alike.
    """
    rows, width = np.ascontiguousarray(numbers("noise", noise)), _width(groups)
    if rows.ndim != 2 or rows.shape[1] != width or not len(rows):
        raise ValueError(f"noise must have shape (draws, {width}), a row for each draw, got {rows.shape}.")
    if not np.isfinite(rows).all():
        raise ValueError("noise must be finite.")
    first = 0
    for group in groups:
        n = group.family.n_noise(group.extent)
        apart = rows[:, first : first + n] - rows[:, first : first + n].mean(axis=0)
        rank, least = int(np.linalg.matrix_rank(apart)), group.family.n_blended(group.extent)
        if rank < least or not apart.any(axis=0).all():
            raise ParametrizationError(
                f"noise must vary in {least} directions for {group.short_name} of {', '.join(group.names or ())}, and "
                f"in each column, got {len(rows)} rows that vary in {rank}. Give more rows, or take mean_field."
            )
        first += n
    return rows


def _width(groups: Sequence[Group]) -> int:
    return sum(group.family.n_noise(group.extent) for group in groups)

"""A fixed metric of few directions, such as a run has learnt."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from nbinfer.arguments import numbers
from nbinfer.engine.state import Memory
from nbinfer.errors import PositiveDefiniteError
from nbinfer.mcmc.metric.definite import positive_diagonal
from nbinfer.mcmc.metric.kernel import DIRECTIONS
from nbinfer.mcmc.metric.potential import Floats, QuadPotential
from nbinfer.spelling import public


@public
class QuadPotentialLowRank(QuadPotential):
    """A fixed metric: a diagonal, stretched along a few directions.

    The inverse mass is S (I + U (Λ - I) Uᵀ) S. A velocity takes ``rank * n`` multiplications, twice, where a matrix
    takes n².

    Parameters
    ----------
    scale : array_like, shape (n,)
        Diagonal of S: scales of the coordinates. Positive.
    directions : array_like, shape (rank, n)
        Rows of Uᵀ: orthonormal directions in scaled coordinates.
    eigenvalues : array_like, shape (rank,)
        Diagonal of Λ: variances along them; across them it is 1. Positive.
    random_seed : int, optional
        Of the momenta that `random` returns.

    Raises
    ------
    ValueError
        If shapes do not fit, or directions are not orthonormal.
    PositiveDefiniteError
        If a scale or an eigenvalue is not positive; it names them.
    """

    def __init__(
        self, scale: ArrayLike, directions: ArrayLike, eigenvalues: ArrayLike, random_seed: int | None = None
    ) -> None:
        self._scale = positive_diagonal("scale", scale)
        self._rows, self._eigenvalues = numbers("directions", directions), numbers("eigenvalues", eigenvalues)
        n = len(self._scale)
        if self._rows.ndim != 2 or not 0 < len(self._rows) <= n or self._rows.shape[1] != n:
            raise ValueError(f"directions must have shape (rank, {n}), rank 1 to {n}, got {self._rows.shape}.")
        if self._eigenvalues.shape != (len(self._rows),):
            raise ValueError(f"eigenvalues must have shape ({len(self._rows)},), got {self._eigenvalues.shape}.")
        bad = np.flatnonzero(~((self._eigenvalues > 0.0) & np.isfinite(self._eigenvalues)))
        if bad.size:
            raise PositiveDefiniteError(f"eigenvalues must be positive, got {self._eigenvalues[bad[0]]:g}.", bad)
        if not np.allclose(self._rows @ self._rows.T, np.eye(len(self._rows)), atol=1e-6):
            raise ValueError("directions must be orthonormal: the rows of an orthogonal matrix.")
        super().__init__(n, random_seed)

    @property
    def inv_mass(self) -> Floats:
        """The inverse mass, shape (n, n)."""
        stretched = np.eye(len(self._scale)) + (self._rows.T * (self._eigenvalues - 1.0)) @ self._rows
        return np.asarray(self._scale[:, None] * stretched * self._scale)

    def directions(self, n: int, tune: float) -> int:
        return len(self._rows)

    def initialise(self, metric: Memory, schedule: Memory, tune: float, position: Floats) -> None:
        super().initialise(metric, schedule, tune, position)
        metric.dense = DIRECTIONS
        low, rank = metric.low_rank, len(self._rows)
        low.most = low.rank = rank
        low.scale[..., :] = self._scale
        low.vectors[..., : self._rows.size] = self._rows.ravel()
        low.stretches[..., :rank] = self._eigenvalues - 1.0
        low.stretches[..., rank : 2 * rank] = self._eigenvalues**-0.5 - 1.0

    def first(self, n: int) -> tuple[Floats, Floats]:
        return self._scale**2, 1.0 / self._scale

"""Pathfinder: a mixture of normal distributions, each of which a path of a search has found (Zhang et al. 2022).

The covariance of each is a diagonal, changed along a few directions: ``s (I + Q (L L^T - I) Q^T) s`` with a scale s for
each coordinate, orthonormal rows in Q and a lower triangular L; rows of zeros count for nothing. What it costs grows
with the number of coordinates and not with its square.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nbinfer.arguments import count, numbers
from nbinfer.compile import Record, entry, floats_at, kernel, record_at
from nbinfer.engine.job import Job
from nbinfer.engine.state import Memory, State, floats
from nbinfer.engine.vectors import add, dot
from nbinfer.errors import ParametrizationError
from nbinfer.random import uniform
from nbinfer.variational.families.family import (
    GROUP,
    HALF_LOG_TWO_PI,
    Extent,
    Family,
    Floats,
    Parameters,
    per_coordinate,
    sum_of_logs,
    sum_of_squares,
)

PATHFINDER = State(
    base=GROUP,
    leads=True,
    fields={"paths": "i8", "rank": "i8"},
    work={
        "white": floats(per_coordinate),
        "turned": floats(lambda family, extent: family.rank),
        "before": floats(lambda family, extent: family.rank),
    },
)
Own = PATHFINDER.record

#: What parameters that a user gives may lack of being orthonormal, or of a sum of 1.
_ROUNDING = 1e-6


class Normal(NamedTuple):
    """One of the normal distributions.

    Attributes
    ----------
    mean, scale : ndarray, shape (n,)
    basis : ndarray, shape (rank, n)
        Q, rows that are orthonormal or zero.
    lower : ndarray, shape (rank, rank)
        L.
    """

    mean: Floats
    scale: Floats
    basis: Floats
    lower: Floats

    def draws(self, noise: Floats) -> Floats:
        """Turn standard normal numbers into draws, shape (draws, n)."""
        turned = noise @ self.basis.T
        found: Floats = self.mean + self.scale * (noise + (turned @ self.lower.T - turned) @ self.basis)
        return found

    def logq(self, z: Floats) -> Floats:
        """Return the log density at some positions, shape (positions,)."""
        apart = (z - self.mean) / self.scale
        turned = apart @ self.basis.T
        white = apart + (np.linalg.solve(self.lower, turned.T).T - turned) @ self.basis
        half_log_det = np.log(self.scale).sum() + np.log(np.diag(self.lower)).sum()
        found: Floats = -len(self.mean) * HALF_LOG_TWO_PI - half_log_det - 0.5 * (white**2).sum(axis=1)
        return found

    def variances(self) -> Floats:
        """Return the diagonal of the covariance."""
        found: Floats = ((self.lower.T @ self.basis) ** 2).sum(axis=0) - (self.basis**2).sum(axis=0)
        return self.scale**2 * (1.0 + found)

    def cov(self) -> Floats:
        """Return the covariance, shape (n, n)."""
        small = self.lower @ self.lower.T - np.eye(len(self.lower))
        found: Floats = np.outer(self.scale, self.scale) * (np.eye(len(self.mean)) + self.basis.T @ small @ self.basis)
        return found


@kernel
def _places(own: Record, k: int) -> tuple[int, int, int, int]:
    """Return the addresses of mu, scale, Q and L of one path."""
    n, r, paths = own.n, own.rank, own.paths
    mu = own.parameters + 8 * paths
    scale = mu + 8 * paths * n
    basis = scale + 8 * paths * n
    lower = basis + 8 * paths * r * n
    return mu + 8 * k * n, scale + 8 * k * n, basis + 8 * k * r * n, lower + 8 * k * r * r


@kernel
def _turn(own: Record, basis: int, vector: int) -> None:
    """Write the products of a vector with the directions, twice."""
    t, before = floats_at(own.turned, own.rank), floats_at(own.before, own.rank)
    for a in range(own.rank):
        t[a] = before[a] = dot(own.n, basis + 8 * own.n * a, vector)


@kernel
def _put_back(own: Record, basis: int, vector: int) -> None:
    """Add to a vector what has become of these products."""
    t, before = floats_at(own.turned, own.rank), floats_at(own.before, own.rank)
    for a in range(own.rank):
        add(own.n, t[a] - before[a], basis + 8 * own.n * a, vector)


@kernel
def _draw_of(own: Record, k: int) -> None:
    """Turn noise into a draw of one path."""
    n, r = own.n, own.rank
    mu_at, scale_at, basis, lower_at = _places(own, k)
    mu, scale, lower = floats_at(mu_at, n), floats_at(scale_at, n), floats_at(lower_at, r * r)
    z, noise, t = floats_at(own.z, n), floats_at(own.noise, n), floats_at(own.turned, r)
    for i in range(n):
        z[i] = noise[i]
    _turn(own, basis, own.z)
    for a in range(r - 1, -1, -1):
        total = 0.0
        for b in range(a + 1):
            total += lower[a * r + b] * t[b]
        t[a] = total
    _put_back(own, basis, own.z)
    for i in range(n):
        z[i] = mu[i] + scale[i] * z[i]


@kernel
def _logq_of(own: Record, k: int) -> float:
    """Return the log density of one path at the draw."""
    n, r = own.n, own.rank
    mu_at, scale_at, basis, lower_at = _places(own, k)
    mu, scale, lower = floats_at(mu_at, n), floats_at(scale_at, n), floats_at(lower_at, r * r)
    z, white, t = floats_at(own.z, n), floats_at(own.white, n), floats_at(own.turned, r)
    for i in range(n):
        white[i] = (z[i] - mu[i]) / scale[i]
    _turn(own, basis, own.white)
    half_log_det = sum_of_logs(scale_at, n)
    for a in range(r):
        for b in range(a):
            t[a] -= lower[a * r + b] * t[b]
        t[a] /= lower[a * r + a]
        half_log_det += math.log(lower[a * r + a])
    _put_back(own, basis, own.white)
    logq: float = -n * HALF_LOG_TWO_PI - half_log_det - 0.5 * sum_of_squares(own.white, n)
    return logq


@entry("int64(intp, intp)")
def draw(fit_address: int, own_address: int) -> int:
    """Choose a path by its weight, and turn noise into a draw of it; the density is that of the mixture."""
    fit, own = record_at(fit_address, Job), record_at(own_address, Own)
    weights, left, chosen = floats_at(own.parameters, own.paths), uniform(fit.words), 0
    for k in range(own.paths):
        if left >= 0.0 and weights[k] > 0.0:
            chosen = k
        left -= weights[k]
    _draw_of(own, chosen)
    largest, total = -np.inf, 0.0
    for k in range(own.paths):
        if weights[k] > 0.0:
            term = math.log(weights[k]) + _logq_of(own, k)
            if term > largest:
                largest, total = term, 1.0 + total * math.exp(largest - term)
            else:
                total += math.exp(term - largest)
    own.logq = largest + math.log(total)
    return 0


@entry("int64(intp, intp)")
def pull(fit_address: int, own_address: int) -> int:
    """Pull nothing back: no fit moves these parameters."""
    return 0


@dataclass(frozen=True)
class PathfinderFamily(Family):  # numpydoc ignore=PR02
    """A mixture of normal distributions that paths have found.

    Parameters
    ----------
    paths : int
        How many distributions.
    rank : int
        Directions of each, at most as many as there are coordinates.
    """

    paths: int = 1
    rank: int = 1
    names, state, draw, pull = ("pathfinder",), PATHFINDER, draw, pull
    supports_batched = False
    moves = False

    def __post_init__(self) -> None:
        count("paths", self.paths, 1, 2**20)
        count("rank", self.rank, 1, 2**20)

    @classmethod
    def of_parameters(cls, parameters: Mapping[str, Any]) -> Family:
        weights, directions = (numbers(f"params[{name!r}]", parameters[name]) for name in ("weights", "Q"))
        if directions.ndim < 2:
            raise ParametrizationError(
                f"params['Q'] must have shape (paths, rank, coordinates), got {directions.shape}."
            )
        return cls(max(1, weights.size), directions.shape[-2])

    def check(self, extent: Extent) -> None:
        super().check(extent)
        if self.rank > extent.n:
            raise ParametrizationError(f"rank must be at most {extent.n}, the number of coordinates, got {self.rank}.")

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        return ("weights", "mu", "scale", "Q", "L")

    def shapes(self, extent: Extent) -> dict[str, tuple[int, ...]]:
        k, n, r = self.paths, extent.n, self.rank
        return {"weights": (k,), "mu": (k, n), "scale": (k, n), "Q": (k, r, n), "L": (k, r, r)}

    def first_values(self, extent: Extent, mean: Floats, sigma: Floats) -> dict[str, Floats]:
        k, n, r = self.paths, extent.n, self.rank
        mu, scale, lower = np.tile(mean, (k, 1)), np.tile(sigma, (k, 1)), np.tile(np.eye(r), (k, 1, 1))
        return {"weights": np.full(k, 1.0 / k), "mu": mu, "scale": scale, "Q": np.zeros((k, r, n)), "L": lower}

    def initialise(self, own: Memory, extent: Extent) -> None:
        super().initialise(own, extent)
        own.paths, own.rank = self.paths, self.rank

    def normals(self, parameters: Parameters) -> list[Normal]:
        """Return the distributions."""
        return [Normal(*parts) for parts in zip(*(parameters[name] for name in ("mu", "scale", "Q", "L")), strict=True)]

    def flaw(self, parameters: Parameters) -> str:
        weights, q = parameters["weights"], parameters["Q"]
        products = q @ np.swapaxes(q, 1, 2)
        lengths = np.einsum("kii->ki", products)
        diagonals = np.einsum("kii->ki", parameters["L"])
        if (weights < 0.0).any() or abs(weights.sum() - 1.0) > _ROUNDING:
            return f"have weights that are negative or whose sum is not 1: {weights}"
        if (parameters["scale"] <= 0.0).any() or (diagonals <= 0.0).any():
            return "have scales or diagonals of L that are not positive"
        if np.abs(products - (lengths > 0.0)[..., None] * np.eye(self.rank)).max() > _ROUNDING:
            return "have rows of Q that are neither orthonormal nor zero"
        return ""

    def mean(self, parameters: Parameters) -> Floats:
        found: Floats = parameters["weights"] @ parameters["mu"]
        return found

    def std(self, parameters: Parameters) -> Floats:
        variances = np.array([normal.variances() for normal in self.normals(parameters)])
        apart = parameters["mu"] - self.mean(parameters)
        found: Floats = np.sqrt(parameters["weights"] @ (variances + apart**2))
        return found

    def cov(self, parameters: Parameters) -> Floats:
        weights, apart = parameters["weights"], parameters["mu"] - self.mean(parameters)
        found: Floats = (weights[:, None] * apart).T @ apart
        for weight, normal in zip(weights, self.normals(parameters), strict=True):
            found += weight * normal.cov()
        return found

"""Low rank: a normal distribution whose covariance is a diagonal and a few directions (Ong, Nott & Smith 2018)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbinfer.arguments import count
from nbinfer.compile import Record, entry, floats_at, kernel, record_at
from nbinfer.engine.state import Memory, State, floats
from nbinfer.errors import ParametrizationError
from nbinfer.variational.families.family import (
    GROUP,
    HALF_LOG_TWO_PI,
    PLAIN,
    Extent,
    Family,
    Floats,
    Parameters,
    inverse_softplus,
    per_coordinate,
    sigmoid,
    softplus,
    softplus_of,
    sum_of_logs,
)
from nbinfer.variational.families.normal import between_normals

LOW_RANK = State(
    base=GROUP,
    leads=True,
    fields={"rank": "i8"},
    work={
        "sigma": floats(per_coordinate),
        "weights": floats(per_coordinate),  # the inverse covariance times z - mu
        "capacity": floats(
            lambda family, extent: family.columns(extent) ** 2
        ),  # Cholesky factor of I + U^T U / sigma^2
        "small": floats(lambda family, extent: family.columns(extent)),
    },
)
Own = LOW_RANK.record

_RANK = 5


@kernel
def _factorise(own: Record) -> float:
    """Write the Cholesky factor of ``I + U^T diag(sigma)^-2 U``; return the log of its determinant, halved."""
    n, r = own.n, own.rank
    u, sigma = floats_at(own.parameters + 16 * n, n * r), floats_at(own.sigma, n)
    m = floats_at(own.capacity, r * r)
    half_log_det = 0.0
    for a in range(r):
        for b in range(a + 1):
            total = 1.0 if a == b else 0.0
            for i in range(n):
                total += u[i * r + a] * u[i * r + b] / (sigma[i] * sigma[i])
            for c in range(b):
                total -= m[a * r + c] * m[b * r + c]
            if a == b:
                m[a * r + a] = math.sqrt(total)
                half_log_det += math.log(m[a * r + a])
            else:
                m[a * r + b] = total / m[b * r + b]
    return half_log_det


@kernel
def _solve(own: Record) -> None:
    """Replace what stands in `small` by its product with the inverse of the matrix that was factorised."""
    r = own.rank
    m, x = floats_at(own.capacity, r * r), floats_at(own.small, r)
    for a in range(r):
        for b in range(a):
            x[a] -= m[a * r + b] * x[b]
        x[a] /= m[a * r + a]
    for a in range(r - 1, -1, -1):
        for b in range(a + 1, r):
            x[a] -= m[b * r + a] * x[b]
        x[a] /= m[a * r + a]


@kernel
def _weigh(own: Record) -> float:
    """Write the inverse covariance times ``z - mu``, by Woodbury's identity; return the product of the two."""
    n, r = own.n, own.rank
    mu, u = floats_at(own.parameters, n), floats_at(own.parameters + 16 * n, n * r)
    z, sigma, small = floats_at(own.z, n), floats_at(own.sigma, n), floats_at(own.small, r)
    weights = floats_at(own.weights, n)
    for a in range(r):
        small[a] = 0.0
        for i in range(n):
            small[a] += u[i * r + a] * (z[i] - mu[i]) / (sigma[i] * sigma[i])
    _solve(own)
    square = 0.0
    for i in range(n):
        rest = z[i] - mu[i]
        for a in range(r):
            rest -= u[i * r + a] * small[a]
        weights[i] = rest / (sigma[i] * sigma[i])
        square += weights[i] * (z[i] - mu[i])
    return square


@entry("int64(intp, intp)")
def draw(fit_address: int, own_address: int) -> int:
    """Turn noise into ``z = mu + sigma * noise + U more noise`` with ``sigma = softplus(rho)``."""
    own = record_at(own_address, Own)
    n, r = own.n, own.rank
    mu, rho = floats_at(own.parameters, n), floats_at(own.parameters + 8 * n, n)
    u, z = floats_at(own.parameters + 16 * n, n * r), floats_at(own.z, n)
    noise, sigma = floats_at(own.noise, n + r), floats_at(own.sigma, n)
    for i in range(n):
        sigma[i] = softplus(rho[i])
        z[i] = mu[i] + sigma[i] * noise[i]
        for a in range(r):
            z[i] += u[i * r + a] * noise[n + a]
    half_log_det = sum_of_logs(own.sigma, n) + _factorise(own)
    own.logq = -n * HALF_LOG_TWO_PI - half_log_det - 0.5 * _weigh(own)
    return 0


@kernel
def _add_at_rest(own: Record) -> None:
    """Add the derivative of minus log q whose coordinates stand still, with respect to sigma and U."""
    n, r = own.n, own.rank
    rho, u = floats_at(own.parameters + 8 * n, n), floats_at(own.parameters + 16 * n, n * r)
    to_rho, to_u = floats_at(own.gradient + 8 * n, n), floats_at(own.gradient + 16 * n, n * r)
    sigma, weights, small = floats_at(own.sigma, n), floats_at(own.weights, n), floats_at(own.small, r)
    for i in range(n):
        square = sigma[i] * sigma[i]
        for a in range(r):
            small[a] = u[i * r + a]
        _solve(own)
        inner = 0.0
        for a in range(r):
            inner += u[i * r + a] * small[a]
            to_u[i * r + a] += small[a] / square
        excess = 1.0 / square - inner / (square * square) - weights[i] * weights[i]
        to_rho[i] += excess * sigma[i] * sigmoid(rho[i])
    for a in range(r):
        along = 0.0
        for i in range(n):
            along += weights[i] * u[i * r + a]
        for i in range(n):
            to_u[i * r + a] -= weights[i] * along


@entry("int64(intp, intp)")
def pull(fit_address: int, own_address: int) -> int:
    """Pull a gradient back to mu, rho and U."""
    own = record_at(own_address, Own)
    n, r = own.n, own.rank
    rho, to_mu = floats_at(own.parameters + 8 * n, n), floats_at(own.gradient, n)
    to_rho, to_u = floats_at(own.gradient + 8 * n, n), floats_at(own.gradient + 16 * n, n * r)
    grad, noise, weights = floats_at(own.grad, n), floats_at(own.noise, n + r), floats_at(own.weights, n)
    for i in range(n):
        path = weights[i] if own.entropy != 0 else 0.0
        g = grad[i] + path
        to_mu[i] += grad[i] if own.entropy == PLAIN else g  # where it all moves along, log q stays
        to_rho[i] += g * noise[i] * sigmoid(rho[i])
        for a in range(r):
            to_u[i * r + a] += g * noise[n + a]
    if own.entropy == PLAIN:
        _add_at_rest(own)
    return 0


@dataclass(frozen=True)
class LowRankFamily(Family):  # numpydoc ignore=PR02
    """Normal numbers with mean mu and covariance diag(softplus(rho)^2) + U U^T.

    Parameters
    ----------
    rank : int, optional
        Number of directions, the columns of U. Default: 5, or as many as there are coordinates.
    """

    rank: int | None = None
    names, state, draw, pull = ("low_rank", "lr"), LOW_RANK, draw, pull
    supports_batched = False

    def __post_init__(self) -> None:
        if self.rank is not None:
            count("rank", self.rank, 1, 2**20)

    def columns(self, extent: Extent) -> int:
        """Return the number of directions."""
        return min(_RANK, extent.n) if self.rank is None else self.rank

    @classmethod
    def of_parameters(cls, parameters: Mapping[str, Any]) -> Family:
        return cls(rank=np.shape(parameters["U"])[-1])

    def n_noise(self, extent: Extent) -> int:
        return extent.n + self.columns(extent)

    def n_blended(self, extent: Extent) -> int:
        return 1 + self.columns(extent)

    def check(self, extent: Extent) -> None:
        super().check(extent)
        if self.columns(extent) > extent.n:
            raise ParametrizationError(f"rank must be at most {extent.n}, the number of coordinates, got {self.rank}.")

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        return ("mu", "rho", "U")

    def shapes(self, extent: Extent) -> dict[str, tuple[int, ...]]:
        return {"mu": (extent.n,), "rho": (extent.n,), "U": (extent.n, self.columns(extent))}

    def first_values(self, extent: Extent, mean: Floats, sigma: Floats) -> dict[str, Floats]:
        # Directions that are all zero would stay alike: these are small, and each leans on other coordinates.
        rank = self.columns(extent)
        directions = np.zeros((extent.n, rank))
        directions[np.arange(extent.n), np.arange(extent.n) % rank] = 0.1 * sigma
        return {"mu": mean, "rho": inverse_softplus(sigma * math.sqrt(1.0 - 0.1**2)), "U": directions}

    def initialise(self, own: Memory, extent: Extent) -> None:
        super().initialise(own, extent)
        own.rank = self.columns(extent)

    def cov(self, parameters: Parameters) -> Floats:
        directions = parameters["U"]
        found: Floats = np.diag(softplus_of(parameters["rho"]) ** 2) + directions @ directions.T
        return found

    def is_identified(self, extent: Extent) -> bool:
        return self.columns(extent) == 1  # several may be turned among themselves

    def divergence(self, parameters: Parameters, others: Parameters) -> float:
        (mean, cov), (other_mean, other_cov) = ((self.mean(p), self.cov(p)) for p in (parameters, others))
        return between_normals(mean, cov, other_mean, other_cov)

    def units(self, parameters: Parameters) -> dict[str, Floats]:
        units = super().units(parameters)
        return units | {"U": np.broadcast_to(units["mu"][:, None], parameters["U"].shape)}

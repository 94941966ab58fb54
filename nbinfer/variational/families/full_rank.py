"""Full rank: one normal distribution with any covariance (Kucukelbir et al. 2017), or one for each row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbinfer.compile import entry, floats_at, record_at
from nbinfer.engine.state import State, floats
from nbinfer.variational.families.family import (
    GROUP,
    HALF_LOG_TWO_PI,
    PLAIN,
    STL,
    Extent,
    Family,
    Floats,
    Parameters,
    log_scale,
    per_coordinate,
)
from nbinfer.variational.families.normal import between_normals

FULL_RANK = State(base=GROUP, leads=True, work={"solved": floats(per_coordinate)})
Own = FULL_RANK.record


@entry("int64(intp, intp)")
def draw(fit_address: int, own_address: int) -> int:
    """Turn noise into ``z = mu + L noise``; L lies row by row, up to its diagonal, whose signs mean nothing."""
    own = record_at(own_address, Own)
    n = own.n
    width = n // own.rows
    triangle = width * (width + 1) // 2
    mu, factors = floats_at(own.parameters, n), floats_at(own.parameters + 8 * n, own.rows * triangle)
    z, noise = floats_at(own.z, n), floats_at(own.noise, n)
    logq = -n * HALF_LOG_TWO_PI
    k = 0
    for row in range(own.rows):
        first = row * width
        for i in range(first, first + width):
            total = mu[i]
            for j in range(first, i + 1):
                total += factors[k] * noise[j]
                k += 1
            z[i] = total
            logq -= 0.5 * noise[i] * noise[i] + log_scale(abs(factors[k - 1]))
    own.logq = logq
    return 0


@entry("int64(intp, intp)")
def pull(fit_address: int, own_address: int) -> int:
    """Pull a gradient back to mu and L."""
    own = record_at(own_address, Own)
    n = own.n
    width = n // own.rows
    triangle = width * (width + 1) // 2
    factors, to_mu = floats_at(own.parameters + 8 * n, own.rows * triangle), floats_at(own.gradient, n)
    to_factors = floats_at(own.gradient + 8 * n, own.rows * triangle)
    grad, noise, solved = floats_at(own.grad, n), floats_at(own.noise, n), floats_at(own.solved, n)
    for i in range(n):
        solved[i] = noise[i] if own.entropy == STL else 0.0
    k = own.rows * triangle
    for row in range(own.rows - 1, -1, -1):
        first = row * width
        for i in range(first + width - 1, first - 1, -1):
            k -= i - first + 1  # where row i of L begins
            diagonal = factors[k + i - first]
            solved[i] /= diagonal  # L^T solved = noise, from the last to the first
            g = grad[i] + solved[i]
            to_mu[i] += g
            for j in range(first, i):
                solved[j] -= factors[k + j - first] * solved[i]
                to_factors[k + j - first] += g * noise[j]
            to_factors[k + i - first] += g * noise[i] + (1.0 / diagonal if own.entropy == PLAIN else 0.0)
    return 0


@dataclass(frozen=True)
class FullRankFamily(Family):
    """Normal numbers with mean mu and covariance L L^T; L_tril holds L row by row, up to its diagonal."""

    names, state, draw, pull = ("full_rank", "fr"), FULL_RANK, draw, pull

    def n_blended(self, extent: Extent) -> int:
        return extent.width

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        return ("mu", "L_tril")

    def shapes(self, extent: Extent) -> dict[str, tuple[int, ...]]:
        triangle = extent.width * (extent.width + 1) // 2
        rows = () if extent.rows == 1 else (extent.rows,)
        return {"mu": (*rows, extent.width), "L_tril": (*rows, triangle)}

    def first_values(self, extent: Extent, mean: Floats, sigma: Floats) -> dict[str, Floats]:
        i, j = np.tril_indices(extent.width)
        rows = np.where(i == j, sigma.reshape(extent.rows, -1)[:, i], 0.0)
        return {"mu": mean, "L_tril": rows}

    def factor(self, parameters: Parameters) -> Floats:
        """Return L, shape (n, n)."""
        mu, rows = np.atleast_2d(parameters["mu"]), np.atleast_2d(parameters["L_tril"])
        width, n = mu.shape[1], mu.size
        i, j = np.tril_indices(width)
        factor = np.zeros((n, n))
        for row, values in enumerate(rows):
            factor[row * width + i, row * width + j] = values
        return factor

    def cov(self, parameters: Parameters) -> Floats:
        factor = self.factor(parameters)
        return factor @ factor.T

    def divergence(self, parameters: Parameters, others: Parameters) -> float:
        (mean, cov), (other_mean, other_cov) = ((self.mean(p), self.cov(p)) for p in (parameters, others))
        return between_normals(mean, cov, other_mean, other_cov)

    def units(self, parameters: Parameters) -> dict[str, Floats]:
        units = super().units(parameters)
        rows = np.tril_indices(parameters["mu"].shape[-1])[0]
        return units | {"L_tril": units["mu"][..., rows]}

"""Mean field: independent normal numbers (Kucukelbir et al. 2017, ADVI)."""

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
    inverse_softplus,
    per_coordinate,
    sigmoid,
    softplus,
    softplus_of,
    sum_of_logs,
    sum_of_squares,
)
from nbinfer.variational.families.normal import between_independent

MEAN_FIELD = State(base=GROUP, leads=True, work={"sigma": floats(per_coordinate)})
Own = MEAN_FIELD.record


@entry("int64(intp, intp)")
def draw(fit_address: int, own_address: int) -> int:
    """Turn noise into ``z = mu + sigma * noise`` with ``sigma = softplus(rho)``."""
    own = record_at(own_address, Own)
    n = own.n
    mu, rho = floats_at(own.parameters, n), floats_at(own.parameters + 8 * n, n)
    z, noise, sigma = floats_at(own.z, n), floats_at(own.noise, n), floats_at(own.sigma, n)
    for i in range(n):
        sigma[i] = softplus(rho[i])
        z[i] = mu[i] + sigma[i] * noise[i]
    own.logq = -n * HALF_LOG_TWO_PI - 0.5 * sum_of_squares(own.noise, n) - sum_of_logs(own.sigma, n)
    return 0


@entry("int64(intp, intp)")
def pull(fit_address: int, own_address: int) -> int:
    """Pull a gradient back to mu and rho."""
    own = record_at(own_address, Own)
    n = own.n
    rho, to_mu, to_rho = (
        floats_at(own.parameters + 8 * n, n),
        floats_at(own.gradient, n),
        floats_at(own.gradient + 8 * n, n),
    )
    grad, noise, sigma = floats_at(own.grad, n), floats_at(own.noise, n), floats_at(own.sigma, n)
    for i in range(n):
        g = grad[i]
        if own.entropy == STL:
            g += noise[i] / sigma[i]
        slope = g * noise[i]
        if own.entropy == PLAIN:
            slope += 1.0 / sigma[i]
        to_mu[i] += g
        to_rho[i] += slope * sigmoid(rho[i])
    return 0


@dataclass(frozen=True)
class MeanFieldFamily(Family):
    """Independent normal numbers: mu, and rho whose softplus is the standard deviation."""

    names, state, draw, pull = ("mean_field", "mf"), MEAN_FIELD, draw, pull

    def n_blended(self, extent: Extent) -> int:
        return 1

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        return ("mu", "rho")

    def shapes(self, extent: Extent) -> dict[str, tuple[int, ...]]:
        shape = (extent.n,) if extent.rows == 1 else (extent.rows, extent.width)
        return {"mu": shape, "rho": shape}

    def first_values(self, extent: Extent, mean: Floats, sigma: Floats) -> dict[str, Floats]:
        return {"mu": mean, "rho": inverse_softplus(sigma)}

    def cov(self, parameters: Parameters) -> Floats:
        return np.diag(self.std(parameters) ** 2)

    def std(self, parameters: Parameters) -> Floats:
        return np.ravel(softplus_of(parameters["rho"]))

    def divergence(self, parameters: Parameters, others: Parameters) -> float:
        (mean, std), (other_mean, other_std) = ((self.mean(p), self.std(p)) for p in (parameters, others))
        return between_independent(mean, std, other_mean, other_std)

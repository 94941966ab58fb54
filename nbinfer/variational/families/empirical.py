"""Empirical: draws that there are already, each as likely as any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbinfer.arguments import count
from nbinfer.compile import entry, floats_at, record_at
from nbinfer.engine.job import Job
from nbinfer.engine.state import Memory, State
from nbinfer.random import uniform
from nbinfer.variational.families.family import GROUP, Extent, Family, Floats, Parameters

EMPIRICAL = State(base=GROUP, leads=True, fields={"n_rows": "i8", "chosen": "i8"})
Own = EMPIRICAL.record


@entry("int64(intp, intp)")
def draw(fit_address: int, own_address: int) -> int:
    """Take one of the rows."""
    fit, own = record_at(fit_address, Job), record_at(own_address, Own)
    own.chosen = min(int(uniform(fit.words) * own.n_rows), own.n_rows - 1)
    row, z = floats_at(own.parameters + 8 * own.n * own.chosen, own.n), floats_at(own.z, own.n)
    for i in range(own.n):
        z[i] = row[i]
    own.logq = np.nan
    return 0


@entry("int64(intp, intp)")
def pull(fit_address: int, own_address: int) -> int:
    """Pull a gradient back to the row that was drawn."""
    own = record_at(own_address, Own)
    to_row, grad = floats_at(own.gradient + 8 * own.n * own.chosen, own.n), floats_at(own.grad, own.n)
    for i in range(own.n):
        to_row[i] += grad[i]
    return 0


@dataclass(frozen=True)
class EmpiricalFamily(Family):  # numpydoc ignore=PR02
    """The rows of a histogram.

    Parameters
    ----------
    size : int
        Number of rows.
    """

    size: int = 1
    names, state, draw, pull = ("empirical",), EMPIRICAL, draw, pull
    has_logq = False
    supports_batched = False

    def __post_init__(self) -> None:
        count("size", self.size, 1, 2**40)

    @classmethod
    def of_parameters(cls, parameters: Mapping[str, Any]) -> Family:
        return cls(size=len(parameters["histogram"]))

    def n_noise(self, extent: Extent) -> int:
        return 0

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        return ("histogram",)

    def shapes(self, extent: Extent) -> dict[str, tuple[int, ...]]:
        return {"histogram": (self.size, extent.n)}

    def first_values(self, extent: Extent, mean: Floats, sigma: Floats) -> dict[str, Floats]:
        return {"histogram": np.tile(mean, (self.size, 1))}

    def initialise(self, own: Memory, extent: Extent) -> None:
        super().initialise(own, extent)
        own.n_rows = self.size

    def mean(self, parameters: Parameters) -> Floats:
        found: Floats = parameters["histogram"].mean(axis=0)
        return found

    def cov(self, parameters: Parameters) -> Floats:
        apart = parameters["histogram"] - self.mean(parameters)
        found: Floats = apart.T @ apart / len(apart)
        return found

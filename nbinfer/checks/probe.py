"""Points at which a model is tried out: where chains would begin, and draws from its prior."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.engine import dispersed
from nbinfer.errors import ModelError
from nbinfer.model import Model
from nbinfer.model.bound import Bound
from nbinfer.model.code.of_draws import called
from nbinfer.model.definition import Definition
from nbinfer.model.generative.priors import prior_draws_of

#: Points of each kind.
COUNT = 16

Floats = NDArray[np.float64]


class Point(NamedTuple):
    """A position, and what the density is there."""

    q: Floats
    discrete: NDArray[np.int64]
    logp: float
    grad: Floats

    @property
    def is_finite(self) -> bool:
        """Whether the density is."""
        return bool(np.isfinite(self.logp))


class Probe:
    """A bound model, and the points at which it has been evaluated.

    Attributes
    ----------
    model : Model
    bound : Bound
    near : list of Point
        Where chains would begin without anything given: coordinates in U(-1, 1), discrete values all over their
        support.
    from_prior : list of Point
        Draws from the prior; none where it is not known how to draw from it.
    """

    def __init__(self, model: Model, bound: Bound, key: NDArray[np.uint64], rng: np.random.Generator) -> None:
        self.model, self.bound = model, bound
        groups = [p.q for p in model.layout.continuous]
        self.near = [
            self.at(
                dispersed.coordinates(key, number, 0, groups, bound.dim),
                dispersed.discrete_values(model.layout, key, number, 0)[: bound.n_discrete],
            )
            for number in range(COUNT)
        ]
        self.from_prior = list(self._drawn(rng))

    def at(self, q: Floats, discrete: NDArray[np.int64]) -> Point:
        """Evaluate the density at a position."""
        return Point(q, discrete, *self.bound.value_and_grad(q, discrete))

    @property
    def finite(self) -> list[Point]:
        """Those near the initial point at which the density is finite, the likeliest first."""
        return sorted((point for point in self.near if point.is_finite), key=lambda point: -point.logp)

    def _drawn(self, rng: np.random.Generator) -> Iterator[Point]:
        layout = self.model.layout
        for values in prior_draws(self.model.definition, COUNT, rng):
            try:
                discrete = layout.discrete_values(values)[: self.bound.n_discrete]
                yield self.at(np.asarray(self.model.unconstrain(values)), discrete)
            except ModelError:  # on the border of a support, as rounding has it
                continue


def prior_draws(definition: Definition, count: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Draw all parameters from the prior, in plain Python; no draw if nothing is known that draws them."""
    try:
        found = prior_draws_of(definition)
    except ModelError:
        return []
    if found.reasons or found.improper:
        return []
    draws = []
    for _ in range(count):
        values = dict(definition.layout.image(np.zeros(definition.dim), definition.data_tuple)[0])
        for name in (name for stage in found.stages for name in stage):
            values[name] = called(found.functions[name], (*definition.arguments(values), rng), f"prior_draw {name!r}")
        draws.append(values)
    return draws


def improper(definition: Definition) -> list[str]:
    """Say of which parameters the prior is no probability distribution."""
    try:
        found = prior_draws_of(definition).improper
    except ModelError:
        return []
    return [f"The prior of {name!r} is no probability distribution: {why}." for name, why in found.items()]

"""Normalizing flows as a family: standard normal noise, pushed through layers (Rezende & Mohamed 2015)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nbinfer.arguments import from_zero
from nbinfer.compile import entry, record_at
from nbinfer.compile.forks import cached_property
from nbinfer.engine.state import Inner, Memory, State
from nbinfer.errors import ParametrizationError
from nbinfer.random import generator, key_of, seed_sequences
from nbinfer.variational.families.family import (
    GROUP,
    HALF_LOG_TWO_PI,
    PLAIN,
    Extent,
    Family,
    Floats,
    Parameters,
    inverse_softplus,
    sum_of_squares,
)
from nbinfer.variational.flows.affine import LocFlow, ScaleFlow
from nbinfer.variational.flows.flow import AbstractFlow
from nbinfer.variational.flows.formula import Formula
from nbinfer.variational.flows.layer import refuse_too_few
from nbinfer.variational.flows.stack import Stack, Stack_, pull_layers, push_layers

FLOW = State(base=GROUP, leads=True, parts={"stack": Inner(lambda family: family.stack)})
Own = FLOW.record

#: Draws that moments rest on, which come in pairs of opposite noise.
MOMENT_DRAWS = 4096
#: So many of them, and their opposites, are in memory at a time.
_PIECE = 256


@entry("int64(intp, intp)")
def draw(fit_address: int, own_address: int) -> int:
    """Push noise through all layers."""
    own = record_at(own_address, Own)
    status = push_layers(own.stack)
    logdet = record_at(own.stack, Stack_).logdet
    own.logq = -own.n * HALF_LOG_TWO_PI - 0.5 * sum_of_squares(own.noise, own.n) - logdet
    return status


@entry("int64(intp, intp)")
def pull(fit_address: int, own_address: int) -> int:
    """Pull a gradient back through all layers; minus log q has their log-determinants with weight 1."""
    own = record_at(own_address, Own)
    return pull_layers(own.stack, 1.0 if own.entropy == PLAIN else 0.0)


@dataclass(frozen=True)
class NormalizingFlowFamily(Family):  # numpydoc ignore=PR02
    """What layers of a formula make of standard normal numbers.

    Parameters
    ----------
    flow : str
        The formula.
    jitter : float
        Standard deviation of first values, but for those of loc and scale, which begin at start and start_sigma.
    extent : Extent, optional
        What it spans, once that is known.
    """

    flow: str = "scale-loc"
    jitter: float = 1.0
    extent: Extent | None = None
    names, state, draw, pull = ("normalizing_flow",), FLOW, draw, pull
    estimators = ("plain",)

    def __post_init__(self) -> None:
        from_zero("jitter", self.jitter)
        object.__setattr__(self, "flow", Formula(self.flow).formula)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.flow, self.jitter, self.extent)

    @classmethod
    def of_parameters(cls, parameters: Mapping[Any, Any]) -> Family:
        return cls(Formula.of_params(parameters).formula)

    @cached_property
    def stack(self) -> Stack:
        """The layers."""
        return Stack(Formula(self.flow).flows)

    def spanning(self, extent: Extent) -> Family:
        return replace(self, extent=extent)

    def check(self, extent: Extent) -> None:
        super().check(extent)
        for kind in self.stack.kinds:
            refuse_too_few(kind, extent.width)

    def check_start(self, start: bool, start_sigma: bool) -> None:
        for name, given, kind in (("start", start, LocFlow), ("start_sigma", start_sigma, ScaleFlow)):
            if given and kind not in self.stack.kinds:
                word = kind.short_name
                raise ParametrizationError(
                    f"{name} has no place in {self.flow!r}, which has no {word}; add one, '{self.flow}-{word}'."
                )

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        return ()  # as the formula has it

    @classmethod
    def flattened(cls, given: Mapping[Any, Any]) -> dict[str, Any]:
        return {f"{k}.{name}": value for k in sorted(given) for name, value in given[k].items()}

    def specification(self, extent: Extent) -> dict[Any, Any]:
        return dict(Formula(self.flow).get_param_spec_for(extent.width, extent.rows))

    def shapes(self, extent: Extent) -> dict[str, tuple[int, ...]]:
        return self.stack.shapes(extent)

    def first_values(self, extent: Extent, mean: Floats, sigma: Floats) -> dict[str, Floats]:
        """Return zeros, but for the last loc and scale: they are as wanted, as far as layers between them allow."""
        found = {name: np.zeros(shape) for name, shape in self.shapes(extent).items()}
        placed = scaled = False
        for k, kind in reversed(list(enumerate(self.stack.kinds))):
            if kind is LocFlow and not placed:
                found[f"{k}.loc"], placed = mean, True
            elif kind is ScaleFlow:
                scale = np.ones_like(sigma) if scaled else sigma
                found[f"{k}.rho"], scaled = inverse_softplus(scale), True
                mean = mean if placed else mean / scale
        return found

    def drawn_values(self, extent: Extent, rng: np.random.Generator) -> dict[str, Floats]:
        shapes, found = self.shapes(extent), {}
        for k, kind in enumerate(self.stack.kinds):
            for name, spread in kind.spread(extent.width, self.stack.turns[k]).items():
                found[f"{k}.{name}"] = self.jitter * spread * rng.standard_normal(shapes[f"{k}.{name}"])
        return found

    def initialise(self, own: Memory, extent: Extent) -> None:
        super().initialise(own, extent)
        self.stack.initialise(own.stack, extent)

    def connect(self, own: Memory) -> None:
        ends = [int(own.record[name]) for name in ("noise", "z", "grad")]
        extent = Extent(int(own.n), int(own.rows))
        self.stack.connect(own.stack, extent, int(own.parameters), int(own.gradient), ends)

    @property
    def entries(self) -> list[Any]:
        return [entry for kind in self.stack.kinds for entry in (kind.push, kind.pull)]

    def flow_of(self, params: Mapping[str, Any]) -> AbstractFlow:
        """Return the flow that has these parameters, which it shares.

        Parameters
        ----------
        params : mapping of str to Shared
        """
        assert self.extent is not None
        by_layer = {k: self.stack.of_layer(params, k) for k in range(len(self.stack.kinds))}
        rows = None if self.extent.rows == 1 else self.extent.rows
        return Formula(self.flow)(dim=self.extent.width, params=by_layer, batch_size=rows)

    # ---- moments

    def _images(self, parameters: Parameters, points: Floats) -> Floats:
        """Return where points come out, shape (points, n)."""
        assert self.extent is not None
        return self.stack.passed(self.extent, parameters, points)[0]

    @property
    def _is_affine(self) -> bool:
        return all(kind.is_affine for kind in self.stack.kinds)

    def noise_of_moments(self) -> Iterator[Floats]:
        """Yield noise that moments rest on, in pieces: of affine flows each coordinate, else draws of a fixed stream.

        Each comes with its opposite.
        """
        assert self.extent is not None
        n, rng = self.extent.n, generator(key_of(seed_sequences(0, 1)[0]))
        for first in range(0, n if self._is_affine else MOMENT_DRAWS // 2, _PIECE):
            if self._is_affine:
                half = np.eye(min(_PIECE, n - first), n, first) * np.sqrt(n)
            else:
                half = rng.standard_normal((_PIECE, n))
            yield np.vstack([half, -half])

    def _moments(self, parameters: Parameters, squared: Callable[[Floats], Any]) -> tuple[Floats, Any]:
        """Return means of what lies between draws and the centre, and of what is made of its squares."""
        centre, count = self.centre(parameters), 0
        first: Any = 0.0
        second: Any = 0.0
        for noise in self.noise_of_moments():
            apart = self._images(parameters, noise) - centre
            first, second, count = first + apart.sum(axis=0), second + squared(apart), count + len(apart)
        return first / count, second / count

    def flaw(self, parameters: Parameters) -> str:
        assert self.extent is not None
        logdets = self.stack.passed(self.extent, parameters, np.zeros((1, self.extent.n)))[1][:, 0]
        bad = np.flatnonzero(~np.isfinite(logdets))
        return (
            f"make layer {bad[0]}, {self.stack.kinds[bad[0]].short_name}, no map that has a way back"
            if bad.size
            else ""
        )

    def centre(self, parameters: Parameters) -> Floats:
        assert self.extent is not None
        found: Floats = self._images(parameters, np.zeros((1, self.extent.n)))[0]
        return found

    def mean(self, parameters: Parameters) -> Floats:
        """Return the mean: of 4096 draws, always the same noise, unless all layers are affine."""
        centre = self.centre(parameters)
        if self._is_affine:
            return centre
        found: Floats = centre + self._moments(parameters, lambda apart: 0.0)[0]
        return found

    def cov(self, parameters: Parameters) -> Floats:
        """Return the covariance, of the same draws."""
        mean, products = self._moments(parameters, lambda apart: apart.T @ apart)
        found: Floats = products - np.outer(mean, mean)
        return found

    def std(self, parameters: Parameters) -> Floats:
        """Return the standard deviations, of the same draws."""
        mean, squares = self._moments(parameters, lambda apart: np.sum(apart * apart, axis=0))
        found: Floats = np.sqrt(squares - mean * mean)
        return found

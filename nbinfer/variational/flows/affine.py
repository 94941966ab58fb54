"""Layers that stretch and shift."""

from __future__ import annotations

from typing import Any

from nbinfer.compile import entry, floats_at, record_at
from nbinfer.variational.families.family import log_scale, sigmoid, softplus, softplus_of
from nbinfer.variational.flows.flow import AbstractFlow
from nbinfer.variational.flows.layer import Floats, Layer_, Shapes


@entry("int64(intp, intp)")
def _push_loc(stack_address: int, own_address: int) -> int:
    """Write ``y = x + loc``."""
    own = record_at(own_address, Layer_)
    n = own.n
    x, y, loc = floats_at(own.x, n), floats_at(own.y, n), floats_at(own.parameters, n)
    for i in range(n):
        y[i] = x[i] + loc[i]
    own.logdet = 0.0
    return 0


@entry("int64(intp, intp)")
def _pull_loc(stack_address: int, own_address: int) -> int:
    """Pull a gradient back to loc; that of x is that of y."""
    own = record_at(own_address, Layer_)
    to_loc, to_y = floats_at(own.gradient, own.n), floats_at(own.adjoint, own.n)
    for i in range(own.n):
        to_loc[i] += to_y[i]
    return 0


class LocFlow(AbstractFlow):
    """Shift: ``y = x + loc``."""

    short_name, push, pull = "loc", _push_loc, _pull_loc
    is_affine = True

    @classmethod
    def shapes(cls, width: int, turn: int = 0) -> Shapes:
        return {"loc": (width,)}

    @classmethod
    def spread(cls, width: int, turn: int = 0) -> dict[str, float]:
        return {}

    @classmethod
    def inverse(cls, y: Floats, parameters: dict[str, Floats], turn: int = 0) -> Floats:
        return y - parameters["loc"]


@entry("int64(intp, intp)")
def _push_scale(stack_address: int, own_address: int) -> int:
    """Write ``y = x * softplus(rho)``."""
    own = record_at(own_address, Layer_)
    n = own.n
    x, y, rho = floats_at(own.x, n), floats_at(own.y, n), floats_at(own.parameters, n)
    own.logdet = 0.0
    for i in range(n):
        scale = softplus(rho[i])
        y[i] = x[i] * scale
        own.logdet += log_scale(scale)
    return 0


@entry("int64(intp, intp)")
def _pull_scale(stack_address: int, own_address: int) -> int:
    """Pull a gradient back to rho and x."""
    own = record_at(own_address, Layer_)
    n = own.n
    x, rho = floats_at(own.x, n), floats_at(own.parameters, n)
    to_y, to_rho = floats_at(own.adjoint, n), floats_at(own.gradient, n)
    for i in range(n):
        scale = softplus(rho[i])
        to_rho[i] += (to_y[i] * x[i] + own.weight / scale) * sigmoid(rho[i])
        to_y[i] *= scale
    return 0


class ScaleFlow(AbstractFlow):
    """Stretch: ``y = x * softplus(rho)``."""

    short_name, push, pull = "scale", _push_scale, _pull_scale
    is_affine = True

    @classmethod
    def shapes(cls, width: int, turn: int = 0) -> Shapes:
        return {"rho": (width,)}

    @classmethod
    def spread(cls, width: int, turn: int = 0) -> dict[str, float]:
        return {}

    @classmethod
    def inverse(cls, y: Floats, parameters: dict[str, Floats], turn: int = 0) -> Floats:
        found: Any = y / softplus_of(parameters["rho"])
        return found  # type: ignore[no-any-return]

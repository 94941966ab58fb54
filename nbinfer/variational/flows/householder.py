"""Householder layers: reflections, of which several make any rotation (Tomczak & Welling 2016)."""

from __future__ import annotations

import numpy as np

from nbinfer.compile import entry, floats_at, record_at
from nbinfer.variational.flows.flow import AbstractFlow
from nbinfer.variational.flows.layer import TINY, Floats, Layer_, Shapes


@entry("int64(intp, intp)")
def _push(stack_address: int, own_address: int) -> int:
    """Write ``y = x - 2 v (v.x) / |v|^2``; x itself where v is 0."""
    own = record_at(own_address, Layer_)
    n = own.n
    width = n // own.rows
    x, y, v = floats_at(own.x, n), floats_at(own.y, n), floats_at(own.parameters, n)
    for first in range(0, n, width):
        square = along = 0.0
        for i in range(first, first + width):
            square += v[i] * v[i]
            along += v[i] * x[i]
        factor = 2.0 * along / square if square > TINY else 0.0
        for i in range(first, first + width):
            y[i] = x[i] - factor * v[i]
    own.logdet = 0.0
    return 0


@entry("int64(intp, intp)")
def _pull(stack_address: int, own_address: int) -> int:
    """Pull a gradient back to v and x."""
    own = record_at(own_address, Layer_)
    n = own.n
    width = n // own.rows
    x, v = floats_at(own.x, n), floats_at(own.parameters, n)
    to_y, to_v = floats_at(own.adjoint, n), floats_at(own.gradient, n)
    for first in range(0, n, width):
        square = along = slope = 0.0
        for i in range(first, first + width):
            square += v[i] * v[i]
            along += v[i] * x[i]
            slope += v[i] * to_y[i]
        if square > TINY:
            along, slope = along / square, slope / square
            for i in range(first, first + width):
                to_v[i] += 4.0 * along * slope * v[i] - 2.0 * (slope * x[i] + along * to_y[i])
                to_y[i] -= 2.0 * slope * v[i]
    return 0


class HouseholderFlow(AbstractFlow):
    """Reflect: ``y = x - 2 v (v.x) / |v|^2`` [1]_.

    References
    ----------
    .. [1] J. M. Tomczak and M. Welling, "Improving variational auto-encoders using Householder flow",
       arXiv:1611.09630 (2016).
    """

    short_name, push, pull = "hh", _push, _pull
    is_affine = True
    least = 2  # of one coordinate nothing changes but the sign

    @classmethod
    def shapes(cls, width: int, turn: int = 0) -> Shapes:
        return {"v": (width,)}

    @classmethod
    def inverse(cls, y: Floats, parameters: dict[str, Floats], turn: int = 0) -> Floats:
        v = parameters["v"]
        square = v @ v
        return y - np.outer(y @ v, 2.0 * v / square) if square > TINY else y

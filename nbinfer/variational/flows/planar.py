"""Planar layers: steps along one direction whose length depends on another (Rezende & Mohamed 2015)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import entry, floats_at, kernel, record_at
from nbinfer.variational.families.family import sigmoid, softplus, softplus_of
from nbinfer.variational.flows.flow import AbstractFlow
from nbinfer.variational.flows.layer import TINY, Floats, Layer_, Shapes

#: Halvings of the interval in which an inverse is sought: then it is as short as doubles are apart.
_HALVINGS = 1100


@kernel
def _products(u: Floats, w: Floats, first: int, end: int) -> tuple[float, float]:
    """Return w.u and |w|^2 of a row; 0 for a square that has lost digits."""
    along = square = 0.0
    for i in range(first, end):
        along += w[i] * u[i]
        square += w[i] * w[i]
    return along, square if square > TINY else 0.0


@kernel
def _bent(along: float, square: float) -> tuple[float, float]:
    """Return 1 + w.u', where u' is u bent such that this is positive, and by how much of w u is moved to u'."""
    if square == 0.0:
        return 1.0 + along, 0.0
    one_more = softplus(along)
    return one_more, (one_more - 1.0 - along) / square


@kernel
def _slope(h: float) -> float:
    """Return 1 - tanh(h)^2, with all digits."""
    e = math.exp(-2.0 * abs(h))
    return 4.0 * e / ((1.0 + e) * (1.0 + e))


@entry("int64(intp, intp)")
def _push(stack_address: int, own_address: int) -> int:
    """Write ``y = x + u' tanh(w.x + b)``."""
    own = record_at(own_address, Layer_)
    n = own.n
    width = n // own.rows
    x, y = floats_at(own.x, n), floats_at(own.y, n)
    u, w, b = (
        floats_at(own.parameters, n),
        floats_at(own.parameters + 8 * n, n),
        floats_at(own.parameters + 16 * n, own.rows),
    )
    own.logdet = 0.0
    for row in range(own.rows):
        first, end = row * width, (row + 1) * width
        along, square = _products(u, w, first, end)
        one_more, moved = _bent(along, square)
        h = b[row]
        for i in range(first, end):
            h += w[i] * x[i]
        t, s = math.tanh(h), _slope(h)
        for i in range(first, end):
            y[i] = x[i] + t * (u[i] + moved * w[i])
        own.logdet += math.log(abs(t * t + s * one_more))  # 1 + s w.u', and nothing cancels
    return 0


@entry("int64(intp, intp)")
def _pull(stack_address: int, own_address: int) -> int:
    """Pull a gradient back to u, w, b and x."""
    own = record_at(own_address, Layer_)
    n = own.n
    width = n // own.rows
    x, to_y = floats_at(own.x, n), floats_at(own.adjoint, n)
    u, w, b = (
        floats_at(own.parameters, n),
        floats_at(own.parameters + 8 * n, n),
        floats_at(own.parameters + 16 * n, own.rows),
    )
    to_u, to_w, to_b = (
        floats_at(own.gradient, n),
        floats_at(own.gradient + 8 * n, n),
        floats_at(own.gradient + 16 * n, own.rows),
    )
    for row in range(own.rows):
        first, end = row * width, (row + 1) * width
        along, square = _products(u, w, first, end)
        one_more, moved = _bent(along, square)
        h, g_u, g_w = b[row], 0.0, 0.0
        for i in range(first, end):
            h += w[i] * x[i]
            g_u += to_y[i] * u[i]
            g_w += to_y[i] * w[i]
        t, s = math.tanh(h), _slope(h)
        share = own.weight / (t * t + s * one_more)
        to_h = s * (g_u + moved * g_w) - 2.0 * t * s * (one_more - 1.0) * share
        to_along = s * share  # what w.u' changes of the log-determinant
        if square > 0.0:
            bend = sigmoid(along)
            to_along = to_along * bend + t * g_w / square * (bend - 1.0)
        for i in range(first, end):
            to_u[i] += t * to_y[i] + to_along * w[i]
            to_w[i] += to_h * x[i] + to_along * u[i] + moved * t * to_y[i]
            if square > 0.0:
                to_w[i] -= 2.0 * moved * t * g_w / square * w[i]
            to_y[i] += to_h * w[i]
        to_b[row] += to_h
    return 0


class PlanarFlow(AbstractFlow):
    """Step along one direction: ``y = x + u' tanh(w.x + b)`` [1]_.

    ``u'`` is u moved along w such that ``w.u' = softplus(w.u) - 1``, which is above -1 and thereby makes the map
    invertible.

    References
    ----------
    .. [1] D. J. Rezende and S. Mohamed, "Variational inference with normalizing flows", ICML (2015).
    """

    short_name, push, pull = "planar", _push, _pull

    @classmethod
    def shapes(cls, width: int, turn: int = 0) -> Shapes:
        return {"u": (width,), "w": (width,), "b": ()}

    @classmethod
    def inverse(cls, y: Floats, parameters: dict[str, Floats], turn: int = 0) -> Floats:
        """Return the points whose images are given: what w.x is, is sought by halving an interval."""
        u, w, b = parameters["u"], parameters["w"], parameters["b"]
        along, square = float(w @ u), float(w @ w)
        square = square if square > TINY else 0.0
        one_more = float(softplus_of(along)) if square else 1.0 + along
        bent = u + ((one_more - 1.0 - along) / square if square else 0.0) * w
        target, step = y @ w, one_more - 1.0
        low, high = target - abs(step), target + abs(step)
        middle: Any = target
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            above = middle + step * np.tanh(middle + b) > target
            if ((middle == low) | (middle == high)).all():
                break
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return y - np.outer(np.tanh(middle + b), bent)

"""Radial layers: points move towards a centre, or away from it (Rezende & Mohamed 2015)."""

from __future__ import annotations

import math

import numpy as np

from nbinfer.compile import entry, floats_at, kernel, record_at
from nbinfer.variational.families.family import sigmoid, softplus, softplus_of
from nbinfer.variational.flows.flow import AbstractFlow
from nbinfer.variational.flows.layer import Floats, Layer_, Shapes


@kernel
def _distance(x: Floats, centre: Floats, first: int, end: int) -> float:
    """Return how far a row is from the centre."""
    total = 0.0
    for i in range(first, end):
        total += (x[i] - centre[i]) * (x[i] - centre[i])
    return math.sqrt(total)


@entry("int64(intp, intp)")
def _push(stack_address: int, own_address: int) -> int:
    """Write ``y = x + (x - centre) beta / (alpha + r)``; with ``beta = least - alpha`` nothing cancels."""
    own = record_at(own_address, Layer_)
    n, rows = own.n, own.rows
    width = n // rows
    x, y = floats_at(own.x, n), floats_at(own.y, n)
    a, b = floats_at(own.parameters, rows), floats_at(own.parameters + 8 * rows, rows)
    centre = floats_at(own.parameters + 16 * rows, n)
    own.logdet = 0.0
    for row in range(rows):
        first, end = row * width, (row + 1) * width
        alpha, least, r = math.exp(a[row]), softplus(b[row]), _distance(x, centre, first, end)
        pulled = (least - alpha) / (alpha + r)
        for i in range(first, end):
            y[i] = x[i] + pulled * (x[i] - centre[i])
        own.logdet += (
            (width - 1) * math.log(r + least)
            + math.log(r * r + 2.0 * alpha * r + alpha * least)
            - (width + 1) * math.log(alpha + r)
        )
    return 0


@entry("int64(intp, intp)")
def _pull(stack_address: int, own_address: int) -> int:
    """Pull a gradient back to a, b, the centre and x."""
    own = record_at(own_address, Layer_)
    n, rows = own.n, own.rows
    width = n // rows
    x, to_y = floats_at(own.x, n), floats_at(own.adjoint, n)
    a, b = floats_at(own.parameters, rows), floats_at(own.parameters + 8 * rows, rows)
    centre = floats_at(own.parameters + 16 * rows, n)
    to_a, to_b = floats_at(own.gradient, rows), floats_at(own.gradient + 8 * rows, rows)
    to_centre = floats_at(own.gradient + 16 * rows, n)
    for row in range(rows):
        first, end = row * width, (row + 1) * width
        alpha, least, r = math.exp(a[row]), softplus(b[row]), _distance(x, centre, first, end)
        h = 1.0 / (alpha + r)
        pulled = (least - alpha) * h
        g = 0.0  # what the pull's strength changes
        for i in range(first, end):
            g += to_y[i] * (x[i] - centre[i])
        inner = 1.0 / (r * r + 2.0 * alpha * r + alpha * least)
        across = (width - 1) / (r + least)
        to_r = -g * pulled * h + own.weight * (across + 2.0 * (r + alpha) * inner - (width + 1) * h)
        to_alpha = -g * h * (1.0 + pulled) + own.weight * ((2.0 * r + least) * inner - (width + 1) * h)
        to_a[row] += alpha * to_alpha
        to_b[row] += sigmoid(b[row]) * (g * h + own.weight * (across + alpha * inner))
        outwards = to_r / r if r > 0.0 else 0.0
        for i in range(first, end):
            apart = pulled * to_y[i] + outwards * (x[i] - centre[i])
            to_centre[i] -= apart
            to_y[i] += apart
    return 0


class RadialFlow(AbstractFlow):
    """Move along rays from a centre: ``y = x + beta (x - z_ref) / (alpha + r)``, ``r = |x - z_ref|`` [1]_.

    ``alpha = exp(a)`` and ``beta = softplus(b) - alpha``, which is above -alpha and thereby makes the map invertible.

    References
    ----------
    .. [1] D. J. Rezende and S. Mohamed, "Variational inference with normalizing flows", ICML (2015).
    """

    short_name, push, pull = "radial", _push, _pull

    @classmethod
    def shapes(cls, width: int, turn: int = 0) -> Shapes:
        return {"a": (), "b": (), "z_ref": (width,)}

    @classmethod
    def inverse(cls, y: Floats, parameters: dict[str, Floats], turn: int = 0) -> Floats:
        """Return the points whose images are given: their distance solves a quadratic equation."""
        alpha, least = np.exp(parameters["a"]), softplus_of(parameters["b"])
        apart = y - parameters["z_ref"]
        excess = np.sqrt(np.sum(apart**2, axis=1)) - least
        root = np.sqrt(excess**2 + 4.0 * alpha * (excess + least))
        # Of the two forms of the solution, the one in which nothing cancels.
        r = np.where(
            excess > 0.0, 0.5 * (excess + root), 2.0 * alpha * (excess + least) / (root - np.minimum(excess, 0.0))
        )
        found: Floats = parameters["z_ref"] + apart * ((alpha + r) / (r + least))[:, None]
        return found

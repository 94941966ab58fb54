"""Affine coupling layers: a net of some coordinates stretches and shifts the others (Dinh et al. 2017, RealNVP)."""

from __future__ import annotations

import math

import numpy as np

from nbinfer.compile import Record, entry, floats_at, kernel, record_at
from nbinfer.engine.state import State, floats
from nbinfer.variational.flows.flow import AbstractFlow
from nbinfer.variational.flows.layer import LAYER, Floats, Shapes

#: Bound of the log of a stretch.
BOUND = 2.0


@kernel
def hidden_units(width: int) -> int:
    """Return the number of hidden units of the net: as many as coordinates, but 16 at least and 64 at most."""
    return min(max(16, width), 64)


COUPLING = State(
    base=LAYER,
    leads=True,
    work={
        "units": floats(
            lambda kind, extent: extent.rows * hidden_units.py_func(extent.width)
        ),  # values of hidden units
        "to_units": floats(lambda kind, extent: hidden_units.py_func(extent.width)),
        "logs": floats(lambda kind, extent: extent.n),  # of stretches
    },
)
Own = COUPLING.record


@kernel
def level_of(turn: int, width: int) -> int:
    """Return which binary digit of a coordinate's number tells whether it is kept.

    Turn by turn that is each digit, and either side of it: any two coordinates meet, and each of them is changed.
    """
    digits = 1
    while 1 << digits < width:
        digits += 1
    return turn // 2 % digits


@kernel
def changed_by(turn: int, width: int) -> int:
    """Return how many coordinates of a row are changed."""
    level, count = level_of(turn, width), 0
    for i in range(width):
        if (i >> level) & 1 != turn & 1:
            count += 1
    return count


@kernel
def _hide(own: Record, row: int, p: Floats, x: Floats) -> None:
    """Write the hidden units of a row, which the kept coordinates make."""
    width = own.n // own.rows
    size, level, side = hidden_units(width), level_of(own.turn, width), own.turn & 1
    kept = width - changed_by(own.turn, width)
    units = floats_at(own.units + 8 * row * size, size)
    at, bias = row * size * kept, own.rows * size * kept + row * size
    for j in range(size):
        total = p[bias + j]
        for i in range(width):
            if (i >> level) & 1 == side:
                total += p[at] * x[row * width + i]
                at += 1
        units[j] = math.tanh(total)


@entry("int64(intp, intp)")
def _push(stack_address: int, own_address: int) -> int:
    """Write ``y = x exp(s) + t`` where a coordinate is changed; s and t are outputs of the net."""
    own = record_at(own_address, Own)
    n, rows = own.n, own.rows
    width = n // rows
    size, changed, level = hidden_units(width), changed_by(own.turn, width), level_of(own.turn, width)
    before = rows * size * (width - changed + 1)  # parameters of the first layer of all nets
    p = floats_at(own.parameters, before + rows * 2 * changed * (size + 1))
    x, y, logs = floats_at(own.x, n), floats_at(own.y, n), floats_at(own.logs, n)
    own.logdet = 0.0
    for row in range(rows):
        _hide(own, row, p, x)
        units = floats_at(own.units + 8 * row * size, size)
        weight, bias = before + row * 2 * changed * size, before + rows * 2 * changed * size + row * 2 * changed
        for i in range(width):
            at = row * width + i
            y[at], logs[at] = x[at], 0.0
            if (i >> level) & 1 != own.turn & 1:
                s, t = p[bias], p[bias + changed]
                for j in range(size):
                    s += p[weight + j] * units[j]
                    t += p[weight + changed * size + j] * units[j]
                logs[at] = BOUND * math.tanh(s / BOUND)
                y[at] = x[at] * math.exp(logs[at]) + t
                own.logdet += logs[at]
                weight, bias = weight + size, bias + 1
    return 0


@kernel
def _pull_outputs(own: Record, row: int, p: Floats, to_p: Floats) -> None:
    """Pull a row's gradient back to the changed coordinates, the second layer of the net and the hidden units."""
    n, rows = own.n, own.rows
    width = n // rows
    size, changed, level = hidden_units(width), changed_by(own.turn, width), level_of(own.turn, width)
    before = rows * size * (width - changed + 1)
    x, to_y, logs = floats_at(own.x, n), floats_at(own.adjoint, n), floats_at(own.logs, n)
    units, to_units = floats_at(own.units + 8 * row * size, size), floats_at(own.to_units, size)
    for j in range(size):
        to_units[j] = 0.0
    weight, bias = before + row * 2 * changed * size, before + rows * 2 * changed * size + row * 2 * changed
    for i in range(width):
        if (i >> level) & 1 != own.turn & 1:
            at = row * width + i
            stretch, tilt, to_t = math.exp(logs[at]), logs[at] / BOUND, to_y[at]
            to_s = (to_t * x[at] * stretch + own.weight) * (1.0 - tilt * tilt)
            to_y[at] = to_t * stretch
            to_p[bias] += to_s
            to_p[bias + changed] += to_t
            for j in range(size):
                to_p[weight + j] += to_s * units[j]
                to_p[weight + changed * size + j] += to_t * units[j]
                to_units[j] += to_s * p[weight + j] + to_t * p[weight + changed * size + j]
            weight, bias = weight + size, bias + 1


@entry("int64(intp, intp)")
def _pull(stack_address: int, own_address: int) -> int:
    """Pull a gradient back to the net and to x."""
    own = record_at(own_address, Own)
    n, rows = own.n, own.rows
    width = n // rows
    size, changed, level = hidden_units(width), changed_by(own.turn, width), level_of(own.turn, width)
    kept = width - changed
    count = rows * (size * (kept + 1) + 2 * changed * (size + 1))
    p, to_p = floats_at(own.parameters, count), floats_at(own.gradient, count)
    x, to_y, to_units = floats_at(own.x, n), floats_at(own.adjoint, n), floats_at(own.to_units, size)
    for row in range(rows):
        _pull_outputs(own, row, p, to_p)
        units = floats_at(own.units + 8 * row * size, size)
        at, bias = row * size * kept, rows * size * kept + row * size
        for j in range(size):
            slope = to_units[j] * (1.0 - units[j] * units[j])
            to_p[bias + j] += slope
            for i in range(width):
                if (i >> level) & 1 == own.turn & 1:
                    to_p[at] += slope * x[row * width + i]
                    to_y[row * width + i] += slope * p[at]
                    at += 1
    return 0


class CouplingFlow(AbstractFlow):
    """Stretch and shift some coordinates by what a net with one hidden layer makes of the others [1]_.

    ``y = x exp(s) + t`` with ``s = 2 tanh(raw / 2)``; ``raw, t = w2 tanh(w1 kept + b1) + b2``. Which coordinates are
    kept goes by turns of the coupling layers in a formula. The last weights are 0 at first, and the layer nothing.

    References
    ----------
    .. [1] L. Dinh, J. Sohl-Dickstein and S. Bengio, "Density estimation using Real NVP", ICLR (2017).
    """

    short_name, state, push, pull = "coupling", COUPLING, _push, _pull
    least = 2  # one makes the other move

    @classmethod
    def shapes(cls, width: int, turn: int = 0) -> Shapes:
        size, changed = hidden_units.py_func(width), changed_by.py_func(turn, width)
        return {"w1": (size, width - changed), "b1": (size,), "w2": (2, changed, size), "b2": (2, changed)}

    @classmethod
    def spread(cls, width: int, turn: int = 0) -> dict[str, float]:
        return {"w1": 1.0 / math.sqrt(width - changed_by.py_func(turn, width))}

    @classmethod
    def inverse(cls, y: Floats, parameters: dict[str, Floats], turn: int = 0) -> Floats:
        numbers = np.arange(y.shape[1])
        kept = (numbers >> level_of.py_func(turn, y.shape[1])) & 1 == turn & 1
        units = np.tanh(y[:, kept] @ parameters["w1"].T + parameters["b1"])
        raw, shift = units @ np.swapaxes(parameters["w2"], 1, 2) + parameters["b2"][:, None]
        x = y.copy()
        x[:, ~kept] = (y[:, ~kept] - shift) * np.exp(-BOUND * np.tanh(raw / BOUND))
        return x

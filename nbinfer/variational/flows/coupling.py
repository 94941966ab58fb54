"""Affine coupling layers: a net of some coordinates stretches and shifts the others (Dinh et al. 2017, RealNVP)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

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
        "kept": floats(lambda kind, extent: extent.n),  # kept coordinates of each row, side by side
        "units": floats(lambda kind, extent: extent.rows * hidden_units.py_func(extent.width)),  # hidden, of each row
        "logs": floats(lambda kind, extent: extent.n),  # of stretches
        "to_kept": floats(lambda kind, extent: extent.width),
        "to_units": floats(lambda kind, extent: hidden_units.py_func(extent.width)),
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
def is_changed(i: int, turn: int, level: int) -> bool:
    """Tell whether a coordinate of a row is changed, and not kept."""
    return (i >> level) & 1 != turn & 1


@kernel
def changed_by(turn: int, width: int) -> int:
    """Return how many coordinates of a row are changed."""
    level, count = level_of(turn, width), 0
    for i in range(width):
        count += is_changed(i, turn, level)
    return count


def which_change(turn: int, width: int) -> NDArray[np.bool_]:
    """Return whether each coordinate of a row is changed; in plain Python, for to declare a layer compiles nothing."""
    level = level_of.py_func(turn, width)
    return np.array([is_changed.py_func(i, turn, level) for i in range(width)], bool)


@kernel(reassociate=True)
def _product(a_address: int, b_address: int, n: int) -> float:
    """Return the product of two vectors."""
    a, b = floats_at(a_address, n), floats_at(b_address, n)
    total = 0.0
    for i in range(n):
        total += a[i] * b[i]
    return total


@kernel
def _add(to_address: int, factor: float, a_address: int, n: int) -> None:
    """Add a multiple of a vector to another one."""
    to, a = floats_at(to_address, n), floats_at(a_address, n)
    for i in range(n):
        to[i] += factor * a[i]


@kernel
def _places(rows: int, row: int, width: int, turn: int) -> tuple[int, int, int, int]:
    """Return where w1, b1, w2 and b2 of a row begin, in bytes."""
    size, changed = hidden_units(width), changed_by(turn, width)
    kept = width - changed
    b1 = rows * size * kept
    w2 = b1 + rows * size
    b2 = w2 + rows * 2 * changed * size
    return (
        8 * row * size * kept,
        8 * (b1 + row * size),
        8 * (w2 + row * 2 * changed * size),
        8 * (b2 + row * 2 * changed),
    )


@kernel
def _hide(own: Record, row: int) -> None:
    """Write the kept coordinates of a row, and the hidden units that they make."""
    width = own.n // own.rows
    size, count = hidden_units(width), width - changed_by(own.turn, width)
    w1, b1, _, _ = _places(own.rows, row, width, own.turn)
    x, kept = floats_at(own.x + 8 * row * width, width), floats_at(own.kept + 8 * row * width, width)
    units, biases = floats_at(own.units + 8 * row * size, size), floats_at(own.parameters + b1, size)
    level, k = level_of(own.turn, width), 0
    for i in range(width):
        if not is_changed(i, own.turn, level):
            kept[k] = x[i]
            k += 1
    for j in range(size):
        weights = own.parameters + w1 + 8 * j * count
        units[j] = math.tanh(biases[j] + _product(weights, own.kept + 8 * row * width, count))


@entry("int64(intp, intp)")
def _push(stack_address: int, own_address: int) -> int:
    """Write ``y = x exp(s) + t`` where a coordinate is changed; s and t are outputs of the net."""
    own = record_at(own_address, Own)
    width = own.n // own.rows
    size, changed = hidden_units(width), changed_by(own.turn, width)
    x, y, logs = floats_at(own.x, own.n), floats_at(own.y, own.n), floats_at(own.logs, own.n)
    level = level_of(own.turn, width)
    own.logdet = 0.0
    for row in range(own.rows):
        _hide(own, row)
        units = own.units + 8 * row * size
        _, _, w2, b2 = _places(own.rows, row, width, own.turn)
        biases, weights, k = floats_at(own.parameters + b2, 2 * changed), own.parameters + w2, 0
        for i in range(width):
            at = row * width + i
            y[at], logs[at] = x[at], 0.0
            if is_changed(i, own.turn, level):
                s = biases[k] + _product(weights + 8 * k * size, units, size)
                t = biases[changed + k] + _product(weights + 8 * (changed + k) * size, units, size)
                logs[at] = BOUND * math.tanh(s / BOUND)
                y[at] = x[at] * math.exp(logs[at]) + t
                own.logdet += logs[at]
                k += 1
    return 0


@kernel
def _pull_outputs(own: Record, row: int) -> None:
    """Pull a row's gradient back to the changed coordinates, the second layer of the net and the hidden units."""
    width = own.n // own.rows
    size, changed = hidden_units(width), changed_by(own.turn, width)
    x, to_y, logs = floats_at(own.x, own.n), floats_at(own.adjoint, own.n), floats_at(own.logs, own.n)
    units, to_units = own.units + 8 * row * size, floats_at(own.to_units, size)
    _, _, w2, b2 = _places(own.rows, row, width, own.turn)
    to_biases, level, k = floats_at(own.gradient + b2, 2 * changed), level_of(own.turn, width), 0
    for j in range(size):
        to_units[j] = 0.0
    for i in range(width):
        if is_changed(i, own.turn, level):
            at = row * width + i
            stretch, tilt, to_t = math.exp(logs[at]), logs[at] / BOUND, to_y[at]
            to_s = (to_t * x[at] * stretch + own.weight) * (1.0 - tilt * tilt)
            to_y[at] = to_t * stretch
            to_biases[k] += to_s
            to_biases[changed + k] += to_t
            for to_output, place in ((to_s, w2 + 8 * k * size), (to_t, w2 + 8 * (changed + k) * size)):
                _add(own.gradient + place, to_output, units, size)
                _add(own.to_units, to_output, own.parameters + place, size)
            k += 1


@entry("int64(intp, intp)")
def _pull(stack_address: int, own_address: int) -> int:
    """Pull a gradient back to the net and to x."""
    own = record_at(own_address, Own)
    width = own.n // own.rows
    size, count = hidden_units(width), width - changed_by(own.turn, width)
    to_units, to_kept, to_y = (
        floats_at(own.to_units, size),
        floats_at(own.to_kept, count),
        floats_at(own.adjoint, own.n),
    )
    for row in range(own.rows):
        _pull_outputs(own, row)
        w1, b1, _, _ = _places(own.rows, row, width, own.turn)
        units, to_biases = floats_at(own.units + 8 * row * size, size), floats_at(own.gradient + b1, size)
        for k in range(count):
            to_kept[k] = 0.0
        for j in range(size):
            slope = to_units[j] * (1.0 - units[j] * units[j])
            to_biases[j] += slope
            _add(own.gradient + w1 + 8 * j * count, slope, own.kept + 8 * row * width, count)
            _add(own.to_kept, slope, own.parameters + w1 + 8 * j * count, count)
        level, k = level_of(own.turn, width), 0
        for i in range(width):
            if not is_changed(i, own.turn, level):
                to_y[row * width + i] += to_kept[k]
                k += 1
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
        size, changed = hidden_units.py_func(width), int(which_change(turn, width).sum())
        return {"w1": (size, width - changed), "b1": (size,), "w2": (2, changed, size), "b2": (2, changed)}

    @classmethod
    def spread(cls, width: int, turn: int = 0) -> dict[str, float]:
        return {"w1": 1.0 / math.sqrt((~which_change(turn, width)).sum())}

    @classmethod
    def inverse(cls, y: Floats, parameters: dict[str, Floats], turn: int = 0) -> Floats:
        kept = ~which_change(turn, y.shape[1])
        units = np.tanh(y[:, kept] @ parameters["w1"].T + parameters["b1"])
        raw, shift = units @ np.swapaxes(parameters["w2"], 1, 2) + parameters["b2"][:, None]
        x = y.copy()
        x[:, ~kept] = (y[:, ~kept] - shift) * np.exp(-BOUND * np.tanh(raw / BOUND))
        return x

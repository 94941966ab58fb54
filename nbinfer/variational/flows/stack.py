"""Layers one upon the other: their memory, and the kernels that push a point through all and pull a gradient back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nbinfer.compile import address_of, call_step, entry, floats_at, ints_at, kernel, record_at
from nbinfer.compile.forks import cached_property
from nbinfer.engine.python_entry import raised_by
from nbinfer.engine.state import BLOCK, WORK, Inner, Memory, Plan, State, floats, integers
from nbinfer.errors import FitError
from nbinfer.variational.families.family import Extent
from nbinfer.variational.flows.layer import Floats, Layer, Layer_, rows_of

#: A layer in the table of layers: `push`, `pull` and address of its record.
LAYER_FIELDS = 3

STACK = State(
    fields={"n_layers": "i8", "n": "i8", "logdet": "f8"},
    parts={"table": integers(lambda stack, extent: LAYER_FIELDS * len(stack.kinds))},
    work={
        "between": floats(lambda stack, extent: (len(stack.kinds) - 1) * extent.n),  # what layers hand to each other
        "ends": floats(lambda stack, extent: 3 * extent.n),  # where a point comes from, goes, and its gradient
    },
)
Stack_ = STACK.record


@kernel
def push_layers(address: int) -> int:
    """Push the point that the first layer sees through all, and sum the logs of determinants."""
    stack = record_at(address, Stack_)
    table = ints_at(stack.table, LAYER_FIELDS * stack.n_layers)
    stack.logdet = 0.0
    for k in range(stack.n_layers):
        own = table[LAYER_FIELDS * k + 2]
        status = call_step(table[LAYER_FIELDS * k], address, own)
        if status != 0:
            return status
        stack.logdet += record_at(own, Layer_).logdet
    return 0


@kernel
def pull_layers(address: int, weight: float) -> int:
    """Pull the gradient with respect to the last image back; `weight` is that of the log-determinants."""
    stack = record_at(address, Stack_)
    table = ints_at(stack.table, LAYER_FIELDS * stack.n_layers)
    for k in range(stack.n_layers - 1, -1, -1):
        own = table[LAYER_FIELDS * k + 2]
        layer = record_at(own, Layer_)
        layer.weight = weight
        status = call_step(table[LAYER_FIELDS * k + 1], address, own)
        if status != 0:
            return status
    return 0


@entry("int64(intp, int64, intp, intp, intp)")
def _push_rows(address: int, count: int, points: int, images: int, logdets: int) -> int:
    """Push points through all layers; keep where each comes out, and the log-determinants of all layers."""
    stack = record_at(address, Stack_)
    n, layers = stack.n, stack.n_layers
    table = ints_at(stack.table, LAYER_FIELDS * layers)
    x, y = floats_at(stack.ends, n), floats_at(stack.ends + 8 * n, n)
    rows, kept, sizes = floats_at(points, count * n), floats_at(images, count * n), floats_at(logdets, layers * count)
    for draw in range(count):
        for i in range(n):
            x[i] = rows[draw * n + i]
        status = push_layers(address)
        if status != 0:
            return status
        for i in range(n):
            kept[draw * n + i] = y[i]
        for k in range(layers):
            sizes[k * count + draw] = record_at(table[LAYER_FIELDS * k + 2], Layer_).logdet
    return 0


def _layer(k: int) -> Callable[[Any], type[Layer]]:
    return lambda stack: stack.kinds[k]


class Stack:
    """Kinds of layers, the first of which sees the noise.

    Parameters
    ----------
    kinds : sequence of type
        Subclasses of `Layer`.
    """

    def __init__(self, kinds: Sequence[type[Layer]]) -> None:
        self.kinds = tuple(kinds)
        #: How many layers of the same kind come before each.
        self.turns = [self.kinds[:k].count(kind) for k, kind in enumerate(self.kinds)]

    @cached_property
    def state(self) -> State:
        """What it keeps: a record that begins with `STACK`, and those of the layers."""
        return State(base=STACK, leads=True, parts={f"layer_{k}": Inner(_layer(k)) for k in range(len(self.kinds))})

    def shapes(self, extent: Extent) -> dict[str, tuple[int, ...]]:
        """Return the shapes of all parameters, ``'0.loc'`` and its like, in the order in which they lie in memory."""
        return {
            f"{k}.{name}": rows_of(shape, extent.rows)
            for k, kind in enumerate(self.kinds)
            for name, shape in kind.shapes(extent.width, self.turns[k]).items()
        }

    def of_layer(self, parameters: Mapping[str, Any], k: int) -> dict[str, Any]:
        """Return the parameters of one layer, by their own names."""
        return {name.partition(".")[2]: value for name, value in parameters.items() if name.startswith(f"{k}.")}

    def initialise(self, own: Memory, extent: Extent) -> None:
        """Write the settings."""
        own.n_layers, own.n = len(self.kinds), extent.n
        for k, turn in enumerate(self.turns):
            layer = getattr(own, f"layer_{k}")
            layer.n, layer.rows, layer.turn = extent.n, extent.rows, turn

    def connect(self, own: Memory, extent: Extent, parameters: int, gradient: int, ends: Sequence[int]) -> None:
        """Write addresses: of parameters and their gradient, of the first point, the last, and the gradient there."""
        between, table, at = int(own.record["between"]), [], 0
        for k, kind in enumerate(self.kinds):
            layer = getattr(own, f"layer_{k}")
            layer.parameters, layer.gradient, layer.adjoint = parameters + at, gradient + at, ends[2]
            shapes = kind.shapes(extent.width, self.turns[k]).values()
            at += 8 * extent.rows * sum(math.prod(shape) for shape in shapes)
            layer.x = ends[0] if k == 0 else between + 8 * extent.n * (k - 1)
            layer.y = ends[1] if k == len(self.kinds) - 1 else between + 8 * extent.n * k
            table += [kind.push.address, kind.pull.address, layer.address]
        own.table[:] = table

    def passed(self, extent: Extent, parameters: Mapping[str, Floats], points: Floats) -> tuple[Floats, Floats]:
        """Push points through all layers, outside of any fit.

        Parameters
        ----------
        extent : Extent
        parameters : mapping of str to ndarray
        points : ndarray, shape (k, n)

        Returns
        -------
        images : ndarray, shape (k, n)
        logdets : ndarray, shape (layers, k)
        """
        plan = Plan()
        place = plan.place(self.state, self, extent)
        block, work = np.zeros(plan.sizes[BLOCK], np.int64), np.zeros(plan.sizes[WORK], np.int64)
        plan.relocate(block[None], np.array([[address_of(block), address_of(work), 0]]))
        own = Memory(place, block, work)
        values = np.concatenate([np.ravel(parameters[name]) for name in self.shapes(extent)])
        ends, step = int(own.record["ends"]), 8 * extent.n
        self.initialise(own, extent)
        self.connect(own, extent, address_of(values), 0, [ends, ends + step, ends + 2 * step])
        points = np.ascontiguousarray(points, np.float64)
        images, logdets = np.zeros(points.shape), np.zeros((len(self.kinds), len(points)))
        if _push_rows(own.address, len(points), address_of(points), address_of(images), address_of(logdets)):
            raise raised_by([kind.push for kind in self.kinds]) or FitError("a layer has failed.")
        return images, logdets

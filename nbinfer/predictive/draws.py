"""Draws of a trace as a model's functions take them: checked, and in memory that compiled code reads by its address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import instance
from nbinfer.errors import ModelError
from nbinfer.model import Model
from nbinfer.model.definition import Definition
from nbinfer.predictive.sweep import Item
from nbinfer.trace import Trace
from nbinfer.trace.names import listed


class Draws(NamedTuple):
    """Values of all parameters of a model.

    Attributes
    ----------
    arrays : dict of str to ndarray, shape (chain, draw, ...)
        Of each parameter in the model's order, float64 or int64; the elements of a draw lie one after the other.
    done : ndarray of int, shape (chain,)
        Finished draws of each chain.
    chain_ids : list of int
        Number of each chain.
    rows : int
        Draws that the arrays have room for in each chain.
    """

    arrays: dict[str, NDArray[Any]]
    done: NDArray[np.int64]
    chain_ids: list[int]
    rows: int

    def point(self, row: int, draw: int) -> dict[str, Any]:
        """Return the values of one draw."""
        return {name: array[row, draw] for name, array in self.arrays.items()}

    @property
    def finished(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row and draw of every finished draw, chain after chain."""
        rows = np.repeat(np.arange(len(self.done)), self.done)
        return rows, np.concatenate([np.arange(count) for count in self.done])

    @property
    def places(self) -> int:
        """Number of rows of all chains."""
        return len(self.done) * self.rows

    def by_chain(self, array: NDArray[Any]) -> NDArray[Any]:
        """View what has one row for each place as (chain, draw, ...)."""
        return array.reshape(len(self.done), self.rows, *array.shape[1:])

    def items(self) -> NDArray[Any]:
        """Return every finished draw as an item; places are those of (chain, draw) counted flat."""
        rows, draws = self.finished
        return items(rows, draws, np.asarray(self.chain_ids, np.int64)[rows], draws, rows * self.rows + draws)


def items(row: Any, draw: Any, chain: Any, number: Any, place: Any) -> NDArray[Any]:
    """Return items, see `nbinfer.predictive.sweep`; each argument is an array or holds for all."""
    columns = np.broadcast_arrays(row, draw, chain, number, place)
    made = np.empty(len(columns[0]), Item)
    for name, column in zip(Item.names or (), columns, strict=True):
        made[name] = column
    return made


def named(model: Model, whole: bool = True) -> Definition:
    """Return the definition of a model whose functions take parameters by name, with all its data if need be."""
    definition = model.definition
    if not definition.is_named:
        raise ModelError(
            f"{definition.title} has no named parameters, and functions of draws take (p, d) or (p, d, rng); make it "
            "with nb.Model(parameters=...), or compute from trace['x'] in NumPy"
        )
    if whole:
        definition.needs_all_data()
    return definition


def draws_of(definition: Definition, trace: Any, argument: str = "trace") -> Draws:
    """Return the draws of a trace, as a model takes them.

    Raises
    ------
    TypeError, ModelError
        If that is no trace, or one of another model, or has no finished draw.
    """
    instance(argument, trace, Trace, "a Trace (nb.sample, approx.sample, nb.load, nb.from_arviz)")
    parameters = definition.parameters
    wrong = [f"it lacks {listed(repr(n) for n in parameters if n not in trace.posterior)}"]
    wrong = [] if all(name in trace.posterior for name in parameters) else wrong
    for name, p in parameters.items():
        shape = trace.posterior[name].shape[2:] if name in trace.posterior else p.shape
        if shape != p.shape:
            wrong.append(f"{name!r} has shape {shape} and not {p.shape}")
    if wrong:
        raise ModelError(
            f"{argument} must hold draws of all parameters of {definition.title}; {'; '.join(wrong)}. Is it a trace of "
            "another model?"
        )
    if not trace.draws_done.any():
        raise ModelError(f"{argument} must have draws, got none that is finished")
    arrays = {name: _plain(name, trace.posterior[name], p.support.discrete) for name, p in parameters.items()}
    return Draws(arrays, trace.draws_done, list(trace.chain_ids), next(iter(arrays.values())).shape[1])


def _plain(name: str, array: NDArray[Any], discrete: bool) -> NDArray[Any]:
    """Return an array of 8-byte elements, of which those of a draw lie one after the other."""
    if discrete and array.dtype.kind not in "iub":
        raise ModelError(f"trace[{name!r}] must hold integers, since {name!r} is discrete, got {array.dtype}")
    if array.dtype.kind not in "iubf":
        raise ModelError(f"trace[{name!r}] must hold numbers, got {array.dtype}")
    array = np.asarray(array, np.int64 if discrete else np.float64)
    below = np.cumprod([array.itemsize, *array.shape[:1:-1]])[-2::-1] if array.ndim > 2 else ()
    steps = [(n, s) for n, s in zip(array.shape[2:], array.strides[2:], strict=True)]
    lies_well = all(n == 1 or s == size for (n, s), size in zip(steps, below, strict=True))
    return array if lies_well and array.flags.aligned else np.ascontiguousarray(array)


def values_text(values: Mapping[str, Any]) -> str:
    """Write values as messages do: ``mu = 0.1, tau = 2``."""
    text = (f"{name} = {np.array2string(np.asarray(v), precision=6, threshold=8)}" for name, v in values.items())
    return ", ".join(text)

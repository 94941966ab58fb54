"""Draws with their scores: whatever has draws of a model, on the unconstrained scale, and the gradients there."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import as_floats
from nbinfer.engine.driver import run
from nbinfer.engine.progress import Silent
from nbinfer.engine.task import Task, finished
from nbinfer.errors import ModelError
from nbinfer.model import Model
from nbinfer.variational.stein.passes import CHUNK, Pass

Floats = NDArray[np.float64]


class Drawn(NamedTuple):
    """Draws, and what is known of them.

    Attributes
    ----------
    points : ndarray, shape (n, dim)
        Unconstrained.
    scores : ndarray, shape (n, dim)
        Gradients of the log density there.
    chain, draw : ndarray of int, shape (n,)
        Where each stands.
    """

    points: Floats
    scores: Floats
    chain: NDArray[np.int64]
    draw: NDArray[np.int64]


def drawn(draws: Any, model: Model, cores: int) -> Drawn:
    """Return draws with their scores, which workers evaluate.

    Parameters
    ----------
    draws : Trace, mapping of str to array_like, shape (chain, draw, ...), or array_like, shape (n, dim)
        An array has unconstrained positions.
    model : Model
    cores : int

    Raises
    ------
    ModelError
        If the model has discrete parameters, or density or gradient is not finite at a draw; it says at which.
    TypeError, ValueError
        If these are no draws of the model.
    """
    definition = model.definition
    if definition.layout.discrete:
        raise ModelError("a Stein kernel needs gradients, and the model has discrete parameters.")
    definition.needs_all_data()
    points, chain, draw = _positions(draws, model)
    found = Drawn(points, np.zeros_like(points), chain, draw)
    logps, bound = np.zeros(len(points)), model.bind(cores)
    passing = Pass(bound, points, found.scores, cores)
    passing.evaluate(logps)
    run_pass(passing, -(-len(points) // CHUNK), 1 if bound.serial else cores)
    good = np.isfinite(logps) & np.isfinite(found.scores).all(axis=1)
    if not good.all():
        bad = np.flatnonzero(~good)
        shown = ", ".join(f"{draw[i]} of chain {chain[i]}" for i in bad[:5]) + (", ..." if len(bad) > 5 else "")
        first = points[bad[0]]
        raise ModelError(
            f"density or gradient of {len(bad)} of {len(points)} draws is not finite: "
            f"{'draws' if len(bad) > 1 else 'draw'} {shown}, the first one at {bound.describe(first)} "
            f"({bound.explain(first)}). Are they draws of this model? Leave those out that are not."
        )
    return found


def _positions(draws: Any, model: Model) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Return unconstrained positions, and the chain and the draw of each."""
    values = getattr(draws, "posterior", draws)
    if isinstance(values, str | bytes) or not hasattr(values, "keys"):
        return _rows(values, model)
    missing = [name for name in model.parameters if name not in values]
    if missing:
        raise ValueError(f"draws lack {', '.join(missing)}; the model's density needs all parameters.")
    arrays = {name: np.asarray(values[name]) for name in model.parameters}
    wrong = next((n for n, a in arrays.items() if a.shape[2:] != model.parameters[n].shape or a.ndim < 2), None)
    if wrong is not None:
        shape = ", ".join(["chain", "draw", *map(str, model.parameters[wrong].shape)])
        raise ValueError(f"draws of {wrong} must have shape ({shape}), got {arrays[wrong].shape}.")
    chains, length = next(iter(arrays.values())).shape[:2]
    done = np.asarray(getattr(draws, "draws_done", np.full(chains, length)))
    places = [(c, i) for c in range(chains) for i in range(int(done[c]))]
    rows = [model.unconstrain({name: array[c, i] for name, array in arrays.items()}) for c, i in places]
    chain, draw = np.array(places, np.int64).reshape(-1, 2).T
    return _several(np.array(rows, np.float64).reshape(len(rows), model.dim)), chain, draw


def _rows(values: Any, model: Model) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    try:
        rows = as_floats(values)
    except (TypeError, ValueError):
        raise TypeError(
            f"draws must be a Trace, a mapping of names to arrays (chain, draw, ...), or an array of unconstrained "
            f"positions, got {type(values).__name__}."
        ) from None
    if rows.ndim != 2 or rows.shape[1] != model.dim:
        raise ValueError(f"draws that are an array have shape (n, {model.dim}), a row for each, got {rows.shape}.")
    return _several(rows), np.zeros(len(rows), np.int64), np.arange(len(rows))


def _several(rows: Floats) -> Floats:
    if len(rows) < 2:
        raise ValueError(f"draws must be two at least, got {len(rows)}.")
    return np.ascontiguousarray(rows)


class _Running(Task[Pass]):
    """Run a pass in a thread of its own."""

    def __init__(self, passing: Pass, pieces: int, cores: int) -> None:
        super().__init__()
        self._passing, self._pieces, self._cores = passing, pieces, cores

    def work(self) -> None:
        outcome = run(self._passing, self._pieces, self._cores, Silent())
        self.error = outcome.error or (KeyboardInterrupt() if outcome.interrupted else None)
        self.result = self._passing

    def stop(self) -> None:
        self._passing.stop[0] = 1

    def leave(self) -> None:
        self.result = self._passing

    def tell(self, error: BaseException) -> None:
        """Add nothing: half of it is of no use."""


def run_pass(passing: Pass, pieces: int, cores: int) -> None:
    """Run a pass to its end; what a function of the model raises comes out, and Ctrl-C."""
    finished(_Running(passing, pieces, cores))

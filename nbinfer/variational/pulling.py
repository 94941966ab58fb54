"""Draws and pull-backs of one iteration, one after the other, for operators that Python has to ask in between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import address_of, entry, floats_at, ints_at, kernel, record_at
from nbinfer.random import Purpose, start
from nbinfer.variational.fitting import Fitting
from nbinfer.variational.job import GROUP_FIELDS, Fit, draw_all, move_parameters, pull_all

Floats = NDArray[np.float64]

_NOISE = int(Purpose.NOISE)


@kernel
def draw_rows(address: int, piece: int, count: int, positions: int) -> None:
    """Write the draws of an iteration."""
    fit = record_at(address, Fit)
    groups = ints_at(fit.groups, GROUP_FIELDS * fit.n_groups)
    rows, position = floats_at(positions, count * fit.n), floats_at(fit.position, fit.n)
    start(fit.words, piece, fit.number, _NOISE)
    for k in range(count):
        draw_all(address, fit, groups)
        for i in range(fit.n):
            rows[k * fit.n + i] = position[i]


@kernel
def pull_rows(address: int, piece: int, count: int, grads: int) -> None:
    """Pull gradients with respect to these draws, which are made once more, back to the parameters."""
    fit = record_at(address, Fit)
    groups = ints_at(fit.groups, GROUP_FIELDS * fit.n_groups)
    rows, grad = floats_at(grads, count * fit.n), floats_at(fit.grad, fit.n)
    gradient = floats_at(fit.gradient, fit.n_parameters)
    for i in range(fit.n_parameters):
        gradient[i] = 0.0
    start(fit.words, piece, fit.number, _NOISE)
    for k in range(count):
        draw_all(address, fit, groups)
        for i in range(fit.n):
            grad[i] = rows[k * fit.n + i]
        pull_all(address, fit, groups)


@entry("int64(intp, int64, int64, intp)")
def _draw(address: int, piece: int, count: int, positions: int) -> int:
    draw_rows(address, piece, count, positions)
    return 0


@entry("int64(intp, int64, int64, intp)")
def _pull(address: int, piece: int, count: int, grads: int) -> int:
    pull_rows(address, piece, count, grads)
    return 0


@entry("int64(intp)")
def _move(address: int) -> int:
    """Have the optimiser move the parameters."""
    return move_parameters(record_at(address, Fit))


def draw(fitting: Fitting, piece: int, count: int) -> Floats:
    """Return the draws of an iteration, shape (count, dim)."""
    positions = np.zeros((count, fitting.bound.dim))
    _draw(address_of(fitting.state), piece, count, address_of(positions))
    if fitting.fit.broken:
        raise fitting.raised()
    return positions


def pull(fitting: Fitting, piece: int, grads: Floats) -> None:
    """Write the gradient of the parameters that belongs to those of draws.

    Parameters
    ----------
    fitting : Fitting
    piece : int
        The iteration.
    grads : ndarray, shape (draws, dim)
    """
    wanted = (len(grads), fitting.bound.dim)
    grads = np.ascontiguousarray(grads, np.float64)
    if grads.shape != wanted:
        raise ValueError(f"derivatives with respect to draws must have shape {wanted}, got {grads.shape}.")
    _pull(address_of(fitting.state), piece, len(grads), address_of(grads))
    if fitting.fit.broken:
        raise fitting.raised()


def move(fitting: Fitting) -> int:
    """Have the optimiser move the parameters; return the status."""
    return int(_move(address_of(fitting.state)))

"""Draws from an approximation: positions, log densities there, rows of values; outside of the iterations of a fit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import address_of, call_density, call_record, entry, floats_at, ints_at, record_at
from nbinfer.engine.failures import is_arithmetic, replayed
from nbinfer.random import Purpose, start
from nbinfer.variational.fitting import PLAIN, Fitting
from nbinfer.variational.job import GROUP_FIELDS, Fit, draw_all

Floats = NDArray[np.float64]

_PURPOSE = int(Purpose.APPROXIMATION)


@entry("int64(intp, int64, int64, intp, intp)")
def _draw(address: int, first: int, count: int, positions: int, densities: int) -> int:
    """Write positions and log densities of draws `first`, `first + 1`, ...; each has a stream of its own."""
    fit = record_at(address, Fit)
    groups = ints_at(fit.groups, GROUP_FIELDS * fit.n_groups)
    logq, position = floats_at(densities, count), floats_at(fit.position, fit.n)
    rows = floats_at(positions, count * fit.n)
    for k in range(count):
        start(fit.words, first + k, fit.number, _PURPOSE)
        logq[k] = draw_all(address, fit, groups)
        for i in range(fit.n):
            rows[k * fit.n + i] = position[i]
    return 0


@entry("int64(intp, int64, int64, intp, intp, intp)")
def _evaluate(density: int, n: int, count: int, positions: int, context: int, values: int) -> int:
    """Write the log density at each of some positions."""
    logp = floats_at(values, count)
    for k in range(count):
        logp[k] = call_density(density, n, positions + 8 * n * k, 0, context)
    return 0


@entry("int64(intp, int64, int64, intp, intp, intp, int64)")
def _record(function: int, n: int, count: int, positions: int, context: int, rows: int, size: int) -> int:
    """Write a row of parameters and derived quantities for each of some positions; return how many came out."""
    for k in range(count):
        if call_record(function, n, positions + 8 * n * k, rows + 8 * size * k, context) != 0:
            return k
    return count


class Draws(NamedTuple):
    """Draws of an approximation.

    Attributes
    ----------
    positions : ndarray, shape (draws, dim)
        Unconstrained.
    logq : ndarray, shape (draws,)
        Log density of the approximation; NaN where it has none.
    """

    positions: Floats
    logq: Floats


def draw(fitting: Fitting, key: np.ndarray, first: int, count: int) -> Draws:
    """Draw from an approximation.

    Parameters
    ----------
    fitting : Fitting
        Not running.
    key : ndarray
        Of the stream.
    first, count : int
        Number of the first draw, and how many: draw k is the same in whatever company.
    """
    found = Draws(np.zeros((count, fitting.bound.dim)), np.zeros(count))
    words = fitting.fit.words.view(np.uint64)
    kept = words.copy()
    words[4:6] = key
    _draw(address_of(fitting.state), first, count, address_of(found.positions), address_of(found.logq))
    words[:] = kept
    if fitting.fit.broken:
        raise fitting.raised()
    return found


def log_densities(fitting: Fitting, positions: Floats, context: int = PLAIN, up_to_constants: bool = False) -> Floats:
    """Return the model's log density at some positions; what its functions raise comes out, unless it is arithmetic.

    Parameters
    ----------
    fitting : Fitting
    positions : ndarray, shape (k, dim)
    context : int
        Which of the fit's contexts: with what weights.
    up_to_constants : bool
        Whether constants may be missing, as in a gradient that the user wrote: then nothing but what the fit evaluates
        need be compiled.
    """
    bound, values = fitting.bound, np.zeros(len(positions))
    positions = np.ascontiguousarray(positions)
    where = fitting.context(context)
    function = int(fitting.fit.density) if up_to_constants else bound.value_density
    _evaluate(function, bound.dim, len(positions), address_of(positions), where, address_of(values))
    _raise_failures(bound)
    return values


def values_by_name(fitting: Fitting, positions: Floats) -> dict[str, NDArray[Any]]:
    """Return parameters and derived quantities at some positions, by name, arrays of shape (draws, ...)."""
    bound = fitting.bound
    positions = np.ascontiguousarray(positions)
    rows = np.zeros((len(positions), bound.row_size))
    where = fitting.context(PLAIN)
    done = _record(bound.record, bound.dim, len(rows), address_of(positions), where, address_of(rows), bound.row_size)
    if done < len(rows):
        for context in bound.failed_chains:
            bound.clear_failure(context)
        raise replayed(bound, positions[done], None) or ValueError(
            f"a derived quantity has another shape than at the initial point, at {bound.describe(positions[done])}"
        )
    return {
        q.name: rows[:, q.offset : q.offset + q.size].reshape(len(rows), *q.shape).astype(q.dtype)
        for q in bound.columns
    }


def _raise_failures(bound: Any) -> None:
    for context in bound.failed_chains:
        position = bound.failure(context)
        bound.clear_failure(context)
        error = replayed(bound, position, None)
        if error is not None and not is_arithmetic(error):
            error.add_note(f"at {bound.describe(position)}")
            raise error

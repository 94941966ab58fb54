"""A model's log density where approximations want it: as a fit weighs it, as it is, and the prior's share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import address_of, call_density, call_record, entry, floats_at
from nbinfer.engine.failures import is_arithmetic, replayed
from nbinfer.errors import ModelError
from nbinfer.model import Model
from nbinfer.model.compiled import CompiledBound
from nbinfer.model.data import Datum

Floats = NDArray[np.float64]

#: Contexts of the model: the fit's, whose weights know beta; that of plain densities; that of the prior alone. Where
#: the density has no terms to weigh, there is one context for all.
FITTING, PLAIN, PRIOR = range(3)


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


class Densities:
    """The density of a model, with the data that it has when this is made.

    Parameters
    ----------
    model : Model
    beta : float
        Weight of all but the likelihood in a fit.
    workers : int
        Workers of a fit that evaluate at the same time.

    Attributes
    ----------
    bound : Bound
        With a context for each of `FITTING`, `PLAIN` and `PRIOR`, and one for each worker.
    """

    def __init__(self, model: Model, beta: float = 1.0, workers: int = 0) -> None:
        self.definition, self._beta, self._workers = model.definition, beta, workers
        self._n_terms = len(model.likelihood)
        self._n_contexts = 3 if self._n_terms else 1
        self.bound = model.bind(self._n_contexts + workers)
        self._weigh()

    #: Whether values are those of the density, and no estimates.
    is_exact = True

    def _weigh(self) -> None:
        """Have the contexts differ in the weights of the likelihood."""
        bound, n_terms, beta = self.bound, self._n_terms, self._beta
        if n_terms:
            bound.weights[FITTING, -n_terms:] /= beta
            bound.weights[PRIOR, -n_terms:] = 0.0
            bound.weights[self._n_contexts : self._n_contexts + self._workers] = bound.weights[FITTING]

    def take(self, data: Mapping[str, Datum]) -> None:
        """Go on with other data of the same kinds, of whatever lengths.

        Parameters
        ----------
        data : mapping of str to Datum
        """
        bound = self.bound
        assert isinstance(bound, CompiledBound)
        bound.take(data)
        self._weigh()

    @property
    def constant(self) -> float:
        """The largest factor of a likelihood term, 1 at least."""
        weights = self.bound.weights[PLAIN] if self._n_terms else np.ones(1)
        return float(max(1.0, weights.max()))

    @property
    def function(self) -> int:
        """Address of the density that a fit evaluates, with its gradient."""
        return self.bound.density if self._beta == 1.0 else self.bound.density_by_terms

    def context(self, which: int) -> int:
        """Return the address of one of the contexts."""
        return self.bound.context(which if self._n_contexts > 1 else FITTING)

    def slopes(self, which: int) -> int:
        """Return the address of the gradients by entries of the data that one of the contexts has, see `learnt`."""
        assert isinstance(self.bound, CompiledBound)
        return self.bound.slopes(which if self._n_contexts > 1 else FITTING)

    @property
    def of_workers(self) -> list[int]:
        """Addresses of the contexts of the workers, which weigh as a fit does."""
        return [self.bound.context(self._n_contexts + k) for k in range(self._workers)]

    def at(self, positions: Floats, which: int = PLAIN, up_to_constants: bool = False) -> Floats:
        """Return log densities; what the model's functions raise comes out, unless it is arithmetic.

        Parameters
        ----------
        positions : ndarray, shape (k, dim)
            Unconstrained.
        which : int
            Of the contexts: with what weights.
        up_to_constants : bool
            Whether constants may be missing, as in a gradient that the user wrote: then nothing but what a fit
            evaluates need be compiled.

        Returns
        -------
        values : ndarray, shape (k,)
        """
        bound, values = self.bound, np.zeros(len(positions))
        positions = np.ascontiguousarray(positions)
        function = self.function if up_to_constants else bound.value_density
        n, where = bound.dim, self.context(which)
        _evaluate(function, n, len(positions), address_of(positions), where, address_of(values))
        self.raise_failures()
        return values

    def values_at(self, positions: Floats) -> dict[str, NDArray[Any]]:
        """Return parameters and derived quantities by name.

        Parameters
        ----------
        positions : ndarray, shape (k, dim)
            Unconstrained.

        Returns
        -------
        values : dict of str to ndarray, shape (k, ...)
        """
        bound = self.bound
        positions = np.ascontiguousarray(positions)
        rows = np.zeros((len(positions), bound.row_size))
        where, addresses = self.context(PLAIN), (address_of(positions), address_of(rows))
        done = _record(bound.record, bound.dim, len(rows), addresses[0], where, addresses[1], bound.row_size)
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

    def raise_failures(self) -> None:
        """Raise what the model's functions have raised, unless it is arithmetic; forget it in any case."""
        for context in self.bound.failed_chains:
            position = self.bound.failure(context)
            self.bound.clear_failure(context)
            error = replayed(self.bound, position, None)
            if error is not None and not is_arithmetic(error):
                error.add_note(f"at {self.bound.describe(position)}")
                raise error


def needs_terms(model: Model, who: str) -> None:
    """Raise an error if the density of a model is one piece where its terms are needed."""
    definition = model.definition
    if definition.logp_function is None and definition.has_terms:
        return
    what = "logp" if definition.logp_function is not None else definition.written or "a C function"
    raise ModelError(
        f"{who} weighs prior and likelihood apart, and the density of {definition.title} is one piece ({what}); pass "
        "prior and likelihood."
    )

"""Models whose gradients are counted, and models in other coordinates."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

import nbinfer as nb
from nbinfer.compile import JIT, address_of, call_density, entry, floats_at, ints_at

Floats = np.ndarray[Any, np.dtype[np.float64]]

_PROTOTYPE = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64, ctypes.c_ssize_t, ctypes.c_ssize_t, ctypes.c_ssize_t)


@entry("float64(int64, intp, intp, intp)")
def _counted(n: int, position: int, grad: int, context: int) -> float:
    """Evaluate a density with its gradient, or its value, which has all constants."""
    words = ints_at(context, 4)
    if grad == 0:
        return call_density(words[2], n, position, 0, words[3])
    words[0] += 1
    return call_density(words[1], n, position, grad, words[3])


@entry("float64(int64, intp, intp, intp)")
def _standard(n: int, position: int, grad: int, context: int) -> float:
    """Evaluate a density where its coordinates are a mean and a triangular factor times those given."""
    words = ints_at(context, 5)
    mean, factor = floats_at(words[2], n), floats_at(words[3], n * n)
    given, row = floats_at(position, n), floats_at(words[4], 2 * n)
    shift = 0.0
    for i in range(n):
        row[i] = mean[i]
        for j in range(i + 1):
            row[i] += factor[n * i + j] * given[j]
        shift += np.log(factor[n * i + i])
    logp = call_density(words[0], n, words[4], 0 if grad == 0 else words[4] + 8 * n, words[1])
    if grad != 0:
        target = floats_at(grad, n)
        for j in range(n):
            target[j] = 0.0
        for i in range(n):
            for j in range(i + 1):
                target[j] += factor[n * i + j] * row[n + i]
    return logp + shift


def _model(function: Any, dim: int, words: list[int], owns: list[Any]) -> tuple[nb.Model, Any]:
    """Return a model of a C function of ours, and its context: words, which may be addresses in what the model owns."""
    context = np.array(words, np.int64)
    pointer = _PROTOTYPE(function.address if JIT else function.py_func)
    pointer.owns = owns  # as long as somebody has the model
    return nb.Model.flat(pointer, dim, context=context), context


class Counted:
    """A model as a function of its unconstrained coordinates, which counts.

    Parameters
    ----------
    model : Model

    Attributes
    ----------
    model : Model
        With one parameter, of all coordinates.
    """

    def __init__(self, model: nb.Model) -> None:
        bound = model.bind(1)
        words = [0, bound.density, bound.value_density, bound.context(0)]
        self.model, self._words = _model(_counted, model.dim, words, [bound])

    @property
    def gradients(self) -> int:
        """Gradients so far."""
        return int(self._words[0])


class Standardised(Counted):
    """A model in coordinates in which a normal distribution is standard; it counts.

    Parameters
    ----------
    model : Model
    mean : ndarray, shape (dim,)
        Of the normal distribution, unconstrained.
    factor : ndarray, shape (dim, dim)
        Lower triangular factor of its covariance, with a positive diagonal.
    """

    def __init__(self, model: nb.Model, mean: Floats, factor: Floats) -> None:
        super().__init__(model)
        inner = self.model.bind(1)
        arrays = [np.ascontiguousarray(mean), np.ascontiguousarray(factor), np.zeros(2 * model.dim)]
        words = [inner.density, inner.context(0), *map(address_of, arrays)]
        self.model, _ = _model(_standard, model.dim, words, [inner, *arrays])

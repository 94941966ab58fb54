"""Scores of particles on a GPU, by the model's own compiled form; in float64, whatever particles are.

Threads take particles in turn, each with a context of the model: where it finds data, and has scratch memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nbinfer.compile.quiet import without_warnings
from nbinfer.cuda import backend
from nbinfer.cuda.backend import cuda
from nbinfer.cuda.model import ModelOnDevice
from nbinfer.cuda.suitable import check_model, explained
from nbinfer.model import Model
from nbinfer.variational.densities import Densities

#: Threads at most, and of a block.
_MOST, _BLOCK = 2**16, 32


def make_score(density: Any) -> Callable[..., None]:
    """Make the kernel that evaluates the density, with its gradient, at the particles of each thread.

    Parameters
    ----------
    density : object
        Device function, see `nbinfer.cuda.model.ModelOnDevice`.
    """

    def score(x: Any, g: Any, logps: Any, contexts: int, step: int, room: Any, address: int) -> None:
        c, threads, dim = cuda.grid(1), cuda.gridsize(1), x.shape[1]
        position = address + 16 * dim * c
        for i in range(c, x.shape[0], threads):
            for k in range(dim):
                room[c, k] = x[i, k]
            logps[i] = density(dim, position, position + 8 * dim, contexts + step * c)
            for k in range(dim):
                g[i, k] = room[c, dim + k]

    return score


class ModelScores:
    """What finds the scores of particles by a model.

    Parameters
    ----------
    definition : CompiledDefinition
    beta : float
        Weight of all but the likelihood.
    n, dim : int
        Particles.

    Raises
    ------
    ModelError
        If the density is not compiled.
    CudaError
        If the memory of the device is too small.
    """

    def __init__(self, definition: Any, beta: float, n: int, dim: int) -> None:
        model = Model.of(definition)
        check_model(model)
        self._definition = definition
        self._blocks = min(-(-n // _BLOCK), _MOST // _BLOCK)
        threads = self._blocks * _BLOCK
        densities = Densities(model, beta, threads)
        bound = densities.bound
        backend.check_memory(16 * dim * threads, f"{n} particles of {dim} numbers, for their densities,")
        self._model = ModelOnDevice(bound)
        self._room = cuda.device_array((threads, 2 * dim), np.float64)
        first = self._model.contexts + densities.of_workers[0] - bound.context(0)
        self._given = first, self._model.step, self._room, backend.address_of(self._room)
        density = without_warnings(self._model.density) if backend.simulated() else self._model.density
        self._kernel = backend.compiled(make_score(density))

    def __call__(self, x: Any, g: Any, logps: Any) -> None:
        """Have gradients and densities be found; this does not wait for them.

        Parameters
        ----------
        x, g : device array, shape (n, dim)
        logps : device array, shape (n,)

        Raises
        ------
        CompileError
            If the density cannot be compiled for a GPU; it names the line.
        """
        try:
            with backend.launching():
                self._kernel[self._blocks, _BLOCK](x, g, logps, *self._given)
        except Exception as error:  # of the compiler's, at the first launch
            raise explained(error, self._definition) from error

    def check(self) -> None:
        """Raise CudaError if an evaluation wanted more memory than there is for it."""
        _ = self._model.failed


def scores_for(fitting: Any, n: int) -> ModelScores:
    """Return what finds the scores of the particles of a fit.

    Parameters
    ----------
    fitting : Fitting
    n : int
        Particles.
    """
    return ModelScores(fitting.bound.definition, fitting.settings.beta, n, int(fitting.bound.dim))

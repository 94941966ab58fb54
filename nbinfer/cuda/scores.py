"""Scores of particles on a GPU, by the model's own compiled form; in float64, whatever particles are.

Threads take particles in turn, each with a context of the model: where it finds data, and has scratch memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.compile import call_density, floats_at
from nbinfer.compile.quiet import without_warnings
from nbinfer.cuda import backend
from nbinfer.cuda.backend import cuda
from nbinfer.cuda.device import Device
from nbinfer.cuda.mirror import Mirror
from nbinfer.cuda.model import check_arenas, density_of, give_arenas, words_of_arena
from nbinfer.cuda.suitable import check_model, explained
from nbinfer.cuda.transition import choice
from nbinfer.model import Model
from nbinfer.variational.densities import Densities

#: Threads at most, and of a block.
_MOST, _BLOCK = 2**16, 32


def _score(x: Any, g: Any, logps: Any, contexts: int, stride: int, room: int) -> None:
    """Evaluate the density, with its gradient, at the particles of this thread."""
    c, threads, dim = cuda.grid(1), cuda.gridsize(1), x.shape[1]
    context, position = contexts + stride * c, room + 16 * dim * c
    gradient = position + 8 * dim
    z, grad = floats_at(position, dim), floats_at(gradient, dim)
    for i in range(c, x.shape[0], threads):
        for k in range(dim):
            z[k] = x[i, k]
        logps[i] = call_density(0, dim, position, gradient, context)
        for k in range(dim):
            g[i, k] = grad[k]


def python_kernel(bound: Any) -> Any:
    """Return the kernel of a model, as the Python function that is compiled."""
    density = density_of(bound)
    if backend.simulated():
        density = without_warnings(density)
    return Device({"": {"call_density": choice([(0, density)])}}).plain(_score)


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
        self._threads = min(-(-n // _BLOCK) * _BLOCK, _MOST)
        densities = Densities(model, beta, self._threads)
        bound: Any = densities.bound
        self._bound = bound
        self._mirror = Mirror(bound.arrays, {})
        words = words_of_arena(bound)
        needed = self._mirror.nbytes + 8 * (self._threads + 1) * words + 16 * self._threads * dim
        backend.check_memory(needed, f"data, and what {self._threads} threads need to evaluate the density,")
        self._mirror.make({})
        first = densities.of_workers[0] - bound.context(0)
        self._chunks = give_arenas(self._mirror, words)
        self._room = cuda.device_array(2 * dim * self._threads, np.float64)
        stride = bound.context(1) - bound.context(0)
        self._given = self._mirror.address("contexts") + first, stride, backend.address_of(self._room)
        self._kernel = backend.compiled(python_kernel(bound))

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
            self._kernel[self._threads // _BLOCK, _BLOCK](x, g, logps, *self._given)
        except Exception as error:  # of the compiler's, at the first launch
            raise explained(error, self._definition) from error

    def check(self) -> None:
        """Raise CudaError if an evaluation wanted more memory than there is for it."""
        check_arenas(self._mirror)


def scores_for(fitting: Any, n: int) -> ModelScores:
    """Return what finds the scores of the particles of a fit.

    Parameters
    ----------
    fitting : Fitting
    n : int
        Particles.
    """
    return ModelScores(fitting.bound.definition, fitting.settings.beta, n, int(fitting.bound.dim))

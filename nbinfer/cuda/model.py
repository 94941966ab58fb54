"""A model on a GPU: its density and gradient as a device function, and its contexts and data in the device's memory.

The text is that of the host's machine code, written anew without ``try``, which the compiler for GPUs does not know:
`attempt` tells whether a function raised. Temporaries come from an arena that each context has and that does not grow.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.compile import entry, ints_at
from nbinfer.compile.arena import CHUNK, FIRST, HIGH, WORDS
from nbinfer.compile.memory import GROW, NEXT, STOP
from nbinfer.cuda import backend
from nbinfer.cuda.device import Device, apart
from nbinfer.cuda.mirror import Mirror
from nbinfer.cuda.transition import choice
from nbinfer.errors import CudaError


class ModelOnDevice:
    """A bound model for kernels of one's own, one context for each of its chains, that is for each thread.

    A kernel evaluates with ``density(n, position, grad, context)``: `n` coordinates at the address `position`, the
    gradient to the address `grad` unless that is 0, and the `context` of the thread, ``contexts + k * step``. What is
    returned is the log density, -inf where a function raised. Addresses are those of the device, `int64`::

        model = ModelOnDevice(bound)
        density = model.density

        def kernel(positions, grads, contexts, step, logps):
            k = cuda.grid(1)
            if k < logps.shape[0]:
                n = positions.shape[1]
                at = 8 * n * k
                logps[k] = density(n, address_of_positions + at, address_of_grads + at, contexts + step * k)

    where addresses of arrays are what `nbinfer.cuda.backend.address_of` returns. As a global or a variable around it,
    `density` is compiled with the kernel: by `nbinfer.cuda.backend.compiled`, or by `nbinfer.cuda.offline.assemble`.
    `density_of` is the same without a device.

    Parameters
    ----------
    bound : CompiledBound

    Attributes
    ----------
    density : object
        The device function.
    contexts, step : int
        Address of the first context, and bytes from each to the next.
    """

    def __init__(self, bound: Any) -> None:
        self._bound, words = bound, words_of_arena(bound)
        self._mirror = Mirror(bound.arrays, {})
        needed = self._mirror.nbytes + 8 * words * (bound.chains + 1)
        backend.check_memory(needed, f"the data of the model, and {bound.chains} contexts,")
        self._mirror.make({})
        self._chunks = give_arenas(self._mirror, words)
        self.density = density_of(bound)
        self.contexts, self.step = self._mirror.address("contexts"), self._mirror.bytes_of_row("contexts")

    @property
    def failed(self) -> bool:
        """Whether a function has raised in any evaluation so far; the host then knows where."""
        check_arenas(self._mirror)
        self._bound.take_failures(self._mirror.fetch("contexts"), self._mirror.fetch("failures"))
        return bool(self._bound.failed_chains)


def density_of(bound: Any) -> Any:
    """Return a model's density as a device function, see `ModelOnDevice`."""
    return apart(Device({"": {"call_step": choice("call_step", [])}}).function(bound.on_device()["density"]))


def words_of_arena(bound: Any) -> int:
    """Return how large an arena a context should have: what evaluations needed, and half as much again."""
    return -(-max(int(1.5 * bound.arena_words), 16) // 4) * 4


def give_arenas(mirror: Mirror, words: int) -> Any:
    """Give each context that was mirrored an arena, which does not grow; return their memory."""
    count = len(mirror.fetch("arenas"))
    chunks = backend.cuda.device_array(count * words, np.int64)
    first = backend.address_of(chunks) + 8 * words * np.arange(count)
    rows = np.zeros((count, WORDS), np.int64)
    rows[:, [NEXT, FIRST, HIGH]] = first[:, None]
    rows[:, STOP] = first + 8 * words
    rows[:, GROW] = refuse.address if backend.simulated() else 0
    mirror.put("arenas", rows)
    return chunks


def check_arenas(mirror: Mirror) -> None:
    """Raise CudaError if an evaluation wanted more memory than its arena has."""
    rows: Any = mirror.fetch("arenas")
    lacking = int(rows[:, CHUNK].max())
    if lacking:
        room = int((rows[:, STOP] - rows[:, FIRST]).max())
        raise CudaError(
            "memory",
            f"an evaluation of the density needs {room + lacking} bytes for its own arrays at least, and at the points "
            "where it was tried it needed fewer; a while loop may take more turns elsewhere. Take a loop of a fixed "
            "number of turns, or leave backend out.",
        )


@entry("int64(intp, intp)")
def refuse(address: int, size: int) -> int:
    """C function of the simulator: what an arena that does not grow does where more is wanted."""
    ints_at(address, WORDS)[CHUNK] += size
    return 0

"""What the chains of an ensemble do together after each draw, on a GPU: a launch for each phase, one thread for a row.

The functions and their tables of members are those of the processor. So are the blocks that are added up, one after the
other, and with them the sums. A launch begins when the one before has ended, which is all that phases wait for.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import Entry, call_phase, load_acquire, store_release
from nbinfer.compile.quiet import without_warnings
from nbinfer.cuda import backend
from nbinfer.cuda.backend import cuda
from nbinfer.cuda.device import Device
from nbinfer.cuda.mirror import Mirror
from nbinfer.cuda.transition import choice
from nbinfer.engine.chains import Together
from nbinfer.engine.job import Status

_OK = int(Status.OK)
_WARPS = 1056  # warps that a GPU should have to change between before threads share one
_LARGEST_BLOCK = 64  # threads


def grid_for(count: int) -> tuple[int, int]:
    """Return blocks of threads, and threads of each: warps of few threads while there are few, since these differ."""
    threads = 1
    while threads < _LARGEST_BLOCK and count // threads > _WARPS:
        threads *= 2
    return -(-count // threads), threads


def _run(members: int, rows: int, piece: int, stop: int) -> None:
    """Run the row of this thread, unless something has ended the run: members may then be in the middle of a draw."""
    row = cuda.grid(1)
    if row < rows and load_acquire(stop) == 0 and call_phase(0, members, row, piece) != _OK:
        store_release(stop, 1)


def python_kernel(function: Entry) -> FunctionType:
    """Return the kernel of a phase, as the Python function that is compiled.

    Parameters
    ----------
    function : Entry
        The C function of the phase.
    """
    phase = Device({"": {"call_step": choice("call_step", [])}}).function(function)
    if backend.simulated():
        phase = without_warnings(phase)
    return Device({"": {"call_phase": choice("call_phase", [(0, phase)])}}).plain(_run)


class Phases:
    """The phases that end a draw of all chains; none, where chains know nothing of each other.

    Parameters
    ----------
    together : sequence of Together

    Attributes
    ----------
    arrays : dict of str to ndarray of int64
        What is to be mirrored.
    """

    def __init__(self, together: Sequence[Together]) -> None:
        self._together = together
        self.arrays: dict[str, NDArray[np.int64]] = {f"members {k}": own.members for k, own in enumerate(together)}

    def __len__(self) -> int:
        return len(self._together)

    def make(self, mirror: Mirror) -> None:
        """Compile kernels, and find the members in what was mirrored."""
        self._stop = mirror.address("stop")
        kernels = [backend.compiled(python_kernel(own.function)) for own in self._together]
        places = map(mirror.address, self.arrays)
        self._launches = [
            (kernel, grid_for(own.rows), place, own.rows)
            for kernel, place, own in zip(kernels, places, self._together, strict=True)
        ]

    def launch(self, piece: int, stream: Any) -> None:
        """Have the phases follow the draw with number `piece`; this does not wait for them."""
        for kernel, grid, members, rows in self._launches:
            kernel[(*grid, stream)](members, rows, piece, self._stop)

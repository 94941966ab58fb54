"""What the phases of an iteration of Stein variational gradient descent share.

An iteration is a sequence of phases, see `nbinfer.engine.team`. Blocks of particles are what workers share out among
themselves; which particles a block has depends on their number alone, and every sum goes over particles in their order,
so that no result depends on the number of workers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.compile import Record, kernel
from nbinfer.engine.state import State, floats, integers

#: Particles whose distances from one are computed at once.
TILE = 64
#: Blocks at most.
BLOCKS = 64

#: Squared distances, as kernels are given them: of each they write the value of the kernel, minus twice its derivative
#: with respect to the squared distance, and, where there is an address for them, four times the second derivative.
TILE_FIELDS: list[tuple[str, str]] = [
    ("n", "i8"),  # distances
    ("bandwidth", "f8"),
    ("distances", "i8"),  # addresses of arrays
    ("values", "i8"),
    ("slopes", "i8"),
    ("curves", "i8"),  # 0: not wanted
]
Tile = np.dtype(TILE_FIELDS, align=True)
_TILE_WORDS = 8


def n_tiles(n: int) -> int:
    """Return how many tiles so many particles fill."""
    return -(-n // TILE)


@kernel
def scratch_of(dim: int) -> int:
    """Return how many words a block needs for itself: two rows of distances, values and slopes, and sums of rows."""
    return -(-(_TILE_WORDS + 6 * TILE + 2 * dim) // 8) * 8


def _per_particle(crew: Any, site: Any) -> int:
    return int((crew.n + 1) * crew.dim)  # rows are taken two by two


#: What the phases share.
STEIN = State(
    fields={
        "fit": "i8",  # address of its block
        "n": "i8",  # particles, or draws of an iteration
        "dim": "i8",
        "count": "i8",  # those that have a density
        "is_drawn": "i8",  # whether they are draws
        "block": "i8",  # particles of a block, an even number
        "n_blocks": "i8",
        "contexts": "i8",  # address of those of the model, one for each worker, and their number
        "n_contexts": "i8",
        "temperature": "f8",
        "bandwidth": "f8",
        "weigh": "i8",  # C function of the kernel, and its record
        "own": "i8",
        "matrix": "i8",  # address of a kernel's values and of its sums of derivatives, where Python finds them
        "sums": "i8",
        "room": "i8",  # of a block, for distances that may be the median
        "low": "f8",  # the median is expected between these
        "high": "f8",
        "median": "f8",  # the last one
    },
    work={
        "claims": integers(lambda crew, site: crew.workers),  # whether somebody has a context
        "positions": floats(_per_particle),
        "grads": floats(_per_particle),  # of the log density
        "logps": floats(lambda crew, site: crew.n),
        "kept": integers(lambda crew, site: crew.n),  # which particles have a density
        "points": floats(_per_particle),  # those
        "scores": floats(_per_particle),
        "forces": floats(_per_particle),
        "panels": floats(lambda crew, site: n_tiles(crew.n) * TILE * crew.dim),  # points, a tile's coordinate in a row
        "scratch": floats(lambda crew, site: crew.n_blocks * scratch_of.py_func(crew.dim)),
        "found": floats(lambda crew, site: crew.n_blocks * crew.block * TILE),  # distances in the window, by block
        "below": integers(lambda crew, site: crew.n_blocks),  # how many distances are below the window
        "inside": integers(lambda crew, site: crew.n_blocks),
        "beyond": floats(lambda crew, site: crew.n_blocks),  # the smallest one above it
    },
)
Stein_ = STEIN.record


@kernel
def end_of(stein: Record, block: int) -> int:
    """Return the particle after the last one of a block, which may be before its first one."""
    end: int = min((block + 1) * stein.block, stein.count)
    return end

"""What the phases of an iteration of Stein variational gradient descent share.

An iteration is a sequence of phases, see `nbinfer.engine.team`. Blocks and sections of particles are what workers share
out among themselves; which particles they have depends on their number alone, and every sum is made in the same order,
so that no result depends on the number of workers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import Record, compare_and_swap, floats_at, kernel, part, singles_at
from nbinfer.engine.state import State, floats, integers
from nbinfer.variational.stein.pairs import coordinates_of

#: Particles of a tile at most, a multiple of `LANES`: rows of sums and weights then stay in the nearest memory.
TILE = 256
#: Particles of a tile whose pairs with another one are weighed at once, a multiple of 4.
ROWS = 32
#: Tiles are as wide as vectors of float32: so many particles, or a multiple.
LANES = 16
#: Blocks and sections at most, and shares of gradients: these take long, and the last ones are waited for.
BLOCKS, SHARES = 64, 512
#: Tiles that particles are to make, where there are enough of them for tiles of this size.
_TILES, _FEW = 8, 64
#: Pairs that are drawn, of which a block finds the distances at once.
STRIP = 256
#: Squared distances that a block keeps for each of its particles, where they may be the median.
KEPT = 64

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
TILE_WORDS = 8


class Layout:
    """Which particles make tiles, sections and blocks, and where panels are among the numbers of an iteration.

    Parameters
    ----------
    n, dim : int
        Particles and their coordinates.
    is_single : bool
        Whether panels are of float32.
    pairs : int
        Pairs that the median is found of; 0: all.
    is_gaussian : bool
        Whether the kernel's slopes are its values times a constant.

    Attributes
    ----------
    tile, section, block, share : int
        Particles of a tile, tiles of a section, particles of a block, and those that are evaluated together.
    n_sections, n_blocks, n_shares : int
    coordinates, features : int
        How many rows panels have of positions, and of what is summed.
    at : dict of str to int
        Where panels begin, by name; see `STEIN`.
    tasks : int
        Rows of a phase that need room of their own.
    table : int
        Words of a task's record `Tile` with its arrays.
    size, words : int
        How many numbers all panels have, and how many words these take.
    drawn, strips : int
        Numbers in float32 that pairs that are drawn need.
    """

    def __init__(self, n: int, dim: int, is_single: bool, pairs: int, is_gaussian: bool) -> None:
        self.tile = min(TILE, _rounded(max(math.ceil(n / _TILES), min(n, _FEW))))
        n_tiles = math.ceil(n / self.tile)
        self.section = math.ceil(n_tiles / BLOCKS)
        self.n_sections = math.ceil(n_tiles / self.section)
        self.block = 2 * math.ceil(n / (2 * BLOCKS))
        self.n_blocks = math.ceil(n / self.block)
        self.share = math.ceil(n / SHARES)
        self.n_shares = math.ceil(n / self.share)
        self.tasks = max(self.n_blocks, self.n_sections)
        self.coordinates, self.features = coordinates_of.py_func(dim), 4 * math.ceil((dim + 1) / 4)
        rows, batch, own = n_tiles * self.tile, ROWS * self.tile, 0 if is_gaussian else 1
        drawn = min(n, pairs)
        self.table = TILE_WORDS + 3 * batch * own
        sizes = {
            "places": rows * self.coordinates,
            "pulls": rows * self.features,
            "pushes": rows * self.features * own,
            "sums": rows * self.features,
            "values": self.tasks * batch,
            "slopes": self.tasks * batch * own,
        }
        self.drawn = (drawn + 4 * math.ceil(pairs / max(4 * drawn, 1)) + 4) * self.coordinates
        self.strips = 4 * STRIP * self.n_blocks if pairs > 0 else 0
        self.at, self.size = {}, 0
        for name, size in sizes.items():
            self.at[name] = self.size
            self.size += _rounded(size)
        self.words = self.size // 2 if is_single else self.size

    def write_to(self, stein: Any) -> None:
        """Tell the phases."""
        stein.tile, stein.section, stein.block, stein.room = self.tile, self.section, self.block, self.block * KEPT
        stein.n_sections, stein.n_blocks, stein.share = self.n_sections, self.n_blocks, self.share
        stein.coordinates, stein.features, stein.table = self.coordinates, self.features, self.table
        stein.n_numbers = self.size
        for name, at in self.at.items():
            setattr(stein, name, at)


def _rounded(count: int) -> int:
    return -(-count // LANES) * LANES


def _per_particle(crew: Any, site: Any) -> int:
    return int((crew.n + 1) * crew.dim)  # rows of a table of pairs are taken two by two


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
        "share": "i8",  # particles whose gradients a worker evaluates at a time
        "contexts": "i8",  # address of those of the model, one for each worker, and their number
        "n_contexts": "i8",
        "temperature": "f8",
        "bandwidth": "f8",
        "weigh": "i8",  # C function of the kernel, and its record
        "own": "i8",
        "gauss": "i8",  # C function that writes values of a Gaussian kernel over distances; 0: it is another kernel
        "matrix": "i8",  # address of a kernel's values and of its sums of derivatives, where Python finds them
        "given": "i8",
        "is_single": "i8",  # whether panels are of float32
        "n_numbers": "i8",  # of all panels
        "tile": "i8",  # particles of a tile
        "section": "i8",  # tiles of a section
        "n_sections": "i8",
        "coordinates": "i8",  # of a particle in panels, and what is summed
        "features": "i8",
        "places": "i8",  # where panels begin: positions
        "pulls": "i8",  # what values of the kernel multiply
        "pushes": "i8",  # what its slopes multiply, where these are no values
        "sums": "i8",  # what comes of it
        "values": "i8",  # room for a batch of values and of slopes, by task
        "slopes": "i8",
        "table": "i8",  # words of a task's record `Tile` with its arrays
        "itself": "i8",  # address of this record, and the phase that surveys distances
        "measure": "i8",
        "pairs": "i8",  # that the median is found of; 0: all
        "n_drawn": "i8",  # particles among these, and with how many others each is paired
        "n_shifts": "i8",
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
        "centre": floats(lambda crew, site: crew.dim),  # of the points
        "numbers": floats(lambda crew, site: crew.layout.words),  # all panels
        "tables": floats(
            lambda crew, site: crew.layout.tasks * crew.layout.table
        ),  # a record `Tile` with its arrays, by task
        "drawn": floats(lambda crew, site: crew.layout.drawn // 2),  # positions in the order in which they are drawn
        "apart": floats(lambda crew, site: crew.layout.strips // 2),  # distances of some of them, by block
        "order": integers(lambda crew, site: crew.n),  # of the particles of which pairs are drawn
        "found": floats(lambda crew, site: crew.layout.n_blocks * crew.layout.block * KEPT),  # distances in the window
        "below": integers(lambda crew, site: crew.layout.n_blocks),  # how many distances are below the window, by block
        "inside": integers(lambda crew, site: crew.layout.n_blocks),
    },
)
Stein_ = STEIN.record

#: Views of all panels, by whether they are of float32.
Numbers = NDArray[Any]


@kernel
def claimed(own: Record) -> int:
    """Take a context that nobody has, of those that phases share: there is one for each worker."""
    k = 0
    while not compare_and_swap(own.claims + 8 * k, 0, 1):
        k = (k + 1) % own.n_contexts
    return k


@kernel
def end_of(stein: Record, block: int) -> int:
    """Return the particle after the last one of a block, which may be before its first one."""
    end: int = min((block + 1) * stein.block, stein.count)
    return end


@kernel
def width_of(stein: Record, tile: int) -> int:
    """Return how many particles the panel of a tile has: a multiple of `LANES`; 0 if there is none."""
    width: int = min(stein.tile, -(-max(stein.count - tile * stein.tile, 0) // LANES) * LANES)
    return width


@kernel
def doubles(stein: Record) -> NDArray[np.float64]:
    """View all panels of float64."""
    return floats_at(stein.numbers, stein.n_numbers)


@kernel
def singles(stein: Record) -> NDArray[np.float32]:
    """View all panels of float32."""
    return singles_at(stein.numbers, stein.n_numbers)


@kernel
def width_of_drawn(stein: Record) -> int:
    """Return how many particles the panel of those has that pairs are drawn of: after the last the first ones again."""
    width: int = stein.n_drawn + -(-stein.n_shifts // 4) * 4
    return width


@kernel
def drawn(stein: Record) -> NDArray[np.float32]:
    """View that panel.

    It is of float32 in any case: what that takes from the median is nothing beside what chance does.
    """
    return singles_at(stein.drawn, stein.coordinates * width_of_drawn(stein))


@kernel
def panel_of(stein: Record, numbers: Numbers, at: int, height: int, tile: int) -> Numbers:
    """View the panel of a tile."""
    return part(numbers, at + tile * stein.tile * height, (height * width_of(stein, tile),))

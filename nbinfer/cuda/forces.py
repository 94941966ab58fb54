r"""Forces on particles, on a GPU: sums over all pairs in one pass, without a table of them.

With :math:`v_j = g_j / T - x_j / h` the force of the Gaussian kernel is

.. math:: \phi_i = \frac1n \Big[\sum_j k_{ij} v_j + \frac{x_i}{h} \sum_j k_{ij}\Big]

so that a pair costs twice the dimension in multiplications and one exponential, of
:math:`s_i + s_j + x_i \cdot x_j / h`. Particles are moved to around 0 first: far from there the sum would lose digits.
The inverse multiquadric takes two such sums, one weighted by the kernel and one by its slope.

Two kernels do it. The one for few coordinates has tiles of particles in shared memory, and in the registers of each
thread several particles with their sums. The one for many multiplies small matrices: a tile of distances, and its
weights with a tile of what is summed. Particles that are summed over are split among blocks where there are few; sums
of parts are added in their order, and nothing depends on which GPU it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype

from nbinfer.cuda.backend import compiled, cuda

#: Unsigned indices of shared memory spare the code for negative ones.
_U = np.uint64

#: Up to so many coordinates registers hold particles.
FEW = 20
#: Blocks that fill a large GPU; the number of its processors must not change what is added to what.
BLOCKS = 1056

#: What is summed: the Gaussian kernel's, or that of the inverse multiquadric by its values, or by its slopes.
GAUSSIAN, VALUES, SLOPES = range(3)


class Cut(NamedTuple):
    """How the work of all pairs is cut.

    Attributes
    ----------
    dim : int
    own : int
        Particles that a block computes the forces on.
    tile : int
        Particles that are in shared memory at a time.
    threads : int
        Of a block.
    rows : int
        Particles of a thread.
    depth : int
        Of the kernel for many coordinates: coordinates that are in shared memory at a time.
    panel : int
        Of that: sums that a block has of each particle.
    """

    dim: int
    own: int
    tile: int
    threads: int
    rows: int
    depth: int = 32
    panel: int = 64

    @property
    def is_small(self) -> bool:
        """Whether registers hold whole particles."""
        return self.dim <= FEW

    @property
    def width(self) -> int:
        """Numbers of a packed particle: coordinates, square, what is summed, 1; loads of four are faster."""
        return -(-(2 * self.dim + 2) // 4) * 4

    @property
    def columns(self) -> int:
        """Sums of a particle."""
        return self.dim + 1

    @property
    def panels(self) -> int:
        """Parts of the sums that blocks of the kernel for many coordinates share out among themselves."""
        return -(-self.columns // self.panel)

    @property
    def padded_columns(self) -> int:
        """Columns of the matrix of what is summed."""
        return self.panels * self.panel

    @property
    def places(self) -> tuple[int, int, int]:
        """Where, in the shared memory of the kernel for many coordinates, parts begin.

        First of all are a chunk of coordinates of a block's own particles; these are that of a tile's, what is summed
        of a tile, and weights. Each begins where a load of 16 bytes may.
        """
        sizes = self.depth * self.own, self.depth * self.tile, self.tile * self.panel
        ends = np.cumsum([-(-size // 4) * 4 for size in sizes])
        return int(ends[0]), int(ends[1]), int(ends[2])

    def shared(self, dtype: Any) -> int:
        """Return the bytes of shared memory of a block."""
        numbers = self.tile * self.width if self.is_small else self.places[2] + self.tile * self.own
        return numbers * int(np.dtype(dtype).itemsize)

    def splits(self, n: int) -> tuple[int, int]:
        """Return into how many parts sums are split, and how many particles a part has."""
        blocks = -(-n // self.own) * (1 if self.is_small else self.panels)
        parts = max(1, min(-(-n // (4 * self.tile)), -(-BLOCKS // blocks)))
        each = math.ceil(math.ceil(n / parts) / self.tile) * self.tile
        return -(-n // each), each

    def padded(self, n: int) -> int:
        """Return the number of packed particles: whole tiles, with empty ones at the end."""
        parts, each = self.splits(n)
        return max(parts * each, -(-n // self.own) * self.own)


def cut_for(dim: int, dtype: Any) -> Cut:
    """Return how the work is cut on a GPU.

    Parameters
    ----------
    dim : int
    dtype : dtype
    """
    single = np.dtype(dtype).itemsize == 4
    if dim <= FEW:
        rows = (4 if dim <= 16 else 2) if single else (2 if dim <= 10 else 1)
        return Cut(dim, 128 * rows, 32, 128, rows)
    depth = 2 * math.ceil(dim / math.ceil(dim / 32) / 2)  # chunks of about the same size
    panel = 8 * math.ceil((dim + 1) / math.ceil((dim + 1) / 64) / 8)
    return Cut(dim, 64, 32, 64, 8, depth, panel) if single else Cut(dim, 32, 16, 64, 4, depth, panel)


def weights(kind: int, dtype: Any) -> tuple[Any, Any]:
    """Return the unit of exponents, and the function from minus the scaled squared distance to a weight.

    Parameters
    ----------
    kind : int
        `GAUSSIAN`, or another one.
    dtype : dtype
    """
    one = np.dtype(dtype).type(1.0)

    def gaussian(z: Any, power: Any, factor: Any) -> Any:
        return math.exp2(z)

    def multiquadric(z: Any, power: Any, factor: Any) -> Any:
        return factor * math.exp2(power * math.log2(one - z))

    unit = 0.5 * math.log2(math.e) if kind == GAUSSIAN else 0.5
    return np.dtype(dtype).type(unit), gaussian if kind == GAUSSIAN else multiquadric


def make_centre() -> Callable[..., None]:
    """Make the kernel that finds a point amid the particles: the mean of some of them, by a block each coordinate.

    As the first one after scores were found, and to be good, it counts the iteration.
    """

    def find_centre(x: Any, count: int, status: Any, centre: Any) -> None:
        shared = cuda.shared.array(256, np.float64)
        t, c, threads = cuda.threadIdx.x, cuda.blockIdx.x, cuda.blockDim.x
        if status[0] != 0:
            return
        if c == 0 and t == 0:
            status[1] += 1
        stride, total = x.shape[0] // count, 0.0
        for k in range(t, count, threads):
            total += x[k * stride, c]
        shared[t] = total
        cuda.syncthreads()
        half = threads // 2
        while half > 0:
            if t < half:
                shared[t] += shared[t + half]
            cuda.syncthreads()
            half //= 2
        if t == 0:
            centre[c] = shared[0] / count

    return find_centre


def make_pack_few(cut: Cut, kind: int, dtype: Any) -> Callable[..., None]:
    """Make the kernel that puts what a pair needs of a particle into a row, by a thread each particle."""
    dim, width, zero = cut.dim, cut.width, np.dtype(dtype).type(0.0)
    one, unit = np.dtype(dtype).type(1.0), weights(kind, dtype)[0]

    def pack(x: Any, g: Any, centre: Any, bandwidth: Any, status: Any, packed: Any, inverse: Any) -> None:
        i = cuda.grid(1)
        if i >= packed.shape[0] or status[0] != 0:
            return
        for k in range(width):
            packed[i, k] = zero
        if i >= x.shape[0]:
            return
        h, square = bandwidth[0], zero
        for k in range(dim):
            xk = dtype(x[i, k] - centre[k])
            square += xk * xk
            packed[i, k] = xk
            v = zero
            if kind != SLOPES:
                v = dtype(g[i, k] * inverse)
            if kind != VALUES:
                v -= xk / h if kind == GAUSSIAN else xk
            packed[i, dim + 1 + k] = v
        packed[i, dim] = -square * (unit / h)
        packed[i, 2 * dim + 1] = one

    return pack


def _tiles(cut: Cut, dtype: Any, weigh: Any) -> Any:
    """Return what adds a tile of particles, in shared memory, to the sums of a thread's own."""
    dim, rows, tile, width = cut.dim, cut.rows, cut.tile, cut.width

    def add_tile(shared: Any, own: Any, square: Any, power: Any, factor: Any, total: Any) -> None:
        for j in range(tile):
            row = j * width
            for r in range(rows):
                z = square[r] + shared[_U(row + dim)]
                for k in range(dim):
                    z += own[r * dim + k] * shared[_U(row + k)]
                w = weigh(z, power, factor)
                for k in range(dim + 1):
                    total[r * (dim + 1) + k] += w * shared[_U(row + dim + 1 + k)]

    return compiled(add_tile, device=True, fastmath=True)


def make_few(cut: Cut, kind: int, dtype: Any, weigh: Any) -> Callable[..., None]:
    """Make the kernel for few coordinates.

    A block has `own` particles, each thread `rows` of them; the second index of the grid is the part of the sum.
    """
    dim, rows, threads, tile, width = cut.dim, cut.rows, cut.threads, cut.tile, cut.width
    zero, room, sums, panel = np.dtype(dtype).type(0.0), rows * dim, rows * (dim + 1), tile * width
    double, element, add_tile = 2 * weights(kind, dtype)[0], from_dtype(np.dtype(dtype)), _tiles(cut, dtype, weigh)

    def add_up(packed: Any, bandwidth: Any, each: int, power: Any, slope: Any, status: Any, parts: Any) -> None:
        shared = cuda.shared.array(0, element)  # one whose size is not known here begins where 16 bytes can be loaded
        own, square = cuda.local.array(room, dtype), cuda.local.array(rows, dtype)
        total = cuda.local.array(sums, dtype)
        if status[0] != 0:
            return
        t, n = cuda.threadIdx.x, parts.shape[2]
        first = cuda.blockIdx.x * (threads * rows) + t
        scale, factor = double / bandwidth[0], slope / bandwidth[0] if kind == SLOPES else slope
        for r in range(rows):
            i = min(first + r * threads, n - 1)
            for k in range(dim):
                own[r * dim + k] = packed[i, k] * scale
            square[r] = packed[i, dim]
        for q in range(sums):
            total[q] = zero
        begin = cuda.blockIdx.y * each
        for at in range(begin, begin + each, tile):
            for q in range(t, panel, threads):
                shared[_U(q)] = packed[at + q // width, q % width]
            cuda.syncthreads()
            add_tile(shared, own, square, power, factor, total)
            cuda.syncthreads()
        for r in range(rows):
            for k in range(dim + 1):
                if first + r * threads < n:
                    parts[cuda.blockIdx.y, k, first + r * threads] = total[r * (dim + 1) + k]

    return add_up


def make_gather(dim: int, dtype: Any) -> Callable[..., None]:
    """Make the kernel that adds parts of sums up in their order, and writes forces, or adds to them.

    The sum of weights draws a particle back to where it is. With the force it writes what an optimiser goes down by,
    and where the particle was.
    """
    zero, one = np.dtype(dtype).type(0.0), np.dtype(dtype).type(1.0)

    def gather(
        parts: Any, x: Any, centre: Any, bandwidth: Any, kind: int, constant: Any, status: Any,
        force: Any, gradient: Any, before: Any,
    ) -> None:  # fmt: skip
        i, n = cuda.grid(1), x.shape[0]
        if i >= n or status[0] != 0:
            return
        weight = zero
        if kind != VALUES:
            for s in range(parts.shape[0]):
                weight += parts[s, dim, i]
        if kind == GAUSSIAN:
            weight /= bandwidth[0]
        inverse = one / dtype(n)
        for k in range(dim):
            total = weight * dtype(x[i, k] - centre[k])
            for s in range(parts.shape[0]):
                total += parts[s, k, i]
            found = np.float64(total * inverse)
            if kind == SLOPES:
                found += force[i, k]
            force[i, k] = found
            gradient[i * dim + k] = -found / constant
            before[i * dim + k] = x[i, k]

    return gather

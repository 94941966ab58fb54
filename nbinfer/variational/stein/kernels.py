"""Kernels: how much a particle counts for another one.

A kernel in plain Python is a function of points that returns its values at all pairs and the sums of its derivatives.
One that depends on the distance alone is declared like a step of a chain: a C function ``int64 weigh(intp tile, intp
own)`` gets squared distances by the dozen, in a record `Tile`, and no table of pairs is made.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, between, count, positive
from nbinfer.compile import Entry, address_of, entry, floats_at, kernel, record_at
from nbinfer.engine.state import BLOCK, Memory, Plan, State
from nbinfer.engine.written import kept
from nbinfer.spelling import public
from nbinfer.variational.functions import TestFunction
from nbinfer.variational.stein.gauss import weigh_doubles, weigh_singles
from nbinfer.variational.stein.state import Tile
from nbinfer.vectormath import exp, log

Floats = NDArray[np.float64]

#: Particles of which the median is that of all pairs, and how many pairs are drawn of more.
FEW, PAIRS = 1000, 2**17

_exp, _log = exp.numbers, log.numbers


@public
@kept
class Kernel(TestFunction):
    """Base of kernels, positive definite functions of pairs of points; a subclass says its values."""

    #: Whether its bandwidth comes from the distances of the particles, of which there must then be two.
    needs_spread = False

    def __call__(self, z: Floats) -> Any:
        """Return its values at all pairs of points, and the sums of its derivatives.

        Parameters
        ----------
        z : ndarray, shape (n, dim)
            Points.

        Returns
        -------
        Kxy : ndarray, shape (n, n)
            ``k(z_j, z_i)``.
        dxkxy : ndarray, shape (n, dim)
            In row i the sum over j of its derivatives with respect to ``z_j``, at ``(z_j, z_i)``.
        """
        raise NotImplementedError


def median_bandwidth(z: Floats) -> float:
    """Return the documents' bandwidth: half the median squared distance over log(n + 1).

    The median is that of all n² squared distances, with the zeros of the diagonal.

    Parameters
    ----------
    z : ndarray, shape (n, dim)
    """
    squared = _squared(z).ravel()
    return 0.5 * float(np.median(squared)) / math.log(len(z) + 1.0)


def _squared(z: Floats) -> Floats:
    """Return the squared distances of all pairs, coordinate by coordinate: no larger table than that."""
    found = np.zeros((len(z), len(z)))
    for column in z.T:
        found += (column[:, None] - column) ** 2
    return found


@public
class RadialKernel(Kernel):
    """Base of kernels of the distance; a subclass has a C function, and what that keeps.

    Parameters
    ----------
    bandwidth : float, optional
        What squared distances are divided by, twice. Default: by the documents' rule, half the median of all n² squared
        distances, with the zeros of the diagonal, over log(n + 1), anew in each iteration.
    pairs : int or 'all', optional
        How many pairs of particles a fit finds the median of; they are drawn once, by its seed. Default: all pairs of
        up to 1000 particles, and 131072 of more, by which a bandwidth is off by some tenths of a per cent.

    Notes
    -----
    ``int64 weigh(intp tile, intp own)`` finds squared distances in the record of dtype `Tile` at its first address. It
    writes for each of them the value k, minus twice its derivative with respect to the squared distance, and, unless
    the address of ``curves`` is 0, four times the second derivative.
    """

    #: The C function.
    weigh: ClassVar[Entry]
    #: What it keeps.
    state: ClassVar[State] = State({"nothing": "i8"})  # a record needs a field

    def __init__(self, bandwidth: float | None = None, *, pairs: int | str | None = None) -> None:
        if bandwidth is not None:
            positive("bandwidth", bandwidth)
        if isinstance(pairs, str) and pairs != "all":
            raise ValueError(f"pairs must be a number of pairs, or 'all', got {pairs!r}.")
        if pairs is not None and not isinstance(pairs, str):
            count("pairs", pairs, 1, MOST)
        self.bandwidth, self.pairs = bandwidth, pairs

    def pairs_of(self, n: int) -> int:
        """Return of how many pairs of n particles a fit finds the median; 0: of all."""
        if isinstance(self.pairs, str) or (self.pairs is None and n <= FEW):
            return 0
        pairs = PAIRS if self.pairs is None else int(self.pairs)
        return pairs if 2 * pairs < n * (n - 1) else 0

    @property
    def needs_spread(self) -> bool:  # type: ignore[override]
        return self.bandwidth is None

    def initialise(self, own: Memory) -> None:
        """Write settings; all is 0 before."""

    def bandwidth_of(self, z: Floats) -> float:
        """Return the bandwidth at some points, shape (n, dim)."""
        return median_bandwidth(z) if self.bandwidth is None else float(self.bandwidth)

    def weights(self, z: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return what the C function says of all pairs.

        Parameters
        ----------
        z : ndarray, shape (n, dim)

        Returns
        -------
        squared, values, slopes, curves : ndarray, shape (n, n)
            Squared distances and what belongs to them.
        """
        squared = _squared(z)
        return squared, *self.of_squared(squared, self.bandwidth_of(z))

    def of_squared(self, squared: Floats, bandwidth: float) -> tuple[Floats, Floats, Floats]:
        """Return what the C function says of squared distances.

        Parameters
        ----------
        squared : ndarray
        bandwidth : float

        Returns
        -------
        values, slopes, curves : ndarray, of the same shape
        """
        values, slopes, curves = (np.zeros(squared.shape) for _ in range(3))
        plan = Plan()
        place = plan.place(self.state, self, None)
        memory = np.zeros(plan.sizes[BLOCK], np.int64)
        self.initialise(Memory(place, memory, memory))
        tile = np.zeros(1, Tile)
        rows = [address_of(array) for array in (squared, values, slopes, curves)]
        tile[0] = (squared.size, bandwidth, *rows)
        self.weigh(address_of(tile), address_of(memory))
        return values, slopes, curves

    def __call__(self, z: Floats) -> tuple[Floats, Floats]:
        z = np.asarray(z, np.float64)
        _, values, slopes, _ = self.weights(z)
        apart = z - z.mean(axis=0)
        return values, slopes.sum(axis=1)[:, None] * apart - slopes @ apart

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.bandwidth is None else f'bandwidth={self.bandwidth:g}'})"


@kernel(reassociate=True)
def _rbf(distances: int, n: int, bandwidth: float, values: int, slopes: int) -> None:
    squared, k, a = floats_at(distances, n), floats_at(values, n), floats_at(slopes, n)
    inner, inverse = -0.5 / bandwidth, 1.0 / bandwidth
    for i in range(n):
        value = _exp(inner * squared[i])
        k[i] = value
        a[i] = inverse * value


@entry("int64(intp, intp)")
def weigh_rbf(tile_address: int, own_address: int) -> int:
    """Weigh by exp(-r² / (2 h))."""
    tile = record_at(tile_address, Tile)
    n, h = tile.n, tile.bandwidth
    _rbf(tile.distances, n, h, tile.values, tile.slopes)
    if tile.curves != 0:
        k, curves = floats_at(tile.values, n), floats_at(tile.curves, n)
        for i in range(n):
            curves[i] = k[i] / (h * h)
    return 0


@public
class RBF(RadialKernel):  # numpydoc ignore=PR02
    """The Gaussian kernel, ``exp(-r² / (2 h))``.

    Parameters
    ----------
    bandwidth : float, optional
        h, a squared length. Default: by the documents' rule, see `RadialKernel`.
    pairs : int or 'all', optional
        Of how many pairs the median is found, see `RadialKernel`.
    """

    weigh = weigh_rbf

    @property
    def made_of(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What it was made of."""
        return (), {"bandwidth": self.bandwidth, "pairs": self.pairs}


#: C functions by dtype that write values over squared distances, of kernels whose slopes are values over the bandwidth.
GAUSSIAN: dict[Entry, dict[str, Entry]] = {weigh_rbf: {"float64": weigh_doubles, "float32": weigh_singles}}


IMQ_STATE = State({"exponent": "f8"})
Imq = IMQ_STATE.record


@kernel(reassociate=True)
def _imq(distances: int, n: int, bandwidth: float, exponent: float, values: int, slopes: int) -> None:
    squared, k, a = floats_at(distances, n), floats_at(values, n), floats_at(slopes, n)
    half, steep = 0.5 / bandwidth, -exponent / bandwidth
    for i in range(n):
        base = 1.0 + half * squared[i]
        value = _exp(exponent * _log(base))
        k[i] = value
        a[i] = steep * value / base


@entry("int64(intp, intp)")
def weigh_imq(tile_address: int, own_address: int) -> int:
    """Weigh by (1 + r² / (2 h)) to a negative power."""
    tile, own = record_at(tile_address, Tile), record_at(own_address, Imq)
    n, h, power = tile.n, tile.bandwidth, own.exponent
    _imq(tile.distances, n, h, power, tile.values, tile.slopes)
    if tile.curves != 0:
        squared, a, curves = floats_at(tile.distances, n), floats_at(tile.slopes, n), floats_at(tile.curves, n)
        for i in range(n):
            curves[i] = (1.0 - power) / h * a[i] / (1.0 + 0.5 * squared[i] / h)
    return 0


@public
class IMQ(RadialKernel):
    """The inverse multiquadric kernel, ``(1 + r² / (2 h))`` to a negative power: its tails reach far.

    Parameters
    ----------
    bandwidth : float, optional
        h, a squared length. Default: by the documents' rule, see `RadialKernel`.
    exponent : float
        The power, between -1 and 0.
    pairs : int or 'all', optional
        Of how many pairs the median is found, see `RadialKernel`.
    """

    weigh, state = weigh_imq, IMQ_STATE

    def __init__(
        self, bandwidth: float | None = None, exponent: float = -0.5, *, pairs: int | str | None = None
    ) -> None:
        super().__init__(bandwidth, pairs=pairs)
        between("exponent", exponent, -1.0, 0.0)
        self.exponent = float(exponent)

    @property
    def made_of(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What it was made of."""
        return (), {"bandwidth": self.bandwidth, "exponent": self.exponent, "pairs": self.pairs}

    def initialise(self, own: Memory) -> None:
        own.exponent = self.exponent


#: The kernels that are meant where none is named: of particles, and of draws that are judged.
rbf = RBF()
imq = IMQ()

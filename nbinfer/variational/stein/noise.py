r"""Noisy particles: forces with the noise that makes them a Markov chain, which keeps their spread.

.. math:: x \leftarrow x + \epsilon \phi + \sqrt{2 \epsilon / n}\, L \xi, \qquad L L^T = K, \quad \xi \sim N(0, I)

K has the kernel's values at all pairs. Of a kernel whose bandwidth stays as it is, this is a step of a Langevin
diffusion on all n particles together, under which each is distributed as the posterior, up to the length of steps: n
may be small, and spread does not collapse in many dimensions.

References
----------
.. [1] V. Priser, P. Bianchi and A. Salim, "Long-time asymptotics of noisy SVGD outside the population limit",
   arXiv:2406.11929 (2024).
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import Record, address_of, aligned, call_step, entry, floats_at, ints_at, kernel, record_at
from nbinfer.engine.vectors import dot
from nbinfer.errors import FitError, ParametrizationError, PerformanceWarning, calls_above, unseen
from nbinfer.random import Purpose, fill_normal, start
from nbinfer.variational.job import Fit, FitStatus
from nbinfer.variational.optimizers.descent import Descent
from nbinfer.variational.optimizers.rules import Sgd
from nbinfer.variational.stein.stage import Part, Stage
from nbinfer.variational.stein.state import Stein_, Tile, end_of

Floats = NDArray[np.float64]

#: Particles above which the table of pairs costs more than all else.
MANY = 2000

_NOISE, _NOT_DEFINITE = int(Purpose.NOISE), int(FitStatus.NOT_DEFINITE)
#: Columns that are factored together.
_PANEL = 64
#: What is added to the diagonal, as a share of it.
_JITTER = 1e-8

#: What the phases have: the address of what all phases share; that of the table, of which the lower half counts and
#: becomes its factor; of the noise; of a tile and a row of slopes for each block.
Noise_ = np.dtype([(name, "i8") for name in ("stein", "table", "noise", "tiles", "slopes")], align=True)


@kernel
def _write_distances(points: int, i: int, dim: int, distances: int) -> None:
    """Write the squared distances of a particle from those before it, and from itself."""
    x, found = floats_at(points, (i + 1) * dim), floats_at(distances, i + 1)
    for j in range(i + 1):
        total = 0.0
        for c in range(dim):
            apart = x[i * dim + c] - x[j * dim + c]
            total += apart * apart
        found[j] = total


@entry("int64(intp, int64, int64)")
def tabulate(address: int, block: int, piece: int) -> int:
    """Write the kernel's values at pairs of a block's particles and those before: a phase."""
    own = record_at(address, Noise_)
    stein = record_at(own.stein, Stein_)
    n, where = stein.count, own.tiles + 64 * block
    tile = record_at(where, Tile)
    tile.bandwidth, tile.curves, tile.slopes = stein.bandwidth, 0, own.slopes + 8 * block * stein.n
    for i in range(block * stein.block, end_of(stein, block)):
        row = own.table + 8 * i * n
        if stein.matrix != 0:
            given, values = floats_at(stein.matrix + 8 * i * n, n), floats_at(row, n)
            for j in range(i + 1):
                values[j] = given[j]
        else:
            _write_distances(stein.points, i, stein.dim, row)
            tile.n, tile.distances, tile.values = i + 1, row, row
            call_step(stein.weigh, where, stein.own)
        floats_at(row, n)[i] *= 1.0 + _JITTER
    return 0


@kernel(reassociate=True)
def _subtract_products(table: int, n: int, row: int, first: int, end: int) -> None:
    """Subtract from a row's entries in columns `first` to `end` its products with rows above, over columns before.

    By fours of columns, to load less.
    """
    r = floats_at(table + 8 * row * n, n)
    for c in range(first, end, 4):
        d, e, f = min(c + 1, end - 1), min(c + 2, end - 1), min(c + 3, end - 1)
        x, y = floats_at(table + 8 * c * n, n), floats_at(table + 8 * d * n, n)
        z, w = floats_at(table + 8 * e * n, n), floats_at(table + 8 * f * n, n)
        a0, a1, a2, a3 = 0.0, 0.0, 0.0, 0.0
        for k in range(first):
            value = r[k]
            a0 += value * x[k]
            a1 += value * y[k]
            a2 += value * z[k]
            a3 += value * w[k]
        r[c] -= a0
        if c + 1 < end:
            r[c + 1] -= a1
        if c + 2 < end:
            r[c + 2] -= a2
        if c + 3 < end:
            r[c + 3] -= a3


@kernel
def factor_row(table: int, n: int, row: int, first: int, end: int) -> bool:
    """Turn a row's entries in columns `first` to `end`, the diagonal at most, into those of the factor.

    Returns
    -------
    good : bool
        Whether the diagonal, if it is among these, is positive.
    """
    _subtract_products(table, n, row, first, end)
    r = floats_at(table + 8 * row * n, n)
    for c in range(first, end):
        value = r[c] - dot(c - first, table + 8 * (row * n + first), table + 8 * (c * n + first))
        if c < row:
            r[c] = value / floats_at(table + 8 * c * n, n)[c]
        elif value > 0.0:
            r[c] = math.sqrt(value)
        else:
            return False
    return True


@entry("int64(intp, int64, int64)")
def factor_diagonal(address: int, row: int, piece: int) -> int:
    """Factor the rows of a panel up to the diagonal: a phase of one row."""
    words = ints_at(address, 2)
    own, first = record_at(words[0], Noise_), words[1]
    stein = record_at(own.stein, Stein_)
    for i in range(first, min(first + _PANEL, stein.count)):
        if not factor_row(own.table, stein.count, i, first, i + 1):
            record_at(stein.fit, Fit).status = _NOT_DEFINITE
            return _NOT_DEFINITE
    return 0


@entry("int64(intp, int64, int64)")
def factor_below(address: int, row: int, piece: int) -> int:
    """Factor the columns of a panel in rows of one of those below: a phase."""
    words = ints_at(address, 2)
    own, first = record_at(words[0], Noise_), words[1]
    n = record_at(own.stein, Stein_).count
    begin = first + (row + 1) * _PANEL
    for i in range(begin, min(begin + _PANEL, n)):
        factor_row(own.table, n, i, first, first + _PANEL)
    return 0


@entry("int64(intp, int64, int64)")
def draw_noise(address: int, row: int, piece: int) -> int:
    """Draw what an iteration needs: a phase of one row."""
    own = record_at(address, Noise_)
    stein = record_at(own.stein, Stein_)
    fit = record_at(stein.fit, Fit)
    start(fit.words, piece, fit.number, _NOISE)
    fill_normal(fit.words, own.noise, stein.n * stein.dim)
    return 0


@kernel
def _step_size(fit: Record) -> float:
    """Return by what forces are multiplied in this iteration."""
    rate = record_at(fit.descent, Descent).rate
    if fit.rates != 0:
        rate = floats_at(fit.rates, fit.done - fit.first + 1)[fit.done - fit.first]
    return rate / fit.constant  # type: ignore[no-any-return]


@entry("int64(intp, int64, int64)")
def shake(address: int, block: int, piece: int) -> int:
    """Add noise to the forces on the particles of a block: a phase."""
    own = record_at(address, Noise_)
    stein = record_at(own.stein, Stein_)
    n, dim = stein.count, stein.dim
    scale = math.sqrt(2.0 / (n * _step_size(record_at(stein.fit, Fit))))
    noise, forces = floats_at(own.noise, n * dim), floats_at(stein.forces, n * dim)
    for i in range(block * stein.block, end_of(stein, block)):
        factor = floats_at(own.table + 8 * i * n, n)
        for j in range(i + 1):
            weight = scale * factor[j]
            for c in range(dim):
                forces[i * dim + c] += weight * noise[j * dim + c]
    return 0


class Noise(Stage):
    """The stage.

    Parameters
    ----------
    crew : Crew
        Of particles.
    """

    moves_at_rest = True

    def __init__(self, crew: Any) -> None:
        self._crew, n = crew, crew.n
        check_steps(crew.settings)
        if n > MANY:
            with unseen():
                warnings.warn(
                    f"noisy=True factors a table of {n} x {n} numbers in each iteration, n³/3 multiplications and "
                    f"{8e-6 * n * n:.0f} MB. Take some hundred particles, and keep those of several iterations, "
                    "nb.ParticleHistory.",
                    PerformanceWarning,
                    calls_above(),
                )
        self._table, self._noise = aligned(1, n * n), aligned(1, n * crew.dim)
        self._tiles, self._slopes = aligned(crew.n_blocks, 8, np.int64), aligned(1, crew.n_blocks * n)
        own = self._own = np.zeros(1, Noise_)
        own["stein"], own["table"], own["noise"] = crew.stein.address, self._table.ctypes.data, address_of(self._noise)
        own["tiles"], own["slopes"] = self._tiles.ctypes.data, address_of(self._slopes)
        where = address_of(own)
        firsts = range(0, n, _PANEL)
        self._panels = np.array([[where, first] for first in firsts], np.int64)
        self.after = [Part(tabulate, where, crew.n_blocks)]
        for k, panel in enumerate(self._panels):
            self.after.append(Part(factor_diagonal, address_of(panel)))
            if k + 1 < len(firsts):
                self.after.append(Part(factor_below, address_of(panel), len(firsts) - k - 1))
        self.after += [Part(draw_noise, where), Part(shake, where, crew.n_blocks)]

    @property
    def noise(self) -> Floats:
        """What the last iteration drew, shape (n, dim)."""
        n, dim = self._crew.n, self._crew.dim
        return self._noise[0, : n * dim].reshape(n, dim)

    def failure(self) -> BaseException | None:
        if self._crew.status != FitStatus.NOT_DEFINITE:
            return None
        return FitError(
            f"the kernel's values at the particles are no positive definite matrix in iteration {self._crew.done}, and "
            "noisy=True takes its root: too many particles are equal, or the kernel is none. Begin with more jitter, "
            "or take nb.RBF or nb.IMQ."
        )


def check_steps(settings: Any) -> None:
    """Raise ParametrizationError if a fit's steps have no length that noise could belong to.

    Parameters
    ----------
    settings : Settings
        Of the fit.
    """
    remedy = "take obj_optimizer=nb.sgd(learning_rate=...), a number or a function of the iteration"
    if not isinstance(settings.rule, Sgd):
        raise ParametrizationError(
            f"noisy=True needs steps of a length that is known, for the noise to belong to, and those of "
            f"{settings.rule.name} have none; {remedy}. Begin with a tenth of the variance of the narrowest "
            "coordinate, times the number of particles where coordinates are many."
        )
    if settings.largest_norm is not None:
        raise ParametrizationError(
            f"total_grad_norm_constraint makes steps of noisy=True shorter than their noise; leave it out: {remedy}."
        )

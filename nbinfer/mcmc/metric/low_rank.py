"""A metric of few directions: a diagonal, stretched along those in which the posterior is correlated.

The inverse mass is S (I + U (Λ - I) Uᵀ) S, with scales S = diag(s) and orthonormal directions U, and a momentum
S⁻¹ (I + U (Λ^-½ - I) Uᵀ) z, z ~ N(0, I), has the mass as its covariance. `nbinfer.mcmc.metric.estimate` learns all of
it from a window of draws and gradients, which is kept here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from nbinfer.compile import Record, floats_at, ints_at, kernel
from nbinfer.engine.state import State, floats, integers
from nbinfer.mcmc.metric.decompose import add, add_four, combine, dot, four_dots

#: Directions that are kept, at most, unless all are.
MOST = 128
#: Coordinates up to which a matrix always gives velocities sooner than its directions do.
SMALL = 10

_DRAWS, _LEAST_DRAWS, _MEMORY = 500, 50, 1 << 21  # draws of a window at most, unless they were more numbers than that


def window_of(n: int, tune: float) -> int:
    """Return for how many draws of `n` coordinates a window has room: half of warm-up, but only so many."""
    return max(_LEAST_DRAWS, min(_DRAWS, _MEMORY // n // 10 * 10, math.ceil(tune / 20) * 10))


def _if_learnt(size: Callable[[int, int, int], int]) -> Callable[[Any, Any], int]:
    """Return the size of what only a metric has that learns directions.

    It depends on their greatest number, the number of coordinates and that of draws in the window.
    """

    def of(potential: Any, site: Any) -> int:
        most = potential.directions(site.n, site.tune)
        return size(most, site.n, window_of(site.n, site.tune)) if most else 0

    return of


#: What such a metric is made of, and the window that it is learnt from.
LOW_RANK = State(
    fields={
        "capacity": "i8",  # draws that the window has room for; 0: the metric learns no directions
        "most": "i8",  # directions that there is room for
        "keeps_all": "i8",  # whether a direction is kept however little it is stretched
        "rank": "i8",  # number of directions
        "searched": "i8",  # dimension of the space that they were last found in
        "has_matrix": "i8",  # whether the matrix gives velocities
        "look": "i8",  # C function that learns directions, `nbinfer.mcmc.adaptation.regimes.look_at`
        "metric": "i8",  # address of the metric that this is part of
    },
    parts={
        "scale": floats(_if_learnt(lambda most, n, m: n)),  # s
        "vectors": floats(_if_learnt(lambda most, n, m: most * n)),  # (rank, n)
        "stretches": floats(_if_learnt(lambda most, n, m: 2 * most)),  # λ - 1 of each, then 1/√λ - 1 of each
        "matrix": floats(_if_learnt(lambda most, n, m: n * n if n <= most else 0)),  # the inverse mass, if it is sooner
        # The window, a ring: draw i is in the place i modulo `capacity`.
        "draws": floats(_if_learnt(lambda most, n, m: n * m)),
        "grads": floats(_if_learnt(lambda most, n, m: n * m)),
        "logps": floats(_if_learnt(lambda most, n, m: m)),
        "moved": integers(_if_learnt(lambda most, n, m: m)),  # whether the draw differs from the one before
    },
    work={
        "x": floats(_if_learnt(lambda most, n, m: n * m)),  # draws and gradients, centred and scaled
        "g": floats(_if_learnt(lambda most, n, m: n * m)),
        "spreads": floats(
            _if_learnt(lambda most, n, m: 3 * n)
        ),  # means, then sums of squares of draws and of gradients
        "basis": floats(_if_learnt(lambda most, n, m: most * n)),  # of the space that is searched
        "seeds": floats(_if_learnt(lambda most, n, m: max(most, MOST) * n)),  # that lead to it
        "columns": floats(_if_learnt(lambda most, n, m: most * (m + most))),  # of X or of G there
        "triangles": floats(_if_learnt(lambda most, n, m: 2 * most * most)),  # of X and of G
        "rows": floats(_if_learnt(lambda most, n, m: most * most)),
        "sizes": floats(_if_learnt(lambda most, n, m: most)),
    },
)
LowRank = LOW_RANK.record


# ---- use


@kernel
def velocity(low: Record, n: int, momentum_address: int, address: int) -> None:
    """Write the inverse mass times the momentum."""
    if low.has_matrix != 0:
        combine(n, n, low.matrix, momentum_address, address)  # symmetric: its columns are its rows
    else:
        _velocity_by_directions(low, n, momentum_address, address)


@kernel
def _velocity_by_directions(low: Record, n: int, momentum_address: int, address: int) -> None:
    momentum, out, scale = floats_at(momentum_address, n), floats_at(address, n), floats_at(low.scale, n)
    for i in range(n):
        out[i] = scale[i] * momentum[i]
    _stretch(low, n, low.stretches, address)
    for i in range(n):
        out[i] *= scale[i]


@kernel
def shape_momentum(low: Record, n: int, address: int) -> None:
    """Give standard normal numbers the mass as their covariance."""
    _stretch(low, n, low.stretches + 8 * low.rank, address)
    values, scale = floats_at(address, n), floats_at(low.scale, n)
    for i in range(n):
        values[i] /= scale[i]


@kernel
def _stretch(low: Record, n: int, stretches_address: int, address: int) -> None:
    """Add U diag(stretches) Uᵀ x to x. Four directions at a time: none sees what another has added."""
    stretches, whole = floats_at(stretches_address, low.rank), low.rank // 4 * 4
    for k in range(0, whole, 4):
        s, rows = stretches[k : k + 4], low.vectors + 8 * n * k
        a, b, c, d = four_dots(n, address, rows)
        add_four(n, rows, s[0] * a, s[1] * b, s[2] * c, s[3] * d, address)
    for k in range(whole, low.rank):
        direction = low.vectors + 8 * n * k
        add(n, stretches[k] * dot(n, direction, address), direction, address)


@kernel
def choose_form(low: Record, n: int) -> None:
    """Choose what gives velocities sooner, the directions or the matrix, and write the matrix if that is it."""
    low.has_matrix = n <= SMALL or (n <= low.most and 2 * low.rank >= n)
    if low.has_matrix == 0:
        return
    unit = floats_at(low.spreads, n)
    for i in range(n):
        for j in range(n):
            unit[j] = 1.0 if i == j else 0.0
        _velocity_by_directions(low, n, low.spreads, low.matrix + 8 * n * i)


# ---- the window


@kernel
def remember(low: Record, n: int, draw: int, moved: bool, position: int, grad: int, logp: float) -> None:
    """Take a draw into the window; the one that it replaces is `capacity` draws old."""
    place = draw % low.capacity
    q, slope = floats_at(position, n), floats_at(grad, n)
    draws, grads = floats_at(low.draws + 8 * n * place, n), floats_at(low.grads + 8 * n * place, n)
    for i in range(n):
        draws[i], grads[i] = q[i], slope[i]
    floats_at(low.logps, low.capacity)[place] = logp
    ints_at(low.moved, low.capacity)[place] = 1 if moved else 0

"""A metric of few directions: a diagonal, stretched along those in which the posterior is correlated.

The inverse mass is S (I + U (Λ - I) Uᵀ) S, with scales S = diag(s) and orthonormal directions U, and a momentum
S⁻¹ (I + U (Λ^-½ - I) Uᵀ) z, z ~ N(0, I), has the mass as its covariance. All is learnt from a window of draws X and
gradients G, centred, as rows [1]_: s is the root of the ratio of their spreads, and in coordinates that it scales, the
matrix W with W GᵀG W = XᵀX minimises the Fisher divergence to a standard normal. Eigenvalues of W that are far from 1
are kept. W is never formed: the factors of XᵀX and GᵀG, which the triangles of X and G are, lead to its root.

References
----------
.. [1] A. Seyboldt, E. Carlson and B. Carpenter, "Preconditioning Hamiltonian Monte Carlo by minimizing Fisher
   divergence", arXiv:2603.18845.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import Record, floats_at, ints_at, kernel
from nbinfer.engine.state import State, floats, integers
from nbinfer.mcmc.metric.decompose import add, divide, dot, singular, solve_triangle, span, triangle

#: Coordinates of the space in which eigenvalues are sought, and directions that are kept, at most.
MOST = 128
#: Coordinates up to which a matrix always gives velocities sooner than its directions do.
SMALL = 10

_DRAWS, _LEAST_DRAWS, _MEMORY = 500, 50, 1 << 21  # draws of a window at most, unless they were more numbers than that
_NEEDED = 5  # draws that tell anything
_RIDGE = 1e-5  # beside sums over draws: what nothing is known of is not stretched
_SMALLEST, _LARGEST = 1e-20, 1e20  # of a scale's square


def window_of(n: int) -> int:
    """Return for how many draws of `n` coordinates a window has room."""
    return max(_LEAST_DRAWS, min(_DRAWS, _MEMORY // n // 10 * 10))


def _columns(n: int) -> int:
    return min(n, MOST)


def _if_learnt(size: Any) -> Any:
    """Return the size of what only a metric has that learns directions."""
    return lambda potential, site: size(site.n) if potential.learns_directions else 0


#: What such a metric is made of, and the window that it is learnt from.
LOW_RANK = State(
    fields={
        "capacity": "i8",  # draws that the window has room for; 0: the metric learns no directions
        "rank": "i8",  # number of directions
        "has_matrix": "i8",  # whether the matrix gives velocities
        "look": "i8",  # C function that learns directions, `nbinfer.mcmc.adaptation.regimes.look_at`
        "metric": "i8",  # address of the metric that this is part of
    },
    parts={
        "scale": floats(_if_learnt(lambda n: n)),  # s
        "vectors": floats(_if_learnt(lambda n: _columns(n) * n)),  # (rank, n)
        "stretches": floats(_if_learnt(lambda n: 2 * _columns(n))),  # λ - 1 of each, then 1/√λ - 1 of each
        "matrix": floats(_if_learnt(lambda n: n * n if n <= MOST else 0)),  # the inverse mass, where it is sooner
        # The window, a ring: draw i is in the place i modulo `capacity`.
        "draws": floats(_if_learnt(lambda n: n * window_of(n))),
        "grads": floats(_if_learnt(lambda n: n * window_of(n))),
        "logps": floats(_if_learnt(window_of)),
        "moved": integers(_if_learnt(window_of)),  # whether the draw differs from the one before
    },
    work={
        "x": floats(_if_learnt(lambda n: n * window_of(n))),  # draws and gradients, centred and scaled
        "g": floats(_if_learnt(lambda n: n * window_of(n))),
        "spreads": floats(_if_learnt(lambda n: 3 * n)),  # means, then sums of squares of draws and of gradients
        "basis": floats(_if_learnt(lambda n: MOST * n)),  # of the space that is searched, if not all coordinates
        "columns": floats(_if_learnt(lambda n: _columns(n) * (window_of(n) + _columns(n)))),  # of X or of G there
        "triangles": floats(_if_learnt(lambda n: 2 * _columns(n) ** 2)),  # of X and of G
        "rows": floats(_if_learnt(lambda n: _columns(n) ** 2)),
        "sizes": floats(_if_learnt(lambda n: MOST)),
    },
)
LowRank = LOW_RANK.record


# ---- use


@kernel
def velocity(low: Record, n: int, momentum_address: int, address: int) -> None:
    """Write the inverse mass times the momentum."""
    if low.has_matrix != 0:
        _multiply(n, low.matrix, momentum_address, address)
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


@kernel(reassociate=True)
def _multiply(n: int, matrix: int, vector_address: int, address: int) -> None:
    """Write a symmetric matrix times a vector: the sum of its rows, four at a time, each times an element."""
    vector, out = floats_at(vector_address, n), floats_at(address, n)
    for i in range(n):
        out[i] = 0.0
    whole = n // 4 * 4
    for j in range(0, whole, 4):
        a, b = floats_at(matrix + 8 * n * j, n), floats_at(matrix + 8 * n * (j + 1), n)
        c, d = floats_at(matrix + 8 * n * (j + 2), n), floats_at(matrix + 8 * n * (j + 3), n)
        of_a, of_b, of_c, of_d = vector[j], vector[j + 1], vector[j + 2], vector[j + 3]
        for i in range(n):
            out[i] += of_a * a[i] + of_b * b[i] + of_c * c[i] + of_d * d[i]
    for j in range(whole, n):
        add(n, vector[j], matrix + 8 * n * j, address)


@kernel
def shape_momentum(low: Record, n: int, address: int) -> None:
    """Give standard normal numbers the mass as their covariance."""
    _stretch(low, n, low.stretches + 8 * low.rank, address)
    values, scale = floats_at(address, n), floats_at(low.scale, n)
    for i in range(n):
        values[i] /= scale[i]


@kernel
def _stretch(low: Record, n: int, stretches_address: int, address: int) -> None:
    """Add U diag(stretches) Uᵀ x to x. One direction after the other: none sees what another has added."""
    stretches = floats_at(stretches_address, low.rank)
    for k in range(low.rank):
        direction = low.vectors + 8 * n * k
        add(n, stretches[k] * dot(n, direction, address), direction, address)


@kernel
def choose_form(low: Record, n: int) -> None:
    """Choose what gives velocities sooner, the directions or the matrix, and write the matrix if that is it."""
    low.has_matrix = n <= SMALL or (n <= MOST and 2 * low.rank >= n)
    if low.has_matrix == 0:
        return
    unit = floats_at(low.spreads, n)
    for i in range(n):
        for j in range(n):
            unit[j] = 1.0 if i == j else 0.0
        _velocity_by_directions(low, n, low.spreads, low.matrix + 8 * n * i)


# ---- learning


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


@kernel
def estimate(low: Record, n: int, first: int, end: int, inv_mass: int) -> int:
    """Learn the metric from draws `first` to `end` of warm-up, the last excluded.

    Parameters
    ----------
    low : LowRank record
        Scales and directions are overwritten if there are any directions.
    n : int
        Number of coordinates.
    first, end : int
        At most `capacity` draws, which `remember` has seen.
    inv_mass : int
        Address of a diagonal inverse mass: the scale of coordinates that draws or gradients say nothing of.

    Returns
    -------
    rank : int
        Number of directions; -1 if the draws were too few, or not finite.
    """
    count = _gather(low, n, first, end)
    if count < _NEEDED:
        return -1
    _centre(low.x, n, count, low.spreads, low.spreads + 8 * n)
    _centre(low.g, n, count, low.spreads, low.spreads + 16 * n)
    _scale(low, n, count, inv_mass)
    size = n if n <= min(count, MOST) else _find_basis(low, n, count)
    if size == 0 or not _solve(low, n, count, size):
        return -1
    return _keep(low, n, size, math.log(1.5 if count >= 10 * n else 2.0))


@kernel
def _gather(low: Record, n: int, first: int, end: int) -> int:
    """Copy the draws that moved; return how many they are."""
    moved, count = ints_at(low.moved, low.capacity), 0
    for draw in range(first, end):
        place = draw % low.capacity
        if moved[place] != 0:
            x, g = floats_at(low.x + 8 * n * count, n), floats_at(low.g + 8 * n * count, n)
            q, slope = floats_at(low.draws + 8 * n * place, n), floats_at(low.grads + 8 * n * place, n)
            for i in range(n):
                x[i], g[i] = q[i], slope[i]
            count += 1
    return count


@kernel
def _centre(rows: int, n: int, count: int, mean_address: int, squares_address: int) -> None:
    """Subtract the mean of `count` rows; write the sums of the squares of what is left."""
    mean, squares = floats_at(mean_address, n), floats_at(squares_address, n)
    for i in range(n):
        mean[i] = squares[i] = 0.0
    for k in range(count):
        add(n, 1.0 / count, rows + 8 * n * k, mean_address)
    for k in range(count):
        values = floats_at(rows + 8 * n * k, n)
        for i in range(n):
            values[i] -= mean[i]
            squares[i] += values[i] * values[i]


@kernel
def _scale(low: Record, n: int, count: int, inv_mass_address: int) -> None:
    """Divide draws by the root of the ratio of the spreads, multiply gradients by it, and write it over the means.

    A coordinate without a spread, or with one out of all bounds, keeps the scale that it has and takes no part.
    """
    scale, of_draws = floats_at(low.spreads, n), floats_at(low.spreads + 8 * n, n)
    of_grads, inv_mass = floats_at(low.spreads + 16 * n, n), floats_at(inv_mass_address, n)
    for i in range(n):
        ratio = 0.0
        if 0.0 < of_draws[i] < np.inf and 0.0 < of_grads[i] < np.inf:
            ratio = math.sqrt(of_draws[i]) / math.sqrt(of_grads[i])
        known = _SMALLEST < ratio < _LARGEST
        scale[i] = math.sqrt(ratio if known else inv_mass[i])
        of_draws[i] = 1.0 if known else 0.0
    for k in range(count):
        x, g = floats_at(low.x + 8 * n * k, n), floats_at(low.g + 8 * n * k, n)
        for i in range(n):
            x[i] = x[i] / scale[i] if of_draws[i] > 0.0 else 0.0
            g[i] = g[i] * scale[i] if of_draws[i] > 0.0 else 0.0


@kernel
def _find_basis(low: Record, n: int, count: int) -> int:
    """Find an orthonormal basis of the space that draws and gradients span, or lead to; return its dimension.

    Of many draws, some are multiplied by XᵀX, or GᵀG, which turns them towards the leading directions [1]_. Those
    suffice: a large eigenvalue shows in the draws and a small one in the gradients.

    References
    ----------
    .. [1] N. Halko, P. G. Martinsson and J. A. Tropp, "Finding structure with randomness", SIAM Rev. 53 (2011).
    """
    some = min(count, MOST // 2)
    _lead(low.x, n, count, some, low.basis)
    _lead(low.g, n, count, some, low.basis + 8 * n * some)
    return span(low.basis, 2 * some, n, low.sizes)


@kernel
def _lead(rows: int, n: int, count: int, some: int, address: int) -> None:
    """Write some of the rows, evenly spread; if that is not all, each times the sum of the rows' squares."""
    for k in range(some):
        row, target = rows + 8 * n * (k * count // some), address + 8 * n * k
        out = floats_at(target, n)
        for i in range(n):
            out[i] = 0.0
        if some == count:
            add(n, 1.0, row, target)
        else:
            for j in range(count):
                other = rows + 8 * n * j
                add(n, dot(n, row, other), other, target)


@kernel
def _solve(low: Record, n: int, count: int, size: int) -> bool:
    """Find the eigenvectors of W, as `low.rows`, and the roots of its eigenvalues, as `low.sizes`.

    With triangles A of X and B of G, and A Bᵀ = P Σ Tᵀ, W is C Cᵀ for C = B⁻¹ T √Σ.
    """
    a, b = low.triangles, low.triangles + 8 * size * size
    _reduce(low, low.x, n, count, size, a)
    _reduce(low, low.g, n, count, size, b)
    rows, of_a = floats_at(low.rows, size * size), floats_at(a, size * size)
    for i in range(size * size):
        rows[i] = 0.0
    for i in range(size):
        for k in range(i, size):
            add(k + 1, of_a[size * k + i], b + 8 * size * k, low.rows + 8 * size * i)
    if not singular(low.rows, size, size, low.sizes):
        return False
    sizes = floats_at(low.sizes, size)
    for i in range(size):
        if not sizes[i] > 0.0:
            return False
        divide(size, low.rows + 8 * size * i, 1.0 / math.sqrt(sizes[i]))
        solve_triangle(b, size, low.rows + 8 * size * i)
    return singular(low.rows, size, size, low.sizes)


@kernel
def _reduce(low: Record, rows: int, n: int, count: int, size: int, address: int) -> None:
    """Write the triangle of some rows, in the basis if there is one, and a ridge below them."""
    length = count + size
    for j in range(size):
        column = floats_at(low.columns + 8 * length * j, length)
        for k in range(count):
            row = rows + 8 * n * k
            column[k] = floats_at(row, n)[j] if size == n else dot(n, row, low.basis + 8 * n * j)
        for k in range(size):
            column[count + k] = math.sqrt(_RIDGE) if k == j else 0.0
    triangle(low.columns, size, length)
    for j in range(size):
        column, out = floats_at(low.columns + 8 * length * j, size), floats_at(address + 8 * size * j, size)
        for i in range(size):
            out[i] = column[i]


@kernel
def _keep(low: Record, n: int, size: int, cutoff: float) -> int:
    """Keep the directions whose log eigenvalue exceeds a cutoff; return how many they are."""
    sizes, rank = floats_at(low.sizes, size), 0
    for k in range(size):
        if not 0.0 < sizes[k] < np.inf:
            return -1
        if 2.0 * abs(math.log(sizes[k])) > cutoff:
            rank += 1
    if rank == 0:
        return 0
    low.rank, kept = rank, 0
    stretches = floats_at(low.stretches, 2 * rank)
    for k in range(size):
        if 2.0 * abs(math.log(sizes[k])) > cutoff:
            stretches[kept], stretches[rank + kept] = sizes[k] * sizes[k] - 1.0, 1.0 / sizes[k] - 1.0
            _expand(low, n, size, low.rows + 8 * size * k, low.vectors + 8 * n * kept)
            kept += 1
    scale, learnt = floats_at(low.scale, n), floats_at(low.spreads, n)
    for i in range(n):
        scale[i] = learnt[i]
    return rank


@kernel
def _expand(low: Record, n: int, size: int, coefficients_address: int, address: int) -> None:
    """Write the vector that has these coefficients in the basis."""
    coefficients, out = floats_at(coefficients_address, size), floats_at(address, n)
    for i in range(n):
        out[i] = coefficients[i] if size == n else 0.0
    if size != n:
        for j in range(size):
            add(n, coefficients[j], low.basis + 8 * n * j, address)

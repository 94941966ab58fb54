"""Learn a metric of few directions from a window of draws and gradients.

Draws X and gradients G are centred, one in a row [1]_. A scale is the root of the ratio of their spreads, and in
coordinates that it scales, the matrix W with W GᵀG W = XᵀX minimises the Fisher divergence to a standard normal.
Eigenvalues λ of W that are far from 1 are kept. W is never formed: the factors of XᵀX and GᵀG, which the triangles of X
and G are, lead to its root.

Where to look: a draw x of a normal distribution has the gradient -x along a direction with λ = 1, so that the rows of
X + G, the misfits, lie in the space of the others. Whatever the distribution, XᵀG is minus the number of draws, and the
mean square of the misfits along a direction is at least λ + 1/λ - 2. So the leading directions of the misfits are those
that matter, and a normal posterior without correlation is told by one look at all misfits together.

References
----------
.. [1] A. Seyboldt, E. Carlson and B. Carpenter, "Preconditioning Hamiltonian Monte Carlo by minimizing Fisher
   divergence", arXiv:2603.18845.
"""

from __future__ import annotations

import math

import numpy as np

from nbinfer.compile import Record, floats_at, ints_at, kernel
from nbinfer.mcmc.metric.decompose import (
    add,
    combine,
    divide,
    dot,
    products,
    singular,
    solve_triangle,
    span,
    triangle,
)
from nbinfer.mcmc.metric.low_rank import MOST

_NEEDED = 5  # draws that tell anything
_RIDGE = 1e-5  # beside sums over draws: what nothing is known of is not stretched
_SMALLEST, _LARGEST = 1e-20, 1e20  # of a scale's square
_FEW = 16  # directions of the misfits that are searched first
_GLANCE, _DOUBT = 16, 4.0  # draws that suffice where there is nothing to find, and by what factor they may be wrong


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
    sparse = (end - first) // _GLANCE
    if low.keeps_all == 0 and sparse > 1:
        count = _gather(low, n, first, end, sparse, inv_mass)
        if count >= _NEEDED and _DOUBT * _misfit(low, n, count) < _misfit_of(_cutoff(n, end - first)):
            return 0
    count = _gather(low, n, first, end, 1, inv_mass)
    if count < _NEEDED:
        return -1
    cutoff = _cutoff(n, count)
    if low.keeps_all != 0:
        return _search(low, n, count, _find_all(low, n, count), 0.0)
    if _misfit(low, n, count) < _misfit_of(cutoff):  # in all directions together
        return 0
    size = _FEW
    while size < low.rank:  # as many as there were
        size *= 2
    while 2 * size <= min(n, MOST) and size <= count:
        found = _find_leading(low, n, count, size, cutoff)
        if found >= 0:
            return _search(low, n, count, found, cutoff)
        size *= 2
    return _search(low, n, count, _find_all(low, n, count), cutoff)


@kernel
def _cutoff(n: int, count: int) -> float:
    """Return what a log eigenvalue must exceed to be kept: less where draws are many, so that it is hardly noise."""
    return math.log(1.5 if count >= 10 * n else 2.0)


@kernel
def _search(low: Record, n: int, count: int, size: int, cutoff: float) -> int:
    """Learn from the space whose basis was found; return the number of directions, -1 if there is no such space."""
    if size == 0 or not _solve(low, n, count, size):
        return -1
    return _keep(low, n, size, cutoff)


@kernel
def _misfit_of(cutoff: float) -> float:
    """Return the least mean square of misfits along a direction with this log eigenvalue."""
    return 2.0 * math.cosh(cutoff) - 2.0


@kernel
def _misfit(low: Record, n: int, count: int) -> float:
    """Return the mean over draws of the squares of x + g, summed over coordinates."""
    total = 0.0
    for k in range(count):
        total += _square_of_sum(n, low.x + 8 * n * k, low.g + 8 * n * k)
    return total / count


@kernel(reassociate=True)
def _square_of_sum(n: int, a_address: int, b_address: int) -> float:
    a, b, total = floats_at(a_address, n), floats_at(b_address, n), 0.0
    for i in range(n):
        total += (a[i] + b[i]) ** 2
    return total


@kernel
def _find_leading(low: Record, n: int, count: int, size: int, cutoff: float) -> int:
    """Find an orthonormal basis of the space that the misfits lead to; return its dimension, at most `size`.

    Or -1, if its last directions still are some that should be kept: a space that lacks some of them mixes those that
    are stretched with those that are squeezed, and shows neither. What is due to the number of draws does not count:
    of independent coordinates, the direction that fits worst is (1 + √(n/m))² times as bad as all.
    """
    some = min(count, MOST)
    for k in range(some):
        place = 8 * n * (k * count // some)
        _copy(n, low.x + place, low.seeds + 8 * n * k)
        add(n, 1.0, low.g + place, low.seeds + 8 * n * k)
    found = _lead(low, n, low.seeds, some, size, low.basis + 8 * n * size, low.basis)
    found = span(low.basis, found, n, low.sizes)
    if found < size:
        return found
    products(n, low.seeds, some, low.basis, size, low.columns, some)
    last, total, outside = size // 4, 0.0, 0.0
    for k in range(some):
        outside += dot(n, low.seeds + 8 * n * k, low.seeds + 8 * n * k)
    for k in range(size):
        square = dot(some, low.columns + 8 * some * k, low.columns + 8 * some * k)
        outside -= square
        if k >= size - last:
            total += square
    noise = outside / (n - size) * (1.0 + math.sqrt(n / some)) ** 2
    return -1 if total / last > some * _misfit_of(cutoff) + noise else found


@kernel
def _find_all(low: Record, n: int, count: int) -> int:
    """Find an orthonormal basis of the space that draws and gradients span, or lead to; return its dimension.

    Those suffice: a large eigenvalue shows in the draws and a small one in the gradients. Half of many draws do, since
    so many draws tell no more directions apart. Of few coordinates there is no need for a basis.
    """
    if n <= min(count, low.most):
        return n
    some = min(count, low.most // 2, max(_FEW, count // 2))
    found = _lead(low, n, low.x, count, some, low.seeds, low.basis)
    found += _lead(low, n, low.g, count, some, low.seeds, low.basis + 8 * n * found)
    return span(low.basis, found, n, low.sizes)


@kernel
def _lead(low: Record, n: int, rows: int, count: int, size: int, seeds: int, address: int) -> int:
    """Write vectors that span nearly the leading right singular space of some rows; return how many, at most `size`.

    Some of the rows, made orthogonal lest the strongest direction drowns the others, are multiplied by the sum of the
    squares of all [1]_.

    References
    ----------
    .. [1] N. Halko, P. G. Martinsson and J. A. Tropp, "Finding structure with randomness", SIAM Rev. 53 (2011).
    """
    for k in range(size):
        _copy(n, rows + 8 * n * (k * count // size), (address if size == count else seeds) + 8 * n * k)
    if size == count:
        return size
    found = span(seeds, size, n, low.sizes)
    products(n, rows, count, seeds, found, low.columns, count)
    for k in range(found):
        combine(count, n, rows, low.columns + 8 * count * k, address + 8 * n * k)
    return found


@kernel
def _copy(n: int, source: int, target: int) -> None:
    values, out = floats_at(source, n), floats_at(target, n)
    for i in range(n):
        out[i] = values[i]


@kernel
def _gather(low: Record, n: int, first: int, end: int, stride: int, inv_mass: int) -> int:
    """Copy each so many draws, of those that moved, centred and scaled; return how many they are."""
    moved, count = ints_at(low.moved, low.capacity), 0
    for draw in range(first, end, stride):
        place = draw % low.capacity
        if moved[place] != 0:
            _copy(n, low.draws + 8 * n * place, low.x + 8 * n * count)
            _copy(n, low.grads + 8 * n * place, low.g + 8 * n * count)
            count += 1
    if count >= _NEEDED:
        _centre(low.x, n, count, low.spreads, low.spreads + 8 * n)
        _centre(low.g, n, count, low.spreads, low.spreads + 16 * n)
        _scale(low, n, count, inv_mass)
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
        of_draws[i], of_grads[i] = 1.0 / scale[i], scale[i]  # what each is multiplied by
        if not known:
            for k in range(count):
                floats_at(low.x + 8 * n * k, n)[i] = floats_at(low.g + 8 * n * k, n)[i] = 0.0
    for k in range(count):
        x, g = floats_at(low.x + 8 * n * k, n), floats_at(low.g + 8 * n * k, n)
        for i in range(n):
            x[i] *= of_draws[i]
            g[i] *= of_grads[i]


@kernel
def _solve(low: Record, n: int, count: int, size: int) -> bool:
    """Find the eigenvectors of W in a basis, as `low.rows`, and the roots of its eigenvalues, as `low.sizes`.

    With triangles A of X and B of G, and A Bᵀ = P Σ Tᵀ, W is C Cᵀ for C = B⁻¹ T √Σ.
    """
    low.searched = size
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
    if size < n:
        products(n, rows, count, low.basis, size, low.columns, length)
    for j in range(size):
        column = floats_at(low.columns + 8 * length * j, length)
        if size == n:
            for k in range(count):
                column[k] = floats_at(rows + 8 * n * k, n)[j]
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
            direction = low.vectors + 8 * n * kept
            if size < n:
                combine(size, n, low.basis, low.rows + 8 * size * k, direction)
            else:
                _copy(n, low.rows + 8 * n * k, direction)
            kept += 1
    _copy(n, low.spreads, low.scale)
    return rank

"""Decompositions of small matrices: a triangle, a basis, singular values and vectors; accurate in the small ones.

A matrix is given as vectors that lie one behind the other, `length` float64 each; what is not told otherwise is done in
place. Nothing here squares a condition number. NaN and infinity end as failure, never as an endless loop.

References
----------
.. [1] A. S. Householder, "Unitary triangularization of a nonsymmetric matrix", J. ACM 5 (1958).
.. [2] J. Demmel and K. Veselić, "Jacobi's method is more accurate than QR", SIAM J. Matrix Anal. Appl. 13 (1992).
.. [3] P. P. M. de Rijk, "A one-sided Jacobi algorithm for computing the singular value decomposition on a vector
   computer", SIAM J. Sci. Stat. Comput. 10 (1989).
"""

from __future__ import annotations

import math

import numpy as np

from nbinfer.compile import floats_at, kernel

_SWEEPS = 40  # matrices of any size here are done after some ten
_ORTHOGONAL = 4e-16  # cosine, over the square root of the length, that is rounding
_NOTHING = 1e-280  # square of a length, relative to the largest element's, that is 0
_DEPENDENT = 1e-10  # what is left of a vector, relative to the longest, when others explain it


@kernel(reassociate=True)
def dot(n: int, a_address: int, b_address: int) -> float:
    """Return the sum of the products of two vectors."""
    a, b, total = floats_at(a_address, n), floats_at(b_address, n), 0.0
    for i in range(n):
        total += a[i] * b[i]
    return total


@kernel(reassociate=True)
def add(n: int, factor: float, source: int, target: int) -> None:
    """Add a multiple of one vector to another."""
    values, sums = floats_at(source, n), floats_at(target, n)
    for i in range(n):
        sums[i] += factor * values[i]


@kernel(reassociate=True)
def add_four(n: int, rows: int, of_a: float, of_b: float, of_c: float, of_d: float, target: int) -> None:
    """Add four rows, each times its factor, to a vector."""
    a, b, out = floats_at(rows, n), floats_at(rows + 8 * n, n), floats_at(target, n)
    c, d = floats_at(rows + 16 * n, n), floats_at(rows + 24 * n, n)
    for i in range(n):
        out[i] += of_a * a[i] + of_b * b[i] + of_c * c[i] + of_d * d[i]


@kernel
def combine(count: int, n: int, rows: int, factors_address: int, target: int) -> None:
    """Write the sum of `count` rows of `n` elements, each times its factor."""
    factors, out, whole = floats_at(factors_address, count), floats_at(target, n), count // 4 * 4
    for i in range(n):
        out[i] = 0.0
    for j in range(0, whole, 4):
        add_four(n, rows + 8 * n * j, factors[j], factors[j + 1], factors[j + 2], factors[j + 3], target)
    for j in range(whole, count):
        add(n, factors[j], rows + 8 * n * j, target)


@kernel(reassociate=True)
def four_dots(n: int, row: int, others: int) -> tuple[float, float, float, float]:
    """Return the products of a vector with each of four rows."""
    x, a, b = floats_at(row, n), floats_at(others, n), floats_at(others + 8 * n, n)
    c, d = floats_at(others + 16 * n, n), floats_at(others + 24 * n, n)
    of_a, of_b, of_c, of_d = 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        of_a += x[i] * a[i]
        of_b += x[i] * b[i]
        of_c += x[i] * c[i]
        of_d += x[i] * d[i]
    return of_a, of_b, of_c, of_d


@kernel
def products(n: int, rows: int, count: int, others: int, size: int, address: int, length: int) -> None:
    """Write the products of `count` rows with `size` others: those of one other in a column of `length` elements."""
    out, whole = floats_at(address, (size - 1) * length + count), size // 4 * 4
    for k in range(count):
        row = rows + 8 * n * k
        for j in range(0, whole, 4):
            found = four_dots(n, row, others + 8 * n * j)
            for i in range(4):
                out[(j + i) * length + k] = found[i]
        for j in range(whole, size):
            out[j * length + k] = dot(n, row, others + 8 * n * j)


@kernel
def divide(n: int, address: int, divisor: float) -> None:
    """Divide a vector by a number."""
    values = floats_at(address, n)
    for i in range(n):
        values[i] /= divisor


@kernel(reassociate=True)
def _rotate(n: int, a_address: int, b_address: int, cosine: float, sine: float) -> None:
    a, b = floats_at(a_address, n), floats_at(b_address, n)
    for i in range(n):
        at_a, at_b = a[i], b[i]
        a[i] = cosine * at_a - sine * at_b
        b[i] = sine * at_a + cosine * at_b


@kernel
def _swap(n: int, a_address: int, b_address: int) -> None:
    a, b = floats_at(a_address, n), floats_at(b_address, n)
    for i in range(n):
        a[i], b[i] = b[i], a[i]


@kernel
def _largest(n: int, address: int) -> float:
    """Return the largest absolute value; NaN if there is any."""
    values, largest = floats_at(address, n), 0.0
    for i in range(n):
        size = abs(values[i])
        if not size <= largest:
            largest = size
        if size != size:
            return np.nan
    return largest


@kernel
def norm(n: int, address: int) -> float:
    """Return the length of a vector, whatever the magnitude of its elements; NaN if one is infinite."""
    largest = _largest(n, address)
    if not 0.0 < largest < np.inf:
        return 0.0 if largest == 0.0 else np.nan
    values, total = floats_at(address, n), 0.0
    for i in range(n):
        share = values[i] / largest
        total += share * share
    return largest * math.sqrt(total)


@kernel
def triangle(columns: int, count: int, length: int) -> None:
    """Reduce a matrix A of at least as many rows as columns to R, AᵀA = RᵀR, by reflections [1]_.

    Parameters
    ----------
    columns : int
        Address of the `count` columns of A, of `length` elements. Column j ends with that of R in its first j + 1
        elements; the others are of no further use.
    """
    for j in range(count):
        head, left = columns + 8 * (length * j + j), length - j
        size = norm(left, head)
        if size == 0.0:
            continue
        divide(left, head, size)
        reflector = floats_at(head, left)
        first = reflector[0]
        reflector[0] = first + math.copysign(1.0, first)
        factor = -1.0 / (1.0 + abs(first))
        for k in range(j + 1, count):
            other = columns + 8 * (length * k + j)
            add(left, factor * dot(left, head, other), head, other)
        reflector[0] = -math.copysign(size, first)


@kernel
def solve_triangle(columns: int, count: int, address: int) -> None:
    """Replace y by the solution x of R x = y; R is upper triangular, given by its columns of `count` elements."""
    values = floats_at(address, count)
    for j in range(count - 1, -1, -1):
        column = columns + 8 * count * j
        values[j] /= floats_at(column, count)[j]
        add(j, -values[j], column, address)


@kernel
def span(vectors: int, count: int, length: int, squares_address: int) -> int:
    """Replace vectors by an orthonormal basis of their span; return how many that takes.

    What is left of each is orthogonalised twice, the longest first, until nothing is left that the others do not
    explain. `squares_address` is that of `count` numbers, overwritten.
    """
    largest, squares = _largest(count * length, vectors), floats_at(squares_address, count)
    if not 0.0 < largest < np.inf:
        return 0
    divide(count * length, vectors, largest)
    for i in range(count):
        squares[i] = dot(length, vectors + 8 * length * i, vectors + 8 * length * i)
    least = 0.0
    for j in range(count):
        _bring_largest(vectors, count, length, squares_address, j)
        newest = vectors + 8 * length * j
        for i in range(j):
            found = vectors + 8 * length * i
            add(length, -dot(length, found, newest), found, newest)
        rest = math.sqrt(dot(length, newest, newest))
        if not rest > least:
            return j
        if j == 0:
            least = _DEPENDENT * rest
        divide(length, newest, rest)
        for i in range(j + 1, count):
            other = vectors + 8 * length * i
            add(length, -dot(length, newest, other), newest, other)
            squares[i] = dot(length, other, other)
    return count


@kernel
def singular(rows: int, count: int, length: int, sizes_address: int) -> bool:
    """Find singular values and right singular vectors by rotations of the rows [2]_, [3]_.

    Parameters
    ----------
    rows : int
        Address of the rows of a matrix, at most as many as they are long. They end as the right singular vectors; one
        whose singular value is 0 as zeros.
    sizes_address : int
        Address of `count` numbers, overwritten with the singular values, the largest first.

    Returns
    -------
    found : bool
        False if an element is NaN or infinite.
    """
    largest, sizes = _largest(count * length, rows), floats_at(sizes_address, count)
    if not largest < np.inf:
        return False
    if largest == 0.0:
        for i in range(count):
            sizes[i] = 0.0
        return True
    divide(count * length, rows, largest)
    for _ in range(_SWEEPS):
        if not _sweep(rows, count, length, sizes_address):
            break
    else:
        return False
    for i in range(count):
        row = rows + 8 * length * i
        size = norm(length, row)
        if size * size <= _NOTHING:
            size = 0.0
            values = floats_at(row, length)
            for k in range(length):
                values[k] = 0.0
        else:
            divide(length, row, size)
        sizes[i] = largest * size
    return True


@kernel
def _sweep(rows: int, count: int, length: int, squares_address: int) -> bool:
    """Make each two rows orthogonal once; return whether any two were not."""
    squares, rotated = floats_at(squares_address, count), False
    limit = _ORTHOGONAL * math.sqrt(length)
    for i in range(count):
        row = rows + 8 * length * i
        squares[i] = dot(length, row, row)
    for p in range(count):
        _bring_largest(rows, count, length, squares_address, p)
        for q in range(p + 1, count):
            if squares[q] > _NOTHING:
                a, b = rows + 8 * length * p, rows + 8 * length * q
                product = dot(length, a, b)
                if abs(product) > limit * math.sqrt(squares[p]) * math.sqrt(squares[q]):
                    _orthogonalise(length, a, b, product, squares_address + 8 * p, squares_address + 8 * q)
                    rotated = True
    return rotated


@kernel
def _orthogonalise(length: int, a: int, b: int, product: float, square_a: int, square_b: int) -> None:
    """Rotate two rows so that they are orthogonal, by the smaller of the two angles that do it."""
    at_a, at_b = floats_at(square_a, 1), floats_at(square_b, 1)
    half = (at_b[0] - at_a[0]) / (2.0 * product)
    tangent = math.copysign(1.0, half) / (abs(half) + math.sqrt(1.0 + half * half))
    cosine = 1.0 / math.sqrt(1.0 + tangent * tangent)
    _rotate(length, a, b, cosine, cosine * tangent)
    change = tangent * product
    at_a[0] = at_a[0] - change if at_a[0] - change > 0.1 * at_a[0] else dot(length, a, a)
    at_b[0] = at_b[0] + change if at_b[0] + change > 0.1 * at_b[0] else dot(length, b, b)


@kernel
def _bring_largest(vectors: int, count: int, length: int, sizes_address: int, place: int) -> None:
    """Swap the vector of the largest size among those from `place` on to that place."""
    sizes, best = floats_at(sizes_address, count), place
    for i in range(place + 1, count):
        if sizes[i] > sizes[best]:
            best = i
    if best != place:
        sizes[place], sizes[best] = sizes[best], sizes[place]
        _swap(length, vectors + 8 * length * place, vectors + 8 * length * best)

"""The normal distribution that the last steps of a search mean: inverse curvature, determinant, draws.

The inverse curvature is a diagonal alpha and what the remembered pairs add: steps s and the falls z of the gradient
over them, as columns of S and Z. With ``R = triu(S^T Z)`` and ``E = diag(R)`` it is the one of BFGS, begun at alpha
(algorithms 3 and 4 of [1]_, after [2]_)::

    H = diag(alpha) + [alpha Z, S] gamma [alpha Z, S]^T
    gamma = [[0, -R^-1], [-R^-T, R^-T (E + Z^T alpha Z) R^-1]]

The columns over sqrt(alpha) are ``Q [A, B]`` with orthonormal rows of Q here, and with ``W = R^-1 B^T`` ::

    H = sqrt(alpha) (I + Q (M - I) Q^T) sqrt(alpha),    M = (I - A W)^T (I - A W) + W^T E W = L L^T

which is positive definite as it stands. Directions that depend on others have rows of zeros in Q, so that there may be
more of them than coordinates. A draw is ``mean + sqrt(alpha) (u + Q (L - I) Q^T u)`` for standard normal u; the log
determinant of H is that of alpha, and twice that of L.

References
----------
.. [1] L. Zhang, B. Carpenter, A. Gelman and A. Vehtari, "Pathfinder: parallel quasi-Newton variational inference", JMLR
   23 (2022).
.. [2] R. H. Byrd, J. Nocedal and R. B. Schnabel, "Representations of quasi-Newton matrices and their use in limited
   memory methods", Math. Program. 63 (1994).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import Record, floats_at, kernel
from nbinfer.engine.state import State, floats, per_coordinate
from nbinfer.engine.vectors import add, copy, dot
from nbinfer.variational.families.family import HALF_LOG_TWO_PI, sum_of_logs, sum_of_squares

#: What of a column may be left when the others are taken out of it, for it to count as their combination.
_DEPENDENT = 1e-14


def _rows(path: Any, site: Any) -> int:
    return int(path.rank * site.n)


def _square(path: Any, site: Any) -> int:
    return int(path.rank**2)


#: The distribution at an iterate, and room to find it. `path.rank` is twice the number of pairs at most.
FACTORS = State(
    fields={"count": "i8", "half_log_det": "f8"},  # rows of Q; of the determinant of H
    parts={
        "alpha": floats(per_coordinate),
        "scale": floats(per_coordinate),  # its square root
        "centre": floats(per_coordinate),  # the mean
        "basis": floats(_rows),  # Q
        "lower": floats(_square),  # L
    },
    work={
        "columns": floats(_square),  # A, B: column c of what was made orthonormal
        "triangle": floats(_square),  # R
        "solved": floats(_square),  # W
        "rest": floats(_square),  # I - A W
        "turned": floats(lambda path, site: path.rank),
        "before": floats(lambda path, site: path.rank),
    },
)
Factors = FACTORS.record


@kernel
def rescale(n: int, alpha_address: int, step: int, change: int) -> None:
    """Take a step and the fall of the gradient over it into the diagonal: algorithm 3, projected on the step."""
    alpha, s, z = floats_at(alpha_address, n), floats_at(step, n), floats_at(change, n)
    a, b, c = 0.0, 0.0, 0.0
    for i in range(n):
        a += alpha[i] * z[i] * z[i]
        b += z[i] * s[i]
        c += s[i] * s[i] / alpha[i]
    for i in range(n):
        inverse = a / (b * alpha[i]) * (1.0 - s[i] * s[i] / (c * alpha[i])) + z[i] * z[i] / b
        if 0.0 < inverse < np.inf:
            alpha[i] = 1.0 / inverse


@kernel
def factorise(own: Record, n: int, maxcor: int, pairs: int, newest: int, steps: int, changes: int) -> bool:
    """Find Q, L and the determinant from alpha and the pairs that a search remembers; tell whether there are any.

    Parameters
    ----------
    own : Factors record
    n : int
        Coordinates.
    maxcor, pairs, newest : int
        Room for pairs, how many there are, and which is the last.
    steps, changes : int
        Addresses of s and z, rows in turn.
    """
    own.count = count = 2 * pairs
    alpha, scale = floats_at(own.alpha, n), floats_at(own.scale, n)
    for i in range(n):
        scale[i] = math.sqrt(alpha[i])
    for a in range(pairs):
        k = (newest - pairs + 1 + a) % maxcor  # from the oldest on
        s, z = floats_at(steps + 8 * n * k, n), floats_at(changes + 8 * n * k, n)
        of_z, of_s = floats_at(own.basis + 8 * n * a, n), floats_at(own.basis + 8 * n * (pairs + a), n)
        for i in range(n):
            of_z[i], of_s[i] = scale[i] * z[i], s[i] / scale[i]
    _multiply_pairs(own, n, pairs)
    _orthogonalise(own, n, count)
    _solve(own, pairs)
    _square_up(own, pairs)
    own.half_log_det = 0.5 * sum_of_logs(own.alpha, n)
    return _factorise_small(own)


@kernel
def _multiply_pairs(own: Record, n: int, pairs: int) -> None:
    """Write R: products of steps with changes no older than they are."""
    triangle = floats_at(own.triangle, pairs * pairs)
    for a in range(pairs):
        for b in range(a, pairs):
            triangle[a * pairs + b] = dot(n, own.basis + 8 * n * (pairs + a), own.basis + 8 * n * b)


@kernel
def _orthogonalise(own: Record, n: int, count: int) -> None:
    """Make the rows of the basis orthonormal, or zero; write their coordinates before. Gram and Schmidt, twice."""
    columns = floats_at(own.columns, count * count)
    for c in range(count):
        address = own.basis + 8 * n * c
        row, before = floats_at(address, n), math.sqrt(dot(n, address, address))
        for a in range(count):
            columns[a * count + c] = 0.0
        for _ in range(2):
            for a in range(c):
                part = dot(n, own.basis + 8 * n * a, address)
                columns[a * count + c] += part
                add(n, -part, own.basis + 8 * n * a, address)
        length = math.sqrt(dot(n, address, address))
        free = length > _DEPENDENT * before
        columns[c * count + c] = length if free else 0.0
        for i in range(n):
            row[i] = row[i] / length if free else 0.0


@kernel
def _solve(own: Record, pairs: int) -> None:
    """Write ``W = R^-1 B^T``."""
    count = 2 * pairs
    columns, triangle = floats_at(own.columns, count * count), floats_at(own.triangle, pairs * pairs)
    solved = floats_at(own.solved, pairs * count)
    for a in range(pairs - 1, -1, -1):
        for i in range(count):
            total = columns[i * count + pairs + a]
            for b in range(a + 1, pairs):
                total -= triangle[a * pairs + b] * solved[b * count + i]
            solved[a * count + i] = total / triangle[a * pairs + a]


@kernel
def _square_up(own: Record, pairs: int) -> None:
    """Write M, up to its diagonal, in the place of L."""
    count = 2 * pairs
    columns, triangle = floats_at(own.columns, count * count), floats_at(own.triangle, pairs * pairs)
    solved, rest = floats_at(own.solved, pairs * count), floats_at(own.rest, count * count)
    m = floats_at(own.lower, count * count)
    for i in range(count):
        for j in range(count):
            total = 1.0 if i == j else 0.0
            for a in range(pairs):
                total -= columns[i * count + a] * solved[a * count + j]
            rest[i * count + j] = total
    for i in range(count):
        for j in range(count):
            m[i * count + j] = 0.0
        for k in range(count):
            for j in range(i + 1):
                m[i * count + j] += rest[k * count + i] * rest[k * count + j]
        for a in range(pairs):
            weight = triangle[a * pairs + a] * solved[a * count + i]
            for j in range(i + 1):
                m[i * count + j] += weight * solved[a * count + j]


@kernel
def _factorise_small(own: Record) -> bool:
    """Replace M by L, and add its determinant; tell whether M is positive definite and finite."""
    count = own.count
    m = floats_at(own.lower, count * count)
    for i in range(count):
        for j in range(i + 1):
            total = m[i * count + j]
            for k in range(j):
                total -= m[i * count + k] * m[j * count + k]
            if i > j:
                m[i * count + j] = total / m[j * count + j]
            elif 0.0 < total < np.inf:
                m[i * count + i] = math.sqrt(total)
            else:
                return False
        own.half_log_det += math.log(m[i * count + i])
    return bool(-np.inf < own.half_log_det < np.inf)


@kernel
def _multiply_by_lower(own: Record, transposed: bool) -> None:
    """Multiply what was turned by L, or by its transpose."""
    count = own.count
    lower, t = floats_at(own.lower, count * count), floats_at(own.turned, count)
    for i in range(count):
        row = i if transposed else count - 1 - i  # what a row needs is not yet overwritten
        total = lower[row * count + row] * t[row]
        if transposed:
            for k in range(row + 1, count):
                total += lower[k * count + row] * t[k]
        else:
            for k in range(row):
                total += lower[row * count + k] * t[k]
        t[row] = total


@kernel
def stretch(own: Record, n: int, vector: int, twice: bool) -> None:
    """Multiply a vector by ``I + Q (L - I) Q^T``, or by that times its transpose, ``I + Q (L L^T - I) Q^T``."""
    count = own.count
    t, before = floats_at(own.turned, count), floats_at(own.before, count)
    for k in range(count):
        t[k] = before[k] = dot(n, own.basis + 8 * n * k, vector)
    if twice:
        _multiply_by_lower(own, True)
    _multiply_by_lower(own, False)
    for k in range(count):
        add(n, t[k] - before[k], own.basis + 8 * n * k, vector)


@kernel
def place(own: Record, n: int, position: int, grad: int) -> float:
    """Write the mean, where a step of Newton's leads from an iterate; return what it would gain were H right."""
    scale, mean = floats_at(own.scale, n), floats_at(own.centre, n)
    at, slope = floats_at(position, n), floats_at(grad, n)
    for i in range(n):
        mean[i] = scale[i] * slope[i]
    stretch(own, n, own.centre, True)
    gain = 0.0
    for i in range(n):
        step = scale[i] * mean[i]
        gain += 0.5 * slope[i] * step
        mean[i] = at[i] + step
    return gain


@kernel
def draw(own: Record, n: int, noise: int, position: int) -> float:
    """Turn standard normal numbers into a draw; return its log density."""
    scale, mean, q = floats_at(own.scale, n), floats_at(own.centre, n), floats_at(position, n)
    copy(n, noise, position)
    stretch(own, n, position, False)
    for i in range(n):
        q[i] = mean[i] + scale[i] * q[i]
    logq: float = -n * HALF_LOG_TWO_PI - own.half_log_det - 0.5 * sum_of_squares(noise, n)
    return logq


@kernel
def keep(own: Record, n: int, other: Record) -> None:
    """Copy the distribution."""
    other.count, other.half_log_det = own.count, own.half_log_det
    copy(n, own.scale, other.scale)
    copy(n, own.centre, other.centre)
    copy(own.count * n, own.basis, other.basis)
    copy(own.count * own.count, own.lower, other.lower)

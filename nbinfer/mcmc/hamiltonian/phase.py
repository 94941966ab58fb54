"""Phase points: position, momentum, gradient, velocity and pull, `n` float64 each, one behind the other.

A point is known by its address, which is that of its position. A diagonal metric writes no velocities, and only a
metric of directions writes pulls.
"""

from __future__ import annotations

from nbinfer.compile import Record, kernel
from nbinfer.engine.vectors import copy

#: What a point has for each coordinate.
FIELDS = 5


@kernel
def point_at(points: int, n: int, index: int) -> int:
    """Return the address of one of several points that lie one behind the other."""
    return points + 8 * FIELDS * n * index


@kernel
def momentum_of(point: int, n: int) -> int:
    """Return the address of a point's momentum."""
    return point + 8 * n


@kernel
def grad_of(point: int, n: int) -> int:
    """Return the address of the gradient of the log density at a point."""
    return point + 16 * n


@kernel
def velocity_of(point: int, n: int) -> int:
    """Return the address of a point's velocity: the inverse mass times the momentum."""
    return point + 24 * n


@kernel
def pull_of(point: int, n: int) -> int:
    """Return the address of what the gradient at a point adds to a velocity: the inverse mass times the gradient."""
    return point + 32 * n


@kernel
def from_chain(chain: Record, point: int) -> None:
    """Put a point where the chain is; its momentum is left alone."""
    copy(chain.n, chain.position, point)
    copy(chain.n, chain.grad, grad_of(point, chain.n))


@kernel
def to_chain(chain: Record, point: int) -> None:
    """Put the chain where a point is."""
    copy(chain.n, point, chain.position)
    copy(chain.n, grad_of(point, chain.n), chain.grad)

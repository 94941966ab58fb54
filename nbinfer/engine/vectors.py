"""What kernels do to vectors that they know by their addresses: `n` float64 each."""

from __future__ import annotations

from nbinfer.compile import floats_at, kernel


@kernel
def copy(n: int, source: int, target: int) -> None:
    """Copy a vector."""
    values, copies = floats_at(source, n), floats_at(target, n)
    for i in range(n):
        copies[i] = values[i]


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

"""The number of a rank among many, without putting them in order."""

from __future__ import annotations

from nbinfer.compile import floats_at, kernel


@kernel
def nth(values: int, count: int, rank: int) -> float:
    """Return the number of a rank, from 0; the numbers change places."""
    v = floats_at(values, count)
    left, right = 0, count - 1
    while left < right:
        pivot = v[(left + right) // 2]
        i, j = left, right
        while i <= j:
            while v[i] < pivot:
                i += 1
            while v[j] > pivot:
                j -= 1
            if i <= j:
                v[i], v[j] = v[j], v[i]
                i += 1
                j -= 1
        if rank <= j:
            right = j
        elif rank >= i:
            left = i
        else:
            break
    found: float = v[rank]
    return found

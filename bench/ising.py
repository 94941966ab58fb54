"""The Ising model on a torus: its density, and what of it depends on one spin."""

from __future__ import annotations

from typing import Any

COUPLING = 0.4


def logp(p: Any, d: Any) -> float:
    rows, columns = p.s.shape
    total = 0.0
    for i in range(rows):
        for j in range(columns):
            right, below = p.s[i, (j + 1) % columns], p.s[(i + 1) % rows, j]
            total += (2.0 * p.s[i, j] - 1.0) * (2.0 * right + 2.0 * below - 2.0)
    return COUPLING * total


def conditional(p: Any, d: Any, k: int) -> float:
    rows, columns = p.s.shape
    i, j = k // columns, k % columns
    beside = p.s[i, (j + 1) % columns] + p.s[i, j - 1] + p.s[(i + 1) % rows, j] + p.s[i - 1, j]
    return COUPLING * (2.0 * p.s[i, j] - 1.0) * (2.0 * beside - 4.0)

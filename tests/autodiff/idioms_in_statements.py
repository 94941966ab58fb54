"""Loops, branches, functions inside functions."""

from __future__ import annotations

REFUSED: dict[str, str] = {}


def loop_over_positions(x):
    s = 0.0
    for i in range(len(x)):
        s += x[i] ** 2
    return s

"""Everyday forms of densities beside the plainest one, a loop over positions: the derived gradients must be as fast.

Each case has a density as people write it, and the same density by ``range`` and index, whose derived gradient stands
where others have one by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.autodiff_idioms import pairs
from bench.autodiff_models import Case
from nbinfer.autodiff import Generated, value_and_grad
from nbinfer.compile import kernel
from nbinfer.compile.arena import Arenas, begin
from nbinfer.vectormath import log1pexp


def by_rows(x, X, y):
    lp = -0.5 * np.sum(x**2)
    for row, outcome in zip(X, y, strict=True):
        eta = 0.0
        for a, b in zip(row, x, strict=True):
            eta += a * b
        lp += outcome * eta - log1pexp(eta)
    return lp


def by_positions(x, X, y):
    lp = -0.5 * np.sum(x**2)
    for i in range(y.size):
        eta = 0.0
        for j in range(x.size):
            eta += X[i, j] * x[j]
        lp += y[i] * eta - log1pexp(eta)
    return lp


def over_values(x, y):
    scale = math.exp(x[1])
    lp = 0.0
    for v in y:
        z = (v - x[0]) / scale
        lp -= log1pexp(z) + 0.5 * z * z
    return lp


def over_positions(x, y):
    scale = math.exp(x[1])
    lp = 0.0
    for i in range(y.size):
        z = (y[i] - x[0]) / scale
        lp -= log1pexp(z) + 0.5 * z * z
    return lp


def summed(x, y):
    scale = math.exp(x[1])

    def term(v):
        z = (v - x[0]) / scale
        return log1pexp(z) + 0.5 * z * z

    return -sum(term(v) for v in y)


def listed(x, y):
    scale = math.exp(x[1])
    z = [(v - x[0]) / scale for v in y]
    return -sum([log1pexp(v) + 0.5 * v * v for v in z])


def walk_by_zip(x, y):
    lp = 0.0
    for now, before, seen in zip(x[1:], x, y[1:], strict=False):
        lp -= 0.5 * (now - 0.9 * before) ** 2 + 0.5 * (seen - now) ** 2
    return lp


def walk_by_position(x, y):
    lp = 0.0
    for i in range(1, x.size):
        lp -= 0.5 * (x[i] - 0.9 * x[i - 1]) ** 2 + 0.5 * (y[i] - x[i]) ** 2
    return lp


def backwards(x, y):
    state, lp = 0.0, 0.0
    for k, v in enumerate(reversed(y)):
        state = math.tanh(x[0] * state + x[1] * v)
        lp -= (state - 0.001 * k) ** 2
    return lp


def backwards_by_position(x, y):
    state, lp = 0.0, 0.0
    for i in range(y.size - 1, -1, -1):
        state = math.tanh(x[0] * state + x[1] * y[i])
        lp -= (state - 0.001 * (y.size - 1 - i)) ** 2
    return lp


def until_break(x, y):
    state, lp = 0.0, 0.0
    for v in y:
        state = math.tanh(x[0] * state + x[1] * v)
        lp -= (v - state) ** 2
        if lp < -1e9:
            break
    return lp


def until_the_end(x, y):
    state, lp = 0.0, 0.0
    for i in range(y.size):
        state = math.tanh(x[0] * state + x[1] * y[i])
        lp -= (y[i] - state) ** 2
    return lp


def while_it_lasts(x, y):
    state, lp, i = 0.0, 0.0, 0
    while i < y.size:
        state = math.tanh(x[0] * state + x[1] * y[i])
        lp -= (y[i] - state) ** 2
        i += 1
    return lp


def rebound(x, A):
    z = x * 1.0
    for _ in range(20):
        z = A @ z
    return -0.5 * np.sum(z * z)


def in_place(x, A):
    z = x * 1.0
    for _ in range(20):
        z[:] = A @ z
    return -0.5 * np.sum(z * z)


def in_arena(generated: Generated) -> Any:
    """Return a generated function as a kernel without its first argument: it has an arena of its own."""
    arenas = Arenas(1)
    arena = f"begin({arenas.addresses[0]})" if generated.takes_memory else "0"
    names: dict[str, Any] = {"np": np, "math": math, **generated.globals, "begin": begin, "_owner": arenas}
    exec(generated.source.replace("(arena, ", "(", 1).replace(":\n", f":\n    arena = {arena}\n", 1), names)
    return kernel(names[generated.name], reassociate=True)


def derived_kernel(f: Callable[..., Any], position: np.ndarray, data: tuple[np.ndarray, ...]) -> Any:
    """Return the derived gradient of a density as a gradient by hand is written."""
    return in_arena(value_and_grad(f).derive(position, *data))


def everyday() -> dict[str, Case]:
    """Return the cases by name."""
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(1000, 25)), rng.normal(size=1000)
    outcome = (rng.uniform(size=1000) < 0.5).astype(float)
    two, many = np.array([0.3, 0.2]), rng.normal(size=500)
    A = np.linalg.qr(rng.normal(size=(10, 10)))[0].copy()
    rows: dict[str, tuple[Any, Any, np.ndarray, tuple[np.ndarray, ...]]] = {
        "rows, zip": (by_rows, by_positions, 0.3 * rng.normal(size=25), (X, outcome)),
        "over an array": (over_values, over_positions, two, (y,)),
        "sum of a generator": (summed, over_positions, two, (y,)),
        "comprehensions": (listed, over_positions, two, (y,)),
        "neighbours by zip": (walk_by_zip, walk_by_position, many, (rng.normal(size=500),)),
        "reversed, enumerate": (backwards, backwards_by_position, two, (y,)),
        "break": (until_break, until_the_end, two, (y,)),
        "while": (while_it_lasts, until_the_end, two, (y,)),
        "array rebound": (rebound, in_place, rng.normal(size=10), (A,)),
    }
    return {
        name: Case(f, derived_kernel(loop, position, data), position, data, loop)
        for name, (f, loop, position, data) in {**rows, **pairs()}.items()
    }

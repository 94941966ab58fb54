"""Compare a gradient with central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_EPS = float(np.finfo(float).eps)
#: Agreement asked of a written gradient, relative to the size of its parts.
TOLERANCE = 1e-5

Value = Callable[[np.ndarray], float]
ValueAndGrad = Callable[[np.ndarray], tuple[float, np.ndarray]]


class Comparison(NamedTuple):
    """One coordinate: the written derivative, the central difference, and how far the two are apart in tolerances."""

    name: str
    written: float
    difference: float
    excess: float


class Disagreement:
    """Every coordinate of a gradient beside its central difference.

    Attributes
    ----------
    coordinates : list of Comparison
        In the order of the position.
    """

    def __init__(self, coordinates: list[Comparison]) -> None:
        self.coordinates = coordinates

    @property
    def worst(self) -> Comparison | None:
        """The coordinate with the largest excess over its tolerance."""
        return max(self.coordinates, key=lambda c: c.excess, default=None)

    @property
    def ok(self) -> bool:
        """Whether all agree."""
        return self.worst is None or self.worst.excess <= 1.0

    def __repr__(self) -> str:
        worst = self.worst
        if worst is None:
            return "gradient check: nothing to compare"
        values = f"written {worst.written:.10g}, central difference {worst.difference:.10g}"
        count = len(self.coordinates)
        if self.ok:
            return f"gradient check: all {count} coordinates agree; worst {worst.name}: {values}"
        bad = [c for c in self.coordinates if c.excess > 1.0]
        return f"gradient check: {len(bad)} of {count} coordinates are wrong; worst {worst.name}: {values}"


def _difference(value: Value, q: np.ndarray, direction: np.ndarray) -> tuple[float, float]:
    """Return the derivative along a direction by Richardson's extrapolation, and an estimate of its error."""
    best, best_error = np.nan, np.inf
    for step in _EPS ** (1 / 3) * np.array([100.0, 10.0, 1.0]):
        rough, fine, size = 0.0, 0.0, 0.0
        values = [value(q + s * step * direction) for s in (2.0, -2.0, 1.0, -1.0)]
        if not np.all(np.isfinite(values)):
            continue
        rough, fine = (values[0] - values[1]) / (4.0 * step), (values[2] - values[3]) / (2.0 * step)
        size = max(map(abs, values))
        extrapolated = fine + (fine - rough) / 3.0
        error = abs(fine - rough) + 4.0 * _EPS * size / step
        if error < best_error:
            best, best_error = extrapolated, error
    return best, best_error


def directional_error(value: Value, value_and_grad: ValueAndGrad, q: np.ndarray) -> float | None:
    """Test one directional derivative with two evaluations.

    Returns
    -------
    excess : float or None
        The disagreement in units of the tolerance; at most 1 if all is well, None where the density is not finite.
    """
    logp, grad = value_and_grad(q)
    if not (np.isfinite(logp) and np.all(np.isfinite(grad))) or q.size == 0:
        return None
    # A fixed direction with parts of comparable size and no symmetry in which errors could cancel.
    direction = np.random.Generator(np.random.Philox(key=2)).uniform(0.5, 1.5, q.size)
    direction *= np.where(np.arange(q.size) % 2, -1.0, 1.0) * np.maximum(1.0, np.abs(q))
    # Parts of the density may vary on a scale of 1 / |gradient|: the step shrinks with it.
    slope = float(np.abs(grad * direction).sum())
    step = _EPS ** (1 / 3) / max(1.0, np.sqrt(slope / max(1.0, abs(logp))))
    above, below = value(q + step * direction), value(q - step * direction)
    if not (np.isfinite(above) and np.isfinite(below)):
        return float("inf")
    difference = (above - below) / (2.0 * step)
    noise = 10.0 * _EPS * max(abs(above), abs(below)) / step
    return float(abs(difference - grad @ direction) / (TOLERANCE * max(slope, abs(difference)) + noise + 1e-8))


def compare_all(value: Value, value_and_grad: ValueAndGrad, q: np.ndarray, names: list[str]) -> Disagreement:
    """Compare each coordinate of a gradient with a central difference."""
    grad = value_and_grad(q)[1]
    rows = []
    for i, name in enumerate(names):
        direction = np.zeros(q.size)
        direction[i] = max(1.0, abs(q[i]))
        difference, error = _difference(value, q, direction)
        difference, error = difference / direction[i], error / direction[i]
        gap = abs(difference - grad[i])
        if not np.isfinite(error):  # the density is not finite near by: nothing can be said
            excess = 0.0 if np.isfinite(grad[i]) else np.inf
        elif not np.isfinite(gap):
            excess = np.inf
        else:
            noise = min(error, 1e-2 * abs(difference) + 1e-2)
            excess = gap / (TOLERANCE * max(abs(difference), abs(grad[i])) + noise + 1e-8)
        rows.append(Comparison(name, float(grad[i]), float(difference), float(excess)))
    return Disagreement(rows)

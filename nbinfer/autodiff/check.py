"""Compare a gradient, derived or written by hand, with central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from nbinfer.arguments import numbers
from nbinfer.compile import python_functions

_EPS = float(np.finfo(float).eps)
#: Agreement asked of a gradient, relative to the size of its parts.
TOLERANCE = 1e-5

Value = Callable[[np.ndarray], float]


class Comparison(NamedTuple):
    """One coordinate: its derivative in the gradient, the central difference, and their distance in tolerances."""

    name: str
    gradient: float
    difference: float
    excess: float


class Check:
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
        return max(self.coordinates, key=lambda c: (c.excess, np.isfinite(c.difference)), default=None)

    @property
    def ok(self) -> bool:
        """Whether all agree that can be compared."""
        return self.worst is None or self.worst.excess <= 1.0

    @property
    def _compared(self) -> int:
        """How many coordinates have a difference: beside the others the value is not finite."""
        return int(np.sum(np.isfinite([c.difference for c in self.coordinates])))

    def __repr__(self) -> str:
        worst = self.worst
        if worst is None:
            return "gradient check: nothing to compare"
        values = f"gradient {worst.gradient:.10g}, central difference {worst.difference:.10g}"
        count = len(self.coordinates)
        if not self._compared:
            return f"gradient check: the value is not finite beside any of {count} coordinates: nothing can be said"
        if self.ok:
            all_of = "all" if self._compared == count else f"{self._compared} of"
            return f"gradient check: {all_of} {count} coordinates agree; worst {worst.name}: {values}"
        bad = sum(c.excess > 1.0 for c in self.coordinates)
        return f"gradient check: {bad} of {count} coordinates are wrong; worst {worst.name}: {values}"


def central_difference(value: Value, q: np.ndarray, k: int) -> tuple[float, float]:
    """Return a derivative by Richardson's extrapolation of central differences, and an estimate of its error."""
    best, best_error = np.nan, np.inf
    for step in _EPS ** (1 / 3) * np.array([100.0, 10.0, 1.0]) * max(1.0, abs(q[k])):
        values = []
        for s in (2.0, -2.0, 1.0, -1.0):
            moved = q.copy()
            moved[k] += s * step
            values.append(value(moved))
        if not np.all(np.isfinite(values)):
            continue
        rough, fine = (values[0] - values[1]) / (4.0 * step), (values[2] - values[3]) / (2.0 * step)
        error = abs(fine - rough) + 4.0 * _EPS * max(map(abs, values)) / step
        if error < best_error:
            best, best_error = fine + (fine - rough) / 3.0, error
    return best, best_error


def compare_all(value: Value, gradient: np.ndarray, q: np.ndarray, names: Sequence[str]) -> Check:
    """Compare each coordinate of a gradient at a flat position with a central difference of the value."""
    rows = []
    for k, name in enumerate(names):
        difference, error = central_difference(value, q, k)
        gap = abs(difference - gradient[k])
        if not np.isfinite(error):  # the value is not finite near by: nothing can be said
            excess = 0.0 if np.isfinite(gradient[k]) else np.inf
        elif not np.isfinite(gap):
            excess = np.inf
        else:
            noise = min(error, 1e-2 * abs(difference) + 1e-2)
            excess = gap / (TOLERANCE * max(abs(difference), abs(gradient[k])) + noise + 1e-8)
        rows.append(Comparison(name, float(gradient[k]), float(difference), float(excess)))
    return Check(rows)


def directional_excess(
    value: Value, value_and_grad: Callable[[np.ndarray], tuple[float, np.ndarray]], q: np.ndarray
) -> float | None:
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


def _flat(name: str, thing: Any) -> tuple[list[str], np.ndarray]:
    if isinstance(thing, tuple):
        fields = getattr(thing, "_fields", None) or range(len(thing))
        parts = [_flat(f"{name}.{f}" if isinstance(f, str) else f"{name}[{f}]", v) for f, v in zip(fields, thing)]  # noqa: B905
        return [n for names, _ in parts for n in names], np.concatenate([np.zeros(0), *(x for _, x in parts)])
    array = numbers(name, thing)
    names = [name + (f"[{', '.join(map(str, index))}]" if index else "") for index in np.ndindex(array.shape)]
    return names, array.ravel()


def _shaped(like: Any, flat: np.ndarray) -> Any:
    def take(thing: Any, start: int) -> tuple[Any, int]:
        if isinstance(thing, tuple):
            parts = []
            for item in thing:
                part, start = take(item, start)
                parts.append(part)
            return (type(thing)(*parts) if hasattr(thing, "_fields") else tuple(parts)), start
        size = int(np.size(thing))
        piece = flat[start : start + size]
        return (piece.reshape(np.shape(thing)).copy() if np.ndim(thing) else float(piece[0])), start + size

    return take(like, 0)[0]


def compare(function: Callable[..., Any], both: Callable[..., Any], x: Any, data: Sequence[Any]) -> Check:
    """Compare each coordinate of a gradient."""
    names, flat = _flat("x", x)
    at_x, derived = both(x, *data)
    if not np.isfinite(at_x):
        raise ValueError(f"x must be a point at which the function is finite; there it is {at_x}")
    gradient = _flat("x", derived)[1]
    plain = python_functions.python_function(function)

    def value(q: np.ndarray) -> float:
        with np.errstate(all="ignore"):
            return float(plain(_shaped(x, q), *data))

    return compare_all(value, gradient, flat, names)

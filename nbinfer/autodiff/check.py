"""Compare a derived gradient with difference quotients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

_EPS = float(np.finfo(float).eps)
#: Agreement asked of a derived gradient, relative to its own size.
TOLERANCE = 1e-5


class Coordinate(NamedTuple):
    """One coordinate: the derived derivative, the difference quotient, and their distance in tolerances."""

    name: str
    derived: float
    difference: float
    excess: float


class Check:
    """Every coordinate of a gradient beside its difference quotient.

    Attributes
    ----------
    coordinates : list of Coordinate
        In the order of the argument.
    """

    def __init__(self, coordinates: list[Coordinate]) -> None:
        self.coordinates = coordinates

    @property
    def worst(self) -> Coordinate | None:
        """The coordinate that is farthest off, in tolerances."""
        return max(self.coordinates, key=lambda c: c.excess, default=None)

    @property
    def ok(self) -> bool:
        """Whether all agree."""
        return self.worst is None or self.worst.excess <= 1.0

    def __repr__(self) -> str:
        worst = self.worst
        if worst is None:
            return "gradient check: nothing to compare"
        values = f"derived {worst.derived:.10g}, difference quotient {worst.difference:.10g}"
        if self.ok:
            return f"gradient check: all {len(self.coordinates)} coordinates agree; worst {worst.name}: {values}"
        bad = sum(c.excess > 1.0 for c in self.coordinates)
        return f"gradient check: {bad} of {len(self.coordinates)} coordinates differ; worst {worst.name}: {values}"


def _flat(name: str, thing: Any) -> tuple[list[str], np.ndarray]:
    if isinstance(thing, tuple):
        fields = getattr(thing, "_fields", None) or range(len(thing))
        parts = [_flat(f"{name}.{f}" if isinstance(f, str) else f"{name}[{f}]", v) for f, v in zip(fields, thing)]  # noqa: B905
        return [n for names, _ in parts for n in names], np.concatenate([np.zeros(0), *(x for _, x in parts)])
    array = np.asarray(thing, dtype=float)
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


def quotient(value: Callable[[np.ndarray], float], x: np.ndarray, k: int) -> tuple[float, float]:
    """Return a derivative by Richardson's extrapolation of central differences, and an estimate of its error."""
    best, best_error = np.nan, np.inf
    for step in _EPS ** (1 / 3) * np.array([100.0, 10.0, 1.0]) * max(1.0, abs(x[k])):
        values = []
        for s in (2.0, -2.0, 1.0, -1.0):
            moved = x.copy()
            moved[k] += s * step
            values.append(value(moved))
        if not np.all(np.isfinite(values)):
            continue
        rough, fine = (values[0] - values[1]) / (4.0 * step), (values[2] - values[3]) / (2.0 * step)
        error = abs(fine - rough) + 4.0 * _EPS * max(map(abs, values)) / step
        if error < best_error:
            best, best_error = fine + (fine - rough) / 3.0, error
    return best, best_error


def compare(function: Callable[..., Any], both: Callable[..., Any], x: Any, data: Sequence[Any]) -> Check:
    """Compare each coordinate of a gradient."""
    names, flat = _flat("x", x)
    at_x, derived = both(x, *data)
    if not np.isfinite(at_x):
        raise ValueError(f"x must be a point at which the function is finite; there it is {at_x}")
    gradient = _flat("x", derived)[1]
    plain = getattr(function, "py_func", function)

    def value(q: np.ndarray) -> float:
        with np.errstate(all="ignore"):
            return float(plain(_shaped(x, q), *data))

    rows = []
    for k, name in enumerate(names):
        difference, error = quotient(value, flat, k)
        gap = abs(difference - gradient[k])
        if not np.isfinite(error):  # not finite near by: nothing can be said
            excess = 0.0 if np.isfinite(gradient[k]) else np.inf
        elif not np.isfinite(gap):
            excess = np.inf
        else:
            noise = min(error, 1e-2 * abs(difference) + 1e-2)
            excess = gap / (TOLERANCE * max(abs(difference), abs(gradient[k])) + noise + 1e-8)
        rows.append(Coordinate(name, float(gradient[k]), float(difference), float(excess)))
    return Check(rows)

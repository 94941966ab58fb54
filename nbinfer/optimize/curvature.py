"""Curvature of the log density at a point, by differences of gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.errors import ModelError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_ROOT = float(np.cbrt(np.finfo(float).eps))
#: How far a step may be from the first one unseen, and by how much the curvature may change with half of it.
_FAR, _STEADY = 30.0, 0.2
#: Curvatures are held between this squared and one over it.
SCALING_BOUND = 1e-8


def position(bound: Any, point: Mapping[str, Any]) -> tuple[Floats, Integers]:
    """Return the coordinates and the discrete values of a point, maybe partial."""
    q = bound.definition.unconstrain(point)
    return np.asarray(q), np.asarray(bound.definition.layout.discrete_values(point)[: bound.n_discrete])


def slopes(bound: Any, q: Floats, discrete: Integers, i: int, step: float) -> Floats:
    """Return minus the derivative of the gradient by coordinate i, shape (dim,)."""
    above, below = q.copy(), q.copy()
    above[i] += step
    below[i] -= step
    (logp_below, grad_below), (logp_above, grad_above) = (bound.value_and_grad(at, discrete) for at in (below, above))
    difference = grad_below - grad_above
    if not np.isfinite(logp_below + logp_above) or not np.isfinite(difference).all():
        raise ModelError(
            f"the density or its gradient is not finite next to this point, {step:.1g} away in "
            f"{bound.definition.layout.coordinate_name(i)} (unconstrained); take another point."
        )
    return np.asarray(difference / (above[i] - below[i]))


def curvatures(bound: Any, q: Floats, discrete: Integers, coordinates: Integers) -> tuple[Floats, list[str]]:
    """Return the diagonal of −∇²logp for some coordinates, and the names of those without curvature."""
    steps, steady = _steps(bound, q, discrete, coordinates)
    found = [slopes(bound, q, discrete, i, step)[i] for i, step in zip(coordinates, steps, strict=True)]
    return np.array(found), _without(bound, coordinates, found, steady)


def hessian(bound: Any, q: Floats, discrete: Integers, coordinates: Integers) -> tuple[Floats, list[str]]:
    """Return −∇²logp for some coordinates, shape (k, k), symmetric, and the names of those without curvature."""
    steps, steady = _steps(bound, q, discrete, coordinates)
    rows = [slopes(bound, q, discrete, i, step)[coordinates] for i, step in zip(coordinates, steps, strict=True)]
    whole = np.reshape(rows, (len(coordinates), len(coordinates)))
    return np.asarray(0.5 * (whole + whole.T)), _without(bound, coordinates, np.diag(whole), steady)


def _without(bound: Any, coordinates: Integers, diagonal: Any, steady: Sequence[bool]) -> list[str]:
    """Name the coordinates in which the density does not curve, or which have no second derivative."""
    layout = bound.definition.layout
    each = zip(coordinates, diagonal, steady, strict=True)
    return [layout.coordinate_name(int(i)) for i, curvature, is_steady in each if curvature == 0.0 or not is_steady]


def _steps(bound: Any, q: Floats, discrete: Integers, coordinates: Integers) -> tuple[list[float], list[bool]]:
    found = [_step(bound, q, discrete, i) for i in coordinates]
    return [step for step, _ in found], [is_steady for _, is_steady in found]


def _step(bound: Any, q: Floats, discrete: Integers, i: int) -> tuple[float, bool]:
    """Return a step that suits the width of the density in coordinate i, as a first difference shows it.

    Where that is far from the first step, the curvature must be the same with half of it: next to a point where it is
    zero it grows with the step, at a kink it falls. Then the first step is as good as any, and there is no width.
    """
    first = _ROOT * max(1.0, abs(q[i]))
    curvature = abs(slopes(bound, q, discrete, i, first)[i])
    suited = _ROOT / np.sqrt(curvature) if curvature > 0.0 else first
    step = float(np.clip(suited, 1e-6 * first, 1e6 * first))
    if first / _FAR < step < first * _FAR:
        return step, True
    whole, half = (slopes(bound, q, discrete, i, width)[i] for width in (step, 0.5 * step))
    if abs(whole - half) <= _STEADY * max(abs(whole), abs(half)):
        return step, True
    return first, False


def bounded(curvature: Floats, scaling_bound: float) -> Floats:
    """Return absolute curvatures, held within limits."""
    return np.clip(np.abs(curvature), scaling_bound**2, scaling_bound**-2)

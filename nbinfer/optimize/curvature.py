"""Curvature of the log density at a point, by differences of gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.errors import ModelError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_ROOT = float(np.cbrt(np.finfo(float).eps))
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


def curvatures(bound: Any, q: Floats, discrete: Integers, coordinates: Integers) -> Floats:
    """Return the diagonal of −∇²logp for some coordinates."""
    return np.array([slopes(bound, q, discrete, i, _step(bound, q, discrete, i))[i] for i in coordinates])


def hessian(bound: Any, q: Floats, discrete: Integers, coordinates: Integers) -> Floats:
    """Return −∇²logp for some coordinates, shape (k, k), symmetric."""
    steps = [_step(bound, q, discrete, i) for i in coordinates]
    rows = [slopes(bound, q, discrete, i, step)[coordinates] for i, step in zip(coordinates, steps, strict=True)]
    whole = np.reshape(rows, (len(coordinates), len(coordinates)))
    return np.asarray(0.5 * (whole + whole.T))


def _step(bound: Any, q: Floats, discrete: Integers, i: int) -> float:
    """Return a step that suits the width of the density in coordinate i, as a first difference shows it."""
    first = _ROOT * max(1.0, abs(q[i]))
    curvature = abs(slopes(bound, q, discrete, i, first)[i])
    suited = _ROOT / np.sqrt(curvature) if curvature > 0.0 else first
    return float(np.clip(suited, 1e-6 * first, 1e6 * first))


def bounded(curvature: Floats, scaling_bound: float) -> Floats:
    """Return absolute curvatures, held within limits."""
    return np.clip(np.abs(curvature), scaling_bound**2, scaling_bound**-2)

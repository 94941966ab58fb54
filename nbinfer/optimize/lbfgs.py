"""L-BFGS: a search for the maximum of a log density by gradients, with a memory of its last iterations.

A search begins where a density and its gradient are finite (`begin`), and goes on iteration by iteration (`iterate`),
so that a caller may look at each iterate. The direction of an iteration is the gradient times an estimate of the
inverse curvature, which the last few steps and the changes of the gradient over them give [1]_. How far it leads is
found by trial, until the density has risen enough and its slope has fallen enough [1]_. A point without a density only
says that the step was too long, as in searches over functions with edges [2]_.

References
----------
.. [1] J. Nocedal and S. J. Wright, "Numerical Optimization", 2nd ed., Springer (2006), sec. 3.1, 3.5 and 7.2.
.. [2] A. S. Lewis and M. L. Overton, "Nonsmooth optimization via quasi-Newton methods", Math. Program. 141 (2013).
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nbinfer.arguments import count
from nbinfer.compile import Record, call_density, floats_at, kernel
from nbinfer.engine.state import Memory, State, floats, per_coordinate
from nbinfer.engine.vectors import add, copy, dot


class Outcome(enum.IntEnum):
    """What an iteration returns."""

    GOES_ON = 0
    SETTLED = 1  # it gained no more than `tolerance`, or there is no slope
    STUCK = 2  # no step along the gradient was found to gain anything
    LIMIT = 3  # iterations or evaluations are used up


def _remembered(search: Any, site: Any) -> int:
    return int(search.maxcor * site.n)


#: What a search keeps. No draw depends on it once the search is over.
LBFGS = State(
    fields={
        "maxcor": "i8",
        "max_iterations": "i8",
        "max_evaluations": "i8",
        "tolerance": "f8",  # an iteration that gains no more is the last
        "iterations": "i8",
        "evaluations": "i8",  # of the gradient; that at the start was the caller's
        "logp": "f8",
        "gain": "f8",  # of the last iteration
        "pairs": "i8",  # how many steps are remembered
        "newest": "i8",  # which of them is the last
        "remembered": "i8",  # how many there have been, with those that are forgotten
        "best_logp": "f8",
    },
    work={
        "position": floats(per_coordinate),
        "grad": floats(per_coordinate),
        "steps": floats(_remembered),  # s, as rows
        "changes": floats(_remembered),  # y, the falls of the gradient over them
        "products": floats(lambda search, site: 2 * search.maxcor),  # s·y of each, and room for as many numbers
        "direction": floats(per_coordinate),
        "trial": floats(per_coordinate),
        "trial_grad": floats(per_coordinate),
        "best": floats(per_coordinate),  # of the trials along a direction
        "best_grad": floats(per_coordinate),
    },
)
Lbfgs = LBFGS.record

_RISE, _FALL = 1e-4, 0.9  # what a step must gain of what the slope promises; what may be left of the slope
_TRIES = 20  # along one direction
_FURTHER, _FURTHEST = 1.1, 10.0  # how much longer a step is that follows one too short
_MARGIN = 0.1  # of a bracket, that trials keep from its ends
_EPS = float(np.finfo(np.float64).eps)
_GOES_ON, _SETTLED, _STUCK, _LIMIT = map(int, Outcome)


@dataclass(frozen=True)
class Search:  # numpydoc ignore=PR02
    """Settings of a search.

    Parameters
    ----------
    maxcor : int
        Iterations that are remembered. SciPy's name and default.
    max_iterations, max_evaluations : int
        After so many it ends.
    """

    maxcor: int = 10
    max_iterations: int = 15_000
    max_evaluations: int = 15_000

    #: What it keeps.
    state: ClassVar[State] = LBFGS

    def __post_init__(self) -> None:
        for name in ("maxcor", "max_iterations", "max_evaluations"):
            count(name, getattr(self, name), 1, 2**62)

    def initialise(self, own: Memory, tolerance: float = 0.0) -> None:
        """Write the settings.

        Parameters
        ----------
        own : Memory
            Of one search or of several.
        tolerance : float
            An iteration that gains no more in the log density, in nats, is the last.
        """
        own.maxcor, own.max_iterations, own.max_evaluations = self.maxcor, self.max_iterations, self.max_evaluations
        own.tolerance = tolerance


@kernel
def begin(own: Record, n: int, position: int, grad: int, logp: float) -> None:
    """Begin at a point, known by addresses of its position and its gradient; there both and the density are finite."""
    copy(n, position, own.position)
    copy(n, grad, own.grad)
    own.logp, own.gain = logp, 0.0
    own.iterations = own.evaluations = own.pairs = own.remembered = 0


@kernel
def iterate(own: Record, density: int, n: int, context: int) -> int:
    """Make one iteration.

    Parameters
    ----------
    own : Lbfgs record
        Position, gradient and log density are those of the next iterate afterwards, which is never lower; step and
        change of the gradient are the newest among those remembered, unless the log density is not concave there.
    density : int
        C function, see `nbinfer.compile.call_density`; asked for gradients.
    n : int
        Number of coordinates.
    context : int
        What the density is given beside.

    Returns
    -------
    outcome : int
        An `Outcome`.
    """
    own.gain = 0.0
    if own.iterations >= own.max_iterations or own.evaluations >= own.max_evaluations:
        return _LIMIT
    slope = _aim(own, n)
    if slope == 0.0:
        return _SETTLED
    own.iterations += 1
    if _search_line(own, density, n, context, slope):
        _advance(own, n)
        return _GOES_ON if own.gain > own.tolerance else _SETTLED
    if own.pairs == 0:
        return _STUCK
    own.pairs = 0  # what is remembered has misled; the next iteration follows the gradient
    return _GOES_ON


# ---- the direction


@kernel
def _aim(own: Record, n: int) -> float:
    """Write a direction that leads uphill; return the slope along it, 0 if there is none."""
    if own.pairs > 0:
        copy(n, own.grad, own.direction)
        _multiply_by_inverse(own, n, own.direction)
        slope = dot(n, own.direction, own.grad)
        if 0.0 < slope < np.inf:
            return slope
        own.pairs = 0
    return _follow_gradient(own, n)


@kernel
def _follow_gradient(own: Record, n: int) -> float:
    """Write the gradient, scaled to length 1, which no magnitude lets overflow; return the slope along it."""
    grad, direction, largest = floats_at(own.grad, n), floats_at(own.direction, n), 0.0
    for i in range(n):
        largest = max(largest, abs(grad[i]))
    if largest == 0.0:
        return 0.0
    for i in range(n):
        direction[i] = grad[i] / largest
    length = math.sqrt(dot(n, own.direction, own.direction))
    for i in range(n):
        direction[i] /= length
    return largest * length


@kernel
def _multiply_by_inverse(own: Record, n: int, vector: int) -> None:
    """Multiply a vector by the estimate of the inverse curvature: algorithm 7.4 of Nocedal & Wright (2006)."""
    products, shares = floats_at(own.products, own.maxcor), floats_at(own.products + 8 * own.maxcor, own.maxcor)
    for age in range(own.pairs):
        k = (own.newest - age) % own.maxcor
        shares[k] = dot(n, own.steps + 8 * n * k, vector) / products[k]
        add(n, -shares[k], own.changes + 8 * n * k, vector)
    newest = own.changes + 8 * n * own.newest
    scale, values = products[own.newest] / dot(n, newest, newest), floats_at(vector, n)
    for i in range(n):
        values[i] *= scale
    for age in range(own.pairs - 1, -1, -1):
        k = (own.newest - age) % own.maxcor
        rest = dot(n, own.changes + 8 * n * k, vector) / products[k]
        add(n, shares[k] - rest, own.steps + 8 * n * k, vector)


@kernel
def _advance(own: Record, n: int) -> None:
    """Go to the best of the trials, and remember how the gradient fell on the way, if it did: curvature says so."""
    _subtract(n, own.best, own.position, own.trial)
    _subtract(n, own.grad, own.best_grad, own.trial_grad)
    product, square = dot(n, own.trial, own.trial_grad), dot(n, own.trial_grad, own.trial_grad)
    if _EPS * square < product < np.inf and 0.0 < square < np.inf:
        k = (own.newest + 1) % own.maxcor if own.pairs > 0 else 0
        copy(n, own.trial, own.steps + 8 * n * k)
        copy(n, own.trial_grad, own.changes + 8 * n * k)
        floats_at(own.products, own.maxcor)[k] = product
        own.newest, own.pairs = k, min(own.pairs + 1, own.maxcor)
        own.remembered += 1
    copy(n, own.best, own.position)
    copy(n, own.best_grad, own.grad)
    own.gain = own.best_logp - own.logp
    own.logp = own.best_logp


# ---- the step along it


@kernel
def _search_line(own: Record, density: int, n: int, context: int, slope: float) -> bool:
    """Try steps until one meets the strong Wolfe conditions; tell whether any has gained what the slope promises.

    Between `low`, beyond which the density still rises, and `high`, which is too far, lies a step that meets them.
    """
    low, low_logp, low_slope = 0.0, own.logp, slope
    high, high_logp, high_slope = np.inf, -np.inf, 0.0
    step, found = 1.0, False
    own.best_logp = own.logp
    for _ in range(_TRIES):
        if own.evaluations >= own.max_evaluations:
            break
        logp, along = _try(own, density, n, context, step)
        rises = logp >= own.logp + _RISE * step * slope
        if rises and (logp > own.best_logp or not found):
            found, own.best_logp = True, logp
            copy(n, own.trial, own.best)
            copy(n, own.trial_grad, own.best_grad)
        if rises and abs(along) <= _FALL * slope:
            break
        further = _beyond(low, low_slope, step, along)
        if rises and along > 0.0:
            low, low_logp, low_slope = step, logp, along
        else:
            high, high_logp, high_slope = step, logp, along
        step = further if high == np.inf else _between(low, low_logp, low_slope, high, high_logp, high_slope)
        if not low < step < high:
            break
    return found


@kernel
def _try(own: Record, density: int, n: int, context: int, step: float) -> tuple[float, float]:
    """Evaluate the density at a step; return it and the slope there, -inf if one of them is not finite."""
    position, direction, trial = floats_at(own.position, n), floats_at(own.direction, n), floats_at(own.trial, n)
    for i in range(n):
        trial[i] = position[i] + step * direction[i]
    logp = call_density(density, n, own.trial, own.trial_grad, context)
    own.evaluations += 1
    grad, finite = floats_at(own.trial_grad, n), -np.inf < logp < np.inf
    for i in range(n):
        finite = finite and -np.inf < grad[i] < np.inf
    return (logp, dot(n, own.direction, own.trial_grad)) if finite else (-np.inf, 0.0)


@kernel
def _beyond(before: float, slope_before: float, step: float, slope: float) -> float:
    """Return a longer step: where the slope would vanish if it fell as it has, within limits."""
    fall = slope_before - slope
    further = step + slope * (step - before) / fall if fall > 0.0 else np.inf
    return min(max(further, _FURTHER * step), _FURTHEST * step)


@kernel
def _between(low: float, low_logp: float, low_slope: float, high: float, high_logp: float, high_slope: float) -> float:
    """Return a step within a bracket: the maximum of the cubic through its ends, equation 3.59; else the middle."""
    width, step = high - low, math.nan
    if high_logp > -np.inf:
        first = 3.0 * (high_logp - low_logp) / width - low_slope - high_slope
        second = math.sqrt(max(first * first - low_slope * high_slope, 0.0))
        bend = low_slope - high_slope + 2.0 * second
        step = high - width * (second - first - high_slope) / bend if bend > 0.0 else math.nan
    if not low < step < high:
        step = low + 0.5 * width
    return min(max(step, low + _MARGIN * width), high - _MARGIN * width)


# ---- vectors, by addresses


@kernel
def _subtract(n: int, a_address: int, b_address: int, target: int) -> None:
    a, b, rest = floats_at(a_address, n), floats_at(b_address, n), floats_at(target, n)
    for i in range(n):
        rest[i] = a[i] - b[i]

"""Where a density ends: places beside draws that diverged at which it is zero or no number, and in which parameter.

A bound that the density knows and the parameter does not, such as ``-inf`` below zero of a real number, cuts
trajectories off, and each that is cut off counts as a divergence. Steps away from such draws, coordinate by coordinate,
lead beyond it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.diagnostics.of_samplers import Statistics
from nbinfer.errors import ModelError
from nbinfer.model import Model
from nbinfer.model.bound import Bound
from nbinfer.model.layout import Parameter

#: Draws from which steps are taken, at most and at least; how long these are, in standard deviations; and how often the
#: density may be evaluated.
_MOST, _LEAST, _REACHES, _BUDGET = 16, 4, (0.5, 2.0, 4.0), 3000
#: An energy error above this tells of a step that was too long, and of no edge.
_TOO_LONG = 50.0
#: Edges are the same place if they differ by less, in standard deviations; halvings that find them.
_SAME, _HALVINGS = 1e-6, 40
#: Spread of a logarithm beyond which a step down ends where numbers end, not the density.
_LOGARITHMS = 50.0
#: Transforms whose coordinates are one element each.
_ELEMENTWISE = ("real", "positive", "lower", "upper", "interval")

Floats = NDArray[np.float64]
#: A position, and the discrete values there.
Origin = tuple[Floats, NDArray[np.int64]]


class _Edge(NamedTuple):
    """Where the density ends, seen from one draw."""

    at: float  # value of the element
    beyond: Floats  # coordinates a little further out
    discrete: NDArray[np.int64]


class Edges:
    """Where the density ends beside the draws of a run.

    Parameters
    ----------
    model : Model
    posterior : mapping of str to ndarray, shape (chain, draw, *shape)
    stats : Statistics
    """

    def __init__(self, model: Model, posterior: Mapping[str, Any], stats: Statistics) -> None:
        self._posterior, self._stats = posterior, stats
        self._model, self._ends = model, Ends(model)

    def text(self, diverging: NDArray[np.bool_]) -> str:
        """Say where the density ends beside draws that diverged; '' if it does not, or nobody can tell."""
        places = np.argwhere(diverging & self._cut_off(diverging))
        if len(places) < 2 or not set(self._model.parameters) <= set(self._posterior):
            return ""
        count = min(self._ends.most, len(places))
        chosen = places[np.linspace(0, len(places) - 1, count).astype(int)].tolist()
        try:
            return self._ends.text([self._origin(chain, draw) for chain, draw in chosen])
        except ModelError:  # draws of another model
            return ""

    def _cut_off(self, diverging: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which trajectories may have come to an end of the density, by their energy errors."""
        errors = self._stats.of_samplers("max_energy_error") or self._stats.of_samplers("energy_error")
        known = [error[:, : diverging.shape[1]] for error in errors]
        return np.asarray(np.any([~(np.isfinite(e) & (e > _TOO_LONG)) for e in known] or [diverging], axis=0))

    def _origin(self, chain: int, draw: int) -> Origin:
        point = {name: self._posterior[name][chain][draw] for name in self._model.parameters}
        discrete = self._model.layout.discrete_values(point)[: self._ends.bound.n_discrete]
        return np.asarray(self._model.unconstrain(point)), discrete


class Ends:
    """Where a density ends, seen from a few positions at which it does not.

    Parameters
    ----------
    model : Model
    bound : Bound, optional
        What evaluates it. Default: one of its own.

    Attributes
    ----------
    bound : Bound
    most : int
        Positions that steps may be taken from, so that evaluations do not take long; 0: there are too many parameters.
    """

    def __init__(self, model: Model, bound: Bound | None = None) -> None:
        self.bound = model.bind() if bound is None else bound
        self._model, self._layout = model, model.layout
        continuous = reversed(self._layout.continuous)  # what is declared last may have the others in its bounds
        self._elements = [(p, i) for p in continuous if p.support.transform in _ELEMENTWISE for i in range(p.size)]
        most = min(_MOST, _BUDGET // (2 * len(_REACHES) * max(len(self._elements), 1)))
        self.most = most if most >= _LEAST else 0

    def text(self, origins: Sequence[Origin], least: float = 0.0) -> str:
        """Say where the density ends beside positions, with their discrete values; '' if it does not.

        Steps are measured by the spread of the positions, which counts as `least` where it is less.
        """
        if not origins:
            return ""
        scales = np.maximum(np.std([q for q, _ in origins], axis=0), least)
        found = {
            (p.name, i, up): self._beside(origins, p, i, scales[p.q.start + i] if up else -scales[p.q.start + i])
            for p, i in self._elements
            for up in (False, True)
            if up or p.support.transform != "positive" or scales[p.q.start + i] < _LOGARITHMS
        }
        order = sorted(found, key=lambda key: -len(found[key]))
        often = {key: found[key] for key in order if 2 * len(found[key]) > len(origins)}
        return self._in_words(often, len(origins), scales) if often else ""

    def _beside(self, origins: Sequence[Origin], p: Parameter, i: int, scale: float) -> list[_Edge]:
        """Return where the density ends in one direction from some draws; a negative scale goes down."""
        return [edge for q, discrete in origins for edge in self._from(q, discrete, p, i, scale)]

    def _from(self, q: Floats, discrete: NDArray[np.int64], p: Parameter, i: int, scale: float) -> Iterator[_Edge]:
        def moved(step: float) -> Floats:
            at = q.copy()
            at[p.q.start + i] += step * scale
            return at

        within, beyond = 0.0, next((reach for reach in _REACHES if not self._is_finite(moved(reach), discrete)), 0.0)
        if not scale or not beyond or not self._is_finite(q, discrete):
            return
        for _ in range(_HALVINGS):
            middle = 0.5 * (within + beyond)
            within, beyond = (middle, beyond) if self._is_finite(moved(middle), discrete) else (within, middle)
        values, _ = self._layout.image(moved(beyond), self._model.data_tuple, discrete)
        yield _Edge(float(np.ravel(values[p.name])[i]), moved(beyond), discrete)

    def _is_finite(self, q: Floats, discrete: NDArray[np.int64]) -> bool:
        return math.isfinite(self.bound.value_and_grad(q, discrete)[0])

    def _in_words(self, found: Mapping[tuple[str, int, bool], Sequence[_Edge]], count: int, scales: Floats) -> str:
        (name, i, up), edges = next(iter(found.items()))
        p = self._layout.parameters[name]
        ends = {side: [e.at for e in found.get((name, i, side), ())] for side in (False, True)}
        scale = scales[p.q.start + i]
        fixed = {side: _rounded(at, scale) for side, at in ends.items() if at and np.ptp(at) <= _SAME * scale}
        label = p.name if _is_everywhere(found, p, up) else self._layout.coordinate_name(p.q.start + i)
        reason = self.bound.explain(edges[0].beyond, edges[0].discrete)
        place = _where(label, fixed) if up in fixed else f"{'above' if up else 'below'} a value of {label} that varies"
        text = f"Beside {len(edges)} of {count} of them the density ends, {place}: {reason}."
        if up not in fixed:
            bound = "upper" if up else "lower"
            return (
                f"{text} Trajectories are cut off there: give {p.name!r} a bound that is a function of what is "
                f"declared before it, nb.{bound}(lambda p, d: ...), or write the density without the edge."
            )
        return f"{text} Trajectories are cut off there: declare {_declared(p, fixed)}."


def _is_everywhere(found: Mapping[tuple[str, int, bool], Sequence[_Edge]], p: Parameter, up: bool) -> bool:
    """Tell whether all elements of a parameter end alike."""
    return p.size == 1 or all((p.name, i, up) in found for i in range(p.size))


def _rounded(at: Sequence[float], scale: float) -> float:
    """Return a bound in as many digits as it is known to."""
    mean = float(np.mean(at))
    return 0.0 if abs(mean) < _SAME * scale else float(f"{mean:.6g}")


def _where(label: str, fixed: Mapping[bool, float]) -> str:
    return " and ".join(f"{'above' if up else 'below'} {label} = {at:g}" for up, at in fixed.items())


def _declared(p: Parameter, fixed: Mapping[bool, float]) -> str:
    """Write a parameter with its bounds."""
    known = {"positive": {False: 0.0}}.get(p.support.transform or "", {}) | dict(fixed)
    shape = "" if p.shape == () else f"{p.shape[0] if len(p.shape) == 1 else p.shape}"
    low, high = known.get(False), known.get(True)
    if low is not None and high is not None:
        name, bounds = "interval", [f"{low:g}", f"{high:g}"]
    elif low == 0.0:
        name, bounds = "positive", []
    else:
        name, bounds = ("lower", [f"{low:g}"]) if high is None else ("upper", [f"{high:g}"])
    return f"{p.name!r} as nb.{name}({', '.join([*bounds, shape] if shape else bounds)})"

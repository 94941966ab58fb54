"""Chains that do not meet, and why: labels that they have exchanged, and densities that have no end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.diagnostics.of_samplers import Statistics
from nbinfer.diagnostics.rhat import rhat
from nbinfer.errors import ModelError
from nbinfer.model import Model

#: Chains disagree about elements, and agree about the sorted ones, if R-hat is above and below this.
_APART, _TOGETHER = 1.1, 1.05
#: Vectors of more elements are no components; draws that are looked at.
_ELEMENTS, _LOOKED_AT = 20, 8
_NAMED = 3

Draws = Mapping[str, NDArray[Any]]


def switched(draws: Draws) -> str:
    """Tell of a vector whose elements mean the same in all chains only once they are sorted; '' if there is none."""
    for name, values in draws.items():
        if (
            values.ndim != 3
            or not 2 <= values.shape[2] <= _ELEMENTS
            or len(values) < 2
            or not np.isfinite(values).all()
        ):
            continue
        if np.ptp(values.sum(axis=2)) < 1e-9 * np.ptp(values):  # a simplex
            continue
        if np.max(rhat(values)) > _APART and np.max(rhat(np.sort(values, axis=2))) < _TOGETHER:
            kind = "positive_ordered" if (values > 0.0).all() else "ordered"
            return (
                f"The chains agree as soon as the elements of {name} are sorted: they have exchanged their labels. "
                f"Declare {name!r} as nb.{kind}({values.shape[2]}); what belongs to the elements follows."
            )
    return ""


def lost(draws: Draws, limit: float) -> str:
    """Tell of parameters that have gone beyond a limit, further than posteriors do; '' if none has."""
    with np.errstate(all="ignore"):
        far = {
            name: float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))
            for name, values in draws.items()
        }
    gone = [f"{name} ({most:.2g})" for name, most in far.items() if most > limit]
    if not gone:
        return ""
    return (
        f"Draws go as far as {_listed(gone)}: the density has no end there. See whether a prior is missing, and "
        "whether the sign of the log density is right."
    )


def flat(model: Model, posterior: Draws, stats: Statistics) -> str:
    """Tell of coordinates on which the density does not depend; '' if there are none, or nobody can tell."""
    places = np.argwhere(stats.kept.mask)
    if not len(places) or not set(model.parameters) <= set(posterior):
        return ""
    bound, layout = model.bind(), model.layout
    is_flat = np.ones(model.dim, bool)
    for chain, draw in places[np.linspace(0, len(places) - 1, _LOOKED_AT).astype(int)].tolist():
        point = {name: posterior[name][chain][draw] for name in model.parameters}
        try:
            q, discrete = model.unconstrain(point), layout.discrete_values(point)[: bound.n_discrete]
        except ModelError:  # draws of another model
            return ""
        is_flat &= bound.value_and_grad(q, discrete)[1] == 0.0
    names = [layout.coordinate_name(int(i)) for i in np.flatnonzero(is_flat)]
    if not names:
        return ""
    return (
        f"The density does not depend on {_listed(names)} on the scale that is sampled, so that nothing keeps chains "
        "together: give a prior, or leave it out of the model. See, too, whether what is returned is the logarithm of "
        "the density."
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")

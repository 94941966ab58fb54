"""What a few runs of a model's functions in plain Python show, beyond shapes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.compile import JIT
from nbinfer.errors import ModelError
from nbinfer.model.evaluate import call, describe_derived, is_numerical, trial_points

if TYPE_CHECKING:
    from nbinfer.model.definition import CompiledDefinition
    from nbinfer.model.named import NamedDefinition

#: How far from the first point derived quantities are looked at where nothing infers their types.
_SHIFTS = (0.25, -0.25, 1.0, -1.0, 4.0, -4.0)


def look_where_finite(definition: CompiledDefinition) -> None:
    """Run the density where it is finite: what stands behind a guard has then been run with these data, too."""
    for q in trial_points(definition.dim)[1:]:
        try:
            if np.isfinite(definition.density_of(definition.constrain(q))):
                return
        except Exception as error:
            if not is_numerical(error):
                raise


def describe(
    definition: NamedDefinition, name: str, values: Mapping[str, Any], q: np.ndarray
) -> tuple[tuple[int, ...], str]:
    """Return shape and dtype of a derived quantity; without the JIT, whose types say it, a few points must do."""
    label = f"derived {name!r}"
    shape, kind = describe_derived(call(definition.derived[name], *definition.arguments(values)), label)
    for shift in _SHIFTS if kind != "float64" and not JIT else ():
        with contextlib.suppress(ArithmeticError):
            other = definition.arguments(definition.constrain(q + shift))
            if describe_derived(call(definition.derived[name], *other), label)[1] != kind:
                return shape, "float64"
    return shape, kind


def check_sum(definition: NamedDefinition, q: np.ndarray) -> None:
    """Require that ``logp_grad`` returns the sum of the other functions, up to a constant."""
    gaps, size = [], 1.0
    for shift in (0.0, 0.25):
        values = definition.constrain(q + shift)
        terms = float(sum(np.sum(value) for _, value in definition.pieces(values)))
        written = float(definition.call_written(values))
        gaps.append(written - terms)
        size = max(size, abs(written), abs(terms))
    if abs(gaps[1] - gaps[0]) > 1e-6 * size:
        others = "logp" if definition.logp_function is not None else "prior + likelihood"
        raise ModelError(
            f"logp_grad must return the same density as {others}, but the two differ by {gaps[0]:.6g} at the "
            f"initial point and by {gaps[1]:.6g} near by; make them agree, or pass logp_grad alone"
        )

"""Gradients of a model's log density by entries of its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.autodiff.entries import named_entries
from nbinfer.autodiff.gradient import ValueAndGradByEntries

if TYPE_CHECKING:
    from nbinfer.model.model import Model


class GradientByEntries:
    """The gradient of a model's log density by entries of its data, at constrained values.

    Parameters
    ----------
    model : Model
    wrt : str or sequence of str
        Names of entries.
    """

    def __init__(self, model: Model, wrt: str | Sequence[str]) -> None:
        self._model, self.wrt, self._names = model, wrt, named_entries(wrt)
        model.definition.check_differentiable("wrt", self._names)
        self._parts = {
            name: ValueAndGradByEntries(f, self._names, sums=True) for name, f in model.definition.weighed.items()
        }

    def __call__(self, point: Mapping[str, Any]) -> Any:
        """Return the gradient at constrained values of all parameters."""
        definition = self._model.definition
        definition.check_differentiable("wrt", self._names)
        definition.needs_all_data()
        args = definition.arguments(definition.layout.check(point, definition.data_tuple, partial=False))
        total: dict[str, Any] = {name: np.zeros(definition.data[name].array.shape) for name in self._names}
        for weight, part in zip(definition.weights(), self._parts.values(), strict=True):
            for name, gradient in part(*args)[1].items():
                total[name] = total[name] + weight * gradient
        found = {n: float(g) if definition.data[n].scalar else g for n, g in total.items()}
        return found[self.wrt] if isinstance(self.wrt, str) else found

    def __repr__(self) -> str:
        return f"grad({self._model.title}, wrt={self.wrt!r})"

"""What is to be said of a model's gradient before a run that uses it."""

from __future__ import annotations

from typing import Any

from nbinfer.autodiff.errors import DerivativeWarning
from nbinfer.errors import NbinferWarning, PerformanceWarning


def gradient_warnings(bound: Any) -> list[tuple[str, type[Warning]]]:
    """Return what is slow about a gradient, or unused, and which derivatives vanish silently; with categories.

    Parameters
    ----------
    bound : Bound
    """
    found: list[tuple[str, type[Warning]]] = []
    if bound.gradient_warning:
        found.append((bound.gradient_warning, PerformanceWarning))
    if bound.unused_gradient:
        found.append((bound.unused_gradient, NbinferWarning))
    return found + [(message, DerivativeWarning) for message in bound.derivative_warnings]

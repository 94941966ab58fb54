"""What is to be said of a model's gradient before a run that uses it."""

from __future__ import annotations

from typing import Any

from nbinfer.autodiff.errors import DerivativeWarning
from nbinfer.errors import PerformanceWarning


def gradient_warnings(bound: Any) -> list[tuple[str, type[Warning]]]:
    """Return what is slow about a gradient, and which derivatives vanish silently; each with its category.

    Parameters
    ----------
    bound : Bound
    """
    found: list[tuple[str, type[Warning]]] = []
    if bound.gradient_warning:
        found.append((bound.gradient_warning, PerformanceWarning))
    return found + [(message, DerivativeWarning) for message in bound.derivative_warnings]

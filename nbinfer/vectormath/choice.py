"""Choices without a jump: both sides are computed, so that loops around them vectorise."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.compile import elementwise


def _select(condition: Any, x: Any, y: Any) -> Any:
    return np.where(condition, x, y)[()]


def _where_valid(valid: Any, logp: Any) -> Any:
    return np.where(np.logical_and(valid, logp == logp), logp, -np.inf)[()]


@elementwise(_select)
def select(condition: bool, x: float, y: float) -> float:
    """Return x where the condition holds and y elsewhere; the other one has derivative 0, even if that is NaN."""
    return x if condition else y


@elementwise(_where_valid)
def where_valid(valid: bool, logp: float) -> float:
    """Return a log density where it is valid and not NaN, and ``-inf`` with derivative 0 elsewhere."""
    return logp if valid and logp == logp else -np.inf

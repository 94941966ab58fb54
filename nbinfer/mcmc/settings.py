"""Checks of settings: each names the setting, what is wanted and what came."""

from __future__ import annotations

from typing import Any

import numpy as np


def between(name: str, value: Any, low: float, high: float) -> None:
    """Require a number in an open interval."""
    if not is_number(value) or not low < value < high:
        raise ValueError(f"{name} must lie between {low:g} and {high:g}, got {value!r}.")


def positive(name: str, value: Any, finite: bool = True) -> None:
    """Require a positive number."""
    if not is_number(value) or not value > 0 or (finite and value == np.inf):
        raise ValueError(f"{name} must be positive{' and finite' if finite else ''}, got {value!r}.")


def count(name: str, value: Any, least: int, most: int) -> None:
    """Require an int within limits."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{name} must be an int from {least} to {most}, got {value!r}.")


def choice(name: str, value: Any, choices: Any) -> None:
    """Require one of several words."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"unknown {name} {value!r}; choose {', '.join(map(repr, choices))}.")


def is_number(value: Any) -> bool:
    """Tell whether a setting is a number."""
    return isinstance(value, int | float | np.number)

"""Checks of settings: each names the setting, what is wanted and what came."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def between(name: str, value: Any, low: float, high: float) -> None:
    """Require a number in an open interval."""
    if not is_number(value) or not low < value < high:
        raise ValueError(f"{name} must lie between {low:g} and {high:g}, got {value!r}.")


def positive(name: str, value: Any, finite: bool = True) -> None:
    """Require a positive number."""
    if not is_number(value) or not value > 0 or (finite and value == np.inf):
        raise ValueError(f"{name} must be positive{' and finite' if finite else ''}, got {value!r}.")


def numbers(name: str, value: Any) -> NDArray[np.float64]:
    """Return numbers, of any shape, as float64."""
    try:
        return np.array(value, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be numbers, got {value!r}.") from None


def count(name: str, value: Any, least: int, most: int) -> None:
    """Require an int within limits."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{name} must be an int from {least} to {most}, got {value!r}.")


def choice(name: str, value: Any, choices: Any) -> None:
    """Require one of several words."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"unknown {name} {value!r}; choose {', '.join(map(repr, choices))}.")


def is_number(value: Any) -> bool:
    """Tell whether a setting is a number and no bool."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def check_tune(label: str, tune: Any) -> None:
    """Require a flag, and not the number of tuning draws."""
    if not isinstance(tune, bool | np.bool_):
        hint = " The number of tuning draws is an argument of sample." if isinstance(tune, int) else ""
        raise TypeError(f"tune of {label} must be True or False, got {tune!r}.{hint}")


def check_interval(tune_interval: Any) -> None:
    """Require a positive number of transitions."""
    if not isinstance(tune_interval, int | np.integer) or isinstance(tune_interval, bool) or tune_interval < 1:
        raise ValueError(f"tune_interval must be a positive int, got {tune_interval!r}.")

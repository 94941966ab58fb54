"""Checks of settings: each names the setting, what is wanted and what came."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_tune(label: str, tune: Any) -> None:
    """Require a flag, and not the number of tuning draws."""
    if not isinstance(tune, bool | np.bool_):
        hint = " The number of tuning draws is an argument of sample." if isinstance(tune, int) else ""
        raise TypeError(f"tune of {label} must be True or False, got {tune!r}.{hint}")


def check_interval(tune_interval: Any) -> None:
    """Require a positive number of transitions."""
    if not isinstance(tune_interval, int | np.integer) or isinstance(tune_interval, bool) or tune_interval < 1:
        raise ValueError(f"tune_interval must be a positive int, got {tune_interval!r}.")

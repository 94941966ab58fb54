"""What a trace says of its run beside draws: its attributes."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np

from nbinfer._version import __version__
from nbinfer.engine.step import StepMethod
from nbinfer.mcmc.length import Goal


def settings(methods: Sequence[StepMethod], *names: str) -> dict[str, Any]:
    """Return settings of the steps that have them: one value if they agree, else one for each of those steps."""
    found: dict[str, Any] = {}
    for name in names:
        values = [_in_use(method, name) for method in methods if hasattr(method, name)]
        if not all(value != value for value in values):
            found[name] = values[0] if len(set(values)) == 1 else values
    return found


def _in_use(method: StepMethod, name: str) -> Any:
    """Return a setting; NaN for the target of a step size that is not adapted, or to another mean of acceptances."""
    adapted = getattr(method, "adapt_step_size", True) and not getattr(method, "harmonic", False)
    return np.nan if name == "target_accept" and not adapted else getattr(method, name)


def of_kind(numbers: Sequence[int], superchains: int, goal: Goal | None) -> dict[str, Any]:
    """Return what some runs have: the numbers of the first chains of superchains, and what ends the run."""
    first = {"superchains": list(numbers[:: len(numbers) // superchains])} if superchains > 1 else {}
    return first | ({} if goal is None else {"target_ess": goal.ess})


def attributes(
    seeds: Sequence[Any],
    seconds: float,
    methods: Sequence[StepMethod],
    tune: int | str,
    gradients: np.ndarray,
) -> dict[str, Any]:
    """Return what every run has."""
    one = all(seed == seeds[0] for seed in seeds)
    return {
        "inference_library": "nbinfer",
        "inference_library_version": __version__,
        "creation_library": "nbinfer",
        "created_at": datetime.datetime.now(datetime.UTC).isoformat(),
        "sample_dims": ["chain", "draw"],
        "sampling_time": seconds,
        "seed": seeds[0] if one else list(seeds),
        "gradients": [int(g) for g in gradients],  # evaluations per chain, warm-up and searches included
        "tune": tune,
        "steps": [method.name for method in methods],
        "usual_tune": max((method.usual_tune for method in methods), default=0),
    } | settings(methods, "target_accept", "max_treedepth", "path_length", "integrator", "largest_step_size")

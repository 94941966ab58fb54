"""Groups by their kinds, for runs that compute them at their end."""

from __future__ import annotations

from typing import Any

from nbinfer.model import Model
from nbinfer.predictive.densities import (
    check_log_likelihood,
    check_log_prior,
    compute_log_likelihood,
    compute_log_prior,
)
from nbinfer.predictive.draws import named
from nbinfer.predictive.functions import wanted
from nbinfer.predictive.posterior import sample_posterior_predictive
from nbinfer.trace import Trace
from nbinfer.trace.groups import TraceGroup


def check(kind: str, model: Model) -> None:
    """Raise ModelError if a group of some kind cannot be computed of draws of a model."""
    if kind == "posterior_predictive":
        wanted(named(model), None)
    else:
        {"log_likelihood": check_log_likelihood, "log_prior": check_log_prior}[kind](model)


def compute(kind: str, trace: Trace, model: Model, random_seed: Any, **options: Any) -> TraceGroup:
    """Compute a group of some kind at the draws of a trace."""
    if kind == "posterior_predictive":
        return sample_posterior_predictive(trace, model, random_seed=random_seed, **options)
    return {"log_likelihood": compute_log_likelihood, "log_prior": compute_log_prior}[kind](trace, model, **options)

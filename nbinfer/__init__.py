"""Bayesian inference in plain Python and NumPy, compiled by Numba.

A model is a log density written as an ordinary function; `sample` draws from it with NUTS on all cores.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nbinfer._version import __version__
from nbinfer.datasets import get_data
from nbinfer.diagnostics import summary
from nbinfer.mcmc import (
    NUTS,
    BinaryGibbsMetropolis,
    BinaryMetropolis,
    CategoricalGibbsMetropolis,
    CompoundStep,
    DEMetropolis,
    DEMetropolisZ,
    EllipticalSlice,
    GibbsStep,
    HamiltonianMC,
    Metropolis,
    Slice,
    StretchMove,
    find_hessian,
    find_map,
    guess_scaling,
    init_nuts,
    iter_sample,
    quad_potential,
    sample,
)
from nbinfer.model import Model
from nbinfer.model.support.supports import (
    binary,
    categorical,
    cholesky_corr,
    covariance,
    integer,
    interval,
    lower,
    ordered,
    positive,
    positive_ordered,
    real,
    simplex,
    unit,
    unit_vector,
    upper,
)
from nbinfer.streaming import GeneratorAdapter, Minibatch, align_minibatches, generator
from nbinfer.trace import MultiTrace, Trace, merge_traces, trace_cov

if TYPE_CHECKING:
    from nbinfer.autodiff import check_grad, custom_vjp, grad, value_and_grad
    from nbinfer.variational import (
        ADVI,
        DADVI,
        KL,
        NFVI,
        RAABBVI,
        Approximation,
        BaM,
        CheckParametersConvergence,
        Empirical,
        FullRank,
        FullRankADVI,
        Group,
        Inference,
        KLqp,
        LowRank,
        LowRankADVI,
        MeanField,
        NormalizingFlow,
        ObjectiveFunction,
        Operator,
        Pathfinder,
        SampleAverageKL,
        ScoreDivergence,
        TestFunction,
        Tracker,
        adadelta,
        adagrad,
        adagrad_window,
        adam,
        adamax,
        apply_momentum,
        apply_nesterov_momentum,
        callbacks,
        fit,
        momentum,
        nesterov_momentum,
        norm_constraint,
        optimizers,
        rmsprop,
        sample_approx,
        sgd,
        shared,
        total_norm_constraint,
    )

__all__ = [
    "ADVI",
    "DADVI",
    "KL",
    "NFVI",
    "NUTS",
    "RAABBVI",
    "Approximation",
    "BaM",
    "BinaryGibbsMetropolis",
    "BinaryMetropolis",
    "CategoricalGibbsMetropolis",
    "CheckParametersConvergence",
    "CompoundStep",
    "DEMetropolis",
    "DEMetropolisZ",
    "EllipticalSlice",
    "Empirical",
    "FullRank",
    "FullRankADVI",
    "GeneratorAdapter",
    "GibbsStep",
    "Group",
    "HamiltonianMC",
    "Inference",
    "KLqp",
    "LowRank",
    "LowRankADVI",
    "MeanField",
    "Metropolis",
    "Minibatch",
    "Model",
    "MultiTrace",
    "NormalizingFlow",
    "ObjectiveFunction",
    "Operator",
    "Pathfinder",
    "SampleAverageKL",
    "ScoreDivergence",
    "Slice",
    "StretchMove",
    "TestFunction",
    "Trace",
    "Tracker",
    "__version__",
    "adadelta",
    "adagrad",
    "adagrad_window",
    "adam",
    "adamax",
    "align_minibatches",
    "apply_momentum",
    "apply_nesterov_momentum",
    "binary",
    "callbacks",
    "categorical",
    "check_grad",
    "cholesky_corr",
    "covariance",
    "custom_vjp",
    "find_hessian",
    "find_map",
    "fit",
    "generator",
    "get_data",
    "grad",
    "guess_scaling",
    "init_nuts",
    "integer",
    "interval",
    "iter_sample",
    "lower",
    "merge_traces",
    "momentum",
    "nesterov_momentum",
    "norm_constraint",
    "optimizers",
    "ordered",
    "positive",
    "positive_ordered",
    "quad_potential",
    "real",
    "rmsprop",
    "sample",
    "sample_approx",
    "sgd",
    "shared",
    "simplex",
    "summary",
    "total_norm_constraint",
    "trace_cov",
    "unit",
    "unit_vector",
    "upper",
    "value_and_grad",
]

_DERIVATIVES = ("check_grad", "custom_vjp", "grad", "value_and_grad")


def __getattr__(name: str) -> Any:
    """Import what else there is when asked for it: who samples fits nothing, and derives nothing anew."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = "autodiff" if name in _DERIVATIVES else "variational"
    return getattr(importlib.import_module(f"nbinfer.{room}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

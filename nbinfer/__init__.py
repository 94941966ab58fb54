"""Bayesian inference in plain Python and NumPy, compiled by Numba.

A model is a log density written as an ordinary function; `sample` draws from it with NUTS on all cores.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nbinfer._version import __version__
from nbinfer.datasets import get_data
from nbinfer.diagnostics import divergences, summary
from nbinfer.engine.backends import add_backend as _add_backend
from nbinfer.mcmc import (
    MAMS,
    NUTS,
    BinaryGibbsMetropolis,
    BinaryMetropolis,
    CategoricalGibbsMetropolis,
    ChEES,
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
    resume,
    sample,
)
from nbinfer.mcmc.groups import COMPUTING as _COMPUTING
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
from nbinfer.spelling import DONE_BY as _DONE_BY
from nbinfer.spelling import meant as _meant
from nbinfer.spelling import nearest as _nearest
from nbinfer.streaming import GeneratorAdapter, Minibatch, align_minibatches, generator
from nbinfer.trace import HDF5, MultiTrace, SQLite, Text, Trace, TraceGroup, from_arviz, load, merge_traces, trace_cov
from nbinfer.trace.passing import COMPUTED as _COMPUTED

if TYPE_CHECKING:
    from nbinfer import plots
    from nbinfer.autodiff import check_grad, custom_vjp, grad, value_and_grad
    from nbinfer.checks import check_model, sbc
    from nbinfer.plots import traceplot
    from nbinfer.predictive import (
        compare,
        compute_log_likelihood,
        compute_log_prior,
        loo,
        sample_posterior_predictive,
        sample_ppc,
        sample_ppc_w,
        sample_prior_predictive,
        simulate,
        waic,
    )
    from nbinfer.variational import (
        ADVI,
        ASVGD,
        DADVI,
        IMQ,
        KL,
        KSD,
        NFVI,
        RAABBVI,
        RBF,
        SVGD,
        Approximation,
        BaM,
        CheckParametersConvergence,
        CyclicAnnealing,
        Empirical,
        FullRank,
        FullRankADVI,
        Group,
        ImplicitGradient,
        Inference,
        KLqp,
        KSDObjective,
        LowRank,
        LowRankADVI,
        MeanField,
        NormalizingFlow,
        ObjectiveFunction,
        Operator,
        ParticleHistory,
        Pathfinder,
        SampleAverageKL,
        ScoreDivergence,
        Stein,
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
        ksd,
        ksd_test,
        momentum,
        nesterov_momentum,
        norm_constraint,
        optimizers,
        rmsprop,
        sample_approx,
        sgd,
        shared,
        stein_thinning,
        total_norm_constraint,
    )

__all__ = [
    "ADVI",
    "ASVGD",
    "DADVI",
    "HDF5",
    "IMQ",
    "KL",
    "KSD",
    "MAMS",
    "NFVI",
    "NUTS",
    "RAABBVI",
    "RBF",
    "SVGD",
    "Approximation",
    "BaM",
    "BinaryGibbsMetropolis",
    "BinaryMetropolis",
    "CategoricalGibbsMetropolis",
    "ChEES",
    "CheckParametersConvergence",
    "CompoundStep",
    "CyclicAnnealing",
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
    "ImplicitGradient",
    "Inference",
    "KLqp",
    "KSDObjective",
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
    "ParticleHistory",
    "Pathfinder",
    "SQLite",
    "SampleAverageKL",
    "ScoreDivergence",
    "Slice",
    "Stein",
    "StretchMove",
    "TestFunction",
    "Text",
    "Trace",
    "TraceGroup",
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
    "check_model",
    "cholesky_corr",
    "compare",
    "compute_log_likelihood",
    "compute_log_prior",
    "covariance",
    "custom_vjp",
    "divergences",
    "find_hessian",
    "find_map",
    "fit",
    "from_arviz",
    "generator",
    "get_data",
    "grad",
    "guess_scaling",
    "init_nuts",
    "integer",
    "interval",
    "iter_sample",
    "ksd",
    "ksd_test",
    "load",
    "loo",
    "lower",
    "merge_traces",
    "momentum",
    "nesterov_momentum",
    "norm_constraint",
    "optimizers",
    "ordered",
    "plots",
    "positive",
    "positive_ordered",
    "quad_potential",
    "real",
    "resume",
    "rmsprop",
    "sample",
    "sample_approx",
    "sample_posterior_predictive",
    "sample_ppc",
    "sample_ppc_w",
    "sample_prior_predictive",
    "sbc",
    "sgd",
    "shared",
    "simplex",
    "simulate",
    "stein_thinning",
    "summary",
    "total_norm_constraint",
    "trace_cov",
    "traceplot",
    "unit",
    "unit_vector",
    "upper",
    "value_and_grad",
    "waic",
]

#: Rooms that are imported when asked for, by what they have; all else is of `nbinfer.variational`.
_ROOMS = dict.fromkeys(("check_grad", "custom_vjp", "grad", "value_and_grad"), "autodiff")
_ROOMS |= dict.fromkeys(
    ("sample_posterior_predictive", "sample_ppc", "sample_ppc_w", "sample_prior_predictive", "simulate"),
    "predictive",
)
_ROOMS |= dict.fromkeys(("check_model", "sbc"), "checks")
_ROOMS |= dict.fromkeys(("compare", "compute_log_likelihood", "compute_log_prior", "loo", "waic"), "predictive")
_ROOMS["traceplot"] = "plots"


def _compute(*args: Any) -> None:
    """Do what `Trace.compute` promises, in a room that is imported when first asked for."""
    importlib.import_module("nbinfer.predictive.computed").compute(*args)


_COMPUTED.append(_compute)


def _check_group(*args: Any) -> None:
    importlib.import_module("nbinfer.predictive.at_once").check(*args)


def _compute_group(*args: Any, **options: Any) -> Any:
    return importlib.import_module("nbinfer.predictive.at_once").compute(*args, **options)


_COMPUTING.append((_check_group, _compute_group))

_add_backend("cuda", {"particles": "nbinfer.cuda.particles", "chains": "nbinfer.cuda.chains"})


def _hint(name: str) -> str:
    """Say where something is that is not here, or what may have been meant."""
    if name in _DONE_BY:
        return f" What does it is {_DONE_BY[name]}."
    families = importlib.import_module("nbinfer.distributions").__all__
    near = _nearest(name, families)
    if near is not None and near.replace("_", "") == name.lower().replace("_", ""):
        return f" Families are modules: from nbinfer.distributions import {near}."
    return _meant(name, __all__)


def __getattr__(name: str) -> Any:
    """Import what else there is when asked for it: who samples fits nothing, and derives nothing anew."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{_hint(name)}")
    if name == "plots":
        return importlib.import_module("nbinfer.plots")
    return getattr(importlib.import_module(f"nbinfer.{_ROOMS.get(name, 'variational')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

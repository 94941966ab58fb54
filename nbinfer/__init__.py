"""Bayesian inference in plain Python and NumPy, compiled by Numba.

A model is a log density written as an ordinary function; `sample` draws from it with NUTS on all cores.
"""

from __future__ import annotations

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
from nbinfer.trace import MultiTrace, Trace, merge_traces, trace_cov

if TYPE_CHECKING:
    from nbinfer.autodiff import check_grad, custom_vjp, grad, value_and_grad

__all__ = [
    "NUTS",
    "BinaryGibbsMetropolis",
    "BinaryMetropolis",
    "CategoricalGibbsMetropolis",
    "CompoundStep",
    "DEMetropolis",
    "DEMetropolisZ",
    "EllipticalSlice",
    "GibbsStep",
    "HamiltonianMC",
    "Metropolis",
    "Model",
    "MultiTrace",
    "Slice",
    "StretchMove",
    "Trace",
    "__version__",
    "binary",
    "categorical",
    "check_grad",
    "cholesky_corr",
    "covariance",
    "custom_vjp",
    "find_hessian",
    "find_map",
    "get_data",
    "grad",
    "guess_scaling",
    "init_nuts",
    "integer",
    "interval",
    "iter_sample",
    "lower",
    "merge_traces",
    "ordered",
    "positive",
    "positive_ordered",
    "quad_potential",
    "real",
    "sample",
    "simplex",
    "summary",
    "trace_cov",
    "unit",
    "unit_vector",
    "upper",
    "value_and_grad",
]

#: Imported when asked for: a script whose model was compiled before derives nothing.
_DERIVATIVES = ("check_grad", "custom_vjp", "grad", "value_and_grad")


def __getattr__(name: str) -> Any:
    if name in _DERIVATIVES:
        from nbinfer import autodiff

        return getattr(autodiff, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

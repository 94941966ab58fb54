"""Bayesian inference in plain Python and NumPy, compiled by Numba.

A model is a log density written as an ordinary function; `sample` draws from it with NUTS on all cores.
"""

from nbinfer._version import __version__
from nbinfer.diagnostics import summary
from nbinfer.mcmc import NUTS, sample
from nbinfer.model import Model
from nbinfer.model.supports import (
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

__all__ = [
    "NUTS",
    "Model",
    "MultiTrace",
    "Trace",
    "__version__",
    "binary",
    "categorical",
    "cholesky_corr",
    "covariance",
    "integer",
    "interval",
    "lower",
    "merge_traces",
    "ordered",
    "positive",
    "positive_ordered",
    "real",
    "sample",
    "simplex",
    "summary",
    "trace_cov",
    "unit",
    "unit_vector",
    "upper",
]

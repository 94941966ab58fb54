"""Models: parameters and their supports, data, densities as C functions."""

from nbinfer.model.default import default_model
from nbinfer.model.model import Model
from nbinfer.model.support.support import Support
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

__all__ = [
    "Model",
    "Support",
    "binary",
    "categorical",
    "cholesky_corr",
    "covariance",
    "default_model",
    "integer",
    "interval",
    "lower",
    "ordered",
    "positive",
    "positive_ordered",
    "real",
    "simplex",
    "unit",
    "unit_vector",
    "upper",
]

"""Distributions: one module each, with ``logpdf`` or ``logpmf``, ``random``, ``check`` and ``support``.

Log densities take numbers and arrays, which broadcast, and work element by element; in plain Python (by NumPy, without
importing Numba), inside functions that Numba compiles, and inside models. They are ``-inf`` outside the support, where
a parameter is invalid, and where anything is NaN; they never raise for values. ``logcdf`` and ``logsf`` are there where
they have a closed form. ``random`` takes a NumPy Generator first. ``check`` raises if a parameter is invalid.
``support`` returns the ends of the interval that carries the density.
"""

import importlib
from typing import Any

__all__ = [
    "asymmetric_laplace",
    "bernoulli",
    "beta",
    "beta_binomial",
    "binomial",
    "categorical",
    "cauchy",
    "chi_squared",
    "discrete_uniform",
    "exgaussian",
    "exponential",
    "flat",
    "gamma",
    "geometric",
    "gumbel",
    "half_cauchy",
    "half_flat",
    "half_normal",
    "half_student_t",
    "hypergeometric",
    "inverse_gamma",
    "kumaraswamy",
    "laplace",
    "logistic",
    "lognormal",
    "negative_binomial",
    "normal",
    "ordered_logistic",
    "pareto",
    "poisson",
    "rice",
    "skew_normal",
    "student_t",
    "triangular",
    "truncated_normal",
    "uniform",
    "von_mises",
    "wald",
    "weibull",
    "zero_inflated_binomial",
    "zero_inflated_negative_binomial",
    "zero_inflated_poisson",
]


def __getattr__(name: str) -> Any:
    """Import a family when it is first named: all of them would be a fifth of the time that importing nbinfer takes."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return __all__

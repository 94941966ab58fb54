"""Distributions: one module each, with ``logpdf`` or ``logpmf``, ``random``, ``check`` and ``support``.

Log densities take numbers and arrays, which broadcast, and work element by element; in plain Python (by NumPy, without
importing Numba), inside functions that Numba compiles, and inside models. They are ``-inf`` outside the support, where
a parameter is invalid, and where anything is NaN; they never raise for values. ``logcdf`` and ``logsf`` are there where
they have a closed form. ``random`` takes a NumPy Generator first. ``check`` raises if a parameter is invalid.
``support`` returns the ends of the interval that carries the density.
"""

import importlib
from typing import Any

from nbinfer.spelling import meant

__all__ = [
    "ar",
    "asymmetric_laplace",
    "bernoulli",
    "beta",
    "beta_binomial",
    "binomial",
    "car",
    "categorical",
    "cauchy",
    "censored",
    "chi_squared",
    "dirichlet",
    "dirichlet_multinomial",
    "discrete_uniform",
    "exgaussian",
    "exponential",
    "flat",
    "gamma",
    "gaussian_random_walk",
    "geometric",
    "glm",
    "gumbel",
    "half_cauchy",
    "half_flat",
    "half_normal",
    "half_student_t",
    "hypergeometric",
    "inverse_gamma",
    "kumaraswamy",
    "laplace",
    "lkj_cholesky",
    "logistic",
    "lognormal",
    "mixture",
    "multinomial",
    "mvnormal",
    "mvstudent_t",
    "negative_binomial",
    "normal",
    "ordered_logistic",
    "pareto",
    "poisson",
    "rice",
    "skew_normal",
    "student_t",
    "triangular",
    "truncated",
    "truncated_normal",
    "uniform",
    "von_mises",
    "wald",
    "weibull",
    "wishart",
    "zero_inflated_binomial",
    "zero_inflated_negative_binomial",
    "zero_inflated_poisson",
]

#: What makes families of families; the others are modules.
_COMBINATORS = ("censored", "mixture", "truncated")


def __getattr__(name: str) -> Any:
    """Import a family when it is first named: all of them take more than 20 ms."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{meant(name, __all__)}")
    if name in _COMBINATORS:
        return getattr(importlib.import_module(f"{__name__}.combinators"), name)
    return importlib.import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return __all__

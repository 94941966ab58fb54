"""What functions without a rule are called in messages, and what to write instead of them."""

from __future__ import annotations

import builtins
import sys
from typing import Any

import numpy as np

#: Families of ``scipy.stats`` that have another name among ours.
_FAMILIES = {
    "bernoulli": "bernoulli",
    "beta": "beta",
    "betabinom": "beta_binomial",
    "binom": "binomial",
    "cauchy": "cauchy",
    "chi2": "chi_squared",
    "dirichlet": "dirichlet",
    "dirichlet_multinomial": "dirichlet_multinomial",
    "expon": "exponential",
    "exponnorm": "exgaussian",
    "gamma": "gamma",
    "geom": "geometric",
    "gumbel_r": "gumbel",
    "halfcauchy": "half_cauchy",
    "halfnorm": "half_normal",
    "hypergeom": "hypergeometric",
    "invgamma": "inverse_gamma",
    "invgauss": "wald",
    "laplace": "laplace",
    "laplace_asymmetric": "asymmetric_laplace",
    "logistic": "logistic",
    "lognorm": "lognormal",
    "multinomial": "multinomial",
    "multivariate_normal": "mvnormal",
    "multivariate_t": "mvstudent_t",
    "nbinom": "negative_binomial",
    "norm": "normal",
    "pareto": "pareto",
    "poisson": "poisson",
    "randint": "discrete_uniform",
    "rice": "rice",
    "skewnorm": "skew_normal",
    "t": "student_t",
    "triang": "triangular",
    "truncnorm": "truncated_normal",
    "uniform": "uniform",
    "vonmises": "von_mises",
    "weibull_min": "weibull",
    "wishart": "wishart",
}
#: What families of ours have of what those of ``scipy.stats`` have.
_HAVE = ("logpdf", "logpmf", "logcdf", "logsf")


def instead(function: Any) -> str:
    """Return what to write for a function without a rule."""
    if function is print:
        return "remove it"
    if getattr(builtins, getattr(function, "__name__", ""), None) is function:
        return (
            "a density is made of numbers and arrays, loops and branches; what else there is to find out, find before"
        )
    family = _family_of_scipy(function)
    if family:
        return _from_families(family, getattr(function, "__name__", ""))
    module = getattr(function, "__module__", None) or ""
    package = sys.modules.get("scipy.special")
    if package is not None and getattr(package, getattr(function, "__name__", ""), None) is function:
        return "use nbinfer.vectormath or math, or mark a function of numbers with custom_vjp"
    if isinstance(getattr(function, "__self__", None), np.random.RandomState) or module.startswith("numpy.random"):
        return (
            "a density draws no random numbers; functions that draw are f(p, d, rng), by rng.normal(...) and its like"
        )
    return "write it with loops and NumPy, or mark a function of numbers with custom_vjp"


def name_of(function: Any) -> str:
    """Return what messages call a function."""
    family = _family_of_scipy(function)
    if family:
        return f"scipy.stats.{family}.{function.__name__}" if hasattr(function, "__name__") else f"scipy.stats.{family}"
    if isinstance(getattr(function, "__self__", None), np.random.RandomState):
        return f"np.random.{function.__name__}"
    module, name = getattr(function, "__module__", "") or "", str(getattr(function, "__name__", repr(function)))
    package, _, rest = module.partition(".")
    if package != "numpy":
        return name
    return f"np.{rest}.{name}" if rest in ("fft", "linalg", "random") else f"np.{name}"


def _family_of_scipy(function: Any) -> str:
    """Return the name of the family of ``scipy.stats`` that something is, or is a method of; '' for anything else."""
    owner = getattr(function, "__self__", function)
    owner = getattr(owner, "dist", owner)  # of a family whose parameters are given
    kind = type(owner)
    if not kind.__module__.startswith("scipy.stats"):
        return ""
    return kind.__name__.removesuffix("_gen").removesuffix("_frozen")


def _from_families(family: str, method: str) -> str:
    own = _FAMILIES.get(family)
    if own is None:
        return "use nbinfer.distributions, or write the formula"
    what = f"{own}.{method}" if method in _HAVE else own
    return f"use {what} of nbinfer.distributions, whose parameters have names of their own"

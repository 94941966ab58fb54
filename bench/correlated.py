"""Correlated posteriors for `bench.metric`: Gaussians, and regressions as users write them.

The Gaussians have their covariance by eigenvalues, so that it is exact however nearly singular it is. The regressions
are what people fit with predictors as they come, neither centred nor scaled and with flat or wide priors: a start is
far from the posterior, and the coefficients correlate. Two have data of ``tests/posteriors/data``, two made-up ones
from fixed seeds. No gradient is written by hand.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import nbinfer as nb
from bench.models import std_normal
from nbinfer.distributions import normal
from tests.posteriors import read

# ---- Gaussians


def _gaussian(p: Any, d: Any) -> Any:
    z = d.whiten @ p.x
    return -0.5 * np.sum(z * z)


def _of_eigen(variances: np.ndarray, directions: np.ndarray) -> nb.Model:
    """Return a centred Gaussian by the eigenvalues of its covariance and, in columns, its eigenvectors."""
    whiten = directions.T / np.sqrt(variances)[:, None]
    return nb.Model(parameters={"x": nb.real(variances.size)}, logp=_gaussian, data={"whiten": whiten})


def equicorrelated(dim: int, r: float) -> nb.Model:
    """Unit variances, every two coordinates correlated by r."""
    columns = np.eye(dim)
    columns[:, 0] = 1.0  # the direction that all share; the others are whatever is orthogonal to it
    variances = np.full(dim, 1.0 - r)
    variances[0] += dim * r
    return _of_eigen(variances, np.linalg.qr(columns)[0])


def rotated(dim: int, condition: float) -> nb.Model:
    """Variances from 1 down to 1 / condition, evenly spaced by their logarithms, along directions at random."""
    directions = np.linalg.qr(np.random.default_rng(7).standard_normal((dim, dim)))[0]
    return _of_eigen(np.geomspace(1.0, 1.0 / condition, dim), directions)


R = (0.9, 0.99, 0.999, 0.9999, 0.99999)
CONDITIONS = (1e2, 1e4, 1e6, 1e8)

GAUSSIANS: dict[str, Callable[[], nb.Model]] = {
    **{f"r = {r:g}, {dim}-d": functools.partial(equicorrelated, dim, r) for dim in (2, 10) for r in R},
    **{f"condition {c:.0e}, 50-d": functools.partial(rotated, 50, c) for c in CONDITIONS},
    **{f"N(0, I), {dim}-d": functools.partial(std_normal, dim) for dim in (10, 100, 1000)},
}


# ---- regressions


def _linear(p: Any, d: Any) -> Any:
    return np.sum(normal.logpdf(d.y, d.X @ p.beta, p.sigma))


def _linear_model(y: Any, columns: list[Any]) -> nb.Model:
    X = np.column_stack([np.ones(len(y)), *columns]).astype(float)
    return nb.Model(
        parameters={"beta": nb.real(X.shape[1]), "sigma": nb.positive()},
        logp=_linear,
        data={"y": np.array(y, float), "X": X},
    )


def earn_height() -> nb.Model:
    """What 1192 people earn, in dollars, on their height in inches. Flat priors."""
    table = read("earnings", "data.json")
    return _linear_model(table["earn"], [table["height"]])


def mesquite() -> nb.Model:
    """The weight of 46 bushes in grams on all that was measured of them. Flat priors."""
    table = read("mesquite", "data.json")
    measured = ("diam1", "diam2", "canopy_height", "total_height", "density", "group")
    return _linear_model(table["weight"], [table[name] for name in measured])


def _straight_line(p: Any, d: Any) -> Any:
    prior = normal.logpdf(p.alpha, 9.3, 100.0) + normal.logpdf(p.beta, 0.0, 1.0 / 30.0)
    return prior + np.sum(normal.logpdf(d.y, p.alpha + p.beta * d.x, p.sigma))


def straight_line() -> nb.Model:
    """A line through 62 temperatures over the years 1952 to 2013: intercept and slope correlate by -0.99999.

    Priors are those that posteriordb's kilpisjarvi has: about the mean and as wide as here, flat for sigma.
    """
    x = np.arange(1952.0, 2014.0)
    y = 9.3 + 0.02 * (x - x.mean()) + np.random.default_rng(8).standard_normal(x.size)
    return nb.Model(
        parameters={"alpha": nb.real(), "beta": nb.real(), "sigma": nb.positive()},
        logp=_straight_line,
        data={"x": x, "y": y},
    )


def _growth_curves(p: Any, d: Any) -> Any:
    prior = normal.logpdf(p.mean_alpha, 0.0, 100.0) + normal.logpdf(p.mean_beta, 0.0, 100.0)
    own = normal.logpdf(p.alpha, p.mean_alpha, p.sd_alpha) + normal.logpdf(p.beta, p.mean_beta, p.sd_beta)
    weight = p.alpha[d.individual] + p.beta[d.individual] * d.age
    return prior + np.sum(own) + np.sum(normal.logpdf(d.y, weight, p.sigma))


def growth_curves(individuals: int = 30) -> nb.Model:
    """Weights at the age of 8, 15, 22, 29 and 36 days, each individual with its own line. 65 coordinates."""
    rng = np.random.default_rng(9)
    ages = np.array([8.0, 15.0, 22.0, 29.0, 36.0])
    alpha, beta = rng.normal(105.0, 11.0, individuals), rng.normal(6.0, 0.5, individuals)
    individual, age = np.repeat(np.arange(individuals), ages.size), np.tile(ages, individuals)
    return nb.Model(
        parameters={
            "alpha": nb.real(individuals),
            "beta": nb.real(individuals),
            "mean_alpha": nb.real(),
            "mean_beta": nb.real(),
            "sd_alpha": nb.positive(),
            "sd_beta": nb.positive(),
            "sigma": nb.positive(),
        },
        logp=_growth_curves,
        data={"individual": individual, "age": age, "y": rng.normal(alpha[individual] + beta[individual] * age, 6.0)},
    )


REGRESSIONS: dict[str, Callable[[], nb.Model]] = {
    f.__name__: f for f in (earn_height, mesquite, straight_line, growth_curves)
}

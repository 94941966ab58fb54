"""Counts whose log rate is a Gaussian process, written as the Cholesky factor of its covariance times noise."""

import math

import numpy as np

import nbinfer as nb
from nbinfer.distributions import half_normal, normal
from tests.posteriors import read

__all__ = ["model"]

#: Added to the diagonal of a covariance that is nearly singular.
JITTER = 1e-10


def process(p, d):
    distance = (d.x[:, None] - d.x[None, :]) / p.rho
    covariance = p.alpha**2 * np.exp(-0.5 * distance**2) + JITTER * np.eye(d.x.size)
    return np.linalg.cholesky(covariance) @ p.f_tilde


def prior(p, d):
    gamma = 25 * math.log(4.0) - math.lgamma(25.0) + 24 * math.log(p.rho) - 4.0 * p.rho
    return gamma + half_normal.logpdf(p.alpha, 2.0) + np.sum(normal.logpdf(p.f_tilde, 0.0, 1.0))


def likelihood(p, d):
    f = process(p, d)
    return d.k * f - np.exp(f) - d.log_factorial


def from_reported(values):
    """Return the parameters of a draw of (rho, alpha, f), and the logarithm of |d f_tilde / d f|.

    The reference draws are rounded to single precision. The covariance magnifies that to 1e-4 in the log density.
    """
    f = values["f"]
    distance = (model.data["x"][:, None] - model.data["x"]) / values["rho"]
    factor = np.linalg.cholesky(values["alpha"] ** 2 * np.exp(-0.5 * distance**2) + JITTER * np.eye(f.size))
    f_tilde = np.linalg.solve(factor, f)
    return {"rho": values["rho"], "alpha": values["alpha"], "f_tilde": f_tilde}, -np.log(np.diag(factor)).sum()


table = read("gp_pois_regr", "data.json")

model = nb.Model(
    parameters={"rho": nb.positive(), "alpha": nb.positive(), "f_tilde": nb.real(table["N"])},
    prior=prior,
    likelihood=likelihood,
    data={
        "x": np.array(table["x"], float),
        "k": np.array(table["k"]),
        "log_factorial": np.array([math.lgamma(k + 1.0) for k in table["k"]]),
    },
    derived={"f": process},
)

"""Eight schools in two parameterisations. The non-centred one is the demonstration of the package."""

import numpy as np

import nbinfer as nb
from nbinfer.datasets.eight_schools import model as noncentered
from nbinfer.distributions import half_cauchy, normal
from tests.posteriors import read

__all__ = ["centered", "noncentered"]


def prior(p, d):
    return normal.logpdf(p.mu, 0.0, 5.0) + half_cauchy.logpdf(p.tau, 5.0) + np.sum(normal.logpdf(p.theta, p.mu, p.tau))


def likelihood(p, d):
    return normal.logpdf(d.y, p.theta, d.sigma)


data = read("eight_schools", "data.json")

centered = nb.Model(
    parameters={"theta": nb.real(8), "mu": nb.real(), "tau": nb.positive()},
    prior=prior,
    likelihood=likelihood,
    data={"y": np.array(data["y"], float), "sigma": np.array(data["sigma"], float)},
)

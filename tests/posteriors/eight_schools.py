"""Eight schools in two parameterisations. The non-centred one is the demonstration of the package."""

import math

import numpy as np

import nbinfer as nb
from nbinfer.datasets.eight_schools import model as noncentered
from nbinfer.distributions import half_cauchy, normal
from tests.posteriors import read

__all__ = ["centered", "noncentered"]

LOG_2PI = math.log(2 * math.pi)


def prior(p, d):
    return normal.logpdf(p.mu, 0.0, 5.0) + half_cauchy.logpdf(p.tau, 5.0) + np.sum(normal.logpdf(p.theta, p.mu, p.tau))


def likelihood(p, d):
    return normal.logpdf(d.y, p.theta, d.sigma)


def logp_grad(p, d, grad):
    logp = -0.5 * (p.mu / 5.0) ** 2 - math.log(5.0) - 0.5 * LOG_2PI
    logp += math.log(2.0 / (5.0 * math.pi)) - math.log1p((p.tau / 5.0) ** 2)
    grad.mu[()] -= p.mu / 25.0
    grad.tau[()] -= 2.0 * p.tau / (25.0 + p.tau**2)
    for j in range(d.y.size):
        z = (p.theta[j] - p.mu) / p.tau
        e = (d.y[j] - p.theta[j]) / d.sigma[j]
        logp -= 0.5 * (z**2 + e**2) + math.log(p.tau) + math.log(d.sigma[j]) + LOG_2PI
        grad.theta[j] += e / d.sigma[j] - z / p.tau
        grad.mu[()] += z / p.tau
        grad.tau[()] += (z**2 - 1.0) / p.tau
    return logp


data = read("eight_schools", "data.json")

centered = nb.Model(
    parameters={"theta": nb.real(8), "mu": nb.real(), "tau": nb.positive()},
    prior=prior,
    likelihood=likelihood,
    logp_grad=logp_grad,
    data={"y": np.array(data["y"], float), "sigma": np.array(data["sigma"], float)},
)

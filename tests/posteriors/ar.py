"""An autoregression of order five on a series of 200."""

import math

import numpy as np

import nbinfer as nb
from nbinfer.distributions import half_cauchy, normal
from tests.posteriors import read

__all__ = ["model"]

LOG_2PI = math.log(2 * math.pi)


def prior(p, d):
    return (
        normal.logpdf(p.alpha, 0.0, 10.0) + np.sum(normal.logpdf(p.beta, 0.0, 10.0)) + half_cauchy.logpdf(p.sigma, 2.5)
    )


def likelihood(p, d):
    order, length = p.beta.size, d.y.size
    mean = np.full(length - order, p.alpha)
    for k in range(order):
        mean += p.beta[k] * d.y[order - 1 - k : length - 1 - k]
    return normal.logpdf(d.y[order:], mean, p.sigma)


def model_grad(p, d, grad):
    order = p.beta.size
    logp = -0.5 * (p.alpha / 10.0) ** 2 - math.log(10.0) - 0.5 * LOG_2PI
    grad.alpha[()] -= p.alpha / 100.0
    for k in range(order):
        logp -= 0.5 * (p.beta[k] / 10.0) ** 2 + math.log(10.0) + 0.5 * LOG_2PI
        grad.beta[k] -= p.beta[k] / 100.0
    logp += math.log(2.0 / (2.5 * math.pi)) - math.log1p((p.sigma / 2.5) ** 2)
    grad.sigma[()] -= 2.0 * p.sigma / (2.5**2 + p.sigma**2)
    log_sigma = math.log(p.sigma)
    for t in range(order, d.y.size):
        mean = p.alpha
        for k in range(order):
            mean += p.beta[k] * d.y[t - 1 - k]
        z = (d.y[t] - mean) / p.sigma
        logp -= 0.5 * z**2 + log_sigma + 0.5 * LOG_2PI
        pull = z / p.sigma
        grad.alpha[()] += pull
        for k in range(order):
            grad.beta[k] += pull * d.y[t - 1 - k]
        grad.sigma[()] += (z**2 - 1.0) / p.sigma
    return logp


model = nb.Model(
    parameters={"alpha": nb.real(), "beta": nb.real(5), "sigma": nb.positive()},
    prior=prior,
    likelihood=likelihood,
    data={"y": np.array(read("arK", "data.json")["y"])},
)

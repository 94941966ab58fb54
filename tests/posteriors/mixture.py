"""A mixture of two normal distributions, told apart by the order of their means."""

import math

import numpy as np

import nbinfer as nb
from nbinfer.distributions import half_normal, normal
from tests.posteriors import read

__all__ = ["model"]

LOG_BETA_5_5 = 2 * math.lgamma(5.0) - math.lgamma(10.0)


def prior(p, d):
    weight = 4.0 * (np.log(p.theta) + np.log1p(-p.theta)) - LOG_BETA_5_5
    return weight + np.sum(normal.logpdf(p.mu, 0.0, 2.0)) + np.sum(half_normal.logpdf(p.sigma, 2.0))


def likelihood(p, d):
    return np.logaddexp(
        np.log(p.theta) + normal.logpdf(d.y, p.mu[0], p.sigma[0]),
        np.log1p(-p.theta) + normal.logpdf(d.y, p.mu[1], p.sigma[1]),
    )


model = nb.Model(
    parameters={"mu": nb.ordered(2), "sigma": nb.positive(2), "theta": nb.unit()},
    prior=prior,
    likelihood=likelihood,
    data={"y": np.array(read("low_dim_gauss_mix", "data.json")["y"])},
)

"""A GARCH(1, 1) series of 200: a recursion of variances, and a bound that depends on another parameter."""

import math

import numpy as np

import nbinfer as nb
from tests.posteriors import read

__all__ = ["model"]

LOG_2PI = math.log(2 * math.pi)


def what_alpha1_leaves(p, d):
    return 1.0 - p.alpha1


def logp(p, d):
    variance = d.sigma1**2
    logp = 0.0
    for t in range(d.y.size):
        if t > 0:
            variance = p.alpha0 + p.alpha1 * (d.y[t - 1] - p.mu) ** 2 + p.beta1 * variance
        logp -= 0.5 * ((d.y[t] - p.mu) ** 2 / variance + math.log(variance) + LOG_2PI)
    return logp


table = read("garch", "data.json")

model = nb.Model(
    parameters={
        "mu": nb.real(),
        "alpha0": nb.positive(),
        "alpha1": nb.unit(),
        "beta1": nb.interval(0.0, what_alpha1_leaves),
    },
    logp=logp,
    data={"y": np.array(table["y"]), "sigma1": table["sigma1"]},
)

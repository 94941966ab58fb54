"""A small model that several test files share, so that it is compiled once."""

import functools

import numpy as np

import nbinfer as nb
from nbinfer.distributions import normal

X = np.column_stack([np.linspace(-1.0, 1.0, 6), np.linspace(0.0, 1.0, 6) ** 2])
GROUP = np.array([0, 1, 2, 0, 1, 2])
Y = np.linspace(-1.0, 2.0, 6)


def logp(p, d):
    return -0.5 * np.sum((d.y - p.alpha[d.group] - d.x @ p.beta) ** 2)


def mean(p, d):
    return p.alpha[d.group] + d.x @ p.beta


def predict(p, d, rng):
    return normal.random(rng, p.alpha[d.group] + d.x @ p.beta, p.sigma)


def count(p, d, rng):
    return rng.poisson(p.sigma)


@functools.cache
def regression(name="regression", **more):
    """Two predictors, three groups; predicts data `y`, and `count`, which is no data."""
    return nb.Model(
        {"alpha": nb.real(3), "beta": nb.real(2), "sigma": nb.positive()},
        logp=logp,
        data={"x": X, "group": GROUP, "y": Y},
        derived={"mean": mean},
        predict={"y": predict, "count": count},
        name=name,
        **more,
    )


@functools.cache
def draws(chains=2, length=40, seed=0):
    """A trace of the model's parameters."""
    rng, shape = np.random.default_rng(seed), (chains, length)
    values = {"alpha": rng.normal(size=(*shape, 3)), "beta": rng.normal(size=(*shape, 2))}
    return nb.Trace({**values, "sigma": rng.exponential(size=shape) + 0.1})

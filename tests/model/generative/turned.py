"""A model whose likelihood the tests of predictions choose."""

import numba
import numpy as np

import nbinfer as nb
from nbinfer.distributions import normal
from nbinfer.model.generative.predictions import predictions_of

RNG = np.random.Generator(np.random.Philox(3))
X = RNG.normal(size=(6, 2))
DATA = {
    "y": RNG.normal(size=6),
    "k": np.arange(6) % 3,
    "rows": RNG.normal(size=(6, 2)),
    "one": 1.5,
    "X": X,
    "group": np.array([0, 1, 2, 0, 1, 2]),
    "weights": np.ones(6),
    "counts": np.array([[4, 0], [3, 1], [2, 2], [1, 3], [0, 4], [2, 2]]),
    "W": np.ones((6, 6)) - np.eye(6),
    "L": np.array([[1.0, 0.0], [0.5, 2.0]]),
}
SUPPORTS = {"b": nb.real(2), "mu": nb.real(), "sigma": nb.positive(), "a": nb.real(3), "w": nb.simplex(2)}
POINT = {"b": [0.3, -0.2], "mu": 0.5, "sigma": 1.3, "a": [-1.0, 0.0, 1.5], "w": [0.25, 0.75]}


def nothing(p, d):
    return 0.0


def model(likelihood, **more):
    return nb.Model(SUPPORTS, prior=nothing, likelihood=likelihood, data=DATA, **more)


def found(likelihood, name="y"):
    return predictions_of(model(likelihood).definition)[name]


def drawn(f, seed=7):
    return f(*model({"y": plain}).definition.arguments(points()), np.random.Generator(np.random.Philox(seed)))


def points():
    return {name: np.array(value) if np.ndim(value) else value for name, value in POINT.items()}


def plain(p, d):
    return normal.logpdf(d.y, p.mu, p.sigma)


@numba.njit
def compiled(p, d):
    return normal.logpdf(d.y, p.a[d.group], p.sigma)

"""What the tests of this room share: models with known scores, kernels, and forces by NumPy."""

import functools

import numpy as np

import nbinfer as nb
from nbinfer.variational.stein import Kernel, rbf


def normal_logp(p, d):
    return -0.5 * np.sum((p.x - d.m) ** 2) / d.v


def normal(dim=1, mean=0.0, variance=1.0):
    return nb.Model({"x": nb.real(dim)}, logp=normal_logp, data={"m": mean, "v": variance})


def mixture_logp(p, d):
    a = np.log(0.3) - np.log(0.5) - 0.5 * (p.x + 2.0) ** 2 / 0.25
    b = np.log(0.7) - 0.5 * (p.x - 1.5) ** 2
    return np.logaddexp(a, b)


@functools.cache
def mixture():
    """Return .3 N(-2, .25) + .7 N(1.5, 1)."""
    return nb.Model({"x": nb.real()}, logp=mixture_logp)


class Linear(Kernel):
    """``x y + 1``: it sees means and covariances alone, and makes them exact."""

    def __call__(self, z):
        return z @ z.T + 1.0, len(z) * z


def at(points, model, kernel=rbf, **options):
    """Return an inference whose particles begin at some points."""
    points = np.reshape(points, (len(points), -1))
    inference = nb.SVGD(len(points), model=model, kernel=kernel, **{"cores": 1, "random_seed": 1, **options})
    inference.approx.params[0].set_value(points)
    return inference


def fitted(inference, n, optimizer=None, **options):
    optimizer = optimizer or nb.sgd(learning_rate=1.0)
    return inference.fit(n, obj_optimizer=optimizer, progressbar=False, **options)


def forces(points, scores, kernel, temperature=1.0):
    """Return the forces by their definition, pair by pair."""
    values, sums = kernel(points)
    return (values @ scores / temperature + sums) / len(points)

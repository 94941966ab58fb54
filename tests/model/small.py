"""Small models that several test files share, so that each is compiled once."""

import functools
import math

import numpy as np

import nbinfer.model as nb

Y = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
SIGMA = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def prior(p, d):
    return -0.5 * (p.mu / 5.0) ** 2 - math.log1p((p.tau / 5.0) ** 2) - 0.5 * np.sum(p.eta**2)


def likelihood(p, d):
    return -0.5 * ((d.y - p.mu - p.tau * p.eta) / d.sigma) ** 2


def logp_grad(p, d, grad):
    logp = -0.5 * (p.mu / 5.0) ** 2 - math.log1p((p.tau / 5.0) ** 2)
    grad.mu[()] -= p.mu / 25.0
    grad.tau[()] -= 2.0 * p.tau / (25.0 + p.tau**2)
    for j in range(p.eta.size):
        z = (d.y[j] - p.mu - p.tau * p.eta[j]) / d.sigma[j]
        logp -= 0.5 * (p.eta[j] ** 2 + z * z)
        grad.mu[()] += z / d.sigma[j]
        grad.tau[()] += z / d.sigma[j] * p.eta[j]
        grad.eta[j] += z / d.sigma[j] * p.tau - p.eta[j]
    return logp


def theta(p, d):
    return p.mu + p.tau * p.eta


def wide(p, d):
    return p.tau > 5.0


def rank(p, d):
    return np.sum(p.eta > 0.0)


@functools.cache
def eight_schools(*left_out, **more):
    """Eight schools with a written gradient; `left_out` names arguments to do without."""
    arguments = dict(
        prior=prior,
        likelihood={"y": likelihood},
        logp_grad=logp_grad,
        derived={"theta": theta, "wide": wide, "rank": rank},
    )
    for name in left_out:
        del arguments[name]
    supports = {"mu": nb.real(), "tau": nb.positive(), "eta": nb.real(8)}
    return nb.Model(supports, data={"y": Y, "sigma": SIGMA}, **arguments, **more)


def every_kind(p, d):
    """A density that touches every kind of parameter and of data."""
    total = -(p.number**2) - np.sum(p.matrix**2) - p.one[0] ** 2 - p.scale + np.sum(np.log(p.weights))
    total -= (p.count - 2) ** 2 + np.sum(p.labels * d.offsets) + np.sum(p.bounded * d.grid)
    if d.flag:
        total -= d.factor * p.number + d.n
    for i in range(d.mask.size):
        if d.mask[i]:
            total += d.weights[i] * p.number
    for i in range(d.holes.shape[0]):
        for j in range(d.holes.shape[1]):
            if d.holes[i, j]:
                total -= p.matrix[i, j]
    return total


@functools.cache
def zoo():
    supports = {
        "number": nb.real(),
        "matrix": nb.real((3, 4)),
        "one": nb.real(1),
        "scale": nb.lower(2.0),
        "weights": nb.simplex(3),
        "bounded": nb.interval(np.zeros((2, 3)), np.ones((2, 3))),
        "count": nb.integer(1, 5),
        "labels": nb.categorical(3, shape=(2, 2)),
    }
    data = {
        "offsets": np.arange(4).reshape(2, 2),
        "grid": np.linspace(0.0, 1.0, 6).reshape(2, 3),
        "flag": True,
        "factor": 0.5,
        "n": 3,
        "mask": np.array([True, False, True]),
        "weights": np.array([1.0, 2.0, 4.0]),
        "holes": np.arange(12).reshape(3, 4) % 2 == 0,
    }
    return nb.Model(supports, logp=every_kind, data=data, derived={"product": product, "labels_again": labels_again})


def product(p, d):
    return p.matrix * d.factor


def labels_again(p, d):
    return p.labels


def low(p, d):
    return d.slope * p.base


def high(p, d):
    return p.base + np.exp(p.rise)[:, None] + d.slope + p.count


def between(p, d):
    return (
        -(p.base**2) - np.sum(p.rise**2) - np.sum(d.steep * p.inside**2) - 0.1 * p.above**2 - (p.below - p.above) ** 2
    )


def just_below(p, d):
    return p.above


def gap(p, d):
    return p.above - p.below


@functools.cache
def nested():
    """Bounds of every kind: by numbers and functions, broadcast, nested, after a discrete parameter."""
    supports = {
        "base": nb.positive(),
        "rise": nb.real(2),
        "count": nb.integer(1, 3),
        "inside": nb.interval(low, high, shape=(2, 3)),
        "above": nb.lower(low),
        "below": nb.upper(just_below),
        "part": nb.interval([0.0, -1.0], gap),
    }
    data = {"slope": 0.7, "steep": np.arange(6.0).reshape(2, 3)}
    return nb.Model(supports, logp=between, data=data, derived={"gap": gap})


def position(model, seed=0):
    return np.random.default_rng(seed).uniform(-1.0, 1.0, model.dim)

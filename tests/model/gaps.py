"""A small model with missing data, which several test files share, and its density by calculus."""

import functools

import numpy as np

import nbinfer.model as nb
from nbinfer.distributions import normal

NAN = np.nan


def y_whole(p, d):
    return d.y


def likelihood(p, d):
    return normal.logpdf(d.y, p.mu, p.s)


def log_prior(p, d):
    return normal.logpdf(p.mu, 0.0, 5.0) - p.s


Y = np.array([[1.0, NAN, 0.5], [2.5, -0.7, NAN]])


@functools.cache
def small(**more):
    return nb.Model(
        {"mu": nb.real(), "s": nb.positive()}, prior=log_prior, likelihood={"y": likelihood}, data={"y": Y},
        missing={"y": nb.real()}, derived={"whole": y_whole}, name="small", **more,
    )  # fmt: skip


def exact(q):
    """Return density and gradient of `small`, by calculus."""
    mu, log_s, *gaps = q
    s, y = np.exp(log_s), np.array([1.0, gaps[0], 0.5, 2.5, -0.7, gaps[1]])
    z = (y - mu) / s
    value = (
        -0.5 * (mu / 5.0) ** 2 - np.log(5.0) - s + log_s - 0.5 * np.sum(z**2) - 6.0 * log_s - 3.5 * np.log(2 * np.pi)
    )
    return value, np.array([-mu / 25.0 + z.sum() / s, -s + 1.0 + np.sum(z**2) - 6.0, -z[1] / s, -z[5] / s])


PLACE = np.array([0.4, -0.2, 1.7, -2.1])


def follows_calculus(model):
    value, grad = model.bind(1).value_and_grad(PLACE)
    wanted = exact(PLACE)
    return np.isclose(value, wanted[0], rtol=1e-12) and np.allclose(grad, wanted[1], rtol=1e-11)

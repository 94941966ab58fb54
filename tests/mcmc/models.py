"""Small models, and runs of them, that tests of several rooms share, so that each compiles once."""

import functools
import math

import numpy as np

import nbinfer as nb
from nbinfer.compile import JIT

#: Draws, and warm-up draws, of a run that is long enough.
DRAWS = 200 if JIT else 12

Y = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
SIGMA = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def logp_grad(p, d, grad):
    lp = -0.5 * (p.mu / 5.0) ** 2 - math.log1p((p.tau / 5.0) ** 2)
    of_mu, of_tau = -p.mu / 25.0, -2.0 * p.tau / (25.0 + p.tau**2)
    for j in range(8):
        z = (d.y[j] - p.mu - p.tau * p.eta[j]) / d.sigma[j]
        lp -= 0.5 * (p.eta[j] ** 2 + z * z)
        of_mu += z / d.sigma[j]
        of_tau += z / d.sigma[j] * p.eta[j]
        grad.eta[j] += z / d.sigma[j] * p.tau - p.eta[j]
    grad.mu[()] += of_mu
    grad.tau[()] += of_tau
    return lp


def theta(p, d):
    return p.mu + p.tau * p.eta


@functools.cache
def eight_schools():
    return nb.Model(
        parameters={"mu": nb.real(), "tau": nb.positive(), "eta": nb.real(8)},
        logp=lambda p, d: logp_value(p, d),
        logp_grad=logp_grad,
        data={"y": Y, "sigma": SIGMA},
        derived={"theta": theta},
    )


def logp_value(p, d):
    z = (d.y - p.mu - p.tau * p.eta) / d.sigma
    prior = -0.5 * (p.mu / 5.0) ** 2 - math.log1p((p.tau / 5.0) ** 2)
    return prior - 0.5 * np.sum(p.eta**2) - 0.5 * np.sum(z**2)


def slow_logp_grad(p, d, grad):
    total = 0.0
    for i in range(d.work):
        total += math.sin(i * p.x)
    grad.x[()] -= p.x
    return -0.5 * p.x**2 + 0.0 * total


@functools.cache
def slow():
    """A model whose gradient takes long enough to be interrupted."""
    return nb.Model(
        parameters={"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2, logp_grad=slow_logp_grad, data={"work": 20_000}
    )


def raising_logp_grad(p, d, grad):
    if p.x > d.limit:
        raise RuntimeError("beyond the limit")
    grad.x[()] -= p.x
    return -0.5 * p.x**2


def raising_logp(p, d):
    if p.x > d.limit:
        raise RuntimeError("beyond the limit")
    return -0.5 * p.x**2


@functools.cache
def raising():
    return nb.Model(parameters={"x": nb.real()}, logp=raising_logp, logp_grad=raising_logp_grad, data={"limit": 2.0})


def half_line_logp(p, d):
    return -0.5 * p.x**2 if p.x > 0.0 else np.nan


def half_line_logp_grad(p, d, grad):
    grad.x[()] -= p.x
    return -0.5 * p.x * p.x if p.x > 0.0 else np.nan


@functools.cache
def half_line():
    """A model without a density on one side, so that half of all starts are bad and some trajectories diverge."""
    return nb.Model(parameters={"x": nb.real()}, logp=half_line_logp, logp_grad=half_line_logp_grad)


def run(model=None, draws=DRAWS, tune=DRAWS, **options):
    """Sample eight schools, or another model, in silence from a fixed seed."""
    return nb.sample(model or eight_schools(), draws, tune, **({"random_seed": 7, "progressbar": False} | options))

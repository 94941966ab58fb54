"""A hidden Markov model of two states, which are summed out: simplices and ordered means."""

import math

import numpy as np

import nbinfer as nb
from nbinfer.distributions import normal
from tests.posteriors import read

__all__ = ["model"]


def prior(p, d):
    return normal.logpdf(p.mu[0], 3.0, 1.0) + normal.logpdf(p.mu[1], 10.0, 1.0)


def likelihood(p, d):
    """The forward algorithm. There is no probability of the first state."""
    states = p.mu.size
    to = np.empty((states, states))
    for k in range(states):
        to[0, k] = math.log(p.theta1[k])
        to[1, k] = math.log(p.theta2[k])
    forward = np.empty(states)
    before = np.empty(states)
    for k in range(states):
        forward[k] = normal.logpdf(d.y[0], p.mu[k], 1.0)
    for t in range(1, d.y.size):
        before[:] = forward
        for k in range(states):
            forward[k] = np.logaddexp(before[0] + to[0, k], before[1] + to[1, k]) + normal.logpdf(d.y[t], p.mu[k], 1.0)
    return np.logaddexp(forward[0], forward[1])


def from_reported(values):
    """Return the parameters of a draw whose probabilities were rounded to single precision, and no Jacobian."""
    return {**values, **{name: values[name] / values[name].sum() for name in ("theta1", "theta2")}}, 0.0


model = nb.Model(
    parameters={"theta1": nb.simplex(2), "theta2": nb.simplex(2), "mu": nb.positive_ordered(2)},
    prior=prior,
    likelihood=likelihood,
    data={"y": np.array(read("hmm_example", "data.json")["y"])},
)

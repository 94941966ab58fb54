"""Eight schools, non-centred: the demonstration of ``python -m nbinfer``.

What coaching for a test was worth in each of eight schools, given estimates of different precision (D. B. Rubin,
"Estimation in parallel randomized experiments", J. Educ. Stat. 6 (1981)). The effects are written theta = mu + tau eta,
so that eta stays standard normal in the prior however small tau becomes.
"""

import math

import numpy as np

import nbinfer as nb
from nbinfer.datasets import get_data
from nbinfer.distributions import half_cauchy, normal

LOG_2PI = math.log(2 * math.pi)


def prior(p, d):  # type: ignore[no-untyped-def]
    return normal.logpdf(p.mu, 0.0, 5.0) + half_cauchy.logpdf(p.tau, 5.0) + np.sum(normal.logpdf(p.eta, 0.0, 1.0))


def likelihood(p, d):  # type: ignore[no-untyped-def]
    return normal.logpdf(d.effect, p.mu + p.tau * p.eta, d.sigma)


def logp_grad(p, d, grad):  # type: ignore[no-untyped-def]
    """Return prior + likelihood and add the derivatives to `grad`."""
    scaled = p.tau / 5.0
    logp = -0.5 * (p.mu / 5.0) ** 2 - math.log(5.0) - 0.5 * LOG_2PI
    logp += math.log(2.0 / (5.0 * math.pi)) - math.log1p(scaled**2)
    grad.mu[()] -= p.mu / 25.0
    grad.tau[()] -= 2.0 * scaled / 5.0 / (1.0 + scaled**2)
    for j in range(p.eta.size):
        z = (d.effect[j] - p.mu - p.tau * p.eta[j]) / d.sigma[j]
        logp -= 0.5 * (p.eta[j] ** 2 + z**2) + math.log(d.sigma[j]) + LOG_2PI
        pull = z / d.sigma[j]
        grad.mu[()] += pull
        grad.tau[()] += pull * p.eta[j]
        grad.eta[j] += pull * p.tau - p.eta[j]
    return logp


def theta(p, d):  # type: ignore[no-untyped-def]
    return p.mu + p.tau * p.eta


effect, sigma = np.loadtxt(get_data("eight_schools.csv"), delimiter=",", skiprows=1, usecols=(1, 2), unpack=True)

model = nb.Model(
    parameters={"mu": nb.real(), "tau": nb.positive(), "eta": nb.real(8)},
    prior=prior,
    likelihood=likelihood,
    logp_grad=logp_grad,
    data={"effect": effect, "sigma": sigma},
    derived={"theta": theta},
)

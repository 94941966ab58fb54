"""Eight schools, non-centred: the demonstration of ``python -m nbinfer``.

What coaching for a test was worth in each of eight schools, given estimates of different precision (D. B. Rubin,
"Estimation in parallel randomized experiments", J. Educ. Stat. 6 (1981)). The effects are written theta = mu + tau eta,
so that eta stays standard normal in the prior however small tau becomes.
"""

import numpy as np

import nbinfer as nb
from nbinfer.datasets import get_data
from nbinfer.distributions import half_cauchy, normal


def prior(p, d):  # type: ignore[no-untyped-def]
    return normal.logpdf(p.mu, 0.0, 5.0) + half_cauchy.logpdf(p.tau, 5.0) + np.sum(normal.logpdf(p.eta, 0.0, 1.0))


def likelihood(p, d):  # type: ignore[no-untyped-def]
    return normal.logpdf(d.effect, p.mu + p.tau * p.eta, d.sigma)


def theta(p, d):  # type: ignore[no-untyped-def]
    return p.mu + p.tau * p.eta


effect, sigma = np.loadtxt(get_data("eight_schools.csv"), delimiter=",", skiprows=1, usecols=(1, 2), unpack=True)

model = nb.Model(
    parameters={"mu": nb.real(), "tau": nb.positive(), "eta": nb.real(8)},
    prior=prior,
    likelihood=likelihood,
    data={"effect": effect, "sigma": sigma},
    derived={"theta": theta},
)

"""Log likelihoods of single observations for the tests, with and without exact answers."""

import numpy as np
from scipy.special import logit
from scipy.stats import norm

from tests.diagnostics.draws import THETA

#: Observations from what is likely to what hardly is.
Y = np.array([[-0.5, 0.0, 0.25], [0.5, 2.0, 6.0]])


def normals(draws=1000, chains=4):
    """Return log likelihoods of `Y` at the draws that the references of the diagnostics are of."""
    return norm.logpdf(Y, 0.5 * logit(THETA[:chains, :draws])[..., None, None])


def conjugate(y, draws=20_000):
    """Return log likelihoods of normal data of unit scale at the quantiles of the mean's posterior under a flat prior.

    And, in closed form, the log predictive density of each observation by the others.
    """
    n = len(y)
    mu = norm.ppf((np.arange(draws) + 0.5) / draws, y.mean(), 1 / np.sqrt(n))
    others = (y.sum() - y) / (n - 1)
    return norm.logpdf(y, mu[None, :, None]), norm.logpdf(y, others, np.sqrt(1 + 1 / (n - 1)))

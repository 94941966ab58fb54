"""Models with known answers, which the tests of this room share: each is compiled once."""

import functools

import numpy as np

import nbinfer as nb
from nbinfer.distributions import gamma, normal, poisson

#: Covariance of a Gaussian that is correlated, and the standard deviations that a mean field should find.
SIGMA = np.array([[1.0, 0.9, 0.3], [0.9, 2.0, 0.5], [0.3, 0.5, 0.5]])
MEAN_FIELD_SDS = np.array([0.761577, 1.030037, 0.604604])
#: What the best mean field's evidence lower bound lacks.
MEAN_FIELD_GAP = -0.329746


def gaussian_logp(p, d):
    return -0.5 * (p.x - d.m) @ (d.P @ (p.x - d.m)) - 0.5 * d.log_det - 0.5 * d.m.size * 1.8378770664093453


def gaussian(covariance=SIGMA, mean=None):
    """Return a normalised Gaussian."""
    covariance = np.asarray(covariance, float)
    mean = np.zeros(len(covariance)) if mean is None else np.asarray(mean, float)
    data = {"m": mean, "P": np.linalg.inv(covariance), "log_det": float(np.linalg.slogdet(covariance)[1])}
    return nb.Model({"x": nb.real(len(mean))}, logp=gaussian_logp, data=data)


def conjugate_prior(p, d):
    return normal.logpdf(p.mu, d.mu0, d.tau)


def conjugate_likelihood(p, d):
    return normal.logpdf(d.y, p.mu, d.sigma)


def conjugate(y, mu0=0.0, tau=2.0, sigma=1.0):
    """Return a mean with a normal prior."""
    data = {"y": np.asarray(y, float), "mu0": mu0, "tau": tau, "sigma": sigma}
    return nb.Model({"mu": nb.real()}, prior=conjugate_prior, likelihood={"y": conjugate_likelihood}, data=data)


#: Data of the check on constants; evidence, mean and standard deviation.
FIVE = (1.0, 2.0, 0.5, 3.0, 1.5)
FIVE_ANSWER = (-8.27171579, 1.52380952, 0.43643578)


def gamma_prior(p, d):
    return gamma.logpdf(p.rate, 2.0, 1.0)


def poisson_likelihood(p, d):
    return poisson.logpmf(d.y, p.rate)


@functools.cache
def gamma_poisson():
    """Return counts whose rate has a gamma prior; the rate is positive, and thereby transformed."""
    return nb.Model(
        {"rate": nb.positive()},
        prior=gamma_prior,
        likelihood={"y": poisson_likelihood},
        data={"y": np.array([3, 1, 4, 2, 2])},
    )


def regression_prior(p, d):
    return np.sum(normal.logpdf(p.w, 0.0, 3.0))


def regression_likelihood(p, d):
    return normal.logpdf(d.y, d.X @ p.w, 0.5)


@functools.cache
def regression():
    """Return a line through four points."""
    X = np.column_stack([np.ones(4), np.arange(4.0)])
    return nb.Model(
        {"w": nb.real(2)},
        prior=regression_prior,
        likelihood={"y": regression_likelihood},
        data={"X": X, "y": np.array([0.1, 0.9, 2.3, 2.8])},
    )


def several_prior(p, d):
    return (
        np.sum(normal.logpdf(p.x, 0.0, 1.0))
        + normal.logpdf(p.a, 1.0, 2.0)
        + gamma.logpdf(p.s, 3.0, 2.0)
        + np.sum(normal.logpdf(p.m, p.a, 0.5))
    )


def several_twice(p, d):
    return 2.0 * p.m


@functools.cache
def several():
    """Return parameters of several shapes; one is transformed."""
    return nb.Model(
        {"x": nb.real(2), "a": nb.real(), "s": nb.positive(), "m": nb.real((3, 2))},
        prior=several_prior,
        derived={"twice": several_twice},
    )

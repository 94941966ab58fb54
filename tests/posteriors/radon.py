"""Radon in the counties of Minnesota: partial pooling, centred and not, 88 dimensions with exact answers."""

import math

import numpy as np

import nbinfer as nb
from nbinfer.distributions import half_normal, normal
from tests.posteriors import read

__all__ = ["centered", "noncentered"]

LOG_2PI = math.log(2 * math.pi)


def centered_prior(p, d):
    return (
        normal.logpdf(p.mu_alpha, 0.0, 10.0)
        + half_normal.logpdf(p.sigma_alpha, 1.0)
        + half_normal.logpdf(p.sigma_y, 1.0)
        + np.sum(normal.logpdf(p.alpha, p.mu_alpha, p.sigma_alpha))
    )


def centered_likelihood(p, d):
    return normal.logpdf(d.log_radon, p.alpha[d.county], p.sigma_y)


def noncentered_prior(p, d):
    return (
        normal.logpdf(p.mu_alpha, 0.0, 10.0)
        + half_normal.logpdf(p.sigma_alpha, 1.0)
        + half_normal.logpdf(p.sigma_y, 1.0)
        + np.sum(normal.logpdf(p.alpha_raw, 0.0, 1.0))
    )


def alpha(p, d):
    return p.mu_alpha + p.sigma_alpha * p.alpha_raw


def noncentered_likelihood(p, d):
    return normal.logpdf(d.log_radon, p.mu_alpha + p.sigma_alpha * p.alpha_raw[d.county], p.sigma_y)


def noncentered_grad(p, d, grad):
    grad.mu_alpha[()] -= p.mu_alpha / 100.0
    grad.sigma_alpha[()] -= p.sigma_alpha
    grad.sigma_y[()] -= p.sigma_y
    logp = math.log(2.0 / math.pi) - math.log(10.0) - 0.5 * LOG_2PI
    logp -= 0.5 * ((p.mu_alpha / 10.0) ** 2 + p.sigma_alpha**2 + p.sigma_y**2)
    for j in range(p.alpha_raw.size):
        logp -= 0.5 * (p.alpha_raw[j] ** 2 + LOG_2PI)
        grad.alpha_raw[j] -= p.alpha_raw[j]
    squares = pull_mu = pull_sigma = 0.0
    for n in range(d.log_radon.size):
        raw = p.alpha_raw[d.county[n]]
        z = (d.log_radon[n] - p.mu_alpha - p.sigma_alpha * raw) / p.sigma_y
        squares += z**2
        pull = z / p.sigma_y
        pull_mu += pull
        pull_sigma += pull * raw
        grad.alpha_raw[d.county[n]] += pull * p.sigma_alpha
    grad.mu_alpha[()] += pull_mu
    grad.sigma_alpha[()] += pull_sigma
    grad.sigma_y[()] += (squares - d.log_radon.size) / p.sigma_y
    return logp - 0.5 * squares - d.log_radon.size * (math.log(p.sigma_y) + 0.5 * LOG_2PI)


table = read("radon", "data.json")
data = {"log_radon": np.array(table["log_radon"]), "county": np.array(table["county_idx"]) - 1}
scales = {"mu_alpha": nb.real(), "sigma_alpha": nb.positive(), "sigma_y": nb.positive()}

centered = nb.Model(
    parameters={"alpha": nb.real(table["J"]), **scales},
    prior=centered_prior,
    likelihood=centered_likelihood,
    data=data,
)

noncentered = nb.Model(
    parameters={"alpha_raw": nb.real(table["J"]), **scales},
    prior=noncentered_prior,
    likelihood=noncentered_likelihood,
    data=data,
    derived={"alpha": alpha},
)

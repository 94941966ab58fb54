"""The twelve densities of the benchmark of gradients, each as a user would write it, with a gradient written by hand.

A density is a function of a flat position and arrays of data. A gradient takes one array more, to which it adds, and
returns the value; it is written as one would who wants it fast: one pass over the data where that is possible, nothing
computed twice, sums that may be reordered.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bench.autodiff_recursions import (
    STATES,
    markov,
    markov_grad,
    process_array,
    process_grad,
    process_loop,
    volatility_array,
    volatility_grad,
    volatility_scalar,
)
from nbinfer.compile import kernel
from nbinfer.vectormath import digamma, log1pexp

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class Case(NamedTuple):
    """A density with its gradient, where to evaluate it, its data, and for everyday forms the density as a loop."""

    logp: Callable[..., float]
    logp_grad: Any
    position: np.ndarray
    data: tuple[np.ndarray, ...]
    loop: Callable[..., float] | None = None


def normal(x, mu, sigma):
    z = (x - mu) / sigma
    return -0.5 * z * z - math.log(sigma) - HALF_LOG_2PI


# ---- eight schools, non-centred


def eight_schools(x, y, sigma):
    mu, tau = x[0], math.exp(x[1])
    lp = normal(mu, 0.0, 5.0) + normal(tau, 0.0, 5.0) + x[1]
    for j in range(y.size):
        z = x[2 + j]
        lp += normal(z, 0.0, 1.0)
        lp += normal(y[j], mu + tau * z, sigma[j])
    return lp


@kernel(reassociate=True)
def eight_schools_grad(x, y, sigma, grad):
    mu, tau = x[0], math.exp(x[1])
    squares = (mu * mu + tau * tau) / 25.0
    logs = 2.0 * math.log(5.0)
    pull, pull_z = 0.0, 0.0
    for j in range(y.size):
        z, weight = x[2 + j], 1.0 / sigma[j]
        e = (y[j] - mu - tau * z) * weight
        squares += z * z + e * e
        logs += math.log(sigma[j])
        e *= weight
        pull += e
        pull_z += e * z
        grad[2 + j] += tau * e - z
    grad[0] += pull - mu / 25.0
    grad[1] += tau * (pull_z - tau / 25.0) + 1.0
    return x[1] - 0.5 * squares - logs - (2 + 2 * y.size) * HALF_LOG_2PI


# ---- logistic regression: loops, a product of matrix and vector, and the same without care for overflow


def logistic_loop(x, X, y):
    lp = 0.0
    for j in range(x.size):
        lp -= 0.5 * x[j] ** 2
    for i in range(y.size):
        eta = 0.0
        for j in range(x.size):
            eta += X[i, j] * x[j]
        lp += y[i] * eta - log1pexp(eta)
    return lp


def logistic_product(x, X, y):
    eta = X @ x
    return np.sum(y * eta - log1pexp(eta)) - 0.5 * np.sum(x**2)


def logistic_careless(x, X, y):
    eta = X @ x
    return np.sum(y * eta - np.log(1 + np.exp(eta))) - 0.5 * np.sum(x**2)


@kernel(reassociate=True)
def logistic_grad(x, X, y, grad):
    lp = 0.0
    for j in range(x.size):
        lp -= 0.5 * x[j] * x[j]
        grad[j] -= x[j]
    for i in range(y.size):
        eta = 0.0
        for j in range(x.size):
            eta += X[i, j] * x[j]
        e = math.exp(-abs(eta))
        lp += y[i] * eta - max(eta, 0.0) - math.log1p(e)
        r = 1.0 / (1.0 + e)
        pull = y[i] - (r if eta >= 0.0 else e * r)
        for j in range(x.size):
            grad[j] += X[i, j] * pull
    return lp


@kernel(reassociate=True)
def logistic_careless_grad(x, X, y, grad):
    lp = 0.0
    for j in range(x.size):
        lp -= 0.5 * x[j] * x[j]
        grad[j] -= x[j]
    for i in range(y.size):
        eta = 0.0
        for j in range(x.size):
            eta += X[i, j] * x[j]
        e = math.exp(eta)
        lp += y[i] * eta - math.log(1.0 + e)
        pull = y[i] - e / (1.0 + e)
        for j in range(x.size):
            grad[j] += X[i, j] * pull
    return lp


# ---- varying intercepts, non-centred


def intercepts_gather(x, county, floor, y):
    mu, spread, slope, sigma = x[0], np.exp(x[1]), x[2], np.exp(x[3])
    alpha = mu + spread * x[4:]
    error = (y - alpha[county] - slope * floor) / sigma
    lp = x[1] + x[3] - 0.5 * mu**2 - 0.5 * spread**2 - 0.5 * slope**2 - 0.5 * sigma**2
    return lp - 0.5 * np.sum(x[4:] ** 2) - 0.5 * np.sum(error**2) - y.size * np.log(sigma)


def intercepts_loop(x, county, floor, y):
    mu, spread, slope, sigma = x[0], math.exp(x[1]), x[2], math.exp(x[3])
    lp = x[1] + x[3] - 0.5 * mu**2 - 0.5 * spread**2 - 0.5 * slope**2 - 0.5 * sigma**2
    alpha = np.empty(x.size - 4)
    for j in range(alpha.size):
        z = x[4 + j]
        lp -= 0.5 * z * z
        alpha[j] = mu + spread * z
    for i in range(y.size):
        lp += normal(y[i], alpha[county[i]] + slope * floor[i], sigma) + HALF_LOG_2PI
    return lp


@kernel(reassociate=True)
def intercepts_grad(x, county, floor, y, grad):
    mu, spread, slope, sigma = x[0], math.exp(x[1]), x[2], math.exp(x[3])
    counties = x.size - 4
    pulls, alpha = np.zeros(counties), np.empty(counties)
    for j in range(counties):
        alpha[j] = mu + spread * x[4 + j]
    squares, pull_slope = 0.0, 0.0
    for i in range(y.size):
        j = county[i]
        e = y[i] - alpha[j] - slope * floor[i]
        squares += e * e
        pulls[j] += e
        pull_slope += e * floor[i]
    weight = 1.0 / (sigma * sigma)
    pull_mu, pull_spread, zs = 0.0, 0.0, 0.0
    for j in range(counties):
        z, pull = x[4 + j], pulls[j] * weight
        zs += z * z
        pull_mu += pull
        pull_spread += pull * z
        grad[4 + j] += spread * pull - z
    grad[0] += pull_mu - mu
    grad[1] += 1.0 + spread * (pull_spread - spread)
    grad[2] += pull_slope * weight - slope
    grad[3] += 1.0 - sigma * sigma - y.size + squares * weight
    scales = mu * mu + spread * spread + slope * slope + sigma * sigma
    return x[1] + x[3] - 0.5 * (scales + zs + squares * weight) - y.size * x[3]


# ---- negative binomial regression: lgamma, a branch, an early return


def negative_binomial(x, u, y):
    phi = math.exp(x[2])
    if phi <= 0.0 or not math.isfinite(phi):
        return -math.inf
    lp = -0.5 * np.sum(x**2)
    for i in range(y.size):
        mu = math.exp(x[0] + x[1] * u[i])
        if y[i] > 0:
            lp += math.lgamma(y[i] + phi) - math.lgamma(phi) - math.lgamma(y[i] + 1.0)
            lp += y[i] * math.log(mu / (mu + phi))
        lp += phi * math.log(phi / (mu + phi))
    return lp


@kernel(reassociate=True)
def negative_binomial_grad(x, u, y, grad):
    phi = math.exp(x[2])
    if not 0.0 < phi < math.inf:
        return -math.inf
    lp = -0.5 * (x[0] * x[0] + x[1] * x[1] + x[2] * x[2])
    log_gamma, psi = math.lgamma(phi), digamma(phi)
    pull_level, pull_slope, pull_phi = 0.0, 0.0, 0.0
    for i in range(y.size):
        eta = x[0] + x[1] * u[i]
        mu = math.exp(eta)
        inverse = 1.0 / (mu + phi)
        log_sum = math.log(mu + phi)
        if y[i] > 0:
            lp += math.lgamma(y[i] + phi) - log_gamma - math.lgamma(y[i] + 1.0) + y[i] * (eta - log_sum)
            pull_phi += digamma(y[i] + phi) - psi
        lp += phi * (x[2] - log_sum)
        pull_phi += x[2] - log_sum + (mu - y[i]) * inverse
        pull = (y[i] - mu) * phi * inverse
        pull_level += pull
        pull_slope += pull * u[i]
    grad[0] += pull_level - x[0]
    grad[1] += pull_slope - x[1]
    grad[2] += pull_phi * phi - x[2]
    return lp


# ---- the twelve


def cases(rows: int | None = None) -> dict[str, Case]:
    """Return the cases by name; `rows` cuts every data set to so many rows."""
    rng = np.random.default_rng(1)

    def size(full: int) -> int:
        return full if rows is None else min(rows, full)

    y8 = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    sigma8 = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
    n = size(1000)
    X, beta = rng.normal(size=(n, 25)), 0.5 * rng.normal(size=25)
    outcome = (rng.uniform(size=n) < 1.0 / (1.0 + np.exp(-X @ beta))).astype(float)
    n, counties = size(919), size(85)
    radon = rng.integers(0, counties, n), rng.integers(0, 2, n).astype(float), rng.normal(size=n)
    at_radon = 0.3 * rng.normal(size=4 + counties)
    returns = rng.normal(size=size(500))
    at_returns = 0.3 * rng.normal(size=3 + returns.size)
    t = np.sort(rng.uniform(0.0, 10.0, size(30)))
    curve = np.sin(t) + 0.1 * rng.normal(size=t.size)
    at_curve = np.array([0.3, 0.1, -1.0])
    series, at_series = rng.normal(size=size(200)), 0.5 * rng.normal(size=STATES * STATES + STATES)
    counts = rng.normal(size=size(200)), rng.poisson(3.0, size(200)).astype(float)
    return {
        "eight schools": Case(eight_schools, eight_schools_grad, rng.normal(size=10), (y8, sigma8)),
        "logistic, loop": Case(logistic_loop, logistic_grad, beta, (X, outcome)),
        "logistic, X @ beta": Case(logistic_product, logistic_grad, beta, (X, outcome)),
        "logistic, careless": Case(logistic_careless, logistic_careless_grad, beta, (X, outcome)),
        "intercepts, alpha[county]": Case(intercepts_gather, intercepts_grad, at_radon, radon),
        "intercepts, loop": Case(intercepts_loop, intercepts_grad, at_radon, radon),
        "volatility, array": Case(volatility_array, volatility_grad, at_returns, (returns,)),
        "volatility, scalar": Case(volatility_scalar, volatility_grad, at_returns, (returns,)),
        "process n=30, loop": Case(process_loop, process_grad, at_curve, (t, curve)),
        "process n=30, array": Case(process_array, process_grad, at_curve, (t, curve)),
        "hidden Markov K=3 T=200": Case(markov, markov_grad, at_series, (series,)),
        "negative binomial": Case(negative_binomial, negative_binomial_grad, 0.3 * rng.normal(size=3), counts),
    }

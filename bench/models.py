"""The seven models that nbinfer and its peers are compared on.

Data come from fixed seeds. Each model has value functions written for the reader, constants included, and a `logp_grad`
written for speed: one pass over the data, no temporaries, nothing computed twice. Sums may be reordered
(``reassociate=True``), as anyone would allow who writes a density in C.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

import nbinfer as nb
from nbinfer.compile import kernel
from nbinfer.distributions import half_cauchy, half_normal, normal

# ---- eight schools, non-centred: 10 coordinates


def _eight_schools_prior(p: Any, d: Any) -> Any:
    return normal.logpdf(p.mu, 0.0, 5.0) + half_cauchy.logpdf(p.tau, 5.0) + np.sum(normal.logpdf(p.z, 0.0, 1.0))


def _eight_schools_likelihood(p: Any, d: Any) -> Any:
    return normal.logpdf(d.y, p.mu + p.tau * p.z, d.sigma)


@kernel(reassociate=True)
def _eight_schools_grad(p: Any, d: Any, grad: Any) -> float:
    scaled = p.tau / 5.0
    squares, pull, pull_z = 0.0, 0.0, 0.0
    for j in range(p.z.size):
        z, weight = p.z[j], 1.0 / d.sigma[j]
        e = (d.y[j] - p.mu - p.tau * z) * weight
        squares += z * z + e * e
        e *= weight
        pull += e
        pull_z += e * z
        grad.z[j] += p.tau * e - z
    grad.mu[()] += pull - p.mu / 25.0
    grad.tau[()] += pull_z - 0.4 * scaled / (1.0 + scaled * scaled)
    return -0.5 * squares - p.mu * p.mu / 50.0 - math.log1p(scaled * scaled)


def eight_schools() -> nb.Model:
    """Rubin's eight schools: what coaching was worth, mu + tau z."""
    return nb.Model(
        parameters={"mu": nb.real(), "tau": nb.positive(), "z": nb.real(8)},
        prior=_eight_schools_prior,
        likelihood=_eight_schools_likelihood,
        logp_grad=_eight_schools_grad,
        data={
            "y": [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0],
            "sigma": [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0],
        },
        name="eight_schools",
    )


# ---- N(0, I)


def _std_normal(p: Any, d: Any) -> Any:
    return np.sum(normal.logpdf(p.x, 0.0, 1.0))


@kernel(reassociate=True)
def _std_normal_grad(p: Any, d: Any, grad: Any) -> float:
    squares = 0.0
    for i in range(p.x.size):
        x = p.x[i]
        squares += x * x
        grad.x[i] -= x
    return -0.5 * squares


def std_normal(dim: int = 100) -> nb.Model:
    """Independent standard normals."""
    return nb.Model(parameters={"x": nb.real(dim)}, logp=_std_normal, logp_grad=_std_normal_grad, name="std_normal")


# ---- a stationary Gaussian AR(1) path


def _ar1_gauss(p: Any, d: Any) -> Any:
    return normal.logpdf(p.x[0], 0.0, 1.0) + np.sum(normal.logpdf(p.x[1:], d.rho * p.x[:-1], d.s))


@kernel(reassociate=True)
def _ar1_gauss_grad(p: Any, d: Any, grad: Any) -> float:
    x, rho, last = p.x, d.rho, p.x.size - 1
    weight = 1.0 / (d.s * d.s)
    squares = 0.0
    for i in range(1, last):
        before, after = x[i] - rho * x[i - 1], x[i + 1] - rho * x[i]
        squares += before * before
        grad.x[i] += weight * (rho * after - before)
    first, end = x[1] - rho * x[0], x[last] - rho * x[last - 1]
    grad.x[0] += weight * rho * first - x[0]
    grad.x[last] -= weight * end
    return -0.5 * (x[0] * x[0] + weight * (squares + end * end))


def ar1_gauss(dim: int = 50, rho: float = 0.9) -> nb.Model:
    """A path of unit variance whose neighbours correlate by rho."""
    return nb.Model(
        parameters={"x": nb.real(dim)},
        logp=_ar1_gauss,
        logp_grad=_ar1_gauss_grad,
        data={"rho": rho, "s": math.sqrt(1.0 - rho * rho)},
        name="ar1_gauss",
    )


# ---- logistic regression


def _logistic_prior(p: Any, d: Any) -> Any:
    return np.sum(normal.logpdf(p.beta, 0.0, 1.0))


def _logistic_likelihood(p: Any, d: Any) -> Any:
    return -np.logaddexp(0.0, -(p.beta @ d.S))


@kernel(reassociate=True)
def _logistic_grad(p: Any, d: Any, grad: Any) -> float:
    k, n = d.S.shape
    S, beta, row = d.S, p.beta, np.zeros(n)
    total = 0.0
    for j in range(0, k, 5):  # five columns at a time: fewer passes over `row`
        b0, b1, b2, b3, b4 = beta[j], beta[j + 1], beta[j + 2], beta[j + 3], beta[j + 4]
        total -= 0.5 * (b0 * b0 + b1 * b1 + b2 * b2 + b3 * b3 + b4 * b4)
        for i in range(n):
            row[i] += b0 * S[j, i] + b1 * S[j + 1, i] + b2 * S[j + 2, i] + b3 * S[j + 3, i] + b4 * S[j + 4, i]
    product = 1.0
    for i in range(n):
        e = math.exp(-abs(row[i]))
        total += min(row[i], 0.0)
        product *= 1.0 + e  # a logarithm for 512 factors up to 2 instead of a log1p each
        if i % 512 == 511:
            total -= math.log(product)
            product = 1.0
        row[i] = (e if row[i] >= 0.0 else 1.0) / (1.0 + e)
    for j in range(0, k, 5):
        g0, g1, g2, g3, g4 = -beta[j], -beta[j + 1], -beta[j + 2], -beta[j + 3], -beta[j + 4]
        for i in range(n):
            r = row[i]
            g0 += r * S[j, i]
            g1 += r * S[j + 1, i]
            g2 += r * S[j + 2, i]
            g3 += r * S[j + 3, i]
            g4 += r * S[j + 4, i]
        grad.beta[j] += g0
        grad.beta[j + 1] += g1
        grad.beta[j + 2] += g2
        grad.beta[j + 3] += g3
        grad.beta[j + 4] += g4
    return total - math.log(product)


def logistic(n: int = 1000, k: int = 25) -> nb.Model:
    """Logistic regression with a standard normal prior; `k` is a multiple of five.

    The likelihood depends on X and y through S alone: the rows of X with the sign of 2 y - 1, kept as columns, over
    which loops need no remainder.
    """
    if k % 5:
        raise ValueError(f"k must be a multiple of 5, got {k}.")
    rng = np.random.default_rng(4)
    X = rng.standard_normal((n, k))
    beta = rng.normal(0.0, 0.5, k)
    y = rng.random(n) < 1.0 / (1.0 + np.exp(-X @ beta))
    return nb.Model(
        parameters={"beta": nb.real(k)},
        prior=_logistic_prior,
        likelihood=_logistic_likelihood,
        logp_grad=_logistic_grad,
        data={"S": np.where(y[:, None], X, -X).T},
        name="logistic",
    )


# ---- radon: intercepts and slopes that vary by county, non-centred: 175 coordinates


def _radon_prior(p: Any, d: Any) -> Any:
    scales = half_normal.logpdf(p.sa, 1.0) + half_normal.logpdf(p.sb, 1.0) + half_normal.logpdf(p.sy, 1.0)
    means = normal.logpdf(p.mu_a, 0.0, 1.0) + normal.logpdf(p.mu_b, 0.0, 1.0)
    return scales + means + np.sum(normal.logpdf(p.za, 0.0, 1.0)) + np.sum(normal.logpdf(p.zb, 0.0, 1.0))


def _radon_likelihood(p: Any, d: Any) -> Any:
    intercept, slope = p.mu_a + p.sa * p.za, p.mu_b + p.sb * p.zb
    return normal.logpdf(d.y, intercept[d.county] + slope[d.county] * d.floor, p.sy)


@kernel(reassociate=True)
def _radon_grad(p: Any, d: Any, grad: Any) -> float:
    n, counties = d.y.size, p.za.size
    squares = p.mu_a * p.mu_a + p.mu_b * p.mu_b + p.sa * p.sa + p.sb * p.sb + p.sy * p.sy
    for j in range(counties):
        za, zb = p.za[j], p.zb[j]
        squares += za * za + zb * zb
        grad.za[j] -= za
        grad.zb[j] -= zb
    weight = 1.0 / (p.sy * p.sy)
    errors, pull_a, pull_b, pull_sa, pull_sb = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        j, x = d.county[i], d.floor[i]
        za, zb = p.za[j], p.zb[j]
        e = d.y[i] - p.mu_a - p.sa * za - (p.mu_b + p.sb * zb) * x
        errors += e * e
        e *= weight
        pull_a += e
        pull_sa += e * za
        grad.za[j] += e * p.sa
        e *= x
        pull_b += e
        pull_sb += e * zb
        grad.zb[j] += e * p.sb
    grad.mu_a[()] += pull_a - p.mu_a
    grad.mu_b[()] += pull_b - p.mu_b
    grad.sa[()] += pull_sa - p.sa
    grad.sb[()] += pull_sb - p.sb
    grad.sy[()] += (errors * weight - n) / p.sy - p.sy
    return -0.5 * (squares + errors * weight) - n * math.log(p.sy)


def radon(counties: int = 85, n: int = 919) -> nb.Model:
    """A multilevel regression of 919 measurements in 85 counties of very different size."""
    rng = np.random.default_rng(5)
    share = rng.dirichlet(np.full(counties, 0.8))
    county = np.concatenate([np.arange(counties), rng.choice(counties, n - counties, p=share)])
    floor = (rng.random(n) < 0.17).astype(np.float64)
    a = rng.normal(1.5, 0.35, counties)
    b = rng.normal(-0.65, 0.3, counties)
    y = rng.normal(a[county] + b[county] * floor, 0.75)
    return nb.Model(
        parameters={
            "mu_a": nb.real(),
            "mu_b": nb.real(),
            "sa": nb.positive(),
            "sb": nb.positive(),
            "sy": nb.positive(),
            "za": nb.real(counties),
            "zb": nb.real(counties),
        },
        prior=_radon_prior,
        likelihood=_radon_likelihood,
        logp_grad=_radon_grad,
        data={"county": county, "floor": floor, "y": y},
        name="radon",
    )


# ---- stochastic volatility: y[t] ~ N(0, exp(h[t] / 2)), non-centred


def _volatility_data(n: int) -> np.ndarray:
    rng = np.random.default_rng(6)
    mu, phi, sigma = -1.0, 0.95, 0.25
    h = np.empty(n)
    h[0] = mu + sigma / math.sqrt(1.0 - phi * phi) * rng.standard_normal()
    for t in range(1, n):
        h[t] = mu + phi * (h[t - 1] - mu) + sigma * rng.standard_normal()
    return np.exp(h / 2.0) * rng.standard_normal(n)


_LOG_BETA = math.lgamma(20.0) + math.lgamma(1.5) - math.lgamma(21.5)


def _sv_prior(p: Any, d: Any) -> Any:
    beta = 19.0 * np.log(p.phistar) + 0.5 * np.log1p(-p.phistar) - _LOG_BETA
    return (
        normal.logpdf(p.mu, 0.0, 2.0) + half_normal.logpdf(p.sigma, 0.5) + beta + np.sum(normal.logpdf(p.z, 0.0, 1.0))
    )


def _sv_likelihood(p: Any, d: Any) -> Any:
    phi = 2.0 * p.phistar - 1.0
    h = p.sigma * p.z
    h[0] /= np.sqrt(1.0 - phi * phi)
    for t in range(1, h.size):
        h[t] += phi * h[t - 1]
    return normal.logpdf(d.y, 0.0, np.exp(0.5 * (p.mu + h)))


@kernel(reassociate=True)
def _sv_grad(p: Any, d: Any, grad: Any) -> float:
    n, phi = p.z.size, 2.0 * p.phistar - 1.0
    inflate = 1.0 / math.sqrt(1.0 - phi * phi)
    # h - mu and its derivative in phi run forwards, the derivative in z backwards; that in sigma is (h - mu) / sigma.
    pull = np.empty(n)
    u, u_phi = p.sigma * inflate * p.z[0], p.sigma * inflate**3 * phi * p.z[0]
    total, pull_mu, pull_sigma, pull_phi, squares = 0.0, 0.0, 0.0, 0.0, 0.0
    for t in range(n):
        z = p.z[t]
        if t > 0:
            u_phi = u + phi * u_phi
            u = p.sigma * z + phi * u
        scaled = d.y[t] * d.y[t] * math.exp(-p.mu - u)
        total += scaled + u
        squares += z * z
        a = 0.5 * scaled - 0.5
        pull[t] = a
        pull_mu += a
        pull_sigma += a * u
        pull_phi += a * u_phi
    back = 0.0
    for t in range(n - 1, 0, -1):
        back = pull[t] + phi * back
        grad.z[t] += p.sigma * back - p.z[t]
    grad.z[0] += p.sigma * inflate * (pull[0] + phi * back) - p.z[0]
    grad.mu[()] += pull_mu - 0.25 * p.mu
    grad.sigma[()] += pull_sigma / p.sigma - 4.0 * p.sigma
    grad.phistar[()] += 2.0 * pull_phi + 19.0 / p.phistar - 0.5 / (1.0 - p.phistar)
    prior = 19.0 * math.log(p.phistar) + 0.5 * math.log1p(-p.phistar) - 0.125 * p.mu * p.mu - 2.0 * p.sigma * p.sigma
    return prior - 0.5 * (squares + total + n * p.mu)


def sv(n: int = 500) -> nb.Model:
    """Log volatility as a stationary AR(1): a recursion over time. 503 coordinates."""
    return nb.Model(
        parameters={"mu": nb.real(), "phistar": nb.unit(), "sigma": nb.positive(), "z": nb.real(n)},
        prior=_sv_prior,
        likelihood=_sv_likelihood,
        logp_grad=_sv_grad,
        data={"y": _volatility_data(n)},
        name="sv",
    )


def _sv_rw_prior(p: Any, d: Any) -> Any:
    return normal.logpdf(p.mu, 0.0, 2.0) + half_normal.logpdf(p.sigma, 0.5) + np.sum(normal.logpdf(p.z, 0.0, 1.0))


def _sv_rw_likelihood(p: Any, d: Any) -> Any:
    return normal.logpdf(d.y, 0.0, np.exp(0.5 * (p.mu + p.sigma * np.cumsum(p.z))))


@kernel(reassociate=True)
def _sv_rw_grad(p: Any, d: Any, grad: Any) -> float:
    n = p.z.size
    pull = np.empty(n)
    walk, total, pull_mu, pull_sigma, squares = 0.0, 0.0, 0.0, 0.0, 0.0
    for t in range(n):
        z = p.z[t]
        walk += z
        u = p.sigma * walk
        scaled = d.y[t] * d.y[t] * math.exp(-p.mu - u)
        total += scaled + u
        squares += z * z
        a = 0.5 * scaled - 0.5
        pull[t] = a
        pull_mu += a
        pull_sigma += a * walk
    back = 0.0
    for t in range(n - 1, -1, -1):
        back += pull[t]
        grad.z[t] += p.sigma * back - p.z[t]
    grad.mu[()] += pull_mu - 0.25 * p.mu
    grad.sigma[()] += pull_sigma - 4.0 * p.sigma
    return -0.5 * (squares + total + n * p.mu) - 0.125 * p.mu * p.mu - 2.0 * p.sigma * p.sigma


def sv_rw(n: int = 500) -> nb.Model:
    """Log volatility as a random walk: a cumulative sum. 502 coordinates."""
    return nb.Model(
        parameters={"mu": nb.real(), "sigma": nb.positive(), "z": nb.real(n)},
        prior=_sv_rw_prior,
        likelihood=_sv_rw_likelihood,
        logp_grad=_sv_rw_grad,
        data={"y": _volatility_data(n)},
        name="sv_rw",
    )


MODELS: dict[str, Callable[[], nb.Model]] = {
    f.__name__: f for f in (eight_schools, std_normal, ar1_gauss, logistic, radon, sv, sv_rw)
}


def with_derived_gradient(model: nb.Model) -> nb.Model:
    """Return a model like this one, without the gradient that was written by hand: it is derived instead."""
    return nb.Model.of(dataclasses.replace(model.definition, logp_grad=None))

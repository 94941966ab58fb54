"""Five linear regressions with normal errors: one likelihood, three priors."""

import math

import numba
import numpy as np

import nbinfer as nb
from nbinfer.distributions import half_cauchy, half_normal, normal
from tests.posteriors import read

__all__ = ["earnings", "kidscore", "mesquite", "nes2000", "sblri"]

LOG_2PI = math.log(2 * math.pi)


def likelihood(p, d):
    return normal.logpdf(d.y, d.X @ p.beta, p.sigma)


@numba.njit
def likelihood_grad(p, d, grad):
    """Add the derivatives of the sum of `likelihood`; return the sum."""
    total = 0.0
    squares = 0.0
    for n in range(d.y.size):
        error = d.y[n]
        for k in range(p.beta.size):
            error -= d.X[n, k] * p.beta[k]
        squares += error**2
        for k in range(p.beta.size):
            grad.beta[k] += error * d.X[n, k] / p.sigma**2
    total -= 0.5 * squares / p.sigma**2 + d.y.size * (math.log(p.sigma) + 0.5 * LOG_2PI)
    grad.sigma[()] += (squares / p.sigma**2 - d.y.size) / p.sigma
    return total


def kidscore_prior(p, d):
    return half_cauchy.logpdf(p.sigma, 2.5)


def flat_prior(p, d):
    return 0.0


def sblri_prior(p, d):
    return np.sum(normal.logpdf(p.beta, 0.0, 10.0)) + half_normal.logpdf(p.sigma, 10.0)


def sblri_grad(p, d, grad):
    logp = 0.5 * math.log(2.0 / math.pi) - math.log(10.0) - 0.5 * (p.sigma / 10.0) ** 2
    grad.sigma[()] -= p.sigma / 100.0
    for k in range(p.beta.size):
        logp -= 0.5 * (p.beta[k] / 10.0) ** 2 + math.log(10.0) + 0.5 * LOG_2PI
        grad.beta[k] -= p.beta[k] / 100.0
    return logp + likelihood_grad(p, d, grad)


def _model(y, columns, prior):
    X = np.column_stack(columns).astype(float)
    return nb.Model(
        parameters={"beta": nb.real(X.shape[1]), "sigma": nb.positive()},
        prior=prior,
        likelihood=likelihood,
        data={"y": np.array(y, float), "X": X},
    )


def _kidscore():
    table = {name: np.array(values) for name, values in read("kidscore", "data.json").items()}
    hs, iq = table["mom_hs"], table["mom_iq"]
    return _model(table["kid_score"], [np.ones(hs.size), hs, iq, hs * iq], kidscore_prior)


def _nes2000():
    table = {name: np.array(values) for name, values in read("nes2000", "data.json").items()}
    age = table["age_discrete"]
    ages = [age == 2, age == 3, age == 4]
    before, after = ["real_ideo", "race_adj"], ["educ1", "gender", "income"]
    columns = [np.ones(age.size), *(table[k] for k in before), *ages, *(table[k] for k in after)]
    return _model(table["partyid7"], columns, flat_prior)


def _sblri():
    table = read("sblri", "data.json")
    return _model(table["y"], [np.array(table["X"])], sblri_prior)


def _earnings():
    table = {name: np.array(values) for name, values in read("earnings", "data.json").items()}
    height, male = table["height"], table["male"]
    columns = [np.ones(height.size), height, male, height * male]
    return _model(np.log(table["earn"]), columns, flat_prior)


def _mesquite():
    table = {name: np.array(values) for name, values in read("mesquite", "data.json").items()}
    one, other, group = table["diam1"], table["diam2"], table["group"]
    products = [one * other * table["canopy_height"], one * other, one / other, table["total_height"]]
    columns = [np.ones(group.size), *(np.log(x) for x in products), group]
    return _model(np.log(table["weight"]), columns, flat_prior)


earnings = _earnings()
kidscore = _kidscore()
mesquite = _mesquite()
nes2000 = _nes2000()
sblri = _sblri()

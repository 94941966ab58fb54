"""Predictions follow their families, whatever the parameters of each draw are: mean, variance and distribution."""

import functools

import numpy as np
import pytest
import scipy.stats

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.distributions import (
    beta,
    binomial,
    exponential,
    gamma,
    laplace,
    lognormal,
    negative_binomial,
    normal,
    poisson,
    student_t,
)
from nbinfer.predictive import draws as of_trace
from nbinfer.predictive import ppc

CHAINS, DRAWS = 2, 1500


def logp(p, d):
    return -(p.a**2) - p.b - p.c


PREDICT = {
    "normal": lambda p, d, rng: normal.random(rng, p.a, p.b),
    "student_t": lambda p, d, rng: student_t.random(rng, 4.0 + p.b, p.a, p.c),
    "laplace": lambda p, d, rng: laplace.random(rng, p.a, p.b),
    "lognormal": lambda p, d, rng: lognormal.random(rng, p.a, 0.5),
    "gamma": lambda p, d, rng: gamma.random(rng, p.b, p.c),
    "beta": lambda p, d, rng: beta.random(rng, p.b, p.c),
    "exponential": lambda p, d, rng: exponential.random(rng, p.c),
    "poisson": lambda p, d, rng: poisson.random(rng, 3.0 * p.b),
    "binomial": lambda p, d, rng: binomial.random(rng, d.n, p.b / (p.b + p.c)),
    "negative_binomial": lambda p, d, rng: negative_binomial.random(rng, 3.0 * p.b, p.c),
}

#: Compiled together in a few seconds; the others take as long each.
QUICK = ("normal", "poisson")
FAMILIES = [name if name in QUICK or not JIT else pytest.param(name, marks=pytest.mark.slow) for name in PREDICT]


def families(a, b, c):
    """SciPy's forms at the same parameters."""
    s = scipy.stats
    return {
        "normal": s.norm(a, b),
        "student_t": s.t(4.0 + b, a, c),
        "laplace": s.laplace(a, b),
        "lognormal": s.lognorm(0.5, scale=np.exp(a)),
        "gamma": s.gamma(b, scale=1.0 / c),
        "beta": s.beta(b, c),
        "exponential": s.expon(scale=1.0 / c),
        "poisson": s.poisson(3.0 * b),
        "binomial": s.binom(9, b / (b + c)),
        "negative_binomial": s.nbinom(c, c / (3.0 * b + c)),
    }


@functools.cache
def trace():
    rng, shape = np.random.default_rng(1), (CHAINS, DRAWS)
    return nb.Trace({"a": rng.normal(size=shape), "b": rng.uniform(0.5, 2.0, shape), "c": rng.uniform(1.0, 4.0, shape)})


@functools.cache
def model():
    supports = {"a": nb.real(), "b": nb.positive(), "c": nb.positive()}
    return nb.Model(supports, logp=logp, data={"n": 9}, predict=PREDICT)


@functools.cache
def predicted(name, cores=2):
    names = QUICK if name in QUICK else [name]
    return nb.sample_posterior_predictive(trace(), model(), names, random_seed=5, cores=cores)[name]


def check(name, y, values):
    """Require standardised predictions of mean 0 and variance 1, and their places in their distributions uniform."""
    family = families(values["a"], values["b"], values["c"])[name]
    z = (y - family.mean()) / family.std()
    assert abs(z.mean()) < 4.0 / np.sqrt(z.size)
    assert abs(np.mean(z**2) - 1.0) < 4.0 * np.std(z**2) / np.sqrt(z.size)
    place = family.cdf(y)
    if y.dtype == np.int64:  # spread over the step that it is at
        place -= np.random.default_rng(2).uniform(size=y.shape) * family.pmf(y)
    for part in (place, *place):
        assert scipy.stats.kstest(part.ravel(), "uniform").pvalue > 1e-3


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("name", FAMILIES)
def test_predictions_follow_their_families(name):
    check(name, predicted(name), trace())


@pytest.mark.nojit  # long as plain Python
def test_one_core_and_two_predict_the_same():
    for name in QUICK:
        np.testing.assert_array_equal(predicted(name, 1), predicted(name))


def neighbours(y):
    """Return the correlation of the noise of one draw with that of the next."""
    z = (y - trace()["a"]) / trace()["b"]
    return np.corrcoef(z[:, 1:].ravel(), z[:, :-1].ravel())[0, 1]


def test_draws_are_independent():
    y = predicted("normal")
    assert abs(neighbours(y)) < 4.0 / np.sqrt(y.size)
    z = (y - trace()["a"]) / trace()["b"]
    assert abs(np.corrcoef(z[0], z[1])[0, 1]) < 4.0 / np.sqrt(DRAWS)


# ---- each of these is caught


@pytest.mark.nojit  # long as plain Python
def test_one_stream_for_all_draws_is_caught(monkeypatch):
    items = of_trace.Draws.items

    def same(self):
        found = items(self)
        found["number"] = 0
        return found

    monkeypatch.setattr(of_trace.Draws, "items", same)
    y = nb.sample_posterior_predictive(trace(), model(), QUICK, random_seed=5)
    with pytest.raises(AssertionError):
        check("normal", y["normal"], trace())


@pytest.mark.parametrize("name", FAMILIES)
def test_swapped_parameters_are_caught(name):
    if name in ("lognormal", "exponential", "poisson"):
        swapped = {"a": trace()["b"], "b": trace()["c"], "c": trace()["b"]}
    else:
        swapped = {"a": trace()["c"] - 2.5, "b": trace()["c"], "c": trace()["b"]}
    with pytest.raises(AssertionError):
        check(name, predicted(name), swapped)


@pytest.mark.parametrize("weights", [[0.0, 1.0], [1.0, 0.0], [0.25, 0.75]])
def test_a_wrong_weight_is_caught(monkeypatch, weights):
    def check_share():
        which = ppc._drawn(np.array(weights), np.random.default_rng(0).random(4000))
        share = np.mean(which == 1)
        assert abs(share - weights[1]) <= 4.0 * np.sqrt(weights[1] * weights[0] / 4000)

    check_share()
    right = ppc._drawn
    monkeypatch.setattr(ppc, "_drawn", lambda w, u: right(w[::-1], u))
    with pytest.raises(AssertionError):
        check_share()

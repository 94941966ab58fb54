"""Predictions that are derived from the likelihood: equal to those written by hand, or refused with a reason."""

import inspect
import linecache
import traceback

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.distributions import (
    bernoulli,
    car,
    categorical,
    gaussian_random_walk,
    glm,
    mixture,
    multinomial,
    mvnormal,
    mvstudent_t,
    negative_binomial,
    normal,
    ordered_logistic,
    poisson,
    truncated,
    zero_inflated_poisson,
)
from nbinfer.distributions.normal import logpdf
from nbinfer.model.generative.predictions import predictions_of
from tests.model.generative.turned import DATA, compiled, drawn, found, model, plain

cut, two = truncated(normal), mixture(normal)


# ---- equal to what one writes by hand


def summed(p, d):
    """Nothing of this is needed but the call."""
    unused = p.b * 3.0
    return np.sum(normal.logpdf(d.y, p.mu, sigma=p.sigma)) + 0.0 * unused[0]


def by_steps(p, d):
    y, x = d.y, d.X
    eta = np.zeros(len(y))
    for j in range(x.shape[1]):
        eta += x[:, j] * p.b[j]
    unused = np.log(eta + 10.0)
    total = 0.0
    total += normal.logpdf(y, eta, p.sigma).sum()
    total = total + np.sum(unused)
    return total


def helper(p, d):
    return d.X @ p.b


def through_helper(p, d):
    eta = helper(p, d)
    eta[0] = 0.0
    return normal.logpdf(d.y, eta, p.sigma)


def of_package(p, d):
    return nb.distributions.normal.logpdf(d.y, p.mu, p.sigma)


def alone(p, d):
    return logpdf(d.y, p.mu, p.sigma)


def names_of_others(q, data):
    rng = q.sigma
    return normal.logpdf(data.y, q.mu, rng)


def closed_over(scale):
    def likelihood(p, d):
        return normal.logpdf(d.y, p.mu, scale)

    return likelihood


def with_penalty(p, d):
    return np.sum(normal.logpdf(d.y, p.mu, p.sigma)) - p.mu**2


def of_two(p, d):
    return np.sum(normal.logpdf(d.y, p.mu, p.sigma)) + np.sum(poisson.logpmf(d.k, p.sigma))


def probabilities(eta):
    odds = np.exp(eta)
    return odds / odds.sum(axis=1).reshape(-1, 1)


SHAPE = (6,)
EQUAL = {
    "plain": (plain, "y", lambda p, d, rng: normal.random(rng, p.mu, p.sigma, SHAPE)),
    "summed": (summed, "y", lambda p, d, rng: normal.random(rng, p.mu, p.sigma, SHAPE)),
    "by steps": (
        by_steps,
        "y",
        lambda p, d, rng: normal.random(rng, d.X[:, 0] * p.b[0] + d.X[:, 1] * p.b[1], p.sigma, SHAPE),
    ),
    "compiled": (compiled, "y", lambda p, d, rng: normal.random(rng, p.a[d.group], p.sigma, SHAPE)),
    "package": (of_package, "y", lambda p, d, rng: normal.random(rng, p.mu, p.sigma, SHAPE)),
    "alone": (alone, "y", lambda p, d, rng: normal.random(rng, p.mu, p.sigma, SHAPE)),
    "names": (names_of_others, "y", lambda p, d, rng: normal.random(rng, p.mu, p.sigma, SHAPE)),
    "closure": (closed_over(2.5), "y", lambda p, d, rng: normal.random(rng, p.mu, 2.5, SHAPE)),
    "lambda": (
        lambda p, d: normal.logpdf(d.y, p.mu, p.sigma),
        "y",
        lambda p, d, rng: normal.random(rng, p.mu, p.sigma, SHAPE),
    ),
    "penalty": (with_penalty, "y", lambda p, d, rng: normal.random(rng, p.mu, p.sigma, SHAPE)),
    "first of two": (of_two, "y", lambda p, d, rng: normal.random(rng, p.mu, p.sigma, SHAPE)),
    "second of two": (of_two, "k", lambda p, d, rng: poisson.random(rng, p.sigma, SHAPE)),
    "number": (
        lambda p, d: normal.logpdf(d.one, p.mu, p.sigma),
        "one",
        lambda p, d, rng: normal.random(rng, p.mu, p.sigma),
    ),
    "logit": (
        lambda p, d: bernoulli.logpmf_logit(d.k, d.X @ p.b),
        "k",
        lambda p, d, rng: bernoulli.random(rng, 1.0 / (1.0 + np.exp(-(d.X @ p.b))), SHAPE),
    ),
    "log": (
        lambda p, d: poisson.logpmf_log(d.k, d.X @ p.b),
        "k",
        lambda p, d, rng: poisson.random(rng, np.exp(d.X @ p.b), SHAPE),
    ),
    "softmax": (
        lambda p, d: categorical.logpmf_logit(d.k, p.a),
        "k",
        lambda p, d, rng: categorical.random(rng, np.exp(p.a) / np.sum(np.exp(p.a)), SHAPE),
    ),
    "ordered": (
        lambda p, d: ordered_logistic.logpmf(d.k, d.X @ p.b, p.a),
        "k",
        lambda p, d, rng: ordered_logistic.random(rng, d.X @ p.b, p.a, SHAPE),
    ),
    "zero inflated": (
        lambda p, d: zero_inflated_poisson.logpmf(d.k, p.w[0], p.sigma),
        "k",
        lambda p, d, rng: zero_inflated_poisson.random(rng, p.w[0], p.sigma, SHAPE),
    ),
    "truncated": (
        lambda p, d: cut.logpdf(d.y, p.mu, p.sigma, -3.0, np.inf),
        "y",
        lambda p, d, rng: cut.random(rng, p.mu, p.sigma, -3.0, np.inf, SHAPE),
    ),
    "mixture": (
        lambda p, d: two.logpdf(d.y, p.w, p.b, p.sigma),
        "y",
        lambda p, d, rng: two.random(rng, p.w, p.b, p.sigma, SHAPE),
    ),
    "vectors": (
        lambda p, d: mvnormal.logpdf_chol(d.rows, p.b, d.L),
        "rows",
        lambda p, d, rng: mvnormal.random_chol(rng, p.b, d.L, SHAPE),
    ),
    "vectors by covariance": (
        lambda p, d: mvnormal.logpdf(d.rows, p.b, d.L @ d.L.T),
        "rows",
        lambda p, d, rng: mvnormal.random(rng, p.b, d.L @ d.L.T, SHAPE),
    ),
    "series": (
        lambda p, d: gaussian_random_walk.logpdf(d.y, p.mu, p.sigma, 0.0, 1.0),
        "y",
        lambda p, d, rng: gaussian_random_walk.random(rng, p.mu, p.sigma, 0.0, 1.0, 6),
    ),
    "rows of softmax": (
        lambda p, d: categorical.logpmf_logit(d.k, d.rows * p.mu),
        "k",
        lambda p, d, rng: categorical.random(rng, probabilities(d.rows * p.mu), SHAPE),
    ),
    "counts": (
        lambda p, d: multinomial.logpmf(d.counts, 4, p.w),
        "counts",
        lambda p, d, rng: multinomial.random(rng, 4, p.w, SHAPE),
    ),
    "vectors with tails": (
        lambda p, d: mvstudent_t.logpdf_chol(d.rows, 5.0, p.b, d.L),
        "rows",
        lambda p, d, rng: mvstudent_t.random_chol(rng, 5.0, p.b, d.L, SHAPE),
    ),
    "places": (
        lambda p, d: car.logpdf_eigen(d.y, np.zeros(6), d.W, np.linspace(-0.2, 1.0, 6), 0.5, p.sigma),
        "y",
        lambda p, d, rng: car.random(rng, np.zeros(6), d.W, 0.5, p.sigma),
    ),
    "negative binomial regression": (
        lambda p, d: glm.negative_binomial(d.k, d.X, p.b, p.sigma),
        "k",
        lambda p, d, rng: negative_binomial.random(rng, np.exp(d.X @ p.b), p.sigma, SHAPE),
    ),
    "logistic regression": (
        lambda p, d: glm.logistic(d.k, d.X, p.b),
        "k",
        lambda p, d, rng: bernoulli.random(rng, 1.0 / (1.0 + np.exp(-(d.X @ p.b))), SHAPE),
    ),
    "softmax regression": (
        lambda p, d: glm.softmax(d.k, d.X, np.ones((2, 3)) * p.a),
        "k",
        lambda p, d, rng: categorical.random(rng, probabilities(d.X @ (np.ones((2, 3)) * p.a)), SHAPE),
    ),
    "linear": (
        lambda p, d: glm.linear(d.y, d.X, p.b, p.sigma, offset=d.weights, intercept=p.mu),
        "y",
        lambda p, d, rng: normal.random(rng, d.X @ p.b + p.mu + d.weights, p.sigma, SHAPE),
    ),
    "poisson regression": (
        lambda p, d: glm.poisson(d.k, d.X, p.b),
        "k",
        lambda p, d, rng: poisson.random(rng, np.exp(d.X @ p.b), SHAPE),
    ),
    "ordered regression": (
        lambda p, d: glm.ordered(d.k, d.X, p.b, p.a),
        "k",
        lambda p, d, rng: ordered_logistic.random(rng, d.X @ p.b, p.a, SHAPE),
    ),
}


@pytest.mark.either
@pytest.mark.parametrize("case", EQUAL)
def test_a_derived_prediction_is_the_one_that_is_written_by_hand(case):
    likelihood, name, by_hand = EQUAL[case]
    derived = found(likelihood, name)
    assert not isinstance(derived, str), derived
    a, b = drawn(derived), drawn(by_hand)
    assert np.array_equal(a, b)
    assert np.asarray(a).dtype == np.asarray(b).dtype
    assert np.shape(a) == np.shape(DATA[name])


def test_a_swapped_parameter_is_seen():
    derived = found(lambda p, d: normal.logpdf(d.y, p.sigma, abs(p.mu)))
    assert not np.array_equal(drawn(derived), drawn(EQUAL["plain"][2]))


def test_only_statements_that_the_draw_needs_are_in_it():
    text = inspect.getsource(found(by_steps))
    assert "unused" not in text
    assert "total" not in text
    assert text.startswith("def replicate_y(p, d, rng):\n    eta = np.zeros(len(d.y))\n    for j in ")


def test_what_a_function_may_have_changed_is_in_it():
    assert "eta[0] = 0.0" in inspect.getsource(found(through_helper))


def test_a_derived_function_has_lines_in_tracebacks():
    f = found(plain)
    with pytest.raises(AttributeError) as error:
        f(None, None, None)
    lines = "".join(traceback.format_exception(error.value))
    assert "return normal.random(rng, p.mu, p.sigma, d.y.shape)" in lines
    linecache.checkcache()
    assert inspect.getsource(f)


def test_globals_are_those_of_the_model_now(monkeypatch):
    f = found(through_helper)
    monkeypatch.setitem(globals(), "helper", lambda p, d: np.full(6, 100.0))
    assert drawn(f)[1:].min() > 50.0


def test_a_prediction_that_was_given_counts():
    def predict(p, d, rng):
        return d.y

    assert predictions_of(model({"y": plain}, predict={"y": predict}).definition) == {"y": predict}

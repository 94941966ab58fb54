"""The density with missing values is that of the model with these written as parameters, whatever the family."""

import functools

import numpy as np
import pytest

import nbinfer.model as nb
from nbinfer.compile import JIT
from nbinfer.distributions import (
    bernoulli,
    beta,
    binomial,
    cauchy,
    exponential,
    gamma,
    laplace,
    lognormal,
    negative_binomial,
    normal,
    pareto,
    poisson,
    student_t,
    uniform,
)
from nbinfer.model.code import generate

NAN = np.nan


def of_normal(y, a):
    return normal.logpdf(y, a, 1.5)


def of_student_t(y, a):
    return student_t.logpdf(y, 4.0, a, 1.5)


def of_cauchy(y, a):
    return cauchy.logpdf(y, a, 2.0)


def of_laplace(y, a):
    return laplace.logpdf(y, a, 2.0)


def of_gamma(y, a):
    return gamma.logpdf(y, 2.0 + a**2, 1.5)


def of_lognormal(y, a):
    return lognormal.logpdf(y, a, 0.7)


def of_exponential(y, a):
    return exponential.logpdf(y, np.exp(a))


def of_beta(y, a):
    return beta.logpdf(y, 2.0, 1.0 + a**2)


def of_pareto(y, a):
    return pareto.logpdf(y, 2.0 + a**2, 1.0)


def of_uniform(y, a):
    return uniform.logpdf(y, -2.0, 5.0) - 0.1 * (y - a) ** 2


def of_poisson(y, a):
    return poisson.logpmf(y, np.exp(a))


def of_binomial(y, a):
    return binomial.logpmf(y, 8, 1.0 / (1.0 + np.exp(-a)))


def of_negative_binomial(y, a):
    return negative_binomial.logpmf(y, np.exp(a), 2.0)


def of_bernoulli(y, a):
    return bernoulli.logpmf(y, 1.0 / (1.0 + np.exp(-a)))


#: By family its log density, the support of a missing value, and observed ones.
FAMILIES = {
    "normal": (of_normal, nb.real, [0.3, NAN, -1.2, NAN, 2.0]),
    "student_t": (of_student_t, nb.real, [NAN, 0.3, -1.2, 7.0, NAN]),
    "cauchy": (of_cauchy, nb.real, [0.3, -1.2, NAN]),
    "laplace": (of_laplace, nb.real, [NAN, -1.2, NAN, 3.0]),
    "gamma": (of_gamma, nb.positive, [0.3, NAN, 1.2, NAN]),
    "lognormal": (of_lognormal, nb.positive, [NAN, NAN, 1.2, 4.0]),
    "exponential": (of_exponential, nb.positive, [0.3, NAN, 1.2, NAN, 0.1]),
    "beta": (of_beta, nb.unit, [0.3, NAN, 0.9, NAN]),
    "pareto": (of_pareto, functools.partial(nb.lower, 1.0), [1.3, NAN, 4.0, NAN]),
    "uniform": (of_uniform, functools.partial(nb.interval, -2.0, 5.0), [NAN, 4.0, NAN]),
    "poisson": (of_poisson, functools.partial(nb.integer, 0, 50), [3, NAN, 0, NAN, 7]),
    "binomial": (of_binomial, functools.partial(nb.integer, 0, 8), [NAN, 8, 0, NAN]),
    "negative_binomial": (of_negative_binomial, functools.partial(nb.integer, 0, 99), [3, 1, NAN, NAN]),
    "bernoulli": (of_bernoulli, nb.binary, [1, 0, NAN, NAN, 1]),
}


def prior(p, d):
    return -0.5 * p.a**2


def of_whole(logpdf):
    def likelihood(p, d):
        return logpdf(d.y, p.a)

    return likelihood


def of_parts(logpdf):
    def likelihood(p, d):
        return np.sum(logpdf(d.y, p.a)) + np.sum(logpdf(p.y_missing, p.a))

    return likelihood


def parts_of(names):
    """Return, by name, which values are missing, and the others in the type that the support asks for."""
    values = {name: np.array(FAMILIES[name][2]) for name in names}
    gaps = {name: np.isnan(y) for name, y in values.items()}
    kinds = {name: np.int64 if FAMILIES[name][1]().discrete else np.float64 for name in names}
    return gaps, {name: values[name][~gap].astype(kinds[name]) for name, gap in gaps.items()}


def imputing(name):
    """Return a model that imputes."""
    logpdf, support, y = FAMILIES[name]
    return nb.Model({"a": nb.real()}, prior=prior, likelihood={"y": of_whole(logpdf)}, data={"y": y},
                    missing={"y": support()})  # fmt: skip


def by_hand(name):
    """Return the same with the missing values written as parameters."""
    logpdf, support, _ = FAMILIES[name]
    gaps, there = parts_of([name])
    supports = {"a": nb.real(), "y_missing": support(shape=int(gaps[name].sum()))}
    return nb.Model(supports, prior=prior, likelihood={"y": of_parts(logpdf)}, data={"y": there[name]})


def agree(one, other, seed):
    """Compare two models, compiled."""
    q, z = a_place(one.definition, seed)
    wanted, grad = other.value_and_grad(q, z)
    found = one.value_and_grad(q, z)
    np.testing.assert_allclose(found[0], wanted, rtol=1e-12)
    np.testing.assert_allclose(found[1], grad, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(one.value(q, z), wanted, rtol=1e-12)


def a_place(model, seed=0):
    """Return coordinates and discrete values that are nothing special."""
    rng = np.random.default_rng(seed)
    discrete = [
        rng.integers(*p.support.constants[[0, -1]].astype(int), p.elements, endpoint=True)
        for p in model.parameters.values()
        if p.support.discrete
    ]
    return rng.normal(size=model.dim), np.concatenate([np.zeros(0, np.int64), *discrete])


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("name", FAMILIES)
def test_the_density_is_that_of_the_model_written_by_hand(name):
    one, other = imputing(name), by_hand(name)
    assert list(one.parameters) == list(other.parameters)
    assert one.parameters["y_missing"].support == other.parameters["y_missing"].support
    assert one.data["y"].dtype == (np.int64 if FAMILIES[name][1]().discrete else np.float64)
    for seed in range(3):
        q, z = a_place(one, seed)
        assert np.isfinite(other.logp_unconstrained(q, z))
        np.testing.assert_allclose(one.logp_unconstrained(q, z), other.logp_unconstrained(q, z), rtol=1e-12)
        np.testing.assert_allclose(one.log_jacobian(q, z), other.log_jacobian(q, z), rtol=1e-12)

    if not JIT:  # compiled, this is done for some
        assert one.bind(1).has_gradient == "derived"
        agree(one.bind(1), other.bind(1), 1)


def of_some(p, d):
    return np.sum(of_normal(d.normal, p.a)) + np.sum(of_beta(d.beta, p.a)) + np.sum(of_poisson(d.poisson, p.a))


def of_some_by_hand(p, d):
    more = np.sum(of_normal(p.normal_missing, p.a)) + np.sum(of_beta(p.beta_missing, p.a))
    return of_some(p, d) + more + np.sum(of_poisson(p.poisson_missing, p.a))


@pytest.mark.either
def test_value_and_gradient_of_some_are_those_of_the_model_written_by_hand():
    names = ["normal", "beta", "poisson"]
    gaps, there = parts_of(names)
    one = nb.Model({"a": nb.real()}, prior=prior, likelihood=of_some, data={n: FAMILIES[n][2] for n in names},
                   missing={n: FAMILIES[n][1]() for n in names})  # fmt: skip
    supports = {f"{n}_missing": FAMILIES[n][1](shape=int(gap.sum())) for n, gap in gaps.items()}
    other = nb.Model({"a": nb.real()} | supports, prior=prior, likelihood=of_some_by_hand, data=there)
    assert one.bind(1).has_gradient == "derived"
    for seed in range(3):
        agree(one.bind(1), other.bind(1), seed)


@pytest.mark.skipif(JIT, reason="plain Python runs the same text")
def test_a_jacobian_that_is_left_out_is_seen(monkeypatch):
    constrain = generate.constrain

    def without(p, **more):
        return [line.replace("log_jacobian += forward_y_missing", "forward_y_missing") for line in constrain(p, **more)]

    q, z = a_place(by_hand("beta"))
    wanted = by_hand("beta").logp_unconstrained(q, z)
    assert np.isclose(imputing("beta").bind(1).value_and_grad(q, z)[0], wanted, rtol=1e-12)
    monkeypatch.setattr(generate, "constrain", without)
    assert not np.isclose(imputing("beta").bind(1).value_and_grad(q, z)[0], wanted, rtol=1e-3)

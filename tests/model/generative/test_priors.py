"""Draws from the prior: derived ones follow its density, in an order in which each finds what it reads."""

import inspect

import numpy as np
import pytest
from scipy import stats

import nbinfer as nb
from nbinfer.distributions import (
    bernoulli,
    beta,
    dirichlet,
    exponential,
    flat,
    gamma,
    gaussian_random_walk,
    half_cauchy,
    half_flat,
    lkj_cholesky,
    lognormal,
    mvnormal,
    normal,
    poisson,
    student_t,
    truncated,
    uniform,
    wishart,
)
from nbinfer.errors import ModelError
from nbinfer.model.fingerprint import parts_of
from nbinfer.model.generative import within
from nbinfer.model.generative.priors import prior_draws_of

cut = truncated(gamma)


def likelihood(p, d):
    return 0.0


def draws_of(supports, prior, **more):
    return prior_draws_of(nb.Model(supports, prior=prior, likelihood=likelihood, **more).definition)


def sampled(supports, prior, n=3000, seed=11, **more):
    """Draw n times, one function after the other, each with the parameters before it."""
    model = nb.Model(supports, prior=prior, likelihood=likelihood, **more)
    found = prior_draws_of(model.definition)
    assert not found.reasons, found.reasons
    assert not found.improper
    rng = np.random.Generator(np.random.Philox(seed))
    draws = {name: [] for name in supports}
    for _ in range(n):
        values = dict.fromkeys(supports, np.nan)
        for name, f in found.functions.items():
            p = model.layout.tuple_class(**values)
            values[name] = f(p, model.data_tuple, rng)
            draws[name].append(values[name])
    return {name: np.array(column) for name, column in draws.items()}


# ---- laws

#: Support, prior of x, and the law of each element in SciPy.
LAWS = {
    "normal": (nb.real(), lambda p, d: normal.logpdf(p.x, 1.0, 2.0), stats.norm(1.0, 2.0)),
    "gamma": (nb.positive(), lambda p, d: gamma.logpdf(p.x, 3.0, 2.0), stats.gamma(3.0, scale=0.5)),
    "beta": (nb.unit(), lambda p, d: beta.logpdf(p.x, 2.0, 5.0), stats.beta(2.0, 5.0)),
    "exponential": (nb.positive(), lambda p, d: exponential.logpdf(p.x, 0.5), stats.expon(scale=2.0)),
    "lognormal": (nb.positive(), lambda p, d: lognormal.logpdf(p.x, 0.0, 0.5), stats.lognorm(0.5)),
    "student_t": (nb.real(), lambda p, d: student_t.logpdf(p.x, 5.0, 0.0, 1.0), stats.t(5.0)),
    "uniform": (nb.interval(-1, 3), lambda p, d: uniform.logpdf(p.x, -1.0, 3.0), stats.uniform(-1.0, 4.0)),
    "poisson": (nb.integer(0, 200), lambda p, d: poisson.logpmf(p.x, 3.0), stats.poisson(3.0)),
    "counts": (nb.integer(0), lambda p, d: poisson.logpmf(p.x, 3.0), stats.poisson(3.0)),
    "bernoulli": (nb.binary(), lambda p, d: bernoulli.logpmf(p.x, 0.3), stats.bernoulli(0.3)),
    "truncated": (
        nb.lower(1.0),
        lambda p, d: cut.logpdf(p.x, 3.0, 2.0, 1.0, np.inf),
        stats.truncnorm,  # replaced by the distribution function below
    ),
    "half a normal": (nb.positive(), lambda p, d: normal.logpdf(p.x, 0.0, 2.0), stats.halfnorm(scale=2.0)),
    "a tail": (nb.lower(1.5), lambda p, d: normal.logpdf(p.x, 0.0, 1.0), stats.truncnorm(1.5, np.inf)),
    "a piece": (nb.interval(-1, 0.5), lambda p, d: normal.logpdf(p.x, 0.0, 1.0), stats.truncnorm(-1.0, 0.5)),
    "no term": (nb.interval(2, 5), lambda p, d: 0.0, stats.uniform(2.0, 3.0)),
    "flat": (nb.unit(), lambda p, d: flat.logpdf(p.x), stats.uniform()),
    "cut counts": (nb.integer(2, 4), lambda p, d: poisson.logpmf(p.x, 3.0), None),
    "no term for categories": (nb.categorical(4), lambda p, d: 0.0, stats.randint(0, 4)),
}


@pytest.mark.either
@pytest.mark.parametrize("case", LAWS)
def test_draws_follow_the_prior(case):
    support, prior, law = LAWS[case]
    x = sampled({"x": support}, prior)["x"]
    if case == "truncated":
        whole = stats.gamma(3.0, scale=0.5)
        assert stats.kstest(x, lambda t: 1.0 - whole.sf(t) / whole.sf(1.0)).pvalue > 1e-3
        return
    if case == "cut counts":
        p = stats.poisson(3.0).pmf([2, 3, 4])
        counts = [np.sum(x == k) for k in (2, 3, 4)]
        assert stats.chisquare(counts, x.size * p / p.sum()).pvalue > 1e-3
        return
    assert abs(x.mean() - law.mean()) < 4.0 * law.std() / np.sqrt(x.size)
    assert abs(x.var() - law.var()) < 4.0 * np.std((x - law.mean()) ** 2) / np.sqrt(x.size) + 1e-12
    if support.discrete:
        assert x.dtype == np.int64
        values = np.arange(x.min(), x.max() + 1)
        expected = law.pmf(values) * x.size
        kept = expected > 5.0
        observed = np.array([np.sum(x == k) for k in values])[kept]
        assert stats.chisquare(observed, expected[kept] * observed.sum() / expected[kept].sum()).pvalue > 1e-3
    else:
        assert stats.kstest(x, law.cdf).pvalue > 1e-3


@pytest.mark.either
def test_a_wrong_parameter_fails_the_law():
    x = sampled({"x": nb.positive()}, lambda p, d: gamma.logpdf(p.x, 2.0, 3.0))["x"]
    assert stats.kstest(x, stats.gamma(3.0, scale=0.5).cdf).pvalue < 1e-10


@pytest.mark.either
def test_elements_that_are_cut_are_independent_and_each_has_its_own_bounds():
    low = np.array([0.0, 1.0, -1.0])
    x = sampled({"x": nb.lower(low)}, lambda p, d: np.sum(normal.logpdf(p.x, 0.0, 1.0)))["x"]
    for j in range(3):
        assert stats.kstest(x[:, j], stats.truncnorm(low[j], np.inf).cdf).pvalue > 1e-3
    assert np.abs(np.corrcoef(x.T) - np.eye(3)).max() < 4.0 / np.sqrt(len(x))


@pytest.mark.either
def test_sorted_draws_are_order_statistics():
    x = sampled({"x": nb.ordered(3)}, lambda p, d: np.sum(normal.logpdf(p.x, 0.0, 1.0)))["x"]
    assert np.all(np.diff(x) > 0.0)
    assert stats.kstest(stats.norm.cdf(x[:, 0]), stats.beta(1, 3).cdf).pvalue > 1e-3
    assert stats.kstest(stats.norm.cdf(x[:, 1]), stats.beta(2, 2).cdf).pvalue > 1e-3


@pytest.mark.either
def test_whole_rows_are_drawn_until_they_increase_where_elements_differ():
    def prior(p, d):
        return np.sum(normal.logpdf(p.x, d.mu, 1.0))

    x = sampled({"x": nb.ordered(2)}, prior, data={"mu": [0.5, 0.0]})["x"]
    assert np.all(np.diff(x) > 0.0)
    rng = np.random.Generator(np.random.Philox(5))
    pairs = rng.normal([0.5, 0.0], 1.0, (20000, 2))
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    assert stats.ks_2samp(x[:, 0], pairs[:, 0]).pvalue > 1e-3
    assert stats.ks_2samp(x[:, 1], pairs[:, 1]).pvalue > 1e-3


def hierarchical(p, d):
    lp = np.sum(normal.logpdf(p.theta, p.mu, p.tau))  # stands before what it depends on
    lp += normal.logpdf(p.mu, 1.0, 3.0)
    return lp + gamma.logpdf(p.tau, 4.0, 2.0)


@pytest.mark.either
def test_a_hierarchy_is_drawn_from_the_top():
    supports = {"theta": nb.real(2), "mu": nb.real(), "tau": nb.positive()}
    found = draws_of(supports, hierarchical)
    assert found.stages == [["mu", "tau"], ["theta"]]
    x = sampled(supports, hierarchical)
    z = (x["theta"] - x["mu"][:, None]) / x["tau"][:, None]
    assert stats.kstest(z.ravel(), stats.norm.cdf).pvalue > 1e-3
    assert stats.kstest(x["mu"], stats.norm(1.0, 3.0).cdf).pvalue > 1e-3
    assert np.corrcoef(x["theta"][:, 0], x["mu"])[0, 1] > 0.7
    wrong = (x["theta"][1:] - x["mu"][:-1, None]) / x["tau"][:-1, None]
    assert stats.kstest(wrong.ravel(), stats.norm.cdf).pvalue < 1e-10


@pytest.mark.parametrize(
    ("support", "prior", "shape"),
    [
        (nb.simplex(3, shape=2), lambda p, d: np.sum(dirichlet.logpdf(p.x, np.ones(3))), (2, 3)),
        (nb.simplex(3), lambda p, d: 0.0, (3,)),
        (nb.simplex(3, shape=2), lambda p, d: 0.0, (2, 3)),
        (nb.cholesky_corr(3), lambda p, d: lkj_cholesky.logpdf(p.x, 2.0), (3, 3)),
        (nb.covariance(2), lambda p, d: wishart.logpdf(p.x, 5.0, np.eye(2)), (2, 2)),
        (nb.real((4, 2)), lambda p, d: np.sum(mvnormal.logpdf(p.x, np.zeros(2), np.eye(2))), (4, 2)),
        (nb.real(5), lambda p, d: gaussian_random_walk.logpdf(p.x, 0.0, 1.0, 0.0, 1.0), (5,)),
        (nb.positive_ordered(2, shape=3), lambda p, d: np.sum(exponential.logpdf(p.x, 1.0)), (3, 2)),
        (nb.real((2, 3)), lambda p, d: normal.logpdf(p.x, 0.0, 1.0).sum(), (2, 3)),
        (nb.binary((2, 3)), lambda p, d: 0.0, (2, 3)),
        (nb.unit(1), lambda p, d: beta.logpdf(p.x, 1.0, 1.0)[0] + np.sum(beta.logpdf(p.x, 1.0, 1.0)) * 0.0, None),
    ],
)
def test_draws_have_the_shape_of_the_parameter_and_lie_in_its_support(support, prior, shape):
    if shape is None:
        assert "no density of one parameter" in draws_of({"x": support}, prior).reasons["x"]
        return
    for x in sampled({"x": support}, prior, n=20)["x"]:
        assert x.shape == shape
        support.check(x)


# ---- reasons


def soft(p, d):
    return normal.logpdf(p.a, 0.0, 1.0) + normal.logpdf(p.b, 0.0, 1.0) + normal.logpdf(p.a + p.b, 0.0, 0.1)


def test_a_term_that_ties_parameters_is_named_for_each():
    found = draws_of({"a": nb.real(), "b": nb.real(), "c": nb.unit()}, soft)
    assert list(found.functions) == ["c"]
    for name in "ab":
        assert "no density of one parameter" in found.reasons[name]
        assert f'File "{__file__}"' in found.reasons[name]


def test_a_draw_that_was_given_stands_for_terms_about_it():
    def b(p, d, rng):
        return rng.normal(-p.a, 0.1)

    found = draws_of({"b": nb.real(), "a": nb.real()}, soft, prior_draw={"b": b})
    assert found.stages == [["a"], ["b"]]
    assert found.functions["b"] is b


REASONS = {
    "twice": (lambda p, d: normal.logpdf(p.x, 0.0, 1.0) + normal.logpdf(p.x, 1.0, 1.0), "two densities"),
    "by hand": (lambda p, d: -0.5 * p.x**2, "no density of one parameter"),
    "weighted": (lambda p, d: 2.0 * normal.logpdf(p.x, 0.0, 1.0), "no density of one parameter"),
    "itself": (lambda p, d: normal.logpdf(p.x, p.x, 1.0), "depends on p.x itself"),
    "other": (lambda p, d: normal.logpdf(p.x, p.y, 1.0) + normal.logpdf(p.y, p.x, 1.0), "each by the others"),
    "repeated": (lambda p, d: np.sum(normal.logpdf(p.x, np.zeros(3), 1.0)), "has shape (3,)"),
}


@pytest.mark.parametrize("case", REASONS)
def test_what_is_no_plain_density_has_a_reason(case):
    prior, reason = REASONS[case]
    found = draws_of({"x": nb.real(), "y": nb.real()}, prior)
    assert reason in found.reasons["x"]
    assert "x" not in found.improper


def test_a_support_that_cuts_a_density_whose_parameters_are_drawn_has_a_reason():
    def prior(p, d):
        return normal.logpdf(p.mu, 0.0, 1.0) + normal.logpdf(p.x, p.mu, 1.0)

    assert "counts in their density" in draws_of({"mu": nb.real(), "x": nb.positive()}, prior).reasons["x"]
    assert not draws_of({"mu": nb.real(), "x": nb.real()}, prior).reasons

    def ordered(p, d):
        return normal.logpdf(p.mu, 0.0, 1.0) + np.sum(normal.logpdf(p.x, p.mu, 1.0))

    assert not draws_of({"mu": nb.real(), "x": nb.ordered(3)}, ordered).reasons  # 1/3! of it, whatever mu is

    def edges(p, d):
        return gamma.logpdf(p.mu, 2.0, 1.0) + uniform.logpdf(p.x, 0.0, p.mu)

    assert not draws_of({"mu": nb.positive(), "x": nb.positive()}, edges).reasons


def test_bounds_that_depend_on_parameters_have_a_reason():
    found = draws_of({"x": nb.unit(), "y": nb.interval(0.0, lambda p, d: p.x)}, lambda p, d: beta.logpdf(p.y, 1.0, 2.0))
    assert "bounds of p.y depend" in found.reasons["y"]


@pytest.mark.parametrize(
    ("support", "prior"),
    [
        (nb.real(), lambda p, d: flat.logpdf(p.x)),
        (nb.positive(), lambda p, d: half_flat.logpdf(p.x)),
        (nb.real(3), lambda p, d: 0.0),
        (nb.lower(1.0), lambda p, d: normal.logpdf(p.other, 0.0, 1.0)),
        (nb.ordered(2), None),
    ],
)
def test_an_improper_prior_is_told_by_name(support, prior):
    found = draws_of({"x": support, "other": nb.unit()}, prior)
    assert list(found.improper) == ["x"]
    assert "not normalised" in found.improper["x"]


def test_terms_by_name_are_read_one_by_one():
    terms = {"x": lambda p, d: normal.logpdf(p.x, 0.0, 1.0), "rest": lambda p, d: gamma.logpdf(p.y, 2.0, 1.0)}
    assert draws_of({"x": nb.real(), "y": nb.positive()}, terms).stages == [["x", "y"]]


def test_a_support_that_leaves_hardly_anything_gives_up(monkeypatch):
    monkeypatch.setattr("nbinfer.model.generative.draws.TRIES", 50)
    with pytest.raises(ValueError, match="prior draw of 'x': 50 draws of normal left some outside"):
        sampled({"x": nb.lower(40.0)}, lambda p, d: normal.logpdf(p.x, 0.0, 1.0), n=1)


def test_rows_are_looked_at_one_by_one():
    low, high = np.full(4, 0.0), np.full(4, 1.0)
    x = np.array([[0.2, 0.5], [0.7, 0.6]])
    assert within.all_inside(x, 2, low, high, False)
    assert not within.all_inside(x, 2, low, high, True)
    within.replace_outside(x, np.array([[9.0, 9.0], [0.1, 0.2]]), 2, low, high, True)
    assert x.tolist() == [[0.2, 0.5], [0.1, 0.2]]
    assert not within.all_inside(np.array([0.0, 0.5]), 1, low, high, False)


def test_lines_of_a_draw_can_be_read():
    found = draws_of({"theta": nb.real(2), "mu": nb.real(), "tau": nb.positive()}, hierarchical)
    assert inspect.getsource(found.functions["theta"]) == (
        "def draw_theta(p, d, rng):\n    return normal.random(rng, p.mu, p.tau, (2,))\n"
    )


# ---- the argument


def test_functions_that_draw_are_checked():
    def one(p, d, rng):
        return rng.normal()

    supports = {"x": nb.real(), "y": nb.real()}
    arguments = {"prior": lambda p, d: 0.0, "likelihood": likelihood}
    with pytest.raises(ModelError, match="prior_draw names 'z', which is no parameter; they are x, y"):
        nb.Model(supports, **arguments, prior_draw={"z": one})
    with pytest.raises(ModelError, match=r"prior_draw 'x' must take 3 arguments, f\(p, d, rng\)"):
        nb.Model(supports, **arguments, prior_draw={"x": lambda p, d: 0.0})
    with pytest.raises(ModelError, match="prior_draw must map names to functions"):
        nb.Model(supports, **arguments, prior_draw=one)
    model = nb.Model(supports, **arguments, prior_draw={"x": one})
    assert model.prior_draw == {"x": one}
    assert not [name for name in parts_of(model.definition) if "prior_draw" in name]
    with pytest.raises(ModelError, match=r"reads p\.x, which it is to draw"):
        draws_of(supports, None, prior_draw={"x": lambda p, d, rng: p.x})
    circle = {"x": lambda p, d, rng: p.y, "y": lambda p, d, rng: p.x}
    with pytest.raises(ModelError, match="need each other"):
        draws_of(supports, None, prior_draw=circle)


def test_a_prior_within_the_density_is_not_known():
    model = nb.Model({"x": nb.real()}, logp=lambda p, d: -(p.x**2))
    with pytest.raises(ModelError, match="pass prior and likelihood instead"):
        prior_draws_of(model.definition)


def test_half_a_cauchy_is_drawn_as_such():
    found = draws_of({"x": nb.positive()}, lambda p, d: half_cauchy.logpdf(p.x, 5.0))
    assert "half_cauchy.random(rng, 5.0)" in inspect.getsource(found.functions["x"])

"""Draws from the prior: they follow it, in the order of the hierarchy, or it is said why nothing can be drawn."""

import functools

import numpy as np
import pytest
from scipy import stats

import nbinfer as nb
from nbinfer.distributions import exponential, flat, gamma, normal, poisson
from nbinfer.errors import ModelError, NbinferWarning
from nbinfer.model.generative.priors import prior_draws_of
from nbinfer.predictive import prior as room
from nbinfer.trace.groups import TraceGroup
from nbinfer.trace.prior import Prior

X = np.array([-1.0, 0.0, 2.0])


def likelihood(p, d):
    return normal.logpdf(d.y, p.theta[0] + p.slope * d.X, p.tau)


def prior(p, d):
    lp = np.sum(normal.logpdf(p.theta, p.mu, p.tau))  # stands before what it depends on
    lp += normal.logpdf(p.mu, 1.0, 3.0) + gamma.logpdf(p.tau, 4.0, 2.0)
    lp += normal.logpdf(p.slope, 0.0, 2.0)  # of which half is positive
    lp += np.sum(normal.logpdf(p.cuts, p.mu, 1.0))
    return lp + poisson.logpmf(p.n, 3.0)


def contrast(p, d):
    return p.theta[0] - p.theta[1]


SUPPORTS = {
    "theta": nb.real(2),
    "mu": nb.real(),
    "tau": nb.positive(),
    "slope": nb.positive(),
    "cuts": nb.ordered(3),
    "n": nb.integer(0, 100),
    "even": nb.interval(-1.0, 2.0, shape=2),
}


@functools.cache
def model():
    data = {"y": np.zeros(3), "X": X}
    return nb.Model(SUPPORTS, prior=prior, likelihood={"y": likelihood}, derived={"contrast": contrast}, data=data)


@functools.cache
def draws():
    return nb.sample_prior_predictive(2000, model(), random_seed=5, progressbar=False)


def small(**arguments):
    """Return a model of which nothing is compiled."""
    given = {"prior": lambda p, d: normal.logpdf(p.a, 0.0, 1.0), "likelihood": {"y": of_y}, "data": {"y": np.zeros(3)}}
    return nb.Model({"a": nb.real()}, **given | arguments)


def of_y(p, d):
    return normal.logpdf(d.y, p.a, 1.0)


# ---- laws


def follows(x, law):
    assert stats.kstest(np.ravel(x), law.cdf).pvalue > 1e-3


@pytest.mark.either
def test_draws_follow_the_prior_from_the_top_down():
    t = draws()
    assert {name: t[name].shape[2:] for name in SUPPORTS} == {n: s.shape for n, s in SUPPORTS.items()}
    assert t["n"].dtype == np.int64
    follows(t["mu"], stats.norm(1.0, 3.0))
    follows(t["tau"], stats.gamma(4.0, scale=0.5))
    follows(t["slope"], stats.halfnorm(scale=2.0))
    follows((t["theta"] - t["mu"][..., None]) / t["tau"][..., None], stats.norm())
    follows(stats.norm.cdf(t["cuts"][..., 0] - t["mu"]), stats.beta(1, 3))
    follows(t["even"], stats.uniform(-1.0, 3.0))
    counts = np.bincount(t["n"].ravel(), minlength=8)[:8]
    p = stats.poisson(3.0).pmf(np.arange(8))
    assert stats.chisquare(counts, p * counts.sum() / p.sum()).pvalue > 1e-3
    assert np.array_equal(t["contrast"], t["theta"][..., 0] - t["theta"][..., 1])


def test_predictions_belong_to_the_draws():
    t = draws()
    assert t["y"].shape == (1, 2000, 3)
    follows((t["y"] - t["theta"][..., :1] - t["slope"][..., None] * X) / t["tau"][..., None], stats.norm())
    wrong = (t["y"][:, 1:] - t["theta"][:, :-1, :1] - t["slope"][:, :-1, None] * X) / t["tau"][:, :-1, None]
    assert stats.kstest(wrong.ravel(), stats.norm.cdf).pvalue < 1e-6


@pytest.mark.nojit  # long as plain Python
def test_no_number_depends_on_cores_or_on_what_else_is_computed():
    again = nb.sample_prior_predictive(2000, model(), "y", random_seed=5, progressbar=False, cores=1)
    assert "contrast" not in again
    for name in (*SUPPORTS, "y"):
        assert np.array_equal(again[name], draws()[name])
    with model():
        other = nb.sample_prior_predictive(10, random_seed=6, var_names=[], progressbar=False)
    assert other.predictive is None
    assert not np.array_equal(other["mu"], draws()["mu"][:, :10])


def test_all_elements_are_drawn_anew_for_each_draw():
    t = draws()
    for name in ("mu", "tau", "slope", "even"):
        assert len(np.unique(t[name])) == t[name].size
    columns = np.column_stack([t[name][0].reshape(2000, -1) for name in ("mu", "tau", "slope", "even")])
    assert np.abs(np.corrcoef(columns.T) - np.eye(5)).max() < 4.5 / np.sqrt(2000)


def test_a_wrong_order_is_seen(monkeypatch):
    def turned(definition):
        found = prior_draws_of(definition)
        return found._replace(stages=found.stages[::-1])

    def nested(p, d):
        return normal.logpdf(p.b, p.a, 1.0) + normal.logpdf(p.a, 0.0, 1.0)

    m = nb.Model({"b": nb.real(), "a": nb.real()}, prior=nested, likelihood=lambda p, d: 0.0)
    monkeypatch.setattr(room, "prior_draws_of", turned)
    with pytest.raises(ValueError, match="normal: mu must be a finite number, got nan"):
        nb.sample_prior_predictive(3, m, [], random_seed=1, progressbar=False)


# ---- functions that are given


@pytest.mark.either
def test_a_function_that_is_given_counts():
    def a(p, d, rng):
        return rng.exponential(2.0)

    m = small(prior=lambda p, d: -abs(p.a), prior_draw={"a": a})
    t = nb.sample_prior_predictive(1000, m, [], random_seed=1, progressbar=False)
    follows(t["a"], stats.expon(scale=2.0))


@pytest.mark.either
@pytest.mark.parametrize(
    ("support", "f", "message"),
    [
        (nb.real(2), lambda p, d, rng: rng.normal(), r"must return the shape of its parameter, \(2,\), got \(\)"),
        (nb.positive(), lambda p, d, rng: -1.0, "must return values of its support: at draw 0, a value of positive"),
        (nb.integer(0, 3), lambda p, d, rng: 1.5, "must return integers"),
        (nb.binary(), lambda p, d, rng: 7, "must lie in 0 ... 1, got 7"),
    ],
)
def test_what_a_function_returns_is_checked(support, f, message):
    m = nb.Model({"a": support}, likelihood=lambda p, d: 0.0, prior_draw={"a": f})
    with pytest.raises(ModelError, match=message):
        nb.sample_prior_predictive(3, m, [], progressbar=False)


def test_some_functions_alone_are_refused_where_others_are_not_known():
    def tied(p, d):
        return -((p.a - p.b) ** 2) + normal.logpdf(p.c, 0.0, 1.0) - p.d**2

    def c(p, d, rng):
        return rng.normal()

    m = nb.Model(dict.fromkeys("abcd", nb.real()), prior=tied, likelihood=lambda p, d: 0.0, prior_draw={"c": c})
    with pytest.raises(ModelError, match=r"has functions for c and needs others for a, b, d.*\n.*in tied"):
        nb.sample_prior_predictive(3, m, [], progressbar=False)


# ---- priors from which nothing can be drawn


@pytest.mark.parametrize("term", [lambda p, d: flat.logpdf(p.a), lambda p, d: 0.0, None])
def test_an_improper_prior_is_refused_by_name(term):
    with pytest.raises(ModelError, match=r"no probability distribution. 'a': .* Give 'a' a proper prior"):
        nb.sample_prior_predictive(3, small(prior=term), progressbar=False)


def test_a_prior_within_the_density_is_refused():
    m = nb.Model({"a": nb.real()}, logp=lambda p, d: -(p.a**2))
    with pytest.raises(ModelError, match="pass prior and likelihood instead"):
        nb.sample_prior_predictive(3, m, progressbar=False)


def soft(p, d):
    return normal.logpdf(p.a, 0.0, 1.0) + normal.logpdf(p.b, 0.0, 1.0) + normal.logpdf(p.a + p.b, 0.0, 0.1)


def tied_model():
    supports = {"a": nb.real(), "b": nb.real()}
    data = {"y": np.full(3, 50.0)}
    return nb.Model(supports, prior=soft, likelihood={"y": of_y}, data=data, total_size={"y": 100})


@pytest.mark.either
def test_what_cannot_be_drawn_is_sampled_without_the_likelihood_and_says_so(monkeypatch):
    seen, mixed = [], np.random.default_rng(0).normal(size=(4, 1000))

    def pretend(alone, draws, **options):
        seen.append((alone, draws, options))
        return nb.Trace({"a": mixed, "b": mixed})

    monkeypatch.setattr(room, "sample", pretend)
    with pytest.warns(NbinferWarning, match=r"is sampled by nb.sample.* 'a', 'b'.*\n.*in soft\n.*p.a \+ p.b"):
        t = nb.sample_prior_predictive(20, tied_model(), [], random_seed=3, progressbar=False)
    (alone, draws, options), point = seen[0], {"a": 0.3, "b": -0.1}
    assert alone.logp(point) == pytest.approx(soft(alone.layout.as_tuple(point), None))
    assert draws == 1000
    assert options["random_seed"].entropy == 3
    assert t["a"].tolist() == [mixed.ravel()[::200].tolist()]
    assert t.attrs["sampled"]
    assert not draws_are_sampled(draws_of_small())


def draws_of_small():
    return nb.sample_prior_predictive(5, small(), [], random_seed=3, progressbar=False)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")
def test_a_prior_whose_chains_wander_off_is_refused(monkeypatch):
    walks = np.random.default_rng(0).normal(size=(2, 4, 1000)).cumsum(axis=2)
    monkeypatch.setattr(room, "sample", lambda *_, **__: nb.Trace(dict(zip("ab", walks, strict=True))))
    with pytest.raises(ModelError, match=r"after 1000 draws the chains of '[ab]' disagree \(R-hat .* a proper prior"):
        nb.sample_prior_predictive(10, tied_model(), random_seed=1, progressbar=False)


def draws_are_sampled(trace):
    return trace.attrs.get("sampled", False)


@pytest.mark.slow
@pytest.mark.nojit
def test_a_prior_that_is_sampled_has_its_moments():
    with pytest.warns(NbinferWarning, match="is sampled"):
        t = nb.sample_prior_predictive(1000, tied_model(), random_seed=3, progressbar=False)
    covariance = np.linalg.inv(np.eye(2) + 100.0)
    assert t["a"].std() == pytest.approx(np.sqrt(covariance[0, 0]), rel=0.15)
    assert (t["a"] + t["b"]).std() == pytest.approx(0.1 / np.sqrt(1.005), rel=0.15)
    follows(t["y"] - t["a"][..., None], stats.norm())


# ---- what is asked for


def test_names_are_checked():
    with pytest.raises(ModelError, match="vars names 'z', which the model neither predicts nor derives; it has y"):
        nb.sample_prior_predictive(3, small(), ["a", "z"], progressbar=False)
    with pytest.raises(TypeError, match="vars and var_names are the same option"):
        nb.sample_prior_predictive(3, small(), "a", var_names="a", progressbar=False)
    with pytest.raises(ValueError, match="samples must be"):
        nb.sample_prior_predictive(0, small(), progressbar=False)


def test_an_entry_that_cannot_be_predicted_is_told():
    m = small(likelihood={"y": lambda p, d: -0.5 * (d.y - p.a) ** 2})
    with pytest.raises(ModelError, match="def replicate_y"):
        nb.sample_prior_predictive(3, m, "y", progressbar=False)
    with pytest.warns(NbinferWarning, match="def replicate_y"):
        t = nb.sample_prior_predictive(3, m, random_seed=1, progressbar=False)
    assert t.predictive is None
    assert t["a"].shape == (1, 3)


@pytest.mark.either
def test_a_density_that_leaves_hardly_anything_of_a_family_raises():
    m = nb.Model({"a": nb.lower(60.0)}, prior=lambda p, d: exponential.logpdf(p.a, 1.0), likelihood=lambda p, d: 0.0)
    with pytest.raises(ValueError, match=r"10000 draws of exponential left some outside lower\(60\)"):
        nb.sample_prior_predictive(1, m, [], progressbar=False)


# ---- the trace


def test_axes_have_the_names_of_the_model():
    m = small(dims={"y": ["year"]}, coords={"year": [2001, 2002, 2003]})
    t = nb.sample_prior_predictive(3, m, random_seed=1, progressbar=False)
    assert t.predictive.dims == t.dims == {"y": ["year"]}
    assert list(t.coords["year"]) == [2001, 2002, 2003]


def made():
    predictive = TraceGroup("prior_predictive", {"y": np.arange(12.0).reshape(1, 4, 3)})
    return Prior({"mu": np.arange(4.0)[None]}, predictive=predictive, observed_data={"y": np.zeros(3)})


def test_predictions_are_found_by_name_and_go_with_their_draws():
    t = made()
    assert t["y"].shape == (1, 4, 3)
    assert t.y is t["y"]
    assert "y" in t
    assert "y" in dir(t)
    assert t[1:3]["y"].tolist() == t["y"][:, 1:3].tolist()
    assert t["y", ::2].shape == (1, 2, 3)
    assert t.copy().predictive is t.predictive
    with pytest.raises(KeyError, match="z"):
        t["z"]
    assert repr(t) == "Prior: 1 chain × 4 draws\n  mu  scalar  float64\nGroups: prior_predictive (y)"
    assert t.group.kind == "prior"
    assert list(t.group) == ["mu"]


def test_priors_can_be_put_together():
    t = made()
    t.append(made())
    assert isinstance(t, Prior)
    assert t["y"].tolist() == np.concatenate([made()["y"]] * 2, axis=1).tolist()


def test_groups_for_arviz_are_those_of_the_prior():
    pytest.importorskip("arviz_base")
    tree = made().to_arviz()
    assert sorted(tree.children) == ["observed_data", "prior", "prior_predictive"]
    assert tree["prior_predictive"]["y"].shape == (1, 4, 3)


def test_groups_go_along_and_come_back(tmp_path):
    t = nb.sample_prior_predictive(6, small(), random_seed=1, progressbar=False)
    assert t[2:]["y"].tobytes() == np.ascontiguousarray(t["y"][:, 2:]).tobytes()
    t.save(tmp_path / "prior.nc")
    for again in (nb.load(tmp_path / "prior.nc"), nb.from_arviz(t.to_arviz())):
        assert isinstance(again, Prior)
        np.testing.assert_array_equal(again["a"], t["a"])
        np.testing.assert_array_equal(again["y"], t["y"])
        np.testing.assert_array_equal(again.groups["prior_predictive"]["y"], t["y"])
        assert {"prior", "prior_predictive", "observed_data"} <= set(again.to_arviz().children)
        assert "posterior" not in again.to_arviz().children

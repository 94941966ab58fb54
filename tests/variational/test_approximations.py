"""Approximations: draws, functions of draws, densities, importance weights."""

import numpy as np
import pytest
from scipy import stats

import nbinfer as nb
from nbinfer.diagnostics import psis as diagnostics
from nbinfer.errors import ExplicitInferenceError, ParametrizationError
from nbinfer.variational import approximation
from nbinfer.variational.families.family import inverse_softplus
from tests.variational.targets import FIVE, FIVE_ANSWER, conjugate, gamma_poisson, gaussian, regression, several


def set_normal(approx, mean, sd):
    approx.params[0].set_value(np.atleast_1d(mean))
    approx.params[1].set_value(inverse_softplus(np.atleast_1d(sd)))
    return approx


# ---- draws


@pytest.mark.nojit  # long as plain Python
def test_a_trace_has_parameters_derived_quantities_and_statistics():
    approx = nb.MeanField(model=several(), random_seed=1)
    trace = approx.sample(7)
    assert {name: trace[name].shape for name in ("x", "a", "s", "m", "twice")} == {
        "x": (1, 7, 2), "a": (1, 7), "s": (1, 7), "m": (1, 7, 3, 2), "twice": (1, 7, 3, 2)
    }  # fmt: skip
    np.testing.assert_array_equal(trace["twice"], 2.0 * trace["m"])
    np.testing.assert_allclose(np.log(trace["s"]), trace["s_unconstrained__"])
    assert "x_unconstrained__" not in trace
    assert "s_unconstrained__" not in approx.sample(7, include_transformed=False)
    points = [trace.point(i) for i in range(7)]
    expected = [approx.model.logp(p := {n: q[n] for n in approx.model.parameters}) + np.log(p["s"]) for q in points]
    np.testing.assert_allclose(trace.get_sampler_stats("lp"), expected, rtol=1e-12)
    assert trace.sample_stats["logq"].shape == (1, 7)
    assert nb.summary(nb.sample_approx(approx, 200, False)) is not None
    with pytest.raises(ValueError, match="draws must be an int from 1"):
        approx.sample(0)


def test_draws_go_to_arviz():
    pytest.importorskip("arviz_base")
    data = nb.MeanField(model=several(), random_seed=1).sample(5, return_inferencedata=True)
    assert data["posterior"]["m"].shape == (1, 5, 3, 2)


@pytest.mark.nojit  # long as plain Python
def test_moments_of_users_are_on_the_scale_of_the_model():
    approx = set_normal(nb.MeanField(model=gamma_poisson(), random_seed=1), 1.0, 0.5)
    rate = approx.rslice("rate", 20_000)
    assert rate.mean() == pytest.approx(np.exp(1.125), abs=0.06)
    assert rate.std() == pytest.approx(1.6416, abs=0.12)
    assert approx.mean[0] == 1.0


def test_arrays_by_name():
    approx = nb.FullRank(model=several(), random_seed=1)
    values = approx.sample_dict_fn(4, random_seed=2)
    np.testing.assert_array_equal(values["m"], approx.rslice("m", 4, random_seed=2))
    with pytest.raises(ValueError, match="unknown name 'b'; choose 'x', 'a', 's', 'm', 'twice'"):
        approx.rslice("b")


def test_attributes_fall_through_to_the_group():
    approx = nb.MeanField(model=several())
    assert approx.short_name == "mean_field"
    assert approx.params_dict is approx.groups[0].params_dict
    with pytest.raises(AttributeError, match="'MeanField' has no attribute 'nothing'"):
        approx.nothing  # noqa: B018


def failing(self):
    return self.no_such_thing


def test_what_fails_inside_a_property_says_so(monkeypatch):
    monkeypatch.setattr(nb.Approximation, "failing", property(failing), raising=False)
    with pytest.raises(AttributeError, match="no_such_thing"):
        nb.MeanField(model=several()).failing  # noqa: B018


@pytest.mark.nojit  # long as plain Python
@pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
def test_an_approximation_says_what_it_is():
    approx = nb.MeanField(model=several(), random_seed=1)
    assert repr(approx) == "<MeanField of the model: mean_field of x, a, s, m, not fitted>"
    nb.KLqp(approx).fit(20, progressbar=False)
    loss = f"{approx.hist.mean():.6g}"
    assert f"m; 20 iterations, loss {loss}, k-hat {approx.khat:.2f}>" in repr(approx)
    particles = nb.SVGD(4, model=several(), random_seed=1).fit(3, progressbar=False)  # they have no loss
    assert repr(particles).endswith("; 3 iterations>")


# ---- functions over draws


def total(p, d):
    return p.m.sum() + p.a


def fitted(p, d):
    return d.X @ p.w


def test_a_function_over_draws():
    approx = nb.MeanField(model=several(), random_seed=1)
    values = approx.sample_node(total, 6, random_seed=3)
    draws = approx.sample_dict_fn(6, random_seed=3)
    np.testing.assert_allclose(values, draws["m"].sum(axis=(1, 2)) + draws["a"])
    np.testing.assert_array_equal(approx.sample_node("m", 6, random_seed=3), draws["m"])
    np.testing.assert_array_equal(approx.sample_node("twice", 6, random_seed=3), 2 * draws["m"])
    assert np.shape(approx.sample_node(total)) == ()
    assert approx.sample_node("m").shape == (3, 2)


def test_without_noise_parameters_are_at_the_mean():
    approx = nb.MeanField(model=several(), start={"a": 2.0, "s": 3.0})
    assert approx.sample_node("s", deterministic=True) == pytest.approx(3.0)
    np.testing.assert_allclose(approx.sample_node("a", 3, deterministic=True), [2.0] * 3)


def test_replacements_have_whatever_shape():
    approx = nb.MeanField(model=regression(), random_seed=1)
    X = np.ones((38, 2))
    values = approx.sample_node(fitted, 100, more_replacements={"X": X})
    assert values.shape == (100, 38)
    assert (values.std(axis=0) > 0).all()
    replaced = approx.sample_node(lambda p, d: p.w, 2, more_replacements={"w": np.arange(11.0)})
    np.testing.assert_array_equal(replaced, [np.arange(11.0)] * 2)
    with pytest.raises(ValueError, match="more_replacements names 'Z', which is none of w, X, y"):
        approx.sample_node(fitted, more_replacements={"Z": 1})


def test_what_is_observed_is_no_function_of_draws():
    approx = nb.MeanField(model=regression())
    with pytest.raises(ValueError, match=r"node 'y' is observed, .* its mean"):
        approx.sample_node("y")
    with pytest.raises(TypeError, match=r"node must be a function f\(p, d\) or a name, got ndarray"):
        approx.sample_node(np.ones(3))
    with pytest.raises(ValueError, match="node must be a function"):
        approx.sample_node("z")


# ---- densities


def test_densities_add_up():
    approx = set_normal(nb.MeanField(model=conjugate(FIVE), random_seed=1), 1.4, 0.5)
    mu = approx.rslice("mu", 9, random_seed=2)
    prior = stats.norm(0, 2).logpdf(mu)
    likelihood = stats.norm.logpdf(np.array(FIVE)[:, None], mu).sum(axis=0)
    options = {"draws": 9, "random_seed": 2, "per_draw": True}
    np.testing.assert_allclose(approx.varlogp(**options), prior)
    np.testing.assert_allclose(approx.datalogp(**options), likelihood)
    np.testing.assert_allclose(approx.logp(**options), prior + likelihood)
    np.testing.assert_allclose(approx.logq(**options), stats.norm(1.4, 0.5).logpdf(mu))
    assert approx.logp(9, 2) == pytest.approx((prior + likelihood).mean())
    assert approx.elbo(9, 2) == pytest.approx((prior + likelihood - stats.norm(1.4, 0.5).logpdf(mu)).mean())


def test_the_jacobian_is_part_of_the_prior():
    approx = set_normal(nb.MeanField(model=gamma_poisson(), random_seed=1), 0.8, 0.3)
    rate = approx.rslice("rate", 5, random_seed=2)
    expected = stats.gamma(2.0).logpdf(rate) + np.log(rate)
    np.testing.assert_allclose(approx.varlogp(5, 2, per_draw=True), expected)


def test_norms_divide_by_the_largest_scale():
    model = conjugate(FIVE)
    scaled = nb.Model(model.parameters and {"mu": nb.real()}, prior=model.prior, likelihood=dict(model.likelihood),
                      data=model.data, total_size={"y": 50})  # fmt: skip
    approx = nb.MeanField(model=scaled, random_seed=1)
    assert approx.symbolic_normalizing_constant == 10.0
    for name in ("logp", "varlogp", "datalogp", "logq"):
        plain, norm = getattr(approx, name)(4, 1), getattr(approx, f"{name}_norm")(4, 1)
        assert norm == pytest.approx(plain / 10.0)
    approx.scale_cost_to_minibatch = False
    assert approx.logp_norm(4, 1) == approx.logp(4, 1)
    assert nb.MeanField(model=model).symbolic_normalizing_constant == 1.0


@pytest.mark.either
def test_a_model_without_a_prior_has_one_all_the_same():
    model = nb.Model({"mu": nb.real()}, likelihood={"y": conjugate(FIVE).likelihood["y"]}, data=conjugate(FIVE).data)
    approx = nb.MeanField(model=model, random_seed=1)
    np.testing.assert_allclose(approx.varlogp(3, 1, per_draw=True), 0.0)
    assert approx.datalogp(3, 1) == approx.logp(3, 1)


# ---- importance


@pytest.mark.nojit  # long as plain Python
def test_weights_repair_a_fit():
    """One that is too wide and off: what is drawn by weight is the posterior."""
    approx = set_normal(nb.MeanField(model=conjugate(FIVE), random_seed=1), 1.3, 0.6)
    evidence, mean, sd = FIVE_ANSWER
    assert approx.khat < 0.5
    mu = approx.sample(4000, random_seed=2, importance=True)["mu"]
    assert mu.shape == (1, 4000)
    assert mu.mean() == pytest.approx(mean, abs=0.03)
    assert mu.std() == pytest.approx(sd, rel=0.05)
    np.testing.assert_array_equal(mu, approx.sample(4000, random_seed=2, importance=True)["mu"])
    assert np.log(np.mean(np.exp(approx.log_weights(4000, 3)))) == pytest.approx(evidence, abs=0.02)


def test_draws_by_weight_heed_the_smoothed_ones(monkeypatch):
    def all_on_one(ratios):
        return diagnostics.Psis(0.0, np.where(np.arange(len(ratios)) == 7, 0.0, -np.inf))

    monkeypatch.setattr(approximation, "psis", all_on_one)
    approx = nb.MeanField(model=conjugate(FIVE), random_seed=1)
    mu = approx.sample(5, random_seed=2, importance=True)["mu"]
    np.testing.assert_array_equal(mu[0], [approx.rslice("mu", 20, random_seed=2)[7]] * 5)


@pytest.mark.nojit  # long as plain Python
def test_khat_is_that_of_its_draws():
    approx = set_normal(nb.MeanField(model=conjugate(FIVE), random_seed=1), 1.0, 0.15)
    khat = {n: diagnostics.psis(approx.log_weights(n, approx.next_sequence())).khat for n in (1000, 4000, 16_000)}
    assert khat[1000] > 0.7
    assert approx.khat == pytest.approx(khat[4000] if khat[4000] >= 1.0 else khat[16_000])
    set_normal(approx, 1.5, 0.5)
    assert approx.khat < 0.7
    assert approx.khat == pytest.approx(diagnostics.psis(approx.log_weights(1000, approx.next_sequence())).khat)


@pytest.mark.nojit
def test_a_good_fit_is_rarely_an_alarm_because_its_ratios_are_alike():
    """The best fit of counts, k-hat 0.4: of a thousand ratios alone nearly all say more than 1."""
    fits = [set_normal(nb.MeanField(model=gamma_poisson(), random_seed=i), 0.81158357, 0.26726124) for i in range(20)]
    alone = [diagnostics.psis(approx.log_weights(1000, approx.next_sequence())).khat for approx in fits]
    assert np.mean(np.array(alone) > 0.7) > 0.8
    assert np.mean([approx.khat > 0.7 for approx in fits]) < 0.15


# ---- draws that there are already


ROWS = np.array([[0.0, 1], [2, 3], [4, 7], [6, 1]])


def test_an_empirical_approximation_of_a_trace():
    model = gaussian(np.eye(2))
    approx = nb.Empirical(nb.Trace({"x": ROWS.reshape(2, 2, 2)}), model=model, random_seed=1)
    np.testing.assert_array_equal(approx.histogram, ROWS)
    np.testing.assert_allclose(approx.mean, [3, 3])
    np.testing.assert_allclose(approx.cov, [[5, 1], [1, 6]])
    products = approx.evaluate_over_trace(lambda p, d: p.x[0] * p.x[1])
    np.testing.assert_array_equal(products, [0, 6, 28, 6])
    assert products.mean() == 10.0
    drawn = approx.sample(50)["x"][0]
    assert {tuple(row) for row in drawn} <= {tuple(row) for row in ROWS}
    np.testing.assert_allclose(approx.sample_node("x", deterministic=True), [3, 3])
    assert approx.randidx() in range(4)
    assert set(approx.randidx(200, random_seed=1)) == set(range(4))
    assert "logq" not in approx.sample(3).sample_stats


def test_draws_are_taken_as_the_user_has_them():
    model = nb.Model({"v": nb.positive(2)}, logp=lambda p, d: -np.sum(p.v))
    draws = np.array([[1.0, 4], [9, 16], [25, 36], [49, 64]])
    approx = nb.Empirical(nb.Trace({"v": draws[None]}), model=model)
    np.testing.assert_allclose(approx.evaluate_over_trace("v").mean(axis=0), [21, 30])
    np.testing.assert_allclose(approx.mean, np.log(draws).mean(axis=0))


def test_an_empirical_approximation_of_copies():
    model = several()
    approx = nb.Empirical(size=500, jitter=0.5, start={"a": 3.0}, model=model, random_seed=1)
    assert approx.histogram.shape == (500, 10)
    assert approx.mean[2] == pytest.approx(3.0, abs=0.1)
    np.testing.assert_allclose(approx.std, 0.5, rtol=0.15)
    again = nb.Empirical(size=500, jitter=0.5, start={"a": 3.0}, model=model, random_seed=1)
    np.testing.assert_array_equal(approx.histogram, again.histogram)


def test_what_an_empirical_approximation_needs():
    model = several()
    with pytest.raises(ParametrizationError, match="pass trace or size, got neither"):
        nb.Empirical(model=model)
    with pytest.raises(ValueError, match="trace lacks a, s, m"):
        nb.Empirical(nb.Trace({"x": np.zeros((1, 3, 2))}), model=model)
    approx = nb.Empirical(size=3, model=model)
    for needs in (approx.elbo, approx.logq, lambda: nb.KLqp(approx)):
        with pytest.raises(ExplicitInferenceError, match="empirical has none; take mean_field"):
            needs()

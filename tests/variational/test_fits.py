"""Fits against answers that are known, and what must not change them."""

import gc
import os
import pickle
import subprocess
import sys
import weakref

import numpy as np
import pytest
from scipy import stats

import nbinfer as nb
from nbinfer.engine.progress import Silent
from nbinfer.errors import ConvergenceWarning, FitError, ModelError, ParametrizationError
from nbinfer.variational import pulling
from nbinfer.variational.families.family import inverse_softplus
from tests.variational.targets import (
    FIVE,
    FIVE_ANSWER,
    MEAN_FIELD_GAP,
    MEAN_FIELD_SDS,
    SIGMA,
    conjugate,
    gamma_poisson,
    gaussian,
    regression,
    several,
)

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")

long = pytest.mark.nojit


def fit(model, n=20_000, **options):
    return nb.fit(n, model=model, progressbar=False, **({"random_seed": 1} | options))


# ---- answers


@long
def test_mean_field_of_a_correlated_gaussian():
    approx = fit(gaussian())
    np.testing.assert_allclose(approx.std, MEAN_FIELD_SDS, rtol=0.02)
    assert approx.elbo(1_000_000, random_seed=2) == pytest.approx(MEAN_FIELD_GAP, abs=0.005)


@long
@pytest.mark.parametrize(
    ("covariance", "sds", "gap"),
    [
        ([[1, 0.9], [0.9, 1]], [0.4358898944] * 2, 0.8303656034),
        ([[4, 1, -0.5], [1, 2, 0.7], [-0.5, 0.7, 1]], [1.59469319, 1.01192885, 0.74065608], 0.4944154533),
    ],
)
def test_mean_field_of_other_gaussians(covariance, sds, gap):
    optimizer = nb.adagrad_window(learning_rate=lambda i: 3e-3 / (1.0 + i / 3000))
    approx = fit(gaussian(covariance), 40_000, obj_optimizer=optimizer)
    np.testing.assert_allclose(approx.std, sds, rtol=0.02)
    assert -approx.elbo(200_000, random_seed=2) == pytest.approx(gap, abs=0.01)


@long
def test_full_rank_of_a_gaussian_is_exact():
    approx = fit(gaussian(SIGMA, [1.0, -2.0, 0.5]), 40_000, method="fullrank_advi")
    np.testing.assert_allclose(approx.cov, SIGMA, atol=1e-6)
    np.testing.assert_allclose(approx.mean, [1.0, -2.0, 0.5], atol=1e-6)
    assert approx.khat < 0.3
    assert approx.elbo(100) == pytest.approx(0.0, abs=1e-6)


@long
def test_low_rank_of_a_gaussian_of_that_form_is_exact():
    u = np.array([1.0, -0.5, 2.0, 0.3])
    approx = fit(gaussian(np.diag([1.0, 2.0, 0.5, 1.0]) + np.outer(u, u)), 40_000, method="low_rank_advi",
                 obj_optimizer=nb.adam(learning_rate=lambda i: 3e-3 / (1 + i / 10_000)),
                 inf_kwargs={"rank": 1})  # fmt: skip
    np.testing.assert_allclose(approx.cov, np.diag([1.0, 2.0, 0.5, 1.0]) + np.outer(u, u), atol=3e-3)


def test_constants_are_all_there():
    """At the posterior every draw's bound is the evidence."""
    evidence, mean, sd = FIVE_ANSWER
    approx = nb.MeanField(model=conjugate(FIVE))
    approx.params[0].set_value([8.0 / 5.25])
    approx.params[1].set_value(inverse_softplus([5.25**-0.5]))
    assert (approx.mean[0], approx.std[0]) == pytest.approx((mean, sd), abs=1e-8)
    np.testing.assert_allclose(approx.log_weights(50), evidence, atol=1e-7)
    assert approx.khat == -np.inf


@long
def test_a_conjugate_mean_at_defaults():
    evidence, mean, sd = FIVE_ANSWER
    approx = fit(conjugate(FIVE))
    assert approx.mean[0] == pytest.approx(mean, rel=1e-4)
    assert approx.std[0] == pytest.approx(sd, rel=1e-4)
    assert approx.hist[-1] == pytest.approx(-evidence, abs=1e-3)
    assert approx.khat == -np.inf


@long
def test_a_thousand_observations():
    y = 0.5 + np.sin(np.arange(1, 1001))
    approx = fit(conjugate(y, 0.0, 0.1, 1.0), 30_000)
    assert approx.mean[0] == pytest.approx(0.4552854269, abs=2e-3)
    assert approx.std[0] == pytest.approx(0.03015113446, rel=0.02)
    assert approx.hist[-1] == pytest.approx(1181.634101, abs=0.05)


@long
def test_a_line():
    mean_field, full_rank = fit(regression(), 30_000), fit(regression(), 30_000, method="fullrank_advi")
    np.testing.assert_allclose(mean_field.std, [0.24913644, 0.13349825], rtol=0.02)
    assert mean_field.elbo(200_000, random_seed=3) == pytest.approx(-6.824307563, abs=0.01)
    assert full_rank.elbo(1000, random_seed=3) == pytest.approx(-6.317411678, abs=1e-4)
    in_turn = fit(regression(), 30_000, method="advi->fullrank_advi")
    assert in_turn.elbo(1000, random_seed=3) == pytest.approx(-6.317411678, abs=1e-4)


TEN = conjugate(np.tile(FIVE, 2), 0.0, 2.0, 1.0)


@long
@pytest.mark.parametrize(
    ("beta", "mean", "sd", "optimum"),
    [(0.5, 1.56097561, 0.31234752, -7.52918324), (2.0, 1.45454545, 0.60302269, -9.42440612)],
)
def test_beta_weighs_all_but_the_likelihood(beta, mean, sd, optimum):
    approx = fit(conjugate(FIVE), 30_000, inf_kwargs={"beta": beta})
    assert approx.mean[0] == pytest.approx(mean, rel=1e-4)
    assert approx.std[0] == pytest.approx(sd, rel=1e-4)
    assert approx.hist[-1] == pytest.approx(-optimum, abs=1e-3)


@long
def test_the_jacobian_counts_once():
    optimizer = nb.adam(learning_rate=lambda i: 3e-3 / (1 + i / 2000))
    approx = fit(gamma_poisson(), 30_000, obj_optimizer=optimizer, obj_n_mc=5)
    assert approx.mean[0] == pytest.approx(0.81158357, abs=4e-3)
    assert approx.std[0] == pytest.approx(0.26726124, rel=0.01)
    assert approx.elbo(300_000, random_seed=2) == pytest.approx(-8.894527747, abs=1e-3)
    rate = approx.sample(200_000, random_seed=3)["rate"]
    assert rate.mean() == pytest.approx(2.33333333, abs=0.01)
    assert rate.std() == pytest.approx(0.63491295, rel=0.02)


@long
@pytest.mark.parametrize("estimator", ["stl", "plain"])
def test_estimators_have_one_mean(estimator):
    approx = fit(conjugate(FIVE), 20_000, inf_kwargs={"estimator": estimator}, obj_n_mc=10)
    assert approx.mean[0] == pytest.approx(FIVE_ANSWER[1], rel=0.02)
    assert approx.std[0] == pytest.approx(FIVE_ANSWER[2], rel=0.03)


#: Settings that lead there, and how close.
OPTIMIZERS = {
    "sgd": (dict(learning_rate=0.01), 20_000),
    "momentum": (dict(learning_rate=0.002), 20_000),
    "nesterov_momentum": (dict(learning_rate=0.002), 20_000),
    "adagrad": (dict(learning_rate=0.1), 20_000),
    "adagrad_window": (dict(), 20_000),
    "rmsprop": (dict(learning_rate=1e-3), 20_000),
    "adadelta": (dict(), 20_000),
    "adam": (dict(), 20_000),
    "adamax": (dict(), 20_000),
}


@long
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_leads_there(name):
    settings, n = OPTIMIZERS[name]
    approx = fit(conjugate(FIVE), n, obj_optimizer=getattr(nb, name)(**settings))
    assert approx.mean[0] == pytest.approx(FIVE_ANSWER[1], rel=0.03)
    assert approx.std[0] == pytest.approx(FIVE_ANSWER[2], rel=0.03)


# ---- determinism


def same(a, b):
    np.testing.assert_array_equal(a.hist, b.hist)
    for one, other in zip(a.params, b.params, strict=True):
        np.testing.assert_array_equal(one.get_value(), other.get_value())


@pytest.mark.parametrize("method", ["advi", "fullrank_advi", "low_rank_advi"])
def test_one_seed_is_one_fit(method):
    options = {"inf_kwargs": {"rank": 2}} if method == "low_rank_advi" else {}
    first = fit(several(), 60, method=method, **options)
    same(first, fit(several(), 60, method=method, **options))
    other = fit(several(), 60, method=method, random_seed=2, **options)
    assert (other.hist != first.hist).any()
    unseeded = [fit(several(), 5, method=method, random_seed=None, **options).hist for _ in range(2)]
    assert (unseeded[0] != unseeded[1]).any()


def test_callbacks_change_nothing():
    def draws(approx, losses, i):
        approx.sample(3)
        assert len(losses) == i

    draws.every = 7
    tracker = nb.Tracker(std=lambda approx, losses, i: approx.std.copy())
    same(fit(several(), 40), fit(several(), 40, callbacks=[draws, tracker]))
    assert len(tracker["std"]) == 40


@pytest.mark.parametrize("optimizer", [nb.adam, nb.adagrad_window, nb.apply_momentum(nb.rmsprop(learning_rate=1e-3))])
def test_a_refined_fit_is_one_fit(optimizer):
    inference = nb.ADVI(model=several(), random_seed=3)
    inference.fit(50, obj_optimizer=optimizer, progressbar=False)
    inference.refine(50, progressbar=False)
    whole = nb.ADVI(model=several(), random_seed=3).fit(100, obj_optimizer=optimizer, progressbar=False)
    same(inference.approx, whole)
    assert len(inference.hist) == 100


def test_a_refined_fit_goes_on_with_its_learning_rates():
    rates = nb.sgd(learning_rate=lambda i: 1e-3 / (1 + i))
    inference = nb.ADVI(model=several(), random_seed=3)
    inference.fit(20, obj_optimizer=rates, progressbar=False)
    same(
        inference.refine(20, progressbar=False),
        nb.ADVI(model=several(), random_seed=3).fit(40, obj_optimizer=rates, progressbar=False),
    )


def test_another_fit_begins_with_its_learning_rates():
    seen = []

    def rate(i):
        seen.append(i)
        return 1e-3

    inference = nb.ADVI(model=several(), random_seed=3)
    for _ in range(2):
        inference.fit(3, obj_optimizer=nb.adam(learning_rate=rate), progressbar=False)
    inference.refine(2, progressbar=False)
    assert seen == [0, 1, 2, 0, 1, 2, 3, 4]


SCRIPT = """
import numpy as np, nbinfer as nb
from tests.variational.targets import several
state = str(np.random.get_state())
approx = nb.fit(30, method="fullrank_advi", model=several(), random_seed=4, progressbar=False)
assert str(np.random.get_state()) == state
print(approx.hist.tobytes().hex(), approx.cov.tobytes().hex(), approx.sample(3, random_seed=1)["m"].tobytes().hex())
"""


def test_two_processes_fit_the_same():
    outs = []
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
        outs.append(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert outs[0] == outs[1] != ""


def test_draws_can_be_seeded():
    approx = nb.MeanField(model=several(), random_seed=1)
    first = approx.sample(20, random_seed=1)
    np.testing.assert_array_equal(first["m"], approx.sample(20, random_seed=1)["m"])
    np.testing.assert_array_equal(first["m"][:, :5], approx.sample(5, random_seed=1)["m"])
    assert (first["m"] != approx.sample(20, random_seed=2)["m"]).any()
    assert (approx.sample(20)["m"] != approx.sample(20)["m"]).any()


def test_an_approximation_can_be_pickled():
    approx = fit(several(), 30)
    again = pickle.loads(pickle.dumps(approx))
    same(approx, again)
    np.testing.assert_array_equal(approx.std, again.std)
    np.testing.assert_array_equal(approx.sample(5, random_seed=1)["s"], again.sample(5, random_seed=1)["s"])


def test_nothing_holds_what_nobody_needs():
    approx = fit(conjugate(FIVE), 10)
    model = weakref.ref(approx.model)
    approx = weakref.ref(approx)
    gc.collect()
    assert approx() is None
    assert model() is None


@pytest.mark.slow
@pytest.mark.nojit
def test_memory_stays_as_it_is():
    code = (
        "import resource, nbinfer as nb\n"
        "from tests.variational.targets import several\n"
        "inference = nb.ADVI(model=several(), random_seed=1)\n"
        "inference.fit(20_000, progressbar=False)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "inference.refine(1_000_000, progressbar=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 20_000  # kilobytes, of which the losses take eight thousand


# ---- what goes wrong


def rising(p, d):
    return p.x  # no density: the larger, the better


def test_parameters_that_are_not_finite_stop_the_fit():
    model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -np.sum(p.x**4))
    inference = nb.ADVI(model=model, random_seed=1, start_sigma=2.0)
    with pytest.raises(FitError, match=r"(mu|rho)\[\d\] of x is not finite after iteration \d+|have no density"):
        inference.fit(1000, obj_optimizer=nb.sgd(learning_rate=1e6), progressbar=False)
    assert all(np.isfinite(shared.get_value()).all() for shared in inference.approx.params)
    assert 0 < len(inference.hist) < 1000
    assert isinstance(FitError("x"), FloatingPointError)
    inference = nb.ADVI(model=model, start={"x": [3.0, 4.0]})
    message = r"mu\[0\] of x is not finite after iteration 0; it is as it was before"
    with np.errstate(over="ignore"), pytest.raises(FitError, match=message):
        inference.fit(10, obj_optimizer=nb.sgd(learning_rate=1e308), progressbar=False)
    np.testing.assert_array_equal(inference.approx.mean, [3.0, 4.0])


def test_parameters_that_a_callback_makes_no_number_are_told():
    def spoil(approx, losses, i):
        approx.params[0].set_value(np.full(2, np.nan))

    spoil.every = 10
    model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -np.sum(p.x**2))
    inference = nb.ADVI(model=model, random_seed=1)
    message = r"mu\[0\] of x is not finite: a callback has written that before iteration 10"
    with pytest.raises(FitError, match=message):
        inference.fit(50, callbacks=[spoil], progressbar=False)
    assert len(inference.hist) == 10


def half(p, d):
    return -0.5 * p.x**2 if p.x > 0.0 else -np.inf


def test_draws_without_a_density_are_skipped_until_they_are_many():
    model = nb.Model({"x": nb.real()}, logp=half)
    inference = nb.ADVI(model=model, random_seed=1, start={"x": 0.5}, start_sigma=0.2)
    inference.fit(100, obj_optimizer=nb.sgd(learning_rate=1e-9), progressbar=False)
    skipped = inference.approx.report.skipped
    assert 0 < skipped < 10
    assert np.isnan(inference.hist).sum() == skipped
    assert f"{skipped} draws had no density" in str(inference.approx.report)
    inference = nb.ADVI(model=model, random_seed=1, start={"x": 0.1}, start_sigma=1.0)
    with pytest.raises(FitError, match=r"more than 50 of the last 1?\d\d draws .* the last one at x = -"):
        inference.fit(1000, obj_optimizer=nb.sgd(learning_rate=1e-9), progressbar=False)
    assert 51 < len(inference.hist) < 200


def test_few_of_the_last_draws_may_be_skipped_for_ever():
    model = nb.Model({"x": nb.real()}, logp=half)
    inference = nb.ADVI(model=model, random_seed=1, start={"x": 0.5}, start_sigma=0.25)
    inference.fit(4000, obj_optimizer=nb.sgd(learning_rate=1e-300), progressbar=False)
    assert inference.approx.report.skipped > 51
    assert len(inference.hist) == 4000


def steep(p, d, grad):
    grad.x[()] += -p.x if p.x > 0.0 else np.nan
    return -0.5 * p.x**2


def test_draws_without_a_gradient_are_skipped():
    model = nb.Model({"x": nb.real()}, logp_grad=steep)
    inference = nb.ADVI(model=model, random_seed=1, start={"x": 0.5}, start_sigma=0.2)
    inference.fit(100, obj_optimizer=nb.sgd(learning_rate=1e-9), progressbar=False)
    assert 0 < inference.approx.report.skipped == np.isnan(inference.hist).sum() < 10


def test_several_draws_count_without_those_that_are_skipped():
    model = nb.Model({"x": nb.real()}, logp=half)
    inference = nb.ADVI(model=model, random_seed=1, start={"x": 0.5}, start_sigma=0.2)
    inference.fit(50, obj_n_mc=10, obj_optimizer=nb.sgd(learning_rate=1e-300), progressbar=False)
    assert inference.approx.report.skipped > 0
    for i, loss in enumerate(inference.hist):
        x = pulling.draw(inference.approx.fitting(), i, 10)
        x = x[x > 0.0]
        assert loss == pytest.approx(np.mean(stats.norm(0.5, 0.2).logpdf(x) + 0.5 * x**2), rel=1e-10)


def raising(p, d):
    if p.x > 0.2:
        raise RuntimeError("too large")
    return -0.5 * p.x**2


@pytest.mark.filterwarnings("ignore::nbinfer.errors.PerformanceWarning")  # for what raises there are differences
def test_what_the_model_raises_arrives():
    inference = nb.ADVI(model=nb.Model({"x": nb.real()}, logp=raising), random_seed=1)
    with pytest.raises(RuntimeError, match="too large") as caught:
        inference.fit(1000, progressbar=False)
    assert any("the approximation is kept" in note and "x = " in note for note in caught.value.__notes__)
    assert np.isfinite(inference.approx.mean).all()
    assert np.flatnonzero(np.isnan(inference.hist)).tolist() == [len(inference.hist) - 1]  # nothing came after


def test_discrete_parameters_are_refused_by_name():
    model = nb.Model({"x": nb.real(), "k": nb.binary(), "j": nb.binary(2)}, logp=lambda p, d: -0.5 * p.x**2)
    with pytest.raises(ParametrizationError, match=r"k, j are discrete, .* sum over the values"):
        nb.fit(10, model=model)
    with pytest.raises(ParametrizationError, match="k is discrete"):
        nb.Group(["k"], "mean_field", model=model)


def test_beta_asks_for_terms():
    model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2)
    with pytest.raises(ModelError, match=r"beta = 2 weighs prior and likelihood apart, .* pass prior and likelihood"):
        nb.fit(10, model=model, inf_kwargs={"beta": 2.0})
    with pytest.raises(ValueError, match="beta must be positive"):
        nb.fit(10, model=conjugate(FIVE), inf_kwargs={"beta": 0.0})
    approx = nb.MeanField(model=model)
    with pytest.raises(ModelError, match="varlogp weighs prior and likelihood apart"):
        approx.varlogp(10)


def test_methods_by_name():
    with pytest.raises(ValueError, match="unknown method 'adv'; choose 'advi', 'fullrank_advi'"):
        fit(several(), method="adv")
    with pytest.raises(TypeError, match="method must be a name, a class or an Inference object, got int"):
        fit(several(), method=3)
    for later in ("svgd", "asvgd", "nfvi", "nfvi=planar*3"):
        with pytest.raises(NotImplementedError, match="comes with a later version"):
            fit(several(), method=later)
    assert isinstance(fit(several(), 3, method=" ADVI "), nb.MeanField)
    assert isinstance(fit(several(), 3, method=nb.FullRankADVI), nb.FullRank)
    inference = nb.ADVI(model=several(), random_seed=1)
    assert nb.fit(3, method=inference, progressbar=False) is inference.approx
    with pytest.raises(TypeError, match="the inference object has start already"):
        nb.fit(3, method=inference, start={"a": 1.0})
    with pytest.raises(NotImplementedError, match="local_rv comes with streaming data"):
        fit(several(), local_rv={"a": 1})
    with pytest.raises(TypeError, match="n, the number of iterations, comes first; pass model="):
        nb.fit(several(), 10)
    with pytest.raises(TypeError, match="inf_kwargs names 'start', an argument of fit"):
        fit(several(), inf_kwargs={"start": {"a": 1.0}})


def test_the_second_half_begins_where_the_first_ends():
    first = fit(several(), 20)
    second = nb.FullRankADVI.from_mean_field(first).approx
    np.testing.assert_allclose(second.mean, first.mean, rtol=1e-14)
    np.testing.assert_allclose(second.cov, first.cov, rtol=1e-12, atol=1e-15)


def test_refine_needs_a_fit():
    with pytest.raises(TypeError, match="there was none; call fit first"):
        nb.ADVI(model=several()).refine(10)


@pytest.mark.parametrize("method", ["advi", "fullrank_advi"])
def test_no_iterations_leave_the_start(method):
    approx = fit(several(), 0, method=method, start={"a": 2.0, "s": 3.0}, start_sigma={"x": 0.5, "m": 0.2})
    np.testing.assert_allclose(approx.mean, [0, 0, 2.0, np.log(3.0)] + [0] * 6, atol=1e-12)
    np.testing.assert_allclose(approx.std, [0.5, 0.5, 0.1, 0.1] + [0.2] * 6, atol=1e-12)
    assert len(approx.hist) == 0


def test_starts_are_checked():
    with pytest.raises(ParametrizationError, match="start_sigma names 'b', which the model lacks; it has x, a, s, m"):
        fit(several(), start_sigma={"b": 1.0})
    with pytest.raises(ModelError, match="'b' is no parameter"):
        fit(several(), start={"b": 1.0})
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ParametrizationError, match=r"start_sigma\['a'\] must be positive and finite"):
            fit(several(), start_sigma={"a": bad})
    with pytest.raises(ParametrizationError, match=r"one for each of 6 unconstrained coordinates, got shape \(2,\)"):
        fit(several(), start_sigma={"m": [0.1, 0.2]})


@long
def test_verdicts():
    with pytest.warns(ConvergenceWarning, match=r"k-hat is .*, above 0.7: .* method='fullrank_advi'"):
        approx = fit(gaussian(), 100)
    assert not approx.report.ok
    with pytest.warns(ConvergenceWarning, match="came to its last iteration before it converged"):
        fit(gaussian(), 100, callbacks=[nb.CheckParametersConvergence(tolerance=1e-12)])


@pytest.mark.parametrize("method", ["advi", "advi->fullrank_advi"])
def test_a_verdict_is_said_once_where_the_user_asked_for_it(method):
    with pytest.warns(ConvergenceWarning, match="k-hat is") as said:
        nb.fit(4, method=method, model=several(), random_seed=1, progressbar=False)
    assert [warning.filename for warning in said] == [__file__]
    inference = nb.ADVI(model=several(), random_seed=1)
    for run in (inference.fit, inference.refine):
        with pytest.warns(ConvergenceWarning, match="k-hat is") as said:
            run(2, progressbar=False)
        assert [warning.filename for warning in said] == [__file__]


def test_a_block_is_all_there_is_to_a_fit():
    """One that was copied into other memory goes on as the first does."""

    def updates():
        approx = nb.FullRank(model=several(), random_seed=1)
        made = nb.KL(approx)().updates(obj_optimizer=nb.apply_momentum(nb.adam(learning_rate=0.01)))
        made.fitting.make_room(20)
        return made

    first, second = updates(), updates()
    first.advance(8, Silent())
    second.fitting.state[:] = first.fitting.state
    second.fitting.make_room(20)
    second.fitting.connect()
    for made in (first, second):
        made.advance(20, Silent())
    np.testing.assert_array_equal(second.fitting.hist[8:], first.fitting.hist[8:])
    for one, other in zip(first.objective.approx.params, second.objective.approx.params, strict=True):
        np.testing.assert_array_equal(one.get_value(), other.get_value())

"""What fits refuse, what ends them, and what is left then."""

import numpy as np
import pytest
from scipy import stats

import nbinfer as nb
from nbinfer.engine.progress import Silent
from nbinfer.errors import ConvergenceWarning, FitError, ModelError, ParametrizationError
from nbinfer.variational import pulling
from nbinfer.variational.inference import described
from tests.variational.targets import (
    FIVE,
    conjugate,
    gaussian,
    several,
)

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")

long = pytest.mark.nojit


def fit(model, n=20_000, **options):
    return nb.fit(n, model=model, progressbar=False, **({"random_seed": 1} | options))


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


@pytest.mark.nojit  # long as plain Python
def test_draws_without_a_density_are_skipped_until_they_are_many():
    model = nb.Model({"x": nb.real()}, logp=half)
    inference = nb.ADVI(model=model, random_seed=1, start={"x": 0.5}, start_sigma=0.2)
    inference.fit(100, obj_optimizer=nb.sgd(learning_rate=1e-9), progressbar=False)
    skipped = inference.approx.report.skipped
    assert 0 < skipped < 10
    assert np.isnan(inference.hist).sum() == skipped
    assert f"{skipped} draw{'s' if skipped > 1 else ''} had no density" in str(inference.approx.report)
    fitting = inference.approx.fitting()
    assert described(fitting, fitting.progress[0]).endswith(f", {skipped} draws skipped")
    inference = nb.ADVI(model=model, random_seed=1, start={"x": 0.1}, start_sigma=1.0)
    with pytest.raises(FitError, match=r"more than 50 of the last 1?\d\d draws .* the last one at x = -"):
        inference.fit(1000, obj_optimizer=nb.sgd(learning_rate=1e-9), progressbar=False)
    assert 51 < len(inference.hist) < 200


@pytest.mark.nojit  # long as plain Python
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


@pytest.mark.nojit  # long as plain Python
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


@pytest.mark.nojit  # long as plain Python
def test_methods_by_name():
    with pytest.raises(ValueError, match="unknown method 'adv'; choose 'advi', 'fullrank_advi'"):
        fit(several(), method="adv")
    with pytest.raises(TypeError, match="method must be a name, a class or an Inference object, got int"):
        fit(several(), method=3)
    assert isinstance(fit(several(), 3, method=" ADVI "), nb.MeanField)
    assert isinstance(fit(several(), 3, method=nb.FullRankADVI), nb.FullRank)
    inference = nb.ADVI(model=several(), random_seed=1)
    assert nb.fit(3, method=inference, progressbar=False) is inference.approx
    with pytest.raises(TypeError, match="the inference object has start already"):
        nb.fit(3, method=inference, start={"a": 1.0})
    with pytest.raises(TypeError, match=r"local_rv\['a'\] must map parameters of a family to encoders"):
        fit(several(), local_rv={"a": 1})
    assert isinstance(nb.fit(several(), 3, "fullrank_advi", progressbar=False), nb.FullRank)
    with pytest.raises(TypeError, match=r"fit\(\) has no option 'seed'; did you mean 'random_seed'"):
        fit(several(), seed=1)
    with pytest.raises(TypeError, match=r"fit\(\) has no option 'obj_optimiser'; did you mean 'obj_optimizer'"):
        nb.ADVI(several()).fit(3, obj_optimiser=nb.adam())
    with pytest.raises(ValueError, match=r"unknown method 'advvi'; .* Did you mean 'advi'"):
        fit(several(), method="advvi")
    with pytest.raises(TypeError, match=r"such as nb.adamax\(learning_rate=0.01\), got 'adamx'"):
        fit(several(), obj_optimizer="adamx")
    with pytest.raises(TypeError, match="inf_kwargs names 'start', an argument of fit"):
        fit(several(), inf_kwargs={"start": {"a": 1.0}})
    with pytest.raises(TypeError, match="inf_kwargs names 'betta'; ADVI takes beta, estimator"):
        fit(several(), inf_kwargs={"betta": 2.0})
    with pytest.raises(TypeError, match="inf_kwargs names 'rang'; LowRankADVI takes beta, estimator, rank"):
        fit(several(), method="low_rank_advi", inf_kwargs={"rang": 2})


@pytest.mark.nojit  # long as plain Python
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
    for method in ("advi", "dadvi", "bam"):
        with pytest.raises(TypeError, match="start must be a mapping"):
            fit(several(), method=method, start=np.zeros(2))
    with pytest.raises(TypeError, match="start must be a mapping"):
        nb.Empirical(model=several(), size=2, start=np.zeros(2))
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
    with pytest.warns(ConvergenceWarning, match="ended before it converged"):
        fit(gaussian(), 100, callbacks=[nb.CheckParametersConvergence(tolerance=1e-12)])


@pytest.mark.nojit  # long as plain Python
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

"""Fits by batch and match: answers that are known, one fit however it is made, refusals."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import FitError, ParametrizationError
from nbinfer.variational.bam import ScoreDivergence
from tests.variational.targets import FIVE, FIVE_ANSWER, conjugate, gamma_poisson, gaussian, several

pytestmark = [
    pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning"),
    pytest.mark.usefixtures("few_draws_to_judge"),
]

RHO = [[1.0, 0.9], [0.9, 1.0]]


def fit(model, n=400, **options):
    call = {name: options.pop(name) for name in ("start", "start_sigma", "obj_n_mc") if name in options}
    return nb.fit(n, method="bam", model=model, random_seed=1, inf_kwargs=options, progressbar=False, **call)


def test_a_gaussian_is_exact():
    approx = fit(gaussian(RHO, [1.0, -1.0]), 60, n_draws=8)
    np.testing.assert_allclose(approx.mean, [1.0, -1.0], atol=1e-12)
    np.testing.assert_allclose(approx.cov, RHO, atol=1e-12)
    assert approx.report.converged
    assert len(approx.hist) < 60
    assert approx.hist[-1] == pytest.approx(0.0, abs=1e-9)
    assert approx.khat == -np.inf or approx.khat < 0.3


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("n_draws", [None, 16, 4])
def test_an_ill_conditioned_gaussian_is_exact(n_draws):
    axes = np.linalg.qr(np.random.default_rng(3).normal(size=(8, 8)))[0]
    covariance = axes @ np.diag(np.logspace(-4, 3, 8)) @ axes.T
    covariance = 0.5 * (covariance + covariance.T)
    approx = fit(gaussian(covariance, np.arange(8.0)), 1000, n_draws=n_draws)
    np.testing.assert_allclose(approx.cov, covariance, atol=1e-8 * np.abs(covariance).max())
    np.testing.assert_allclose(approx.mean, np.arange(8.0), atol=1e-5)
    assert approx.report.converged


@pytest.mark.nojit  # long as plain Python
def test_constants_are_in_the_losses():
    approx = fit(conjugate(FIVE))
    assert (approx.mean[0], approx.std[0]) == pytest.approx(FIVE_ANSWER[1:], abs=1e-8)
    assert approx.hist[-1] == pytest.approx(-FIVE_ANSWER[0], abs=1e-7)


@pytest.mark.nojit  # long as plain Python
def test_a_low_rank_gaussian_is_found():
    u = np.array([1.0, -0.5, 2.0, 0.3])
    covariance = np.diag([1.0, 2.0, 0.5, 1.0]) + np.outer(u, u)
    approx = fit(gaussian(covariance), 200, vfam="low_rank", rank=1)
    np.testing.assert_allclose(approx.cov, covariance, atol=1e-6)


@pytest.mark.nojit
def test_many_coordinates_and_few_directions():
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(60, 3)) * [0.5, 1.0, 3.0]
    covariance = np.diag(np.exp(rng.normal(size=60))) + directions @ directions.T
    approx = fit(gaussian(covariance), 100, vfam="low_rank", rank=3, n_draws=40)
    assert -0.01 < approx.elbo(2000, random_seed=2) < 1e-6


@pytest.mark.nojit
def test_a_posterior_that_is_no_gaussian():
    """The fit is better than the start, and near the best normal distribution, whose bound is known."""
    approx = fit(gamma_poisson(), 300, n_draws=16)
    assert approx.hist[0] > approx.hist[-20:].mean()
    assert approx.mean[0] == pytest.approx(0.81158357, abs=0.03)
    assert approx.std[0] == pytest.approx(0.26726124, rel=0.1)
    assert approx.report.converged is None
    assert -approx.hist[-100:].mean() == pytest.approx(-8.894527747, abs=0.02)


def same(a, b):
    np.testing.assert_array_equal(a.hist, b.hist)
    for one, other in zip(a.params, b.params, strict=True):
        np.testing.assert_array_equal(one.get_value(), other.get_value())


@pytest.mark.parametrize("vfam", ["full_rank", pytest.param("low_rank", marks=pytest.mark.nojit)])
def test_a_refined_fit_is_one_fit(vfam):
    def looks(approx, losses, i):
        approx.sample(2)
        assert len(losses) == i

    looks.every = 7
    whole = fit(several(), 30, vfam=vfam)
    inference = nb.BaM(model=several(), random_seed=1, vfam=vfam)
    inference.fit(13, callbacks=[looks], progressbar=False)
    same(inference.refine(17, progressbar=False), whole)
    assert np.isfinite(whole.hist).all()
    same(whole, fit(several(), 30, vfam=vfam))


@pytest.mark.nojit  # long as plain Python
def test_a_start_that_is_given_stays():
    approx = fit(several(), 0, start={"a": 2.0})
    np.testing.assert_allclose(approx.mean[2], 2.0)
    data = conjugate(100.0 + np.array(FIVE), 0.0, 1000.0)
    assert fit(data, 0, start={"mu": 3.0}).mean[0] == 3.0
    assert fit(data, 0).mean[0] == 0.0
    assert 95.0 < fit(data, 1, learning_rate=1e-9).mean[0] < 105.0  # what is not given climbs before the first one
    assert fit(data, 1, learning_rate=1e-9, start={"mu": 3.0}).mean[0] == pytest.approx(3.0, abs=1e-3)


def apart(p, d):
    return -0.5 * (p.a - 5.0) ** 2 - 0.005 * (p.b + 3.0) ** 2


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("vfam", ["full_rank", "low_rank"])
def test_a_group_may_have_another_order(vfam):
    model = nb.Model({"a": nb.real(), "b": nb.real()}, logp=apart)
    approx = nb.Approximation([nb.Group(["b", "a"], vfam, model=model)], model, 1)
    nb.Inference(ScoreDivergence, approx).fit(150, progressbar=False)
    np.testing.assert_allclose(approx.mean, [5.0, -3.0], atol=1e-3)
    np.testing.assert_allclose(approx.std, [1.0, 10.0], rtol=1e-3)


def test_a_callback_may_put_the_parameters_elsewhere():
    """That the loss is much larger then is no reason to take back the iteration before."""

    def move(approx, losses, i):
        if i == 5:
            approx.params[0].set_value([50.0, 50.0])

    inference = nb.BaM(model=gaussian(RHO), random_seed=1, learning_rate=1e-6)
    approx = inference.fit(7, callbacks=[move], progressbar=False)
    assert approx.hist[5] > 1000.0 > approx.hist[4]
    assert (approx.mean > 40.0).all()


def test_an_iteration_is_cut_short():
    approx = nb.FullRank(model=conjugate(FIVE), random_seed=1)
    updates = ScoreDivergence(approx)().updates()
    updates.make_room(2)
    before = [shared.get_value() for shared in approx.params]
    for updates.climbs in (True, False):
        updates.fitting.stop[0] = 1
        assert updates.step(0) is None
        assert updates.fitting.fit.done == 0
        for one, other in zip(before, approx.params, strict=True):
            np.testing.assert_array_equal(one, other.get_value())


@pytest.mark.nojit  # long as plain Python
def test_learning_rates_are_asked_for():
    seen = []

    def rate(i):
        seen.append(i)
        return 5.0

    fit(several(), 5, learning_rate=rate)
    assert set(seen) <= set(range(5))
    slow, fast = (fit(gaussian(RHO), 5, learning_rate=rate, start={"x": [3.0, 3.0]}) for rate in (1e-6, 1.0))
    assert np.abs(slow.mean - 3.0).max() < 1e-3 < np.abs(fast.mean - 3.0).max()


# ---- what has no density


def half(p, d):
    return -0.5 * p.x**2 - 2.0 * p.x if p.x > 0.0 else -np.inf


def test_draws_without_a_density_are_left_out_until_they_are_many():
    model = nb.Model({"x": nb.real()}, logp=half)
    inference = nb.BaM(model=model, random_seed=1, start={"x": 0.5}, start_sigma=0.2, learning_rate=1e-9)
    inference.fit(60, progressbar=False)
    skipped = inference.approx.report.skipped
    assert 0 < skipped < 40
    assert f"{skipped} draws had no density" in str(inference.approx.report)
    inference = nb.BaM(model=model, random_seed=1, start={"x": 0.1}, start_sigma=0.5, learning_rate=1e-9)
    with pytest.raises(FitError, match=r"more than 50 of the last \d+ draws of the approximation have no density"):
        inference.fit(1000, progressbar=False)


def raising(p, d):
    if p.x > 0.5:
        raise RuntimeError("too large")
    return -0.5 * p.x**2


@pytest.mark.filterwarnings("ignore::nbinfer.errors.PerformanceWarning")
def test_what_the_model_raises_arrives():
    with pytest.raises(RuntimeError, match="too large"):
        fit(nb.Model({"x": nb.real()}, logp=raising), start_sigma=1.0)


def test_arithmetic_that_ends_is_told(monkeypatch):
    updates = ScoreDivergence(nb.FullRank(model=gaussian(RHO), random_seed=1))().updates()
    monkeypatch.setattr(updates, "_match", lambda *given: np.linalg.cholesky(-np.eye(2)))
    with pytest.raises(FitError, match=r"covariance of x is not finite after iteration 0; it is as it was before"):
        updates()


def steep(p, d):
    return p.x - np.exp(3.0 * p.x)


@pytest.mark.nojit  # long as plain Python
def test_an_iteration_that_leads_too_far_is_taken_back():
    """From far to the left the density looks like a line, and the matched distribution reaches far to the right."""
    model = nb.Model({"x": nb.real()}, logp=steep)
    approx = fit(model, 200, start={"x": -12.0}, start_sigma=0.5, n_draws=16)
    assert approx.mean[0] == pytest.approx(-0.5, abs=0.3)
    assert (np.diff(approx.hist) > 100.0).any() or not JIT


# ---- refusals


def test_only_normal_distributions_are_matched():
    model = several()
    for call, message in (
        (lambda: fit(model, vfam="mean_field"), "vfam must be one of 'full_rank', 'low_rank' here, got 'mean_field'"),
        (lambda: nb.Inference(ScoreDivergence, nb.MeanField(model=model)), "full_rank or low_rank, got mean_field"),
        (
            lambda: nb.Inference(ScoreDivergence, nb.Approximation(
                [nb.Group(["x"], "full_rank", model=model), nb.Group(None, "full_rank")], model)),
            "batch and match fits one group, got 2",
        ),
    ):  # fmt: skip
        with pytest.raises(ParametrizationError, match=message):
            call()
    matrix = nb.Model({"m": nb.real((3, 2))}, logp=lambda p, d: -0.5 * np.sum(p.m**2))
    by_row = nb.Approximation(nb.Group(["m"], "full_rank", model=matrix, rowwise=True), matrix)
    with pytest.raises(ParametrizationError, match="got full_rank by row"):
        nb.Inference(ScoreDivergence, by_row)


def test_options_are_checked():
    with pytest.raises(ValueError, match="n_draws must"):
        fit(several(), n_draws=0)
    with pytest.raises(ValueError, match="learning_rate must be positive"):
        fit(several(), learning_rate=-1.0)
    with pytest.raises(ValueError, match=r"learning_rate\(0\) must be positive"):
        fit(several(), learning_rate=lambda i: 0.0)
    with pytest.raises(TypeError, match="batch and match takes no obj_optimizer: it has no optimiser"):
        nb.fit(10, method="bam", model=several(), obj_optimizer=nb.adam)
    assert len(fit(several(), 2, obj_n_mc=20).hist) == 2

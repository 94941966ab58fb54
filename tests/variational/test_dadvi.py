"""DADVI: answers that are known, the objective as a function, its ends, and mutants."""

import pickle
import signal

import numpy as np
import pytest

import nbinfer as nb
from bench.models import MODELS
from nbinfer.compile import JIT, address_of
from nbinfer.errors import ConvergenceWarning, ExplicitInferenceError, FitError, ParametrizationError
from nbinfer.variational import sample_average
from nbinfer.variational.dadvi import SampleAverageKL
from tests.posteriors import NAMES, load
from tests.variational.families.laws import faulty
from tests.variational.targets import (
    FIVE,
    FIVE_ANSWER,
    MEAN_FIELD_GAP,
    MEAN_FIELD_SDS,
    SIGMA,
    conjugate,
    gamma_poisson,
    gaussian,
    several,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning"),
    pytest.mark.usefixtures("few_draws_to_judge"),
]

by_reading = pytest.mark.skipif(JIT, reason="plain Python says the same of a mutant, without compiling it")
RHO = [[1.0, 0.9], [0.9, 1.0]]


def fit(model, n=1000, **options):
    call = {name: options.pop(name) for name in ("start", "start_sigma") if name in options}
    return nb.fit(n, method="dadvi", model=model, random_seed=1, inf_kwargs=options, progressbar=False, **call)


# ---- answers


@pytest.mark.nojit  # long as plain Python
def test_pairs_of_draws_respond_exactly():
    approx = fit(gaussian(RHO, [1.0, -1.0]))
    np.testing.assert_allclose(approx.mean, [1.0, -1.0], atol=1e-6)
    np.testing.assert_allclose(approx.std, 0.4358898944, rtol=1e-6)
    np.testing.assert_allclose(approx.cov_lr, RHO, atol=1e-9)
    np.testing.assert_allclose(approx.std_lr, 1.0, atol=1e-9)


@pytest.mark.nojit  # long as plain Python
def test_noise_may_be_given():
    noise = np.random.default_rng(0).standard_normal((30, 2))
    approx = fit(gaussian(RHO, [1.0, -1.0]), noise=noise, tolerance=0.0)
    np.testing.assert_allclose(approx.mean, [1.07171289, -1.19602034], atol=1e-8)
    np.testing.assert_allclose(approx.std, [0.61637503, 0.72348793], atol=1e-8)
    np.testing.assert_allclose(approx.cov_lr, [[1.00200819, 0.89846061], [0.89846061, 1.01500421]], atol=1e-8)
    assert approx.report.gap - 2.0 * approx.report.gap_error > 0.5
    assert "larger at the noise of the fit than at fresh noise" in str(approx.report)


@pytest.mark.nojit  # long as plain Python
def test_the_gap_is_one_of_losses():
    noise = np.random.default_rng(0).standard_normal((6, 1))
    approx = fit(conjugate(FIVE), noise=noise, beta=4.0)
    fresh = approx.loss(20_000 if JIT else 2000, 4.0)
    assert approx.report.gap > 5.0 * approx.report.gap_error > 0.0
    assert approx.report.gap == pytest.approx(fresh - approx.hist[-1], abs=6.0 * approx.report.gap_error)


def log_gamma(p, d):
    return 5.0 * p.x - np.exp(p.x)


@pytest.mark.nojit
def test_linear_response_of_a_log_gamma():
    approx = fit(nb.Model({"x": nb.real()}, logp=log_gamma), n_draws=4000)
    assert approx.std[0] ** 2 == pytest.approx(0.2, abs=2e-3)
    assert approx.cov_lr[0, 0] == pytest.approx(0.22, abs=2e-3)


@pytest.mark.parametrize("vfam", ["mean_field", "full_rank", pytest.param("low_rank", marks=pytest.mark.nojit)])
def test_a_gaussian_is_exact(vfam):
    approx = fit(gaussian(SIGMA, [1.0, -2.0, 0.5]), vfam=vfam, tolerance=0.0)
    assert approx.report.converged
    np.testing.assert_allclose(approx.mean, [1.0, -2.0, 0.5], atol=1e-6)
    np.testing.assert_allclose(approx.cov_lr, SIGMA, rtol=1e-6)
    if vfam == "mean_field":
        np.testing.assert_allclose(approx.std, MEAN_FIELD_SDS, rtol=1e-5)
        assert -approx.hist[-1] == pytest.approx(MEAN_FIELD_GAP, abs=1e-6)
    else:
        np.testing.assert_allclose(approx.cov, SIGMA, rtol=1e-5)
        assert approx.report.khat < 0.3


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize(("beta", "mean", "sd"), [(1.0, *FIVE_ANSWER[1:]), (0.5, 1.56097561, 0.31234752)])
def test_beta_weighs_all_but_the_likelihood(beta, mean, sd):
    approx = fit(conjugate(FIVE), beta=beta, tolerance=0.0)
    assert (approx.mean[0], approx.std[0]) == pytest.approx((mean, sd), rel=1e-6)
    assert approx.std_lr[0] == pytest.approx(sd, rel=1e-6)
    assert -approx.hist[-1] == pytest.approx({1.0: FIVE_ANSWER[0], 0.5: -7.52918324}[beta], abs=1e-6)
    assert abs(approx.report.gap) < 1e-6


CASES = MODELS | {name: (lambda name=name: load(name).model) for name in NAMES}


@pytest.mark.slow
@pytest.mark.nojit
@pytest.mark.parametrize("name", CASES)
def test_few_draws_come_close_to_the_best_of_the_family(name):
    """The best: at many times the draws, from where the fit has ended; both bounds from the same fresh noise."""
    model = CASES[name]()
    approx = fit(model, 5000)
    best = nb.DADVI(model=model, random_seed=2, n_draws=max(2000, 12 * model.dim * (16 if model.dim < 200 else 4)))
    for mine, other in zip(best.approx.params, approx.params, strict=True):
        mine.set_value(other.get_value())
    best.fit(5000, progressbar=False)
    gains = best.approx.log_weights(100_000, random_seed=3) - approx.log_weights(100_000, random_seed=3)
    assert approx.report.converged
    assert best.approx.report.converged
    assert gains.mean() < 0.1


# ---- the objective as a function


def made(module=sample_average, **options):
    """Return the memory of a fit of two groups, with scattered parameters, and its objective."""
    approx = nb.Approximation(
        [nb.Group(["m", "s"], "full_rank", model=several()), nb.Group(None, "mean_field")], several(), 3
    )
    op = SampleAverageKL(approx, **options)
    updates = op().updates()
    rng = np.random.default_rng(1)
    for shared in approx.params:
        shared.set_value(0.4 * rng.normal(size=shared.shape) + 0.1)
    updates.make_room(10)

    def bound(x):
        slope = np.zeros(len(x))
        state = address_of(updates.fitting.state)
        return module.bound_at(len(x), address_of(x), address_of(slope), state), slope

    return approx, updates, bound


def check_objective(module=sample_average):
    """Its value is a mean over rows of both signs, and its gradient the derivative of that."""
    approx, updates, bound = made(module, n_draws=14)
    fitting = updates.fitting
    x = fitting.fit.parameters.copy()
    bound(x)
    value, slope = bound(x)
    rows, expected = fitting.settings.rule.noise, []
    by_group = np.split(np.concatenate([rows, -rows]), [7], axis=1)  # of m and s; of x and a
    z = np.zeros((14, approx.ndim))
    for group, noise in zip(approx.groups, by_group, strict=True):
        factor = group.family.factor(group.values) if group.short_name == "full_rank" else np.diag(group.std)
        z[:, group.coordinates] = group.mean + noise @ factor.T
        apart = np.linalg.slogdet(factor)[1] + 0.5 * np.sum(noise**2, axis=1) + noise.shape[1] * 0.9189385332046727
        expected.append(apart)
    assert value == pytest.approx(np.mean(fitting.densities.at(z) + np.sum(expected, axis=0)), rel=1e-10)
    for i in range(len(x)):
        above, below = x.copy(), x.copy()
        above[i] += 1e-5
        below[i] -= 1e-5
        assert slope[i] == pytest.approx((bound(above)[0] - bound(below)[0]) / 2e-5, rel=1e-5, abs=1e-6)


@pytest.mark.nojit  # long as plain Python
def test_the_objective_is_a_mean_over_noise_of_both_signs():
    check_objective()


MUTANTS = {
    "one sign": ("1.0 - 2.0 * side", "1.0"),
    "the gradient of the last evaluation stays": ("slope[i] = 0.0", "slope[i] = slope[i]"),
    "all groups have the same noise": ("first += 8 * group.n_noise", "first += 0"),
    "the gradient is a sum": ("scale * slope[i]", "slope[i]"),
    "log q counts twice": ("fit.context) - logq", "fit.context) - 2.0 * logq"),
    "one row": ("own.noise + 8 * own.n_noise * k", "own.noise"),
}


@pytest.mark.nojit  # long as plain Python
@by_reading
@pytest.mark.parametrize("fault", sorted(MUTANTS))
def test_a_fault_in_the_objective_is_found(fault):
    with pytest.raises(AssertionError):
        check_objective(faulty(sample_average, MUTANTS[fault]))


def test_noise_is_balanced():
    _, updates, _ = made(n_draws=60)
    noise = updates.fitting.settings.rule.noise
    assert noise.shape == (30, 10)
    np.testing.assert_allclose(noise.T @ noise / 30, np.eye(10), atol=1e-12)
    few = SampleAverageKL(nb.MeanField(model=several(), random_seed=1), n_draws=6)().updates()
    np.testing.assert_allclose((few.fitting.settings.rule.noise**2).mean(axis=0), 1.0, atol=1e-12)
    assert SampleAverageKL(nb.MeanField(model=several()))().updates().fitting.settings.n_draws == 120
    assert SampleAverageKL(nb.MeanField(model=conjugate(FIVE)))().updates().fitting.settings.n_draws == 30


# ---- one fit


def same(a, b):
    np.testing.assert_array_equal(a.hist, b.hist)
    for one, other in zip(a.params, b.params, strict=True):
        np.testing.assert_array_equal(one.get_value(), other.get_value())


@pytest.mark.nojit  # long as plain Python
def test_a_fit_ends_by_itself_and_is_one_fit_however_it_is_made():
    whole = fit(several(), n_draws=20)
    assert whole.report.converged
    assert 5 < len(whole.hist) < 200
    assert (np.diff(whole.hist) <= 0.0).all()
    same(whole, fit(several(), n_draws=20))
    tracker = nb.Tracker(every=3, std=lambda approx, losses, i: approx.std)
    inference = nb.DADVI(model=several(), random_seed=1, n_draws=20)
    with pytest.warns(ConvergenceWarning, match="ended before it converged"):
        inference.fit(4, callbacks=[tracker, lambda approx, losses, i: approx.sample(2)], progressbar=False)
    assert inference.approx.report.converged is False
    inference.refine(1000, progressbar=False)
    same(inference.approx, whole)
    assert inference.approx.report.converged
    assert len(tracker["std"]) == len(whole.hist) // 3


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("method", [nb.DADVI, nb.BaM])
@pytest.mark.usefixtures("listening")
def test_ctrl_c_keeps_the_fit(method):
    def press(approx, losses, i):
        if i == 3 and pressed.append(i) is None and len(pressed) == 1:
            signal.raise_signal(signal.SIGINT)

    pressed = []
    options = {"model": gamma_poisson(), "random_seed": 1, "n_draws": 20}
    whole = method(**options).fit(12, progressbar=False)
    inference = method(**options)
    approx = inference.fit(12, callbacks=[press], progressbar=False)
    assert approx.report.interrupted or len(approx.hist) == len(whole.hist)
    inference.refine(12 - len(approx.hist), progressbar=False)
    same(approx, whole)


def test_a_callback_may_put_the_parameters_elsewhere():
    def move(approx, losses, i):
        if i == 3:
            approx.params[0].set_value([5.0])

    noise = np.array([[1.0], [-1.0], [0.5], [-0.5]])
    inference = nb.DADVI(model=conjugate(FIVE), noise=noise)
    approx = inference.fit(1000, callbacks=[move], progressbar=False)
    assert approx.hist[3] > approx.hist[2]
    assert approx.mean[0] == pytest.approx(FIVE_ANSWER[1], abs=1e-5)


@pytest.mark.nojit  # long as plain Python
def test_another_fit_has_other_noise():
    inference = nb.DADVI(model=gamma_poisson(), random_seed=1)
    first = inference.fit(progressbar=False).mean
    begun = len(inference.hist)
    inference.fit(progressbar=False)
    assert len(inference.hist) > begun
    assert 0.0 < np.abs(inference.approx.mean - first).max() < 0.3


@pytest.mark.nojit  # long as plain Python
def test_a_response_that_was_found_can_be_pickled():
    approx = fit(gaussian(RHO))
    found = approx.cov_lr
    again = pickle.loads(pickle.dumps(approx))
    np.testing.assert_array_equal(again.cov_lr, found)
    again.params[0].set_value([1.0, 1.0])
    with pytest.raises(ExplicitInferenceError, match="cov_lr comes of a fit by method='dadvi'"):
        again.cov_lr  # noqa: B018


@pytest.mark.nojit  # long as plain Python
def test_groups_that_do_not_move_stay():
    given = nb.Group(["s"], params={"mu": [0.3], "rho": [-1.0]}, model=several())
    approx = nb.Approximation([given, nb.Group(None, "mean_field")], several(), 2)
    nb.Inference(SampleAverageKL, approx, n_draws=20).fit(progressbar=False)
    assert approx.report.converged
    assert approx.mean[3] == 0.3
    assert (approx.cov_lr[3] == 0.0).all()
    assert (np.diag(approx.cov_lr)[[0, 1, 2, 4]] > 0.0).all()


# ---- what has no density


def half(p, d):
    return -0.5 * p.x**2 if p.x > 0.0 else -np.inf


def test_a_step_without_a_density_is_too_long():
    approx = fit(nb.Model({"x": nb.real()}, logp=half), start={"x": 1.0})
    rows = approx.fitting().settings.rule.noise
    assert approx.mean[0] > np.abs(rows).max() * approx.std[0]
    assert np.isfinite(approx.hist).all()
    assert approx.report.skipped == 0


def test_a_start_without_a_density_is_told():
    """Of a pair, either may be the one."""
    for sign in (1.0, -1.0):
        with pytest.raises(FitError, match=r"begins has no density: x = -.*\(logp is -inf\). Begin elsewhere"):
            updates_with_first_noise(sign)


def updates_with_first_noise(sign):
    model = nb.Model({"x": nb.real()}, logp=half)
    updates = SampleAverageKL(nb.MeanField(model=model, start={"x": 0.1}, start_sigma=1.0), n_draws=2)().updates()
    updates.fitting.settings.rule.noise[:] = sign
    updates()


def raising(p, d):
    if p.x > 0.5:
        raise RuntimeError("too large")
    return -0.5 * (p.x - 1.0) ** 2


@pytest.mark.filterwarnings("ignore::nbinfer.errors.PerformanceWarning")
def test_what_the_model_raises_arrives():
    with pytest.raises(RuntimeError, match="too large"):
        fit(nb.Model({"x": nb.real()}, logp=raising))


def jumping(p, d, grad):
    grad.x[()] += 3.0
    return -(p.x**2)


def test_a_gradient_that_is_another_function_is_told():
    approx = nb.MeanField(model=nb.Model({"x": nb.real()}, logp_grad=jumping), random_seed=1)
    updates = SampleAverageKL(approx)().updates()
    updates.make_room(500)
    while not updates.ends():
        updates()
    verdict = updates.verdict(False)
    assert verdict.converged is False
    assert "no step along the gradient lowers the loss" in verdict.problems[0].message


def test_an_evaluation_is_cut_short():
    _, updates, bound = made(n_draws=14)
    fitting = updates.fitting
    updates()
    before = fitting.fit.parameters.copy()
    fitting.stop[0] = 1
    assert bound(before.copy())[0] == -np.inf
    assert fitting.rule.cut == 1
    assert sample_average.advance(address_of(fitting.state), 5) == 1
    assert fitting.fit.done == 1
    np.testing.assert_array_equal(fitting.fit.parameters, before)


# ---- refusals


def test_options_are_checked():
    model = several()
    for options, error, message in (
        ({"n_draws": 31}, ValueError, "n_draws must be even, for draws come in pairs, got 31"),
        ({"n_draws": 0}, ValueError, "n_draws must"),
        ({"n_draws": 30, "noise": np.eye(10)}, ValueError, "pass n_draws or noise"),
        ({"tolerance": -1.0}, ValueError, "tolerance must be a number from 0 on, got -1.0"),
        ({"noise": np.zeros((5, 3))}, ValueError, r"must have shape \(draws, 10\), a row for each draw, got \(5, 3\)"),
        ({"noise": np.full((5, 10), np.nan)}, ValueError, "noise must be finite"),
        ({"noise": np.ones((5, 10))}, ParametrizationError, "noise must vary in 1 directions for mean_field"),
        ({"vfam": "full_rank", "n_draws": 18}, ParametrizationError, "must be at least 20 for full_rank of x, a, s, m"),
        ({"vfam": "low_rank", "rank": 4, "n_draws": 8}, ParametrizationError, "must be at least 10 for low_rank"),
        ({"rank": 2}, ParametrizationError, "options names 'rank', which mean_field lacks"),
        ({"vfam": "empirical"}, ParametrizationError, "vfam must be one of 'mean_field', 'full_rank', 'low_rank' here"),
        ({"vfam": "nothing"}, ParametrizationError, "unknown vfam 'nothing'"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            fit(model, **options)
    noise = np.random.default_rng(0).standard_normal((10, 10))
    with pytest.raises(ParametrizationError, match=r"10 directions for full_rank .* got 10 rows that vary in 9"):
        fit(model, vfam="full_rank", noise=noise)
    with pytest.raises(
        TypeError, match="a fit at fixed noise takes no obj_optimizer: L-BFGS needs no optimiser and ends by itself"
    ):
        nb.fit(10, method="dadvi", model=model, obj_optimizer=nb.adam)


def test_a_response_needs_a_minimum_at_fixed_noise():
    with pytest.raises(ExplicitInferenceError, match="cov_lr comes of a fit by method='dadvi'"):
        nb.MeanField(model=several()).cov_lr  # noqa: B018
    approx = fit(nb.Model({"x": nb.real()}, logp=bimodal), 0, start_sigma=0.01)
    with pytest.raises(FitError, match="cov_lr needs a minimum, and the loss curves downwards here"):
        approx.cov_lr  # noqa: B018


@pytest.mark.nojit  # long as plain Python
def test_a_response_that_has_not_arrived_is_none():
    model = gaussian(RHO, [30.0, -30.0])
    with pytest.raises(FitError, match=r"a mean is still \S+ standard deviations from it. Fit on with refine"):
        fit(model, 1).cov_lr  # noqa: B018
    data = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * (p.x - d.y) ** 2, data={"y": 1.0})
    approx = fit(data)
    assert approx.std_lr == pytest.approx(1.0)
    data.set_data(y=3.0)
    with pytest.raises(FitError, match=r"a mean is still 2 standard deviations from it"):
        approx.cov_lr  # noqa: B018


def bimodal(p, d):
    return -((p.x**2 - 1.0) ** 2)

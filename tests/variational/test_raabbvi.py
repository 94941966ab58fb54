"""The rule of convergence: when it fires, what it leaves behind, and what it does not take for convergence."""

import math

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import ConvergenceWarning, ExplicitInferenceError, ParametrizationError
from nbinfer.variational import raabbvi
from nbinfer.variational.course import Course
from nbinfer.variational.families.family import Family
from nbinfer.variational.families.mean_field import MeanFieldFamily
from nbinfer.variational.raabbvi import Settled
from tests.often import often
from tests.variational.families.laws import faulty
from tests.variational.targets import (
    FIVE,
    FIVE_ANSWER,
    MEAN_FIELD_SDS,
    SIGMA,
    conjugate,
    gamma_poisson,
    gaussian,
    regression,
    several,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning"),
    pytest.mark.usefixtures("few_draws_to_judge"),
]


def fit(model, n=50_000, convergence="raabbvi", **options):
    options = {"random_seed": 1, "progressbar": False} | options
    return nb.fit(n, model=model, convergence=convergence, **options)


# ---- it fires, and is right

#: Models, standard deviations of the best approximation, options.
ANSWERS = {
    "mean": (lambda: conjugate(FIVE), [FIVE_ANSWER[2]], {}),
    "mean, plain": (lambda: conjugate(FIVE), [FIVE_ANSWER[2]], {"inf_kwargs": {"estimator": "plain"}}),
    "counts": (gamma_poisson, [0.26726124], {}),
    "correlated": (gaussian, MEAN_FIELD_SDS, {"n": 100_000}),
    "line": (regression, [0.24913644, 0.13349825], {"n": 100_000}),
    "full rank": (gaussian, np.sqrt(np.diag(SIGMA)), {"method": "fullrank_advi"}),
    "adam": (gamma_poisson, [0.26726124], {"obj_optimizer": nb.adam(learning_rate=0.02)}),
    "gradient descent": (
        lambda: conjugate(FIVE),
        [FIVE_ANSWER[2]],
        {"obj_optimizer": nb.sgd(learning_rate=0.02), "inf_kwargs": {"estimator": "plain"}},
    ),
}


@pytest.mark.nojit
@pytest.mark.parametrize("what", ANSWERS)
def test_it_fires_and_only_when_it_has_arrived(what):
    model, sds, options = ANSWERS[what]
    model = model()
    for seed in range(5):
        approx = fit(model, random_seed=seed, **options)
        if what not in ("correlated", "line") or approx.report.converged:
            assert approx.report.converged
            np.testing.assert_allclose(approx.std, sds, rtol=0.05)


@pytest.mark.slow
@pytest.mark.nojit
@pytest.mark.parametrize("what", ANSWERS)
def test_it_fires_for_nearly_all_seeds(what):
    model, sds, options = ANSWERS[what]
    model, fired = model(), 0
    for seed in range(100, 200):
        approx = fit(model, random_seed=seed, **{**options, "n": 200_000})
        fired += approx.report.converged
        if approx.report.converged:
            np.testing.assert_allclose(approx.std, sds, rtol=0.05)
    assert fired >= 95


@pytest.mark.nojit
def test_units_do_not_matter():
    """A thousandfold in all: data, priors, start and learning rate. Normal numbers of full rank scale as a whole."""
    found = []
    for unit in (1.0, 1000.0):
        model = conjugate(unit * np.array(FIVE), 0.0, 2.0 * unit, unit)
        settings = nb.RAABBVI(learning_rate=0.05 * unit)
        approx = fit(model, convergence=settings, method="fullrank_advi", start_sigma=0.1 * unit)
        found.append((len(approx.hist), approx.std[0] / unit))
    assert abs(found[0][0] - found[1][0]) <= nb.RAABBVI().min_window
    assert found[0][1] == pytest.approx(found[1][1], rel=0.01)


# ---- iterates that are known: the optimiser is one that heeds no gradient


def iterates(slope, seed, scale=0.05):
    """Return an optimiser whose iterates are noise about a point that moves in proportion to the learning rate."""
    rng, at = np.random.default_rng(seed), np.zeros(2)

    def update(x, g, rate, t):
        at[:] += slope * rate / 0.05 * scale
        x[:] = at + scale * rng.normal(size=2)

    return nb.optimizers.custom(update, learning_rate=0.05)


@pytest.mark.nojit
def test_flat_noise_is_convergence():
    model = conjugate(FIVE)
    for seed in range(10):
        approx = fit(model, 10_000, obj_optimizer=iterates(0.0, seed))
        assert approx.report.converged
        np.testing.assert_allclose(approx.params[0].get_value(), 0.0, atol=0.02)


@pytest.mark.nojit
@pytest.mark.parametrize("slope", often([0.01, 0.003], 0.003))
def test_a_drift_is_none(slope):
    """However shallow: that windows lengthen as the rate falls keeps a drift from fading with it."""
    model = conjugate(FIVE)
    for seed in range(5):
        assert not fit(model, 10_000, obj_optimizer=iterates(slope, seed)).report.converged


@pytest.mark.nojit
def test_a_first_rate_that_is_too_high_is_lowered():
    approx = fit(gaussian(), 200_000, nb.RAABBVI(learning_rate=4.0))
    assert approx.report.converged
    assert approx.report.rates[0].rate < 4.0
    np.testing.assert_allclose(approx.std, MEAN_FIELD_SDS, rtol=0.05)


# ---- what it leaves behind

MEAN = conjugate(FIVE)


def small(**options):
    """Return settings under which short fits see several rates."""
    return nb.RAABBVI(**{"accuracy": 1e6, "rhat": 100.0, "min_ess": 1e-9} | options)


@pytest.mark.nojit  # long as plain Python
def test_the_average_is_what_is_fitted():
    seen = []
    approx = fit(MEAN, 1000, small(), callbacks=[lambda approx, losses, i: seen.append(flat(approx))])
    first, second = approx.report.rates
    assert approx.report.converged
    assert (first.at, second.at) == (first.iterations, first.iterations + second.iterations)
    assert len(approx.hist) == second.at
    np.testing.assert_allclose(flat(approx), np.mean(seen[-second.window :], axis=0), rtol=1e-9, atol=1e-12)


@pytest.mark.nojit  # long as plain Python
def test_a_rate_begins_at_the_average_and_is_half_of_the_one_before():
    seen, rates = [], []

    def look(x, g, rate, t):
        seen.append(x.copy())
        rates.append(rate)
        x -= rate * np.sign(g)

    approx = fit(MEAN, 2000, small(), obj_optimizer=nb.optimizers.custom(look, learning_rate=0.01))
    first = approx.report.rates[0]
    assert rates[: first.at] == [0.01] * first.at
    assert set(rates[first.at :]) == {0.005}
    window = seen[first.at - first.window + 1 : first.at]  # and the last iterate, which no step has begun at
    assert np.abs(seen[first.at] - np.mean(window, axis=0)).max() < 0.01


@pytest.mark.nojit  # long as plain Python
def test_a_course_that_averages_nothing_or_keeps_its_rate_is_seen(monkeypatch):
    whole = Course._begin

    def stays(course, parameters, rate):
        whole(course, course._parameters.copy(), rate)

    monkeypatch.setattr(Course, "_begin", stays)
    with pytest.raises(AssertionError):
        test_the_average_is_what_is_fitted()
    monkeypatch.setattr(Course, "_begin", lambda course, parameters, rate: whole(course, parameters, 1.8 * rate))
    with pytest.raises(AssertionError):
        test_a_rate_begins_at_the_average_and_is_half_of_the_one_before()


def flat(approx):
    return np.concatenate([np.ravel(shared.get_value()) for shared in approx.params])


@pytest.mark.nojit  # long as plain Python
def test_a_budget_that_runs_out_is_told_and_leaves_an_average():
    seen = []
    keep = lambda approx, losses, i: seen.append(flat(approx))  # noqa: E731
    with pytest.warns(ConvergenceWarning, match=r"before it converged\. Of its learning rates, 0 have settled\."):
        approx = fit(MEAN, 600, nb.RAABBVI(min_ess=1e9), callbacks=[keep])
    assert approx.report.converged is False
    assert "At 0.05, after 600 iterations, the best window has R-hat" in str(approx.report)
    assert "(wanted: 1e+09). Go on with refine, or raise n." in str(approx.report)
    sizes = [k for k in range(200, 601) if np.allclose(flat(approx), np.mean(seen[-k:], axis=0), rtol=1e-9)]
    assert len(sizes) == 1


def test_too_short_a_fit_leaves_its_last_iterate():
    approx = fit(MEAN, 150)
    plain = fit(MEAN, 150, None, obj_optimizer=nb.optimizers.averaged_adam(learning_rate=0.05))
    np.testing.assert_array_equal(flat(approx), flat(plain))
    assert approx.report.converged is False
    assert "there is no window of 200 yet" in str(approx.report)


@pytest.mark.parametrize("settings", [nb.RAABBVI(), pytest.param(small(accuracy=1e-9), marks=pytest.mark.nojit)])
def test_a_refined_fit_is_one_fit(settings):
    inference = nb.ADVI(model=MEAN, random_seed=3)
    inference.fit(730, convergence=settings, progressbar=False)
    inference.refine(600, progressbar=False)
    whole = nb.ADVI(model=MEAN, random_seed=3).fit(1330, convergence=settings, progressbar=False)
    np.testing.assert_array_equal(inference.hist, whole.hist)
    np.testing.assert_array_equal(flat(inference.approx), flat(whole))
    assert str(inference.approx.report.rates) == str(whole.report.rates)


@pytest.mark.nojit  # long as plain Python
def test_a_fit_goes_on_from_what_the_user_sets():
    inference = nb.ADVI(model=MEAN, random_seed=3)
    inference.fit(500, convergence="raabbvi", progressbar=False)
    inference.approx.params[0].set_value(np.array([7.0]))
    inference.refine(1, progressbar=False)
    assert np.abs(inference.approx.params[0].get_value()).min() < 7.0  # the average of a window, once more
    inference.approx.params[0].set_value(np.array([7.0]))
    inference._updates.make_room(0)
    np.testing.assert_allclose(inference.approx.params[0].get_value(), 7.0)


@pytest.mark.nojit  # long as plain Python
def test_a_converged_fit_can_be_refined():
    inference = nb.ADVI(model=MEAN, random_seed=3)
    first = inference.fit(5000, convergence=small(), progressbar=False)
    done = len(first.hist)
    assert first.report.converged
    inference.refine(5000, progressbar=False)
    assert done < len(inference.hist) < done + 5000
    assert [each.rate for each in inference.approx.report.rates] == [0.05, 0.025, 0.0125]


@pytest.mark.nojit
def test_other_callbacks_and_groups_go_with_it():
    tracker = nb.Tracker(every=100, i=lambda approx, losses, i: i)
    with several():
        groups = [nb.Group(["m"], "full_rank", rowwise=True), nb.Group(None, "mean_field")]
        mixed = nb.Approximation(groups, random_seed=1)
    approx = nb.KLqp(mixed).fit(1000, convergence=small(), callbacks=[tracker], progressbar=False)
    assert approx.report.converged
    assert tracker["i"] == list(range(100, len(approx.hist) + 1, 100))
    in_turn = fit(MEAN, 4000, small(), method="advi->fullrank_advi")
    assert in_turn.report.converged


@pytest.mark.nojit  # long as plain Python
def test_a_callback_that_ends_the_fit_where_a_look_is_due_does_not_hold_it_there():
    def every_hundred(approx, losses, i):
        calls.append(i)
        if i % 100 == 0:
            raise StopIteration

    calls = []
    inference = nb.ADVI(model=MEAN, random_seed=3)
    inference.fit(1000, convergence=small(), callbacks=[every_hundred], progressbar=False)
    assert "The fit ended before it converged. Of its learning rates, 0 have settled." in str(inference.approx.report)
    for _ in range(4):
        inference.refine(1000, progressbar=False)
    assert calls == list(range(1, 501))


@pytest.mark.nojit
def test_it_is_the_same_whether_losses_are_kept():
    """Far off, losses that fall keep the rate from being lowered."""
    kept, other = (fit(conjugate(FIVE, 2000.0, 1.0), 2600, score=score) for score in (True, False))
    np.testing.assert_array_equal(flat(kept), flat(other))
    assert np.isfinite(kept.hist).all()
    assert np.isnan(other.hist).all()
    assert "At 0.05, after 2600" in kept.report.state


# ---- predictions


def settled(rate, moved, error=0.0, iterations=1000, distance=math.nan):
    return Settled(rate, 0, iterations, 500, 1.0, 100.0, error, moved, distance, math.nan)


def test_distances_are_extrapolated():
    rule = nb.RAABBVI(accuracy=0.1)
    first = settled(0.4, math.nan)
    assert math.isnan(rule.predicted([], first).distance)
    second = rule.predicted([first], settled(0.2, 0.8))
    assert second.distance == pytest.approx(0.8 / (math.sqrt(2.0) - 1.0))  # by the root of the rate, as long as unknown
    third = rule.predicted([first, second], settled(0.1, 0.4, iterations=3000))
    assert third.distance == pytest.approx(0.4)  # moved 0.8, then 0.4: 0.4 is left
    assert third.inefficiency == pytest.approx((0.5 * 0.4 + 0.1) / (0.4 + 0.1) * 3.0)
    assert not rule.is_enough(third)
    fourth = rule.predicted([first, second, third], settled(0.05, 0.08, iterations=3000))
    assert fourth.distance == pytest.approx(0.08)
    assert fourth.inefficiency > 1.0
    assert rule.is_enough(fourth)
    assert not nb.RAABBVI(accuracy=0.1, inefficiency=5.0).is_enough(fourth)


def test_noise_of_averages_is_no_distance_and_hides_none():
    rule = nb.RAABBVI()
    before = settled(0.2, math.nan, error=0.06)
    assert rule.predicted([before], settled(0.1, 0.01, error=0.02)).distance == pytest.approx(0.06)
    assert rule.predicted([before], settled(0.1, 0.065, error=0.03)).distance == pytest.approx(0.065)
    assert not rule.is_exact_enough(settled(0.1, 0.1, error=0.04))
    assert rule.is_exact_enough(settled(0.1, 0.1, error=0.035))
    assert rule.is_exact_enough(settled(0.1, 0.4, error=0.1))
    assert rule.is_exact_enough(settled(0.1, math.nan, error=9.0))


def test_a_rule_that_hopes_is_seen():
    """An average vouches for nothing without the error of the one before, or without what the rate has moved."""
    before, whole = settled(0.2, math.nan, error=0.06), "last.moved, before.error"
    for part in whole.split(", "):
        hopeful = faulty(raabbvi, (f", {whole})", f", {part})")).RAABBVI()
        last = settled(0.1, 0.01, error=0.02), settled(0.1, 0.065, error=0.03)
        assert [hopeful.predicted([before], each).distance for each in last] != pytest.approx([0.06, 0.065])


# ---- bad input


def test_what_makes_no_sense_is_refused():
    for name in ("accuracy", "learning_rate", "min_ess", "inefficiency"):
        with pytest.raises(ValueError, match=f"{name} must be positive"):
            nb.RAABBVI(**{name: 0.0})
    with pytest.raises(ValueError, match="factor must lie between 0 and 1, got 2"):
        nb.RAABBVI(factor=2)
    with pytest.raises(ValueError, match=r"rhat must lie between 1 and inf, got 0\.9"):
        nb.RAABBVI(rhat=0.9)
    with pytest.raises(ValueError, match="min_window must be an int from 200"):
        nb.RAABBVI(min_window=10)
    with pytest.raises(ValueError, match="unknown convergence 'elbo'; choose 'raabbvi'"):
        fit(several(), 1, "elbo")
    with pytest.raises(TypeError, match=r"convergence must be 'raabbvi' or nb.RAABBVI\(...\), got int"):
        fit(several(), 1, 3)
    for method, who in (("dadvi", "a fit at fixed noise"), ("bam", "batch and match")):
        with pytest.raises(TypeError, match=f"{who} takes no convergence: "):
            fit(several(), 1, method=method)
    with pytest.raises(TypeError, match="pathfinder has no convergence"):
        fit(several(), 1, method="pathfinder")
    with pytest.raises(ValueError, match="obj_optimizer is a function; pass the number that it begins with"):
        fit(several(), 1, obj_optimizer=nb.adam(learning_rate=lambda i: 0.1))


def test_families_without_a_distance_or_an_average_are_refused(monkeypatch):
    with pytest.raises(ParametrizationError, match=r"those of low_rank may change .* take rank=1, or another family"):
        fit(several(), 1, method="low_rank_advi", inf_kwargs={"rank": 2})
    monkeypatch.setattr(MeanFieldFamily, "divergence", Family.divergence)
    with pytest.raises(ExplicitInferenceError, match=r"mean_field has no closed form.*take mean_field"):
        fit(MEAN, 1)
    with pytest.raises(ExplicitInferenceError, match="normalizing_flow has no closed form"):
        fit(gaussian(), 1, method="nfvi=scale-loc")

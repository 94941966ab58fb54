"""SVGD, ASVGD and implicit gradients as users meet them: fits, what they keep, what they refuse."""

import pickle
import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import AEVBInferenceError, ConvergenceWarning, FitError, NbinferWarning, ParametrizationError
from nbinfer.variational import pulling
from nbinfer.variational.inference import Inference
from nbinfer.variational.stein import rbf
from tests.variational.stein.targets import Linear, at, fitted, forces, normal
from tests.variational.targets import FIVE, conjugate, gamma_poisson, gaussian, several

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")

ADAM = nb.adam(learning_rate=0.05)


def asvgd(*args, **options):
    with pytest.warns(NbinferWarning, match="ASVGD is experimental: what it finds depends on obj_n_mc"):
        return nb.ASVGD(*args, **options)


@pytest.mark.nojit  # long as plain Python
def test_by_name():
    approx = nb.fit(3, method="SVGD", model=several(), random_seed=1, inf_kwargs={"n_particles": 7}, progressbar=False)
    assert isinstance(approx, nb.Empirical)
    assert approx.histogram.shape == (7, several().dim)
    assert np.isnan(approx.hist).all()
    assert len(approx.hist) == 3
    assert np.isnan(approx.khat)
    with pytest.warns(NbinferWarning, match="experimental") as caught:
        approx = nb.fit(2, method="asvgd", model=several(), obj_n_mc=5, random_seed=1, progressbar=False)
    assert caught[0].filename == __file__
    assert isinstance(approx, nb.FullRank)
    with pytest.raises(TypeError, match="inf_kwargs names 'particles'; SVGD takes n_particles, jitter, estimator"):
        nb.fit(2, method="svgd", model=several(), inf_kwargs={"particles": 7})


@pytest.mark.nojit  # long as plain Python
def test_particles_of_a_transformed_parameter():
    """Counts with a gamma prior: mean and standard deviation of the rate."""
    approx = fitted(nb.SVGD(40, jitter=0.3, model=gamma_poisson(), random_seed=1, cores=1), 150, ADAM)
    rate = approx.sample(4000, random_seed=1)["rate"]
    assert rate.mean() == pytest.approx(14.0 / 6.0, abs=0.05)
    assert rate.std() == pytest.approx(0.6236, abs=0.06)


@pytest.mark.nojit
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kernel", [nb.RBF(pairs=5000), nb.IMQ()], ids=lambda kernel: type(kernel).__name__)
def test_sections_meet_in_the_same_order_on_any_number_of_cores(kernel, dtype):
    options = {"model": several(), "random_seed": 1, "kernel": kernel, "dtype": dtype}
    found = [fitted(nb.SVGD(300, cores=c, **options), 10, ADAM).histogram for c in (1, 2, 5)]
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


def test_what_dtype_may_be():
    with pytest.raises(ValueError, match="unknown dtype 'float16'; choose 'float64', 'float32'"):
        nb.SVGD(3, model=normal(), dtype="float16")
    for wrong in (np.float16, int, None, [3], "f4"):
        with pytest.raises(ValueError, match=r"unknown dtype .*; choose 'float64', 'float32'"):
            nb.SVGD(3, model=normal(), dtype=wrong)
    for right in (np.float32, np.dtype("float32"), "float32"):
        assert nb.SVGD(3, model=normal(), dtype=right).objective.op.dtype == "float32"
    with pytest.raises(ParametrizationError, match="dtype='float32' means nothing to a kernel in plain Python"):
        nb.SVGD(3, model=normal(), kernel=Linear(), dtype="float32", random_seed=1).fit(1, progressbar=False)
    for wrong in (0, 2.5, "some", True):
        with pytest.raises(ValueError, match="pairs must be"):
            nb.RBF(pairs=wrong)


@pytest.mark.nojit
@pytest.mark.parametrize("kernel", [rbf, nb.IMQ(0.5), Linear()], ids=lambda kernel: type(kernel).__name__)
def test_one_core_and_two_give_the_same_bits(kernel):
    found = [fitted(nb.SVGD(90, model=several(), random_seed=1, kernel=kernel, cores=c), 30, ADAM) for c in (1, 2, 5)]
    for approx in found[1:]:
        np.testing.assert_array_equal(approx.histogram, found[0].histogram)
    found = [
        fitted(asvgd(model=several(), random_seed=1, kernel=kernel, cores=c), 10, ADAM, obj_n_mc=90) for c in (1, 2)
    ]
    np.testing.assert_array_equal(found[1].cov, found[0].cov)


def test_refine_goes_on_as_if_there_had_been_no_end():
    whole, parts = (nb.SVGD(9, model=normal(2), random_seed=1, cores=1) for _ in range(2))
    fitted(whole, 12, nb.adam(learning_rate=lambda i: 0.1 / (i + 1)))
    fitted(parts, 5, nb.adam(learning_rate=lambda i: 0.1 / (i + 1)))
    parts.refine(7, progressbar=False)
    np.testing.assert_array_equal(parts.approx.histogram, whole.approx.histogram)
    assert len(parts.hist) == 12


def test_callbacks_see_the_particles_and_no_losses():
    seen = []

    def look(approx, losses, i):
        seen.append((i, losses, approx.mean.copy()))
        if i == 6:
            raise StopIteration

    look.every = 2
    inference = nb.SVGD(9, model=normal(2, mean=3.0), random_seed=1)
    fitted(inference, 50, callbacks=[look])
    assert [(i, losses) for i, losses, _ in seen] == [(2, None), (4, None), (6, None)]
    assert (seen[0][2] < seen[1][2]).all()
    assert len(inference.hist) == 6
    again = fitted(nb.SVGD(9, model=normal(2, mean=3.0), random_seed=1), 6)
    np.testing.assert_array_equal(again.histogram, inference.approx.histogram)


def test_losses_are_not_there_to_be_kept():
    inference = nb.SVGD(5, model=normal(), random_seed=1)
    with pytest.warns(NbinferWarning, match="KSD has no loss to keep"):
        inference.fit(2, score=True, progressbar=False)
    with pytest.raises(NotImplementedError, match="KSD has no loss to return"):
        inference.objective.step_function(score=True)
    with pytest.raises(NotImplementedError, match="KSD has no loss to return"):
        inference.objective.score_function()


def test_steps_one_by_one():
    one, other = (nb.SVGD(5, model=normal(), random_seed=1) for _ in range(2))
    step = one.objective.step_function(obj_optimizer=nb.sgd(learning_rate=0.5))
    for _ in range(3):
        step()
    fitted(other, 3, nb.sgd(learning_rate=0.5))
    np.testing.assert_array_equal(one.approx.histogram, other.approx.histogram)
    profile = other.run_profiling(3)
    assert profile["iteration"] > 0.0


def test_an_approximation_with_particles_is_pickled():
    approx = fitted(nb.SVGD(5, model=normal(2), random_seed=1), 2)
    again = pickle.loads(pickle.dumps(approx))
    np.testing.assert_array_equal(again.histogram, approx.histogram)


def test_histograms_of_several_groups_are_particles_together():
    rng = np.random.default_rng(1)
    model = several()
    rows = rng.normal(size=(6, model.dim))
    names = list(model.parameters)
    parts = [names[:1], names[1:]]
    places = [np.concatenate([np.arange(model.dim)[model.parameters[name].q] for name in part]) for part in parts]
    groups = [
        nb.Group(part, params={"histogram": rows[:, place]}, model=model)
        for part, place in zip(parts, places, strict=True)
    ]
    approx = nb.Approximation(groups, model, random_seed=1)
    whole = at(rows, model, cores=1)
    fitted(nb.ImplicitGradient(approx, cores=1), 3)
    fitted(whole, 3)
    np.testing.assert_allclose(nb.Stein(approx).input_joint_matrix, whole.approx.histogram, rtol=1e-12)
    assert [m.shape for m in nb.Stein(approx).approx_symbolic_matrices] == [(6, len(place)) for place in places]
    uneven = [nb.Group(parts[0], params={"histogram": rows[:3, places[0]]}, model=model), groups[1]]
    with pytest.raises(ParametrizationError, match="must have as many rows, one for each particle, got \\[3, 6\\]"):
        fitted(nb.ImplicitGradient(nb.Approximation(uneven, model)), 1)


# ---- draws


def test_forces_on_draws_come_back_to_parameters():
    """The gradient is minus the sum over draws of the derivative of a draw, transposed, times the force on it."""
    approx = nb.MeanField(model=normal(2, 0.3, 1.7), random_seed=1, start_sigma=0.7)
    inference = nb.ImplicitGradient(approx, kernel=nb.RBF(1.3), temperature=1.4)
    inference.begin(obj_n_mc=6, obj_optimizer=nb.sgd(learning_rate=1.0))
    (mu, rho), fitting = approx.params, inference._updates.fitting
    before = [shared.get_value() for shared in (mu, rho)]
    draws = pulling.draw(fitting, 0, 6)
    noise = (draws - before[0]) / np.log1p(np.exp(before[1]))
    inference.run(1, False, judged=False)
    phi = forces(draws, -(draws - 0.3) / 1.7, nb.RBF(1.3), 1.4)
    np.testing.assert_allclose(mu.get_value() - before[0], phi.sum(axis=0), rtol=1e-10)
    slope = 1.0 / (1.0 + np.exp(-before[1]))
    np.testing.assert_allclose(rho.get_value() - before[1], (phi * noise).sum(axis=0) * slope, rtol=1e-10)
    _, to_draws, to_function = inference.objective.op.apply(nb.RBF(1.3), draws)
    np.testing.assert_allclose(to_draws, -phi, rtol=1e-10)
    assert to_function == []


@pytest.mark.nojit
def test_a_normal_distribution_is_found_by_draws():
    inference = asvgd(model=gaussian(), random_seed=1, kernel=nb.RBF(2.0), cores=1)
    approx = inference.fit(600, obj_n_mc=200, obj_optimizer=nb.adam(learning_rate=0.02), progressbar=False)
    assert np.abs(approx.mean).max() < 0.15
    np.testing.assert_allclose(approx.cov, [[1.0, 0.9, 0.3], [0.9, 2.0, 0.5], [0.3, 0.5, 0.5]], atol=0.3)
    assert np.isfinite(approx.report.khat)
    assert np.isnan(approx.report.force)


def test_asvgd_takes_many_draws():
    inference = asvgd(model=normal(), random_seed=1)
    inference.begin()
    assert inference._updates.fitting.settings.n_draws == 500
    with pytest.warns(NbinferWarning), pytest.raises(TypeError, match="approx has start already"):
        nb.ASVGD(nb.MeanField(model=normal()), start={"x": [0.0]})


def bounded_logp(p, d):
    return -0.5 * np.sum(p.x**2) if p.x[0] < d.end else np.nan


def bounded(end):
    return nb.Model({"x": nb.real(1)}, logp=bounded_logp, data={"end": end})


@pytest.mark.nojit  # long as plain Python
def test_draws_without_a_density_are_skipped():
    approx = nb.MeanField(model=bounded(2.2), random_seed=2, start_sigma=1.0)
    fitted(nb.ImplicitGradient(approx, cores=1), 8, nb.sgd(learning_rate=1e-3), obj_n_mc=20)
    assert 0 < approx.report.skipped < 20
    approx = nb.MeanField(model=bounded(0.4), random_seed=2, start_sigma=1.0)
    with pytest.raises(FitError, match="draws of the approximation have no density"):
        fitted(nb.ImplicitGradient(approx, cores=1), 30, nb.sgd(learning_rate=1e-3), obj_n_mc=20)


# ---- scaling


def test_total_size_divides_what_the_optimiser_gets():
    """The direction is that of the whole data, and divided by the largest factor, as `Stein.grad` is."""
    base = conjugate(FIVE)
    model = nb.Model(
        {"mu": nb.real()}, prior=base.prior, likelihood=base.likelihood, data=base.data, total_size={"y": 20}
    )
    inference = at([[0.0], [1.0], [3.0]], model, nb.RBF(1.0))
    stein, points = nb.Stein(inference.approx, nb.RBF(1.0)), inference.approx.histogram
    scores = -points / 4.0 + 4.0 * (np.sum(FIVE) - 5.0 * points)
    np.testing.assert_allclose(stein.dlogp, scores / 4.0, rtol=1e-9)
    phi = forces(points, scores, nb.RBF(1.0))
    np.testing.assert_allclose(stein.grad, phi / 4.0, rtol=1e-9)
    fitted(inference, 1)
    np.testing.assert_allclose(inference.approx.histogram - points, phi / 4.0, rtol=1e-9)


# ---- what is refused


def test_what_particles_do_not_know():
    model = normal()
    with pytest.raises(AEVBInferenceError, match="local_rv: particles have no local parameters"):
        nb.SVGD(local_rv={"x": {}}, model=model)
    with pytest.raises(AEVBInferenceError):
        nb.fit(1, local_rv={"x": {}}, method="svgd", model=model)
    with pytest.raises(ParametrizationError, match="start_sigma means nothing to particles; jitter says"):
        nb.fit(1, method="svgd", model=model, start_sigma=0.1)
    with pytest.raises(ParametrizationError, match="obj_n_mc means nothing here"):
        fitted(nb.SVGD(3, model=model), 1, obj_n_mc=3)
    with pytest.raises(ParametrizationError, match="tf_n_mc and more_tf_params mean nothing here"):
        fitted(nb.SVGD(3, model=model), 1, tf_n_mc=3)


def test_numbers_out_of_range():
    model = normal()
    for wrong in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="temperature must be positive and finite"):
            nb.SVGD(model=model, temperature=wrong)
    with pytest.raises(ValueError, match="n_particles must be an int from 1"):
        nb.SVGD(0, model=model)
    with pytest.raises(ValueError, match="jitter must be a finite number from 0 on, got -1"):
        nb.SVGD(jitter=-1, model=model)
    with pytest.raises(ValueError, match="cores must be an int from 1"):
        nb.SVGD(model=model, cores=0)


def test_too_few_particles_for_a_median():
    with pytest.raises(ParametrizationError, match="n_particles must be at least 2 for a kernel whose bandwidth"):
        fitted(nb.SVGD(1, model=normal()), 1)
    with pytest.raises(ParametrizationError, match="obj_n_mc must be at least 2, for the median distance of draws"):
        fitted(nb.ImplicitGradient(nb.MeanField(model=normal())), 1)


@pytest.mark.parametrize("kernel", [rbf, nb.RBF(1.0)], ids=repr)
def test_particles_that_are_all_equal(kernel):
    with pytest.raises(ParametrizationError, match="all 4 particles are equal, and equal particles never part; begin"):
        fitted(nb.SVGD(4, jitter=0.0, model=normal(), kernel=kernel), 1)


def test_particles_of_which_too_many_are_equal():
    inference = at([[0.0]] * 9 + [[1.0]], normal())
    before = inference.approx.histogram
    with pytest.raises(FitError, match="the median distance of the particles is 0 in iteration 0"):
        fitted(inference, 3)
    np.testing.assert_array_equal(inference.approx.histogram, before)


def wide_logp(p, d):
    return -np.sum(np.log1p(p.x * p.x / 1e80))


@pytest.mark.nojit  # long as plain Python
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, in plain Python
@pytest.mark.parametrize(("n", "dtype", "kernel"), [
    (6, "float32", rbf), (90, "float32", rbf), (90, "float64", nb.RBF(pairs=200)), (9, "float32", nb.RBF(pairs=20))
])  # fmt: skip
def test_particles_too_far_away_for_numbers_to_hold_their_distances(n, dtype, kernel):
    """Distances are infinite or NaN: the search for the median ends all the same."""
    model = nb.Model({"x": nb.real(2)}, logp=wide_logp)
    points = 1e39 * np.random.default_rng(1).normal(size=(n, 2))
    with pytest.raises(
        FitError, match=r"median distance of the particles is (nan|inf) in iteration 0, .* dtype='float64'"
    ):
        fitted(at(points, model, kernel, dtype=dtype), 1)


def test_particles_without_a_gradient_are_told_apart():
    inference = at([[0.0], [3.0], [-1.0], [2.5]], bounded(2.2))
    before = inference.approx.histogram
    message = r"of 2 of 4 particles is not finite in iteration 0: particles 1, 3, the first one at x = \[3\.\]"
    with pytest.raises(FitError, match=message):
        fitted(inference, 3)
    np.testing.assert_array_equal(inference.approx.histogram, before)
    assert len(inference.hist) == 0


def test_particles_that_begin_too_far_away_are_counted():
    with pytest.raises(FitError, match="of 3 of 3 particles is not finite in iteration 0: particles 0, 1, 2"):
        fitted(at([[3.0], [4.0], [5.0]], bounded(2.2)), 3)


def test_particles_may_have_no_density_in_their_middle():
    hole = nb.Model({"x": nb.real(1)}, logp=lambda p, d: -np.inf if abs(p.x[0]) < 1.0 else -0.5 * p.x[0] ** 2)
    assert len(fitted(at([[-2.0], [2.0]], hole), 1).histogram) == 2


@pytest.mark.nojit
def test_particles_that_fly_away():
    inference = at([[0.0], [1.0]], nb.Model({"x": nb.real(1)}, logp=lambda p, d: np.sum(p.x**2)))
    with np.errstate(all="ignore"), pytest.raises(FitError, match="not finite"):
        fitted(inference, 3, nb.sgd(learning_rate=1e300))
    assert np.isfinite(inference.approx.histogram).all()


def test_what_a_kernel_in_python_raises_arrives():
    def fails(z):
        raise ZeroDivisionError("mine")

    cases = [
        (fails, ZeroDivisionError, "mine"),
        (lambda z: z, (TypeError, ValueError), "a kernel"),
        (lambda z: (z, z), ValueError, r"values must have shape \(3, 3\), got \(3, 1\)"),
        (lambda z: (np.full((3, 3), np.nan), z), FitError, "values are not finite in iteration 0"),
    ]
    for kernel, kind, message in cases:
        inference = at([[0.0], [1.0], [2.5]], normal(), kernel)
        for _ in range(2):
            with pytest.raises(kind, match=message):
                fitted(inference, 2)
    for kernel, got in ((nb.RBF, "the class RBF"), (3, "3"), ("rbf", "'rbf'"), (None, "None")):
        with pytest.raises(TypeError, match=rf"kernel must be an object, such as nb.RBF\(\), .* got {got}"):
            nb.SVGD(model=normal(), kernel=kernel)
    for estimator, got in ((nb.KL, "KL"), ("KSD", "str"), (nb.KSD(nb.MeanField(model=normal())), "KSD"), (int, "int")):
        with pytest.raises(TypeError, match=f"estimator must be a subclass of Operator that is .* got {got}"):
            nb.SVGD(model=normal(), estimator=estimator)


def test_what_an_optimiser_in_python_raises_arrives():
    def fails(x, g, rate, t):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        fitted(nb.SVGD(4, model=normal(), random_seed=1), 2, nb.optimizers.custom(fails))


def test_the_objective_is_that_of_its_operator():
    with pytest.raises(ParametrizationError, match="op must be KSD, got KL"):
        nb.KSDObjective(nb.KL(nb.MeanField(model=normal())), rbf)
    with pytest.raises(ParametrizationError, match="KSD is applied to a test function, got none"):
        Inference(nb.KSD, nb.MeanField(model=normal()))


def test_another_estimator():
    class Slow(nb.KSD):
        """The same."""

    inference = nb.SVGD(5, model=normal(), random_seed=1, estimator=Slow, cores=1)
    theirs = nb.SVGD(5, model=normal(), random_seed=1, cores=1)
    np.testing.assert_array_equal(fitted(inference, 2).histogram, fitted(theirs, 2).histogram)


@pytest.mark.nojit  # long as plain Python
def test_data_may_change_on_the_way():
    model = conjugate(FIVE)
    inference = at([[0.0], [1.0]], model, nb.RBF(1.0))
    fitted(inference, 2, nb.sgd(learning_rate=0.05))
    model.set_data(y=np.array(FIVE) + 10.0)
    inference.refine(60, progressbar=False)
    assert inference.approx.mean[0] > 9.0


def test_nobody_is_warned_twice():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted(nb.SVGD(4, model=normal(), random_seed=1), 1)
    assert [w.category for w in caught].count(ConvergenceWarning) == len({str(w.message) for w in caught})
    assert all(w.filename == __file__.replace("test_methods", "targets") for w in caught)

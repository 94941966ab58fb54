"""Noisy particles: a step by its definition, the spread that they keep, what they do not go with."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import FitError, ParametrizationError, PerformanceWarning
from nbinfer.variational.stein import noise as noise_
from nbinfer.variational.stein import operator as operators
from nbinfer.variational.stein.verdict import verdict_on
from tests.variational.families.laws import faulty
from tests.variational.stein.targets import Linear, at, fitted, forces, normal

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")

SIZES = [1, 2, 3, 65, 130] if JIT else [1, 2, 3, 66]


def check_step(n, kernel, rate=0.3, dim=2):
    """Particles move by force and noise, whose covariance is the kernel's, and no two iterations have the same."""
    points = np.random.default_rng(n).normal(size=(n, dim))
    inference = at(points, normal(dim, 0.3, 1.7), kernel, noisy=True)
    seen = []
    for k in range(2):
        before = inference.approx.histogram
        if k:
            inference.refine(1, progressbar=False)
        else:
            fitted(inference, 1, nb.sgd(learning_rate=rate))
        noise = inference._updates.fitting.crew.stages[0].noise.copy()
        values = kernel(before)[0]
        root = np.linalg.cholesky(values + 1e-8 * np.diag(np.diag(values)))
        moved = rate * forces(before, -(before - 0.3) / 1.7, kernel) + np.sqrt(2.0 * rate / n) * root @ noise
        np.testing.assert_allclose(inference.approx.histogram - before, moved, rtol=1e-7, atol=1e-9)
        seen.append(noise)
    assert (seen[0] != seen[1]).all()


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kernel", [nb.RBF(0.4), nb.IMQ(0.5)], ids=lambda kernel: type(kernel).__name__)
def test_a_step_is_what_it_is_defined_to_be(n, kernel):
    check_step(n, kernel)


def plainly(z):
    """Return what the Gaussian kernel is, in plain Python."""
    return nb.RBF(0.4)(z)


def test_a_kernel_in_plain_python_has_its_noise():
    check_step(3, plainly)


MUTANTS = {
    "half the noise": ("math.sqrt(2.0 / (n", "math.sqrt(1.0 / (n"),
    "noise of each particle alone": ("scale * factor[j]", "scale * (factor[j] if i == j else 0.0)"),
    "the steps' length is forgotten": ("_step_size(record_at(stein.fit, Fit))))", "1.0))"),
    "the same noise each time": ("start(fit.words, piece, fit", "start(fit.words, 7, fit"),
    "no root": ("r[c] = math.sqrt(value)", "r[c] = value"),
}


@pytest.mark.parametrize("fault", MUTANTS)
@pytest.mark.skipif(JIT, reason="plain Python says the same of a mutant, without compiling it")
def test_a_fault_is_seen(fault, monkeypatch):
    monkeypatch.setattr(operators, "Noise", faulty(noise_, MUTANTS[fault]).Noise)
    with pytest.raises(AssertionError):
        check_step(3, nb.RBF(0.4))


@pytest.mark.nojit
def test_particles_do_not_collapse_in_many_dimensions():
    """The documents' kernel leaves a variance of .09; steps of a tenth of a variance make .05 too much of it."""
    history = nb.ParticleHistory(20, after=200)
    inference = nb.SVGD(100, model=normal(50), random_seed=1, noisy=True)
    approx = fitted(inference, 1000, nb.sgd(learning_rate=5.0), callbacks=[history])
    assert history.rows.shape == (40, 100, 50)
    variance = np.diag(history.approx().cov).mean()
    assert 0.97 < variance < 1.08
    assert approx.report.converged is None
    assert "still move" not in str(approx.report)


def test_steps_that_are_too_long_are_told():
    """Particles that see each other move together, and steps that are too long throw them about."""
    points = np.random.default_rng(1).normal(size=(100, 2))
    for scale, said in ((1.0, ""), (2.0, "lie too far apart: their spread is 3.42 of"), (0.3, "have collapsed")):
        found = verdict_on(scale * points, -scale * points, points, judges_force=False)
        assert found.converged is None
        assert said in " ".join(problem.message for problem in found.problems)
        assert len(found.problems) == bool(said)
    far = verdict_on(1e90 * points, -1e90 * points, points, judges_force=False)
    assert "their spread is 8.55e+179 of" in far.problems[0].message


@pytest.mark.slow
@pytest.mark.nojit
def test_two_particles_are_a_markov_chain_of_the_posterior():
    """With a kernel that stays as it is, two are enough; steps of a hundredth make a hundredth too much of it."""
    history = nb.ParticleHistory(5, after=500)
    inference = nb.SVGD(2, model=normal(1, 1.3, 0.49), random_seed=2, noisy=True, kernel=nb.RBF(0.5), cores=1)
    fitted(inference, 60_000, nb.sgd(learning_rate=0.04 * 0.49), callbacks=[history])
    rows = history.rows[:, :, 0]
    error = 1.0 / np.sqrt(nb.diagnostics.ess_mean(rows.T.copy()))
    assert rows.mean() == pytest.approx(1.3, abs=4.0 * 0.7 * error)
    assert rows.var() == pytest.approx(0.49 * 1.01, rel=4.0 * np.sqrt(2.0) * error)


@pytest.mark.nojit
def test_one_core_and_two_give_the_same_bits():
    def found(cores):
        inference = nb.SVGD(150, model=normal(3), random_seed=1, noisy=True, metric="dense", cores=cores)
        return fitted(inference, 20, nb.sgd(learning_rate=5.0)).histogram

    np.testing.assert_array_equal(found(1), found(3))


def test_refine_goes_on_as_if_there_had_been_no_end():
    whole, parts = (nb.SVGD(5, model=normal(2), random_seed=1, noisy=True, cores=1) for _ in range(2))
    rule = nb.sgd(learning_rate=lambda i: 0.1 / (i + 1))
    fitted(whole, 5, rule)
    fitted(parts, 2, rule)
    parts.refine(3, progressbar=False)
    np.testing.assert_array_equal(parts.approx.histogram, whole.approx.histogram)


def test_steps_whose_length_is_not_known():
    message = r"noisy=True needs steps of a length that is known, .* those of {} have none; take obj_optimizer=nb.sgd\("
    for optimizer, name in ((None, "adagrad_window"), (nb.adam(), "adam"), (nb.momentum(), "momentum")):
        inference = nb.SVGD(5, model=normal(), noisy=True)
        with pytest.raises(ParametrizationError, match=message.format(name)):
            inference.fit(1, obj_optimizer=optimizer, progressbar=False)
    with pytest.raises(ParametrizationError, match="total_grad_norm_constraint makes steps of noisy=True shorter"):
        fitted(nb.SVGD(5, model=normal(), noisy=True), 1, total_grad_norm_constraint=1.0)


def test_what_noise_is_refused():
    with pytest.raises(ParametrizationError, match="noisy=True is a matter of particles, and the approximation is"):
        nb.ImplicitGradient(nb.MeanField(model=normal()), noisy=True)
    with pytest.raises(TypeError, match="noisy must be True or False"):
        nb.SVGD(5, model=normal(), noisy=1.5)
    inference = at([[0.0], [1.0], [2.5]], normal(), Linear(), noisy=True)  # of rank 2 at three points
    with pytest.raises(FitError, match="no positive definite matrix in iteration 0, and noisy=True takes its root"):
        fitted(at([[0.0], [1.0], [1.0]], normal(), lambda z: (z @ z.T - 1.0, z), noisy=True), 1)
    fitted(inference, 1)


def test_many_particles_are_told(monkeypatch):
    monkeypatch.setattr(noise_, "MANY", 4)
    with pytest.warns(PerformanceWarning, match="noisy=True factors a table of 5 x 5 numbers in each iteration"):
        fitted(nb.SVGD(5, model=normal(), random_seed=1, noisy=True), 1)

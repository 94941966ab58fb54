"""Preconditioned particles: forces in a metric, against their definition; metrics that are found; what they are for."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import FitError, ParametrizationError
from nbinfer.variational.stein import operator as operators
from nbinfer.variational.stein import preconditioned as preconditioned_
from nbinfer.variational.stein.kernels import median_bandwidth
from nbinfer.variational.stein.preconditioned import found_root
from tests.variational.families.laws import faulty
from tests.variational.stein.targets import at, fitted

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")

PRECISION = np.array([[4.0, 1.0, 0.0], [1.0, 1.0, 0.2], [0.0, 0.2, 0.5]])


def logp(p, d):
    return -0.5 * np.dot(p.x, np.dot(d.precision, p.x))


def correlated(precision=PRECISION):
    return nb.Model({"x": nb.real(len(precision))}, logp=logp, data={"precision": precision})


def check_forces(metric, kernel):
    """By the matrix kernel: the metric's inverse times sums over pairs whose distance is in the metric."""
    rng = np.random.default_rng(2)
    points = rng.normal(size=(6, 3))
    inference = at(points, correlated(), kernel, metric=metric)
    moved = fitted(inference, 1, nb.sgd(learning_rate=0.1)).histogram - points
    precision = np.diag(metric) if metric.ndim == 1 else metric
    lower = np.linalg.cholesky(precision)
    h = kernel.bandwidth or median_bandwidth(points @ lower)
    apart = points[:, None] - points
    k = np.exp(-0.5 / h * np.einsum("ijc,cd,ijd->ij", apart, precision, apart))
    repulsion = np.einsum("ij,ijc,cd->id", k, apart, precision) / h
    phi = (k @ (-points @ PRECISION) + repulsion) @ np.linalg.inv(precision) / 6
    np.testing.assert_allclose(moved, 0.1 * phi, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("metric", [np.array([0.5, 2.0, 3.0]), PRECISION + 0.3], ids=["diag", "dense"])
@pytest.mark.parametrize("kernel", [nb.RBF(), nb.RBF(0.8)], ids=repr)
def test_forces_are_those_of_the_matrix_kernel(metric, kernel):
    check_forces(metric, kernel)


MUTANTS = {
    "forces go the other way": ("own.back, stein.forces", "own.there, stein.forces"),
    "scores go as positions do": ("own.scores, stein.scores", "own.there, stein.scores"),
    "positions go the other way": ("own.there, stein.points", "own.back, stein.points"),
}  # fmt: skip


@pytest.mark.parametrize("fault", MUTANTS)
@pytest.mark.skipif(JIT, reason="plain Python says the same of a mutant, without compiling it")
def test_a_fault_is_seen(fault, monkeypatch):
    monkeypatch.setattr(operators, "Preconditioner", faulty(preconditioned_, MUTANTS[fault]).Preconditioner)
    with pytest.raises(AssertionError):
        check_forces(np.array([0.5, 2.0, 3.0]), nb.RBF(0.8))


@pytest.mark.parametrize("spread", [1.0, 1e-3])
@pytest.mark.parametrize("dense", [False, True])
def test_a_normal_posterior_has_its_own_precision_wherever_particles_are(spread, dense):
    precision = PRECISION if dense else np.diag(np.diag(PRECISION)) * [1e4, 1.0, 1e-4]
    points = 7.0 + spread * np.random.default_rng(3).normal(size=(30, 3)) * [1.0, 3.0, 0.2]
    root, inverse = found_root(points, -(points - 2.0) @ precision, dense)
    full = root if dense else np.diag(root)
    np.testing.assert_allclose(full @ full.T, np.linalg.inv(precision), rtol=1e-4, atol=1e-6 * (not dense) + 1e-5)
    np.testing.assert_allclose(full @ (inverse if dense else np.diag(inverse)), np.eye(3), atol=1e-9)


def test_what_a_metric_finds_is_what_it_would_be_given():
    points = np.random.default_rng(1).normal(size=(8, 3))
    found = [
        fitted(at(points, correlated(), metric=metric), 3, nb.sgd(learning_rate=1.0)).histogram
        for metric in ("dense", PRECISION)
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6, atol=1e-6)


@pytest.mark.nojit
def test_scales_that_differ_by_ten_thousand():
    """Steps that the narrowest coordinate bears leave the others where they were; with a metric all come to rest."""
    scales = np.array([1e-2, 1.0, 1e2])
    model = correlated(np.diag(scales**-2.0))
    found = {}
    for metric, rate in ((None, 1e-4), ("diag", 1.0), ("dense", 1.0)):
        start = np.random.default_rng(1).normal(size=(40, 3))
        approx = fitted(at(start, model, metric=metric), 400, nb.sgd(learning_rate=rate))
        found[metric] = np.diag(approx.cov) / scales**2
    plain = np.diag(fitted(at(start, correlated(np.eye(3))), 2000).cov)
    assert found[None][2] < 1e-3
    for metric in ("diag", "dense"):
        np.testing.assert_allclose(found[metric], plain, rtol=0.03)


def test_draws_may_have_a_metric():
    approx = nb.MeanField(model=correlated(), random_seed=1)
    inference = nb.ImplicitGradient(approx, metric="diag", cores=1)
    before = approx.mean.copy()
    inference.begin(obj_n_mc=8, obj_optimizer=nb.sgd(learning_rate=1e-3))
    inference.run(2, False, judged=False)
    assert (approx.mean != before).all()


def test_what_metrics_are_refused():
    model = correlated()
    with pytest.raises(ValueError, match="unknown metric 'full'; choose 'diag', 'dense'"):
        nb.SVGD(model=model, metric="full")
    for wrong, got in ((np.ones(2), r"got shape \(2,\)"), (np.ones((3, 2)), r"got shape \(3, 2\)")):
        with pytest.raises(ParametrizationError, match=rf"precision .* of shape \(3,\) or \(3, 3\), {got}"):
            nb.SVGD(model=model, metric=wrong)
    for wrong in (-np.ones(3), np.ones((3, 3)), np.triu(np.ones((3, 3))), np.array([1.0, np.nan, 1.0])):
        with pytest.raises(ParametrizationError, match="metric must be positive definite"):
            nb.SVGD(model=model, metric=wrong)
    with pytest.raises(ParametrizationError, match="at least 5 of 3 coordinates, got 4; take more, or metric='diag'"):
        fitted(nb.SVGD(4, model=model, metric="dense"), 1)
    with pytest.raises(ParametrizationError, match="at least 2 of 3 coordinates, got 1; take more, or give a"):
        fitted(nb.SVGD(1, model=model, kernel=nb.RBF(1.0), metric="diag"), 1)
    inference = at([[0.0, 1.0, 2.0], [0.0, 2.0, 5.0], [0.0, 3.0, 1.0]], correlated(np.eye(3)), metric="diag")
    for _ in range(2):
        with pytest.raises(
            FitError, match=r"gradients of coordinate 0 of 3 particles do not differ, .* in iteration 0"
        ):
            fitted(inference, 1)


@pytest.mark.nojit
def test_particles_that_are_too_far_apart_for_a_metric():
    inference = at(1e156 * np.eye(3), correlated(1e-20 * np.eye(3)), metric=np.full(3, 1e308))
    with pytest.raises(FitError, match="the median distance of the particles is inf in iteration 0"):
        fitted(inference, 1)

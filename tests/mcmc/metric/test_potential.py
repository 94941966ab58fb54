"""Metrics as objects: what PyMC's interface promises on arrays, what a run makes of them, and what is no metric."""

import numpy as np
import pytest
from scipy import sparse

import nbinfer as nb
from nbinfer.errors import ModelError, PositiveDefiniteError
from nbinfer.mcmc import (
    NUTS,
    HamiltonianMC,
    QuadPotentialDiag,
    QuadPotentialDiagAdapt,
    QuadPotentialDiagAdaptGrad,
    QuadPotentialFull,
    QuadPotentialFullAdapt,
    QuadPotentialFullInv,
    QuadPotentialFunctions,
    QuadPotentialSparse,
    quad_potential,
)
from nbinfer.mcmc.metric.adaptive import NAMED, FisherFrom
from tests.laws.law import COUNT, assert_invariant
from tests.laws.targets import AR1_SCALES, EXACT, ar1_covariance

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
N = 5
FACTOR = np.tril(np.random.default_rng(1).normal(size=(N, N)), -1) * 0.5 + np.diag([0.5, 1.0, 2.0, 0.1, 3.0])
COVARIANCE = FACTOR @ FACTOR.T
#: Neighbours depend on each other; the order of least fill is another than the given one.
RING = np.eye(N) * 2.5 + np.roll(np.eye(N), 1, 0) + np.roll(np.eye(N), -1, 0)
VARIANCES = np.array([1e-4, 1.0, 4.0, 100.0, 0.25])


def scaled_velocity(momentum, out, data):
    for i in range(out.size):
        out[i] = data[i] * momentum[i]


def scaled_random(rng, out, data):
    for i in range(out.size):
        out[i] = rng.standard_normal() / np.sqrt(data[i])


FIXED = {
    "diag": (lambda: QuadPotentialDiag(VARIANCES, random_seed=1), np.diag(VARIANCES)),
    "full": (lambda: QuadPotentialFull(COVARIANCE, random_seed=1), COVARIANCE),
    "full inverse": (lambda: QuadPotentialFullInv(COVARIANCE, random_seed=1), np.linalg.inv(COVARIANCE)),
    "sparse": (lambda: QuadPotentialSparse(sparse.csr_array(RING), random_seed=1), RING),
    "functions": (
        lambda: QuadPotentialFunctions(scaled_velocity, scaled_random, VARIANCES, n=N, random_seed=1),
        np.diag(VARIANCES),
    ),
}


@pytest.mark.either
@pytest.mark.parametrize("name", FIXED)
def test_the_interface_on_arrays(name):
    make, inv_mass = FIXED[name]
    potential, p = make(), np.array([1.0, -2.0, 0.5, 3.0, -0.1])
    velocity, out = inv_mass @ p, np.empty(N)
    np.testing.assert_allclose(potential.velocity(p), velocity, rtol=1e-9)
    assert potential.velocity(p, out) is out
    np.testing.assert_allclose(out, velocity, rtol=1e-9)
    energy = pytest.approx(0.5 * p @ velocity, rel=1e-9)
    assert potential.energy(p) == energy
    assert potential.energy(p, velocity) == energy
    out[:] = 0.0
    assert potential.velocity_energy(p, out) == energy
    np.testing.assert_allclose(out, velocity, rtol=1e-9)
    np.testing.assert_allclose(potential.inv_mass, inv_mass if potential.dense else np.diag(inv_mass), atol=1e-12)
    potential.update(p, p, True)
    potential.raise_ok()
    np.testing.assert_allclose(potential.velocity(p), velocity, rtol=1e-9)  # a fixed metric learns nothing
    with pytest.raises(ValueError, match=r"x must have shape \(5,\), got \(2,\)"):
        potential.velocity([1.0, 2.0])


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("name", FIXED)
def test_momenta_have_the_mass_as_their_covariance(name):
    make, inv_mass = FIXED[name]
    potential, count = make(), 4000
    p = np.array([potential.random() for _ in range(count)])
    white = p @ np.linalg.cholesky(inv_mass)
    np.testing.assert_allclose(white.mean(0), 0, atol=4 / np.sqrt(count))
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(N), atol=4.5 * np.sqrt(2 / count))
    assert (make().random() == p[0]).all()  # the seed's


@pytest.mark.parametrize(
    ("C", "is_cov", "kind", "inv_mass"),
    [
        (VARIANCES, True, QuadPotentialDiag, np.diag(VARIANCES)),
        (VARIANCES, False, QuadPotentialDiag, np.diag(1 / VARIANCES)),
        (COVARIANCE, True, QuadPotentialFull, COVARIANCE),
        (COVARIANCE, False, QuadPotentialFullInv, np.linalg.inv(COVARIANCE)),
        (sparse.csc_matrix(RING), True, QuadPotentialSparse, RING),
    ],
)
def test_a_covariance_is_the_inverse_mass_and_a_precision_the_mass(C, is_cov, kind, inv_mass):
    potential = quad_potential(C, is_cov)
    assert type(potential) is kind
    np.testing.assert_allclose([potential.velocity(e) for e in np.eye(N)], inv_mass, rtol=1e-9, atol=1e-12)


def draws(count=400):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(count, 2)) @ np.array([[2.0, 0.0], [1.0, 0.5]])
    return x, rng.normal(size=(count, 2)) * [3.0, 0.1]


def taught(potential, x, g):
    for q, grad in zip(x, g, strict=True):
        potential.update(q, grad, True)
    return potential


def pooled(x, mean, diag, weight):
    """Variances of `weight` pseudo-draws and the draws."""
    n = weight + len(x)
    centre = (weight * mean + x.sum(0)) / n
    return (weight * (diag + (mean - centre) ** 2) + ((x - centre) ** 2).sum(0)) / n


def test_diag_adapt_has_pseudo_draws_then_windows():
    x, g = draws()
    mean, diag = np.array([1.0, -1.0]), np.array([9.0, 0.04])
    potential = QuadPotentialDiagAdapt(2, mean, diag, 7, adaptation_window=50)
    np.testing.assert_array_equal(potential.inv_mass, diag)
    taught(potential, x[:40], g[:40])
    np.testing.assert_allclose(potential.inv_mass, pooled(x[:40], mean, diag, 7), rtol=1e-10)
    taught(potential, x[40:120], g[40:120])  # the foreground holds what came after the first window of 50
    np.testing.assert_allclose(potential.inv_mass, x[50:120].var(0), rtol=1e-10)
    potential.update(x[0] + 100.0, g[0], False)
    np.testing.assert_allclose(potential.inv_mass, x[50:120].var(0), rtol=1e-10)
    potential.reset()
    np.testing.assert_array_equal(potential.inv_mass, diag)
    taught(potential, x[:40], g[:40])
    np.testing.assert_allclose(potential.inv_mass, pooled(x[:40], mean, diag, 7), rtol=1e-10)


def test_fisher_goes_on_from_variances_that_are_known():
    x, g = draws()
    mean, variances = np.array([1.0, -1.0]), np.array([9.0, 0.04])
    potential = FisherFrom(mean, variances, 7)
    np.testing.assert_array_equal(potential.inv_mass, variances)
    taught(potential, x[:8], g[:8])
    of_draws, of_gradients = pooled(x[:8], mean, variances, 7), pooled(g[:8], 0.0, 1.0 / variances, 7)
    np.testing.assert_allclose(potential.inv_mass, np.sqrt(of_draws / of_gradients), rtol=1e-10)


def test_a_gradient_does_not_take_the_place_of_known_variances():
    model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * p.x @ p.x)
    options = {"tune": 0, "chains": 1, "random_seed": 1, "progressbar": False}
    known = nb.sample(model, 1, step=NUTS(metric=FisherFrom(np.zeros(2), np.array([4.0, 0.1]), 10)), **options)
    np.testing.assert_allclose(known.metric.scale**2, [[4.0, 0.1]])
    assert (nb.sample(model, 1, step=NUTS(), **options).metric.scale ** 2 != [[4.0, 0.1]]).all()


def test_diag_adapt_grad_turns_to_gradients_after_150_draws():
    x, g = draws()
    potential, variances = QuadPotentialDiagAdaptGrad(2), QuadPotentialDiagAdapt(2)
    taught(potential, x[:150], g[:150])
    taught(variances, x[:150], g[:150])
    np.testing.assert_array_equal(potential.inv_mass, variances.inv_mass)
    taught(potential, x[150:200], g[150:200])
    np.testing.assert_allclose(potential.inv_mass, np.abs(g[:200]).mean(0) ** -2.0, rtol=1e-10)
    taught(potential, x[200:300], g[200:300])  # the window in use began, at 1, after draw 150
    window = (1 + np.abs(g[150:300]).sum(0)) / (1 + 150)
    np.testing.assert_allclose(potential.inv_mass, window**-2.0, rtol=1e-10)


def test_full_adapt_is_the_covariance_and_its_windows_double():
    x, g = draws(700)
    potential = QuadPotentialFullAdapt(2, np.zeros(2), np.diag([4.0, 1.0]), 5)
    taught(potential, x[:60], g[:60])
    n, centre = 65, x[:60].sum(0) / 65
    sums = 5 * (np.diag([4.0, 1.0]) + np.outer(centre, centre)) + (x[:60] - centre).T @ (x[:60] - centre)
    np.testing.assert_allclose(potential.inv_mass, sums / (n - 1), rtol=1e-10)
    taught(potential, x[60:250], g[60:250])  # at 101 the pseudo-draws were forgotten
    np.testing.assert_allclose(potential.inv_mass, np.cov(x[:250].T), rtol=1e-9)
    taught(potential, x[250:600], g[250:600])  # at 303 the first window
    np.testing.assert_allclose(potential.inv_mass, np.cov(x[101:600].T), rtol=1e-9)
    equal = taught(QuadPotentialFullAdapt(2, doubling=False), x[:250], g[:250])  # at 202
    np.testing.assert_allclose(equal.inv_mass, np.cov(x[101:250].T), rtol=1e-9)


def test_draws_without_spread_are_named():
    x, g = draws(120)
    x[:, 1] = 3.0
    potential = taught(QuadPotentialDiagAdapt(2, adaptation_window=50), x, g)
    with pytest.raises(PositiveDefiniteError, match=r"standard deviation of 0 at index 1: no metric") as caught:
        potential.raise_ok()
    assert caught.value.indices == [1]
    with pytest.raises(PositiveDefiniteError, match=r"of 0 at tau \(index 1\)"):
        potential.raise_ok(["mu", "tau"])
    assert (potential.inv_mass > 0).all()  # what was in use stays


def test_a_covariance_without_factor_is_remembered():
    x, g = draws(120)
    x[:, 1] = 2.0 * x[:, 0]
    potential = QuadPotentialFullAdapt(2, adaptation_window=50)
    taught(potential, x[:20], g[:20])
    potential.raise_ok()
    taught(potential, x[20:], g[20:])
    with pytest.raises(PositiveDefiniteError, match=r"times not positive definite.*at a \(index 0\), b \(index 1\)"):
        potential.raise_ok(["a", "b"])
    np.linalg.cholesky(potential.inv_mass)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("method", [NUTS, HamiltonianMC])
@pytest.mark.parametrize(
    "options",
    [
        {"scaling": AR1_SCALES**2, "is_cov": True},
        {"scaling": sparse.csr_array(np.diag(AR1_SCALES**2)), "is_cov": True},
        {"potential": QuadPotentialFull(ar1_covariance()), "step_scale": 1.2},
        {"metric": QuadPotentialFunctions(scaled_velocity, scaled_random, AR1_SCALES**2)},
    ],
)
def test_steps_with_a_given_metric_leave_the_target_invariant(method, options):
    """Standard deviations are from 1e-2 to 1e2: with another metric than the one that is asked for, nothing moves."""
    assert_invariant(
        method(**({"step_scale": 0.4, "adapt_step_size": False} | options)),
        EXACT["ar1"](),
        count=min(COUNT, 20_000),
        moves=0.5,
    )


def stretched(p, d):
    return -0.5 * (p.x / 0.01) ** 2 - 0.5 * (p.y / 100.0) ** 2


@pytest.fixture(scope="module")
def model():
    return nb.Model({"x": nb.real(), "y": nb.real()}, logp=stretched)


@pytest.mark.nojit
@pytest.mark.parametrize("name", [name for name in NAMED if name != "unit"])
def test_every_learnt_metric_fits_itself_to_a_model(model, name):
    trace = nb.sample(model, 1000, 600, step=NUTS(metric=name), chains=2, random_seed=5, progressbar=False)
    assert [trace["x"].std(), trace["y"].std()] == pytest.approx([0.01, 100.0], rel=0.12)
    assert trace.sample_stats["n_steps"].mean() < 10


@pytest.mark.nojit
def test_a_point_as_scaling_is_the_curvature_there(model):
    step = NUTS(scaling={"x": 0.005}, step_scale=1.2)
    trace = nb.sample(model, 1000, 0, step=step, start={"x": 0.0}, chains=2, random_seed=5, progressbar=False)
    assert [trace["x"].std(), trace["y"].std()] == pytest.approx([0.01, 100.0], rel=0.12)
    assert trace.sample_stats["n_steps"].mean() < 10


def raises(momentum, out, data):
    if momentum[0] != 0.0 and data.size == 0:
        raise ValueError("no velocity")
    out[:] = momentum


def test_a_function_that_raises_at_the_door_says_what(model):
    step = NUTS(potential=QuadPotentialFunctions(raises, scaled_random))
    with pytest.raises(ValueError, match="no velocity"):
        nb.sample(model, 10, 10, step=step, progressbar=False)


def skewed(momentum, out, data):
    out[0] = momentum[0] + momentum[1]
    out[1] = momentum[1]


def negative(momentum, out, data):
    out[:] = -momentum


@pytest.mark.parametrize(
    ("velocity", "error", "message"),
    [
        (skewed, ValueError, r"must fill out with a symmetric matrix times momentum"),
        (negative, PositiveDefiniteError, r"the matrix of velocity\(momentum, out, data\) is not positive definite"),
    ],
)
def test_functions_that_are_no_metric_are_refused(model, velocity, error, message):
    with pytest.raises(error, match=message):
        nb.sample(model, 10, 10, step=NUTS(metric=QuadPotentialFunctions(velocity, scaled_random)), progressbar=False)


def test_a_function_with_other_arguments_is_refused():
    with pytest.raises(ModelError, match=r"velocity must take 3 arguments, velocity\(momentum, out, data\)"):
        QuadPotentialFunctions(lambda p: p, scaled_random)


NOT_DEFINITE = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.5], [0.0, 1.5, 1.0]])


@pytest.mark.parametrize(
    ("C", "is_cov", "error", "message", "indices"),
    [
        ([1.0, 0.0, -2.0], True, PositiveDefiniteError, "must be positive and finite, got 0 at index 1, 2", [1, 2]),
        ([1.0, np.nan], False, PositiveDefiniteError, "must be positive and finite, got nan at index 1", [1]),
        (NOT_DEFINITE, True, PositiveDefiniteError, "least eigenvalue is -0.5, at index 1, 2", [1, 2]),
        (NOT_DEFINITE, False, PositiveDefiniteError, "least eigenvalue is -0.5, at index 1, 2", [1, 2]),
        (np.diag([1.0, -1.0]), True, PositiveDefiniteError, "its diagonal has -1, at index 1", [1]),
        (np.diag([1.0, np.inf]), True, PositiveDefiniteError, "it is not in the rows of index 1", [1]),
        (sparse.csr_array(np.diag([1.0, 0.0])), True, PositiveDefiniteError, "no Cholesky factor at index 1", [1]),
        (sparse.csr_array(NOT_DEFINITE), True, PositiveDefiniteError, "no Cholesky factor at index", None),
        (np.ones((2, 3)), True, ValueError, r"must be a square matrix, got shape \(2, 3\)", None),
        ([[1.0, 0.5], [0.2, 1.0]], True, ValueError, r"must be symmetric, got 0.5 at \(0, 1\) and 0.2", None),
        (np.ones((2, 2, 2)), True, ValueError, r"must be a vector or a matrix, got shape \(2, 2, 2\)", None),
        (sparse.csr_array(RING), False, ValueError, "a sparse scaling must be a covariance", None),
        (sparse.csr_array(np.ones((2, 3))), True, ValueError, r"must be a square matrix, got shape \(2, 3\)", None),
        (sparse.csr_array([[1.0, 0.5], [0.2, 1.0]]), True, ValueError, "cov must be symmetric", None),
        ("large", True, TypeError, "C must be numbers, got 'large'", None),
        ([1.0], 1, TypeError, "is_cov must be True or False, got 1", None),
    ],
)
def test_what_is_no_metric_is_refused(C, is_cov, error, message, indices):
    with pytest.raises(error, match=message) as caught:
        quad_potential(C, is_cov)
    if indices is not None:
        assert caught.value.indices == indices


@pytest.mark.parametrize("method", [NUTS, HamiltonianMC])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"scaling": [1.0], "potential": QuadPotentialDiag([1.0])}, ValueError, "scaling and potential say the same"),
        ({"scaling": [1.0], "metric": "diag"}, ValueError, "metric and scaling say the same thing"),
        ({"is_cov": True}, ValueError, "is_cov tells what a scaling is; pass scaling="),
        ({"scaling": {"x": 1.0}, "is_cov": True}, ValueError, "a point as scaling stands for the curvature there"),
        ({"scaling": [1.0, -1.0]}, PositiveDefiniteError, "got -1 at index 1"),
        ({"potential": "diag"}, TypeError, r"potential must be a metric such as quad_potential\(C, is_cov\), got str"),
        ({"metric": np.ones(2)}, TypeError, "or a name, got ndarray. One of your own is QuadPotentialFunctions"),
        ({"metric": "full"}, ValueError, "unknown metric 'full'; choose 'fisher', 'fisher_diag', 'dense'"),
    ],
)
def test_settings_that_name_no_metric_are_refused(method, options, error, message):
    with pytest.raises(error, match=message):
        method(**options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: QuadPotentialDiagAdapt(0), "n must be an int from 1"),
        (lambda: QuadPotentialDiagAdapt(2, [0.0]), r"initial_mean must have shape \(2,\), n of them, got \(1,\)"),
        (lambda: QuadPotentialDiagAdapt(2, initial_diag=[1.0]), r"initial_diag must have shape \(2,\)"),
        (lambda: QuadPotentialDiagAdapt(1, initial_diag=[0.0]), "initial_diag must be positive and finite, got 0"),
        (lambda: QuadPotentialDiagAdapt(2, initial_weight=-1), "initial_weight must be a number of draws, got -1"),
        (lambda: QuadPotentialDiagAdapt(2, adaptation_window=1), "adaptation_window must be an int from 2"),
        (lambda: QuadPotentialFullAdapt(2, initial_cov=np.eye(3)), r"initial_cov must have shape \(2, 2\)"),
        (lambda: QuadPotentialDiagAdapt().velocity([1.0]), "does not know its size; make it with n="),
    ],
)
def test_bad_settings_of_learnt_metrics_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_metric_of_another_size_than_the_model_is_refused(model):
    with pytest.raises(ValueError, match="is for 3 unconstrained coordinates, but the step moves 2, those of x, y"):
        nb.sample(model, 10, 10, step=NUTS(scaling=np.ones(3)), progressbar=False)


@pytest.mark.parametrize(
    ("scaling", "is_cov", "message"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], True, "scaling is not positive definite: .* at index 0, 1"),
        ([[1.0, 2.0], [2.0, 1.0]], False, "scaling is not positive definite: .* at index 0, 1"),
        ([1.0, -1.0], True, "scaling must be positive and finite, got -1 at index 1"),
        (np.ones((2, 3)), True, r"scaling must be a square matrix, got shape \(2, 3\)"),
    ],
)
def test_errors_of_a_scaling_name_it(scaling, is_cov, message):
    with pytest.raises(ValueError, match=message):
        nb.NUTS(scaling=scaling, is_cov=is_cov)


def test_a_point_of_scaling_that_does_not_fit_names_scaling():
    model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2)
    with pytest.raises(ValueError, match="the point of scaling does not fit the model: 'y' is no parameter"):
        nb.sample(model, 10, 10, step=nb.NUTS(scaling={"y": 1.0}), progressbar=False)

"""Initialisers: where chains begin and with what metric, the same from `init_nuts` and from `sample`."""

import functools

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import PositiveDefiniteError
from nbinfer.mcmc import NUTS
from nbinfer.mcmc.metric.adaptive import FisherFrom, QuadPotentialDiagAdapt, QuadPotentialDiagAdaptGrad
from nbinfer.mcmc.metric.potential import QuadPotentialDiag, QuadPotentialFull
from tests.mcmc.models import eight_schools

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
QUIET = {"random_seed": 11, "progressbar": False}
MEAN, COVARIANCE = np.array([1.0, -2.0]), np.array([[4.0, 1.0], [1.0, 0.5]])


def gaussian(p, d):
    x, y = p.x - 1.0, p.y + 2.0
    return -0.5 * (0.5 * x * x - 2.0 * x * y + 4.0 * y * y)  # the inverse of the covariance


@functools.cache
def model():
    return nb.Model({"x": nb.real(), "y": nb.real()}, logp=gaussian)


@pytest.mark.parametrize(
    ("init", "metric", "jitter"),
    [("auto", None, True), ("Jitter+Adapt_Diag", "diag", True), ("adapt_diag", "diag", False)],
)
def test_simple_initialisers(init, metric, jitter):
    start, nuts = nb.init_nuts(init, 3, model=model(), **QUIET)
    assert nuts == NUTS(metric=metric)
    points = np.array([[p["x"], p["y"]] for p in start])
    assert points.shape == (3, 2)
    assert (np.abs(points) <= 1.0).all()
    assert len(np.unique(points, axis=0)) == (3 if jitter else 1)
    assert jitter or (points == 0.0).all()


def test_map_starts_at_the_maximum_with_the_covariance_there():
    with model():
        start, nuts = nb.init_nuts("map", 2, target_accept=0.9, **QUIET)
    np.testing.assert_allclose([[p["x"], p["y"]] for p in start], [MEAN] * 2, atol=1e-5)
    assert isinstance(nuts.metric, QuadPotentialFull)
    np.testing.assert_allclose(nuts.metric.inv_mass, COVARIANCE, rtol=1e-6)
    assert nuts.target_accept == 0.9


def test_map_is_that_of_the_density_that_nuts_sees():
    start, nuts = nb.init_nuts("map", model=nb.Model({"t": nb.unit()}, logp=lambda p, d: 62 * np.log(p.t)), **QUIET)
    t = 63 / 64  # with the Jacobian t (1 - t)
    assert start[0]["t"] == pytest.approx(t, rel=1e-6)
    np.testing.assert_allclose(nuts.metric.inv_mass, [[1 / (64 * t * (1 - t))]], rtol=1e-5)


@pytest.mark.nojit
def test_nuts_starts_at_draws_of_a_run_with_their_covariance():
    start, nuts = nb.init_nuts("nuts", 4, n_init=4000, model=model(), **QUIET)
    points = np.array([[p["x"], p["y"]] for p in start])
    assert len(np.unique(points, axis=0)) == 4
    distance = np.einsum("ki,ij,kj->k", points - MEAN, np.linalg.inv(COVARIANCE), points - MEAN)
    assert (distance < 25.0).all()
    root = np.linalg.cholesky(COVARIANCE)
    white = np.linalg.solve(root, np.linalg.solve(root, nuts.metric.inv_mass).T)
    np.testing.assert_allclose(white, np.eye(2), atol=0.15)
    again, _ = nb.init_nuts("nuts", 2, n_init=4000, model=model(), **QUIET)
    assert again == start[:2]  # a chain begins where it begins, alone or among others


@pytest.mark.parametrize(
    ("init", "kind"),
    [
        ("advi", QuadPotentialDiag),
        ("ADVI_map", QuadPotentialDiag),
        ("advi+adapt_diag", QuadPotentialDiagAdapt),
        ("advi+adapt_diag_grad", QuadPotentialDiagAdaptGrad),
    ],
)
@pytest.mark.nojit
def test_fits_start_at_their_draws_with_their_variances(init, kind):
    start, nuts = nb.init_nuts(init, 50, n_init=20_000, model=model(), **QUIET)
    assert type(nuts.metric) is kind
    variances = np.array([4.0 - 2.0, 0.5 - 0.25])  # what is left of each if the other is known
    np.testing.assert_allclose(np.sqrt(nuts.metric.first(2)[0]), np.sqrt(variances), rtol=0.25)
    points = np.array([[p["x"], p["y"]] for p in start])
    np.testing.assert_allclose(points.mean(axis=0), MEAN, atol=5.0 * np.sqrt(variances.max() / 50))
    np.testing.assert_allclose(points.var(axis=0), variances, rtol=0.8)
    again, _ = nb.init_nuts(init, 2, n_init=20_000, model=model(), **QUIET)
    assert again == start[:2]


@pytest.mark.nojit
def test_pathfinder_starts_at_its_draws_with_its_variances():
    start, nuts = nb.init_nuts("pathfinder", 200, model=model(), **QUIET)
    assert type(nuts.metric) is FisherFrom
    np.testing.assert_allclose(nuts.metric.first(2)[0], np.diag(COVARIANCE), rtol=0.1)
    points = np.array([[p["x"], p["y"]] for p in start])
    assert len(np.unique(points, axis=0)) == 200
    assert (np.abs(points.mean(axis=0) - MEAN) < 4.0 * np.sqrt(np.diag(COVARIANCE) / 200)).all()
    np.testing.assert_allclose(np.cov(points.T), COVARIANCE, rtol=0.35)
    again, _ = nb.init_nuts("pathfinder", 2, model=model(), **QUIET)
    assert again == start[:2]


def positive_only(p, d):
    return -0.5 * (p.x - 1.0) ** 2 if p.x > 0.5 else -np.inf


@pytest.mark.nojit
def test_pathfinder_starts_where_there_is_a_density(monkeypatch):
    edged = nb.Model({"x": nb.real()}, logp=positive_only)
    wide = nb.MeanField(model=edged, start={"x": 0.0}, start_sigma=1.0)
    monkeypatch.setattr("nbinfer.mcmc.hamiltonian.init.mixture_of_paths", lambda *_: wide)
    start, _ = nb.init_nuts("pathfinder", 50, model=edged, **QUIET)
    assert min(point["x"] for point in start) > 0.5


@pytest.mark.nojit
def test_a_fit_of_an_initialiser_ends_when_it_has_converged():
    trace = nb.sample(model(), 500, 500, chains=2, init="advi+adapt_diag", **QUIET)
    assert trace["x"].mean() == pytest.approx(1.0, abs=0.5)


@pytest.mark.either
def test_pathfinder_looks_around_a_given_start():
    """Elsewhere there may be no density."""
    far = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * (p.x - 1e4) ** 2 if p.x > 9e3 else -np.inf)
    for start in ({"x": 1e4}, [{"x": 1e4}, {"x": 1e4 + 1.0}]):
        trace = nb.sample(far, 5, 5, chains=2, init="pathfinder", start=start, random_seed=1, progressbar=False)
        np.testing.assert_allclose(trace["x"], 1e4, atol=10.0)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("init", ["auto", "adapt_diag", "map", "nuts", "advi", "pathfinder"])
def test_sample_begins_as_init_nuts_says(init):
    """The way through `init_nuts` passes constrained values: it is the same up to rounding, which draws magnify."""
    few = {"n_init": 60} if init in ("nuts", "advi", "pathfinder") else {}
    start, nuts = nb.init_nuts(init, 2, model=eight_schools(), **few, **QUIET)
    by_hand = nb.sample(eight_schools(), 5, 3, step=nuts, start=start, chains=2, **QUIET)
    by_name = nb.sample(eight_schools(), 5, 3, init=init, chains=2, **few, **QUIET)
    np.testing.assert_allclose(by_name["theta"], by_hand["theta"], rtol=1e-5, atol=1e-5)


def test_a_given_start_and_metric_win():
    trace = nb.sample(
        model(), 1, 0, chains=1, init="map", start={"x": 50.0, "y": 50.0}, **QUIET,
        nuts_kwargs={"metric": "unit", "step_scale": 1e-9, "max_treedepth": 1},
    )  # fmt: skip
    assert trace["x"][0, 0] == pytest.approx(50.0, abs=1e-6)


@pytest.mark.parametrize("init", ["adapt_diag", "map"])
def test_a_given_scaling_takes_the_place_of_the_metric(init):
    _, nuts = nb.init_nuts(init, model=model(), scaling=[1.0, 2.0], **QUIET)
    np.testing.assert_array_equal(nuts.kinetic.inv_mass, [1.0, 0.5])
    trace = nb.sample(model(), 1, 0, chains=1, init=init, nuts_kwargs={"scaling": [1.0, 2.0]}, **QUIET)
    assert trace.attrs["steps"] == ["nuts"]


def flat(p, d):
    return -0.5 * (p.a + p.b) ** 2 - 0.5 * p.c**2


def test_a_maximum_without_curvature_is_named():
    ridge = nb.Model({"c": nb.real(), "a": nb.real(), "b": nb.real()}, logp=flat)
    with pytest.raises(PositiveDefiniteError, match=r"curvature at the maximum.*at a \(index 1\), b \(index 2\)") as e:
        nb.init_nuts("map", model=ridge, **QUIET)
    assert e.value.__notes__ == ["init='map' fits no metric here; init='auto' learns one."]


def mixed():
    return nb.Model({"x": nb.real(), "z": nb.binary()}, logp=lambda p, d: -0.5 * (p.x - p.z) ** 2)


@pytest.mark.parametrize("init", ["auto", "map", "nuts", "advi", "pathfinder"])
def test_discrete_variables_are_refused(init):
    with pytest.raises(ValueError, match="NUTS for all variables, but 'z' is discrete"):
        nb.init_nuts(init, model=mixed(), **QUIET)
    if init != "auto":
        with pytest.raises(ValueError, match="NUTS for all variables, but 'z' is discrete"):
            nb.sample(mixed(), init=init, **QUIET)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"init": 3}, TypeError, "init must be a str, got int"),
        ({"init": "best"}, NotImplementedError, "init='best' is not known; choose 'auto'"),
        ({"init": "advi+map"}, NotImplementedError, "init='advi\\+map' is not known; choose 'auto'"),
        ({"chains": 0}, ValueError, "chains must be an int from 1"),
        ({"n_init": 1}, ValueError, "n_init must be an int from 2"),
        ({"vars": ["x"]}, ValueError, "but vars leaves out y"),
        ({"target_accept": 2.0}, ValueError, "target_accept must lie between 0 and 1"),
        ({"vars": ["x", "y", "zz"]}, ValueError, "NUTS: 'zz' is no variable of the model; it has x, y"),
    ],
)
def test_bad_arguments_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        nb.init_nuts(**options, model=model(), **QUIET)


def test_an_initialiser_of_nuts_beside_a_given_step_is_refused():
    with pytest.raises(ValueError, match="init='map' sets up NUTS for all variables, but step= is given"):
        nb.sample(model(), step=NUTS(), init="map", **QUIET)


def test_something_that_is_no_model_is_refused():
    with pytest.raises(TypeError, match=r"model must be an nbinfer\.Model, got int"):
        nb.init_nuts(model=3)

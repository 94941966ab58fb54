"""The correlated models are what they claim: covariances as named, log densities as SciPy has them."""

import numpy as np
import pytest
from scipy import stats

from bench.correlated import CONDITIONS, GAUSSIANS, REGRESSIONS, R, equicorrelated, rotated
from tests.posteriors import read


def covariance(model):
    root = np.linalg.inv(model.data["whiten"])
    return root @ root.T


@pytest.mark.parametrize("dim", [2, 10])
@pytest.mark.parametrize("r", R)
def test_equicorrelated_gaussians_correlate_by_r(dim, r):
    wanted = np.full((dim, dim), r)
    np.fill_diagonal(wanted, 1.0)
    np.testing.assert_allclose(covariance(equicorrelated(dim, r)), wanted, rtol=1e-12)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_rotated_gaussians_have_their_condition_and_lie_along_no_axis(condition):
    found = covariance(rotated(50, condition))
    variances = np.linalg.eigvalsh(found)
    assert variances[-1] == pytest.approx(1.0)
    assert variances[-1] / variances[0] == pytest.approx(condition, rel=1e-6)
    assert np.diag(found).max() < 0.5 * condition * np.diag(found).min()


def test_names_of_gaussians_tell_their_dimension():
    for name, make in GAUSSIANS.items():
        assert f", {make().dim}-d" in name


def _linear(y, columns, q):
    X = np.column_stack([np.ones(len(y)), *columns])
    return stats.norm.logpdf(y, X @ q[:-1], np.exp(q[-1])).sum() + q[-1]


def _earn_height(q, d):
    table = read("earnings", "data.json")
    return _linear(np.array(table["earn"]), [table["height"]], q)


def _mesquite(q, d):
    table = read("mesquite", "data.json")
    names = ["diam1", "diam2", "canopy_height", "total_height", "density", "group"]
    return _linear(np.array(table["weight"]), [table[name] for name in names], q)


def _straight_line(q, d):
    assert (d["x"][0], d["x"][-1], d["x"].size) == (1952.0, 2013.0, 62)
    return stats.norm.logpdf(q[:2], [9.3, 0.0], [100.0, 1 / 30]).sum() + _linear(d["y"], [d["x"]], q)


def _growth_curves(q, d):
    alpha, beta, means, logs = q[:30], q[30:60], q[60:62], q[62:]
    sd_alpha, sd_beta, sigma = np.exp(logs)
    weights = (alpha[:, None] + beta[:, None] * [8.0, 15.0, 22.0, 29.0, 36.0]).ravel()
    own = stats.norm.logpdf(alpha, means[0], sd_alpha).sum() + stats.norm.logpdf(beta, means[1], sd_beta).sum()
    return stats.norm.logpdf(means, 0, 100).sum() + own + stats.norm.logpdf(d["y"], weights, sigma).sum() + logs.sum()


REFERENCES = {
    "earn_height": _earn_height,
    "mesquite": _mesquite,
    "straight_line": _straight_line,
    "growth_curves": _growth_curves,
}


@pytest.mark.either
@pytest.mark.parametrize("name", REGRESSIONS)
def test_regressions_are_the_densities_of_scipy(name):
    model = REGRESSIONS[name]()
    bound = model.bind(1)
    assert bound.has_gradient == "derived"
    for q in 0.5 * np.random.default_rng(12).standard_normal((3, model.dim)):
        assert bound.value(q) == pytest.approx(REFERENCES[name](q, model.data), rel=1e-12)


def test_the_line_is_as_correlated_as_it_says():
    x = REGRESSIONS["straight_line"]().data["x"]
    covariance = np.linalg.inv(np.array([[x.size, x.sum()], [x.sum(), x @ x]]))
    r = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert r == pytest.approx(-0.99996, abs=1e-5)

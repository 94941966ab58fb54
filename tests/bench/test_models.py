"""The models of the benchmarks are what they claim: compared with SciPy's densities and with central differences."""

import numpy as np
import pytest
from scipy import stats

from bench.models import MODELS


def _eight_schools(q, d):
    mu, tau, z = q[0], np.exp(q[1]), q[2:]
    prior = stats.norm.logpdf(mu, 0, 5) + stats.halfcauchy.logpdf(tau, scale=5) + q[1] + stats.norm.logpdf(z).sum()
    return prior + stats.norm.logpdf(d["y"], mu + tau * z, d["sigma"]).sum()


def _std_normal(q, d):
    return stats.multivariate_normal.logpdf(q, np.zeros(100), np.eye(100))


def _ar1_gauss(q, d):
    lags = np.abs(np.subtract.outer(np.arange(50), np.arange(50)))
    return stats.multivariate_normal.logpdf(q, np.zeros(50), 0.9**lags)


def _logistic(q, d):
    # The rows of S are the columns of X, with the sign that y gives: the probability of each outcome is logistic.
    return stats.norm.logpdf(q).sum() + stats.logistic.logcdf(d["S"].T @ q).sum()


def _radon(q, d):
    sa, sb, sy = np.exp(q[2:5])
    za, zb = q[5:90], q[90:]
    mean = (q[0] + sa * za)[d["county"]] + (q[1] + sb * zb)[d["county"]] * d["floor"]
    scales = stats.halfnorm.logpdf([sa, sb, sy]).sum() + q[2:5].sum()
    return scales + stats.norm.logpdf(np.r_[q[:2], za, zb]).sum() + stats.norm.logpdf(d["y"], mean, sy).sum()


def _sv(q, d):
    mu, star, sigma, z = q[0], 1 / (1 + np.exp(-q[1])), np.exp(q[2]), q[3:]
    phi = 2 * star - 1
    # h - mu = L z, with L from the covariance of a stationary AR(1)
    steps = np.subtract.outer(np.arange(500), np.arange(500))
    L = sigma * np.where(steps >= 0, phi ** np.maximum(steps, 0), 0.0)
    L[:, 0] /= np.sqrt(1 - phi**2)
    prior = stats.norm.logpdf(mu, 0, 2) + stats.halfnorm.logpdf(sigma, scale=0.5) + q[2] + stats.norm.logpdf(z).sum()
    prior += stats.beta.logpdf(star, 20, 1.5) + np.log(star * (1 - star))
    return prior + stats.norm.logpdf(d["y"], 0, np.exp((mu + L @ z) / 2)).sum()


def _sv_rw(q, d):
    mu, sigma, z = q[0], np.exp(q[1]), q[2:]
    prior = stats.norm.logpdf(mu, 0, 2) + stats.halfnorm.logpdf(sigma, scale=0.5) + q[1] + stats.norm.logpdf(z).sum()
    return prior + stats.norm.logpdf(d["y"], 0, np.exp((mu + sigma * np.cumsum(z)) / 2)).sum()


REFERENCES = {
    "eight_schools": _eight_schools,
    "std_normal": _std_normal,
    "ar1_gauss": _ar1_gauss,
    "logistic": _logistic,
    "radon": _radon,
    "sv": _sv,
    "sv_rw": _sv_rw,
}

# Dimension, and log density with Jacobian at 0.3 sin(0, 1, 2, ...), as the same models give it elsewhere: same data.
KNOWN = {
    "eight_schools": (10, -43.282007239073266),
    "std_normal": (100, -94.14439248145423),
    "ar1_gauss": (50, -10.10576005224453),
    "logistic": (25, -833.363924057808),
    "radon": (175, -2880.2000812651163),
    "sv": (503, -1076.687866737471),
    "sv_rw": (502, -1084.0777078491246),
}


@pytest.fixture(scope="module", params=list(MODELS))
def named(request):
    return request.param, MODELS[request.param]()


def _points(dim):
    return 0.5 * np.random.default_rng(11).standard_normal((3, dim))


def test_the_seven_models_have_references():
    assert list(MODELS) == list(REFERENCES) == list(KNOWN)


def test_data_and_density_are_those_others_are_measured_on(named):
    name, model = named
    dim, logp = KNOWN[name]
    assert model.dim == dim
    assert model.logp_unconstrained(0.3 * np.sin(np.arange(dim))) == pytest.approx(logp, rel=1e-12)


def test_values_agree_with_scipy(named):
    name, model = named
    for q in _points(model.dim):
        assert model.logp_unconstrained(q) == pytest.approx(REFERENCES[name](q, model.data), rel=1e-11)


@pytest.mark.either
def test_the_fused_value_is_that_density_up_to_a_constant(named):
    name, model = named
    bound = model.bind(1)
    gaps = [bound.value_and_grad(q)[0] - REFERENCES[name](q, model.data) for q in _points(model.dim)]
    assert np.ptp(gaps) < 1e-8


def test_the_gradient_agrees_with_central_differences(named):
    name, model = named
    bound, data = model.bind(1), model.data
    for q in _points(model.dim)[:2]:
        grad = bound.value_and_grad(q)[1]
        chosen = np.unique(np.r_[0:5, np.linspace(5, model.dim - 1, 12).astype(int), model.dim - 2 : model.dim])
        for i in chosen:
            step = 1e-5 * np.eye(model.dim)[i]
            difference = (REFERENCES[name](q + step, data) - REFERENCES[name](q - step, data)) / 2e-5
            assert grad[i] == pytest.approx(difference, rel=1e-5, abs=1e-5), f"coordinate {i}"


def test_a_direction_through_all_coordinates(named):
    name, model = named
    q, *_ = _points(model.dim)
    way = np.random.default_rng(12).standard_normal(model.dim) / np.sqrt(model.dim)
    slope = model.bind(1).value_and_grad(q)[1] @ way
    difference = (REFERENCES[name](q + 1e-5 * way, model.data) - REFERENCES[name](q - 1e-5 * way, model.data)) / 2e-5
    assert slope == pytest.approx(difference, rel=1e-5, abs=1e-5)

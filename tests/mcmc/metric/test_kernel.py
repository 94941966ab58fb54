"""Laws of the metric: momenta have the mass as their covariance, and estimates are what the formulas say."""

import numpy as np
import pytest

from nbinfer.compile import address_of, entry, record_at
from nbinfer.mcmc.hamiltonian.nuts import NUTS
from nbinfer.mcmc.metric import kernel as metrics
from nbinfer.mcmc.metric.adaptive import QuadPotentialFullAdapt
from nbinfer.mcmc.metric.kernel import Metric
from nbinfer.random import key_of, new_stream
from tests.laws.kit import BareChains, Target, gaussian_target, student

DIM = 4


@entry("float64(intp, intp, intp, int64)")
def _momenta(metric, words, out, count):
    state, total = record_at(metric, Metric), 0.0
    for i in range(count):
        total += metrics.draw_momentum(state, words, out + 8 * i * state.n)
    return total


@entry("int64(intp, intp, intp, int64)")
def _learn(metric, positions, grads, count):
    state = record_at(metric, Metric)
    for i in range(count):
        at = 8 * i * state.n
        metrics.learn(state, positions + at, grads + at)
    return 1 if metrics.refresh(state) else 0


@entry("int64(intp)")
def _switch(metric):
    metrics.switch(record_at(metric, Metric))
    return 0


@entry("int64(intp)")
def _refresh_root(metric):
    return 1 if metrics.refresh_root(record_at(metric, Metric)) else 0


KEPT = []  # memory that addresses lead to


def metric_of(kind):
    metric = QuadPotentialFullAdapt(DIM, initial_weight=0) if kind == "covariance" else kind
    chains = BareChains(Target(student, DIM), NUTS(metric=metric))
    own = chains.own()
    KEPT.append(chains)
    return own


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("kind", ["diag", "covariance"])
def test_momenta_have_the_mass_as_covariance_and_their_kinetic_energy(kind):
    own = metric_of(kind)
    root = np.array([[1.0, 0, 0, 0], [0.4, 0.8, 0, 0], [-0.3, 0.2, 1.5, 0], [0.1, 0.1, 0.1, 0.05]])
    inv_mass = root @ root.T if kind == "covariance" else np.diag([1e-4, 1.0, 4.0, 100.0])
    own.metric.inv_mass[:] = inv_mass.ravel() if kind == "covariance" else np.diag(inv_mass)
    assert _refresh_root(own.metric.address) == 1
    count = 50_000
    p = np.zeros((count, DIM))
    words = new_stream(key_of(np.random.SeedSequence(3)))
    energy = _momenta(own.metric.address, address_of(words), address_of(p), count)
    assert energy == pytest.approx(0.5 * np.einsum("ni,ij,nj", p, inv_mass, p), rel=1e-10)
    white = p @ np.linalg.cholesky(inv_mass)  # covariance M becomes the identity
    np.testing.assert_allclose(white.mean(0), 0, atol=4 / np.sqrt(count))
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(DIM), atol=4 * np.sqrt(2 / count))


def draws(count=200, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(2.0, [1e-3, 1.0, 5.0, 100.0], (count, DIM)), rng.normal(0.5, [3.0, 1.0, 0.1, 1e-4], (count, DIM))


def test_fisher_metric_is_the_ratio_of_the_spreads():
    x, g = draws()
    own = metric_of("fisher_diag")
    assert _learn(own.metric.address, address_of(x), address_of(g), len(x)) == 1
    np.testing.assert_allclose(own.metric.inv_mass, np.sqrt(x.var(0) / g.var(0)), rtol=1e-12)
    np.testing.assert_allclose(own.metric.root, own.metric.inv_mass**-0.5, rtol=1e-14)


def test_fisher_metric_is_the_covariance_of_a_gaussian_from_any_three_draws():
    scales = np.array([1e-3, 1.0, 5.0, 100.0])
    target = gaussian_target(np.diag(scales**2))
    x = np.random.default_rng(1).normal(0, scales, (3, DIM))
    g = np.array([target.value_and_grad(q)[1] for q in x])
    own = metric_of("fisher_diag")
    assert _learn(own.metric.address, address_of(x), address_of(g), 3) == 1
    np.testing.assert_allclose(own.metric.inv_mass, scales**2, rtol=1e-9)


def test_fisher_metric_waits_for_three_draws():
    x, g = draws(2)
    own = metric_of("fisher_diag")
    assert _learn(own.metric.address, address_of(x), address_of(g), 2) == 0
    assert (own.metric.inv_mass == 1.0).all()


def test_variance_metric_counts_ten_draws_of_variance_one_at_the_start():
    x, g = draws()
    own = metric_of("diag")
    start = own.metric.estimators[:DIM].copy()
    assert _learn(own.metric.address, address_of(x), address_of(g), len(x)) == 1
    n = len(x) + 10
    mean = (10 * start + x.sum(0)) / n
    expected = (10 * (1 + (start - mean) ** 2) + ((x - mean) ** 2).sum(0)) / n
    np.testing.assert_allclose(own.metric.inv_mass, expected, rtol=1e-10)


def test_after_a_switch_only_the_window_counts():
    x, g = draws()
    for kind, expected in [("diag", x.var(0)), ("covariance", np.cov(x.T))]:
        own = metric_of(kind)
        metric = own.metric.address
        _learn(metric, address_of(x), address_of(g), len(x))
        _switch(metric)
        empty = np.zeros((0, DIM))
        assert _learn(metric, address_of(empty), address_of(empty), 0) == 1
        np.testing.assert_allclose(own.metric.inv_mass, expected.ravel(), rtol=1e-10)
        other, _ = draws(seed=5)
        _switch(metric)
        _learn(metric, address_of(other), address_of(g), len(other))
        wanted = other.var(0) if kind == "diag" else np.cov(other.T)
        np.testing.assert_allclose(own.metric.inv_mass, wanted.ravel(), rtol=1e-9)


def test_a_covariance_without_factor_leaves_the_metric_in_use():
    own = metric_of("covariance")
    metric = own.metric.address
    _switch(metric)
    x = np.random.default_rng(2).normal(size=(6, DIM))
    x[:, 1] = np.nan
    assert _learn(metric, address_of(x), address_of(x), len(x)) == 0
    assert (own.metric.inv_mass.reshape(DIM, DIM) == np.eye(DIM)).all()
    assert own.metric.failures == 1

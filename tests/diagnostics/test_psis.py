"""k-hat: known shapes of tails, agreement with ArviZ, and verdicts where there is nothing to fit."""

import math

import numpy as np
import pytest
from scipy import stats

from nbinfer.diagnostics.psis import leave_one_out, psis


def grid(count):
    return (np.arange(count) + 0.5) / count


def students(nq, np_, count=100_000):
    """Return log ratios of two t distributions on a grid of quantiles."""
    x = stats.t(nq).ppf(grid(count))
    return stats.t(np_).logpdf(x) - stats.t(nq).logpdf(x)


@pytest.mark.either
@pytest.mark.parametrize(("nq", "np_", "expected"), [(10, 3, 0.612), (10, 5, 0.452), (8, 6, 0.288)])
def test_tails_of_students(nq, np_, expected):
    assert psis(students(nq, np_)).khat == pytest.approx(expected, abs=2.5e-3)


@pytest.mark.parametrize(("variance", "expected"), [(0.3, 0.653), (0.5, 0.472), (0.9, 0.110)])
def test_gaussians_that_are_too_narrow(variance, expected):
    x = stats.norm(0, math.sqrt(variance)).ppf(grid(100_000))
    ratios = stats.norm.logpdf(x) - stats.norm(0, math.sqrt(variance)).logpdf(x)
    assert psis(ratios).khat == pytest.approx(expected, abs=2.5e-3)


@pytest.mark.parametrize(
    ("nu", "sd", "expected"), [(3, 1.2602197, 0.696), (5, 1.1673775, 0.634), (30, 1.0319124, 0.417)]
)
def test_best_gaussians_of_students(nu, sd, expected):
    x = stats.norm(0, sd).ppf(grid(100_000))
    assert psis(stats.t(nu).logpdf(x) - stats.norm(0, sd).logpdf(x)).khat == pytest.approx(expected, abs=2.5e-3)


def test_a_tail_that_reaches_into_a_plateau_is_cut_shorter():
    x = stats.norm(0, 1.2602197).ppf(grid(10_000))
    found = psis(stats.t(3).logpdf(x) - stats.norm(0, 1.2602197).logpdf(x))
    assert 0.5 < found.khat < 0.8
    assert "many ratios are alike" in found.note


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_those_of_arviz(seed):
    base = pytest.importorskip("arviz_stats.base.diagnostics")
    rng = np.random.default_rng(seed)
    ratios = rng.normal(size=2000) * (0.3 + seed) if seed < 3 else rng.standard_t(4, 500)
    weights, khat = base._DiagnosticsBase()._psislw(-ratios, 1.0)  # it takes log likelihoods
    found = psis(ratios)
    assert found.khat == pytest.approx(float(khat), abs=1e-6)
    if not found.note:
        np.testing.assert_allclose(found.log_weights, weights, atol=1e-6)


def test_constants_do_not_matter():
    ratios = np.random.default_rng(3).normal(size=1000)
    assert psis(ratios + 700.0).khat == pytest.approx(psis(ratios).khat, rel=1e-10)
    assert psis(ratios - 1e5).khat == pytest.approx(psis(ratios).khat, rel=1e-8)


def test_equal_weights_are_an_exact_fit():
    for spread in (0.0, 1e-9):
        found = psis(-3.0 + spread * np.random.default_rng(1).random(1000))
        assert found.khat == -np.inf
        assert "exact" in found.note
        np.testing.assert_allclose(found.log_weights, -math.log(1000), atol=1e-8)


def test_draws_without_any_weight_are_no_exact_fit():
    for count in (10, 1000):
        found = psis(np.full(count, -np.inf))
        assert found.khat == np.inf
        assert found.note == "no draw has any weight"
        np.testing.assert_allclose(found.log_weights, -math.log(count))


def test_few_draws_are_no_verdict():
    found = psis(np.random.default_rng(1).normal(size=24))
    assert math.isnan(found.khat)
    assert "at least 25 draws" in found.note
    assert np.exp(found.log_weights).sum() == pytest.approx(1.0)


def test_enormous_ranges_overflow_nothing():
    found = psis(np.linspace(-1e300, 0.0, 1000))
    assert np.isfinite(found.log_weights).any()
    assert not np.isnan(found.log_weights).any()


def test_tails_on_the_edge_of_what_floats_hold_are_no_verdict():
    edge = np.linspace(-708.4, -708.36, 34)  # exp of these is hardly a number
    khat, log_weights = leave_one_out(-np.concatenate([np.full(150, -1500.0), edge, [-300.0, -100.0, 0.0]]), 1.0)
    assert math.isnan(khat)
    assert np.exp(log_weights).sum() == pytest.approx(1.0)


def test_bad_ratios_are_refused():
    for bad in ([], [np.nan] * 30, [np.inf] * 30):
        with pytest.raises(ValueError, match="log_ratios"):
            psis(bad)


def test_weights_repair_a_mean():
    rng = np.random.default_rng(4)
    x = rng.normal(0.0, 1.5, 20_000)
    found = psis(stats.norm(0.5, 1.0).logpdf(x) - stats.norm(0.0, 1.5).logpdf(x))
    assert np.sum(np.exp(found.log_weights) * x) == pytest.approx(0.5, abs=0.03)

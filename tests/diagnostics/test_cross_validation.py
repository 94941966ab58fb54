"""LOO and WAIC: exact answers, ArviZ's numbers, the efficiency of the draws, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logsumexp

from nbinfer.diagnostics import pointwise
from nbinfer.diagnostics.cross_validation import loo, relative_efficiency, waic
from tests.diagnostics.draws import autoregressive
from tests.diagnostics.likelihoods import conjugate, normals

REFERENCE = json.loads((Path(__file__).parent.parent / "references" / "diagnostics" / "loo.json").read_text())

#: Log likelihoods, and the efficiency that is given.
CASES = {
    "likelihood": (normals(), None),
    "one_chain": (normals(chains=1), None),
    "given": (normals(), 0.3),
    "ties": (np.repeat(normals(draws=250), 4, axis=1), None),  # as of a sampler that rejects
}


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("case", CASES)
def test_loo_is_arviz_s(case):
    values, reff = CASES[case]
    found, expected = loo(values, reff), REFERENCE["arviz_stats_0_8"][case]
    assert found.elpd == pytest.approx(expected["elpd"], rel=1e-10)
    assert found.se == pytest.approx(expected["se"], rel=1e-10)
    assert found.p == pytest.approx(expected["p"], rel=1e-10)
    np.testing.assert_allclose(found.pointwise.ravel(), expected["elpd_i"], rtol=1e-10)
    np.testing.assert_allclose(found.pareto_k.ravel(), expected["k"], rtol=1e-9)
    assert found.pointwise.shape == found.p_pointwise.shape == found.pareto_k.shape == (2, 3)


@pytest.mark.parametrize("case", CASES)
def test_loo_is_that_of_the_arviz_that_is_there(case):
    arviz = pytest.importorskip("arviz_stats.base.array").array_stats
    values, reff = CASES[case]
    found = loo(values, reff)
    for at in np.ndindex(2, 3):
        draws = values[(..., *at)]
        each = arviz.ess(np.exp(draws), method="mean", relative=True) if reff is None else reff
        elpd, k, p = arviz.loo(draws, r_eff=each)
        assert found.pointwise[at] == pytest.approx(float(elpd), abs=1e-8)
        assert found.pareto_k[at] == pytest.approx(float(k), abs=1e-8)
        assert found.p_pointwise[at] == pytest.approx(float(p), abs=1e-8)


def test_both_find_what_leaving_out_gives():
    y = np.random.default_rng(5).normal(size=40)
    values, exact = conjugate(y)
    found = loo(values, 1.0)
    np.testing.assert_allclose(found.pointwise, exact, atol=5e-3)
    assert not found.n_bad
    assert waic(values).elpd == pytest.approx(exact.sum(), abs=0.05)
    assert waic(values).p == pytest.approx(found.p, abs=0.05)


def test_waic_is_its_formula():
    values = normals()
    flat = values.reshape(-1, 2, 3)
    p = flat.var(axis=0, ddof=1)
    found = waic(values)
    np.testing.assert_allclose(found.p_pointwise, p, rtol=1e-12)
    np.testing.assert_allclose(found.pointwise, logsumexp(flat, axis=0) - np.log(len(flat)) - p, rtol=1e-12)
    assert found.se == pytest.approx(np.sqrt(6 * np.var(found.pointwise)), rel=1e-12)


def test_efficiency_is_of_the_likelihood_chain_by_chain():
    arviz = pytest.importorskip("arviz_stats.base.array").array_stats
    values = 3.0 * autoregressive(np.random.default_rng(2), 0.9)

    def efficiency(x):
        return relative_efficiency(x.reshape(1, -1), x.shape)[0]

    found = efficiency(values)
    assert found == pytest.approx(float(arviz.ess(np.exp(values), method="mean", relative=True)), rel=1e-10)
    of_logs = float(arviz.ess(values, method="mean", relative=True))
    assert abs(found / of_logs - 1) > 0.05  # the mutant that takes log likelihoods
    assert efficiency(values.T.reshape(values.shape)) > 2 * found  # the mutant that mixes the chains


def test_chains_that_come_in_another_order_are_other_chains():
    values = autoregressive(np.random.default_rng(2), 0.95, (4, 500))[..., None]
    right = loo(values)
    mixed = loo(np.moveaxis(values, 1, 0).reshape(values.shape))
    assert not np.isclose(right.pareto_k[0], mixed.pareto_k[0], atol=1e-3)


@pytest.mark.nojit  # long as plain Python
def test_blocks_change_nothing(monkeypatch):
    values = normals()
    whole = [loo(values), waic(values)]
    monkeypatch.setattr(pointwise, "_BLOCK", 8000)
    for before, after in zip(whole, [loo(values), waic(values)], strict=True):
        np.testing.assert_array_equal(before.pointwise, after.pointwise)
        np.testing.assert_array_equal(before.p_pointwise, after.p_pointwise)


def test_numbers_and_arrays_of_efficiencies():
    values = normals()
    each = np.full((2, 3), 0.3)
    np.testing.assert_array_equal(loo(values, each).pointwise, loo(values, 0.3).pointwise)
    with pytest.raises(ValueError, match=r"reff must be a number or have the shape .* \(2, 3\); got \(3, 2\)"):
        loo(values, each.T)
    with pytest.raises(ValueError, match="reff must be positive"):
        loo(values, 0.0)


def test_one_number_and_one_chain():
    found = loo(normals()[:, :, 0, 0])
    assert found.pointwise.shape == ()
    assert np.isnan(found.se)
    assert loo(normals()[0, :, 0, 0]).n_draws == 1000


def test_what_does_not_depend_on_the_draws_is_exact():
    found = loo(np.full((4, 100, 2), -1.5))
    np.testing.assert_allclose(found.pointwise, -1.5)
    assert (found.pareto_k == -np.inf).all()
    assert found.n_bad == 0
    assert found.problem == ""


def test_few_draws_are_no_verdict():
    found = loo(normals(draws=6, chains=4))
    assert np.isnan(found.pareto_k).all()
    assert found.n_bad == 6
    assert "cannot be estimated" in found.problem
    assert np.isfinite(found.elpd)


def test_most_weights_alike_are_no_verdict():
    rng = np.random.default_rng(1)
    found = loo(np.where(rng.random((4, 500, 1)) < 0.3, -3.0, -1.0))
    assert np.isnan(found.pareto_k).all()
    assert np.isfinite(found.elpd)


def test_values_that_are_not_finite_are_listed():
    values = normals()
    values[1, 17, 0, 2] = -np.inf
    values[3, 5:7, 1, 0] = np.nan
    for estimate in (loo, waic):
        with pytest.raises(ValueError, match="infinite or NaN for 2 of 6 observations") as error:
            estimate(values, name="y", chain_ids=[4, 5, 6, 7])
        assert "y[0,2] at 1 draw, first at draw 17 of chain 5 (-inf)" in str(error.value)
        assert "y[1,0] at 2 draws, first at draw 5 of chain 7 (nan)" in str(error.value)
    with pytest.raises(ValueError, match="and 15 more"):
        loo(np.full((2, 30, 20), np.nan))


def test_nothing_is_refused():
    with pytest.raises(ValueError, match="no values"):
        loo(np.empty((4, 100, 0)))
    with pytest.raises(ValueError, match="two or more draws"):
        waic(np.zeros((1, 1, 3)))
    with pytest.raises(TypeError, match="y must"):
        loo(["words"])

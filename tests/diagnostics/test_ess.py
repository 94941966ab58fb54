"""Effective sample sizes and standard errors: published values, and laws."""

import numpy as np
import pytest

from nbinfer.compile import JIT
from nbinfer.diagnostics import ess_bulk, ess_mean, ess_quantile, ess_tail, mcse_mean, mcse_quantile, mcse_sd
from tests.diagnostics.draws import ARRAYS, LP, REFERENCE, THETA, autoregressive

FUNCTIONS = {
    "ess_bulk": ess_bulk,
    "ess_tail": ess_tail,
    "ess_mean": ess_mean,
    "ess_q5": lambda x: ess_quantile(x, 0.05),
    "ess_q50": lambda x: ess_quantile(x, 0.5),
    "ess_q95": lambda x: ess_quantile(x, 0.95),
    "mcse_mean": mcse_mean,
    "mcse_sd_delta": mcse_sd,
    "mcse_sd_posterior_R_rule": lambda x: mcse_sd(x, method="posterior"),
    "mcse_median": lambda x: mcse_quantile(x, 0.5),
}
SIZE = 500 if JIT else 100


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_of_arviz_stats(array, name):
    assert FUNCTIONS[name](ARRAYS[array]) == pytest.approx(REFERENCE["arviz_stats_0_8"][array][name], rel=1e-12)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize(("name", "x"), [("theta", THETA), ("lp", LP)])
def test_values_of_posterior_in_r(name, x):
    expected = REFERENCE["posterior_R"][name]
    assert ess_bulk(x) == pytest.approx(expected["ess_bulk"], abs=1e-4)
    assert ess_tail(x) == pytest.approx(expected["ess_tail"], abs=1e-4)
    assert mcse_mean(x) == pytest.approx(expected["mcse_mean"], abs=1e-5)


def test_lp_has_the_error_of_its_sd_by_the_rule_of_posterior():
    assert mcse_sd(LP, method="posterior") == pytest.approx(REFERENCE["posterior_R"]["lp"]["mcse_sd"], abs=1e-5)
    with pytest.raises(ValueError, match="unknown method 'stan'; choose 'delta', 'posterior'"):
        mcse_sd(LP, method="stan")


ALL = list(FUNCTIONS.values())


@pytest.mark.parametrize("function", ALL, ids=list(FUNCTIONS))
class TestEveryFunction:
    def test_shapes(self, function):
        x = np.random.default_rng(1).normal(size=(2, 20, 3, 2))
        values = function(x)
        assert values.shape == (3, 2)
        assert values[1, 0] == pytest.approx(function(x[:, :, 1, 0]), rel=1e-12)
        assert isinstance(function(x[:, :, 1, 0]), float)
        assert function(x[0, :, 1, 0]) == function(x[:1, :, 1, 0])  # one chain
        assert function(np.empty((2, 20, 0))).shape == (0,)

    def test_any_layout_and_dtype(self, function):
        x = np.random.default_rng(2).integers(0, 50, (2, 30, 3))
        expected = function(x.astype(float))
        for other in (x, x.astype(np.int16), x.astype(np.float32), x.astype(">f8"), np.asfortranarray(x, float)):
            np.testing.assert_allclose(function(other), expected, rtol=1e-12)
        np.testing.assert_allclose(function(x[:, :, ::-1].astype(float)[:, :, ::-1]), expected, rtol=1e-12)
        row = np.zeros((2, 40, 7))
        row[:, :30, 2:5] = x  # a view into a block of rows
        np.testing.assert_allclose(function(row[:, :30, 2:5]), expected, rtol=1e-12)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_draws_that_are_not_finite(self, function, bad):
        x = np.random.default_rng(3).normal(size=(2, 20, 2))
        x[1, 7, 0] = bad
        values = function(x)
        assert np.isnan(values[0])
        assert values[1] == pytest.approx(function(x[:, :, 1]), rel=1e-12)

    @pytest.mark.parametrize("value", [0.0, 0.1, -1e300, 7])
    def test_constant_draws(self, function, value):
        assert np.isnan(function(np.full((4, 50), value)))

    @pytest.mark.parametrize("draws", [0, 1, 2, 3])
    def test_too_few_draws(self, function, draws):
        assert np.isnan(function(np.random.default_rng(4).normal(size=(4, draws))))

    def test_no_chains(self, function):
        assert np.isnan(function(np.empty((0, 10))))

    def test_wrong_input(self, function):
        with pytest.raises(ValueError, match=r"x must have shape \(draw,\), \(chain, draw\) or .* single number"):
            function(3.0)
        with pytest.raises(TypeError, match="x must hold real numbers, got an array of dtype complex128"):
            function(np.ones((2, 10), complex))


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("function", [ess_bulk, ess_tail, ess_mean], ids=lambda f: f.__name__)
@pytest.mark.parametrize("scale", [1e-300, 1e-20, 1e20, 1e300])
def test_units_do_not_matter(function, scale):
    x = autoregressive(np.random.default_rng(5), 0.5, (2, 100))
    assert function(scale * x) == pytest.approx(function(x), rel=1e-9)


def test_bulk_and_tail_see_ranks_alone():
    x = autoregressive(np.random.default_rng(6), 0.7, (4, SIZE))
    for function in (ess_bulk, ess_tail):
        assert function(np.exp(5 * x)) == pytest.approx(function(x), rel=1e-9)
    assert ess_mean(np.exp(5 * x)) != pytest.approx(ess_mean(x), rel=0.1)


def test_tail_is_the_worse_of_two_quantiles():
    x = autoregressive(np.random.default_rng(10), 0.9, (4, SIZE))
    skewed = np.exp(np.where(x > 1, x, 0.1 * np.random.default_rng(11).normal(size=x.shape)))  # one sticky tail
    for draws in (skewed, -skewed):
        assert ess_tail(draws) == pytest.approx(min(ess_quantile(draws, 0.05), ess_quantile(draws, 0.95)), rel=1e-12)
    assert ess_quantile(skewed, 0.95) < 0.8 * ess_quantile(skewed, 0.05)


def test_bulk_ess_exists_without_a_variance():
    heavy = np.random.default_rng(7).standard_cauchy((4, SIZE))
    assert 0.8 < ess_bulk(heavy) / heavy.size < 1.3


def test_two_values_have_one_tail():
    x = (np.random.default_rng(8).random((4, 100)) < 0.5).astype(float)
    assert ess_tail(x) == ess_quantile(x, 0.05)
    assert np.isnan(ess_quantile(x, 0.95))
    rare = np.zeros((4, 100))
    rare[:, ::50] = -1
    assert np.isnan(ess_tail(rare))


def test_truth_values_are_numbers():
    x = np.random.default_rng(8).random((4, 100)) < 0.3
    for function in (ess_quantile, mcse_quantile):
        for p in (0.05, 0.5, 0.9):
            assert function(x, p) == pytest.approx(function(x.astype(float), p), rel=1e-12, nan_ok=True)
    assert ess_quantile(x, 0.5) > 0


def test_stuck_chains_have_almost_no_draws():
    x = np.repeat([[1.0], [2.0], [3.0], [4.0]], 50, axis=1)
    assert ess_bulk(x) < 10


@pytest.mark.parametrize("p", [0.0, 1.0, -1, 2, np.nan])
def test_probabilities(p):
    for function in (ess_quantile, mcse_quantile):
        with pytest.raises(ValueError, match="p must lie between 0 and 1"):
            function(THETA, p)


@pytest.mark.nojit
def test_standard_errors_are_the_spread_of_repetitions():
    rng = np.random.default_rng(9)
    runs = [autoregressive(rng, 0.5, (4, 500)) for _ in range(200)]
    for statistic, error in [
        (np.mean, mcse_mean),
        (np.std, mcse_sd),
        (np.median, lambda x: mcse_quantile(x, 0.5)),
        (lambda x: np.quantile(x, 0.9), lambda x: mcse_quantile(x, 0.9)),
    ]:
        spread = np.std([statistic(x) for x in runs])
        # A standard deviation of 200 numbers is known to 5 %.
        assert np.mean([error(x) for x in runs]) == pytest.approx(spread, rel=0.2)

"""Predictions of a model with missing data: full shapes, and functions that see the draw's values in the gaps."""

import functools
import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.distributions import normal, poisson
from nbinfer.errors import ComparisonWarning, ModelError

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")

Y = np.array([[1.0, np.nan, 0.5], [2.5, -0.7, np.nan]])


def logp(p, d):
    return -0.5 * np.sum((d.y - p.mu) ** 2) - 0.1 * p.mu**2


def predict(p, d, rng):
    return rng.normal(p.mu, 1.0, d.y.shape)


def whole(p, d):
    return d.y


def model():
    return nb.Model({"mu": nb.real()}, logp=logp, data={"y": Y}, missing={"y": nb.real()}, predict={"y": predict},
                    derived={"whole": whole})  # fmt: skip


def term(p, d):
    return -0.5 * (d.y - p.mu) ** 2


def log_prior(p, d):
    return -0.1 * p.mu**2


def model_of_terms():
    return nb.Model({"mu": nb.real()}, prior=log_prior, likelihood={"y": term}, data={"y": Y},
                    missing={"y": nb.real()})  # fmt: skip


@functools.cache
def drawn():
    return nb.sample(model(), 60, 30, chains=2, random_seed=1, progressbar=False)


def predicted(cores=1, **options):
    return nb.sample_posterior_predictive(drawn(), model(), random_seed=1, cores=cores, progressbar=False, **options)


@pytest.mark.either
def test_predictions_have_the_full_shape_and_gaps_hold_the_draws_values():
    found = predicted(vars=["y", "whole"])
    assert found["y"].shape == (2, 60, 2, 3)
    np.testing.assert_array_equal(found["whole"], drawn()["whole"])
    np.testing.assert_array_equal(found["whole"][:, :, [0, 1], [1, 2]], drawn()["y_missing"])
    np.testing.assert_array_equal(found["whole"][:, :, 0, 0], np.full((2, 60), 1.0))


def test_workers_fill_memory_of_their_own():
    one, two = predicted(1, vars=["whole", "y"]), predicted(2, vars=["whole", "y"])
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def test_new_data_have_no_gaps():
    assert predicted(data={"y": np.zeros((1, 4))})["y"].shape == (2, 60, 1, 4)
    with pytest.raises(ModelError, match="data 'y' must have no gaps, got"):
        predicted(data={"y": Y})
    with pytest.raises(ModelError, match="data names 'y_missing_index'"):
        predicted(data={"y_missing_index": [1]})


def test_one_simulation():
    assert nb.simulate(model(), drawn().point(-1), rng=1)["y"].shape == (2, 3)


def test_log_likelihoods_are_those_of_observed_elements():
    group = nb.compute_log_likelihood(drawn(), model_of_terms(), progressbar=False)
    observed = Y[np.isfinite(Y)]
    expected = -0.5 * (observed - drawn()["mu"][..., None]) ** 2
    assert group["y"].shape == (2, 60, 4)
    np.testing.assert_allclose(group["y"], expected, rtol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ComparisonWarning)
        assert nb.loo(drawn(), model_of_terms()).n == 4


def apart_prior(p, d):
    return normal.logpdf(p.mu, 0.0, 5.0)


def of_line(p, d):
    return normal.logpdf(d.y, p.mu * d.x, 1.0)


def line():
    data = {"x": np.arange(4.0), "y": [0.5, np.nan, 2.5, np.nan]}
    return nb.Model({"mu": nb.real()}, prior=apart_prior, likelihood={"y": of_line}, data=data,
                    missing={"y": nb.real()})  # fmt: skip


def test_the_prior_predicts_whole_data_and_has_no_imputed_values():
    draws = nb.sample_prior_predictive(50, line(), random_seed=1, progressbar=False)
    assert list(draws.posterior) == ["mu"]
    assert draws["y"].shape == (1, 50, 4)
    np.testing.assert_array_equal(draws.observed_data["y"], [0.5, np.nan, 2.5, np.nan])


@pytest.mark.either
def test_derived_predictions_for_new_predictors():
    trace = nb.sample(line(), 20, 20, chains=2, random_seed=1, progressbar=False)
    for x in ([1.0], np.arange(9.0)):
        new = nb.sample_posterior_predictive(trace, line(), data={"x": x}, progressbar=False)
        assert new["y"].shape == (2, 20, len(x))
    assert nb.sample_posterior_predictive(trace, line(), progressbar=False)["y"].shape == (2, 20, 4)


def test_observations_are_added_up_where_the_same_are_missing():
    terms = {"x": lambda p, d: -0.5 * (d.x - p.mu) ** 2, "y": lambda p, d: -0.5 * (d.y - p.mu) ** 2}
    supports = {"x": nb.real(), "y": nb.real()}
    draws = {"mu": np.zeros((2, 20)), "x_missing": np.zeros((2, 20, 1)), "y_missing": np.zeros((2, 20, 1))}
    both = {"var_name": ["x", "y"], "progressbar": False}
    for there, x in ((True, [1.0, np.nan, 3.0]), (False, [np.nan, 2.0, 3.0]), (False, [1.0, 2.0, np.nan])):
        made = nb.Model({"mu": nb.real()}, likelihood=terms, data={"x": x, "y": [1.0, np.nan, 2.0]}, missing=supports)
        trace = nb.Trace(draws)
        group = nb.compute_log_likelihood(trace, made, progressbar=False)
        for source, of in ((trace, made), (group, None)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ComparisonWarning)
                if there:
                    assert nb.loo(source, of, **both).pointwise.shape == (2,)
                    continue
                with pytest.raises(ValueError, match="adds up x and y, of which different values are missing"):
                    nb.loo(source, of, **both)


@pytest.mark.parametrize("y", [[1.0, np.nan], [1.0, None], np.ma.masked_array([1.0, 2.0], [0, 1])])
def test_gaps_of_new_data_are_told(y):
    made = nb.Model({"mu": nb.real()}, likelihood={"y": lambda p, d: normal.logpdf(d.y, p.mu, 1.0)},
                    data={"y": [1.0, np.nan, 2.0]}, missing={"y": nb.real()})  # fmt: skip
    trace = nb.Trace({"mu": np.zeros((1, 5)), "y_missing": np.zeros((1, 5, 1))})
    with pytest.raises(
        ModelError, match="data 'y' must have no gaps, got 1: draws have values for those of the model's"
    ):
        nb.sample_posterior_predictive(trace, made, data={"y": y}, progressbar=False)


@pytest.mark.either
def test_new_data_may_be_whole_numbers_in_any_form():
    made = nb.Model({"mu": nb.positive()}, likelihood={"y": lambda p, d: poisson.logpmf(d.y, p.mu)},
                    data={"y": [1.0, np.nan, 2.0]}, missing={"y": nb.integer(0, 9)})  # fmt: skip
    trace = nb.Trace({"mu": np.ones((1, 5)), "y_missing": np.zeros((1, 5, 1), np.int64)})
    given = nb.sample_posterior_predictive(trace, made, data={"y": [1.0, 2.0]}, progressbar=False)
    assert given["y"].shape == (1, 5, 2)
    assert given.data["y"].dtype == np.int64

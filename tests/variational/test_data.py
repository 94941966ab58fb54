"""Data that change: in the place of the model's for one fit, between fits, and from a callback."""

import numpy as np
import pytest
from scipy import stats

import nbinfer as nb
from tests.variational.targets import FIVE, conjugate

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")

OTHER = np.array(FIVE) + 10.0


def advi(model):
    return nb.ADVI(model=model, random_seed=1)


def logp_of(y, mu):
    return stats.norm(mu[:, None]).logpdf(y).sum(axis=1) + stats.norm(0.0, 2.0).logpdf(mu)


def check_logp(approx, y):
    """What the approximation says of the model is by these data."""
    draws = approx.sample(50, random_seed=1)
    np.testing.assert_allclose(approx.logp(50, random_seed=1, per_draw=True), logp_of(y, draws["mu"][0]), rtol=1e-10)
    np.testing.assert_allclose(draws.sample_stats["lp"][0], logp_of(y, draws["mu"][0]), rtol=1e-10)


@pytest.mark.nojit  # long as plain Python
def test_replaced_data_are_the_fits():
    """What is said of the approximation is by the model's own data, but for the verdict on the fit."""
    steps = {"obj_optimizer": nb.adam(learning_rate=0.05), "progressbar": False}
    approx = advi(conjugate(FIVE)).fit(2000, more_replacements={"y": OTHER}, **steps)
    check_logp(approx, np.array(FIVE))
    assert approx.report.khat < 0.7 < approx.khat
    check_logp(approx, np.array(FIVE))


@pytest.mark.nojit  # long as plain Python
def test_new_data_hold_from_the_next_call_on():
    model = conjugate(FIVE)
    inference = advi(model)
    approx = inference.fit(20, progressbar=False)
    before = approx.khat
    model.set_data(y=OTHER[:3])
    check_logp(approx, OTHER[:3])
    assert approx.khat > before
    inference.refine(20, progressbar=False)
    assert approx.hist[20:].min() > 50.0 > approx.hist[:20].max()


@pytest.mark.nojit  # long as plain Python
def test_what_replaces_data_does_so_after_others_are_new():
    model = conjugate(FIVE)
    inference = advi(model)
    inference.fit(10, more_replacements={"y": OTHER}, progressbar=False)
    model.set_data(y=np.zeros(2), sigma=2.0)
    inference.refine(10, progressbar=False)
    expected = advi(conjugate(OTHER, sigma=2.0))
    expected.fit(10, progressbar=False)
    draws = inference.approx.sample(9, random_seed=2)["mu"][0]
    likelihood = stats.norm(draws[:, None], 2.0).logpdf(np.zeros(2)).sum(axis=1)
    found = inference.approx.datalogp(9, random_seed=2, per_draw=True)
    np.testing.assert_allclose(found, likelihood, rtol=1e-10)
    assert inference.hist[10:].min() > 40.0


@pytest.mark.nojit  # long as plain Python
def test_a_callback_may_set_data():
    """From the next iteration on, and nothing else changes: 10 + 10 iterations, with the optimiser's state."""

    def at_ten(approx, losses, i):
        if i == 10:
            model.set_data(y=OTHER)

    model = conjugate(FIVE)
    fitted = advi(model).fit(20, callbacks=[at_ten], progressbar=False)
    again = conjugate(FIVE)
    inference = advi(again)
    inference.fit(10, progressbar=False)
    again.set_data(y=OTHER)
    inference.refine(10, progressbar=False)
    np.testing.assert_array_equal(fitted.hist, inference.hist)
    np.testing.assert_array_equal(fitted.mean, inference.approx.mean)
    assert fitted.hist[10:].min() > 100.0 > fitted.hist[:10].max()


@pytest.mark.nojit  # long as plain Python
def test_a_callback_that_fits_what_is_being_fitted_ends_the_fit():
    def meddle(approx, losses, i):
        nb.KLqp(approx).fit(1, progressbar=False)

    with pytest.raises(nb.errors.VariationalInferenceError, match="another fit has taken over"):
        advi(conjugate(FIVE)).fit(5, callbacks=[meddle], progressbar=False)


@pytest.mark.nojit  # long as plain Python
def test_without_an_iteration_nothing_is_judged():
    approx = advi(conjugate(FIVE)).fit(0, progressbar=False)
    assert np.isnan(approx.report.khat)
    assert approx.report.ok
    assert "no iteration was made" in str(approx.report)
    assert np.isfinite(approx.khat)

"""Fits of models with missing data: the imputed values are approximated, and their number stands still."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import LocalGroupError, ModelError
from tests.posteriors.test_missing import exact_normal, normal_model, sample_of_normal

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")

quiet = {"progressbar": False, "random_seed": 1}


def whole(p, d):
    return d.y


@pytest.mark.nojit
def test_a_fit_imputes():
    approx = nb.fit(15_000, method="fullrank_advi", model=normal_model(derived={"whole": whole}), **quiet)
    trace = approx.sample(4000, random_seed=2)
    mean, variance = exact_normal()["y_missing"]
    np.testing.assert_allclose(trace["y_missing"].mean((0, 1)), mean, atol=0.25 * np.sqrt(variance))
    np.testing.assert_allclose(trace["y_missing"].var((0, 1)), variance, rtol=0.25)
    np.testing.assert_array_equal(trace["whole"][..., np.isnan(sample_of_normal())], trace["y_missing"])
    seen = approx.sample_node(whole, 3, random_seed=1)
    assert np.isfinite(seen).all()
    np.testing.assert_array_equal(approx.sample_node(whole, more_replacements={"y": np.ones((1, 2))}), np.ones((1, 2)))


@pytest.mark.nojit
def test_the_number_of_missing_values_stands_still():
    with pytest.raises(ModelError, match=r"more_replacements changes how many.*y_missing has shape \(8,\).*\(0,\)"):
        nb.fit(5, method="advi", model=normal_model(), more_replacements={"y": np.zeros((10, 4))}, **quiet)
    model, y = normal_model(), sample_of_normal()
    inference = nb.ADVI(model=model, random_seed=1)
    inference.fit(5, progressbar=False)
    y[np.isnan(y)] = y[np.isfinite(y)][:8]
    y[:2] = np.nan
    model.set_data(y=y)  # as many, elsewhere
    inference.refine(5, progressbar=False)
    y[2] = np.nan
    model.set_data(y=y)
    with pytest.raises(ModelError, match=r"set_data changes how many.*y_missing has shape \(8,\).*\(12,\)"):
        inference.refine(5, progressbar=False)


def logp(p, d):
    return -0.5 * np.sum((d.y - p.z) ** 2) - 0.5 * np.sum(p.z**2)


def test_encoders_see_no_gaps():
    model = nb.Model({"z": nb.real(3)}, logp=logp, data={"y": [1.0, np.nan, 2.0]}, missing={"y": nb.real()})
    with model, pytest.raises(LocalGroupError, match="functions of the data, of which values are missing: y"):
        nb.Group(["z"], params={"mu": lambda d: d.y, "rho": lambda d: 0.0 * d.y}, local=True)

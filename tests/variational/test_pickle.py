"""Approximations are pickled with all that was learnt, and go on where they stood."""

import pickle

import numpy as np
import pytest

import nbinfer as nb

pytestmark = pytest.mark.nojit

METHODS = ["advi", "fullrank_advi", "low_rank_advi", "svgd", "nfvi=scale-loc", "pathfinder", "dadvi", "bam"]


def logp(p, d):
    return -0.5 * np.sum((p.x - d.y) ** 2) - p.s


def model():
    return nb.Model({"x": nb.real(2), "s": nb.positive()}, logp=logp, data={"y": np.array([0.5, -1.0])})


def fitted(method, **options):
    return nb.fit(5, method=method, model=model(), random_seed=1, progressbar=False, **options)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")
def test_an_approximation_comes_back_with_its_draws_and_losses(method):
    approx = fitted(method)
    again = pickle.loads(pickle.dumps(approx))
    for name, draws in approx.sample(5, random_seed=2).posterior.items():
        np.testing.assert_array_equal(again.sample(5, random_seed=2)[name], draws)
    np.testing.assert_array_equal(again.hist, approx.hist)
    for name, mean in approx.mean_data.items():
        np.testing.assert_array_equal(again.mean_data[name], mean)


@pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")
def test_a_trace_comes_back_with_its_report_and_metric():
    trace = nb.sample(model(), 20, tune=20, chains=2, random_seed=1, progressbar=False)
    again = pickle.loads(pickle.dumps(trace))
    for group in ("posterior", "sample_stats", "warmup_sample_stats", "observed_data"):
        for name, array in getattr(trace, group).items():
            np.testing.assert_array_equal(getattr(again, group)[name], array)
    assert str(again.report) == str(trace.report)
    np.testing.assert_array_equal(again.metric.inv_mass(0), trace.metric.inv_mass(0))
    assert again.attrs == trace.attrs

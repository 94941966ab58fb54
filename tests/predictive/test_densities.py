"""Log likelihoods and log priors at every draw: equal to plain Python, unscaled, without Jacobians; what is refused."""

import tracemalloc

import numpy as np
import pytest
from scipy.stats import norm

import nbinfer as nb
from nbinfer.distributions import normal, poisson
from nbinfer.errors import ModelError

CHAINS, DRAWS = 3, 40


def mu_prior(p, d):
    return normal.logpdf(p.mu, 0.0, 2.0)


def tau_prior(p, d):
    return -p.tau


def eta_prior(p, d):
    return normal.logpdf(p.eta, 0.0, 1.0)


def y_given(p, d):
    return normal.logpdf(d.y, p.mu + p.tau * p.eta, d.sigma)


def counts_given(p, d):
    return poisson.logpmf(d.counts, np.exp(p.mu) + p.k)


@pytest.fixture(scope="module")
def model():
    return nb.Model(
        {"mu": nb.real(), "k": nb.integer(0, 9), "tau": nb.positive(), "eta": nb.real(4)},
        prior={"mu": mu_prior, "tau": tau_prior, "eta": eta_prior},
        likelihood={"y": y_given, "counts": counts_given},
        data={"y": [1.0, 0.5, -3.0, 2.0], "sigma": [1.0, 2.0, 3.0, 4.0], "counts": [[1, 2, 0], [3, 0, 7]]},
        total_size={"y": 400},
        name="mixed",
    )


@pytest.fixture(scope="module")
def trace():
    rng, shape = np.random.default_rng(0), (CHAINS, DRAWS)
    values = {
        "eta": rng.normal(size=(*shape, 4)),
        "mu": rng.normal(size=shape),
        "tau": rng.exponential(size=shape),
        "k": rng.integers(0, 10, shape),
    }
    return nb.Trace(values, draws_done=[DRAWS, 7, DRAWS], chain_ids=[4, 2, 7], interrupted=True)


@pytest.fixture(scope="module")
def likelihood(model, trace):
    return nb.compute_log_likelihood(trace, model, progressbar=False)


def test_likelihood_is_that_of_plain_python(model, trace, likelihood):
    assert likelihood.kind == "log_likelihood"
    assert likelihood.chain_ids == [4, 2, 7]
    assert {name: values.shape[2:] for name, values in likelihood.items()} == {"y": (4,), "counts": (2, 3)}
    for row, done in enumerate(trace.draws_done):
        for draw in range(done):
            point = {name: trace[name][row, draw] for name in model.parameters}
            for name, value in model.definition.pieces(point):
                if name in likelihood:
                    np.testing.assert_allclose(likelihood[name][row, draw], value, rtol=1e-12, atol=1e-12)


def test_no_weight_is_in_it(model, trace, likelihood):
    mean = trace["mu"][..., None] + trace["tau"][..., None] * trace["eta"]
    expected = norm.logpdf(model.data["y"], mean, model.data["sigma"])
    np.testing.assert_allclose(likelihood["y"][0], expected[0], rtol=1e-12)


def test_rows_beyond_what_is_finished_hold_nothing(likelihood):
    assert np.isnan(likelihood["y"][1, 7:]).all()
    assert np.isfinite(likelihood["y"][1, :7]).all()


def test_prior_is_of_the_parameters_themselves(model, trace):
    found = nb.compute_log_prior(trace, model, progressbar=False)
    assert found.kind == "log_prior"
    np.testing.assert_allclose(found["tau"][0], -trace["tau"][0], rtol=1e-12)  # no log Jacobian of the logarithm
    np.testing.assert_allclose(found["mu"][0], norm.logpdf(trace["mu"][0], 0, 2), rtol=1e-12)
    np.testing.assert_allclose(found["eta"][2], norm.logpdf(trace["eta"][2]), rtol=1e-12, atol=1e-14)


@pytest.mark.either
def test_terms_are_chosen_by_either_spelling(model, trace, likelihood):
    found = nb.compute_log_likelihood(trace, model, "y", progressbar=False, cores=1)
    assert list(found) == ["y"]
    np.testing.assert_array_equal(found["y"], likelihood["y"])
    with model:
        assert list(nb.compute_log_prior(trace, var_names=["mu", "eta"], progressbar=False)) == ["mu", "eta"]
    with pytest.raises(TypeError, match="vars and var_names are the same option"):
        nb.compute_log_prior(trace, model, "mu", var_names="mu")
    with pytest.raises(ModelError, match=r"vars must name likelihood terms of model 'mixed', 'y', 'counts'; got 'mu'"):
        nb.compute_log_likelihood(trace, model, "mu")


def one_number(p, d):
    return np.sum(-0.5 * (d.y - p.mu) ** 2)


def of_one(p, d):
    return -0.5 * (d.y[0] - p.mu) ** 2


def of_another(p, d):
    return -0.5 * (d.y - p.nu) ** 2


def test_one_number_for_all_observations_is_refused(trace):
    model = nb.Model({"mu": nb.real()}, likelihood={"y": one_number}, data={"y": np.zeros(3)})
    wanted = r"likelihood 'y' returns one number.*return one value per observation, shape \(3,\); leave out the np.sum"
    with pytest.raises(ModelError, match=wanted):
        nb.compute_log_likelihood(trace, model)
    unnamed = nb.Model({"mu": nb.real()}, likelihood=one_number, data={"y": np.zeros(3)})
    with pytest.raises(ModelError, match=r"^likelihood returns one number"):
        nb.compute_log_likelihood(trace, unnamed)


def test_one_number_for_one_observation_is_right(trace):
    model = nb.Model({"mu": nb.real()}, prior=mu_prior, likelihood={"y": of_one}, data={"y": [1.0]})
    found = nb.compute_log_likelihood(trace, model, progressbar=False)
    np.testing.assert_allclose(found["y"][0], -0.5 * (1.0 - trace["mu"][0]) ** 2, rtol=1e-12)
    assert list(nb.compute_log_prior(trace, model, progressbar=False)) == ["prior"]


def each_given(p, d):
    return -0.5 * (d.y - p.mu) ** 2


@pytest.mark.nojit  # long as plain Python
def test_the_arrays_are_all_the_memory_it_takes(trace):
    model = nb.Model({"mu": nb.real()}, likelihood={"y": each_given}, data={"y": np.zeros(20_000)})
    nb.compute_log_likelihood(nb.Trace({"mu": trace["mu"][:1, :1]}), model, progressbar=False)
    tracemalloc.start()
    found = nb.compute_log_likelihood(nb.Trace({"mu": trace["mu"][:, :20]}), model, progressbar=False, cores=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found["y"].nbytes == 8 * CHAINS * 20 * 20_000
    assert peak < found["y"].nbytes + 2e6


def test_models_without_terms_are_refused(trace):
    whole = nb.Model({"mu": nb.real()}, logp=one_number, data={"y": np.zeros(3)})
    for compute in (nb.compute_log_likelihood, nb.compute_log_prior):
        with pytest.raises(ModelError, match=r"there are no (likelihood|prior) terms of the model: give it prior="):
            compute(trace, whole)
    with pytest.raises(ModelError, match="no named parameters"):
        nb.compute_log_likelihood(trace, nb.Model.flat(lambda q: -0.5 * q @ q, 1))
    other = nb.Model({"nu": nb.real()}, likelihood={"y": of_another}, data={"y": np.zeros(3)})
    with pytest.raises(ModelError, match=r"it lacks 'nu'\. Is it a trace of another model"):
        nb.compute_log_likelihood(trace, other)

"""Particles whose scores a model's own density finds: the same numbers as the processor's."""

import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.cuda.backend import cuda
from nbinfer.cuda.scores import ModelScores
from nbinfer.distributions import half_cauchy, normal
from nbinfer.errors import ConvergenceWarning, FitError, ModelError

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

Y = np.array([28.0, 8.0, -3.0, 7.0])
SIGMA = np.array([15.0, 10.0, 16.0, 11.0])


def prior(p, d):
    return normal.logpdf(p.mu, 0.0, 5.0) + half_cauchy.logpdf(p.tau, 5.0) + np.sum(normal.logpdf(p.eta, 0.0, 1.0))


def likelihood(p, d):
    return normal.logpdf(d.y, p.mu + p.tau * p.eta, d.sigma)


@pytest.fixture(scope="module")
def schools():
    parameters = {"mu": nb.real(), "tau": nb.positive(), "eta": nb.real(4)}
    return nb.Model(parameters, prior=prior, likelihood=likelihood, data={"y": Y, "sigma": SIGMA})


def test_scores_are_the_models_bit_for_bit(schools):
    bound = schools.bind(1)
    x = np.random.default_rng(1).normal(size=(40, bound.dim))
    find = ModelScores(schools.definition, 1.0, *x.shape)
    g, logps = cuda.to_device(np.zeros_like(x)), cuda.to_device(np.zeros(len(x)))
    find(cuda.to_device(x), g, logps)
    find.check()
    for k, position in enumerate(x):
        value, grad = bound.value_and_grad(position)
        assert logps.copy_to_host()[k] == value
        assert (g.copy_to_host()[k] == grad).all()


def _fill(x, grad):
    grad[:] = -x


def fitted(model, backend, n=2, **options):
    inference = nb.SVGD(6, model=model, random_seed=1, backend=backend, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return inference.fit(n, obj_optimizer=nb.adam(learning_rate=0.1), progressbar=False)


def test_a_fit_is_that_of_the_processor(schools):
    found, wanted = fitted(schools, "cuda"), fitted(schools, "cpu")
    np.testing.assert_allclose(found.histogram, wanted.histogram, rtol=1e-12, atol=1e-12)


def test_data_that_change_are_seen(schools):
    inference = nb.SVGD(6, model=schools, random_seed=1, backend="cuda", kernel=nb.RBF(1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        inference.fit(1, obj_optimizer=nb.sgd(), progressbar=False)
        before = inference.approx.histogram.copy()
        schools.set_data(y=Y + 1e6)
        try:
            inference.refine(1, progressbar=False)
        finally:
            schools.set_data(y=Y)
    assert np.abs(inference.approx.histogram - before).max() > 1.0


def test_a_density_in_plain_python_is_refused_before_anything_starts():
    model = nb.Model.flat(lambda x: -0.5 * float(x @ x), dim=2, grad=_fill, compile=False)
    with pytest.raises(ModelError, match="compiles the density, and that of this model is plain Python"):
        fitted(model, "cuda")


def test_a_density_that_is_no_number_names_particles_and_reason():
    def logp(p, d):
        return -0.5 * p.x**2 if p.x < 1e9 else np.nan

    model = nb.Model({"x": nb.real()}, logp=logp)
    inference = nb.SVGD(4, model=model, random_seed=1, backend="cuda", kernel=nb.RBF(1.0))
    inference.approx.params[0].set_value(np.array([[0.0], [-1e10], [1e10], [1.0]]))
    with pytest.raises(FitError, match=r"of 1 of 4 particles is not finite in iteration 0: particle 2, the first one"):
        inference.fit(1, progressbar=False)

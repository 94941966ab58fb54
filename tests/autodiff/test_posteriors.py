"""Fourteen posteriors, written as plain log densities: values and derived gradients against references.

The generated code runs as plain Python; `tests/posteriors` has the same compiled, in models.
"""

import collections

import numpy as np
import pytest

from nbinfer.autodiff import value_and_grad
from nbinfer.autodiff.compiled import plain_function
from nbinfer.autodiff.derive import derive
from nbinfer.autodiff.program import Type
from tests.posteriors import NAMES, load

names = pytest.mark.parametrize("name", NAMES)

#: Its covariance is nearly singular.
TOLERANCE = {"gp_pois_regr": 1e-6}


def tuple_of(kind, fields):
    return collections.namedtuple(kind, fields)(*fields.values())


def parameters_of(model, values):
    return tuple_of(
        "Parameters", {n: float(v) if np.ndim(v) == 0 else v for n, v in values.items() if n in model.parameters}
    )


def data_of(model):
    return tuple_of("Data", model.data) if model.data else collections.namedtuple("Data", "")()


def density(model):
    """Return the whole log density of a model as one function."""
    if model.logp_function is not None:
        return model.logp_function
    prior, likelihood = model.prior, model.likelihood["likelihood"]

    def logp(p, d):
        return prior(p, d) + np.sum(likelihood(p, d))

    return logp


def assert_reference(name, evaluate):
    """Compare what `evaluate(p, d)` returns, a value and a named tuple of gradients, with the reference's points."""
    posterior = load(name)
    model, points = posterior.model, posterior.points
    found = [evaluate(parameters_of(model, point.values), data_of(model)) for point in points]
    known = np.array([point.logp for point in points])
    ours = np.array([value for value, _ in found])
    np.testing.assert_allclose(ours - ours[0], known - known[0], rtol=0, atol=1e-9 * np.abs(known).max())
    tolerance = TOLERANCE.get(name, 1e-8)
    for (_, grad), point in zip(found, points, strict=True):
        for field in model.parameters:
            want = point.grad[field]
            allowed = tolerance * np.abs(want).max()
            np.testing.assert_allclose(getattr(grad, field), want, rtol=tolerance, atol=allowed, err_msg=field)


@pytest.mark.either
@names
def test_derived_gradients_are_the_reference(name):
    both = value_and_grad(density(load(name).model))

    def evaluate(p, d):
        generated = both.derive(p, d)
        grad = type(p)(*(np.zeros(np.shape(v)) for v in p))
        return plain_function(generated)(*p, *d, *grad), grad

    assert_reference(name, evaluate)


@pytest.mark.either
@names
def test_models_get_the_same_gradient_with_their_terms_apart(name):
    """As a model uses it: prior and likelihood in one function, each with its weight."""
    model = load(name).model
    kinds = {"f": "float", "i": "int", "b": "bool"}
    parameters = {n: Type("float", len(p.shape)) for n, p in model.parameters.items()}
    data = {n: Type(kinds[np.asarray(v).dtype.kind], np.ndim(v)) for n, v in model.data.items()}
    generated = derive(parameters, data, prior=model.prior, terms=model.likelihood, logp=model.logp_function)
    run = plain_function(generated)

    def evaluate(p, d):
        grad = type(p)(*(np.zeros(np.shape(v)) for v in p))
        return run(p, d, grad, np.ones(2)), grad

    assert_reference(name, evaluate)

"""Families and optimisers of a user's own: compiled ones, and those in plain Python."""

from dataclasses import dataclass

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import entry, floats_at, record_at
from nbinfer.engine.state import State
from nbinfer.variational.families.family import inverse_softplus, softplus_of
from nbinfer.variational.families.python_family import PythonFamily
from nbinfer.variational.families.registry import _BY_NAME, _BY_PARAMETERS
from nbinfer.variational.optimizers import Rule, custom
from nbinfer.variational.optimizers.descent import Descent
from tests.variational.families.laws import check_density, check_moments, check_pull
from tests.variational.targets import FIVE, conjugate, several

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


@dataclass(frozen=True)
class Independent(PythonFamily):
    """Independent normal numbers, in Python."""

    names = ("python_mean_field", "pmf")

    @classmethod
    def parameter_names(cls):
        return ("centre", "spread")

    def shapes(self, extent):
        return {"centre": (extent.n,), "spread": (extent.n,)}

    def first_values(self, extent, mean, sigma):
        return {"centre": mean, "spread": inverse_softplus(sigma)}

    def mean(self, parameters):
        return parameters["centre"].copy()

    def cov(self, parameters):
        return np.diag(softplus_of(parameters["spread"]) ** 2)

    def forward(self, noise, parameters):
        sigma = softplus_of(parameters["spread"])
        logq = -0.5 * noise @ noise - np.sum(np.log(sigma)) - 0.5 * noise.size * np.log(2.0 * np.pi)
        return parameters["centre"] + sigma * noise, logq

    def backward(self, noise, grad, parameters, entropy):
        rho = parameters["spread"]
        sigma, slope = softplus_of(rho), 1.0 / (1.0 + np.exp(-rho))
        g = grad + (noise / sigma if entropy == "stl" else 0.0)
        return {"centre": g, "spread": (g * noise + (1.0 / sigma if entropy == "plain" else 0.0)) * slope}


@pytest.fixture
def registered():
    nb.Group.register(Independent)
    yield
    for name in Independent.names:
        del _BY_NAME[name]
    del _BY_PARAMETERS[frozenset(Independent.parameter_names())]


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("estimator", ["none", "plain", "stl"])
def test_a_family_in_python_obeys_the_laws(estimator):
    check_pull(Independent(), estimator)
    check_density(Independent())
    check_moments(Independent(), 2000)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.usefixtures("registered")
def test_a_family_in_python_fits_as_the_compiled_one_does():
    ours = nb.MeanField(model=several(), random_seed=1)
    theirs = nb.Approximation(nb.Group(None, "pmf"), several(), random_seed=1)
    for approx in (ours, theirs):
        nb.KLqp(approx).fit(30, progressbar=False)
    np.testing.assert_allclose(theirs.hist, ours.hist, rtol=1e-9)
    np.testing.assert_allclose(theirs.std, ours.std, rtol=1e-9)
    np.testing.assert_allclose(theirs.sample(3, random_seed=2)["m"], ours.sample(3, random_seed=2)["m"], rtol=1e-9)


@dataclass(frozen=True)
class Failing(Independent):
    """Fails."""

    def backward(self, noise, grad, parameters, entropy):
        raise RuntimeError("no way back")


@dataclass(frozen=True)
class FailingToDraw(Independent):
    """Fails at once."""

    def forward(self, noise, parameters):
        raise RuntimeError("no way there")


@pytest.mark.parametrize(("family", "message"), [(Failing(), "no way back"), (FailingToDraw(), "no way there")])
def test_what_a_family_raises_arrives(family, message):
    group = nb.Group(None, "mf")
    group.family = family
    approx = nb.Approximation(group, several(), random_seed=1)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=message):
            nb.KLqp(approx).fit(10, progressbar=False)
    assert len(approx.hist) == 0
    if isinstance(family, FailingToDraw):
        with pytest.raises(RuntimeError, match=message):
            approx.sample(3)


def descend(x, g, rate, t):
    x -= rate / t * g


@pytest.mark.nojit  # long as plain Python
def test_an_optimiser_in_python():
    """Its rate falls, as that of the compiled one may."""
    ours = nb.ADVI(model=conjugate(FIVE), random_seed=1)
    ours.fit(40, obj_optimizer=nb.sgd(learning_rate=lambda i: 0.01 / (i + 1)), progressbar=False)
    theirs = nb.ADVI(model=conjugate(FIVE), random_seed=1)
    theirs.fit(40, obj_optimizer=custom(descend, 0.01), progressbar=False)
    np.testing.assert_allclose(theirs.hist, ours.hist, rtol=1e-12)
    a = nb.shared([1.0, 2.0])
    updates = custom(descend, 0.5)(lambda a: np.sum(a**2), [a])
    updates()
    np.testing.assert_array_equal(a.get_value(), 0.0)


@pytest.mark.nojit  # long as plain Python
def test_what_an_optimiser_raises_arrives():
    def fails(x, g, rate, t):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        nb.ADVI(model=conjugate(FIVE), random_seed=1).fit(5, obj_optimizer=custom(fails), progressbar=False)

    def fails_once(x, g, rate, t):
        if t == 3:
            raise ZeroDivisionError("mine")

    inference = nb.ADVI(model=conjugate(FIVE), random_seed=1)
    with pytest.raises(ZeroDivisionError, match="mine"):
        inference.fit(5, obj_optimizer=custom(fails_once), progressbar=False)
    assert len(inference.refine(5, progressbar=False).hist) == 2 + 5
    with pytest.raises(TypeError, match="update must be a function"):
        custom(3)


SIGNS = State({"count": "i8"})
Own = SIGNS.record


@entry("int64(intp, intp)")
def _signs(descent_address, own_address):
    descent, own = record_at(descent_address, Descent), record_at(own_address, Own)
    x, g = floats_at(descent.parameters, descent.n), floats_at(descent.gradient, descent.n)
    own.count += 1
    for i in range(descent.n):
        x[i] -= descent.rate * np.sign(g[i])
    return 0


@dataclass(frozen=True)
class Signs(Rule):
    """Steps of one length."""

    learning_rate: float = 0.1
    name, function, state = "signs", _signs, SIGNS


@pytest.mark.nojit  # long as plain Python
def test_a_compiled_optimiser():
    a = nb.shared([1.0, -2.0])
    updates = Signs()(lambda a: np.sum(a**2), [a])
    for _ in range(3):
        updates()
    np.testing.assert_allclose(a.get_value(), [0.7, -1.7])
    inference = nb.ADVI(model=conjugate(FIVE), random_seed=1, estimator="plain")
    approx = inference.fit(3, obj_optimizer=Signs, progressbar=False)
    np.testing.assert_allclose(approx.mean, [0.3])

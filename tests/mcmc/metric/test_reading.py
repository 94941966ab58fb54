"""The metric of a trace is the one that its chains used last."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT, address_of, entry, record_at
from nbinfer.diagnostics.effort import LEARNS_CORRELATION
from nbinfer.engine.driver import run
from nbinfer.engine.progress import display_for
from nbinfer.mcmc import QuadPotentialFunctions, quad_potential
from nbinfer.mcmc.metric import kernel as metrics
from nbinfer.mcmc.metric.kernel import Metric
from nbinfer.mcmc.sampling import Sampling
from nbinfer.random import seed_sequences
from tests.mcmc.models import eight_schools

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")  # runs are short

TUNE, DRAWS = (300, 20) if JIT else (60, 4)


@entry("int64(intp, intp, intp)")
def _velocity(metric, momentum, out):
    metrics.velocity(record_at(metric, Metric), momentum, out)
    return 0


def correlated(p, d):
    return -0.5 * (p.x @ d.precision @ p.x) - 0.5 * (p.y / 100.0) ** 2


COVARIANCE = np.array([[1.0, 0.99, 0.0], [0.99, 1.0, 0.0], [0.0, 0.0, 25.0]])


def model():
    return nb.Model(
        parameters={"y": nb.real(), "x": nb.real(3)}, logp=correlated, data={"precision": np.linalg.inv(COVARIANCE)}
    )


def draw(step, **settings):
    settings = {"draws": DRAWS, "tune": TUNE, "chains": 2, "random_seed": 1, "progressbar": False} | settings
    return nb.sample(model(), step=step, **settings)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("method", [nb.NUTS, nb.HamiltonianMC])
@pytest.mark.parametrize("kind", [LEARNS_CORRELATION, "fisher_diag", "dense", "diag"])
def test_it_is_the_matrix_that_gives_the_chains_velocities(method, kind):
    steps = [(method(metric=kind), ["x", "y"])]  # the coordinates are in the order of the model
    sampling = Sampling(model(), steps, draws=DRAWS, tune=TUNE, numbers=[3, 7], sequences=seed_sequences(1, 2))
    run(sampling.chains, TUNE + DRAWS, 1, display_for(False, ["", ""], TUNE + DRAWS, "draw", lambda line: ""))
    metric = sampling.trace(0.0).metric
    assert metric.labels == ["y", "x[0]", "x[1]", "x[2]"]
    for row, chain in enumerate((3, 7)):
        address, columns = sampling.chains.own(0, row).metric.address, np.empty((4, 4))
        for unit, column in zip(np.eye(4), columns, strict=True):
            _velocity(address, address_of(unit), address_of(column))
        np.testing.assert_allclose(metric.inv_mass(chain), columns, rtol=1e-10, atol=1e-10 * columns.max())


@pytest.mark.nojit  # long as plain Python
def test_a_metric_of_directions_has_learnt_the_covariance():
    metric = draw(nb.NUTS(metric=LEARNS_CORRELATION)).metric
    assert metric.is_learnt
    assert metric.capacity == 4
    if JIT:
        assert (metric.rank >= 1).all()
        assert metric.condition_number == pytest.approx([199.0, 199.0], rel=0.5)
        np.testing.assert_allclose(metric.inv_mass()[1:, 1:], COVARIANCE, rtol=0.5, atol=0.5)


@pytest.mark.nojit  # long as plain Python
def test_a_fixed_metric_is_the_given_one():
    given = np.diag([1e4, 1.0, 1.0, 25.0])
    given[1:, 1:] = COVARIANCE
    for scaling in (given, np.diag(given)):
        metric = draw(nb.NUTS(scaling=scaling, is_cov=True)).metric
        assert not metric.is_learnt
        np.testing.assert_allclose(metric.inv_mass(0), given if scaling.ndim == 2 else np.diag(scaling), rtol=1e-12)
        np.testing.assert_allclose(metric.inv_mass(0), metric.inv_mass(1))


@pytest.mark.nojit  # long as plain Python
def test_steps_of_a_compound_have_one_each():
    first, second = draw([nb.HamiltonianMC(["x"]), nb.NUTS(["y"], metric="dense")]).metric
    assert (first.labels, second.labels) == (["x[0]", "x[1]", "x[2]"], ["y"])
    assert first.scale.shape == (2, 3)
    assert second.inv_mass().shape == (1, 1)
    assert draw([nb.Slice(["x"]), nb.NUTS(["y"])]).metric.labels == ["y"]


@pytest.mark.nojit  # long as plain Python
def test_there_is_none_without_a_step_or_a_matrix():
    assert draw(nb.Slice()).metric is None

    def velocity(momentum, out, data):
        out[:] = momentum

    def momentum(rng, out, data):
        for i in range(out.size):
            out[i] = rng.standard_normal()

    assert draw(nb.NUTS(potential=QuadPotentialFunctions(velocity, momentum))).metric is None


@pytest.mark.nojit  # long as plain Python
def test_an_object_is_read_as_well():
    variances = [1.0, 2.0, 3.0, 4.0]
    diagonal = draw(nb.NUTS(potential=quad_potential(variances, is_cov=True))).metric.diagonal
    np.testing.assert_allclose(diagonal, [variances, variances], rtol=1e-12)


@pytest.mark.nojit  # long as plain Python
def test_what_is_constrained_has_the_names_of_its_values():
    trace = nb.sample(eight_schools(), DRAWS, TUNE, chains=1, random_seed=1, progressbar=False)
    assert trace.metric.labels == ["mu", "tau", *(f"eta[{i}]" for i in range(8))]

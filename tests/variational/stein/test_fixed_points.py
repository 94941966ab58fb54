"""Where particles come to rest: places and moments that are known."""

import math

import numpy as np
import pytest
from scipy import stats

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import ConvergenceWarning
from nbinfer.variational.stein import rbf
from tests.variational.stein.targets import Linear, at, fitted, forces, mixture, normal

long = pytest.mark.nojit
quiet = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


@pytest.mark.parametrize(("dtype", "near"), [("float64", 1e-10), ("float32", 1e-6)])
def test_one_particle_finds_the_mode(dtype, near):
    inference = at([[4.0, -1.0]], normal(2, mean=1.3), nb.RBF(bandwidth=0.5), dtype=dtype)
    approx = fitted(inference, 60, nb.sgd(learning_rate=0.5))
    np.testing.assert_allclose(approx.histogram, [[1.3, 1.3]], atol=near)
    assert approx.report.force < 10.0 * near
    assert approx.report.ok


@pytest.mark.nojit  # long as plain Python
@quiet
@pytest.mark.parametrize("h", [1.0, 0.3])
@pytest.mark.parametrize(("dtype", "near"), [("float64", 1e-7), ("float32", 1e-5)])
def test_two_particles(h, dtype, near):
    kernel = nb.RBF(bandwidth=0.5 * h)
    approx = fitted(at([[0.3], [2.0]], normal(), kernel, dtype=dtype), 400, nb.sgd(learning_rate=0.5))
    expected = math.sqrt(h / 4.0 * math.log(1.0 + 4.0 / h))
    assert h != 1.0 or abs(expected - 0.63431812) < 1e-8
    np.testing.assert_allclose(np.sort(approx.histogram[:, 0]), [-expected, expected], rtol=near)


@pytest.mark.nojit  # long as plain Python
@quiet
@pytest.mark.parametrize("n", [7, pytest.param(70, marks=long)])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_a_linear_kernel_makes_moments_exact(n, temperature):
    """So do both parts of the direction divided by the number of particles, and neither alone."""
    inference = at(np.linspace(-1.0, 2.0, n), normal(1, 1.3, 0.49), Linear(), temperature=temperature)
    points = fitted(inference, 300, nb.sgd(learning_rate=0.15)).histogram
    assert points.mean() == pytest.approx(1.3, abs=1e-8)
    assert points.var() == pytest.approx(temperature * 0.49, abs=1e-8)


FALLING = nb.adam(learning_rate=lambda i: 0.1 / (1.0 + i / 300.0))


@long
@pytest.mark.parametrize(
    ("dim", "variance", "n", "optimizer", "options"),
    [
        (1, 0.96, 2500, FALLING, {}),
        (2, 0.92, 600, None, {"dtype": "float32"}),
        (2, 0.92, 600, None, {}),
        (10, 0.42, 1500, None, {}),
        (10, 0.42, 1500, None, {"kernel": nb.RBF(pairs=4000)}),
        (50, 0.09, 1500, None, {}),
        (50, 0.09, 1500, None, {"dtype": "float32"}),
    ],
)
def test_the_documents_kernel_collapses_in_many_dimensions(dim, variance, n, optimizer, options):
    inference = nb.SVGD(model=normal(dim), random_seed=1, cores=1, **options)
    if variance < 0.9:
        with pytest.warns(ConvergenceWarning, match=r"The particles have collapsed: their spread is 0\.[04]"):
            approx = fitted(inference, n, optimizer)
    else:
        approx = fitted(inference, n, optimizer)
    assert np.diag(approx.cov).mean() == pytest.approx(variance, abs=0.01)
    assert approx.report.force < 1e-3
    assert approx.report.converged
    assert ("collapsed" in str(approx.report)) == (variance < 0.9)
    assert "The largest force on a particle is" in str(approx.report)


@long
@quiet
def test_a_mixture():
    """The weights of two modes hang on what bridges them, a nearly flat direction: plain steps, of no noise."""
    start = stats.norm(0.0, 3.0).ppf((np.arange(200) + 0.5) / 200)
    points = fitted(at(start, mixture()), 5000).histogram
    assert points.mean() == pytest.approx(0.457, abs=0.02)
    assert points.var() == pytest.approx(3.331, abs=0.05)


@pytest.mark.nojit  # long as plain Python
@quiet
@pytest.mark.parametrize("kernel", [rbf, nb.RBF(bandwidth=0.7), nb.IMQ(), nb.IMQ(1.5, -0.8)], ids=repr)
def test_forces_vanish_where_particles_rest(kernel):
    n = 30 if JIT else 8
    start = np.random.default_rng(1).normal(size=(n, 2))
    approx = fitted(at(start, normal(2, 0.5, 0.8), kernel), 1500 if JIT else 150, nb.sgd(learning_rate=2.0))
    points = approx.histogram
    residual = forces(points, -(points - 0.5) / 0.8, kernel)
    assert np.abs(residual).max() < 1e-4 if JIT else 1e-2
    assert approx.report.force == pytest.approx(np.abs(residual * points.std(axis=0)).max(), rel=1e-3, abs=1e-12)


@quiet
def test_particles_that_move_are_told():
    inference = nb.SVGD(20, model=normal(2), random_seed=1)
    with pytest.warns(ConvergenceWarning, match="The particles still move: the largest force is 0"):
        approx = fitted(inference, 3)
    assert approx.report.converged is False
    assert not approx.report.ok


def test_what_is_said_does_not_depend_on_the_unit():
    """Nor does whether particles have collapsed depend on where the posterior lies."""
    found = []
    for scale in (1.0, 1000.0):
        rng = np.random.default_rng(3)
        model = normal(2, 7.0 * scale, scale**2)
        inference = at(7.0 * scale + 0.5 * scale * rng.normal(size=(12, 2)), model)
        with pytest.warns(ConvergenceWarning):
            fitted(inference, 1, nb.sgd(learning_rate=1e-9))
        found.append((inference.approx.report.force, inference.approx.report.problems))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    assert found[0][1] == found[1][1]

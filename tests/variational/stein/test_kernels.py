"""Kernels against their formulas and their derivatives by differences; one of a user's own; the discrepancy."""

import numpy as np
import pytest
from scipy import stats

import nbinfer as nb
from nbinfer.compile import JIT, address_of, entry, floats_at, record_at
from nbinfer.errors import ParametrizationError
from nbinfer.variational.stein import Kernel, RadialKernel, Tile
from nbinfer.variational.stein.kernels import GAUSSIAN
from nbinfer.variational.stein.stein import joint_histogram
from tests.variational.stein.targets import Linear, at, fitted, normal


@entry("int64(intp, intp)")
def weigh_cauchy(tile_address, own_address):
    """Weigh by 1 / (1 + r² / (2 h))."""
    tile = record_at(tile_address, Tile)
    squared, k, a = floats_at(tile.distances, tile.n), floats_at(tile.values, tile.n), floats_at(tile.slopes, tile.n)
    for i in range(tile.n):
        k[i] = 1.0 / (1.0 + 0.5 * squared[i] / tile.bandwidth)
        a[i] = k[i] * k[i] / tile.bandwidth
    if tile.curves != 0:
        curves = floats_at(tile.curves, tile.n)
        for i in range(tile.n):
            curves[i] = 2.0 * k[i] * a[i] / tile.bandwidth
    return 0


class Cauchy(RadialKernel):
    """A user's own."""

    weigh = weigh_cauchy


KERNELS = {
    "rbf": (nb.RBF(0.7), lambda r2: np.exp(-r2 / 1.4)),
    "imq": (nb.IMQ(0.7, -0.3), lambda r2: (1.0 + r2 / 1.4) ** -0.3),
    "cauchy": (Cauchy(0.7), lambda r2: 1.0 / (1.0 + r2 / 1.4)),
    "linear": (Linear(), None),
}


def value(name, x, y):
    formula = KERNELS[name][1]
    return x @ y + 1.0 if formula is None else formula((x - y) @ (x - y))


@pytest.mark.parametrize("name", KERNELS)
def test_values_and_derivatives(name):
    rng = np.random.default_rng(1)
    z, kernel = rng.normal(size=(5, 2)), KERNELS[name][0]
    values, sums = kernel(z)
    np.testing.assert_allclose(values, [[value(name, x, y) for x in z] for y in z], rtol=1e-12)
    step = 1e-6
    for i in range(5):
        expected = np.zeros(2)
        for j in range(5):
            for c in range(2):
                up, down = z[j].copy(), z[j].copy()
                up[c] += step
                down[c] -= step
                expected[c] += (value(name, up, z[i]) - value(name, down, z[i])) / (2.0 * step)
        np.testing.assert_allclose(sums[i], expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("dtype", "near", "least"), [("float64", 2e-15, 1e-300), ("float32", 3e-7, 1e-37)])
def test_a_gaussian_kernel_in_place_of_distances(dtype, near, least):
    """Values are right to some digits of the argument's own rounding; what is too small for a number is one."""
    squared = np.concatenate([np.linspace(0.0, 3.0, 301), np.geomspace(1e-30, 1e6, 301)]).astype(dtype)
    found, tile = squared.copy(), np.zeros(1, Tile)
    tile["n"], tile["bandwidth"], tile["distances"] = len(found), 0.7, address_of(found)
    GAUSSIAN[nb.RBF.weigh][dtype](address_of(tile), 0)
    exponents = squared.astype(np.float64) / 1.4
    expected = np.exp(-exponents)
    seen = expected > least
    assert (np.abs(found - expected)[seen] <= near * (1.0 + exponents[seen]) * expected[seen]).all()
    assert (found[~seen] <= 2.0 * least).all()
    assert (found >= 0.0).all()
    assert found[0] == 1.0


@pytest.mark.parametrize("name", ["rbf", "imq", "cauchy"])
def test_second_derivatives(name):
    kernel, formula = KERNELS[name]
    squared, _, slopes, curves = kernel.weights(np.array([[0.0], [1.1], [2.0]]))
    step = 1e-4
    first = (formula(squared + step) - formula(squared - step)) / (2.0 * step)
    second = (formula(squared + step) - 2.0 * formula(squared) + formula(squared - step)) / step**2
    np.testing.assert_allclose(slopes, -2.0 * first, rtol=1e-6)
    np.testing.assert_allclose(curves, 4.0 * second, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
def test_a_compiled_kernel_of_a_users_own():
    ours = fitted(at(np.linspace(-1.0, 2.0, 7), normal(), Cauchy(1.0)), 20, nb.sgd(learning_rate=0.5))

    def plainly(z):
        squared = (z - z.T) ** 2
        k = 1.0 / (1.0 + squared / 2.0)
        return k, np.sum(k**2 * (z - z.T), axis=1, keepdims=True)

    theirs = fitted(at(np.linspace(-1.0, 2.0, 7), normal(), plainly), 20, nb.sgd(learning_rate=0.5))
    np.testing.assert_allclose(ours.histogram, theirs.histogram, rtol=1e-10, atol=1e-12)


def test_parts_fit_together():
    inference = at(np.random.default_rng(1).normal(size=(6, 2)), normal(2, 0.3, 1.7), temperature=2.0)
    stein = nb.Stein(inference.approx, temperature=2.0)
    points = stein.input_joint_matrix
    np.testing.assert_array_equal(points, inference.approx.histogram)
    np.testing.assert_allclose(stein.dlogp, -(points - 0.3) / 1.7)
    np.testing.assert_allclose(stein.logp_norm, -0.5 * np.sum((points - 0.3) ** 2, axis=1) / 1.7)
    np.testing.assert_allclose(stein.density_part_grad, stein.Kxy @ stein.dlogp)
    np.testing.assert_allclose(stein.repulsive_part_grad, stein.dxkxy)
    np.testing.assert_allclose(stein.grad, (stein.density_part_grad / 2.0 + stein.dxkxy) / 6.0)
    squared = np.sum((points[:, None] - points) ** 2, axis=-1)
    h = 0.5 * np.median(squared) / np.log(7.0)
    np.testing.assert_allclose(stein.Kxy, np.exp(-squared / (2.0 * h)), rtol=1e-12)
    np.testing.assert_allclose(
        stein.dxkxy, (points * stein.Kxy.sum(axis=1, keepdims=True) - stein.Kxy @ points) / h, atol=1e-12
    )


def test_draws_in_the_place_of_particles():
    approx = nb.MeanField(model=normal(2), random_seed=1)
    stein = nb.Stein(approx, draws=7, random_seed=3)
    assert stein.input_joint_matrix.shape == stein.grad.shape == (7, 2)
    np.testing.assert_array_equal(stein.input_joint_matrix, approx.draw(7, 3).positions)
    of_rows = nb.Stein(
        nb.Empirical(size=4, model=normal(2), random_seed=1), use_histogram=False, draws=9, random_seed=1
    )
    assert of_rows.input_joint_matrix.shape == (9, 2)


@pytest.mark.parametrize("kernel", [nb.RBF(1.0), nb.IMQ(1.0), Cauchy(1.0)], ids=lambda k: type(k).__name__)
def test_the_discrepancy(kernel):
    """Of N(.5, 1) from N(0, 1) with a Gaussian kernel of length 1: .25 / sqrt(3)."""
    n, near = (1000, 0.02) if JIT else (60, 0.2)
    points = stats.norm(0.5).ppf((np.arange(n) + 0.5) / n)
    inference = at(points, normal(), kernel)
    ksd = nb.Stein(inference.approx, kernel).ksd
    by_scores = 0.25 * np.mean(kernel(points[:, None])[0])  # the difference of the scores is -.5 everywhere
    assert ksd == pytest.approx(by_scores, rel=near)
    if isinstance(kernel, nb.RBF):
        assert ksd == pytest.approx(0.25 / np.sqrt(3.0), rel=near)


def test_a_discrepancy_needs_second_derivatives():
    approx = nb.Empirical(size=4, model=normal(), random_seed=1)
    with pytest.raises(NotImplementedError, match="ksd needs second derivatives"):
        nb.Stein(approx, Linear()).ksd  # noqa: B018


def test_what_is_refused():
    approx = nb.Empirical(size=4, model=normal(), random_seed=1)
    for wrong in (0.0, -1.0, np.inf, "wide"):
        with pytest.raises(ValueError, match="bandwidth must be positive and finite"):
            nb.RBF(wrong)
    with pytest.raises(ValueError, match=r"exponent must lie between -1 and 0, got 0\.5"):
        nb.IMQ(exponent=0.5)
    with pytest.raises(TypeError, match="kernel must be a kernel, such as"):
        nb.Stein(approx, nb.RBF)
    with pytest.raises(ValueError, match="temperature must be positive"):
        nb.Stein(approx, temperature=0.0)
    with pytest.raises(TypeError, match="approx must be an Approximation, got int"):
        nb.Stein(3)
    with pytest.raises(NotImplementedError):
        Kernel()(np.zeros((2, 1)))
    mixed = nb.Approximation(nb.Group(None, "mean_field"), normal())
    with pytest.raises(ParametrizationError, match="particles are rows of histograms"):
        joint_histogram(mixed)
    assert repr(nb.RBF()) == "RBF()"
    assert repr(nb.IMQ(2.0)) == "IMQ(bandwidth=2)"

"""The metric of few directions: what it learns is what the formulas say, and what it makes of it is a metric."""

from types import SimpleNamespace

import numpy as np
import pytest

from nbinfer.compile import JIT, address_of, entry, record_at
from nbinfer.engine.state import Memory, Plan
from nbinfer.mcmc.metric import estimate, low_rank
from nbinfer.mcmc.metric.low_rank import LOW_RANK, LowRank

RIDGE = 1e-5


@entry("int64(intp, int64, int64, int64, intp, intp, float64)")
def _remember(low, n, draw, moved, position, grad, logp):
    low_rank.remember(record_at(low, LowRank), n, draw, moved != 0, position, grad, logp)
    return 0


@entry("int64(intp, int64, int64, int64, intp)")
def _estimate(low, n, first, end, inv_mass):
    return estimate.estimate(record_at(low, LowRank), n, first, end, inv_mass)


@entry("int64(intp, int64, intp, intp)")
def _velocity(low, n, momentum, out):
    low_rank.velocity(record_at(low, LowRank), n, momentum, out)
    return 0


@entry("int64(intp, int64, intp)")
def _shape_momentum(low, n, values):
    low_rank.shape_momentum(record_at(low, LowRank), n, values)
    return 0


@entry("int64(intp, int64)")
def _choose_form(low, n):
    low_rank.choose_form(record_at(low, LowRank), n)
    return 0


class Learnt:
    """A metric of `n` coordinates, alone in memory."""

    def __init__(self, n):
        self.n, plan = n, Plan()
        place = plan.place(
            LOW_RANK, SimpleNamespace(directions=lambda n, tune: min(n, low_rank.MOST)), SimpleNamespace(n=n, tune=1000)
        )
        spaces = [np.zeros(max(size, 1), np.int64) for size in plan.sizes]
        plan.relocate(spaces[0][None], np.array([[address_of(space) for space in spaces]]))
        self.memory, self.kept = Memory(place, *spaces[:2]), spaces
        self.memory.capacity, self.memory.most = low_rank.window_of(n, 1000), min(n, low_rank.MOST)
        self.address = self.memory.address

    def see(self, x, g, moved=None, first=0):
        x, g = (np.ascontiguousarray(a, float) for a in (x, g))
        for i in range(len(x)):
            stays = moved is not None and not moved[i]
            _remember(self.address, self.n, first + i, not stays, address_of(x[i]), address_of(g[i]), 0.0)
        return self

    def estimate(self, first, end, inv_mass=None):
        diagonal = np.ones(self.n) if inv_mass is None else np.array(inv_mass, float)
        return _estimate(self.address, self.n, first, end, address_of(diagonal))

    @property
    def parts(self):
        """Scales (n,), eigenvalues (rank,), directions (rank, n)."""
        rank, memory = int(self.memory.rank), self.memory
        return memory.scale, memory.stretches[:rank] + 1.0, memory.vectors[: rank * self.n].reshape(rank, self.n)

    @property
    def inv_mass(self):
        """The matrix, from the parts."""
        scale, values, directions = self.parts
        return scale[:, None] * (np.eye(self.n) + directions.T @ ((values - 1.0)[:, None] * directions)) * scale

    def velocity(self, momentum):
        values, out = np.array(momentum), np.empty(self.n)
        _velocity(self.address, self.n, address_of(values), address_of(out))
        return out

    def momentum(self, normal):
        values = np.array(normal)
        _shape_momentum(self.address, self.n, address_of(values))
        return values


def learnt(x, g, **options):
    """A metric learnt from draws and gradients, and its rank."""
    metric = Learnt(x.shape[1]).see(x, g, **options)
    return metric, metric.estimate(0, len(x))


def power(matrix, exponent):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * values**exponent) @ vectors.T


def formula(x, g, basis=None):
    """Scales, eigenvalues and directions (as rows) by symmetric square roots of the sums of products."""
    x, g = x - x.mean(0), g - g.mean(0)
    scale = ((x**2).sum(0) / (g**2).sum(0)) ** 0.25
    x, g = x / scale, g * scale
    basis = np.eye(x.shape[1]) if basis is None else basis(x, g)
    a, b = (rows @ basis for rows in (x, g))
    ridge = RIDGE * np.eye(basis.shape[1])
    root = power(b.T @ b + ridge, 0.5)
    w = np.linalg.solve(root, power(root @ (a.T @ a + ridge) @ root, 0.5)) @ np.linalg.inv(root)
    values, vectors = np.linalg.eigh((w + w.T) / 2)
    limit = np.log(1.5 if len(x) >= 10 * x.shape[1] else 2.0)
    kept = np.abs(np.log(values)) > limit
    return scale, values[kept], (basis @ vectors[:, kept]).T


def student_draws(rng, count, n, factor):
    """Draws whose gradients are no linear function of them: Student's t with 6 degrees of freedom, transformed."""
    z = rng.standard_t(6, (count, n))
    return z @ factor.T, np.linalg.solve(factor.T, (-7.0 * z / (6.0 + z * z)).T).T


def factor_of(rng, n):
    return np.linalg.qr(rng.normal(size=(n, n)))[0] * np.exp(rng.normal(size=n)) + 0.1 * np.eye(n)


def span_of(x, g):
    return np.linalg.svd(np.vstack([x, g]), full_matrices=False)[2].T


@pytest.mark.parametrize(
    ("n", "count", "basis"), [(1, 30, None), (3, 200, None), (12, 60, None), (30, 10, span_of), (8, 6, None)]
)
def test_the_estimate_is_the_formulas(n, count, basis):
    rng = np.random.default_rng(n)
    x, g = student_draws(rng, count, n, factor_of(rng, n))
    metric, rank = learnt(x + 5.0, g - 3.0)
    scale, values, directions = formula(x, g, basis or (None if count >= n else span_of))
    assert rank == len(values)
    if rank:
        wanted = scale[:, None] * (np.eye(n) + directions.T @ ((values - 1.0)[:, None] * directions)) * scale
        accuracy = 1e-8 if count > n else 1e-4  # of the formula, which squares condition numbers
        np.testing.assert_allclose(metric.inv_mass, wanted, rtol=0, atol=accuracy * np.abs(wanted).max())
        found = metric.parts[2]
        np.testing.assert_allclose(found @ found.T, np.eye(rank), atol=1e-12)


def gaussian_draws(rng, count, covariance):
    factor = np.linalg.cholesky(covariance)
    z = rng.normal(size=(count, len(covariance)))
    return z @ factor.T, -np.linalg.solve(factor.T, z.T).T


def test_independent_coordinates_of_any_scale_need_no_directions():
    rng = np.random.default_rng(0)
    scales = 10.0 ** np.linspace(-6, 6, 9)
    assert learnt(*gaussian_draws(rng, 300, np.diag(scales**2)))[1] == 0


@pytest.mark.parametrize("r", [0.9, 0.99, 0.999, 0.9999, 0.99999])
def test_a_correlation_is_learnt_from_few_draws(r):
    covariance = np.array([[1.0, r * 1e3], [r * 1e3, 1e6]])
    metric, rank = learnt(*gaussian_draws(np.random.default_rng(1), 12, covariance))
    assert rank == 2
    ratios = np.linalg.eigvals(np.linalg.solve(covariance, metric.inv_mass))
    np.testing.assert_allclose(ratios, 1.0, atol=0.1 if r > 0.9999 else 0.02)


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6, 1e8])
def test_a_condition_number_is_what_is_left_near_1(condition):
    rng = np.random.default_rng(2)
    n = 50 if JIT else 12
    q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    covariance = q * condition ** np.linspace(-0.5, 0.5, n) @ q.T
    metric, rank = learnt(*gaussian_draws(rng, 4 * n, covariance))
    assert rank > n // 2
    ratios = np.abs(np.linalg.eigvals(np.linalg.solve(covariance, metric.inv_mass)))
    assert ratios.max() / ratios.min() < 6  # directions within a factor of 2 either way stay as they are


@pytest.mark.skipif(not JIT, reason="takes long in plain Python")
@pytest.mark.parametrize(("n", "count"), [(100, 90), (300, 400)])
def test_leading_directions_among_many_coordinates(n, count):
    rng = np.random.default_rng(3)
    q = np.linalg.qr(rng.normal(size=(n, 6)))[0]
    stretch = np.array([400.0, 100.0, 30.0, 0.03, 0.01, 0.0025])
    metric, rank = learnt(*gaussian_draws(rng, count, np.eye(n) + (q * (stretch - 1)) @ q.T))
    assert 6 <= rank <= 128
    along = np.einsum("ni,nm,mi->i", q, metric.inv_mass, q)
    assert (np.abs(np.log(along / stretch)) < np.log(2.0)).all()


def in_pairs(correlations, n):
    """A covariance of n coordinates: the first few are correlated, two and two."""
    covariance = np.eye(n)
    for i, r in enumerate(correlations):
        covariance[2 * i, 2 * i + 1] = covariance[2 * i + 1, 2 * i] = r
    return covariance


def test_draws_that_fit_their_gradients_are_not_searched():
    x = np.random.default_rng(4).normal(size=(80, 40))
    metric, rank = learnt(x, -x)
    assert rank == 0
    assert metric.memory.searched == 0


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize(
    ("correlations", "n", "searched"),
    [([0.99999999, 0.99, 0.8], 60, 6), ([0.99] * 12 + [0.8], 70, 26), ([0.99] * 14, 50, 50), ([0.9] * 30, 65, 65)],
    ids=["few; the weak one is not drowned by the strong", "more", "so many that all are searched", "nearly all"],
)
def test_a_normal_distribution_is_learnt_in_a_space_that_is_large_enough(correlations, n, searched):
    covariance = in_pairs(correlations, n)
    metric, rank = learnt(*gaussian_draws(np.random.default_rng(5), 100, covariance))
    assert rank == 2 * len(correlations)
    assert metric.memory.searched == searched
    ratios = np.abs(np.linalg.eigvals(np.linalg.solve(covariance, metric.inv_mass)))
    np.testing.assert_allclose(ratios, 1.0, atol=1e-3)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("n", [5, 40])
def test_a_metric_that_keeps_all_keeps_all(n):
    rng = np.random.default_rng(7)
    covariance = factor_of(rng, n) @ factor_of(rng, n).T
    covariance = covariance @ covariance.T
    metric = Learnt(n).see(*gaussian_draws(rng, 3 * n, covariance))
    metric.memory.keeps_all = 1
    assert metric.estimate(0, 3 * n) == n
    ratios = np.abs(np.linalg.eigvals(np.linalg.solve(covariance, metric.inv_mass)))
    np.testing.assert_allclose(ratios, 1.0, atol=1e-3)


def test_one_coordinate_has_no_directions():
    x = np.random.default_rng(0).normal(size=(40, 1))
    assert learnt(x, -x)[1] == 0


@pytest.mark.parametrize("count", [0, 1, 4, 5])
def test_fewer_than_five_draws_that_moved_tell_nothing(count):
    x = np.random.default_rng(0).normal(size=(30, 3)) @ np.array([[1, 0.99, 0], [0, 0.1, 0], [0, 0, 1.0]])
    moved = np.arange(30) < count
    metric, rank = learnt(x, -x, moved=moved)
    assert (rank == -1) == (count < 5)
    assert metric.memory.rank == 0 or count == 5


def test_what_did_not_move_is_left_out():
    rng = np.random.default_rng(5)
    x, g = student_draws(rng, 40, 4, factor_of(rng, 4))
    moved = rng.random(40) < 0.7
    some, _ = learnt(x, g, moved=moved)
    alone, _ = learnt(x[moved], g[moved])
    np.testing.assert_array_equal(some.inv_mass, alone.inv_mass)


def test_the_window_is_a_ring():
    rng = np.random.default_rng(6)
    capacity = low_rank.window_of(2, 1000)
    x, g = student_draws(rng, capacity + 30, 2, np.array([[1.0, 0.0], [3.0, 0.5]]))
    late, first = Learnt(2).see(x, g), capacity - 20
    late.estimate(first, len(x))
    np.testing.assert_array_equal(late.inv_mass, learnt(x[first:], g[first:])[0].inv_mass)


@pytest.mark.parametrize("value", [0.0, 3.0, np.nan, np.inf])
def test_constant_gradients_are_no_metric(value):
    x = np.random.default_rng(7).normal(size=(30, 3))
    with np.errstate(invalid="ignore"):
        metric, rank = learnt(x, np.full_like(x, value))
    assert rank <= 0
    assert metric.memory.rank == 0


@pytest.mark.parametrize("spread", [0.0, 1e-160, 1e160, np.nan])
@pytest.mark.parametrize("what", ["draws", "gradients"])
def test_a_coordinate_out_of_bounds_keeps_its_scale_and_takes_no_part(spread, what):
    """No curvature, no movement, variances beyond all bounds, NaN."""
    rng = np.random.default_rng(8)
    x, g = gaussian_draws(rng, 60, np.array([[1.0, 0.95], [0.95, 1.0]]))
    pair, _ = learnt(x, g)
    third = rng.normal(size=(60, 2))
    third[:, ["draws", "gradients"].index(what)] *= spread
    metric = Learnt(3).see(np.c_[x, third[:, 0]], np.c_[g, third[:, 1]])
    with np.errstate(over="ignore", invalid="ignore"):
        assert metric.estimate(0, 60, [1.0, 1.0, 49.0]) == 2
    np.testing.assert_allclose(metric.inv_mass[:2, :2], pair.inv_mass, rtol=1e-10)
    np.testing.assert_allclose(metric.inv_mass[2], [0.0, 0.0, 49.0], atol=1e-12)


def test_variances_of_any_magnitude_do_no_harm():
    rng = np.random.default_rng(9)
    x, g = gaussian_draws(rng, 60, np.array([[1.0, 0.95], [0.95, 1.0]]))
    for size in (1e-300, 1e-150, 1e150, 1e300):
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            metric, rank = learnt(x * size**0.5, g / size**0.5)
        assert rank <= 0
        assert metric.memory.rank == 0


@pytest.mark.parametrize("n", [2, 7, 21, 40])
def test_velocities_and_momenta_are_of_the_same_matrix(n):
    rng = np.random.default_rng(10)
    metric, rank = learnt(*student_draws(rng, 60, n, factor_of(rng, n)))
    assert rank > 0
    inv_mass, p = metric.inv_mass, rng.normal(size=n)
    np.testing.assert_allclose(metric.velocity(p), inv_mass @ p, rtol=1e-10, atol=1e-12)
    # Momenta B z have the covariance B Bᵀ = M: exact, from the images of unit vectors.
    b = np.array([metric.momentum(unit) for unit in np.eye(n)]).T
    np.testing.assert_allclose(b.T @ inv_mass @ b, np.eye(n), atol=1e-9)
    np.testing.assert_allclose(b @ b.T @ inv_mass, np.eye(n), atol=1e-7)
    _choose_form(metric.address, n)
    assert metric.memory.has_matrix == (n <= low_rank.SMALL or 2 * rank >= n)
    np.testing.assert_allclose(metric.velocity(p), inv_mass @ p, rtol=1e-9, atol=1e-11)
    if metric.memory.has_matrix:
        np.testing.assert_allclose(metric.memory.matrix.reshape(n, n), inv_mass, rtol=1e-9, atol=1e-11)

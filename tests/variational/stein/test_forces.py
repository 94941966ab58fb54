"""Forces as the workers find them, against their definition; the median; and texts with a fault, which do not pass."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.variational.stein import crew as crews
from nbinfer.variational.stein import forces as forces_
from nbinfer.variational.stein import median as median_
from nbinfer.variational.stein import rbf
from nbinfer.variational.stein.kernels import median_bandwidth
from tests.variational.families.laws import faulty
from tests.variational.stein.targets import Linear, at, fitted, forces, normal

SIZES = [1, 2, 3, 5, 64, 65, 131] if JIT else [1, 2, 3, 5, 9]


def crew_at(points, kernel=rbf, model=None, **options):
    inference = at(points, model or normal(points.shape[1], 0.3, 1.7), kernel, cores=1, **options)
    inference.begin()
    return inference._updates.fitting.crew


def check_forces(points, kernel, temperature=1.0):
    found, scores, phi = crew_at(points, kernel, temperature=temperature).look()
    np.testing.assert_array_equal(found, points)
    np.testing.assert_allclose(scores, -(points - 0.3) / 1.7, rtol=1e-12)
    np.testing.assert_allclose(phi, forces(points, scores, kernel, temperature), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dim", [1, 6])
@pytest.mark.parametrize("kernel", [nb.RBF(), nb.RBF(0.8), nb.IMQ(0.5), Linear()], ids=lambda k: type(k).__name__)
def test_forces_are_what_they_are_defined_to_be(n, dim, kernel):
    if n < 2 and kernel.needs_spread:
        pytest.skip("no median of one")
    check_forces(np.random.default_rng(n + dim).normal(size=(n, dim)), kernel, 1.5)


def test_far_from_the_origin_nothing_is_lost():
    points = 1e6 + np.random.default_rng(1).normal(size=(10, 3))
    _, scores, phi = crew_at(points, nb.RBF(1.0)).look()
    near = points - 1e6
    np.testing.assert_allclose(phi, forces(near, scores, nb.RBF(1.0)), rtol=1e-6)


def clouds(n):
    """Return points whose distances are of all kinds: scattered, tied, in two places, many of them equal."""
    rng = np.random.default_rng(n)
    yield rng.normal(size=(n, 3))
    yield np.arange(n, dtype=float)[:, None]
    yield np.concatenate([rng.normal(size=(n // 2, 2)), 1e3 + 1e-3 * rng.normal(size=(n - n // 2, 2))])
    yield np.repeat(rng.normal(size=((n + 2) // 3, 2)), 3, axis=0)[:n] + np.eye(n, 2)
    yield rng.standard_cauchy(size=(n, 2)) ** 3


@pytest.mark.parametrize("n", [2, 3, 4, 63, 64, 65, 200, 301] if JIT else [2, 3, 4, 7])
def test_the_median_is_that_of_all_squared_distances(n):
    for points in clouds(n):
        crew = crew_at(points)
        if median_bandwidth(points) == 0.0:
            assert crew.look() is None
            continue
        crew.look()
        assert crew.stein.bandwidth == pytest.approx(median_bandwidth(points), rel=1e-12)
        for step in (1e-4, 0.02, 3.0, 100.0):  # the window of the last one holds it, or does not
            moved = points * (1.0 + step)
            crew._fitting.moved[0].params[0].set_value(moved)
            crew.look()
            assert crew.stein.bandwidth == pytest.approx(median_bandwidth(moved), rel=1e-12)


@pytest.mark.nojit
def test_more_equal_distances_than_there_is_room_for():
    points = np.zeros((300, 1))
    points[::2] = 1.0
    crew = crew_at(points)
    crew.look()
    assert crew.stein.median == np.median((points - points.T) ** 2)
    points[100:] = np.linspace(1.5, 2.0, 200)[:, None]
    crew._fitting.moved[0].params[0].set_value(points)
    crew.look()
    assert crew.stein.median == pytest.approx(np.median((points - points.T) ** 2), rel=1e-12)


def test_points_that_a_kernel_of_its_own_sees_are_the_particles():
    seen = []

    def kernel(z):
        seen.append(z)
        return np.eye(len(z)), np.zeros_like(z)

    points = np.random.default_rng(1).normal(size=(4, 2))
    _, scores, phi = crew_at(points, kernel).look()
    np.testing.assert_array_equal(seen[0], points)
    np.testing.assert_allclose(phi, scores / 4)


REPULSION = ("+ (one * points[there] - pull[c])) / count", "- (one * points[there] - pull[c])) / count")
MUTANTS = {
    "repulsion has the wrong sign": (forces_, "push", REPULSION),
    "the density part is not divided": (
        forces_,
        "push",
        ("(phi[c] / stein.temperature + (one", "(count * phi[c] / stein.temperature + (one"),
    ),
    "temperature divides the repulsion": (
        forces_,
        "push",
        ("stein.temperature + (one * points[there] - pull[c])", "1.0 + (one * points[there] - pull[c]) / 1.5"),
    ),
    "the median is that of pairs": (
        median_,
        "choose_bandwidth",
        ("-1 if rank < count else (rank - count) // 2", "rank * (count - 1) // (2 * count)"),
    ),
    "the median is the lower one": (
        median_,
        "choose_bandwidth",
        ("pair_rank(whole // 2, count)", "pair_rank((whole - 1) // 2, count)"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", MUTANTS)
@pytest.mark.skipif(JIT, reason="plain Python says the same of a mutant, without compiling it")
def test_a_fault_is_seen(fault, monkeypatch):
    module, name, edit = MUTANTS[fault]
    monkeypatch.setattr(crews, name, getattr(faulty(module, edit), name))
    with pytest.raises(AssertionError):
        check_forces(np.random.default_rng(1).normal(size=(4, 2)), nb.RBF(), 1.5)


@pytest.mark.skipif(JIT, reason="plain Python says the same of a mutant, without compiling it")
def test_particles_whose_repulsion_has_the_wrong_sign_fall_onto_each_other(monkeypatch):
    both = (REPULSION, ("(two * points[there + dim] - pull[dim + c])", "(pull[dim + c] - two * points[there + dim])"))
    monkeypatch.setattr(crews, "push", faulty(forces_, *both).push)
    inference = at(np.linspace(-1.0, 1.0, 6), normal(), nb.RBF(0.5), cores=1)
    with pytest.warns(nb.errors.ConvergenceWarning, match="collapsed|too close"):
        approx = fitted(inference, 60, nb.sgd(learning_rate=0.5))
    assert approx.cov[0, 0] < 2e-5

"""The family of Pathfinder: the density, draws and moments of a mixture of normal distributions."""

import numpy as np
import pytest
from scipy import special, stats

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import BatchedGroupError, ParametrizationError
from nbinfer.variational.draws import draw
from nbinfer.variational.families import pathfinder
from nbinfer.variational.families.pathfinder import PathfinderFamily
from tests.variational.families.laws import faulty, fitting_of
from tests.variational.targets import gaussian

WEIGHTS = np.array([0.5, 0.0, 0.2, 0.3])


def mixture(family, n=4, seed=0):
    """Return a group of the family and its memory, with parameters as paths find them."""
    group, fitting = fitting_of(family)
    rng, values = np.random.default_rng(seed), group.params_dict
    values["weights"].set_value(WEIGHTS[: family.paths] / WEIGHTS[: family.paths].sum())
    values["mu"].set_value(2.0 * rng.normal(size=(family.paths, n)))
    values["scale"].set_value(rng.uniform(0.3, 2.0, (family.paths, n)))
    bases = np.array([np.linalg.qr(rng.normal(size=(n, n)))[0][: family.rank] for _ in range(family.paths)])
    lowers = np.tril(0.5 * rng.normal(size=(family.paths, family.rank, family.rank)), -1)
    lowers[:, np.arange(family.rank), np.arange(family.rank)] = rng.uniform(0.3, 2.0, (family.paths, family.rank))
    bases[0, 1:], lowers[0, 1:] = 0.0, np.eye(family.rank)[1:]  # of one, not all directions are used
    values["Q"].set_value(bases)
    values["L"].set_value(lowers)
    return group, fitting


def logpdf(group, z):
    """Return the log density of the mixture, from dense covariances."""
    terms = []
    for weight, normal in zip(group.values["weights"], group.family.normals(group.values), strict=True):
        root = np.diag(normal.scale) @ (
            np.eye(len(normal.mean)) + normal.basis.T @ (normal.lower - np.eye(len(normal.lower))) @ normal.basis
        )
        if weight > 0.0:
            terms.append(np.log(weight) + stats.multivariate_normal.logpdf(z, normal.mean, root @ root.T))
    return special.logsumexp(terms, axis=0)


def check_mixture(family):
    group, fitting = mixture(family)
    z, logq = draw(fitting, np.array([1, 2], np.uint64), 0, 40)
    np.testing.assert_allclose(logq, logpdf(group, z), rtol=1e-10, atol=1e-10)
    count = 20_000 if JIT else 2000
    z = draw(fitting, np.array([3, 4], np.uint64), 0, count).positions
    cov = group.cov
    np.testing.assert_allclose(group.std**2, np.diag(cov), rtol=1e-12)
    assert (np.abs(z.mean(axis=0) - group.mean) < 4.0 * np.sqrt(np.diag(cov) / count)).all()
    products = (z - group.mean)[:, :, None] * (z - group.mean)[:, None]
    assert (np.abs(products.mean(axis=0) - cov) < 4.5 * products.std(axis=0) / np.sqrt(count)).all()


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("family", [PathfinderFamily(1, 2), PathfinderFamily(4, 3)], ids=["one path", "four"])
def test_it_is_a_mixture_of_normal_distributions(family):
    check_mixture(family)


def test_a_distribution_by_itself_says_the_same():
    group, _ = mixture(PathfinderFamily(1, 2))
    (normal,) = group.family.normals(group.values)
    z = normal.draws(np.random.default_rng(1).normal(size=(30, 4)))
    np.testing.assert_allclose(normal.logq(z), logpdf(group, z), rtol=1e-10)
    np.testing.assert_allclose(normal.variances(), np.diag(normal.cov()), rtol=1e-12)
    columns = normal.draws(np.eye(4)) - normal.mean
    np.testing.assert_allclose(columns.T @ columns, normal.cov(), rtol=1e-10, atol=1e-12)


MUTANTS = {
    "log det without L": ("        half_log_det += math.log(lower[a * r + a])\n", ""),
    "log det without scale": ("half_log_det = sum_of_logs(scale_at, n)", "half_log_det = 0.0"),
    "weights forgotten": ("term = math.log(weights[k]) +", "term ="),
    "the first path alone": ("_draw_of(own, chosen)", "_draw_of(own, 0)"),
    "the next path's place": ("scale + 8 * k * n, basis", "scale, basis"),
    "L not inverted": ("t[a] -= lower[a * r + b] * t[b]", "t[a] += lower[a * r + b] * t[b]"),
}


@pytest.mark.skipif(JIT, reason="plain Python says the same of a mutant, without ten seconds of compiling")
@pytest.mark.parametrize("fault", sorted(MUTANTS))
def test_a_fault_is_found(fault):
    family = faulty(pathfinder, MUTANTS[fault]).PathfinderFamily(4, 3)
    with pytest.raises(AssertionError):
        check_mixture(family)


def test_shapes_follow_from_options_and_options_from_shapes():
    shapes = nb.Group.get_param_spec_for("pathfinder", 5, paths=2, rank=3)
    assert shapes == {"weights": (2,), "mu": (2, 5), "scale": (2, 5), "Q": (2, 3, 5), "L": (2, 3, 3)}
    family = PathfinderFamily.of_parameters({name: np.zeros(shape) for name, shape in shapes.items()})
    assert family == PathfinderFamily(2, 3)


def test_what_does_not_fit_is_refused():
    model = gaussian(np.eye(2))
    with pytest.raises(ParametrizationError, match="rank must be at most 2, the number of coordinates, got 3"):
        nb.Group(["x"], "pathfinder", model=model, options={"rank": 3})
    with pytest.raises(ValueError, match="paths must be an int from 1"):
        nb.Group(["x"], "pathfinder", model=model, options={"paths": 0})
    with pytest.raises(BatchedGroupError, match="pathfinder cannot approximate row by row"):
        nb.Group(["x"], "pathfinder", model=model, rowwise=True)


GIVEN = {
    "weights": [0.25, 0.75],
    "mu": [[0.0, 1.0], [2.0, 3.0]],
    "scale": [[1.0, 2.0], [0.5, 1.0]],
    "Q": [[[0.6, 0.8]], [[0.0, 0.0]]],
    "L": [[[2.0]], [[1.0]]],
}


def test_a_users_parameters_are_a_mixture():
    group = nb.Group("x", params=GIVEN, model=gaussian(np.eye(2)))
    assert group.family == PathfinderFamily(2, 1)
    np.testing.assert_allclose(group.mean, [1.5, 2.5])
    for name, value, message in (
        ("weights", [0.5, 0.75], "have weights .* whose sum is not 1"),
        ("weights", [1.5, -0.5], "have weights that are negative"),
        ("scale", [[1.0, 2.0], [-0.5, 1.0]], "have scales .* not positive"),
        ("L", [[[-2.0]], [[1.0]]], "have scales or diagonals of L .* not positive"),
        ("Q", [[[1.0, 1.0]], [[0.0, 0.0]]], "have rows of Q that are neither orthonormal nor zero"),
        ("Q", [1.0, 1.0], r"'Q'\] must have shape \(paths, rank, coordinates\), got \(2,\)"),
        ("mu", [0.0, 1.0], r"'mu'\] must have shape \(2, 2\) for x, got \(2,\)"),
    ):
        with pytest.raises(ParametrizationError, match=message):
            nb.Group("x", params=GIVEN | {name: value}, model=gaussian(np.eye(2)))


def test_no_gradient_moves_it():
    approx = nb.Approximation(nb.Group(None, "pathfinder"), model=gaussian(np.eye(2)))
    message = "no gradient moves the parameters of pathfinder, which approximates x; take another family, or method="
    with pytest.raises(ParametrizationError, match=message):
        nb.KLqp(approx).fit(1, progressbar=False)

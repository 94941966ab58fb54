"""Families: densities, moments and pull-backs, and what happens where these have a fault."""

import dataclasses

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import BatchedGroupError, ParametrizationError
from nbinfer.variational import pulling
from nbinfer.variational.draws import draw
from nbinfer.variational.families import full_rank, low_rank, mean_field, registry
from nbinfer.variational.families.empirical import EmpiricalFamily
from nbinfer.variational.families.family import Extent, Family, inverse_softplus, softplus_of
from nbinfer.variational.families.full_rank import FullRankFamily
from nbinfer.variational.families.low_rank import LowRankFamily
from nbinfer.variational.families.mean_field import MeanFieldFamily
from tests.variational.families.laws import check_density, check_moments, check_pull, faulty, fitting_of
from tests.variational.targets import gaussian

FAMILIES = [
    (MeanFieldFamily(), {}),
    (FullRankFamily(), {}),
    (FullRankFamily(), {"rowwise": True}),
    (MeanFieldFamily(), {"rowwise": True}),
    (LowRankFamily(1), {}),
    (LowRankFamily(3), {}),
]
NAMES = ["mean field", "full rank", "full rank by row", "mean field by row", "low rank 1", "low rank 3"]
each_family = pytest.mark.parametrize(("family", "options"), FAMILIES, ids=NAMES)


@each_family
def test_a_family_states_its_density(family, options):
    check_density(family, **options)


@pytest.mark.nojit  # long as plain Python
@each_family
def test_draws_have_the_moments_of_the_family(family, options):
    check_moments(family, **options)


@each_family
@pytest.mark.parametrize("estimator", ["none", "plain", "stl"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_pullback_is_a_derivative(family, options, estimator, seed):
    check_pull(family, estimator, seed=seed, **options)


def objective(mu, rho, noise, w):
    sigma = np.log1p(np.exp(rho))
    z = mu + sigma * noise
    return np.sum(w * np.sin(z)) - 0.25 * np.sum(z * z) + np.sum(np.log(sigma))


def full_objective(mu, L, noise, w):
    z = mu + L @ noise
    return np.sum(w * np.sin(z)) - 0.25 * np.sum(z * z) + np.sum(np.log(np.abs(np.diag(L))))


def gradients_of(family):
    """Return group, noise, and the gradient that a family pulls back, by parameter."""
    group, fitting = fitting_of(family, "plain")
    z = pulling.draw(fitting, 3, 1)[0]
    w = 0.3 + 0.1 * np.arange(z.size)
    pulling.pull(fitting, 3, (w * np.cos(z) - 0.5 * z)[None])
    found, start = {}, 0
    for name, shared in group.params_dict.items():
        found[name] = fitting.fit.gradient[start : start + shared.size].copy()
        start += shared.size
    return group, fitting.own(0).noise.copy(), w, found


def test_pullbacks_are_those_of_derived_gradients():
    group, noise, w, found = gradients_of(MeanFieldFamily())
    expected = nb.grad(objective, (0, 1))(group.values["mu"], group.values["rho"], noise, w)
    np.testing.assert_allclose([found["mu"], found["rho"]], expected, rtol=1e-12)
    family = FullRankFamily()
    group, noise, w, found = gradients_of(family)
    to_mu, to_L = nb.grad(full_objective, (0, 1))(group.values["mu"].copy(), family.factor(group.values), noise, w)
    np.testing.assert_allclose(found["mu"], to_mu, rtol=1e-12)
    np.testing.assert_allclose(found["L_tril"], to_L[np.tril_indices(4)], rtol=1e-12)


#: A fault by its name: the module, what stands there, and what stands there in its stead.
MUTANTS = {
    "sign of the path": (mean_field, "g += noise[i] / sigma[i]", "g -= noise[i] / sigma[i]"),
    "derivative of softplus": (mean_field, "slope * sigmoid(rho[i])", "slope"),
    "entropy forgotten": (mean_field, "slope += 1.0 / sigma[i]", "slope += 0.0"),
    "transpose of the solve": (full_rank, "solved[j] -= factors[k + j - first] * solved[i]", "solved[j] -= 0.0"),
    "diagonal of the entropy": (full_rank, "1.0 / diagonal if", "diagonal if"),
    "noise of the directions": (low_rank, "g * noise[n + a]", "g * noise[a]"),
    "directions of the entropy": (low_rank, "to_u[i * r + a] -= weights[i] * along", "to_u[i * r + a] += 0.0"),
    "Woodbury": (low_rank, "rest -= u[i * r + a] * small[a]", "rest -= 0.0"),
}


def family_in(module):
    classes = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Family) and c is not Family]
    (found,) = classes
    return found() if not dataclasses.fields(found) else found(2)


def check_both(family):
    for estimator in ("plain", "stl"):
        check_pull(family, estimator)


@pytest.mark.either
@pytest.mark.parametrize("fault", sorted(MUTANTS))
def test_a_fault_in_a_pullback_is_found(fault):
    module, old, new = MUTANTS[fault]
    family = family_in(faulty(module, (old, new)))
    with pytest.raises(AssertionError):
        check_both(family)


DENSITY_MUTANTS = {
    "mean field": (mean_field, " - sum_of_logs(own.sigma, n)", ""),
    "full rank": (full_rank, "+ log_scale(abs(factors[k - 1]))", "+ 0.0"),
    "low rank": (low_rank, "n) + _factorise(own)", "n) + 0.0 * _factorise(own)"),
    "a covariance that is its factor": (full_rank, "return factor @ factor.T", "return factor"),
}


@pytest.mark.parametrize("fault", sorted(DENSITY_MUTANTS))
def test_a_log_determinant_that_is_forgotten_is_found(fault):
    module, old, new = DENSITY_MUTANTS[fault]
    family = family_in(faulty(module, (old, new)))
    with pytest.raises((AssertionError, ValueError)):  # SciPy refuses what is no covariance
        check_density(family)


def test_where_q_is_the_posterior_the_path_derivative_vanishes():
    """For every draw, whatever the family, as far as rounding goes."""
    covariance = np.array([[2.0, 0.6], [0.6, 1.0]])
    model = gaussian(covariance, [0.5, -1.0])
    for family, target in ((FullRankFamily(), covariance), (LowRankFamily(1), covariance)):
        group, fitting = fitting_of(family, "stl", model)
        group.params_dict["mu"].set_value([0.5, -1.0])
        if isinstance(family, FullRankFamily):
            group.params_dict["L_tril"].set_value(np.linalg.cholesky(target)[np.tril_indices(2)])
        else:
            group.params_dict["U"].set_value([[1.0], [0.6]])
            group.params_dict["rho"].set_value(inverse_softplus(np.sqrt([1.0, 0.64])))
        np.testing.assert_allclose(group.cov, target, rtol=1e-12)
        for piece in range(20):
            z = pulling.draw(fitting, piece, 1)
            pulling.pull(fitting, piece, -(z - [0.5, -1.0]) @ np.linalg.inv(target))
            assert np.abs(fitting.fit.gradient).max() < 1e-10


def test_first_values_have_the_moments_asked_for():
    mean, sigma = np.arange(4.0), np.array([0.1, 0.5, 1.0, 3.0])
    for family in (MeanFieldFamily(), FullRankFamily(), LowRankFamily(4)):
        extent = Extent(4)
        first = {
            n: np.reshape(v, family.shapes(extent)[n]) for n, v in family.first_values(extent, mean, sigma).items()
        }
        np.testing.assert_allclose(family.mean(first), mean)
        np.testing.assert_allclose(family.std(first), sigma, rtol=1e-12)
        assert list(first) == list(family.parameter_names())
    assert MeanFieldFamily().first_values(Extent(1), mean[:1], np.array([0.1]))["rho"] == pytest.approx(-2.25216846)


def test_softplus_has_an_inverse():
    y = np.array([1e-12, 1e-3, 1.0, 40.0, 800.0])
    np.testing.assert_allclose(softplus_of(inverse_softplus(y)), y, rtol=1e-9)


@pytest.mark.nojit  # long as plain Python
def test_an_empirical_family_draws_its_rows():
    rows = np.array([[0.0, 1], [2, 3], [4, 7], [6, 1]])
    group, fitting = fitting_of(EmpiricalFamily(4), model=gaussian(np.eye(2)))
    group.params_dict["histogram"].set_value(rows)
    np.testing.assert_allclose(group.mean, [3, 3])
    np.testing.assert_allclose(group.cov, [[5, 1], [1, 6]])
    z = draw(fitting, np.array([1, 1], np.uint64), 0, 4000).positions
    shares = [(z == row).all(axis=1).mean() for row in rows]
    assert sum(shares) == pytest.approx(1.0)
    np.testing.assert_allclose(shares, 0.25, atol=4.0 * np.sqrt(0.25 * 0.75 / 4000))


def test_a_family_is_found_by_name_and_by_parameters():
    assert registry.by_name(" MF ") is MeanFieldFamily
    assert registry.by_name("low_rank") is LowRankFamily
    assert registry.by_parameters({"L_tril": 0, "mu": 0}) is FullRankFamily
    with pytest.raises(ParametrizationError, match="unknown vfam 'nf'; choose 'mean_field', 'mf'"):
        registry.by_name("nf")
    with pytest.raises(ParametrizationError, match=r"params must be one of: mu, rho; .* got mu"):
        registry.by_parameters({"mu": 0})


def test_a_name_is_given_once():
    class Second(MeanFieldFamily):
        names = ("second", "mf")

    with pytest.raises(ValueError, match="MeanFieldFamily has the name 'mf' already"):
        registry.register(Second)
    Second.names = ("second",)
    with pytest.raises(ValueError, match="MeanFieldFamily has the parameters mu, rho already"):
        registry.register(Second)
    with pytest.raises(TypeError, match="family must be a subclass of Family"):
        registry.register(int)


def test_families_refuse_what_they_cannot_span():
    with pytest.raises(BatchedGroupError, match="low_rank cannot approximate row by row"):
        LowRankFamily(1).check(Extent(6, 2))
    with pytest.raises(ParametrizationError, match="rank must be at most 2"):
        LowRankFamily(3).check(Extent(2))
    with pytest.raises(ParametrizationError, match="options names 'rang', which low_rank lacks; it has rank"):
        LowRankFamily.of({"rang": 3})

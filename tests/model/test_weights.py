"""Weights of terms and data of their own for each context, and total_size, which sets weights."""

import numpy as np
import pytest

import nbinfer.model as nb
from nbinfer import sample
from nbinfer.model.data import Table, convert_all
from tests.model.address import count_compiled, through_address
from tests.model.small import SIGMA, Y, eight_schools, likelihood, position, prior

SCHOOLS = {"y": Y, "sigma": SIGMA}


def standard(p, d):
    return -0.5 * p.a**2


def one_of(p, d, i):
    return -0.5 * p.a**2


def flat_prior(p, d):
    return -0.5 * (p.mu / 5.0) ** 2


def alike(p, d):
    return -0.5 * ((d.y - p.mu) / (d.sigma * p.tau)) ** 2


def test_weights_temper_the_terms():
    model = eight_schools()
    bound = model.bind()
    q = position(model)
    p, d = model.layout.as_tuple(model.constrain(q)), model.data_tuple
    density, whole = bound.density, through_address(bound, q, 0)
    bound.weights[:] = [1.0, 0.25]
    wanted = model.log_jacobian(q) + prior(p, d) + 0.25 * np.sum(likelihood(p, d))
    value, grad = through_address(bound, q, 0, density=bound.density_by_terms)
    assert value == pytest.approx(wanted, rel=1e-13)
    without = eight_schools("logp_grad").bind()
    assert without.density == without.density_by_terms
    without.weights[:] = [1.0, 0.25]
    np.testing.assert_allclose(grad, through_address(without, q, 0)[1], rtol=1e-12, atol=1e-12)
    assert without.compare(q).ok
    without.weights[:] = [1.0, 0.0]
    assert without.value(q) == pytest.approx(model.log_jacobian(q) + prior(p, d), rel=1e-13)
    assert bound.density == density  # whatever the weights: what the user wrote, of the whole
    assert bound.has_gradient == "written"
    for one, other in zip(through_address(bound, q, 0), whole, strict=True):
        np.testing.assert_array_equal(one, other)


LENGTHS = {0: 8, 1: 8, 2: 5}
WEIGHTS = {0: [1.0, 1.0], 1: [0.5, 0.25], 2: [1.0, 8 / 5]}


def test_each_context_has_its_own_weights_and_data():
    # Python's own context is the last of three.
    model = nb.Model({"mu": nb.real(), "tau": nb.positive()}, prior=flat_prior, likelihood={"y": alike}, data=SCHOOLS)
    bound = model.bind(2)
    compiled, addresses = count_compiled(), [bound.weights.ctypes.data, bound.tables.ctypes.data]
    batches = {}
    for context, length in LENGTHS.items():
        chosen = {name: values[8 - length :] + context for name, values in SCHOOLS.items()}
        batches[context] = Table(convert_all(chosen, ()).values())
        bound.weights[context], bound.tables[context] = WEIGHTS[context], batches[context].words
    q = np.array([0.3, 0.4])
    for context, length in LENGTHS.items():
        alone = nb.Model(
            {"mu": nb.real(), "tau": nb.positive()},
            prior=flat_prior,
            likelihood={"y": alike},
            data={name: values[8 - length :] + context for name, values in SCHOOLS.items()},
        )
        p, d = alone.layout.as_tuple(alone.constrain(q)), alone.data_tuple
        pieces = np.array([flat_prior(p, d), np.sum(alike(p, d))])
        wanted = alone.log_jacobian(q) + np.dot(WEIGHTS[context], pieces)
        other = alone.bind()
        other.weights[:] = WEIGHTS[context]
        slopes = other.value_and_grad(q)[1]
        assert other.compare(q).ok
        for density in (bound.density, bound.density_by_terms):
            value, grad = through_address(bound, q, context, density=density)
            assert value == pytest.approx(wanted, rel=1e-13)
            np.testing.assert_allclose(grad, slopes, rtol=1e-12)
        value, _ = through_address(bound, q, context, gradient=False, density=bound.value_density)
        assert value == pytest.approx(wanted, rel=1e-13)
    assert bound.value(q) == pytest.approx(wanted, rel=1e-13)
    assert [bound.weights.ctypes.data, bound.tables.ctypes.data] == addresses
    assert count_compiled() - compiled <= 3  # density, value, and the density of the others, which is the same


def test_a_conditional_is_not_used_where_weights_will_change():
    model = nb.Model({"a": nb.real()}, logp=standard, conditional=one_of)
    assert model.bind(2).conditional("a") != 0
    assert model.bind(2, weighted=True).conditional("a") == 0


@pytest.mark.either
def test_where_weights_will_change_all_densities_heed_them():
    """A written gradient is that of the whole: values and gradients would be of two densities."""
    model = eight_schools()
    q = position(model)
    bound, plain = model.bind(1, weighted=True), eight_schools("logp_grad").bind()
    assert bound.density == bound.density_by_terms != model.bind(1).density
    bound.weights[:] = plain.weights[:] = [1.0, 4.0]
    (value, grad), (wanted, slopes) = bound.value_and_grad(q), plain.value_and_grad(q)
    assert bound.value(q) == value == pytest.approx(wanted, rel=1e-13)
    assert through_address(bound, q, 0, gradient=False, density=bound.value_density)[0] == pytest.approx(
        wanted, rel=1e-13
    )
    np.testing.assert_allclose(grad, slopes, rtol=1e-12, atol=1e-12)
    assert bound.has_gradient == "derived"


def test_one_weight_scales_a_gradient_without_terms():
    bound = eight_schools("prior", "likelihood").bind()
    model = bound.definition
    q = position(model)
    whole, grad = bound.value_and_grad(q)
    jacobian, slope = model.log_jacobian(q), np.eye(10)[1]  # of tau = exp(u)
    bound.weights[:] = 0.5
    value, half = bound.value_and_grad(q)
    assert value == pytest.approx(jacobian + 0.5 * (whole - jacobian), rel=1e-13)
    np.testing.assert_allclose(half, slope + 0.5 * (grad - slope), rtol=1e-12)


@pytest.mark.parametrize("total_size", [{"y": 80}, 80.0])
def test_total_size_weighs_a_sample_of_the_data(total_size):
    model = nb.Model(
        {"mu": nb.real(), "tau": nb.positive(), "eta": nb.real(8)},
        prior=prior,
        likelihood={"y": likelihood},
        data={"y": Y, "sigma": SIGMA},
        total_size=total_size,
    )
    bound = model.bind()
    assert bound.weights.tolist() == [[1.0, 10.0]] * 2
    assert bound.gradient_warning == ""
    q = position(model)
    assert bound.value(q) == pytest.approx(model.logp_unconstrained(q), rel=1e-13)
    assert bound.compare(q).ok


def test_a_model_with_total_size_has_the_gradient_by_terms_from_the_start():
    weighted = eight_schools(total_size=80.0).bind()
    assert (weighted.has_gradient, weighted.gradient_warning) == ("derived", "")
    assert weighted.density == weighted.density_by_terms
    q = position(weighted.definition)
    assert weighted.value(q) == pytest.approx(weighted.definition.logp_unconstrained(q), rel=1e-13)
    assert weighted.compare(q).ok
    density = weighted.density
    weighted.weights[:] = 1.0
    assert weighted.density == density
    whole = eight_schools(total_size=8.0).bind()  # all of the data: weights of one
    assert whole.has_gradient == "written"
    assert whole.compare(q).ok


@pytest.mark.nojit  # long as plain Python
@pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")
def test_sampling_with_total_size_heeds_it():
    options = {"draws": 10, "tune": 20, "chains": 1, "random_seed": 1, "progressbar": False}
    written, derived, whole = (
        sample(eight_schools(*left_out, **more), **options)["eta"]
        for left_out, more in (((), {"total_size": 80.0}), (("logp_grad",), {"total_size": 80.0}), ((), {}))
    )
    np.testing.assert_array_equal(written, derived)  # a gradient that knows no weights is not used
    assert np.any(written != whole)


def tame_prior(p, d):
    return -0.5 * (p.a**2 + p.b**2)


def wild_term(p, d):
    return np.log(p.a) * np.sqrt(p.b) - np.exp(800.0 * d.y) * p.a + np.sum(d.y / p.b)


@pytest.mark.parametrize("weights", [[1.0, 0.0], [0.0, 1.0]])
def test_a_term_of_weight_0_counts_for_nothing_even_where_it_is_not_finite(weights):
    """Its derivatives are infinite or NaN at 0, and 0 times that is NaN: `weighted` says that weights may be 0."""
    prior, term = (tame_prior, wild_term) if weights[1] == 0.0 else (wild_term, tame_prior)
    model = nb.Model({"a": nb.real(), "b": nb.real()}, prior=prior, likelihood={"y": term}, data={"y": 1.0})
    bound = model.bind(1, weighted=True)
    bound.weights[:] = weights
    for q in ([0.0, 0.0], [-1.0, 0.0], [2.0, -3.0]):
        value, grad = bound.value_and_grad(np.array(q))
        assert value == pytest.approx(-0.5 * np.dot(q, q))
        np.testing.assert_array_equal(grad, -np.array(q))

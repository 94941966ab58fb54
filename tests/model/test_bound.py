"""Laws of bound densities: compiled = Python, gradient = differences, one memory for each chain, failures counted."""

import ctypes
import math
import types

import numpy as np
import pytest

import nbinfer.model as nb
from nbinfer.autodiff.check import compare_all
from nbinfer.compile import JIT, address_of, ints_at
from nbinfer.errors import ModelError
from tests.model.address import count_compiled, record, through_address
from tests.model.small import eight_schools, position, zoo


def standard(p, d):
    return -0.5 * p.a**2


def slope(p, d):
    return -p.a


MODELS = {"written": eight_schools, "differences": lambda: eight_schools("logp_grad"), "zoo": zoo}


@pytest.mark.parametrize("model", MODELS)
def test_compiled_density_is_that_of_plain_python(model):
    model = MODELS[model]()
    bound = model.bind(2)
    for seed in range(5):
        q = position(model, seed)
        value, _ = through_address(bound, q, 1)
        assert value == pytest.approx(model.logp_unconstrained(q), rel=1e-13)
        assert through_address(bound, q, 1, gradient=False)[0] == pytest.approx(value, rel=1e-13)
        assert through_address(bound, q, 0, gradient=False, density=bound.value_density)[0] == pytest.approx(
            value, rel=1e-13
        )


def test_written_and_derived_gradients_agree():
    written, derived = eight_schools().bind(), eight_schools("logp_grad").bind()
    q = position(eight_schools())
    assert (written.has_gradient, derived.has_gradient) == ("written", "derived")
    np.testing.assert_allclose(written.value_and_grad(q)[1], derived.value_and_grad(q)[1], rtol=1e-12, atol=1e-12)
    assert written.gradient_warning == ""
    assert derived.gradient_warning == ""


def test_a_gradient_alone_is_a_model():
    model, whole = eight_schools("prior", "likelihood"), eight_schools()
    q = position(model)
    for got, wanted in zip(model.bind().value_and_grad(q), whole.bind().value_and_grad(q), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-14)
    assert model.bind().value(q) == pytest.approx(whole.logp_unconstrained(q), rel=1e-13)


def test_density_is_logp_plus_the_jacobian():
    model = eight_schools()
    q = position(model)
    tau = model.constrain(q)["tau"]
    assert model.logp_unconstrained(q) - model.logp(model.constrain(q)) == pytest.approx(np.log(tau))


def test_chains_do_not_share_memory():
    bound = eight_schools().bind(4)
    contexts = [bound.context(c) for c in range(4)]
    statuses = [bound.status(c) for c in range(4)]
    assert np.all(np.diff(contexts) >= 64)
    assert np.all(np.diff(statuses) >= 64)
    assert all(address % 8 == 0 for address in contexts + statuses)


@pytest.mark.parametrize("model", MODELS)
def test_a_row_holds_constrained_values_and_derived_quantities(model):
    model = MODELS[model]()
    bound = model.bind()
    q = position(model)
    status, values = record(bound, q)
    assert status == 0
    wanted = model.constrain(q)
    p, d = model.layout.as_tuple(wanted), model.data_tuple
    wanted |= {name: np.asarray(f(p, d)) for name, f in model.derived.items()}
    assert list(values) == list(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(values[name], value, rtol=1e-14, err_msg=name)
        assert values[name].dtype == np.asarray(value).dtype


def test_a_derived_quantity_may_have_any_name():
    bound = nb.Model({"a": nb.real()}, logp=standard, derived={"gradient": slope}).bind()
    assert bound.value_and_grad([0.5]) == (-0.125, [-0.5])
    assert record(bound, np.array([0.5]))[1]["gradient"] == -0.5


def test_columns_lie_one_after_the_other():
    bound = eight_schools().bind()
    assert [c.offset for c in bound.columns] == list(np.cumsum([0] + [c.size for c in bound.columns[:-1]]))
    assert bound.row_size == sum(c.size for c in bound.columns)
    assert [(c.name, c.kind, c.dtype) for c in bound.columns[3:]] == [
        ("theta", "derived", "float64"),
        ("wide", "derived", "bool"),
        ("rank", "derived", "int64"),
    ]


def test_discrete_values_reach_the_density():
    model = zoo()
    bound = model.bind(2)
    q = position(model)
    bound.discrete(1)[:] = model.layout.discrete_values({"count": 5, "labels": [[0, 1], [2, 0]]})[:5]
    point = model.constrain(q) | {"count": 5, "labels": np.array([[0, 1], [2, 0]])}
    assert through_address(bound, q, 1)[0] == pytest.approx(model.logp(point) + model.log_jacobian(q), rel=1e-13)
    assert through_address(bound, q, 0)[0] == pytest.approx(model.logp_unconstrained(q), rel=1e-13)
    np.testing.assert_array_equal(record(bound, q, 1)[1]["labels"], point["labels"])


def underivable(p, d):
    a = np.median(np.array([p.a]))
    return -0.5 * (a**2 + (a - 1.0) ** 2 + (a - 2.0) ** 2)


def test_what_cannot_be_derived_falls_back_on_differences_and_says_why():
    bound = nb.Model({"a": nb.real()}, logp=underivable).bind()
    assert bound.has_gradient == "finite differences"
    assert "central differences" in bound.gradient_warning
    assert "median" in bound.gradient_warning
    value, grad = bound.value_and_grad(np.array([0.7]))
    assert value == pytest.approx(underivable(types.SimpleNamespace(a=0.7), None))
    assert grad[0] == pytest.approx(-(0.7 + (0.7 - 1) + (0.7 - 2)), rel=1e-7)


def test_nothing_is_said_of_a_gradient_next_to_where_the_density_is_not_finite():
    def root(q):
        return math.sqrt(q[0]) if q[0] >= 0.0 else math.nan

    comparison = compare_all(root, np.array([0.5]), np.zeros(1), ["a"])
    assert comparison.ok
    assert comparison.coordinates[0].excess == 0.0


def double(p, d):
    return 2.0 * np.sum(d.y) * p.mu


def centre(p, d):
    return np.mean(d.y) + d.y * p.mu


def test_new_data_of_other_shapes_compiles_nothing():
    model = nb.Model({"mu": nb.real()}, logp=double, data={"y": [1.0, 2.0]}, derived={"centre": centre})
    q = np.array([0.5])
    before = model.bind()
    assert before.value(q) == 3.0
    assert record(before, q)[1]["centre"].shape == (2,)
    compiled = count_compiled()
    model.set_data(y=[1.0, 2.0, 3.0])
    after = model.bind()
    assert after.value(q) == 6.0
    np.testing.assert_allclose(record(after, q)[1]["centre"], [2.5, 3.0, 3.5])
    assert before.value(q) == 3.0  # a run that has begun keeps its data
    assert count_compiled() == compiled


def labels_only(p, d):
    return -float((p.k - 2) ** 2)


def test_a_model_may_have_discrete_parameters_only():
    model = nb.Model({"k": nb.integer(1, 5)}, logp=labels_only)
    bound = model.bind()
    assert model.dim == 0
    assert bound.value([]) == -1.0
    assert bound.value([], np.array([2])) == 0.0
    assert bound.value([]) == -1.0  # nothing stays of what one call was given
    assert record(bound, np.zeros(0))[1]["k"] == 1


# ---- failures


def fragile(p, d):
    if p.x[0] > 1.0:
        raise KeyError("x is too large")
    return -0.5 * np.sum(p.x**2)


def fragile_derived(p, d):
    if p.x[1] > 1.0:
        raise ValueError("no such thing")
    return p.x


def growing(p, d):
    return p.x if p.x[1] < 1.0 else np.append(p.x, 0.0)


@pytest.fixture(scope="module")
def failing():
    return nb.Model({"x": nb.real(2)}, logp=fragile, derived={"f": fragile_derived})


def test_an_exception_is_counted_kept_and_replayed(failing):
    bound = failing.bind(2)
    good, bad, worse = np.array([0.5, 0.0]), np.array([2.0, 0.0]), np.array([3.0, 0.0])
    status = ints_at.py_func(bound.status(1), 1)
    assert through_address(bound, good, 1)[0] == -0.125
    assert bound.failure(1) is None
    assert through_address(bound, bad, 1)[0] == -np.inf
    assert through_address(bound, worse, 1)[0] == -np.inf
    assert status[0] == 2
    np.testing.assert_array_equal(bound.failure(1), bad)  # the first
    assert bound.failure(0) is None
    with pytest.raises(KeyError, match="too large"):
        bound.replay(bound.failure(1))
    bound.clear_failure(1)
    assert bound.failure(1) is None
    through_address(bound, worse, 1)
    np.testing.assert_array_equal(bound.failure(1), worse)


def test_a_derived_quantity_that_raises_is_reported(failing):
    bound = failing.bind()
    assert record(bound, np.array([0.0, 0.5]))[0] == 0
    q = np.array([0.0, 2.0])
    assert record(bound, q)[0] == 1
    with pytest.raises(ValueError, match="no such thing"):
        bound.replay(q)


def test_a_derived_quantity_that_changes_shape_is_reported():
    bound = nb.Model({"x": nb.real(2)}, logp=fragile, derived={"f": growing}).bind()
    assert record(bound, np.array([0.0, 0.5]))[0] == 0
    assert record(bound, np.array([0.0, 2.0]))[0] == 1


def awkward(p, d):
    return np.log(p.a) - p.b


def terms(p, d):
    return np.log(d.y - p.b)


def test_explain_names_the_first_bad_term():
    model = nb.Model(
        {"a": nb.positive(), "b": nb.real()}, prior=awkward, likelihood={"y": terms}, data={"y": [3.0, 1.0]}
    )
    bound = model.bind()
    assert bound.explain([0.0, 0.0]) == ""
    assert bound.explain([0.0, 2.0]) == "the likelihood 'y' is nan at index (1,)"
    assert bound.explain([-np.inf, 0.0]) == "the log Jacobian of the transforms is -inf"
    assert bound.explain([1000.0, 0.0]) == "parameter 'a' is inf"
    assert bound.describe([0.0, 0.5]) == "a = 1., b = 0.5"


def bad_gradient(p, d, grad):
    grad.b[2] = np.nan
    return -p.a


def test_explain_names_the_coordinate_of_a_bad_gradient():
    model = nb.Model({"a": nb.real(), "b": nb.real(4)}, logp_grad=bad_gradient)
    assert model.bind().explain(np.zeros(5)) == "the gradient is nan for b[2]"


# ---- gradients


def wrong_gradient(p, d, grad):
    grad.scale[()] -= 1.0
    for i in range(2):
        for j in range(3):
            grad.b[i, j] -= p.b[i, j] * (1.01 if i == 1 and j == 2 else 1.0)
    return -0.5 * np.sum(p.b**2) - p.scale


def test_check_gradient_names_the_worst_coordinate():
    model = nb.Model({"scale": nb.positive(), "b": nb.real((2, 3))}, logp_grad=wrong_gradient)
    q = np.linspace(0.3, 0.9, 7)
    with pytest.raises(ModelError, match=r"logp_grad of the model is wrong for b\[1, 2\]: it wrote -0\.909"):
        model.bind().check_gradient(q)
    comparison = model.check_grad({"b": np.full((2, 3), 0.5)})
    assert not comparison.ok
    assert repr(comparison).startswith("gradient check: 1 of 7 coordinates are wrong; worst b[1, 2]")


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3, 1e8])
def test_check_gradient_passes_a_correct_one_at_any_scale(scale):
    model = eight_schools()
    q = position(model) * min(scale, 3.0)
    model.bind().check_gradient(q)
    assert model.check_grad().ok

    def quartic(x, grad):
        grad[:] = -4.0 * scale * x**3
        return -scale * np.sum(x**4)

    flat = nb.Model.flat(quartic, 5, compile=False)
    flat.bind().check_gradient(np.linspace(-1.0, 2.0, 5))


def test_a_model_may_be_called_through_ctypes():
    if not JIT:
        pytest.skip("addresses are keys")
    bound = eight_schools().bind()
    prototype = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64, *[ctypes.c_ssize_t] * 3)
    q = position(bound.definition)
    assert prototype(bound.density)(bound.dim, address_of(q), 0, bound.context(0)) == bound.value(q)

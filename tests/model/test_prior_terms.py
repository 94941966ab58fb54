"""A prior in named terms, and terms that stand for more: weights of terms and of log Jacobians."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import ModelError


def x_term(p, d):
    return -0.5 * (p.x - 1.0) ** 2


def s_term(p, d):
    return np.log(p.s) - p.s


def y_term(p, d):
    return -0.5 * (d.y - p.x * p.s.sum()) ** 2


PARAMETERS = {"x": nb.real(), "s": nb.positive(3)}
DATA = {"y": np.arange(4.0)}


def model(**more):
    return nb.Model(PARAMETERS, prior={"x": x_term, "s": s_term}, likelihood={"y": y_term}, data=DATA, **more)


def whole():
    return nb.Model(
        PARAMETERS, prior=lambda p, d: x_term(p, d) + np.sum(s_term(p, d)), likelihood={"y": y_term}, data=DATA
    )


Q = np.array([0.3, -0.5, 0.2, 0.9])


@pytest.mark.either
def test_terms_add_up_to_the_prior():
    one, other = model().bind(), whole().bind()
    assert one.value(Q) == pytest.approx(other.value(Q), rel=1e-14)
    np.testing.assert_allclose(one.value_and_grad(Q)[1], other.value_and_grad(Q)[1], rtol=1e-13)
    assert model().logp_unconstrained(Q) == pytest.approx(one.value(Q), rel=1e-14)


def test_a_total_size_scales_term_and_jacobian():
    scaled = model(total_size={"s": 30, "y": 8})
    point = scaled.constrain(Q)
    p = scaled.layout.as_tuple(point)
    jacobian = float(np.sum(Q[1:]))
    wanted = x_term(p, None) + 10.0 * (np.sum(s_term(p, None)) + jacobian) + 2.0 * np.sum(y_term(p, scaled.data_tuple))
    assert scaled.logp_unconstrained(Q) == pytest.approx(wanted, rel=1e-14)
    assert scaled.logp(point) == pytest.approx(wanted - 10.0 * jacobian, rel=1e-14)
    assert scaled.bind().value(Q) == pytest.approx(wanted, rel=1e-14)
    assert scaled.check_grad(point).ok


def low(p, d):
    return p.x


@pytest.mark.either
def test_bounds_that_are_functions_are_scaled_too():
    scaled = nb.Model(
        {"x": nb.real(), "s": nb.lower(low, 3)}, prior={"s": lambda p, d: -((p.s - 1.0) ** 2)},
        likelihood={"y": y_term}, data=DATA, total_size={"s": 12},
    )  # fmt: skip
    assert scaled.check_grad(scaled.constrain(Q)).ok
    assert scaled.bind().value(Q) == pytest.approx(scaled.logp_unconstrained(Q), rel=1e-13)


def test_messages_name_the_term():
    bad = nb.Model({"x": nb.real()}, prior={"x": lambda p, d: np.log(p.x - 5.0)})
    assert bad.bind().explain(np.zeros(1)) == "the prior 'x' is nan"
    with pytest.raises(ModelError, match="prior 'x' must return a number or an array"):
        nb.Model({"x": nb.real()}, prior={"x": lambda p, d: None}).bind()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"prior": {}}, "prior must map names to functions, got none"),
        ({"prior": {"y": x_term}}, "prior and likelihood both have a term 'y'"),
        ({"prior": {"x": 3}}, r"prior 'x' must be a function f\(p, d\), got int"),
        ({"prior": {"a b": x_term}}, "the name of a prior term 'a b' must be a name"),
        ({"prior": 3}, "prior must map names to functions, got int"),
        ({"prior": {"x": x_term}, "total_size": {"s": 3}}, "total_size names 's', which is no term of likelihood or"),
        ({"prior": {"s": s_term}, "total_size": {"s": 2}}, r"total_size\['s'\] must be at least the number of obs"),
    ],
)
def test_terms_that_will_not_do(arguments, text):
    with pytest.raises(ModelError, match=text):
        nb.Model(PARAMETERS, likelihood={"y": y_term}, data=DATA, **arguments)

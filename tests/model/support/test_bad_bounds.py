"""Bounds that are functions: what is refused before a run, and what has no density, or is reported, during one."""

import functools
import math

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import ints_at
from nbinfer.errors import ModelError
from tests.model.address import record, through_address


def start(p, d):
    return p.a


# ---- bad input


def nothing(p, d):
    return 0.0


def build(function, shape=None, **supports):
    supports = {"a": nb.real(3), "x": nb.upper(function, shape), "z": nb.real()} | supports
    return nb.Model(supports, logp=nothing)


BAD_BOUNDS = {
    "a later parameter": (lambda p, d: p.z, "asks for p.z, but its p holds only .* before 'x': a; declare 'z' before"),
    "itself": (lambda p, d: p.x, "asks for p.x, .* before 'x': a; a parameter cannot bound itself"),
    "no parameter": (lambda p, d: p.e, "asks for p.e, .* before 'x': a; no parameter is called 'e'"),
    "None": (lambda p, d: None, "must return a number or an array of numbers, got None; is there a return"),
    "a list": (lambda p, d: [0.0], "must return a number or an array of numbers, got list"),
    "complex": (lambda p, d: 1j, "must return a number or an array of numbers, got complex"),
    "an array": (lambda p, d: p.a, r"must fit its shape \(\), got an array of shape \(3,\); pass shape=\(3,\)"),
}


@pytest.mark.parametrize("case", BAD_BOUNDS)
def test_a_bad_function_is_refused_before_the_run(case):
    function, message = BAD_BOUNDS[case]
    with pytest.raises(ModelError, match=f"^the upper bound of 'x' {message}"):
        build(function).bind()


def test_an_array_that_does_not_broadcast_is_refused():
    with pytest.raises(
        ModelError, match=r"upper bound of 'x' must fit its shape \(3, 2\), got an array of shape \(3,\)"
    ):
        build(lambda p, d: p.a, shape=(3, 2)).bind()


def test_the_first_parameter_has_none_before_it():
    model = nb.Model({"x": nb.lower(start), "a": nb.real()}, logp=nothing)
    with pytest.raises(ModelError, match=r"asks for p\.a, but its p holds no parameters; declare 'a' before 'x'"):
        model.bind()


def test_bounds_that_are_not_finite_or_cross_at_the_start_are_named():
    nan = nb.Model({"a": nb.real(), "x": nb.lower(lambda p, d: p.a * math.nan)}, logp=nothing)
    with pytest.raises(
        ModelError, match=r"^x: lower\(<lambda>\) has no values here: lower needs a finite bound, got nan"
    ):
        nan.bind()
    crossed = nb.Model({"a": nb.real(), "x": nb.interval(start, -5.0)}, logp=nothing)
    message = r"^x: interval\(start, -5\) has no values here: .* a = 0.0 and b = -5.0"
    for use in (crossed.bind, crossed.initial_point, lambda: nb.sample(crossed, progressbar=False)):
        with pytest.raises(ModelError, match=message):
            use()
    with pytest.raises(ModelError, match=r"start does not fit the model: x: .* a = 3.0 and b = 1.0"):
        nb.sample(crossing(), start={"a": 3.0}, progressbar=False)


# ---- during a run


def pole(p, d):
    return 1.0 if p.a < 2.0 else 1.0 / (p.a - p.a)


@functools.cache
def crossing():
    return nb.Model({"a": nb.real(), "x": nb.interval(start, 1.0), "y": nb.lower(pole)}, logp=nothing)


@pytest.mark.parametrize("a", [1.0, 1.5])
def test_bounds_that_cross_have_no_density(a):
    bound = crossing().bind()
    q = np.array([a, 0.3, 0.2])
    assert bound.value(q) == -np.inf
    value, grad = bound.value_and_grad(q)
    assert value == -np.inf
    assert not np.isnan(grad).any()
    assert bound.definition.logp_unconstrained(q) == bound.definition.log_jacobian(q) == bound.replay(q) == -np.inf
    assert ints_at.py_func(bound.status(bound.chains), 1)[0] == 0  # nothing was raised
    assert bound.explain(q) == (
        f"x: interval(start, 1) has no values here: interval needs a < b, and b - a finite, but a = {a} and b = 1.0"
    )
    assert bound.describe(q) == f"a = {np.array(a)}".removesuffix("0")
    with pytest.raises(ModelError, match=f"but a = {a} and b = 1.0"):
        bound.definition.constrain(q)


def raises(p, d):
    if p.a > 1.0:
        raise KeyError("a is too large")
    return p.a


def grows(p, d):
    return p.v if p.v[0] < 1.0 else np.append(p.v, 0.0)


@pytest.mark.either
def test_an_exception_of_a_bound_is_counted_kept_and_replayed():
    bound = nb.Model({"a": nb.real(), "x": nb.lower(raises)}, logp=nothing).bind()
    good, bad = np.array([0.5, 0.0]), np.array([2.0, 0.0])
    assert through_address(bound, good, 0)[0] == 0.0
    assert through_address(bound, bad, 0)[0] == -np.inf
    assert ints_at.py_func(bound.status(0), 1)[0] == 1
    np.testing.assert_array_equal(bound.failure(0), bad)
    with pytest.raises(KeyError, match="too large"):
        bound.replay(bad)
    assert bound.describe(bad) == "a = 2."
    assert record(bound, bad)[0] == 1


def test_a_bound_that_changes_shape_is_reported():
    bound = nb.Model({"v": nb.real(2), "x": nb.lower(grows, shape=2)}, logp=nothing).bind()
    assert through_address(bound, np.array([0.5, 0.0, 0.0, 0.0]), 0)[0] == 0.0
    bad = np.array([1.5, 0.0, 0.0, 0.0])
    assert through_address(bound, bad, 0)[0] == -np.inf
    with pytest.raises(ModelError, match=r"lower bound of 'x' must fit its shape \(2,\), got an array of shape \(3,\)"):
        bound.replay(bad)


def bad_gradient(p, d, grad):
    grad.b[()] += math.nan
    return -p.b


def test_a_bad_gradient_is_that_of_the_bounded_parameter_not_of_its_bound():
    model = nb.Model({"a": nb.real(), "b": nb.lower(start)}, logp_grad=bad_gradient)
    bound = model.bind()
    assert np.isnan(bound.value_and_grad(np.zeros(2))[1]).all()
    assert bound.explain(np.zeros(2)) == "the gradient is nan for b"

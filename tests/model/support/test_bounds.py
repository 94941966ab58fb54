"""Laws of bounds that are functions of parameters: the same density and gradient as transformed by hand."""

import functools
import math
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT, Entry
from nbinfer.errors import CompileError, ModelError
from tests.model.address import record, through_address
from tests.model.small import eight_schools, nested, position

DISCRETE = [np.array([1]), np.array([3])]


# ---- one density in every form


@pytest.mark.parametrize("count", DISCRETE)
def test_compiled_density_is_that_of_plain_python(count):
    model = nested()
    bound = model.bind()
    for seed in range(5):
        q = position(model, seed)
        wanted = model.density_of(model.constrain(q, count)) + model.log_jacobian(q, count)
        assert bound.value_and_grad(q, count)[0] == pytest.approx(wanted, rel=1e-13)
        assert bound.value(q, count) == pytest.approx(wanted, rel=1e-13)
        assert model.definition.evaluate(q, count) == pytest.approx(wanted, rel=1e-13)
    bound.discrete(0)[:] = count
    assert through_address(bound, q, 0, density=bound.value_density)[0] == pytest.approx(wanted, rel=1e-13)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("count", DISCRETE)
def test_the_gradient_is_that_of_differences(count):
    bound = nested().bind()
    assert bound.has_gradient == "derived"
    assert bound.gradient_warning == ""
    for seed in range(3):
        comparison = bound.compare(position(bound.definition, seed), count)
        assert comparison.ok, comparison
    assert nested().check_grad().ok
    assert nested().check_grad({"base": 2.0, "count": 2}).ok


def test_a_row_holds_constrained_values_and_derived_quantities():
    model = nested()
    bound = model.bind()
    q = position(model)
    status, values = record(bound, q)
    assert status == 0
    wanted = model.constrain(q)
    wanted["gap"] = wanted["above"] - wanted["below"]
    assert list(values) == list(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(values[name], value, rtol=1e-14, err_msg=name)


def test_log_jacobian_is_the_log_determinant_of_the_whole_map():
    model = nested()
    q = position(model)

    def values(u):
        point = model.constrain(u)
        return np.concatenate([np.ravel(point[name]) for name, p in model.parameters.items() if p.size])

    step = 1e-6
    columns = [(values(q + step * e) - values(q - step * e)) / (2.0 * step) for e in np.eye(model.dim)]
    assert model.log_jacobian(q) == pytest.approx(np.linalg.slogdet(np.array(columns))[1], abs=1e-6)


def start(p, d):
    return p.a


def middle(p, d):
    return p.b


def by_support(p, d):
    return -0.5 * (p.a**2 + p.b**2 + 3.0 * p.c**2 + p.b * p.c)


def by_hand(p, d):
    b = p.a + math.exp(p.b)
    c = p.a + (b - p.a) / (1.0 + math.exp(-p.c))
    log_jacobian = p.b + math.log(b - p.a) - p.c - 2.0 * math.log1p(math.exp(-p.c))
    return log_jacobian - 0.5 * (p.a**2 + b**2 + 3.0 * c**2 + b * c)


@functools.cache
def triangle(**more):
    supports = {"a": nb.real(), "b": nb.lower(start), "c": nb.interval(start, middle)}
    return nb.Model(supports, **(more or {"logp": by_support}))


@pytest.mark.either
def test_it_is_the_model_transformed_by_hand():
    ours = triangle().bind()
    real = nb.Model({name: nb.real() for name in "abc"}, logp=by_hand).bind()
    for seed in range(5):
        q = 2.0 * position(ours.definition, seed)
        (value, grad), (wanted, wanted_grad) = ours.value_and_grad(q), real.value_and_grad(q)
        assert value == pytest.approx(wanted, rel=1e-12)
        np.testing.assert_allclose(grad, wanted_grad, rtol=1e-11, atol=1e-11)


def last(p, d):
    return p.b


def spring(p, d):
    return -0.5 * p.a**2 - (p.b - p.a - 1.0) ** 2 - (p.c - p.b - 2.0) ** 2


def spring_of_three(p, d):
    return -0.5 * p.x[0] ** 2 - (p.x[1] - p.x[0] - 1.0) ** 2 - (p.x[2] - p.x[1] - 2.0) ** 2


@pytest.mark.either
def test_a_chain_of_lower_bounds_is_ordered():
    chain = nb.Model({"a": nb.real(), "b": nb.lower(start), "c": nb.lower(last)}, logp=spring).bind()
    ordered = nb.Model({"x": nb.ordered(3)}, logp=spring_of_three).bind()
    q = np.array([0.3, -0.7, 0.4])
    np.testing.assert_allclose(list(chain.definition.constrain(q).values()), ordered.definition.constrain(q)["x"])
    (value, grad), (wanted, wanted_grad) = chain.value_and_grad(q), ordered.value_and_grad(q)
    assert value == pytest.approx(wanted, rel=1e-14)
    np.testing.assert_allclose(grad, wanted_grad, rtol=1e-13)


def width(p, d):
    return p.x


def uniform(p, d):
    return -math.log(p.x)


@pytest.mark.slow
@pytest.mark.nojit
@pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
def test_uniform_below_a_uniform_has_its_moments():
    model = nb.Model({"x": nb.unit(), "y": nb.interval(0.0, width)}, logp=uniform)
    trace = nb.sample(model, 2000, random_seed=1, progressbar=False)
    x, y = trace["x"], trace["y"]
    assert (y < x).all()
    # Of x, uniform on (0, 1), and y, uniform on (0, x).
    known = {"x": 1 / 2, "y": 1 / 4, "xx": 1 / 3, "yy": 1 / 9, "xy": 1 / 6}
    summary = nb.summary({"x": x, "y": y, "xx": x * x, "yy": y * y, "xy": x * y})
    for name, value in known.items():
        assert abs(summary["mean", name] - value) < 4.0 * summary["mcse_mean", name], name


# ---- points


def test_constrain_and_unconstrain_are_inverse():
    model = nested()
    q = position(model)
    np.testing.assert_allclose(model.unconstrain(model.constrain(q)), q, rtol=1e-9, atol=1e-11)


def test_the_initial_point_is_at_unconstrained_zero():
    point = nested().initial_point()
    np.testing.assert_allclose(nested().unconstrain(point), 0.0, atol=1e-12)
    assert isinstance(point["above"], float)
    assert point["inside"].shape == (2, 3)
    np.testing.assert_allclose(point["inside"], (0.7 + 3.7) / 2.0)


def test_a_partial_point_takes_bounds_from_the_rest():
    model = triangle()
    q = model.unconstrain({"a": 2.0})
    assert list(q) == [2.0, 0.0, 0.0]
    assert model.constrain(q) == {"a": 2.0, "b": 3.0, "c": 2.5}
    assert model.unconstrain({"b": 1.0 + math.e})[1] == pytest.approx(math.log(1.0 + math.e))


def test_all_that_is_wrong_with_a_point_is_said_at_once():
    with pytest.raises(ModelError) as caught:
        triangle().unconstrain({"a": 1.0, "b": 0.5, "c": 7.0, "e": 0.0})
    message = str(caught.value)
    assert message.startswith("'e' is no parameter")
    assert message.endswith("b: a value of lower(1) must lie above its bound, got 0.5")  # so c has no bounds to fit
    with pytest.raises(
        ModelError, match=r"^c: a value of interval\(1, 2\) must lie strictly between its bounds, got 7"
    ):
        triangle().logp({"a": 1.0, "b": 2.0, "c": 7.0})
    with pytest.raises(ModelError, match=r"^missing: a, c$"):
        triangle().logp({"b": 2.0})


# ---- supports by themselves


def test_repr_and_equality():
    assert repr(nb.upper(start)) == "upper(start)"
    assert repr(nb.interval(0, start, shape=3)) == "interval(0, start, shape=3)"
    assert nb.interval([0.0, 1.0], start).shape == (2,)
    assert nb.upper(start) == nb.upper(start)
    assert hash(nb.upper(start)) == hash(nb.upper(start))
    assert nb.upper(start) != nb.upper(middle)
    assert nb.upper(start) != nb.lower(start)
    assert nb.interval(0.0, start) != nb.interval(1.0, start)
    assert pickle.loads(pickle.dumps(nb.upper(start))) == nb.upper(start)
    assert "interval(low, high, shape=(2, 3))" in repr(nested())


@pytest.mark.parametrize("use", ["constrain", "unconstrain", "check"])
def test_a_support_alone_has_no_values(use):
    with pytest.raises(ModelError, match=r"lower\(start\) has a bound that is a function .* within a model only"):
        getattr(nb.lower(start), use)(1.0)


def one(p):
    return p.a


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nb.lower(one), r"lower: a must take 2 arguments, f\(p, d\), got one\(p\)"),
        (lambda: nb.interval(0.0, functools.partial(start)), r"interval: b must be a plain or njit function f\(p, d\)"),
        (lambda: nb.upper(nb.real()), r"upper: b must be a number, an array .* or a function f\(p, d\), got real\(\)"),
        (lambda: nb.interval([1.0, 2.0], start, shape=3), r"bounds of shape \(2,\) do not fit a value of shape \(3,\)"),
    ],
)
def test_what_factories_refuse(make, message):
    with pytest.raises(ModelError, match=message):
        make()


# ---- written gradients, weights


def by_support_grad(p, d, grad):
    grad.a[()] -= p.a
    grad.b[()] -= p.b + 0.5 * p.c
    grad.c[()] -= 3.0 * p.c + 0.5 * p.b
    return -0.5 * (p.a**2 + p.b**2 + 3.0 * p.c**2 + p.b * p.c)


@pytest.mark.either
def test_a_written_gradient_takes_its_bounds_derivatives_from_the_engine():
    q = position(triangle())
    wanted, wanted_grad = triangle().bind().value_and_grad(q)
    for more in ({"logp": by_support, "logp_grad": by_support_grad}, {"logp_grad": by_support_grad}):
        bound = triangle(**more).bind()
        assert bound.has_gradient == "written"
        bound.check_gradient(q)
        value, grad = bound.value_and_grad(q)
        assert value == pytest.approx(wanted, rel=1e-13)
        np.testing.assert_allclose(grad, wanted_grad, rtol=1e-12)
        assert through_address(bound, q, 0, density=bound.value_density)[0] == pytest.approx(wanted, rel=1e-13)


@pytest.mark.parametrize("written", [False, True])
def test_a_weight_leaves_the_bounds_alone(written):
    bound = triangle(**({"logp_grad": by_support_grad} if written else {"logp": by_support})).bind()
    bound.weights[:] = 0.25
    q = position(bound.definition)
    jacobian, whole = bound.definition.log_jacobian(q), bound.definition.logp_unconstrained(q)
    assert bound.value(q) == pytest.approx(jacobian + 0.25 * (whole - jacobian), rel=1e-13)
    assert bound.compare(q).ok


def stepwise(p, d):
    return 3.0 * np.median(np.array([p.a]))


@pytest.mark.either
def test_a_bound_that_cannot_be_derived_leaves_differences():
    supports = {"a": nb.real(), "b": nb.lower(stepwise), "c": nb.interval(start, middle)}
    with pytest.raises(ModelError, match=r"(?s)the model has a bound that cannot be .*median.*pass the density too"):
        nb.Model(supports, logp_grad=by_support_grad).bind()
    bound = nb.Model(supports, logp=by_support, logp_grad=by_support_grad).bind()
    assert bound.has_gradient == "finite differences"
    assert "median" in bound.gradient_warning
    assert __file__ in bound.gradient_warning
    q = np.array([0.2, 1.0, 0.3])
    assert bound.value(q) == pytest.approx(bound.definition.logp_unconstrained(q), rel=1e-13)
    assert bound.compare(q).ok


# ---- code


def scaled(factors):
    def bound(p, d):
        return np.sum(factors) * p.a + factors[0]

    return bound


def between_scaled(p, d):
    return p.x + 2.0 * p.y - p.a**2


def scaled_model(first, second):
    supports = {"a": nb.real(), "x": nb.lower(scaled(first)), "y": nb.upper(scaled(second))}
    return nb.Model(supports, logp=between_scaled)


@pytest.mark.either
def test_each_bound_has_its_own_arrays():
    bound = scaled_model(np.array([1.0, 2.0]), np.array([5.0, 7.0])).bind()
    value, grad = bound.value_and_grad(np.array([0.5, 0.0, 0.0]))
    assert value == 3.0 * 0.5 + 1.0 + 1.0 + 2.0 * (12.0 * 0.5 + 5.0 - 1.0) - 0.25
    np.testing.assert_allclose(grad, [3.0 + 24.0 - 1.0, 2.0, -1.0])


def test_an_edited_bound_is_compiled_anew():
    q = np.array([0.5, 0.0, 0.0])
    one, other = np.array([1.0, 2.0]), np.array([1.0, 3.0])
    values = [scaled_model(first, one).bind().value(q) for first in (one, other, one)]
    assert values == [values[0], values[0] + 0.5, values[0]]
    models = [scaled_model(one, one), scaled_model(other, one)]
    assert models[0].definition.content(False) != models[1].definition.content(False)
    again = one.copy()
    assert models[0].definition.content(False) == scaled_model(again, again).definition.content(False)


def at_data(p, d):
    return d.y


def above_data(p, d):
    return -np.sum(p.x)


def test_new_data_moves_bounds_and_compiles_nothing():
    model = nb.Model({"x": nb.lower(at_data, shape=2)}, logp=above_data, data={"y": [1.0, 2.0]})
    before = model.bind()
    assert before.value(np.zeros(2)) == -5.0
    compiled = len(Entry.compiled)
    model.set_data(y=[3.0, 4.0])
    assert model.bind().value(np.zeros(2)) == -9.0
    assert model.logp_unconstrained(np.zeros(2)) == -9.0
    assert before.value(np.zeros(2)) == before.replay(np.zeros(2)) == -5.0  # a run that has begun keeps its data
    assert len(Entry.compiled) == compiled


if JIT:
    from numba import njit
else:

    def njit(function):
        return function


@njit
def compiled_start(p, d):
    return p.a


def test_compiled_functions_are_bounds_too():
    model = nb.Model({"a": nb.real(), "b": nb.lower(compiled_start), "c": nb.interval(start, middle)}, logp=by_support)
    q = position(model)
    assert model.bind().value_and_grad(q)[0] == pytest.approx(triangle().logp_unconstrained(q), rel=1e-13)


def nothing(p, d):
    return 0.0


def formats(p, d):
    return float(len(f"{p.a:.3f}"))


def later(p, d):
    return p.c if p.a > 1e6 else p.a


@pytest.mark.nojit
def test_what_numba_cannot_compile_is_one_message():
    supports = {"a": nb.real(), "b": nb.lower(formats), "c": nb.real()}
    with pytest.raises(CompileError, match=r"(?s)^Numba cannot compile lower bound of 'b' .*return float"):
        _ = nb.Model(supports, logp=nothing).bind().density
    with pytest.raises(CompileError, match=r"(?s)lower bound of 'b' .*Before_b has no field c; it has a"):
        _ = nb.Model(supports | {"b": nb.lower(later)}, logp=nothing).bind().density


_SCRIPT = """
import sys
from tests.model.small import nested, position
from nbinfer.compile import Entry
bound = nested().bind(2)
value, grad = bound.value_and_grad(position(bound.definition))
print(repr(value), repr(float(grad.sum())), bound.record != 0, Entry.compiled)
print("numba" in sys.modules)
"""


@pytest.mark.nojit
def test_a_second_process_compiles_nothing_and_does_not_import_numba():
    bound = nested().bind(2)
    value, grad = bound.value_and_grad(position(bound.definition))
    assert bound.record
    run = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True, env=os.environ)
    assert run.stdout.split() == [repr(value), repr(float(grad.sum())), "True", "[]", "False"]


def test_models_without_such_bounds_lay_nothing_out():
    layout = eight_schools().layout
    assert layout.dependent == []
    assert layout.trial_start == 2 * layout.values

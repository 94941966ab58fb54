"""Density and gradient in two functions are the same as in one: the same values, the same draws."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import ModelError
from tests.model.small import SIGMA, Y, eight_schools, likelihood, logp_grad, position, prior
from tests.often import often

CENTRE = np.array([0.5, -1.0, 2.0])
Q = np.array([0.1, 0.2, 0.3])


def gradient(p, d, grad):
    logp_grad(p, d, grad)


def whole(p, d):
    return prior(p, d) + np.sum(likelihood(p, d))


def whole_with_grad(p, d, grad):
    logp_grad(p, d, grad)
    return prior(p, d) + np.sum(likelihood(p, d))


def schools(**functions):
    supports = {"mu": nb.real(), "tau": nb.positive(), "eta": nb.real(8)}
    return nb.Model(supports, data={"y": Y, "sigma": SIGMA}, **functions)


def value(x, data):
    return -0.5 * np.sum((x - data) ** 2)


def fill(x, grad, data):
    grad[:] = data - x


def both(x, grad, data):
    grad[:] = data - x
    return -0.5 * np.sum((x - data) ** 2)


def value_alone(x):
    return -0.5 * np.sum(x**2)


def fill_alone(x, grad):
    grad[:] = -x


def both_alone(x, grad):
    grad[:] = -x
    return -0.5 * np.sum(x**2)


def value_by_name(x, data):
    return -0.5 * np.sum((x - data.centre) ** 2)


def fill_by_name(x, grad, data):
    grad[:] = data.centre - x


def both_by_name(x, grad, data):
    grad[:] = data.centre - x
    return -0.5 * np.sum((x - data.centre) ** 2)


PAIRS = {
    "named": lambda: (schools(logp=whole, grad=gradient), schools(logp_grad=whole_with_grad)),
    "flat": lambda: (nb.Model.flat(value, 3, CENTRE, grad=fill), nb.Model.flat(both, 3, CENTRE)),
    "flat, no data": lambda: (nb.Model.flat(value_alone, grad=fill_alone, dim=3), nb.Model.flat(both_alone, 3)),
    "flat, named data": lambda: (
        nb.Model.flat(value_by_name, 3, {"centre": CENTRE}, grad=fill_by_name),
        nb.Model.flat(both_by_name, 3, {"centre": CENTRE}),
    ),
    "callable": lambda: (
        nb.Model.flat(value, 3, CENTRE, grad=fill, compile=False),
        nb.Model.flat(both, 3, CENTRE, compile=False),
    ),
}


@pytest.mark.parametrize("name", often(PAIRS, "named", "flat", "callable"))
@pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")
def test_two_functions_are_one(name):
    two, one = PAIRS[name]()
    bound, wanted = two.bind(), one.bind()
    assert bound.has_gradient == "written"
    assert ("one after the other" in bound.gradient_warning) == bound.serial
    q = np.linspace(0.1, 0.9, two.dim)
    assert bound.value(q) == wanted.value(q)
    for got, right in zip(bound.value_and_grad(q), wanted.value_and_grad(q), strict=True):
        np.testing.assert_array_equal(got, right)
    assert two.logp_unconstrained(q) == bound.replay(q) == pytest.approx(wanted.value(q), rel=1e-14)
    assert two.check_grad().ok
    assert "grad" in repr(two)
    options = {"draws": 20, "tune": 20, "chains": 2, "random_seed": 1, "progressbar": False}
    traces = [nb.sample(model, **options) for model in (two, one)]
    for parameter in two.parameters:
        np.testing.assert_array_equal(traces[0][parameter], traces[1][parameter])


_SCRIPT = """
import sys
import numpy as np
from nbinfer.compile import Entry
from tests.model.test_two_functions import PAIRS
bound = PAIRS[{name!r}]()[0].bind()
print(repr(bound.value_and_grad(np.linspace(0.1, 0.9, bound.dim))[0]), bound.has_gradient, Entry.compiled)
print([name for name in ("numba", "scipy", "nbinfer.autodiff.frontend") if name in sys.modules])
"""


@pytest.mark.nojit
@pytest.mark.parametrize("name", ["named", "flat"])
def test_a_second_process_compiles_nothing_and_does_not_import_numba(name):
    bound = PAIRS[name]()[0].bind()
    value = bound.value_and_grad(np.linspace(0.1, 0.9, bound.dim))[0]
    script = [sys.executable, "-c", _SCRIPT.format(name=name)]
    run = subprocess.run(script, capture_output=True, text=True, check=True, env=os.environ)
    assert run.stdout == f"{value!r} written []\n[]\n"


@pytest.mark.either
def test_a_gradient_stands_beside_prior_and_likelihood():
    two = schools(prior=prior, likelihood={"y": likelihood}, grad=gradient).bind()
    one = eight_schools().bind()
    q = position(eight_schools())
    assert two.has_gradient == "written"
    assert two.value(q) == pytest.approx(one.value(q), rel=1e-14)
    np.testing.assert_array_equal(two.value_and_grad(q)[1], one.value_and_grad(q)[1])
    weighted = schools(prior=prior, likelihood={"y": likelihood}, grad=gradient, total_size=80).bind()
    assert weighted.has_gradient == "derived"
    assert weighted.compare(q).ok


def test_one_weight_scales_it():
    bound = schools(logp=whole, grad=gradient).bind()
    q = position(bound.definition)
    bound.weights[:] = 0.5
    assert bound.value(q) == pytest.approx(
        bound.definition.log_jacobian(q) + 0.5 * whole(*bound.definition.arguments(bound.definition.constrain(q)))
    )
    assert bound.compare(q).ok


def one_sided(p, d):
    return -p.a if p.a > 0.0 else -np.inf


def one_sided_grad(p, d, grad):
    if p.a <= 0.0:
        raise ValueError("there is no gradient here")
    grad.a[()] -= 1.0


def test_the_gradient_is_not_asked_for_where_there_is_no_density():
    model = nb.Model({"a": nb.interval(-1.0, 2.0)}, logp=one_sided, grad=one_sided_grad)
    bound = model.bind()
    assert np.isfinite(bound.value_and_grad([0.5])[1]).all()
    assert bound.value_and_grad([-5.0])[0] == bound.replay([-5.0]) == -np.inf
    assert bound.failure(bound.chains) is None


def raises_late(p, d, grad):
    if p.a > 1.0:
        raise KeyError("mine")
    grad.a[()] -= p.a


def raises_late_flat(x, grad):
    if x[0] > 1.0:
        raise KeyError("mine")
    grad[:] = -x


def square(p, d):
    return -0.5 * p.a**2


@pytest.mark.either
@pytest.mark.parametrize(
    "make",
    [
        lambda: nb.Model({"a": nb.real()}, logp=square, grad=raises_late),
        lambda: nb.Model.flat(value_alone, 1, grad=raises_late_flat),
        lambda: nb.Model.flat(value_alone, 1, grad=raises_late_flat, compile=False),
    ],
)
def test_its_exceptions_come_out(make):
    bound = make().bind()
    bad = np.array([2.0])
    assert bound.value_and_grad(bad)[0] == -np.inf
    with pytest.raises(KeyError, match="mine"):
        bound.replay(bad)


def wrong(p, d, grad):
    grad.a[()] -= 2.0 * p.a


def wrong_flat(x, grad, data):
    grad[:] = data - 2.0 * x


@pytest.mark.either
@pytest.mark.parametrize(
    "make",
    [
        lambda: nb.Model({"a": nb.real()}, logp=square, grad=wrong),
        lambda: nb.Model.flat(value, 3, CENTRE, grad=wrong_flat),
        lambda: nb.Model.flat(value, 3, CENTRE, grad=wrong_flat, compile=False),
    ],
)
def test_a_wrong_one_is_found(make):
    model = make()
    with pytest.raises(ModelError, match=r"^grad of the model is wrong for \w+(\[\d\])?: it wrote"):
        model.bind().check_gradient(np.full(model.dim, 0.7))


def test_only_the_written_form_depends_on_it():
    one, other = (schools(logp=whole, grad=g).definition for g in (gradient, logp_grad))
    assert one.content(False) == other.content(False) == schools(logp=whole).definition.content(False)
    assert one.content(True) != other.content(True)
    flat = nb.Model.flat(value, 3, CENTRE, grad=fill).definition
    assert flat.content(False) == nb.Model.flat(value, 3, CENTRE).definition.content(False)
    assert flat.content(True) != flat.content(False)
    assert dataclasses.replace(flat, grad=wrong_flat).content(True) != flat.content(True)


def returns(p, d, grad):
    return -p.a


def short(p, d):
    return None


class Gradient:
    def __call__(self, x, grad, data):
        fill(x, grad, data)


A = {"a": nb.real()}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nb.Model(A, logp=square, grad=wrong, logp_grad=returns), "has either logp_grad or grad, got both"),
        (lambda: nb.Model(A, grad=wrong), "grad needs the density beside it"),
        (lambda: nb.Model(A, logp=square, grad="g"), r"grad must be a function grad\(p, d, grad\), got str"),
        (lambda: nb.Model(A, logp=square, grad=short), r"grad must take 3 arguments, .* got short\(p, d\)"),
        (lambda: nb.Model(A, logp=square, grad=returns).bind(), "grad must write .* and return nothing, got float"),
        (lambda: nb.Model.flat(both, 3, CENTRE, grad=fill), r"f must be logp\(x, data\) beside grad="),
        (lambda: nb.Model.flat(both_alone, 3, grad=fill_alone), r"f must be logp\(x\) beside grad="),
        (lambda: nb.Model.flat(value, 3, CENTRE, grad=3.0), "grad must be a function .* got float"),
        (
            lambda: nb.Model.flat(value, 3, CENTRE, grad=fill_alone),
            r"grad must be grad\(x, grad, data\), got fill_alone",
        ),
        (
            lambda: nb.Model.flat(value_alone, 3, grad=value_alone),
            r"grad must be grad\(x, grad\), got value_alone\(x\)",
        ),
        (lambda: nb.Model.flat(value, 3, CENTRE, grad=Gradient()), "grad must be a plain or njit function"),
        (lambda: nb.Model.flat(value, 3, CENTRE, grad=both).bind(), "grad must write .* return nothing, got float"),
        (
            lambda: nb.Model.flat(value, 3, CENTRE, grad=both, compile=False).bind(),
            "grad must write .* return nothing, got float",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ModelError, match=message):
        call()


def test_a_c_function_has_its_gradient():
    from tests.model.foreign.test_flat import in_c

    with pytest.raises(ModelError, match="a C function writes its gradient itself; leave grad= out"):
        nb.Model.flat(in_c, 3, context=CENTRE, grad=fill)
    with pytest.raises(ModelError, match="grad must be a function"):
        nb.Model.flat(value, 3, CENTRE, grad=in_c)


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_what_does_not_compile_names_it():
    def strange(p, d, grad):
        grad.a[()] -= len(f"{p.a:.3f}")

    with pytest.raises(nb.errors.CompileError, match="cannot compile grad "):
        _ = nb.Model(A, logp=square, grad=strange).bind().density

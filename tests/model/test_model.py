"""Laws of models: points go there and back, messages name argument, wanted, got and remedy."""

import functools
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import nbinfer.model as nb
from nbinfer.errors import ModelError, NbinferWarning
from nbinfer.model import default_model
from tests.model.small import SIGMA, Y, eight_schools, position, zoo


def flat_prior(p, d):
    return 0.0


def no_gradient(p, d, grad):
    return 0.0


def whole(p, d):
    return -(p.a**2)


REAL = {"a": nb.real()}


def build(*, parameters=REAL, **arguments):
    return nb.Model(parameters, **(arguments or {"logp": whole}))


def bind(**arguments):
    return build(**arguments).bind()


# ---- points


@pytest.mark.parametrize("model", [eight_schools, zoo])
def test_constrain_and_unconstrain_are_inverse(model):
    model = model()
    q = position(model)
    np.testing.assert_allclose(model.unconstrain(model.constrain(q)), q, rtol=1e-10, atol=1e-12)


def test_the_initial_point_is_at_unconstrained_zero():
    model = zoo()
    point = model.initial_point()
    np.testing.assert_allclose(model.unconstrain(point), np.zeros(model.dim), atol=1e-12)
    assert point["count"] == 1
    assert isinstance(point["number"], float)
    assert point["one"].shape == (1,)
    assert [(name, p.shape, p.size) for name, p in model.parameters.items()][3:6] == [
        ("scale", (), 1),
        ("weights", (3,), 2),
        ("bounded", (2, 3), 6),
    ]


def test_a_partial_point_leaves_the_rest_at_zero():
    q = eight_schools().unconstrain({"tau": np.e})
    assert list(q[:3]) == [0.0, 1.0, 0.0]


def test_all_that_is_wrong_with_a_point_is_said_at_once():
    with pytest.raises(ValueError, match="must have shape") as caught:
        eight_schools().unconstrain({"tua": 1.0, "tau": -1.0, "eta": np.zeros(7)})
    message = str(caught.value)
    assert "'tua' is no parameter (did you mean 'tau'?)" in message
    assert "tau: a value of positive() must be positive, got -1.0" in message
    assert "eta: a value of real(8) must have shape (8,), got (7,)" in message
    with pytest.raises(ModelError, match="missing: mu, eta"):
        eight_schools().logp({"tau": 1.0})
    with pytest.raises(ModelError, match=r"a position must have shape \(10,\), got \(3,\)"):
        eight_schools().constrain(np.zeros(3))


def test_users_functions_see_numbers_arrays_and_integers():
    seen = {}

    def look(p, d):
        seen.update(p=p, d=d)
        return 0.0

    supports = {"a": nb.positive(), "b": nb.real(1), "c": nb.real((2, 2)), "k": nb.categorical(3)}
    nb.Model(supports, logp=look, data={"n": 3, "x": 0.5, "flag": True}).logp(
        {"a": 1.0, "b": [2.0], "c": np.eye(2), "k": 1}
    )
    p, d = seen["p"], seen["d"]
    assert isinstance(p.a, float)
    assert p.b.shape == (1,)
    assert p.c.shape == (2, 2)
    assert isinstance(p.k, int)
    assert (d.n, d.x, d.flag) == (3, 0.5, True)


# ---- `with model:`


def no_default():
    with pytest.raises(TypeError, match="no model given"):
        default_model()
    return True


def test_the_innermost_model_is_the_default():
    outer, inner = build(), build()
    with outer as entered:
        assert entered is outer
        with inner:
            assert default_model() is inner
        assert default_model() is outer
        other = []
        thread = threading.Thread(target=lambda: other.append(no_default()))
        thread.start()
        thread.join()
        assert other == [True]
    assert no_default()


def test_repr_lists_parameters_data_and_functions():
    text = repr(eight_schools())
    assert text.splitlines()[0] == "Model (10 unconstrained coordinates)"
    for piece in (
        "tau",
        "positive()",
        "shape (8,)",
        "float64 (8,)",
        "prior",
        "logp_grad",
        "likelihood 'y'",
        "derived 'theta'",
    ):
        assert piece in text
    assert eight_schools()._repr_html_().startswith("<table>")


def test_observed_data_are_those_a_term_is_named_after():
    assert list(eight_schools().observed) == ["y"]
    np.testing.assert_array_equal(eight_schools().observed["y"], Y)


# ---- bad input


def test_function(p, d):
    return 0.0


def one(p):
    return 0.0


def any_number(*args):
    return 0.0


def decorator(f):
    @functools.wraps(f)
    def inner(*args, **named):
        return f(*args, **named)

    return inner


@decorator
def decorated(p, d):
    return 0.0


class Owner:
    def method(self, p, d):
        return 0.0

    @classmethod
    def of_class(cls, p, d):
        return 0.0

    def __call__(self, p, d):
        return 0.0


test_function.__test__ = False

BAD_MODELS = {
    "no parameters": (dict(parameters={}, logp=whole), "at least one parameter, got none"),
    "a list of parameters": (dict(parameters=["a"], logp=whole), "must map names to supports, got list"),
    "no support": (dict(parameters={"a": 1.0}, logp=whole), r"parameter 'a' must be a support .* got 1\.0"),
    "an uncalled support": (dict(parameters={"a": nb.real}, logp=whole), r"call it: real\(\.\.\.\)"),
    "a keyword as a name": (dict(parameters={"lambda": nb.real()}, logp=whole), "'lambda' must be a name"),
    "an underscore": (dict(parameters={"_a": nb.real()}, logp=whole), "without a leading underscore"),
    "a name with a space": (dict(parameters={"a b": nb.real()}, logp=whole), "'a b' must be a name"),
    "no density": (dict(data={}), "needs a density"),
    "both densities": (dict(logp=whole, prior=flat_prior), "either logp or prior and likelihood, got both"),
    "no function": (dict(logp=3.0), r"logp must be a function logp\(p, d\), got float"),
    "a partial": (dict(logp=functools.partial(whole)), "a functools.partial; write a def"),
    "one argument": (dict(logp=one), r"logp must take 2 arguments, logp\(p, d\), got one\(p\)"),
    "three arguments": (dict(logp=no_gradient), r"got no_gradient\(p, d, grad\)"),
    "gradient of two arguments": (dict(logp_grad=whole), r"logp_grad\(p, d, grad\), got whole\(p, d\)"),
    "any arguments": (dict(logp=any_number), r"got any_number\(\*args\); write each argument out"),
    "any arguments of a decorator": (dict(logp=decorated), r"got inner\(\*args, \*\*named\); write each argument out"),
    "a method": (dict(logp=Owner().method), r"got a method of Owner; write a def logp\(p, d\) outside of the class"),
    "a method of a class": (dict(logp=Owner.of_class), r"got a method of Owner; write a def"),
    "an object": (dict(logp=Owner()), r"got Owner; write a def logp\(p, d\) outside of the class"),
    "a class": (dict(logp=Owner), r"got Owner; wrap it in a def"),
    "a built-in": (dict(logp=abs), r"got abs; wrap it in a def"),
    "a derived parameter": (dict(logp=whole, derived={"a": whole}), "derived 'a' has the name of a parameter"),
    "derived is a function": (dict(logp=whole, derived=whole), "derived must map names to functions"),
    "total_size of nothing": (dict(logp=whole, total_size={"y": 3}), "no term of likelihood or prior; terms: none"),
    "total_size of zero": (dict(likelihood=whole, total_size=0), "must be a positive number, got 0"),
    "unknown allow_nan": (dict(logp=whole, allow_nan=["z"]), "allow_nan names no data"),
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_a_bad_model_is_refused_at_the_door(case):
    arguments, message = BAD_MODELS[case]
    with pytest.raises(ModelError, match=message):
        build(**arguments)


BAD_RETURNS = {
    "None": (lambda p, d: None, "logp must return a number, got None; is there a return"),
    "complex": (lambda p, d: p.a + 0j, "logp must return a number, got complex"),
    "a string": (lambda p, d: "-1", "logp must return a number, got str"),
    "an array": (lambda p, d: np.zeros(3), r"logp must return a number, got an array of shape \(3,\); sum it"),
    "a list": (lambda p, d: [0.0], "logp must return a number, got list"),
}


@pytest.mark.parametrize("case", BAD_RETURNS)
def test_a_density_that_returns_no_number_is_refused(case):
    function, message = BAD_RETURNS[case]
    with pytest.raises(ModelError, match=message):
        bind(logp=function)


def test_likelihood_may_be_an_array_but_nothing_else():
    with pytest.raises(ModelError, match="likelihood 'y' must return a number or an array of numbers, got complex"):
        bind(likelihood={"y": lambda p, d: np.zeros(3) * 1j})
    with pytest.raises(ModelError, match="derived 'two' must return a number or one array, got tuple"):
        bind(logp=whole, derived={"two": lambda p, d: (p.a, p.a)})


def test_a_gradient_must_go_with_the_density():
    with pytest.raises(ModelError, match=r"logp_grad must return the same density as logp, but the two differ by 0 at"):
        bind(logp=whole, logp_grad=no_gradient)


def test_the_users_own_exception_comes_out():
    def broken(p, d):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        bind(logp=broken)


def test_a_name_that_parameters_or_data_have_not_comes_with_those_that_they_have():
    for density, note in ((lambda p, d: p.c, "Parameters has a, b"), (lambda p, d: d.c, "Data has y")):
        with pytest.raises(AttributeError, match="no attribute 'c'") as caught:
            nb.Model({"a": nb.real(), "b": nb.real()}, logp=density, data={"y": 1.0}).bind()
        assert caught.value.__notes__ == [note]


@pytest.mark.parametrize(
    ("density", "note"),
    [
        (lambda p, d: -p["a"], "attributes in a function: p.mu and d.y"),
        (lambda p, d: d.y["left"] - p.a, "data=frame, and d.y is its column y"),
        (lambda p, d: np.sum(p.a * d.y + np.ones(3)), "shapes are a (), y (2,)"),
        (lambda p, d: d.y[2] * p.a, "shapes are a (), y (2,), and indices count from 0"),
        (lambda p, d: np.arange(3)[d.y].sum() * p.a, "pass it as such, g.astype(int)"),
        (lambda p, d: d.y.values - p.a, "data are plain NumPy arrays in a function"),
    ],
    ids=["p[]", "a column", "shapes", "from one", "floats", "pandas"],
)
def test_names_as_others_write_them_come_with_how_they_are_written(density, note):
    with pytest.raises((TypeError, IndexError, AttributeError, ValueError)) as caught:
        nb.Model({"a": nb.real()}, logp=density, data={"y": np.ones(2)}).bind()
    assert note in caught.value.__notes__[0]


def test_numerical_trouble_at_the_initial_point_is_no_error():
    def pole(p, d):
        if p.a == 0.0:
            raise ZeroDivisionError
        return -(p.a**2)

    assert bind(logp=pole).value([0.5]) == -0.25
    assert bind(logp=pole).value([0.0]) == -np.inf


# ---- start-up

_SCRIPT = """
import sys, numpy as np
from tests.model.small import eight_schools, position
from nbinfer.compile import Entry, address_of
bound = eight_schools(*{left_out}).bind(2)
q = position(bound.definition)
print(repr(bound.value_and_grad(q)[0]), bound.record != 0, bound.has_gradient, Entry.compiled)
print([name for name in ("numba", "scipy", "nbinfer.autodiff.frontend") if name in sys.modules])
"""


@pytest.mark.nojit
@pytest.mark.parametrize(("left_out", "gradient"), [((), "written"), (("logp_grad",), "derived")])
def test_a_second_process_derives_and_compiles_nothing_and_does_not_import_numba(left_out, gradient):
    bound = eight_schools(*left_out).bind(2)
    assert bound.density
    assert bound.record
    code = _SCRIPT.format(left_out=left_out)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert run.stdout == f"{bound.value(position(bound.definition))!r} True {gradient} []\n[]\n"


def test_sigma_is_not_copied():
    assert eight_schools().data["sigma"] is SIGMA


# ---- shapes of likelihoods


def _bind_with(y, term, name="y", **more):
    data = {"y": y, "x": np.arange(4.0), **more}
    supports = {"b": nb.real(), "w": nb.real(2)}
    return nb.Model(supports, prior=lambda p, d: -(p.b**2) - np.sum(p.w**2), likelihood={name: term}, data=data).bind()


_COLUMN, _LINE, _TABLE = np.ones((4, 1)), np.ones(4), np.ones((4, 2))


@pytest.mark.parametrize(
    ("y", "term", "got"),
    [
        (_COLUMN, lambda p, d: -0.5 * (d.y - p.b * d.x) ** 2, r"\(4, 1\), got \(4, 4\)"),
        (_LINE, lambda p, d: -0.5 * (d.y - p.b * d.x.reshape(4, 1)) ** 2, r"\(4,\), got \(4, 4\)"),
        (_LINE, lambda p, d: -0.5 * (d.y - p.b).reshape(4, 1) ** 2, r"\(4,\), got \(4, 1\)"),
        (_TABLE, lambda p, d: -0.5 * (d.y.reshape(4, 2, 1) - p.w) ** 2, r"\(4, 2\), got \(4, 2, 2\)"),
        (np.ones((1, 4)), lambda p, d: -0.5 * (d.y - d.x.reshape(4, 1) * p.b) ** 2, r"\(1, 4\), got \(4, 4\)"),
        (3.0, lambda p, d: -0.5 * (d.y - p.b * d.x) ** 2, r"\(\), got \(4,\)"),
    ],
)
def test_named_likelihood_has_no_more_values_than_its_data(y, term, got):
    with pytest.raises(ModelError, match=f"likelihood 'y' must have .*{got}"):
        _bind_with(y, term)


@pytest.mark.parametrize(
    ("y", "term"),
    [
        (_COLUMN, lambda p, d: -0.5 * (d.y - p.b * d.x.reshape(4, 1)) ** 2),
        (_COLUMN, lambda p, d: -0.5 * (d.y[:, 0] - p.b * d.x) ** 2),
        (_LINE, lambda p, d: np.sum(-0.5 * (d.y - p.b * d.x) ** 2)),
        (_LINE, lambda p, d: -0.5 * (d.y[1:] - p.b * d.y[:-1]) ** 2),
        (_TABLE, lambda p, d: np.sum(-0.5 * (d.y - p.w) ** 2, axis=1)),
        (_TABLE, lambda p, d: np.sum(-0.5 * (d.y - p.w) ** 2, axis=0)),
        (3.0, lambda p, d: -0.5 * (d.y - p.b) ** 2),
    ],
)
def test_named_likelihood_may_be_summed_along_axes(y, term):
    _bind_with(y, term)


def test_broadcast_of_an_unnamed_likelihood_is_noticed():
    with pytest.warns(NbinferWarning, match=r"4 x 4 values.*'y' of shape \(4, 1\).*'x' of shape \(4,\)"):
        _bind_with(_COLUMN, lambda p, d: -0.5 * (d.y - p.b * d.x) ** 2, name="likelihood")
    _bind_with(_COLUMN, lambda p, d: -0.5 * (d.y - p.b * d.x) ** 2 * d.both, name="pairs", both=np.ones((4, 4)))

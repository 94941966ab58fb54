"""A function that Numba cannot compile becomes one short message with the user's line."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
from scipy.optimize import brentq
from scipy.special import ellipk

import nbinfer.model as nb
from nbinfer.compile import JIT
from nbinfer.errors import CompileError

pytestmark = pytest.mark.nojit

if JIT:
    from numba import njit
else:

    def njit(function):
        return function


@njit
def bad_helper(x):
    return np.fft.fft(x)[0].real


def calls_bad(p, d):
    return bad_helper(d.y) if p.a > 1e6 else 0.0


def unknown_field(p, d):
    return p.b if p.a > 1e6 else -p.a


def two_types(p, d):
    x = "text" if p.a > 1e6 else 1.0
    return x


def formats(p, d):
    return float(len(f"{p.a:.3f}"))


def unsupported(p, d):
    return np.sum(np.apply_along_axis(np.sum, 0, d.y)) - p.a


def of_scipy(p, d):
    return scipy.special.ellipk(p.a**2 + 1.0)


def of_a_ufunc_of_scipy(p, d):
    return ellipk(p.a**2 + 1.0)


def of_scipy_stats(p, d):
    return scipy.stats.norm.logpdf(p.a)


class DataFrame:
    """What looks like one of pandas."""

    def keys(self):
        return ["y"]

    def __getitem__(self, name):
        return np.ones(2)


FRAME, TABLE = DataFrame(), {"y": np.ones(2), "z": np.zeros(2)}


def of_a_frame(p, d):
    return np.sum(FRAME["y"]) * p.a


def of_a_dict(p, d):
    return np.sum(TABLE["y" if p.a < 9.0 else "z"]) * p.a


def of_a_library(p, d):
    return brentq(np.cos, 0.0, 3.0) * p.a


CASES = [
    (of_a_library, "brentq", "Decorate brentq with numba.njit, if it is yours; what it does in another library"),
    (of_a_frame, 'FRAME["y"]', "Pass FRAME as data: with data=FRAME each column is an entry, and d.y is column y."),
    (of_a_dict, 'TABLE["y" if', "Pass what is in TABLE as data: data=TABLE, and d.y is TABLE['y']."),
    (of_scipy, "return scipy.special", "use nbinfer.vectormath"),
    (of_a_ufunc_of_scipy, "return ellipk", "the ufunc ellipk, maybe SciPy's: use nbinfer.vectormath"),
    (of_scipy_stats, "return scipy.stats", "use normal.logpdf of nbinfer.distributions"),
    (calls_bad, "return np.fft.fft", "a function that logp calls"),
    (unknown_field, "return p.b", "Parameters has no field b; it has a"),
    (two_types, 'x = "text"', "one type on all paths"),
    (formats, "return float", "format spec in f-strings"),
    (unsupported, "np.apply_along_axis", "Use what Numba supports"),
]


@pytest.mark.parametrize(("function", "line", "hint"), CASES, ids=[f.__name__ for f, *_ in CASES])
def test_one_readable_message(function, line, hint):
    bound = nb.Model({"a": nb.real()}, logp=function, data={"y": [1.0, 2.0]}).bind()
    with pytest.raises(CompileError) as caught:
        _ = bound.density
    message = str(caught.value)
    assert message.startswith("Numba cannot compile ")
    assert line in message
    assert hint in message
    assert __file__ in message
    assert len(message.splitlines()) in (5, 7)
    assert "\nNor can it be generated: " in message
    assert len(message) < 900
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_nothing_is_warned_of_where_a_density_is_refused():
    bound = nb.Model({"a": nb.real()}, logp=of_scipy_stats, data={"y": [1.0]}).bind()
    assert bound.has_gradient == "finite differences"
    with pytest.raises(CompileError, match=r"Nor can it be generated: 'scipy.stats.norm.logpdf' has no"):
        _ = bound.gradient_warning


def test_the_message_names_the_function():
    bound = nb.Model(
        {"a": nb.real()}, prior=lambda p, d: 0.0, likelihood={"y": unknown_field}, data={"y": [1.0]}
    ).bind()
    with pytest.raises(CompileError, match="cannot compile likelihood 'y' "):
        _ = bound.density


def test_functions_without_a_file():
    space = {}
    exec("def typed(p, d):\n    return p.b if p.a > 1e6 else 0.0", space)
    with pytest.raises(CompileError, match=r"cannot compile logp \(<string>, line 2\)"):
        _ = nb.Model({"a": nb.real()}, logp=space["typed"]).bind().density


def says_what_it_sees(p, d):
    print(p.a)  # noqa: T201 - that is the point
    return -(p.a**2)


def says_where_it_is(p, d):
    print("here")  # noqa: T201
    return -(p.a**2)


def test_what_would_need_the_interpreter_is_refused():
    """Code that prints values kept the GIL, and the process hung."""
    with pytest.raises(CompileError, match=r"it prints values.* Remove print\(\)"):
        _ = nb.Model({"a": nb.real()}, logp=says_what_it_sees).bind().value_density
    assert nb.Model({"a": nb.real()}, logp=says_where_it_is).bind().value([2.0]) == -4.0

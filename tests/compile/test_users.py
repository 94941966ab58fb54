"""Functions of users call plain functions, of any depth, in any module, and themselves stay as they are."""

import math

import numba
import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT, entry
from nbinfer.compile.in_python import in_python
from nbinfer.compile.users import compilable

SCALE = 2.0


def leaf(x):
    return SCALE * x


def branch(x):
    return leaf(x) + math.sin(leaf(x))


def trunk(x):
    return branch(x) * 3.0


def closure():
    def helper(x):
        return x + 1.0

    def outer(x):
        return helper(x) * leaf(x)

    return outer


@pytest.mark.skipif(not JIT, reason="plain Python calls plain functions anyway")
def test_plain_functions_are_reached_through_globals_and_cells():
    through_globals, through_cells = compilable(trunk), compilable(closure())

    def value(x_address):
        return through_globals(1.5) + through_cells(2.0)

    assert entry("float64(intp)")(value)(0) == pytest.approx(trunk(1.5) + closure()(2.0), rel=1e-15)
    assert trunk.__globals__["branch"] is branch  # the user's module is as it was


def test_a_model_may_call_plain_functions():
    def logp(p, d):
        return -0.5 * leaf(p.x) ** 2

    def logp_grad(p, d, grad):
        grad.x[()] -= leaf(p.x) * SCALE
        return -0.5 * leaf(p.x) ** 2

    model = nb.Model(parameters={"x": nb.real()}, logp=logp, logp_grad=logp_grad)
    logp_there, grad = model.bind(1).value_and_grad(np.array([0.3]))
    assert logp_there == pytest.approx(-0.5 * 0.36)
    assert grad[0] == pytest.approx(-1.2)


def test_what_is_compiled_already_passes_through():
    kernel = compilable(leaf)
    assert compilable(kernel) is kernel
    assert compilable(np.exp) is np.exp


@numba.njit
def element(a, i):
    return a[i]


def calls_element(a, i):
    return SCALE * element(a, i)


def test_compiled_helpers_check_indices_where_plain_python_calls_them(monkeypatch):
    array = np.arange(3.0)
    assert in_python(calls_element)(array, -1) == 4.0
    with pytest.raises(IndexError):
        in_python(calls_element)(array, 3)
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert in_python(calls_element)(array, 2) == 6.0
    assert in_python(element)(array, 1) == 1.0

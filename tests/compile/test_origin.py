"""Whose a thing is, and what a compiled function is made of, whatever names it bears."""

import functools
import math
import os
import statistics
import sys
import types

import numpy as np
import pytest
import scipy.special

import nbinfer as nb
from nbinfer.autodiff import value_and_grad
from nbinfer.compile import Kernel, kernel
from nbinfer.compile.kept import can_be_kept
from nbinfer.compile.origin import home
from nbinfer.compile.python_functions import is_compiled, python_function
from nbinfer.distributions import normal
from nbinfer.engine.vectors import copy


def mine(x, mu, sigma):
    return 0.25 * normal.logpdf(x, mu, sigma)


@functools.wraps(normal.logpdf)
def wrapped(x, mu, sigma):
    return 0.25 * normal.logpdf(x, mu, sigma)


@functools.wraps(normal.logpdf)
def logpdf(x, mu, sigma):
    return 0.25 * normal.logpdf(x, mu, sigma)


@functools.wraps(np.sum)
def like_numpy(x):
    return 0.25 * np.exp(x)


class Float64(float):
    """A class that says it is NumPy's."""


Float64.__module__, Float64.__qualname__ = "numpy", "float64"

PARTIAL = functools.update_wrapper(functools.partial(mine, 1.0), normal.logpdf)
NAMESAKE = types.ModuleType("math")

HOMES = [
    (np.exp, "numpy"), (np.sum, "numpy"), (np.linalg.norm, "numpy"), (np, "numpy"), (np.float64, "numpy"),
    (math.exp, "python"), (math, "python"), (statistics.mean, "python"), (len, "python"), (os.path.join, "python"),
    (functools.partial, "python"), (float, "python"), (scipy.special, "scipy"), (python_function, "nbinfer"),
    (normal.logpdf.py_func, "nbinfer"), (normal, "nbinfer"), (Kernel, "nbinfer"),
    (mine, ""), (wrapped, ""), (logpdf, ""), (like_numpy, ""), (Float64, ""), (PARTIAL, ""), (NAMESAKE, ""),
    (sys.modules[__name__], ""), (lambda x: x, ""), (1.0, ""), (np.zeros(2), ""),
]  # fmt: skip


@pytest.mark.parametrize(("thing", "wanted"), HOMES, ids=lambda x: getattr(x, "__name__", None))
def test_home(thing, wanted):
    assert home(thing) == wanted


def test_python_functions_are_found_by_what_a_thing_is():
    assert hasattr(wrapped, "py_func")  # which is that of another function
    assert python_function(wrapped) is wrapped
    assert python_function(PARTIAL) is PARTIAL
    assert not is_compiled(PARTIAL)
    assert python_function(normal.logpdf) is normal.logpdf.py_func
    assert is_compiled(normal.logpdf)


def test_a_kernel_of_a_wrapper_is_the_wrapper():
    normal.logpdf._signature  # noqa: B018 - kept among its attributes
    made = kernel(wrapped)
    assert made.py_func is wrapped
    assert not {"_signature", "numbers", "cores"} & set(vars(made))
    assert can_be_kept(copy.py_func)
    assert not can_be_kept(wrapped)  # it would be kept under the name of the original


@pytest.mark.nojit
def test_a_dispatcher_of_a_wrapper_is_the_wrapper():
    from numba import njit

    inner, outer = njit(wrapped), functools.wraps(normal.logpdf)(njit(mine))
    assert python_function(inner) is wrapped
    assert python_function(outer) is mine


@pytest.mark.parametrize("function", [wrapped, logpdf])
def test_the_wrapper_is_differentiated_and_not_what_it_wraps(function):
    value, grad = value_and_grad(lambda x: function(x, 0.5, 2.0))(1.5)
    assert value == pytest.approx(0.25 * float(normal.logpdf(1.5, 0.5, 2.0)), rel=1e-13)
    assert grad == pytest.approx(-0.25 * 1.0 / 4.0, rel=1e-13)


def test_a_function_that_bears_names_of_numpy_is_read_like_any_other():
    assert value_and_grad(lambda x: like_numpy(x))(0.5)[1] == pytest.approx(0.25 * math.exp(0.5), rel=1e-13)


def test_members_of_an_int_enum_are_numbers():
    names = {}
    exec("import enum\nclass E(enum.IntEnum):\n    A = 3\ndef logp(p, d):\n    return -0.5 * p.x**2 * E.A", names)
    model = nb.Model({"x": nb.real()}, logp=names["logp"])
    assert model.bind(1).value([0.7]) == pytest.approx(-1.5 * 0.49, rel=1e-13)

"""Generated code run as plain Python, which costs no compilation, against finite differences; lines in messages."""

import inspect

import numpy as np

from nbinfer.autodiff import value_and_grad
from nbinfer.autodiff.check import compare
from nbinfer.autodiff.compiled import plain_function


def plain_value_and_grad(f, *args):
    """Return value and gradient by the first argument; the generated code runs uncompiled."""
    vg = value_and_grad(f)
    call, generated = vg._take_apart(args), vg.derive(*args)
    with np.errstate(all="ignore"):
        value = plain_function(generated)(*call.leaves, *call.gradients, *generated.arrays.values())
    return float(value), call.gradient_like(args[0], call.gradients)


def source_of(f, *args):
    return value_and_grad(f).derive(*args).source


def assert_differentiates(f, x, *data):
    """Assert that value and gradient are those of `f`; return the gradient."""
    value, gradient = plain_value_and_grad(f, x, *data)
    np.testing.assert_allclose(value, getattr(f, "py_func", f)(x, *data), rtol=1e-10, atol=1e-12)
    check = compare(f, lambda *args: plain_value_and_grad(f, *args), x, data)
    assert check.ok, check
    return gradient


def line_marked(function):
    """Return the number and text of the line that ends in the mark."""
    lines, first = inspect.getsourcelines(function)
    found = [k for k, line in enumerate(lines) if line.rstrip().endswith("# here")]
    return first + found[0], lines[found[0]].strip()

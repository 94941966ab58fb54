"""The functions as CUDA device code: right in Numba's simulator, and compiled to PTX where there is a compiler."""

import importlib.util
import os
import subprocess
import sys
import textwrap

import pytest

#: Numba's decorator of device functions sees neither kernels nor fragments: each is made one, with those it calls.
_HEAD = """
import math, types
import numpy as np
from numba import cuda, float64, void
from nbinfer import vectormath
from nbinfer.compile import Kernel
from nbinfer.compile.fingerprint import global_chains

def device(function):
    names = {chain[0] for chain in global_chains(function.__code__)}
    found = {n: function.__globals__[n] for n in names if n in function.__globals__}
    found = {n: device(f.py_func) if isinstance(f, Kernel) else f for n, f in found.items()}
    made = types.FunctionType(function.__code__, found, function.__name__)
    return cuda.jit(device=True)(made)

NAMES = "exp exp2 expm1 sinh cosh tanh log log2 log10 log1p expit logit log_expit log1pexp log1mexp logaddexp".split()
SPECIAL = "erf erfc ndtr log_ndtr ndtri lgamma digamma trigamma log_i0e i1_over_i0 lbeta log_binomial".split()
SPECIAL += ["log_gammainc", "log_betainc"]

def kernel_of(name):
    function = getattr(vectormath, name).py_func
    f, arity = device(function), function.__code__.co_argcount
    def one(x, out):
        i = cuda.grid(1)
        if i < x.size:
            out[i] = f(x[i])
    def two(x, out):
        i = cuda.grid(1)
        if i < x.size:
            out[i] = f(x[i], x[x.size - 1 - i])
    def three(x, out):
        i = cuda.grid(1)
        if i < x.size:
            out[i] = f(x[i], x[x.size - 1 - i], 0.4)
    return (one, two, three)[arity - 1]
"""

_SIMULATE = """
x = np.array([-1e308, -800.0, -2.0, -1e-9, 0.0, 5e-324, 0.3, 1.0, 2.5, 800.0, 1e308, math.inf, math.nan])
for name in NAMES:
    out = np.empty(x.size)
    with np.errstate(all="ignore"):
        cuda.jit(kernel_of(name))[1, 16](x, out)
    function = getattr(vectormath, name)
    expected = function(x, x[::-1]) if name == "logaddexp" else function(x)
    np.testing.assert_allclose(out, expected, rtol=1e-15, atol=0, err_msg=name)
x = np.array([1e-3, 0.3, 0.7, 1.0, 2.5, 30.0])
for name in SPECIAL:
    out = np.empty(x.size)
    with np.errstate(all="ignore"):
        cuda.jit(kernel_of(name))[1, 8](x, out)
    function = getattr(vectormath, name)
    expected = function(*(x, x[::-1], 0.4)[: function.py_func.__code__.co_argcount])
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-14, err_msg=name)
"""

_COMPILE = """
import numba.cuda.dispatcher as dispatcher
dispatcher.get_current_device = lambda: types.SimpleNamespace(compute_capability=(9, 0))  # there may be none
for name in NAMES + SPECIAL:
    signature = void(float64[::1], float64[::1])
    text, _ = cuda.compile(kernel_of(name), signature, device=False, abi="numba", output="ptx", cc=(9, 0))
    assert "fma.rn.f64" in text and "call" not in text, name
"""


def run(text, **settings):
    """Run a program in a process of its own."""
    command = [sys.executable, "-c", _HEAD + textwrap.dedent(text)]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_simulator():
    run(_SIMULATE, NUMBA_ENABLE_CUDASIM="1")


@pytest.mark.nojit
@pytest.mark.skipif(not importlib.util.find_spec("numba_cuda"), reason="needs numba-cuda, but no device")
def test_compiles():
    run(_COMPILE)

"""The densities as CUDA device code: right in Numba's simulator, and compiled to PTX where there is a compiler."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.distributions.test_families import FAMILIES, reference

#: Numba's decorator of device functions sees no kernels: each is made one, with those it calls.
_HEAD = """
import importlib, json, math, sys, types
import numpy as np
from numba import cuda, float64, void
from nbinfer.compile import Kernel
from nbinfer.compile.fingerprint import global_chains

def device(function):
    names = {chain[0] for chain in global_chains(function.__code__)}
    found = {n: function.__globals__[n] for n in names if n in function.__globals__}
    found = {n: device(f.py_func) if isinstance(f, Kernel) else f for n, f in found.items()}
    made = types.FunctionType(function.__code__, found, function.__name__)
    return cuda.jit(device=True)(made)

def kernel_of(function):
    places = ", ".join(f"x{k}[j]" for k in range(len(function.names)))
    arguments = ", ".join(f"x{k}" for k in range(len(function.names)))
    space = {"f": device(function.py_func)}
    exec(f"def kernel({arguments}, out):\\n    for j in range(out.size):\\n        out[j] = f({places})", space)
    return space["kernel"]

cases = json.load(sys.stdin)
for family, name, columns, expected in cases:
    function = getattr(importlib.import_module(f"nbinfer.distributions.{family}"), name)
    kernel = kernel_of(function)
"""

_SIMULATE = """
    out = np.empty(len(expected))
    with np.errstate(all="ignore"):
        cuda.jit(kernel)[1, 1](*(np.array(column, float) for column in columns), out)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12, err_msg=f"{family}.{name}")
"""

_COMPILE = """
    dispatcher.get_current_device = lambda: types.SimpleNamespace(compute_capability=(9, 0))  # there may be none
    signature = void(*(float64[:, ::1] if core else float64[::1] for core in function.cores), float64[::1])
    text, _ = cuda.compile(kernel, signature, device=False, abi="numba", output="ptx", cc=(9, 0))
    assert ".visible .entry" in text, f"{family}.{name}"
"""


def run(text, most=None, **settings):
    """Run a program in a process of its own, with the first points of (the first functions of) each family."""
    cases = []
    for family, about in FAMILIES.items():
        for name, function in list(about.functions.items())[:most]:
            points = list(function.points[:2])
            columns = [np.array(column, float).tolist() for column in zip(*points, strict=True)]
            cases.append((family, name, columns, [reference(function, args) for args in points]))
    command = [sys.executable, "-c", text]
    about = {"env": os.environ | settings, "input": json.dumps(cases)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **about)
    assert done.returncode == 0, done.stderr


def test_simulator():
    run(_HEAD + _SIMULATE, NUMBA_ENABLE_CUDASIM="1")


@pytest.mark.nojit
@pytest.mark.skipif(not importlib.util.find_spec("numba_cuda"), reason="needs numba-cuda, but no device")
def test_compiles():
    run("import numba.cuda.dispatcher as dispatcher\n" + _HEAD + _COMPILE, most=1)

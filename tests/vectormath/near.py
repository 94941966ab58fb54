"""What the tests of functions share: compiled loops, errors against mpmath, and values where they must be exact."""

from __future__ import annotations

import functools
import math
import re

import numpy as np

from bench.vectormath_truth import arity, case_of, errors, functions, points
from nbinfer.compile import JIT, kernel


@functools.cache
def loop(name):
    """Return compiled code that applies a function of numbers to the columns of an array."""
    numbers, count = functions()[name].numbers, arity(functions()[name])

    def one(x, out):
        for i in range(out.size):
            out[i] = numbers(x[0, i])

    def two(x, out):
        for i in range(out.size):
            out[i] = numbers(x[0, i], x[1, i])

    def three(x, out):
        for i in range(out.size):
            out[i] = numbers(x[0, i], x[1, i], x[2, i])

    return kernel((one, two, three)[count - 1])


def plain(name, x):
    """Apply the algorithm as plain Python to the rows of an array."""
    with np.errstate(all="ignore"):
        return np.array([functions()[name].py_func(*row) for row in x.tolist()])


def compiled(name, x):
    """Apply the compiled function to the rows of an array."""
    out = np.empty(len(x))
    loop(name)(np.ascontiguousarray(x.T), out)
    return out


def assert_vectorised(name):
    """Assert that LLVM makes vector code of a loop over a function, and no call."""
    compiled(name, np.ones((1, arity(functions()[name]))))
    (text,) = loop(name).dispatcher.inspect_llvm().values()
    assert re.search(r"= f(add|mul|sub) [a-z ]*<\d+ x double>", text)
    assert not re.search(r"call double @(?!llvm)", text)


def assert_accurate(name):
    """Assert that the errors of a function, compiled and as plain Python, keep its bound."""
    x = points(name, functions()[name], 2000)
    found = compiled(name, x) if JIT else plain(name, x)
    wrong = errors(name, x, found)
    worst = wrong.argmax()
    assert wrong[worst] <= case_of(name).bound, (x[worst], found[worst])
    few = x[:: max(1, len(x) // 300)]
    wrong = errors(name, few, plain(name, few))
    assert wrong.max() <= case_of(name).bound


def assert_exact(name, *pairs):
    """Assert what a function gives at some points, to the last bit and the sign of 0."""
    x = np.array([np.atleast_1d(x) for x, _ in pairs], float)
    for found in (plain(name, x), compiled(name, x)) if JIT else (plain(name, x),):
        for (where, expected), value in zip(pairs, found, strict=True):
            same = math.isnan(value) if math.isnan(expected) else value == expected
            assert same, (where, value, expected)
            if expected == 0.0:
                assert math.copysign(1.0, value) == math.copysign(1.0, expected), (where, value)

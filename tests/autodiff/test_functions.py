"""Every function that is known, with arguments of all forms: its value is that of Python, or it is refused."""

from __future__ import annotations

import linecache
import math
import warnings
from typing import Any

import numpy as np
import pytest

from nbinfer import vectormath
from nbinfer.autodiff import ADError, DerivativeWarning
from nbinfer.autodiff.registry import HANDLERS
from nbinfer.autodiff.spellings import FUNCTIONS
from tests.autodiff.plain import plain_value_and_grad

pytestmark = pytest.mark.either

ARGUMENTS = (
    "", "x", "A", "x[0]", "k", "None", "'a'", "(x[0], x[1])", "x[0], x[1]", "x, x", "A, x", "x, x[0]", "x, 0", "A, 1",
    "A, A", "A, (0, 1)", "x, x, x", "x > 0.5, x, x[0]", "x, None, 0.5", "A, axis=-1", "C", "C, x", "x, d",
)  # fmt: skip
X, MATRIX, INTEGERS = np.array([0.31, 0.72]), np.array([[1.3, 0.2], [0.4, 0.9]]), np.array([[3, 1], [1, 2]])

#: Ours are known by their form for numbers; Python calls the one that takes arrays too.
OWN = {f.py_func: f for f in vars(vectormath).values() if isinstance(f, vectormath.Elementwise)}

#: What is in memory that nobody has written to cannot be compared.
UNKNOWN = (np.empty, np.empty_like)


def density(function: Any, arguments: str, number: int) -> Any:
    """Return a density that calls a function."""
    text = f"def f(x, A, C, k, d):\n    return np.sum(FUNCTION({arguments})) * 1.0\n"
    file = f"<function {number}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    names = {"np": np, "FUNCTION": function, "__name__": __name__}
    exec(compile(text, file, "exec"), names)
    return names["f"]


def outcome(run: Any) -> Any:
    try:
        with np.errstate(all="ignore"):
            return float(run())
    except Exception as reason:
        return reason


def differs(f: Any) -> str:
    """Return how the value of generated code differs from that of Python; '' if it does not."""
    args = (X, MATRIX, INTEGERS, 2, 1.7)
    derived = outcome(lambda: plain_value_and_grad(f, *args)[0])
    expected = outcome(lambda: f(*args))
    if isinstance(derived, ADError) or (isinstance(derived, ValueError) and isinstance(expected, Exception)):
        return ""
    if isinstance(derived, Exception):
        return f"{type(derived).__name__}: {derived} instead of {expected}"
    if isinstance(expected, Exception) or derived == expected:
        return ""  # more is allowed than in Python, as functions of `math` with arrays
    close = math.isclose(derived, expected, rel_tol=1e-12) or (math.isnan(derived) and math.isnan(expected))
    return "" if close else f"{derived} instead of {expected}"


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_functions_agree_or_are_refused(arguments: str) -> None:
    functions = [OWN.get(f, f) for f in [*FUNCTIONS, *HANDLERS] if callable(f) and f not in UNKNOWN]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DerivativeWarning)
        found = {f: differs(density(f, arguments, k)) for k, f in enumerate(functions)}
    wrong = [f"{f.__name__}({arguments}): {text}" for f, text in found.items() if text]
    assert not wrong, "\n".join(wrong)

"""Generated code as plain Python: numbers never raise, and never warn."""

import math

import pytest

from nbinfer.compile.quiet import run_quietly, without_warnings

TEXT = """\
import math

def f(x, k):
    s = 0.0
    for i in range(k):
        s += x
    return math.exp(1000.0 * s) * 0.0 + math.log(s) + 1.0 / s, x ** -3 if k else math.sqrt(-1.0)
"""


@pytest.mark.parametrize("k", [0, 3])
def test_numbers_never_raise(k: int) -> None:
    names: dict[str, object] = {}
    run_quietly(TEXT, "<text>", names)
    first, second = without_warnings(names["f"])(names["_float64"](0.0), k)
    assert math.isnan(first)
    assert second == math.inf if k else math.isnan(second)

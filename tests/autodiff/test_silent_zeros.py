"""A derivative that vanishes although the value depends on a parameter is warned about, once, with the line."""

import math
import warnings

import numpy as np
import pytest

from nbinfer.autodiff import DerivativeWarning, value_and_grad
from nbinfer.distributions import half_cauchy
from tests.autodiff.plain import line_marked

X = np.array([0.5, 0.7, -0.3])


def casts(x):
    return x[int(x[0])]  # here


def floors(x):
    return np.sum(np.floor(x))  # here


def floor_divides(x):
    return x[0] // 2.0  # here


def counts_positive(x):
    return np.sum(x > 0) + x[0]  # here


def multiplies_by_comparison(x):
    return x[1] * (x[0] > 0)  # here


def signs(x):
    return np.sign(x[0]) * x[1]  # here


def ceils(x):
    return math.ceil(x[0]) * x[1]  # here


def rounds(x):
    return np.sum(np.round(x) * x)  # here


def truncates(x):
    return math.trunc(x[0]) * x[1]  # here


def converts(x):
    return np.sum(x.astype(int) * x)  # here


def floats_of_comparisons(x):
    return float(x[0] > 0) + x[1]  # here


def adds_comparison(x):
    s = x[0]
    for i in range(3):
        s += x[i] > 0.1  # here
    return s


def keeps_comparisons(x):
    flags = np.zeros(3, dtype=bool)
    for i in range(3):
        flags[i] = x[i] > 0.1
    return np.sum(flags) * x[0]  # here


def writes_comparisons(x):
    a = np.zeros(3)
    a[:] = x > 0.1  # here
    return np.sum(a * x)


def writes_to_integers(x):
    q = np.zeros(3, dtype=np.int64)
    q[0] = x[0]  # here
    return q[0] * x[1]


def helper_that_floors(v):
    return math.floor(v)  # here


def floors_in_a_helper(x):
    return helper_that_floors(x[0]) * x[1]


FUNCTIONS = [
    casts, floors, floor_divides, counts_positive, multiplies_by_comparison, signs, ceils, rounds, truncates, converts,
    floats_of_comparisons, adds_comparison, keeps_comparisons, writes_comparisons, writes_to_integers,
    floors_in_a_helper,
]  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_silent_zero_is_warned_about(function):
    line, text = line_marked(helper_that_floors if function is floors_in_a_helper else function)
    with pytest.warns(DerivativeWarning, match="has derivative 0") as caught:
        generated = value_and_grad(function).derive(X)
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]
    assert text in str(caught[0].message)
    assert [(note.file, note.line, note.text) for note in generated.warnings] == [(__file__, line, text)]


def floors_again(x):
    s = 0.0
    for i in range(3):
        s += np.floor(x[i]) * x[0]  # here
    return s


def test_each_line_is_warned_about_once():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for data in (X, np.ones(4)):
            value_and_grad(floors_again).derive(data)
    assert [w.lineno for w in caught] == [line_marked(floors_again)[0]]


def conditions(x):
    s = 0.0
    if x[0] > 0 and x[1] < 5.0:
        s += x[0]
    return s + np.sum(np.where(x > 0, x, -x)) + half_cauchy.logpdf(abs(x[0]), 1.0)


def test_conditions_are_no_silent_zeros():
    assert not value_and_grad(conditions).derive(X).warnings


def inactive_casts(x, t):
    return x[int(t)] * (t > 0.5)


def test_data_may_be_cast():
    assert not value_and_grad(inactive_casts).derive(X, 1.5).warnings

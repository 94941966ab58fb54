"""Arrays without axes, which NumPy changes under all of their names: derived as NumPy has it, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from nbinfer.autodiff import ADError, value_and_grad
from tests.autodiff.plain import assert_differentiates

X = np.array([0.7, -0.4, 1.3])


def _less(s):
    s -= 0.5
    return s


def by_a_call(x):
    b = np.tensordot(x, x, 1)
    return _less(b) + 10 * b


def by_another_name(x):
    b = np.where(x[0] > 0.0, x[0], x[1])
    c = b
    c -= 0.5
    return c + 10 * b


def by_the_larger(x):
    b = np.array(x[0])
    c = max(b, -9.0)
    c -= 0.5
    return c + 10 * b


def by_a_view(x):
    b = np.asarray(x[0])
    c = np.atleast_1d(b)
    c -= 0.5
    return c[0] + 10 * b


def by_a_list(x):
    b = np.full((), x[0])
    c = [b].pop()
    c -= 0.5
    return c + 10 * b


def by_an_item(x):
    b = np.tensordot(x, x, 1)
    items = [b]
    items[0] -= 0.5
    return items[0] + 10 * b


def by_a_sum_of_lists(x):
    b = np.tensordot(x, x, 1)
    items = [1.0] + [b]  # noqa: RUF005
    b -= 0.5
    return items[1] + 10 * b


def by_a_list_that_gets_more(x):
    b = np.tensordot(x, x, 1)
    items = [1.0]
    items += [b]
    b -= 0.5
    return items[1] + 10 * b


def by_a_loop_over_it(x):
    b, total = np.tensordot(x, x, 1), 0.0
    for c in (b,):
        b -= 0.5
        total = total + c
    return total + 10 * b


def of_integers(x):
    k = np.where(x[0] > 0.0, 1, 2)
    k += 0.5
    return k * x[1]


def test_an_argument_without_axes_is_the_callers():
    def f(x, y):
        t = y
        t += 1.0
        return x * y

    def own(x):
        x *= 2.0
        return x

    for function, args in ((f, (0.5, np.array(3.0))), (own, (np.array(3.0),))):
        with pytest.raises(ADError, match="may be an array without axes"):
            value_and_grad(function)(*args)
    assert value_and_grad(f)(0.5, 3.0)[0] == 1.5
    assert value_and_grad(own)(3.0) == (6.0, 2.0)


def test_the_number_of_an_array_without_axes():
    def f(x):
        s = np.where(x[0] > 0.0, x[0], x[1])[()]
        t = s
        t += 1.0
        return s * t

    assert_differentiates(f, X)


REFUSED = by_a_call, by_another_name, by_the_larger, by_a_view, by_a_list, by_an_item, of_integers
REFUSED += (by_a_sum_of_lists, by_a_list_that_gets_more, by_a_loop_over_it)


@pytest.mark.parametrize("function", REFUSED, ids=lambda f: f.__name__)
@pytest.mark.either
def test_refused(function):
    with pytest.raises(ADError, match=r"make a new number|write to a copy") as caught:
        value_and_grad(function).derive(X)
    assert "-= 0.5" in caught.value.source_line or "+= 0.5" in caught.value.source_line


def sum_in_place(x):
    s = np.array(0.0)
    for v in x:
        s += v
    return s * x[0]


def number_that_a_cell_was_made_of(x):
    v = x[0]
    w = np.array(v)
    v += 1.0
    return v * w


def number_made_of_a_cell(x):
    b = np.where(x[0] > 0.0, x[0], x[1])
    return _less(1.0 * b) + 10 * b


def sum_with_its_product(x):
    s, total = np.tensordot(x, x, 1), 0.0
    for v in x:
        total += s + [v, 1.0][1]
        s *= v
    return total


@pytest.mark.parametrize(
    "function", [sum_in_place, sum_with_its_product, number_that_a_cell_was_made_of, number_made_of_a_cell]
)
@pytest.mark.either
def test_derived(function):
    assert_differentiates(function, X)

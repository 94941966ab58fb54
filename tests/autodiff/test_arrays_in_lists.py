"""Lists that are arrays in derived code: what is written to an array after a list has it is refused, not lost."""

import numpy as np
import pytest

from nbinfer.autodiff import ADError, value_and_grad
from tests.autodiff.plain import assert_differentiates

X = np.array([0.7, -0.4, 1.3])


def by_a_comprehension(x):
    a = np.ones(3)
    items = [a for v in x]
    a[0] = x[1]
    return np.sum(items[1])


def by_a_view(x):
    a = np.ones(3)
    items = [a[:2] for v in x]
    a[0] = x[0]
    return np.sum(items[1])


def of_an_expression(x):
    a = x * 1.0
    items = [a for v in x]
    a += 1.0
    return np.sum(items[1])


def before_the_loop(x):
    row, items = np.zeros(3), []
    for v in x:
        row[0] = v
        items.append(row)
    return np.sum(items[0])


def after_it_was_appended(x):
    items = []
    for v in x:
        row = np.zeros(3)
        items.append(row)
        row[0] = v
    return np.sum(items[0])


def in_a_branch(x):
    a, items = np.ones(3), []
    if x[0] > 0.0:
        items.append(a)
    items.append(a)
    a[0] = x[0]
    return np.sum(items[0])


REFUSED = by_a_comprehension, by_a_view, of_an_expression, before_the_loop, after_it_was_appended, in_a_branch


@pytest.mark.either
@pytest.mark.parametrize("function", REFUSED, ids=lambda f: f.__name__)
def test_an_array_that_a_list_has_is_not_written_to(function):
    with pytest.raises(ADError, match=r"another name|all of its items would be that one"):
        value_and_grad(function)(X)


def copies(x):
    row, items = np.zeros(3), []
    for v in x:
        row[0] += v
        items.append(row.copy())
    return np.sum(items[0]) * items[2][0]


def new_ones(x):
    items = []
    for v in x:
        row = np.zeros(2)
        row[1] = v
        items.append(row)
    return items[0][1] * items[2][1]


def unchanged(x):
    a = np.sin(x)
    items = [a for v in x]
    return np.sum(items[1] * items[2])


def rebound(x):
    state, items = x, []
    for _ in range(3):
        items.append(state)
        state = np.sin(state) + 0.1 * x
    return np.sum(items[1] * items[2])


@pytest.mark.parametrize("function", [copies, new_ones, unchanged, rebound], ids=lambda f: f.__name__)
def test_other_arrays_in_lists(function):
    assert_differentiates(function, X)

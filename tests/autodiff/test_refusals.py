"""Every refusal says what, where, and what to write instead."""

import math

import numpy as np
import pytest

from nbinfer.autodiff import ADError, Type, value_and_grad
from nbinfer.autodiff.derive import derive
from nbinfer.distributions import normal
from tests.autodiff import refused
from tests.autodiff.plain import line_marked
from tests.autodiff.refused import CASES, INSIDE, X, returns_array


@pytest.mark.either
@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_refusal(function):
    with pytest.raises(ADError, match=CASES[function]) as caught:
        value_and_grad(function).derive(X)
    line, text = line_marked(INSIDE.get(function, function))
    assert (caught.value.file, caught.value.line, caught.value.source_line) == (refused.__file__, line, text)
    assert f'File "{refused.__file__}", line {line}' in str(caught.value)
    assert isinstance(caught.value, TypeError)


def test_missing_source():
    names = {}
    exec("def f(x):\n    return x[0]\n", names)
    with pytest.raises(
        ADError, match=r"'f' is kept nowhere.*put the function in a file, or give the gradient"
    ) as caught:
        value_and_grad(names["f"])(X)
    assert (caught.value.file, caught.value.line) == ("<string>", 1)


def test_not_a_function():
    with pytest.raises(ADError, match="no source"):
        value_and_grad(math.sin)(1.0)


def test_argument_that_holds_no_numbers():
    with pytest.raises(ADError, match="must hold numbers"):
        value_and_grad(returns_array)(np.array(["a"]))


def test_prior_that_returns_an_array():
    def prior(p, d):
        return -(p.x**2)

    with pytest.raises(ADError, match=r"prior must return a number.*np\.sum"):
        derive({"x": Type("float", 1)}, {}, prior=prior)


def test_unknown_field():
    def logp(p, d):
        return p.sigma

    with pytest.raises(ADError, match="p has no field 'sigma'; its fields: x"):
        derive({"x": Type("float", 1)}, {}, logp=logp)


def test_what_a_family_refuses_is_said_of_the_line_that_calls_it():
    def f(x):
        y = x[0]
        return normal.logpdf(y, "mean", 1.0)  # here

    with pytest.raises(ADError, match="'mean' cannot be used in arithmetic") as caught:
        value_and_grad(f).derive(X)
    assert (caught.value.file, caught.value.source_line) == (__file__, 'return normal.logpdf(y, "mean", 1.0)  # here')


class Frame:
    """As long as a table when it is shown."""

    def __repr__(self):
        return "   y  g\n0  1  0\n"


FRAME = Frame()


class Series(Frame):
    def to_numpy(self):
        return np.ones(2)


class Table(Series):
    y = Series()


TABLE = Table()


def test_tables_are_passed_as_data():
    def indexed(p, d):
        return p.x * TABLE["y"]

    def by_attribute(p, d):
        return p.x * TABLE.y

    for logp, what in (
        (indexed, "what is a Table cannot be indexed"),
        (by_attribute, "what is a Series cannot be used"),
    ):
        with pytest.raises(ADError, match=rf"{what}.*; pass it as data: of data=table each column is an entry, d\.y"):
            derive({"x": Type("float", 0)}, {}, logp=logp)


def test_what_is_long_is_named_by_its_type():
    def logp(p, d):
        return p.x * FRAME["y"]

    with pytest.raises(ADError, match="what is a Frame cannot be indexed; use arrays and tuples"):
        derive({"x": Type("float", 0)}, {}, logp=logp)

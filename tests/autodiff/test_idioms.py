"""Everyday forms: derived and right, or refused with the cure."""

from __future__ import annotations

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.autodiff import ADError, grad, iteration, linalg, loops, merging, value_and_grad, writer
from tests.autodiff import (
    idioms_in_arrays,
    idioms_in_loops,
    idioms_in_statements,
    idioms_of_elements,
    idioms_of_lists,
    idioms_of_values,
)
from tests.autodiff.idioms import X, idioms_of
from tests.autodiff.plain import assert_differentiates

MODULES = (
    idioms_in_loops,
    idioms_in_statements,
    idioms_in_arrays,
    idioms_of_elements,
    idioms_of_lists,
    idioms_of_values,
)
ALL = [(module, f) for module in MODULES for f in idioms_of(module)]
DERIVED = [f for module, f in ALL if f.__name__ not in module.REFUSED]


@pytest.mark.parametrize("function", DERIVED, ids=lambda f: f.__name__)
@pytest.mark.either
def test_derived(function):
    assert_differentiates(function, X)


@pytest.mark.slow
@pytest.mark.nojit
@pytest.mark.parametrize("function", DERIVED, ids=lambda f: f.__name__)
def test_compiled(function):
    value, gradient = value_and_grad(function)(X)
    assert value == pytest.approx(function(X), rel=1e-10, abs=1e-12)
    assert_differentiates(function, X)
    assert grad(function)(X) == pytest.approx(gradient, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__.rpartition(".")[2])
def test_refused(module):
    for name, words in module.REFUSED.items():
        with pytest.raises(ADError, match=words) as caught:
            value_and_grad(getattr(module, name)).derive(X)
        assert caught.value.source_line


# Mutants: the idioms must notice when a mechanism is missing ----------------------------------------------------------


def _fill_one_side(patch):
    fill, calls = merging.Merging.fill, []

    def every_other(self, array, value, dims):
        calls.append(array)
        if len(calls) % 2:
            fill(self, array, value, dims)

    patch.setattr(merging.Merging, "fill", every_other)


MUTANTS = {
    "a loop that ended early is taken to have run on": (
        idioms_in_loops.loop_with_break_by_a_sum,
        lambda patch: patch.setattr(writer.Writer, "stop", lambda self, op: op.stop),
    ),
    "arrays that a loop rebinds are written one after the other": (
        idioms_in_loops.two_arrays_rebound,
        lambda patch: patch.setattr(loops, "_reads", lambda array: set()),
    ),
    "one side of a branch gives no array": (idioms_in_loops.array_by_a_conditional_expression, _fill_one_side),
    "generators give what their conditions exclude": (
        idioms_in_statements.generator_with_if,
        lambda patch: patch.setattr(iteration, "_tests", lambda clause: []),
    ),
    "what a loop of unknown length fills does not grow": (
        idioms_in_loops.while_of_many_turns,
        lambda patch: patch.setitem(linalg.HELPERS, "_grown", lambda arena, rows: rows),
    ),
    "breaks let else follow": (
        idioms_in_loops.loop_with_else_that_is_left_out,
        lambda patch: patch.setattr(loops, "BREAKS", 9),
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_are_caught(name, monkeypatch):
    function, mutate = MUTANTS[name]
    mutate(monkeypatch)
    with pytest.raises((AssertionError, IndexError)):
        assert_differentiates(function, X)


# What an assertion does -----------------------------------------------------------------------------------------------


def asserted(x):
    for v in x:
        assert v < 1.0, "too large"
    assert x[0] > 0.0
    return x[0]


@pytest.mark.parametrize(("point", "words"), [(X, "too large"), (-np.abs(X), None)])
def test_assertions_fail_as_in_python(point, words):
    for function in (asserted, value_and_grad(asserted)):
        with pytest.raises(AssertionError, match=words):
            function(point)


def test_zip_strict_asks_for_equal_lengths():
    def f(x):
        return sum(a * b for a, b in zip(x, x[:4], strict=True))

    with pytest.raises(ValueError, match="do not fit"):
        value_and_grad(f)(X)


@pytest.mark.parametrize("turns", [0, 3])
def test_an_array_that_shrinks_in_a_loop_is_an_error_when_it_does(turns):
    def f(x):
        z = x * 1.0
        for _ in range(turns):
            z = np.array([np.sum(z)])
        return np.sum(z**2)

    if turns == 0:
        assert_differentiates(f, X)
        return
    with pytest.raises(ValueError, match="the array z gets another shape in a loop; fill one"):
        value_and_grad(f)(X)


def test_what_is_unpacked_must_be_enough():
    def f(x):
        a, *_, b, c, d, e, g, h = x
        return a * b * c * d * e * g * h

    with pytest.raises(ValueError, match="not enough values to unpack: at least 7 are wanted"):
        value_and_grad(f)(X)
    assert value_and_grad(f)(np.ones(7))[0] == 1.0


def test_a_loop_that_may_end_early_checks_each_index():
    def f(x):
        s = 0.0
        for i in range(100):
            if i >= len(x):
                break
            s += x[i] * x[0]
        return s

    assert_differentiates(f, X)


def test_gradients_of_a_model_of_everyday_forms():
    def logp(p, d):
        lp = 0.0
        for v, (i, w) in zip(d.y, enumerate(reversed(d.y)), strict=True):
            if i > 40:
                break
            lp -= (v - p.mu) ** 2 + 0.1 * (w - p.mu) ** 2
        return lp - sum(p.mu**2 for _ in d.y)

    model = nb.Model({"mu": nb.real()}, logp=logp, data={"y": X})
    assert model.bind().has_gradient == "derived"
    assert model.check_grad({"mu": 0.3}).ok

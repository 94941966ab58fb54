"""Everyday forms: derived and right, or refused with the cure."""

from __future__ import annotations

import pytest

from nbinfer.autodiff import ADError, grad, value_and_grad
from tests.autodiff import idioms_in_arrays, idioms_in_statements, idioms_of_elements
from tests.autodiff.idioms import X, idioms_of
from tests.autodiff.plain import assert_differentiates

MODULES = (idioms_in_statements, idioms_in_arrays, idioms_of_elements)
ALL = [(module, f) for module in MODULES for f in idioms_of(module)]
DERIVED = [f for module, f in ALL if f.__name__ not in module.REFUSED]


@pytest.mark.parametrize("function", DERIVED, ids=lambda f: f.__name__)
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

"""Where Numba refuses a density that can be derived, its value is generated as well."""

from __future__ import annotations

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT, address_of
from nbinfer.model.code.code import Code

Y = np.array([0.4, -0.2, 0.9])
GROUP = np.array([1, 0, 1])


def by_notation(p, d):
    totals = np.zeros(2)
    np.add.at(totals, GROUP, p.x**2)
    return -np.einsum("i,i->", p.x - d.y, p.x - d.y) - np.sum(totals) + np.where(p.x[0] > 0.0, -p.x[0], 0.0)


def flat(x):
    return -0.5 * np.einsum("i,i->", x, x)


def code_of(model):
    bound = model.definition.bind(1)
    return bound, Code(bound.definition, bound._facts, False)


def value_at(model, q):
    bound, code = code_of(model)
    return code.entry("value")(q.size, address_of(q), 0, bound.context(0))


MODELS = {
    "named": nb.Model({"x": nb.real(shape=3)}, logp=by_notation, data={"y": Y}),
    "terms": nb.Model(
        {"x": nb.positive(shape=3)}, prior=lambda p, d: -np.sum(p.x), likelihood=by_notation, data={"y": Y}
    ),
    "flat": nb.Model.flat(flat, 3),
}


#: Each takes seconds to compile.
SLOW = pytest.mark.slow if JIT else ()
FAST_AND_SLOW = [pytest.param(name, marks=() if name == "flat" else SLOW) for name in MODELS]


@pytest.mark.parametrize("name", FAST_AND_SLOW)
def test_value_is_that_of_the_density(name):
    model = MODELS[name]
    q = np.array([0.3, -0.7, 1.1])
    assert value_at(model, q) == pytest.approx(model.definition.logp_unconstrained(q), rel=1e-12)


def test_a_number_that_numpy_made_is_a_number():
    model = nb.Model({"x": nb.real()}, logp=lambda p, d: np.where(p.x > 0.0, -p.x, -np.inf))
    assert model.logp({"x": 1.0}) == -1.0
    assert model.logp({"x": -1.0}) == -np.inf

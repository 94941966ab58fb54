"""Whatever a model calls beside its density is generated where Numba refuses it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT, address_of
from nbinfer.distributions import normal
from nbinfer.errors import CompileError
from nbinfer.model.code.extras import conditional_entry
from nbinfer.model.code.of_draws import functions_of_draws, observe
from nbinfer.model.code.stand_ins import Called

X = np.arange(12.0).reshape(4, 3) / 10.0
DATA = {"X": X, "y": np.array([0.1, 0.3, -0.2, 0.5])}
POINT = {"b": np.array([0.3, -0.7, 1.1])}


def logp(p, d):
    return -0.5 * np.sum(p.b**2)


def mean(p, d):
    return np.einsum("ij,j->i", d.X, p.b)


def positives(p, d):
    return sum(1 for v in p.b if v > 0.0)


def plain(p, d):
    return 2.0 * p.b[0]


def draw_all(p, d, rng):
    return normal.random(rng, np.einsum("ij,j->i", d.X, p.b), 1.0)


def unreadable(p, d):
    return np.median(np.einsum("ij,j->ij", d.X, p.b), axis=0, keepdims=True)


def model(**more):
    return nb.Model({"b": nb.real(shape=3)}, logp=logp, data=DATA, **more)


def row(given, q):
    """Return parameters and derived quantities at a position, as compiled code writes them."""
    bound = given.definition.bind(1)
    out = np.full(bound.row_size, np.nan)
    assert bound._code.entry("record")(q.size, address_of(q), address_of(out), bound.context(0)) == 0
    return bound, {c.name: out[c.offset : c.offset + max(1, int(np.prod(c.shape)))] for c in bound.columns}


@pytest.mark.slow
def test_derived_quantities():
    bound, found = row(model(derived={"mean": mean, "positives": positives, "plain": plain}), POINT["b"])
    np.testing.assert_allclose(found["mean"], X @ POINT["b"], rtol=1e-12)
    assert found["positives"] == 2.0
    assert found["plain"] == 0.6
    assert {c.name: c.dtype for c in bound.columns}["positives"] == "int64"


def outputs(definition, *functions):
    rng = np.random.Generator(np.random.Philox(key=5))
    return [observe(definition, POINT, f.__name__, f, f.__name__, rng) for f in functions]


@pytest.mark.nojit
def test_functions_of_draws(monkeypatch):
    definition = model().definition
    some = outputs(definition, mean, draw_all, plain)
    entry = functions_of_draws(definition, some)
    assert entry.address
    text = Path(entry.py_func.__code__.co_filename).read_text()
    assert [f"def user_{k}(" in text for k in range(3)] == [True, True, False]  # Numba takes the last
    monkeypatch.setattr(Called, "is_refused", property(lambda self: pytest.fail("Numba was asked again")))
    assert functions_of_draws(definition, some).address == entry.address


@pytest.mark.nojit
def test_one_message_says_why_neither_can():
    definition = model().definition
    with pytest.raises(CompileError) as caught:
        functions_of_draws(definition, outputs(definition, unreadable))
    message = str(caught.value)
    assert message.startswith("Numba cannot compile unreadable")
    assert "\nNor can it be generated: 'np.median' has no derivative rule" in message
    assert caught.value.__context__ is None


def of_one(p, d, i):
    return -0.5 * p.b[i] ** 2 + 0.0 * np.einsum("i,i->", p.b, p.b)


@pytest.mark.nojit
@pytest.mark.slow
def test_conditionals():
    given = model(conditional={"b": of_one})
    bound = given.definition.bind(1)
    assert conditional_entry(given.definition, bound._facts, "b").address


def top(p, d):
    return 1.0 + np.max(np.einsum("i,j->ij", p.b, p.b))


@pytest.mark.slow
def test_bounds_and_densities_beside_a_written_gradient():
    def density(p, d):
        return -0.5 * np.einsum("i,i->", p.b, p.b)

    def gradient(p, d, grad):
        grad.b[:] -= p.b

    written = nb.Model({"b": nb.real(shape=3)}, logp=density, grad=gradient)
    assert written.bind().has_gradient == "written"
    assert written.bind().value(POINT["b"]) == pytest.approx(-0.5 * np.sum(POINT["b"] ** 2))
    bounded = nb.Model({"b": nb.real(shape=3), "u": nb.interval(0.0, top)}, logp=logp, data=DATA)
    q = np.array([0.3, -0.7, 1.1, 0.4])
    assert bounded.bind().value(q) == pytest.approx(bounded.definition.logp_unconstrained(q))


def test_plain_python_needs_none():
    if JIT:
        pytest.skip("plain Python")
    definition = model().definition
    assert functions_of_draws(definition, outputs(definition, mean)).address

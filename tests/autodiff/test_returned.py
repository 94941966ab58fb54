"""Functions that return numbers and arrays as they are: generated code returns, and draws, what Python does."""

from __future__ import annotations

import functools
import math
from collections import namedtuple

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.autodiff import ADError, Type
from nbinfer.autodiff.derive import derive_function
from nbinfer.autodiff.generated import Leaf
from nbinfer.autodiff.program import structure
from nbinfer.compile.arena import Arenas
from nbinfer.distributions import dirichlet, mvnormal, normal, poisson

FACTOR = np.array([[1.0, 0.0, 0.0], [0.2, 1.0, 0.0], [0.1, 0.2, 2.0]])
P = namedtuple("P", ["x", "s", "k"])(np.array([0.3, 0.7, 1.1]), 0.5, 2)
D = namedtuple("D", ["y"])(FACTOR @ FACTOR.T)
INPUTS = (
    structure({"x": Type("float", 1), "s": Type("float"), "k": Type("int")}, "p", "grad"),
    structure({"y": Type("float", 2)}, "d"),
)


def contracted(p, d):
    return np.einsum("ij,j->i", d.y, p.x)


def kept_axes(p, d):
    return np.sum(d.y, axis=0, keepdims=True) + p.x


def transposed(p, d):
    return d.y.T


def itself(p, d):
    return p.x


def whole(p, d):
    return p.k


def truths(p, d):
    return p.x > p.s


def mixed(p, d):
    return max(0, p.s)


def early(p, d):
    if p.s > 0.2:
        return 0.0
    return {"s": p.s}["s"]


def filled(p, d):
    z = np.zeros(3)
    for t, (u, row) in enumerate(zip(p.x, d.y, strict=True)):
        z[t] = u + sum(v for v in row)
    return z


def chosen(p, d):
    return np.array([2.0 * v for v in p.x if v > p.s])


VALUES = [contracted, kept_axes, transposed, itself, whole, truths, mixed, early, filled, chosen]


def normals(p, d, rng):
    return normal.random(rng, np.einsum("ij,j->i", d.y, p.x), p.s)


def by_method(p, d, rng):
    return rng.normal(np.einsum("ij,j->i", d.y, p.x), scale=p.s)


def nothing_kept(p, d, rng):
    rng.normal()
    rng.random(3)
    return rng.integers(5)


def listed(p, d, rng):
    return np.array([rng.normal(m, 1.0) for m in p.x])


def maybe(p, d, rng):
    z = np.zeros(3)
    for t, u in enumerate(p.x):
        rng.poisson(3.0)
        if p.s > 0 and rng.random() < 0.5:
            z[t] = normal.random(rng, u, 1)
    return z + normal.random(rng, 0, 1, size=3)


def together(p, d, rng):
    return dirichlet.random(rng, p.x) + mvnormal.random(rng, p.x, d.y)


def within(p, d, rng):
    return helper(p, rng)


def helper(p, g):
    y = g.normal(size=(2, 3))
    y[0] = 0
    return poisson.random(g, np.exp(y) + p.s)


DRAWS = [normals, by_method, nothing_kept, listed, maybe, together, within]


ARENAS = Arenas(1)


def generated(f, *more):
    found = derive_function(f, (*INPUTS, *more), name="f", arguments="p, d, rng" if more else "p, d")
    names = {"np": np, "math": math, **found.globals}
    exec(found.source, names)
    return functools.partial(names["f"], int(ARENAS.addresses[0])), found


@pytest.mark.parametrize("f", VALUES, ids=lambda f: f.__name__)
def test_the_same_is_returned(f):
    own, found = generated(f)
    value, wanted = own(P, D), f(P, D)
    np.testing.assert_allclose(value, wanted, rtol=1e-14)
    assert np.shape(value) == np.shape(wanted)
    assert np.asarray(value).dtype.kind == np.asarray(wanted).dtype.kind
    assert {"f": "float64", "i": "int64", "b": "bool"}[np.asarray(wanted).dtype.kind] == found.kind


@pytest.mark.parametrize("f", DRAWS, ids=lambda f: f.__name__)
def test_the_same_is_drawn(f):
    own, _ = generated(f, Leaf(Type("generator"), "rng"))
    mine, theirs = (np.random.Generator(np.random.Philox(key=3)) for _ in range(2))
    np.testing.assert_allclose(own(P, D, mine), f(P, D, theirs), rtol=1e-12)
    assert mine.random() == theirs.random()  # as many numbers were drawn


def test_what_cannot_be_drawn_is_told():
    def shuffled(p, d, rng):
        return rng.permutation(p.x)

    with pytest.raises(ADError, match=r"rng.permutation is not supported here; draw from a family"):
        generated(shuffled, Leaf(Type("generator"), "rng"))

    def odd(p, d, rng):
        return rng.normal(sd=p.s)

    with pytest.raises(ADError, match=r"rng.normal takes no argument 'sd' here; it takes loc, scale, size"):
        generated(odd, Leaf(Type("generator"), "rng"))


def test_a_list_is_no_array():
    def doubled(p, d):
        return [2.0 * v for v in p.x]

    with pytest.raises(ADError, match="doubled must return a number or an array, got a list"):
        generated(doubled)


def test_densities_draw_nothing():
    def noisy(x):
        return np.random.normal(x[0])  # noqa: NPY002 - the point

    with pytest.raises(ADError, match=r"'np.random.normal' has no derivative rule; a density draws no random numbers"):
        nb.grad(noisy)(np.ones(2))

"""Memory that loops write to: what is kept for the reverse sweep, and that it is put back, against differences."""

import numpy as np
import pytest

from nbinfer.autodiff import value_and_grad
from tests.autodiff.plain import assert_differentiates, source_of

X = np.random.default_rng(8).normal(size=6) * 0.6
WHO = np.array([2, 0, 2, -1, 1, 2])
NOBODY = np.empty(0, np.int64)


def recursion(x, who):
    """Autoregression in place: what is read is never written again."""
    h = np.sin(x)
    h[0] /= 1.0 + x[1] ** 2
    for t in range(1, h.shape[0]):
        h[t] += x[0] * h[t - 1]
    return np.sum(np.exp(h))


def backwards(x, who):
    h = x * x
    for t in range(h.shape[0] - 2, -1, -1):
        h[t] -= x[0] * np.sin(h[t + 1])
    return np.sum(h * h)


def summed_inside(x, who):
    """A sum in an inner loop, read when it is complete."""
    s, lp = np.zeros(x.shape[0]), 0.0
    for i in range(x.shape[0]):
        for j in range(3):
            s[i] += x[i] * x[j]
        lp += np.tanh(s[i]) * s[i - 1] if i > 0 else s[i] ** 2
    return lp


def ratings(x, who):
    """Elements that an index array names, of which two change in a turn."""
    r, lp = np.zeros(3), 0.0
    for t in range(who.shape[0]):
        a, b = who[t], t % 3
        e = np.tanh(x[t] - r[a] * r[b])
        lp += e * e
        r[a] += x[0] * e
        r[b] = np.sin(r[b]) - e
    return lp + r[0] * r[1] * r[2]


def read_again(x, who):
    """The same element twice, read in between and afterwards."""
    r, lp = np.ones(3), 0.0
    for t in range(who.shape[0]):
        r[1] = np.sin(r[1]) + x[t]
        lp += r[1] ** 2
        r[1] = r[1] * r[0] + x[0]
        lp += np.cos(r[1])
        r[0] *= np.tanh(r[1])
    return lp


def under_conditions(x, who):
    r, lp = x[:3] * 1.5, 0.0
    for t in range(who.shape[0]):
        k = who[t]
        if x[t] > 0.0:
            r[k] = r[k] * x[t] + r[t % 3] ** 2
        elif t > 0:
            r[t % 3] -= np.sin(r[k])
        lp += r[k] * r[0]
    return lp


def cleared(x, who):
    """Stores of numbers that depend on nothing."""
    r, lp = np.zeros(3), 0.0
    for t in range(who.shape[0]):
        lp += np.sin(r[who[t]] + x[t])
        r[who[t]] = 0.25
        r[t % 3] += r[0] * x[t]
    return lp + r[1]


def table(x, who):
    """A table of two axes, and integers that count."""
    q, seen, lp = np.zeros((3, 2)), np.zeros(3, np.int64), 0.0
    for t in range(who.shape[0]):
        s, a = who[t], t % 2
        seen[s] += 1
        e = x[t] - q[s, a]
        lp -= e * e
        q[s, a] += x[0] * e / seen[s]
    return lp


def against_the_grain(x, who):
    """A negative step, indices from the end, and a view from outside of the loop."""
    r, lp = x * 0.5, 0.0
    turned = r[::-1]
    for t in range(4, -2, -1):
        lp += r[t] * r[t + 1]
        turned[t] = np.sin(r[t]) + x[0] * r[2]
    return lp + np.sum(r)


def in_a_loop(x, who):
    """A loop that lists what it overwrites, run again in the reverse of another."""
    r, lp = np.ones(3), x[1]
    for i in range(who.shape[0]):
        lp = np.tanh(lp)
        for t in range(i):
            lp += r[who[t]] * x[t]
            r[who[t]] = np.sin(r[who[t]] + lp)
    return lp


def overwritten_later(x, who):
    r, lp = np.ones(3), 0.0
    for t in range(who.shape[0]):
        lp += r[who[t]] ** 2
        r[who[t]] = np.sin(r[who[t]] * x[t]) + r[0]
    r[1] = x[2]
    r *= 0.5
    return lp + np.sum(np.exp(r) * r)


def used_whole(x, who):
    """A function of the whole array between two writes to it."""
    r, lp = x[:3] * 2.0, 0.0
    for t in range(who.shape[0]):
        r[who[t]] += x[t] * r[0]
        lp += np.sum(np.outer(r, r) @ r)
        r[0] = np.sin(r[1])
    return lp


def in_an_inner_loop(x, who):
    r, lp = np.ones(3), 0.0
    for t in range(who.shape[0]):
        for k in range(3):
            r[k] = np.sin(r[k] * x[t] + r[(k + 1) % 3])
        lp += r[who[t]] * r[0]
    return lp


def by_a_row(x, who):
    q, lp = np.ones((3, 2)), 0.0
    for t in range(who.shape[0]):
        row = q[who[t]]
        row[0] = np.sin(row[1] * x[t] + row[0])
        lp += row[0] * q[0, 0]
    return lp


FINAL = [recursion, backwards, summed_inside]
LISTED = [
    ratings, read_again, under_conditions, cleared, table, against_the_grain, in_a_loop, overwritten_later, used_whole,
]  # fmt: skip
COPIED = [in_an_inner_loop, by_a_row]


@pytest.mark.parametrize("f", [*FINAL, *LISTED, *COPIED], ids=lambda f: f.__name__)
def test_gradient(f):
    assert_differentiates(f, X, WHO)
    assert_differentiates(f, -X, WHO[::-1].copy())
    assert_differentiates(f, X, NOBODY)


@pytest.mark.parametrize("f", FINAL, ids=lambda f: f.__name__)
def test_nothing_is_kept_of_what_is_final_when_it_is_read(f):
    source = source_of(f, X, WHO)
    assert not any(name in source for name in ("undo_", "saved_", "for c0"))


@pytest.mark.parametrize("f", LISTED, ids=lambda f: f.__name__)
def test_elements_are_noted_instead_of_copies(f):
    vg = value_and_grad(f)
    source = vg.derive(X, WHO).source
    assert "undo_" in source
    assert "elements noted before the loop over t overwrites them" in vg.explain()
    if f is not in_a_loop:
        assert "copied at the start of each iteration" not in vg.explain()


@pytest.mark.parametrize("f", COPIED, ids=lambda f: f.__name__)
def test_copies_are_made_where_stores_cannot_be_listed(f):
    notes = " ".join(value_and_grad(f).derive(X, WHO).notes)
    assert "the loop over t overwrites" not in notes
    assert "copied at the start of each iteration of the loop over t" in notes


def test_elements_are_put_back_twice_only_where_they_are_computed_anew():
    def once(x, who):
        q, lp = np.zeros(3), 0.0
        for t in range(who.shape[0]):
            e = x[t] - q[who[t]]
            lp -= e * e
            q[who[t]] += x[0] * e
        return lp

    def puts_back(f):
        return sum("] = undo_" in line for line in source_of(f, X, WHO).splitlines())

    assert_differentiates(once, X, WHO)
    assert (puts_back(once), puts_back(read_again)) == (1, 6)


def test_arrays_that_nothing_is_read_from_vanish():
    def f(x, who):
        unused, h = np.exp(x) * 2.0, x * 0.5
        unused[0] = 3.0
        h[1] += h[0]
        part = np.exp(h)
        for t in range(who.shape[0]):
            unused[t] *= part[t]
            h[0] += 1.0
        return np.sum(part * part)

    source = source_of(f, X, WHO)
    assert "unused" not in source
    assert source.count("exp(") == 1
    assert_differentiates(f, X, WHO)


@pytest.mark.nojit
def test_compiled_code_puts_memory_back():
    def f(x, who):
        return under_conditions(x, who) + table(x, who) + against_the_grain(x, who) * recursion(x, who)

    vg = value_and_grad(f)
    gradient = assert_differentiates(f, X, WHO)
    np.testing.assert_allclose(vg(X, WHO)[1], gradient, rtol=1e-12)

"""Indices that leave their array in derived code: where a point may lead them out they are checked, elsewhere not."""

import collections

import numpy as np
import pytest

from nbinfer.autodiff import Type, value_and_grad
from nbinfer.autodiff.compiled import plain_function
from nbinfer.autodiff.derive import derive
from tests.autodiff.plain import plain_value_and_grad, source_of

Parameters = collections.namedtuple("Parameters", "x k z s")
Gradients = collections.namedtuple("Gradients", "x s")
Data = collections.namedtuple("Data", "a y g M")

P_TYPES = {"x": Type("float", 1), "k": Type("int"), "z": Type("int", 1), "s": Type("float")}
D_TYPES = {"a": Type("float", 1), "y": Type("float", 1), "g": Type("int", 1), "M": Type("float", 2)}


def discrete(p, d):
    return -0.5 * (d.a[p.k] - p.s) ** 2


def negative(p, d):
    return p.s * d.a[-p.k]


def each_has_its_own(p, d):
    lp = 0.0
    for i in range(d.y.shape[0]):
        lp -= 0.5 * (d.y[i] - p.x[p.z[i]]) ** 2
    return lp


def index_array(p, d):
    return np.sum(-0.5 * (d.y - p.x[p.z]) ** 2)


def index_arrays_of_expressions(p, d):
    return np.sum(p.x[p.z - 1][p.z - 1])


def loop_bound(p, d):
    lp = 0.1 * p.s
    for i in range(p.k):
        lp += d.a[i] * p.s
    return lp


def loop_from(p, d):
    lp = 0.1 * p.s
    for i in range(p.k, 4):
        lp += p.x[i - 1] * p.s
    return lp


def backwards(p, d):
    lp = 0.1 * p.s
    for i in range(p.k, -1, -1):
        lp += p.x[i]
    return lp


def other_length(p, d):
    """A branch that plain Python may not have seen when the model was bound."""
    lp = 0.1 * p.s
    if p.s > 0.0:
        for i in range(d.y.shape[0]):
            lp += d.a[i] * p.s * d.y[i]
    return lp


def branch_in_loop(p, d):
    lp = 0.0
    for t in range(1, d.y.shape[0]):
        lp += (d.y[t] - p.s * d.y[t - 1]) ** 2 if p.s > 0.0 else d.a[t] * p.s
    return lp


def written(p, d):
    w = np.zeros(3)
    w[int(p.s)] += p.x[0]
    w[int(p.s) + 1] = p.x[1]
    return np.sum(w * w)


def sliced(p, d):
    w = np.zeros((3, 4))
    w[p.k, 1:] = p.x[1:]
    return np.sum(w * w)


def row(p, d):
    return np.sum(d.M[p.k] * p.s)


def column(p, d):
    return np.sum(d.M[:, p.k + 1] * p.s)


def expression(p, d):
    return p.s * (p.x + 1.0)[p.k]


def in_inner_loop(p, d):
    lp = 0.0
    for i in range(d.y.shape[0]):
        for j in range(d.M.shape[1]):
            lp += d.M[p.k, j] * p.s * d.y[i]
    return lp


def guarded(p, d):
    return p.s * d.a[p.k] if p.k < 3 and d.a[p.k] > -5.0 else p.s


def constant(p, d):
    return p.s * d.a[3] if p.k > 3 else p.s


def taken(a, i):
    return a[i]


def in_helper(p, d):
    return taken(d.a, int(2.0 * p.s)) * p.s


def counted(p, d):
    k = 0
    for i in range(4):
        if p.x[i] > 0.0:
            k += 1
    return d.a[k] * p.s


def new_length(p, d):
    return p.s * np.zeros(max(p.k, 0))[2]


def part(p, d):
    return d.y[: max(p.k, 0)][2] * p.s


def end_of_part(p, d):
    return p.x[max(p.k, 0) :][-1] * p.s


def loop_over_part(p, d):
    part, lp = p.x[: max(p.k, 0)], 0.0
    for i in range(d.y.shape[0]):
        lp += part[i] * d.y[i]
    return lp


def numbers_up_to(p, d):
    return np.arange(max(p.k, 0))[2] * p.s


def joined(p, d):
    return np.concatenate((p.x[: max(p.k, 0)], d.y[:1]))[3] * p.s


def rows_of_part(p, d):
    return np.sum(d.M[: max(p.k, 0)][1]) * p.s


def stored(p, d):
    part = (p.x * 2.0)[: max(p.k, 0)].copy()
    part[1] = p.s
    return np.sum(part)


CHECKED = [
    discrete, negative, each_has_its_own, index_array, index_arrays_of_expressions, loop_bound, loop_from, backwards,
    other_length, branch_in_loop, written, sliced, row, column, expression, in_inner_loop, guarded, constant, in_helper,
    counted, new_length, part, end_of_part, loop_over_part, numbers_up_to, joined, rows_of_part, stored,
]  # fmt: skip


def derived(f):
    return derive(P_TYPES, D_TYPES, logp=f, name="logp_grad")


def points():
    rng = np.random.default_rng(0)
    for _ in range(60):
        p = Parameters(
            rng.normal(size=4), int(rng.integers(-4, 7)), rng.integers(-2, 6, 4), np.float64(rng.normal(0, 2))
        )
        yield p, rng.normal(size=4)


@pytest.mark.either
@pytest.mark.parametrize("f", CHECKED, ids=lambda f: f.__name__)
def test_derived_code_raises_where_python_does(f):
    run = plain_function(derived(f))
    outcomes = set()
    for p, y in points():
        y = y[: 2 + p.k % 3] if f in (other_length, branch_in_loop) else y
        d = Data(np.arange(3.0), y, np.array([0, 1, 2, 3]), np.arange(12.0).reshape(3, 4))
        arguments = p, d, Gradients(np.zeros(4), np.zeros(())), np.ones(1)
        try:
            expected = f(p, d)
        except IndexError:
            with pytest.raises(IndexError, match=r"^index out of bounds$"):  # and not what NumPy says: nothing was read
                run(*arguments)
            outcomes.add("raises")
        else:
            np.testing.assert_allclose(run(*arguments), expected, rtol=1e-12)
            outcomes.add("holds")
    assert outcomes == {"raises", "holds"}


def by_data(p, d):
    lp = np.sum(-0.5 * (d.y - p.x[d.g]) ** 2) + p.x[0] * p.x[-1] + np.sum(p.x[1:] * p.x[:-1])
    for i in range(d.y.shape[0]):
        lp -= 0.5 * (d.y[i] - p.x[d.g[i]]) ** 2 + d.M[i, 0] * p.s
    for t in range(1, d.y.shape[0]):
        lp -= (p.x[t] - p.x[t - 1]) ** 2
    return lp


def own_length(p, d):
    """Under a condition, and yet within the array for sure."""
    lp = p.s
    if p.s > 0.0:
        for i in range(d.y.shape[0]):
            lp += d.y[i] * p.s
        for i in range(d.M.shape[0]):
            for j in range(d.M.shape[1]):
                lp += d.M[i, j] * p.s
    return lp


@pytest.mark.parametrize("f", [by_data, own_length], ids=lambda f: f.__name__)
def test_nothing_is_checked_that_no_point_leads_out(f):
    assert "IndexError" not in derived(f).source


def test_range_is_checked_before_its_loop():
    lines = derived(other_length).source.splitlines()
    loop = next(k for k, line in enumerate(lines) if "for i in" in line)
    assert not any("IndexError" in line for line in lines[loop:])
    assert any("IndexError" in line for line in lines[:loop])


# Calls: nobody has run the function with these arguments before ------------------------------------------------------

TABLE, X = np.array([1.0, 2.0, 3.0]), np.array([0.3, 0.7])


def captured(x, k):
    return x[0] * TABLE[k]


def captured_by_an_array(x, k):
    return np.sum(x[0] * TABLE[np.array([0, 1]) * k])


def argument(x, k):
    return x[k - 2] * 2.0


def captured_in_a_loop(x, k):
    return sum(TABLE[i] * x[0] for i in range(k))


def captured_backwards(x, k):
    s = 0.0
    for i in range(k, -1, -1):
        s += TABLE[i] * x[1]
    return s


def captured_in_steps(x, k):
    s = 0.0
    for i in range(0, 2 * k, 2):
        for _ in range(2):
            s += TABLE[i] * x[1]
    return s


@pytest.mark.parametrize(
    ("f", "inside", "outside"),
    [
        (captured, [2, -3], [3, -4]), (captured_by_an_array, [2, -3], [3, -4]), (argument, [0, 3], [4, -1]),
        (captured_in_a_loop, [3, 0, -5], [4]), (captured_backwards, [2, -1], [3]), (captured_in_steps, [2, 0], [3]),
    ],
)  # fmt: skip
def test_calls_check_every_index(f, inside, outside):
    for k in inside:
        assert plain_value_and_grad(f, X, k)[0] == pytest.approx(f(X, k), rel=1e-12)
    for k in outside:
        with pytest.raises(IndexError):
            f(X, k)
        with pytest.raises(IndexError, match=r"^index out of bounds$"):
            plain_value_and_grad(f, X, k)


def test_loops_of_calls_ask_before_they_begin():
    for f in (captured_in_a_loop, captured_backwards, captured_in_steps):
        text = source_of(f, X, 2)
        assert "IndexError" in text[: text.index("for ")]
        assert "IndexError" not in text[text.index("for ") :]


def test_an_array_of_positions_is_asked_once():
    def f(x, g):
        return np.sum(x[g] ** 2) + np.sum(np.exp(x[g]))

    assert source_of(f, X, np.array([0, 1, 1])).count("IndexError") == 1


@pytest.mark.nojit
def test_compiled_calls_check_every_index():
    with pytest.raises(IndexError, match="out of bounds"):
        value_and_grad(captured)(X, 7)

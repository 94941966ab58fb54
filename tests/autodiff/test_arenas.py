"""What generated code takes from its arena: as much as it needs, as long as it needs it, each call its own."""

import math
import threading

import numpy as np
import pytest

from nbinfer.autodiff import value_and_grad, writer
from nbinfer.autodiff.compiled import Compiled, plain_function
from nbinfer.compile import empty
from nbinfer.compile.arena import Arenas, begin
from tests.autodiff.plain import assert_differentiates

X = np.array([0.7, 0.4, 1.3])
LONG = np.append(X, np.linspace(0.5, 1.0, 150))
A = np.array([[0.3, 0.1, 0.0], [0.2, 0.5, 0.1], [0.0, 0.1, 0.4]])


def temporaries(x, A, n):
    total = 0.0
    for i in range(n):
        w = A @ (x * (1.0 + 0.01 * i))
        total -= np.sum(np.exp(w) * w)
    return total


def loops_without_end(x, A, n):
    """Each turn of the outer loop fills tapes that grow, and makes an array of its own after them."""
    total = 0.0
    for i in range(n):
        z, turns = x[0] + 0.1 * i, 0
        while turns < 20 + 17 * i:
            z = math.sin(z) * x[1] + 0.2 * x[2]
            turns += 1
        w = np.empty(x.size)
        for k in range(x.size):
            w[k] = x[k] * z
        for k in range(x.size):
            total += w[k] * w[x.size - 1 - k]
    return total


def words_of(function, *args):
    """Return how much memory the generated code of a function takes at once."""
    call = value_and_grad(function)
    generated, leaves = call.derive(*args), call._take_apart(args)
    arenas = Arenas(1)
    names = {"np": np, "math": math, **generated.globals}
    exec(generated.source, names)
    run = names[generated.name]
    for _ in range(3):
        run(begin.py_func(int(arenas.addresses[0])), *leaves.leaves, *leaves.gradients, *generated.arrays.values())
    return arenas.words(0)


def test_a_turn_of_a_loop_gives_back_what_it_took():
    assert words_of(temporaries, X, A, 2) == words_of(temporaries, X, A, 50) > 0


@pytest.mark.parametrize(("function", "x"), [(temporaries, X), (loops_without_end, LONG)], ids=["fixed", "growing"])
def test_memory_is_not_given_back_too_early(function, x):
    assert_differentiates(function, x, A, 5)


def test_tapes_that_grow_before_the_turn_would_be_overwritten(monkeypatch):
    def too_early(loop, around, sizes):
        return all(size.block.depth < around.depth for size in sizes)

    monkeypatch.setattr(writer.Writer, "may_leave", staticmethod(too_early))
    with pytest.raises((AssertionError, IndexError)):
        assert_differentiates(loops_without_end, LONG, A, 5)


def test_calls_of_several_threads_have_memory_of_their_own():
    call, points = value_and_grad(temporaries), [X * (1.0 + k / 7) for k in range(8)]
    wanted = [call(x, A, 30) for x in points]
    found = [[] for _ in points]

    def evaluate(k):
        found[k] += [call(points[k], A, 30) for _ in range(100)]

    threads = [threading.Thread(target=evaluate, args=(k,)) for k in range(len(points))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for (value, grad), those in zip(wanted, found, strict=True):
        assert len(those) == 100
        assert all(v == value and np.array_equal(g, grad) for v, g in those)


def test_a_call_inside_a_call_has_memory_of_its_own():
    generated = value_and_grad(temporaries).derive(X, A, 3)
    run = plain_function(generated)
    wanted = run(X, A, 3, np.zeros(3))
    used = []

    def again(arena, shape, dtype):
        array = empty(arena, shape, dtype)
        if not used:
            used.append(run(X, A, 3, np.zeros(3)))
        return array

    other = plain_function(generated._replace(globals={**generated.globals, "_empty": again}))
    assert other(X, A, 3, np.zeros(3)) == wanted == used[0]


def test_what_takes_no_memory_is_given_none():
    call = value_and_grad(lambda x: -0.5 * x[0] * x[0])
    generated = call.derive(X)
    assert not generated.takes_memory
    assert isinstance(call(X)[0], float)
    assert all(compiled.arenas is None for compiled in vars(call)["_known"].values() if isinstance(compiled, Compiled))


def test_an_argument_may_be_called_as_the_arena_is():
    def quadratic(x, arena):
        return np.sum((arena @ x) ** 2)

    value, grad = value_and_grad(quadratic)(X, A)
    assert value == pytest.approx(np.sum((A @ X) ** 2))
    np.testing.assert_allclose(grad, 2 * A.T @ A @ X)
    np.testing.assert_allclose(value_and_grad(lambda arena: np.sum(np.cumsum(arena)))(X)[1], [3.0, 2.0, 1.0])

"""The short way to compiled code and the long one: same results, same errors, and gradients that nobody shares."""

import copy
import pickle
import threading

import numpy as np
import pytest

from nbinfer.autodiff import grad, value_and_grad
from nbinfer.autodiff.shortcut import nowhere

TABLE = np.array([0.5, 1.5])


def density(x, y, scale, k, flag):
    total = 0.0
    for i in range(x.shape[0]):
        total -= 0.5 * (x[i] - y[i % y.shape[0]]) ** 2 / scale
    return (total + TABLE[0]) * k if flag else total


def of_matrix(x):
    return np.sum(np.exp(x))


def of_number(x, y):
    return x * y**2


def raising(x, y, k):
    return np.sum(x[:k] * y) * k


BOTH, OF_MATRIX = value_and_grad(density), value_and_grad(of_matrix)


def long_way(both, *args):
    both._shortcuts.clear()
    both._recent = nowhere
    return both(*args)


class Subclass(np.ndarray):
    pass


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


X, Y = np.array([0.3, -0.7, 1.1]), np.array([0.2, 0.4])
ARGUMENTS = {
    "as it is": (X, Y, 2.0, 3, True),
    "NumPy's numbers": (X, Y, np.float64(2.0), np.int64(3), np.bool_(True)),
    "numbers of other types": (X, Y, 2, 3.0, 1),
    "read-only": (read_only(X), read_only(Y), 2.0, 3, True),
    "not contiguous": (np.repeat(X, 2)[::2], np.repeat(Y, 2)[::2], 2.0, 3, True),
    "reversed": (X[::-1][::-1], Y[::-1][::-1], 2.0, 3, True),
    "float32": (X.astype(np.float32), Y.astype(np.float32), 2.0, 3, True),
    "integers": (np.array([1, 2, 3]), np.array([4, 5]), 2, 3, False),
    "lists": (X.tolist(), Y.tolist(), 2.0, 3, True),
    "swapped bytes": (X.astype(">f8"), Y.astype(">f8"), 2.0, 3, True),
    "a subclass": (X.view(Subclass), Y.view(Subclass), 2.0, 3, True),
    "arrays without axes": (X, Y, np.array(2.0), np.array(3), np.array(True)),
    "one element": (X[:1], Y[:1], 2.0, 3, True),
    "none": (X[:0], Y[:1], 2.0, 3, True),
}


def equal(a, b):
    assert type(a) is type(b)
    assert type(a[1]) is type(b[1])
    np.testing.assert_array_equal(a[0], b[0])
    np.testing.assert_array_equal(a[1], b[1])
    assert np.shape(a[1]) == np.shape(b[1])


@pytest.mark.parametrize("name", ARGUMENTS)
def test_equals_the_long_way(name):
    args = ARGUMENTS[name]
    first = long_way(BOTH, *args)
    BOTH(X, Y, 2.0, 3, True)  # knows arrays of these shapes
    equal(BOTH(*args), first)
    equal(BOTH(*args), first)


@pytest.mark.parametrize("x", [np.ones((2, 3)), np.ones((3, 2)).T, np.asfortranarray(np.ones((2, 2)))])
def test_matrices(x):
    first = long_way(OF_MATRIX, x)
    equal(OF_MATRIX(x), first)
    np.testing.assert_allclose(first[1], np.exp(x), rtol=1e-14)


@pytest.mark.parametrize("argnums", [0, (1, 0), [0]])
@pytest.mark.parametrize("args", [(2.0, 3.0), (np.float64(2.0), 3.0), (2, 3), (np.array(2.0), 3.0)])
def test_numbers(argnums, args):
    both = value_and_grad(of_number, argnums)
    first, second = both(*args), both(*args)
    assert first == second
    assert [type(g) for g in np.atleast_1d(np.array(first[1], object))] == [
        type(g) for g in np.atleast_1d(np.array(second[1], object))
    ]
    assert type(second[1]) is (tuple if isinstance(argnums, (tuple, list)) else type(first[1]))


@pytest.mark.nojit
def test_it_is_taken():
    for args in (ARGUMENTS["as it is"], (X, Y, np.float64(2.0), 3, False), ARGUMENTS["read-only"]):
        long_way(BOTH, *args)
        ((short, _),) = BOTH._shortcuts.values()
        equal(short(args), BOTH(*args))
        assert short((X[::-1], *args[1:])) is None


@pytest.mark.nojit
def test_arrays_that_were_pickled_take_it():
    args = ARGUMENTS["as it is"]
    others = tuple(pickle.loads(pickle.dumps(args)))
    assert others[0].dtype is not args[0].dtype
    for first, second in ((args, others), (others, args)):
        long_way(BOTH, *first)
        ((short, _),) = BOTH._shortcuts.values()
        equal(short(second), BOTH(*args))


def test_gradient_alone():
    gradient = grad(of_number)
    assert [gradient(2.0, 3.0) for _ in range(3)] == [9.0] * 3


def test_gradients_are_fresh():
    both = OF_MATRIX
    x = np.zeros(3)
    kept = [both(x + k)[1] for k in range(5)]
    for k, gradient in enumerate(kept):
        np.testing.assert_allclose(gradient, np.exp(k), rtol=1e-14)
    kept[0][:] = 7.0
    np.testing.assert_array_equal(both(x)[1], 1.0)
    assert kept[0].flags.owndata


def test_errors_arrive():
    both = value_and_grad(raising)
    assert both(X, X, 3) is not None
    for _ in range(2):
        both(X, X, 3)
        with pytest.raises(ValueError, match="shapes of the arguments do not fit"):
            both(X, X, 2)
        with pytest.raises(ValueError, match="shapes of the arguments do not fit"):
            both(X, Y, 3)
        with pytest.raises(TypeError, match="misses 'k'"):
            both(X, X)
        with pytest.raises(TypeError, match="must hold numbers"):
            both(np.array(["a", "b", "c"]), X, 3)
        with pytest.raises(TypeError, match="must hold numbers"):
            both(X, X, 2**70)


def test_source_is_that_of_the_last_call():
    both = OF_MATRIX
    both(np.ones(2))
    both(np.ones(2))
    vector = both.source
    both(np.ones((2, 2)))
    assert both.source != vector
    both(np.ones(2))
    assert both.source == vector


def test_shapes_that_never_end():
    both = OF_MATRIX
    for n in range(1, 200):
        assert both(np.zeros(n))[0] == n
    assert len(both._shortcuts) <= 64


@pytest.mark.nojit  # long as plain Python
def test_threads():
    both = OF_MATRIX
    wrong = []

    def call(k):
        x = np.full(50, 0.01 * k)
        expected = np.exp(x)
        for _ in range(300):
            value, gradient = both(x)
            if not (np.allclose(gradient, expected, 1e-13) and np.isclose(value, expected.sum(), 1e-12)):
                wrong.append(k)

    threads = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_copies_and_pickles_compute_the_same():
    x = np.array([[0.5, -1.0]])
    value, gradient = OF_MATRIX(x)
    for other in (pickle.loads(pickle.dumps(OF_MATRIX)), copy.copy(OF_MATRIX), copy.deepcopy(OF_MATRIX)):
        again, same = other(x)
        assert (again, same.tolist()) == (value, gradient.tolist())

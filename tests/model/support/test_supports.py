"""What the factories make, what they refuse, and what a support says about values."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from nbinfer.errors import ModelError
from nbinfer.model.support import supports as s

CONTINUOUS = [
    # support, shape, size
    (s.real(), (), 1),
    (s.real(3), (3,), 3),
    (s.real((3, 4)), (3, 4), 12),
    (s.positive(2), (2,), 2),
    (s.lower(1.5), (), 1),
    (s.lower([1.0, 2.0]), (2,), 2),
    (s.lower(0, shape=4), (4,), 4),
    (s.upper(np.zeros((2, 1)), shape=(2, 3)), (2, 3), 6),
    (s.interval([0.0, 1.0], [[5.0], [6.0]]), (2, 2), 4),
    (s.unit((2, 2)), (2, 2), 4),
    (s.simplex(3), (3,), 2),
    (s.simplex(3, shape=2), (2, 3), 4),
    (s.ordered(1), (1,), 1),
    (s.ordered(3, shape=(2, 2)), (2, 2, 3), 12),
    (s.positive_ordered(3), (3,), 3),
    (s.unit_vector(3, 2), (2, 3), 6),
    (s.cholesky_corr(3), (3, 3), 3),
    (s.cholesky_corr(4, shape=2), (2, 4, 4), 12),
    (s.covariance(3), (3, 3), 6),
]
DISCRETE = [
    (s.binary(), (), 0, 1),
    (s.binary(3), (3,), 0, 1),
    (s.categorical(4, shape=(2, 2)), (2, 2), 0, 3),
    (s.integer(-2, 5), (), -2, 5),
]


@pytest.mark.parametrize(("support", "shape", "size"), CONTINUOUS, ids=repr)
def test_shape_and_size(support, shape, size):
    assert support.shape == shape
    assert support.size == size
    assert not support.discrete
    value = support.constrain(np.zeros(size))
    assert np.shape(value) == shape
    assert isinstance(value, np.ndarray if shape else float)
    np.testing.assert_array_equal(support.initial, value)
    assert support.unconstrain(value).shape == (size,)
    assert support.constants.dtype == np.float64
    assert support.constants.ndim == 1


@pytest.mark.parametrize(("support", "shape", "lowest", "highest"), DISCRETE, ids=repr)
def test_discrete(support, shape, lowest, highest):
    assert support.shape == shape
    assert support.size == 0
    assert support.discrete
    assert (np.asarray(support.initial) == lowest).all()
    for inside in (lowest, highest):
        value = support.check(np.full(shape, inside))
        assert value.dtype == np.int64
        assert support.unconstrain(value).size == 0
    for outside in (lowest - 1, highest + 1, lowest + 0.5):
        with pytest.raises(ModelError, match=r"must (lie in|be whole)"):
            support.unconstrain(np.full(shape, outside))
    with pytest.raises(ModelError, match="is discrete"):
        support.constrain([])
    with pytest.raises(ModelError, match="is discrete"):
        _ = support.forward


def test_only_real_is_the_identity():
    assert s.real(2).is_identity
    assert not any(support.is_identity for support, _, _ in CONTINUOUS if support.name != "real")
    np.testing.assert_array_equal(s.real(2).constrain([1.0, -3.0]), [1.0, -3.0])


@pytest.mark.parametrize(
    "typed",
    [
        "real()",
        "real(3)",
        "real((3, 4))",
        "lower(1.5)",
        "lower([1, 2.5])",
        "upper(0, shape=3)",
        "interval(-1, [2, 200])",
        "interval(0, 1, shape=(2, 2))",
        "unit(2)",
        "simplex(3)",
        "simplex(3, shape=2)",
        "cholesky_corr(3, shape=(2, 2))",
        "binary()",
        "categorical(3, shape=2)",
        "integer(-2, 5)",
        "integer(0)",
        "integer(0, shape=3)",
    ],
)
def test_repr_is_what_was_typed(typed):
    support = eval(typed, vars(s))
    assert repr(support) == typed
    assert support == eval(repr(support), vars(s))


def test_equality_looks_at_name_shape_and_constants():
    everything = [support for support, *_ in CONTINUOUS + DISCRETE]
    assert len(set(everything)) == len(everything)
    assert s.lower([0.0, 0.0]) == s.lower(0, shape=2)
    assert hash(s.lower([0.0, 0.0])) == hash(s.lower(0, shape=2))
    assert s.lower(0) != s.lower(1)
    assert s.unit() != s.positive()
    assert s.real() != "real()"
    for support in everything:
        again = pickle.loads(pickle.dumps(support))
        assert again == support
        assert again.key == support.key


def test_a_support_cannot_be_changed():
    with pytest.raises(AttributeError):
        s.real().shape = (3,)
    with pytest.raises(ValueError, match="read-only"):
        s.lower(0.0).constants[0] = 1.0


def test_a_bound_is_copied():
    bound = np.array([1.0, 2.0])
    support = s.lower(bound)
    bound[:] = 5.0
    np.testing.assert_array_equal(support.constants, [1.0, 2.0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: s.interval(1, 1), "a = 1.0 and b = 1.0"),
        (lambda: s.interval([0, 3], [1, 2]), r"a = 3.0 and b = 2.0 at index \(1,\)"),
        (lambda: s.interval(-1e308, 1e308), "b - a finite"),
        (lambda: s.interval([0, 1], [1, 2, 3]), "do not fit each other"),
        (lambda: s.lower([1.0, np.nan]), r"a must be finite, got nan at index \(1,\)"),
        (lambda: s.upper(np.inf), "b must be finite, got inf"),
        (lambda: s.upper([]), "b is empty"),
        (lambda: s.lower("low"), "a must be a number, an array of numbers or a function .*, got 'low'"),
        (lambda: s.lower([1, 2], shape=3), r"bounds of shape \(2,\) do not fit a value of shape \(3,\)"),
        (lambda: s.lower([1, 2], shape=()), "do not fit"),
        (lambda: s.real(-1), "each length in shape must be at least 1, got -1"),
        (lambda: s.real((2, 0)), "at least 1, got 0"),
        (lambda: s.positive(1.5), "each length in shape must be an integer, got 1.5"),
        (lambda: s.unit(True), "must be an integer, got True"),
        (lambda: s.real("3"), "must be an integer, got '3'"),
        (lambda: s.simplex(1), "k must be at least 2, got 1"),
        (lambda: s.simplex(2.0), "k must be an integer, got 2.0"),
        (lambda: s.ordered(0), "k must be at least 1, got 0"),
        (lambda: s.covariance(1), "k must be at least 2"),
        (lambda: s.unit_vector(1), "k must be at least 2"),
        (lambda: s.categorical(1), "k must be at least 2"),
        (lambda: s.integer(3, 3), "lo < hi"),
        (
            lambda: s.integer(0, (3,)),
            r"hi must be an integer, got \(3,\); a shape goes by name, shape=\(3,\)",
        ),
        (lambda: s.integer(0.5), "lo must be an integer, got 0.5"),
        (lambda: s.integer(0, 2**60), "lo < hi <= 2"),
    ],
)
def test_what_factories_refuse(make, message):
    with pytest.raises(ModelError, match=message):
        make()


@pytest.mark.parametrize(
    ("support", "value", "message"),
    [
        (s.real(2), [1.0], r"real\(2\) must have shape \(2,\), got \(1,\)"),
        (s.real(), "x", "must be numbers, got 'x'"),
        (s.real(2), np.ma.array([1.0, 2.0], mask=[0, 1]), r"must be numbers, got a masked array; pass value\.filled"),
        (s.real(2), [1.0, np.inf], r"must be finite, got inf at index \(1,\)"),
        (s.positive(), 0.0, "must be positive, got 0.0"),
        (s.positive(2), [1.0, -1.0], r"must be positive, got -1.0 at index \(1,\)"),
        (s.lower(1.0), 1.0, "must lie above its bound, got 1.0"),
        (s.upper(1.0), 2.0, "must lie below its bound, got 2.0"),
        (s.unit(), 1.0, "must lie strictly between its bounds, got 1.0"),
        (s.interval([0, 1], [2, 3]), [1.0, 4.0], r"between its bounds, got 4.0 at index \(1,\)"),
        (s.simplex(3), [0.5, 0.5, 0.0], r"must be positive, got 0.0 at index \(2,\)"),
        (s.simplex(2), [0.5, 0.6], "must sum to 1, got 1.1"),
        (s.simplex(2, shape=2), [[0.5, 0.5], [0.5, 0.6]], r"must sum to 1, got 1.1 at index \(1,\)"),
        (s.ordered(3), [1.0, 2.0, 2.0], r"must increase strictly, got 2.0 at index \(2,\)"),
        (s.positive_ordered(2), [0.0, 1.0], "must be positive"),
        (s.unit_vector(2), [1.0, 1.0], "must have length 1, got 1.41"),
        (s.cholesky_corr(2), [[1.0, 0.1], [0.0, 1.0]], r"must be lower triangular, got 0.1 at index \(0, 1\)"),
        (s.cholesky_corr(2), [[1.0, 0.0], [1.0, 0.0]], "must have a positive diagonal"),
        (s.cholesky_corr(2), [[1.0, 0.0], [0.5, 0.5]], "must have rows of length 1"),
        (s.covariance(2), [[1.0, 0.2], [0.3, 1.0]], "must be symmetric"),
        (s.covariance(2), [[1.0, 2.0], [2.0, 1.0]], "must be positive definite, got smallest eigenvalue -1"),
    ],
)
def test_values_outside_are_refused_with_a_reason(support, value, message):
    with pytest.raises(ModelError, match=message):
        support.unconstrain(value)


def test_wrong_number_of_coordinates():
    with pytest.raises(ModelError, match=r"simplex\(3\) has 2 unconstrained coordinates, got 3"):
        s.simplex(3).constrain(np.zeros(3))


def test_nothing_here_imports_numba():
    code = (
        "import sys; from nbinfer.model.support import supports as s; "
        "[q.unconstrain(q.initial) for q in (s.unit(2), s.simplex(3), s.covariance(2), s.cholesky_corr(2))]; "
        "assert not {'numba', 'llvmlite', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("make", [lambda: s.interval("0", 1), lambda: s.lower(["0", "1"]), lambda: s.real().check("1")])
def test_texts_are_no_numbers(make):
    with pytest.raises(ModelError, match=r"numbers?.*, got"):
        make()

"""Rows of few numbers: written out, so that the loop over rows is one that vectors can be made of."""

import numpy as np
import pytest
from scipy.special import logsumexp

from nbinfer import vectormath
from nbinfer.autodiff import value_and_grad, writer
from nbinfer.distributions import normal
from nbinfer.vectormath import pick, row_logsumexp, row_sum
from tests.autodiff.plain import assert_differentiates, plain_value_and_grad, source_of

RNG = np.random.default_rng(11)
Y = RNG.normal(size=7)
LOG_WEIGHTS = np.log([0.3, 0.7])
X = np.array([-0.5, 0.8, 0.2, -0.3])
WIDE = np.array([[1.0, -0.5, 0.2]])
PREDICTORS = RNG.normal(size=(7, 4))
OUTCOMES = RNG.integers(0, 3, 7)


def by_axis(x, y):
    return np.sum(logsumexp(LOG_WEIGHTS + normal.logpdf(y[:, None], x[:2], np.exp(x[2:4])), axis=1))


def by_rows(x, y):
    return np.sum(row_logsumexp(LOG_WEIGHTS + normal.logpdf(y[:, None], x[:2], np.exp(x[2:4]))))


def by_columns(x, y):
    terms = LOG_WEIGHTS[:, None] + normal.logpdf(y, x[:2][:, None], np.exp(x[2:4])[:, None])
    return np.sum(logsumexp(terms, axis=0))


def by_exponentials(x, y):
    return np.sum(np.log(np.sum(np.exp(LOG_WEIGHTS + normal.logpdf(y[:, None], x[:2], np.exp(x[2:4]))), axis=1)))


def softmax(x, y):
    rows = PREDICTORS @ (x[:, None] * WIDE)
    return np.sum(rows[np.arange(7), y] - logsumexp(rows, axis=1))


def rows_before(x):
    """Read a row from the last one on: the index of the first is -1."""
    rows = PREDICTORS @ (x[:, None] * WIDE)
    lp = 0.0
    for i in range(rows.shape[0]):
        lp += np.sin(rows[i - 1, 2] * rows[i, 0]) * rows[i - 1, 1]
    return lp


def loops_of(f, *args):
    return source_of(f, *args).count("for ")


@pytest.mark.either
@pytest.mark.parametrize("f", [by_axis, by_rows, by_columns, by_exponentials])
def test_a_mixture_is_one_loop_that_keeps_nothing(f):
    value, gradient = plain_value_and_grad(f, X, Y)
    parts = [a + normal.logpdf(Y, X[k], np.exp(X[k + 2])) for k, a in enumerate(LOG_WEIGHTS)]
    np.testing.assert_allclose(value, np.sum(np.logaddexp(*parts)))
    np.testing.assert_allclose(gradient, plain_value_and_grad(by_exponentials, X, Y)[1])
    assert_differentiates(f, X, Y)
    source = source_of(f, X, Y)
    assert source.count("for ") == 1
    assert "tape_" not in source
    assert "_exp(" in source.replace("math.exp(", "")  # that of which vectors are made


def test_long_rows_are_loops():
    def f(x):
        return np.sum(np.log(np.sum(np.exp(x * WEIGHTS), axis=1)))

    assert_differentiates(f, X[:1])
    assert loops_of(f, X[:1]) > 1


WEIGHTS = RNG.normal(size=(4, 9))


def test_sums_outside_of_loops_are_loops():
    def f(x):
        return np.sum(np.sin(x[:4]))

    assert loops_of(f, X) == 1


def test_the_shift_of_logsumexp_has_no_derivative():
    def f(x, y):
        return logsumexp(x * y)

    value, gradient = plain_value_and_grad(f, X, Y[:4])
    shares = np.exp(X * Y[:4] - value)
    np.testing.assert_allclose(gradient, shares * Y[:4], rtol=1e-14)
    assert "tape_s" not in source_of(f, X, Y[:4])


def test_elements_of_short_rows_are_chosen():
    def f(x, k):
        rows = np.exp(x[:3] * PREDICTORS[:, :3])
        return np.sum(pick(rows, k) * row_sum(rows)) + np.sum(pick(x[:3], k))

    assert_differentiates(f, X, OUTCOMES)
    assert_differentiates(f, X, OUTCOMES.astype(float))
    assert loops_of(f, X, OUTCOMES) == 2

    def beyond(x, k):
        return np.sum(vectormath.select(k < 3, pick(x[:3], k), 0.0)) + np.sum(pick(x[:3], k))

    value, gradient = plain_value_and_grad(beyond, X, np.array([0, 3, -1]))
    assert np.isnan(value)
    np.testing.assert_array_equal(gradient, [2.0, 0.0, 0.0, 0.0])


@pytest.mark.either
@pytest.mark.parametrize(("f", "data"), [(softmax, (OUTCOMES,)), (rows_before, ())])
def test_short_rows_are_read_as_flat_memory(f, data):
    assert_differentiates(f, X, *data)
    source = source_of(f, X, *data)
    assert source.count("flat_product_bar[") == source.count(" = flat_product[") > 1


def test_a_wrong_place_in_flat_memory_is_found(monkeypatch):
    right = writer.flat_index
    monkeypatch.setattr(writer, "flat_index", lambda array, index: right(array, index).replace("+ 1", "+ 2"))
    with pytest.raises(AssertionError):
        assert_differentiates(rows_before, X)


def test_compiled_as_in_plain_python():
    value, gradient = value_and_grad(rows_before)(X)
    plain = plain_value_and_grad(rows_before, X)
    np.testing.assert_allclose(value, plain[0], rtol=1e-12)
    np.testing.assert_allclose(gradient, plain[1], rtol=1e-12)

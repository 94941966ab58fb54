"""Laws of the covariance of draws."""

from types import SimpleNamespace

import numpy as np
import pytest

from nbinfer.trace import Trace, trace_cov

RNG = np.random.default_rng(5)
TRACE = Trace(
    {"a": RNG.normal(size=(2, 50)), "b": RNG.normal(size=(2, 50, 2, 2)), "k": RNG.integers(0, 5, size=(2, 50))},
    draws_done=[50, 30],
)


def test_it_is_that_of_the_concatenated_draws_in_order():
    flat = np.column_stack([TRACE.get_values("b").reshape(80, 4), TRACE.get_values("a")])
    np.testing.assert_allclose(trace_cov(TRACE, ["b", "a"]), np.cov(flat.T))


@pytest.mark.parametrize(
    ("arguments", "size"),
    [({}, 6), ({"vars": "a"}, 1), ({"vars": "b"}, 4), ({"model": SimpleNamespace(parameters={"a": 0, "k": 0})}, 2)],
)
def test_it_is_a_covariance_matrix(arguments, size):
    cov = trace_cov(TRACE, **arguments)
    assert cov.shape == (size, size)
    np.testing.assert_array_equal(cov, cov.T)
    assert (np.linalg.eigvalsh(cov) > 0).all()


def test_refusals():
    with pytest.raises(KeyError, match="no variable 'c'"):
        trace_cov(TRACE, ["c"])
    with pytest.raises(ValueError, match="at least one variable"):
        trace_cov(TRACE, [])
    with pytest.raises(ValueError, match="at least 2 draws, the trace has 1"):
        trace_cov(Trace({"a": np.zeros((1, 1))}))

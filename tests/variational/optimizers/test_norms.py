"""Norms: no part is longer than allowed, and what is short enough stays."""

import math

import numpy as np
import pytest

from nbinfer.compile import address_of
from nbinfer.variational.optimizers import norm_constraint, total_norm_constraint
from nbinfer.variational.optimizers.norms import shrink


@pytest.mark.parametrize(("shape", "axes"), [((4, 3), (0,)), ((2, 3, 4), (1, 2)), ((2, 2, 2, 2, 2), (1, 2, 3, 4))])
def test_each_part_is_as_long_as_allowed_at_most(shape, axes):
    x = np.random.default_rng(1).normal(size=shape)
    for found in (norm_constraint(x, 1.5), norm_constraint(x, 1.5, axes)):
        before, after = (np.sqrt(np.sum(y**2, axis=axes)) for y in (x, found))
        np.testing.assert_allclose(after, np.minimum(before, 1.5), rtol=1e-6)


def test_axes_must_be_given_where_none_are_obvious():
    with pytest.raises(ValueError, match="norm_axes must be given for a tensor_var of 1 axes"):
        norm_constraint(np.ones(3), 1.0)
    np.testing.assert_allclose(norm_constraint(np.ones(4), 1.0, 0), 0.5, rtol=1e-6)


def test_the_total_norm_is_one_number():
    grads = [np.array([3.0, 0.0]), np.array([[4.0]])]
    scaled, norm = total_norm_constraint(grads, 2.0, return_norm=True)
    assert norm == 5.0
    assert math.sqrt(sum(np.sum(g**2) for g in scaled)) == pytest.approx(2.0, rel=1e-6)
    same = total_norm_constraint(grads, 5.0)
    np.testing.assert_allclose(same[0], grads[0], rtol=1e-6)


def test_the_kernel_does_the_same():
    x = np.random.default_rng(2).normal(size=7)
    expected, norm = total_norm_constraint([x], 0.5, return_norm=True)
    memory = x.copy()
    assert shrink(address_of(memory), 7, 0.5) == pytest.approx(norm, rel=1e-14)
    np.testing.assert_allclose(memory, expected[0], rtol=1e-14)
    shrink(address_of(memory), 7, 10.0)
    np.testing.assert_allclose(memory, expected[0], rtol=1e-6)  # what is short enough stays

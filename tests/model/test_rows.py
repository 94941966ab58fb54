"""Definitions with another number of rows of a parameter."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import ModelError
from nbinfer.model.rows import of_rows, support_of_rows

ALIKE = {
    "real": (nb.real((4, 2)), nb.real((7, 2))),
    "numbers": (nb.positive(4), nb.positive(7)),
    "lower": (nb.lower(np.array([1.0, 2.0]), (4, 2)), nb.lower(np.array([1.0, 2.0]), (7, 2))),
    "upper": (nb.upper(3.0, 4), nb.upper(3.0, 7)),
    "interval": (nb.interval(0.0, np.array([1.0, 2.0]), (4, 2)), nb.interval(0.0, np.array([1.0, 2.0]), (7, 2))),
    "unit": (nb.unit(4), nb.unit(7)),
    "simplex": (nb.simplex(3, 4), nb.simplex(3, 7)),
    "matrices": (nb.cholesky_corr(3, 4), nb.cholesky_corr(3, 7)),
    "same": (nb.ordered(4), None),
}


@pytest.mark.parametrize("name", ALIKE)
def test_rows_that_are_alike_are_repeated(name):
    before, after = ALIKE[name]
    if after is None:
        assert support_of_rows("z", before, 4) is before
        return
    found = support_of_rows("z", before, 7)
    assert found == after
    assert found.size == after.size
    u = np.random.default_rng(1).normal(size=after.size)
    for one, other in zip(found.image(u), after.image(u), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "support",
    [nb.ordered(4), nb.simplex(4), nb.lower(np.arange(4.0)), nb.lower(lambda p, d: p.a, 4), nb.cholesky_corr(4)],
)
def test_rows_that_depend_on_each_other_are_refused(support):
    with pytest.raises(ModelError, match=r"z cannot have 7 rows in the place of 4: the rows of .* are not alike"):
        support_of_rows("z", support, 7)


def test_a_definition_keeps_the_rest():
    m = nb.Model({"a": nb.real(), "z": nb.unit(4)}, logp=lambda p, d: p.a + np.sum(p.z) * d.w, data={"w": 2.0})
    assert of_rows(m.definition, {"z": 4}) is m.definition
    other = nb.Model.of(of_rows(m.definition, {"z": 2}))
    assert other.dim == 3
    assert other.logp({"a": 1.0, "z": [0.25, 0.5]}) == 2.5
